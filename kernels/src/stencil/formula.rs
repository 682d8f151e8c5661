//! What an update of one point is made of: the neighbours it looks at and the arithmetic.
//!
//! A [`Formula`] is written once, over registers; the sweeps call it with registers of any
//! instruction set and the plain loop of [`mod@super::reference`] with single numbers, so there is
//! one text that says what is computed. Its shape, radius and dimensions are constants of its
//! type: every neighbour is a fixed distance away and costs no arithmetic to find.

use crate::vector::{FloatExtra, Real};
use core::ops::Range;

/// Which neighbours a formula may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Those on the axes through the point.
    Star,
    /// All of the square or cube around it.
    #[expect(dead_code, reason = "the ready-made stencils are stars")]
    Box,
}

/// One update of a point from its neighbours.
///
/// Neighbours are named by their distance along x, y and z; in two dimensions y is always 0 and
/// the rows are told apart by z, for a plane is swept as a stack of rows.
pub(super) trait Formula<T: Real>: Copy + core::fmt::Debug + Send + Sync + 'static {
    /// Which neighbours it looks at.
    const SHAPE: Shape;
    /// Two or three.
    const DIMENSIONS: usize;
    /// How far it looks along each axis.
    const RADIUS: usize;

    /// The new values of a register full of points.
    fn update<S: FloatExtra>(
        self,
        simd: S,
        near: impl Fn(isize, isize, isize) -> T::Register<S>,
    ) -> T::Register<S>;
}

/// Where the rows stand that a band looks at: `by` rows side by side in each of `bz` slices.
///
/// A star looks at all rows around its own in the slices it updates, and in the slices before
/// and behind at its own rows alone; a box looks at all rows everywhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) shape: Shape,
    pub(super) dimensions: usize,
    pub(super) radius: usize,
    pub(super) by: usize,
    pub(super) bz: usize,
}

impl Reach {
    /// The most rows any formula looks at: a star of radius 8, or a box of radius 3 in space.
    pub(super) const MOST: usize = 64;

    /// Of a band of `by` rows in `bz` slices.
    #[inline(always)]
    pub(super) const fn of<T: Real, F: Formula<T>>(by: usize, bz: usize) -> Self {
        Reach { shape: F::SHAPE, dimensions: F::DIMENSIONS, radius: F::RADIUS, by, bz }
    }

    /// How far it looks within a slice.
    #[inline(always)]
    pub(super) const fn within(&self) -> usize {
        if self.dimensions == 3 { self.radius } else { 0 }
    }

    /// How many rows there are.
    pub(super) const fn rows(&self) -> usize {
        let Reach { shape, radius, by, bz, .. } = *self;
        let wide = by + 2 * self.within();
        match shape {
            Shape::Star => bz * wide + 2 * radius * by,
            Shape::Box => (bz + 2 * radius) * wide,
        }
    }

    /// The number of the row `y` rows and `z` slices from the band's first.
    #[inline(always)]
    pub(super) const fn index(&self, y: isize, z: isize) -> usize {
        let Reach { shape, radius, by, bz, .. } = *self;
        let (within, wide) = (self.within(), by + 2 * self.within());
        let inside = z >= 0 && z < bz as isize;
        let (row, before) = ((y + within as isize) as usize, (z + radius as isize) as usize);
        match shape {
            Shape::Box => before * wide + row,
            Shape::Star if inside => z as usize * wide + row,
            Shape::Star if z < 0 => bz * wide + before * by + y as usize,
            Shape::Star => bz * wide + (before - bz) * by + y as usize,
        }
    }

    /// The row that is looked at for the first time when the band comes to its row `y` of its
    /// slice `z`: the farthest ahead.
    #[inline(always)]
    pub(super) const fn newest(&self, y: usize, z: usize) -> usize {
        let ahead = (z + self.radius) as isize;
        let all = matches!(self.shape, Shape::Box) || ahead < self.bz as isize;
        self.index((y + if all { self.within() } else { 0 }) as isize, ahead)
    }

    /// Where its rows are, in the order of their numbers, as rows and slices from the band's
    /// first.
    pub(super) fn places(&self) -> impl Iterator<Item = [isize; 2]> + use<> {
        let (radius, by, bz) = (self.radius as isize, self.by as isize, self.bz as isize);
        let (within, shape) = (self.within() as isize, self.shape);
        let rows = |ys: Range<isize>, zs: Range<isize>| {
            zs.flat_map(move |z| ys.clone().map(move |y| [y, z]))
        };
        let all = -within..by + within;
        let (inside, own) = match shape {
            Shape::Star => (0..bz, 0..by),
            Shape::Box => (-radius..bz + radius, 0..0),
        };
        rows(all, inside).chain(rows(own.clone(), -radius..0)).chain(rows(own, bz..bz + radius))
    }
}
