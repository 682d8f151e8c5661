//! A formula whose result is multiplied by a coefficient that differs from point to point.

use super::formula::{Formula, Near, Shape};
use crate::vector::{FloatExtra, Real};

/// A point and what another formula makes of it times the medium there: `u' = u + m * f(u)`, so
/// that the coefficient of a step differs from point to point. With a Laplacian that is
/// `m div(grad u)`, of which heat is lost and made where `m` changes; for `div(m grad u)` weights are
/// media, as in the example of [`Formula::MEDIA`].
///
/// ```
/// use tilewise::stencil::{self, Boundary, Extent, Grid, PairedStar, Varied};
/// // Heat along a rod whose right half conducts nothing.
/// let laplacian = PairedStar { centre: -2.0, arms: [[1.0]] };
/// let mut grid = Grid::from_fn(Extent::line(8), |[x, _, _]| x as f64 * x as f64)?;
/// grid.set_media(&[0.25, 0.25, 0.25, 0.25, 0.0, 0.0, 0.0, 0.0])?;
/// stencil::run(Varied(laplacian), [Boundary::Fixed; 3], &mut grid, 1)?;
/// assert_eq!(grid.row(0, 0), [0.0, 1.5, 4.5, 9.5, 16.0, 25.0, 36.0, 49.0]);
/// # Ok::<(), stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Varied<F>(
    /// What is multiplied.
    pub F,
);

impl<T: Real, F: Formula<T>> Formula<T> for Varied<F> {
    const NAME: &'static str = "a varied stencil";
    const SHAPE: Shape = F::SHAPE;
    const DIMENSIONS: usize = F::DIMENSIONS;
    const RADIUS: usize = F::RADIUS;
    const WRITTEN_OUT: bool = F::WRITTEN_OUT;
    const FIELDS: usize = F::FIELDS;
    const LEVELS: usize = F::LEVELS;
    /// Its own comes after those of the formula it varies.
    const MEDIA: usize = F::MEDIA + 1;

    fn is_finite(&self) -> bool {
        self.0.is_finite()
    }

    #[inline(always)]
    fn update<S: FloatExtra>(
        &self,
        simd: S,
        field: usize,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let change = T::times(simd, near.medium(F::MEDIA), self.0.update(simd, field, near));
        T::plus(simd, near.at(field, [0; 3]), change)
    }
}
