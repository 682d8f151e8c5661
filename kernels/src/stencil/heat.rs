//! The heat stencils: the arithmetic of one update, as [`Kind`](super::Kind) writes it, and the
//! Laplacians that waves and reactions share.
//!
//! Every operation is an operation of [`Real`], so that nothing is fused and results are the same on
//! all instruction sets. With a radius of 1 the product with the weight 1 is left out.

use super::formula::{Formula, Near, Shape, each};
use crate::vector::{FloatExtra, Real};

/// The weight of the points `k` away in the second difference of order `2 radius`.
pub(super) fn weight(radius: usize, k: usize) -> f64 {
    // R!^2 / ((R-k)! (R+k)!) as a product of k quotients.
    let ratio = (1..=k).map(|i| (radius - k + i) as f64 / (radius + i) as f64).product::<f64>();
    let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
    sign * ratio / (k * k) as f64
}

/// Weights of a Laplacian.
pub(super) struct Weights {
    /// Of the neighbours one away along one, two and three axes.
    pub(super) near: [f64; 3],
    /// Of the point itself, taken off.
    pub(super) centre: f64,
}

/// Those of the compact Laplacian in so many dimensions.
pub(super) const fn compact(dimensions: usize) -> Weights {
    if dimensions == 2 {
        Weights { near: [2.0 / 3.0, 1.0 / 6.0, 0.0], centre: 10.0 / 3.0 }
    } else {
        Weights { near: [7.0 / 15.0, 1.0 / 10.0, 1.0 / 30.0], centre: 64.0 / 15.0 }
    }
}

/// A heat step in `D` dimensions with the star Laplacian of radius `R`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heat<T, const D: usize, const R: usize> {
    coefficient: T,
    laplacian: Laplacian<T, D, R>,
}

impl<T: Real, const D: usize, const R: usize> Heat<T, D, R> {
    pub(super) fn new(coefficient: f64) -> Self {
        Heat { coefficient: T::from_f64(coefficient), laplacian: Laplacian::new() }
    }
}

impl<T: Real, const D: usize, const R: usize> Formula<T> for Heat<T, D, R> {
    /// On a line all there is.
    const SHAPE: Shape = if D == 1 { Shape::Box } else { Shape::Star };
    const DIMENSIONS: usize = D;
    const RADIUS: usize = R;
    const WRITTEN_OUT: bool = true;

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        let excess = self.laplacian.excess(simd, 0, near);
        T::plus(simd, near.at(0, [0; 3]), weighed::<T, S>(simd, self.coefficient, excess))
    }
}

/// The star Laplacian of radius `R` in `D` dimensions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Laplacian<T, const D: usize, const R: usize> {
    weights: [T; R],
    /// `d w_0`
    centre: T,
}

impl<T: Real, const D: usize, const R: usize> Laplacian<T, D, R> {
    pub(super) fn new() -> Self {
        let weights = core::array::from_fn(|k| weight(R, k + 1));
        let centre = 2.0 * D as f64 * weights.iter().sum::<f64>();
        Laplacian { weights: weights.map(T::from_f64), centre: T::from_f64(centre) }
    }

    /// `(w_1 * s_1 + w_2 * s_2 + ...) - (d w_0) * u` of a field.
    #[inline(always)]
    pub(super) fn excess<S: FloatExtra>(
        self,
        simd: S,
        field: usize,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let mut all = T::splat(simd, T::default());
        each::<R>(
            #[inline(always)]
            |index| {
                let k = index as isize + 1;
                let mut sum = around::<T, S, D>(simd, field, k, near);
                if R > 1 {
                    sum = weighed::<T, S>(simd, self.weights[index], sum);
                }
                all = if k == 1 { sum } else { T::plus(simd, all, sum) };
            },
        );
        T::minus(simd, all, weighed::<T, S>(simd, self.centre, near.at(field, [0; 3])))
    }
}

/// A heat step in `D` dimensions with the compact Laplacian.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compact<T, const D: usize> {
    coefficient: T,
    weights: [T; 3],
    centre: T,
}

impl<T: Real, const D: usize> Compact<T, D> {
    pub(super) fn new(coefficient: f64) -> Self {
        let Weights { near, centre } = compact(D);
        Compact {
            coefficient: T::from_f64(coefficient),
            weights: near.map(T::from_f64),
            centre: T::from_f64(centre),
        }
    }
}

impl<T: Real, const D: usize> Formula<T> for Compact<T, D> {
    const SHAPE: Shape = Shape::Box;
    const DIMENSIONS: usize = D;
    const RADIUS: usize = 1;
    const WRITTEN_OUT: bool = true;

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        let [face, edge, corner] = self.weights;
        let (x, y, z) = ([1, 0, 0], [0, 1, 0], [0, 0, 1]);
        let mut all = weighed::<T, S>(simd, face, around::<T, S, D>(simd, 0, 1, near));
        let mut edges = square(simd, near, [x, y], [0; 3]);
        if D == 3 {
            let (behind, beside) =
                (square(simd, near, [x, z], [0; 3]), square(simd, near, [y, z], [0; 3]));
            edges = T::plus(simd, T::plus(simd, edges, behind), beside);
        }
        all = T::plus(simd, all, weighed::<T, S>(simd, edge, edges));
        if D == 3 {
            let (below, above) =
                (square(simd, near, [x, y], [0, 0, -1]), square(simd, near, [x, y], z));
            let corners = T::plus(simd, below, above);
            all = T::plus(simd, all, weighed::<T, S>(simd, corner, corners));
        }
        let u = near.at(0, [0; 3]);
        let excess = T::minus(simd, all, weighed::<T, S>(simd, self.centre, u));
        T::plus(simd, u, weighed::<T, S>(simd, self.coefficient, excess))
    }
}

/// The sum of the neighbours `k` away on the axes, pair by pair.
#[inline(always)]
fn around<T: Real, S: FloatExtra, const D: usize>(
    simd: S,
    field: usize,
    k: isize,
    near: impl Near<T, S>,
) -> T::Register<S> {
    let mut sum = T::plus(simd, near.at(field, [-k, 0, 0]), near.at(field, [k, 0, 0]));
    if D >= 2 {
        let pair = T::plus(simd, near.at(field, [0, -k, 0]), near.at(field, [0, k, 0]));
        sum = T::plus(simd, sum, pair);
    }
    if D == 3 {
        let pair = T::plus(simd, near.at(field, [0, 0, -k]), near.at(field, [0, 0, k]));
        sum = T::plus(simd, sum, pair);
    }
    sum
}

/// The sum of the four corners of a square in the plane of two axes around a place.
#[inline(always)]
fn square<T: Real, S: FloatExtra>(
    simd: S,
    near: impl Near<T, S>,
    [a, b]: [[isize; 3]; 2],
    [x, y, z]: [isize; 3],
) -> T::Register<S> {
    let corner = |i: isize, j: isize| {
        [x + i * a[0] + j * b[0], y + i * a[1] + j * b[1], z + i * a[2] + j * b[2]]
    };
    let front = T::plus(simd, near.at(0, corner(-1, -1)), near.at(0, corner(1, -1)));
    let behind = T::plus(simd, near.at(0, corner(-1, 1)), near.at(0, corner(1, 1)));
    T::plus(simd, front, behind)
}

/// `weight * sum`.
#[inline(always)]
pub(super) fn weighed<T: Real, S: FloatExtra>(
    simd: S,
    weight: T,
    sum: T::Register<S>,
) -> T::Register<S> {
    T::times(simd, T::splat(simd, weight), sum)
}
