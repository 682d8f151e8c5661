//! What an update of one point is made of: the neighbours it looks at and the arithmetic.
//!
//! A [`Formula`] is written once, over registers; the sweeps call it with registers of any
//! instruction set and the plain loop of [`mod@super::reference`] with single numbers, so there is
//! one text that says what is computed. Its shape, radius and dimensions are constants of its
//! type: every neighbour is a fixed distance away and costs no arithmetic to find.

use super::SideBySide;
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

/// One update of a point from its neighbours: a stencil of one's own.
///
/// [`Star`](super::Star), [`PairedStar`](super::PairedStar) and [`Block`](super::Block) are
/// formulas made of weights; what is not a weighted sum is written as here.
///
/// ```
/// use tilewise::stencil::{self, Boundary, Extent, Formula, Grid, Near, Shape};
/// use tilewise::vector::{FloatExtra, Real};
///
/// /// What flows to the right at constant speed, upwind.
/// #[derive(Clone, Copy, Debug)]
/// struct Upwind<T> {
///     courant: T,
/// }
///
/// impl<T: Real> Formula<T> for Upwind<T> {
///     const NAME: &'static str = "upwind";
///     const SHAPE: Shape = Shape::Star;
///     const DIMENSIONS: usize = 1;
///     const RADIUS: usize = 1;
///
///     #[inline(always)]
///     fn update<S: FloatExtra>(
///         &self,
///         simd: S,
///         _field: usize,
///         near: impl Near<T, S>,
///     ) -> T::Register<S> {
///         let (here, left) = (near.at(0, [0, 0, 0]), near.at(0, [-1, 0, 0]));
///         let drop = T::minus(simd, here, left);
///         T::minus(simd, here, T::times(simd, T::splat(simd, self.courant), drop))
///     }
/// }
///
/// let mut grid = Grid::from_fn(Extent::line(50), |[x, _, _]| if x == 3 { 1.0 } else { 0.0 })?;
/// stencil::run(Upwind { courant: 1.0 }, [Boundary::Periodic; 3], &mut grid, 60)?;
/// assert_eq!(grid.row(0, 0).iter().position(|&value| value == 1.0), Some(13));
/// # Ok::<(), stencil::Error>(())
/// ```
pub trait Formula<T: Real>: Copy + core::fmt::Debug + Send + Sync + 'static {
    /// What errors call it.
    const NAME: &'static str = "a stencil of one's own";
    /// Which neighbours it looks at.
    const SHAPE: Shape;
    /// One, two or three.
    const DIMENSIONS: usize;
    /// How far it looks along each axis: 1 to 8.
    const RADIUS: usize;
    /// Fields that are stepped together, 1 to 4: each may look at all of them.
    const FIELDS: usize = 1;
    /// 2 where an update also takes the value the point had one step before, as waves do; the new
    /// value then takes the place of that one, in memory too.
    const LEVELS: usize = 1;
    /// Fields that no step changes, up to 64, such as coefficients that differ from point to point.
    /// [`Grid::set_media`](super::Grid::set_media) takes them one after the other.
    ///
    /// A flux form, `div(k grad u)`, is a sum whose weights are media, each a field that is computed
    /// once from `k`:
    ///
    /// ```
    /// use tilewise::stencil::{self, Boundary, Extent, Formula, Grid, Near, Shape};
    /// use tilewise::vector::{FloatExtra, Real};
    ///
    /// /// Left, right and centre: each neighbour has a weight of its own at each point.
    /// #[derive(Clone, Copy, Debug)]
    /// struct Rod;
    ///
    /// impl<T: Real> Formula<T> for Rod {
    ///     const SHAPE: Shape = Shape::Star;
    ///     const DIMENSIONS: usize = 1;
    ///     const RADIUS: usize = 1;
    ///     const MEDIA: usize = 3;
    ///
    ///     #[inline(always)]
    ///     fn update<S: FloatExtra>(
    ///         &self,
    ///         simd: S,
    ///         _field: usize,
    ///         near: impl Near<T, S>,
    ///     ) -> T::Register<S> {
    ///         let part = |medium, x| T::times(simd, near.medium(medium), near.at(0, [x, 0, 0]));
    ///         T::plus(simd, T::plus(simd, part(0, -1), part(1, 1)), part(2, 0))
    ///     }
    /// }
    ///
    /// // Between points x - 1 and x: what flows from one to the other for a degree between them.
    /// let k = |x: usize| if x < 10 { 0.4 } else { 0.1 };
    /// let (left, right) = ((0..20).map(k), (1..=20).map(k));
    /// let centre = (0..20).map(|x| 1.0 - k(x) - k(x + 1));
    /// let media: Vec<f64> = left.chain(right).chain(centre).collect();
    ///
    /// let mut grid = Grid::from_fn(Extent::line(20), |[x, _, _]| if x < 5 { 100.0 } else { 0.0 })?;
    /// grid.set_media(&media)?;
    /// stencil::run(Rod, [Boundary::Mirror; 3], &mut grid, 2000)?;
    /// // What leaves a point comes to the next, so heat is spread and none of it lost.
    /// assert!(grid.row(0, 0).iter().all(|value| (value - 25.0).abs() < 1.0));
    /// assert!((grid.row(0, 0).iter().sum::<f64>() - 500.0).abs() < 1e-9);
    /// # Ok::<(), stencil::Error>(())
    /// ```
    const MEDIA: usize = 0;

    /// Whether it asks for its neighbours one by one, in no loop that the compiler may keep: rows may
    /// then be held in registers. Results are the same.
    #[doc(hidden)]
    const WRITTEN_OUT: bool = false;

    /// Whether its weights are numbers to compute with; a plan refuses it otherwise. Nobody but the
    /// formula can look at them: one with weights that keeps this default, true, is never refused for
    /// an infinite one or a NaN.
    fn is_finite(&self) -> bool {
        true
    }

    /// The new values of field `field` in a register full of points.
    ///
    /// With [`Real::plus`], [`Real::minus`], [`Real::times`] and [`Real::fused`] results are the same
    /// to the last bit on every instruction set; nothing is fused that does not say so. To be as fast
    /// as it can it has `#[inline(always)]`. By reference: there are blocks of 39 KB of weights, and
    /// compilers may copy them at every register.
    fn update<S: FloatExtra>(&self, simd: S, field: usize, near: impl Near<T, S>)
    -> T::Register<S>;
}

/// What an update looks at: a register full of points and what is around them.
pub trait Near<T: Real, S: FloatExtra>: Copy {
    /// The values of field `field`, `off` points away along x, y and z; along an axis there is
    /// not always 0.
    fn at(self, field: usize, off: [isize; 3]) -> T::Register<S>;

    /// The values the points themselves had one step before.
    fn before(self, field: usize) -> T::Register<S>;

    /// Medium `medium` at the points themselves.
    fn medium(self, medium: usize) -> T::Register<S>;
}

/// Calls `body` with 0 to `N - 1`, written out: in a loop that the compiler keeps (with a radius of
/// 4 it does) distances are no constants, and registers that are [held](super::held) would be put
/// in memory to be indexed. A star of radius 4 in a plane makes 0.16 GLUP/s in such a loop, and 1.7
/// written out; one of 3 in space 0.27 and 1.8 (2000x2000 and 160 points an axis, `f32`, one Zen 4 core).
#[inline(always)]
pub(super) fn each<const N: usize>(mut body: impl FnMut(usize)) {
    const { assert!(N <= 17) };
    macro_rules! written_out {
        ($($index:literal)*) => { $(if N > $index { body($index) })* };
    }
    written_out!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16);
}

/// The constants of a formula as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Form {
    /// What errors call it.
    pub name: &'static str,
    /// Which neighbours.
    pub shape: Shape,
    /// One, two or three.
    pub dimensions: usize,
    /// How far it looks along each axis.
    pub radius: usize,
    /// Fields that are stepped together.
    pub fields: usize,
    /// 2 where it takes the values of one step before.
    pub levels: usize,
    /// Fields that no step changes.
    pub media: usize,
    /// Which rows there are loops for.
    pub(super) side_by_side: &'static [SideBySide],
}

impl Form {
    /// The most fields, the farthest it looks, and the most media.
    const MOST_FIELDS: usize = 4;
    const FARTHEST: usize = 8;
    const MOST_MEDIA: usize = 64;

    /// Of a formula, for numbers of type `T`.
    pub const fn of<T: Real, F: Formula<T>>() -> Self {
        Form {
            name: F::NAME,
            shape: F::SHAPE,
            dimensions: F::DIMENSIONS,
            radius: F::RADIUS,
            fields: F::FIELDS,
            levels: F::LEVELS,
            media: F::MEDIA,
            side_by_side: &[SideBySide::One],
        }
    }

    /// Whether there are loops for it at all.
    pub(super) const fn fits(&self) -> bool {
        let Form { dimensions, radius, fields, levels, media, .. } = *self;
        let looks = matches!(dimensions, 1..=3) && matches!(radius, 1..=Self::FARTHEST);
        let fields = matches!(fields, 1..=Self::MOST_FIELDS) && matches!(levels, 1 | 2);
        looks && fields && media <= Self::MOST_MEDIA
    }

    /// Whether a step takes the value of one step before.
    pub(super) const fn keeps_two(&self) -> bool {
        self.levels > 1
    }

    /// Numbers that are read and written for an update: the fields as they are, what is written,
    /// what is read there before, and the media.
    pub(super) const fn moves(&self, streaming: bool) -> [usize; 2] {
        let reads = self.fields + self.media;
        [reads + if self.levels > 1 || !streaming { self.fields } else { 0 }, self.fields]
    }
}

/// Where the rows stand that a band looks at: `by` rows side by side in each of `bz` slices.
///
/// A star looks at all rows around its own in the slices it updates, and in the slices before
/// and behind at its own rows alone; a box looks at all rows everywhere. After those of all fields
/// come the band's own rows one step before, and those of the media.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) form: Form,
    pub(super) by: usize,
    pub(super) bz: usize,
}

impl Reach {
    /// The most rows that any formula looks at from one: of all fields those around it in space and
    /// itself one step before, and the media.
    pub(super) const MOST: usize = {
        let wide = 2 * Form::FARTHEST + 1;
        Form::MOST_FIELDS * (wide * wide + 1) + Form::MOST_MEDIA
    };

    /// Of a band of `by` rows in `bz` slices.
    #[inline(always)]
    pub(super) const fn of<T: Real, F: Formula<T>>(by: usize, bz: usize) -> Self {
        Reach { form: Form::of::<T, F>(), by, bz }
    }

    /// How far it looks within a slice.
    #[inline(always)]
    pub(super) const fn within(&self) -> usize {
        if self.form.dimensions == 3 { self.form.radius } else { 0 }
    }

    /// How far it looks from slice to slice.
    #[inline(always)]
    pub(super) const fn across(&self) -> usize {
        if self.form.dimensions > 1 { self.form.radius } else { 0 }
    }

    /// How many rows of each field there are.
    pub(super) const fn rows(&self) -> usize {
        let Reach { by, bz, .. } = *self;
        let (wide, across) = (by + 2 * self.within(), self.across());
        match self.form.shape {
            Shape::Star => bz * wide + 2 * across * by,
            Shape::Box => (bz + 2 * across) * wide,
        }
    }

    /// How many rows there are of everything.
    pub(super) const fn strips(&self) -> usize {
        let Form { fields, levels, media, .. } = self.form;
        fields * self.rows() + (fields * (levels - 1) + media) * self.by * self.bz
    }

    /// The first of the band's own rows of what comes after the fields: their values of one step
    /// before, then the media.
    #[inline(always)]
    pub(super) const fn own(&self, number: usize) -> usize {
        self.form.fields * self.rows() + number * self.by * self.bz
    }

    /// The number of the row `y` rows and `z` slices from the band's first.
    #[inline(always)]
    pub(super) const fn index(&self, y: isize, z: isize) -> usize {
        let Reach { by, bz, .. } = *self;
        let (within, wide) = (self.within(), by + 2 * self.within());
        let inside = z >= 0 && z < bz as isize;
        let (row, before) = ((y + within as isize) as usize, (z + self.across() as isize) as usize);
        match self.form.shape {
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
        let all = matches!(self.form.shape, Shape::Box) || ahead < self.bz as isize;
        self.index((y + if all { self.within() } else { 0 }) as isize, ahead)
    }

    /// Which rows are looked at left and right of the point, too.
    #[inline(always)]
    pub(super) const fn sideways(&self, strip: usize) -> bool {
        if strip >= self.own(0) {
            return false;
        }
        let row = strip % self.rows();
        let wide = self.by + 2 * self.within();
        let own = row % wide >= self.within() && row % wide < self.within() + self.by;
        match self.form.shape {
            Shape::Box => true,
            Shape::Star => row < self.bz * wide && own,
        }
    }

    /// Where row number `row` is, as rows and slices from the band's first.
    pub(super) const fn place(&self, row: usize) -> [isize; 2] {
        let (by, bz) = (self.by, self.bz);
        let (within, across) = (self.within(), self.across());
        let wide = by + 2 * within;
        let (inside, first) = match self.form.shape {
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
