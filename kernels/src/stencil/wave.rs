//! The acoustic wave in space, as [`Kind`](super::Kind) writes it: second order in time, in place on
//! two buffers.
//!
//! A new value takes the place of the one two steps older, so an update moves two reads and one
//! write of the field and a read of the medium; three buffers in turn would move a line more.

use super::formula::{Formula, Near, Shape};
use super::heat::{Laplacian, weighed};
use crate::vector::{FloatExtra, Real};

/// A wave step with the star Laplacian of radius `R`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wave<T, const R: usize> {
    coefficient: T,
    laplacian: Laplacian<T, 3, R>,
}

impl<T: Real, const R: usize> Wave<T, R> {
    pub(super) fn new(coefficient: f64) -> Self {
        Wave { coefficient: T::from_f64(coefficient), laplacian: Laplacian::new() }
    }
}

impl<T: Real, const R: usize> Formula<T> for Wave<T, R> {
    const SHAPE: Shape = Shape::Star;
    const DIMENSIONS: usize = 3;
    const RADIUS: usize = R;
    const WRITTEN_OUT: bool = true;
    const LEVELS: usize = 2;
    const MEDIA: usize = 1;

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        let twice = weighed::<T, S>(simd, T::from_f64(2.0), near.at(0, [0; 3]));
        let along = T::minus(simd, twice, near.before(0));
        let speed = weighed::<T, S>(simd, self.coefficient, near.medium(0));
        T::plus(simd, along, T::times(simd, speed, self.laplacian.excess(simd, 0, near)))
    }
}
