//! What an update of one point is made of: the neighbours it looks at and the arithmetic.
//!
//! A [`Formula`] is written once, over registers; the sweeps call it with registers of any
//! instruction set and the plain loop of [`mod@super::reference`] with single numbers, so there is
//! one text that says what is computed. Its shape, radius and dimensions are constants of its
//! type: every neighbour is a fixed distance away and costs no arithmetic to find.

use crate::vector::{FloatExtra, Real};

/// Which neighbours a stencil looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Shape {
    /// Those on the axes through the point.
    Star,
    /// All of the square or cube around it.
    Box,
}

/// One update of a point from its neighbours.
///
/// Neighbours are named by their distance along x, y and z; the distance along an axis there is
/// not is always 0.
pub(super) trait Formula<T: Real>: Copy + core::fmt::Debug + Send + Sync + 'static {
    /// Which neighbours it looks at.
    const SHAPE: Shape;
    /// One, two or three.
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

    /// How far it looks from slice to slice.
    #[inline(always)]
    pub(super) const fn across(&self) -> usize {
        if self.dimensions > 1 { self.radius } else { 0 }
    }

    /// How many rows there are.
    pub(super) const fn rows(&self) -> usize {
        let Reach { shape, by, bz, .. } = *self;
        let (wide, across) = (by + 2 * self.within(), self.across());
        match shape {
            Shape::Star => bz * wide + 2 * across * by,
            Shape::Box => (bz + 2 * across) * wide,
        }
    }

    /// The number of the row `y` rows and `z` slices from the band's first.
    #[inline(always)]
    pub(super) const fn index(&self, y: isize, z: isize) -> usize {
        let Reach { shape, by, bz, .. } = *self;
        let (within, wide) = (self.within(), by + 2 * self.within());
        let inside = z >= 0 && z < bz as isize;
        let (row, before) = ((y + within as isize) as usize, (z + self.across() as isize) as usize);
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
        let ahead = (z + self.across()) as isize;
        let all = matches!(self.shape, Shape::Box) || ahead < self.bz as isize;
        self.index((y + if all { self.within() } else { 0 }) as isize, ahead)
    }

    /// Which rows are looked at left and right of the point, too.
    #[inline(always)]
    pub(super) const fn sideways(&self, row: usize) -> bool {
        let wide = self.by + 2 * self.within();
        let own = row % wide >= self.within() && row % wide < self.within() + self.by;
        match self.shape {
            Shape::Box => true,
            Shape::Star => row < self.bz * wide && own,
        }
    }

    /// Where row number `row` is, as rows and slices from the band's first.
    pub(super) const fn place(&self, row: usize) -> [isize; 2] {
        let (by, bz) = (self.by, self.bz);
        let (within, across) = (self.within(), self.across());
        let wide = by + 2 * within;
        let (inside, first) = match self.shape {
            Shape::Star => (bz * wide, 0),
            Shape::Box => ((bz + 2 * across) * wide, across),
        };
        if row < inside {
            let (y, z) = (row % wide, row / wide);
            return [y as isize - within as isize, z as isize - first as isize];
        }
        let (y, z) = ((row - inside) % by, (row - inside) / by);
        let z = if z < across { z as isize - across as isize } else { (z - across + bz) as isize };
        [y as isize, z]
    }
}
