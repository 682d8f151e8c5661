//! Stencils made of weights: stars and blocks of any radius as values.
//!
//! The order of the operations is part of each type, for it decides how results round: a
//! [`Star`] adds neighbour after neighbour, a [`PairedStar`] the two at the same distance first,
//! and [`Fused`] rounds a product and a sum once.

use super::formula::{Formula, Near, Shape, each};
use super::heat::weighed;
use crate::vector::{FloatExtra, Real};

/// A weighted sum of a point and its neighbours, which can be [`Fused`]: a [`Star`], a
/// [`PairedStar`] or a [`Block`].
pub trait Weighted<T: Real>: Formula<T> + sealed::Sealed {
    /// The sum in a register full of points, each product added in one rounding where `FUSED`.
    #[doc(hidden)]
    fn sum<S: FloatExtra, const FUSED: bool>(
        &self,
        simd: S,
        near: impl Near<T, S>,
    ) -> T::Register<S>;
}

mod sealed {
    use super::{Block, PairedStar, Star};

    pub trait Sealed {}
    impl<T, const D: usize, const R: usize> Sealed for Star<T, D, R> {}
    impl<T, const D: usize, const R: usize> Sealed for PairedStar<T, D, R> {}
    impl<T, const D: usize, const W: usize> Sealed for Block<T, D, W> {}
}

/// `sum + weight * value`, rounded once or twice.
#[inline(always)]
fn add<T: Real, S: FloatExtra, const FUSED: bool>(
    simd: S,
    sum: T::Register<S>,
    (weight, value): (T, T::Register<S>),
) -> T::Register<S> {
    match FUSED {
        true => T::fused(simd, T::splat(simd, weight), value, sum),
        false => T::plus(simd, sum, weighed::<T, S>(simd, weight, value)),
    }
}

/// A weighted sum of a point and its neighbours on `D` axes, up to `R` away, which is the new
/// value: the point itself first, then for each axis and each distance the neighbour before and
/// the one behind, each product rounded and added in this order.
///
/// ```
/// use tilewise::stencil::{self, Boundary, Extent, Grid, Star};
/// // What flows to the right, half a point a step: a point keeps half and takes half from the left.
/// let flow = Star { centre: 0.5, arms: [[[0.5, 0.0]]] };
/// let start = |[x, _, _]: [usize; 3]| if x == 3 { 1.0_f64 } else { 0.0 };
/// let mut grid = Grid::from_fn(Extent::line(8), start)?;
/// stencil::run(flow, [Boundary::Periodic; 3], &mut grid, 2)?;
/// assert_eq!(grid.row(0, 0), [0.0, 0.0, 0.0, 0.25, 0.5, 0.25, 0.0, 0.0]);
/// # Ok::<(), stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Star<T, const D: usize, const R: usize> {
    /// Of the point itself.
    pub centre: T,
    /// By axis and distance less 1: of the neighbours before and behind.
    pub arms: [[[T; 2]; R]; D],
}

impl<T: Real, const D: usize, const R: usize> Formula<T> for Star<T, D, R> {
    const NAME: &'static str = "a star";
    const SHAPE: Shape = star(D);
    const DIMENSIONS: usize = D;
    const RADIUS: usize = R;
    const WRITTEN_OUT: bool = true;

    fn is_finite(&self) -> bool {
        finite(self.arms.as_flattened().as_flattened()) && finite(&[self.centre])
    }

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        self.sum::<S, false>(simd, near)
    }
}

impl<T: Real, const D: usize, const R: usize> Weighted<T> for Star<T, D, R> {
    #[inline(always)]
    fn sum<S: FloatExtra, const FUSED: bool>(
        &self,
        simd: S,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let mut sum = weighed::<T, S>(simd, self.centre, near.at(0, [0; 3]));
        each_pair::<D, R>(
            #[inline(always)]
            |axis, index| {
                let [before, behind] = self.arms[axis][index];
                for (side, weight) in [(0, before), (1, behind)] {
                    let value = near.at(0, along(axis, index, side));
                    sum = add::<T, S, FUSED>(simd, sum, (weight, value));
                }
            },
        );
        sum
    }
}

/// A weighted sum of a point and its neighbours on `D` axes, up to `R` away, in which the two
/// neighbours at a distance have one weight and are added before they are multiplied: half the
/// products of a [`Star`], other rounding, and a mirrored field has mirrored bits.
///
/// ```
/// use tilewise::stencil::{self, Boundary, Extent, Grid, PairedStar};
/// // Heat that spreads twice as fast along x.
/// let heat = PairedStar { centre: 0.4, arms: [[0.2], [0.1]] };
/// let mut grid = Grid::from_fn(Extent::plane(9, 9), |at| if at == [4, 4, 0] { 1.0 } else { 0.0 })?;
/// stencil::run(heat, [Boundary::Mirror; 3], &mut grid, 1)?;
/// assert_eq!([grid.row(4, 0)[5], grid.row(5, 0)[4]], [0.2, 0.1]);
/// # Ok::<(), stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedStar<T, const D: usize, const R: usize> {
    /// Of the point itself.
    pub centre: T,
    /// By axis and distance less 1.
    pub arms: [[T; R]; D],
}

impl<T: Real, const D: usize, const R: usize> Formula<T> for PairedStar<T, D, R> {
    const NAME: &'static str = "a paired star";
    const SHAPE: Shape = star(D);
    const DIMENSIONS: usize = D;
    const RADIUS: usize = R;
    const WRITTEN_OUT: bool = true;

    fn is_finite(&self) -> bool {
        finite(self.arms.as_flattened()) && finite(&[self.centre])
    }

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        self.sum::<S, false>(simd, near)
    }
}

impl<T: Real, const D: usize, const R: usize> Weighted<T> for PairedStar<T, D, R> {
    #[inline(always)]
    fn sum<S: FloatExtra, const FUSED: bool>(
        &self,
        simd: S,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let mut sum = weighed::<T, S>(simd, self.centre, near.at(0, [0; 3]));
        each_pair::<D, R>(
            #[inline(always)]
            |axis, index| {
                let before = near.at(0, along(axis, index, 0));
                let pair = T::plus(simd, before, near.at(0, along(axis, index, 1)));
                sum = add::<T, S, FUSED>(simd, sum, (self.arms[axis][index], pair));
            },
        );
        sum
    }
}

/// A weighted sum of all points of the square or cube of `W` points a side around a point, which
/// is the new value: x fastest, then y, then z, each product rounded and added in this order.
/// `W` is odd and at most 17; on a plane or a line only the first of the weights along the axes there
/// are not count. They are there all the same, `W` cubed whatever the dimensions, for the length of
/// an array cannot yet be computed from `D`.
///
/// ```
/// use tilewise::stencil::{self, Block, Boundary, Extent, Grid};
/// // Blurs by the nine points of a square.
/// let along = |off: isize| if off == 0 { 0.5_f64 } else { 0.25 };
/// let blur = Block::<f64, 2, 3>::new(|[x, y, _]| along(x) * along(y));
/// let start = |at: [usize; 3]| if at == [3, 3, 0] { 16.0_f64 } else { 0.0 };
/// let mut grid = Grid::from_fn(Extent::plane(7, 7), start)?;
/// stencil::run(blur, [Boundary::Mirror; 3], &mut grid, 1)?;
/// assert_eq!(grid.row(2, 0), [0.0, 0.0, 1.0, 2.0, 1.0, 0.0, 0.0]);
/// assert_eq!(grid.row(3, 0), [0.0, 0.0, 2.0, 4.0, 2.0, 0.0, 0.0]);
/// # Ok::<(), stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Block<T, const D: usize, const W: usize> {
    /// By z, y and x, from the neighbour before on.
    pub weights: [[[T; W]; W]; W],
}

impl<T: Real, const D: usize, const W: usize> Block<T, D, W> {
    /// Few enough points to be written out; of larger ones only rows are.
    const SMALL: bool = W <= 5;

    /// From the weight of each neighbour, `off` points away along x, y and z.
    pub fn new(mut weight: impl FnMut([isize; 3]) -> T) -> Self {
        let off = |axis: usize, index: usize| {
            if axis < D { index as isize - (W / 2) as isize } else { 0 }
        };
        let mut weights = [[[T::default(); W]; W]; W];
        let most = |axis: usize| if axis < D { W } else { 1 };
        for (z, plane) in weights.iter_mut().enumerate().take(most(2)) {
            for (y, row) in plane.iter_mut().enumerate().take(most(1)) {
                for (x, place) in row.iter_mut().enumerate() {
                    *place = weight([off(0, x), off(1, y), off(2, z)]);
                }
            }
        }
        Block { weights }
    }
}

impl<T: Real, const D: usize, const W: usize> Formula<T> for Block<T, D, W> {
    const NAME: &'static str = "a block";
    const SHAPE: Shape = Shape::Box;
    const DIMENSIONS: usize = D;
    const RADIUS: usize = W / 2;
    const WRITTEN_OUT: bool = Self::SMALL;

    fn is_finite(&self) -> bool {
        // The others may be anything.
        let most = |axis: usize| if axis < D { W } else { 1 };
        let mut planes = self.weights.iter().take(most(2));
        planes.all(|plane| plane.iter().take(most(1)).all(|row| finite(row)))
    }

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        self.sum::<S, false>(simd, near)
    }
}

impl<T: Real, const D: usize, const W: usize> Weighted<T> for Block<T, D, W> {
    #[inline(always)]
    fn sum<S: FloatExtra, const FUSED: bool>(
        &self,
        simd: S,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        const { assert!(W % 2 == 1, "a block has a point in the middle") };
        let most = |axis: usize| if axis < D { W } else { 1 };
        let off = |axis: usize, index: usize| {
            if axis < D { index as isize - (W / 2) as isize } else { 0 }
        };
        let mut sum = T::splat(simd, T::default());
        let at = |y: usize, z: usize| [off(1, y), off(2, z)];
        if const { Self::SMALL } {
            each::<W>(
                #[inline(always)]
                |z| {
                    if z < most(2) {
                        each::<W>(
                            #[inline(always)]
                            |y| {
                                if y < most(1) {
                                    let weights = (&self.weights[z][y], y + z == 0);
                                    sum = row::<T, S, W, FUSED>(simd, sum, weights, at(y, z), near);
                                }
                            },
                        );
                    }
                },
            );
        } else {
            for z in 0..most(2) {
                for y in 0..most(1) {
                    let weights = (&self.weights[z][y], y + z == 0);
                    sum = row::<T, S, W, FUSED>(simd, sum, weights, at(y, z), near);
                }
            }
        }
        sum
    }
}

/// Adds a row of a block that is `dy` and `dz` away; the `first` begins with a product.
#[inline(always)]
fn row<T: Real, S: FloatExtra, const W: usize, const FUSED: bool>(
    simd: S,
    mut sum: T::Register<S>,
    (weights, first): (&[T; W], bool),
    [dy, dz]: [isize; 2],
    near: impl Near<T, S>,
) -> T::Register<S> {
    each::<W>(
        #[inline(always)]
        |x| {
            let value = near.at(0, [x as isize - (W / 2) as isize, dy, dz]);
            sum = match first && x == 0 {
                true => weighed::<T, S>(simd, weights[x], value),
                false => add::<T, S, FUSED>(simd, sum, (weights[x], value)),
            };
        },
    );
    sum
}

/// The same weighted sum, but each product after the first is added to it in one rounding (a fused
/// multiply-add): fewer operations, other bits, and those too the same on every instruction set.
/// Where there is no such instruction it is computed in software, exactly and slowly.
///
/// ```
/// use tilewise::stencil::{self, Boundary, Extent, Fused, Grid, PairedStar};
/// let heat = PairedStar { centre: 0.4, arms: [[0.2], [0.1]] };
/// let mut grid = Grid::from_fn(Extent::plane(9, 9), |[x, y, _]| (3 * x + y) as f64)?;
/// stencil::run(Fused(heat), [Boundary::Fixed; 3], &mut grid, 1)?;
/// // The two beside it and the two above and below.
/// let once = 0.1_f64.mul_add(30.0, 0.2_f64.mul_add(30.0, 0.4 * 15.0));
/// assert_eq!(grid.row(3, 0)[4], once);
/// # Ok::<(), stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fused<F>(
    /// What is summed.
    pub F,
);

impl<T: Real, F: Weighted<T>> Formula<T> for Fused<F> {
    const NAME: &'static str = F::NAME;
    const SHAPE: Shape = F::SHAPE;
    const DIMENSIONS: usize = F::DIMENSIONS;
    const RADIUS: usize = F::RADIUS;
    const WRITTEN_OUT: bool = F::WRITTEN_OUT;

    fn is_finite(&self) -> bool {
        self.0.is_finite()
    }

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        self.0.sum::<S, true>(simd, near)
    }
}

/// Whether it is a number to compute with.
pub(super) fn is_finite<T: Real>(number: T) -> bool {
    let number: f64 = number.into();
    number.is_finite()
}

/// Whether all are numbers to compute with.
pub(super) fn finite<T: Real>(weights: &[T]) -> bool {
    weights.iter().all(|&weight| is_finite(weight))
}

/// On a line a star is all there is.
const fn star(dimensions: usize) -> Shape {
    if dimensions == 1 { Shape::Box } else { Shape::Star }
}

/// Calls `body` with each axis and each distance on it less 1, written out as [`each`] does.
#[inline(always)]
fn each_pair<const D: usize, const R: usize>(mut body: impl FnMut(usize, usize)) {
    each::<D>(
        #[inline(always)]
        |axis| {
            each::<R>(
                #[inline(always)]
                |index| body(axis, index),
            );
        },
    );
}

/// The neighbour `index + 1` away along an axis, before (0) or behind (1).
#[inline(always)]
fn along(axis: usize, index: usize, side: usize) -> [isize; 3] {
    let mut off = [0; 3];
    off[axis] = if side == 0 { -(index as isize + 1) } else { index as isize + 1 };
    off
}
