//! Two substances that react and spread on a plane, as an example of fields that are stepped
//! together.

use super::formula::{Formula, Near, Shape};
use super::heat::{Laplacian, weighed};
use super::weights::finite;
use crate::vector::{FloatExtra, Real};

/// A step of the Gray-Scott reaction of the two fields of a plane, `u` and `v`.
///
/// `U + 2 V -> 3 V`, where `U` is fed and `V` taken away (Gray and Scott 1984, Chemical Engineering
/// Science 39); equations and patterns are those of Pearson (1993, Science 261), stepped by 1 in
/// time. `L` is the star Laplacian of [`Kind::Heat5`](super::Kind::Heat5), `d_u` and `d_v` are the
/// two numbers for diffusion, `f` the feed and `k` the kill; every operation is rounded on its own:
///
/// ```text
/// r  = (u * v) * v
/// u' = u + ((d_u * L(u) - r) + f * (1 - u))
/// v' = v + ((d_v * L(v) + r) - (f + k) * v)
/// ```
///
/// ```
/// use tilewise::stencil::{self, Boundary, Extent, GrayScott, Grid};
/// // A drop of the second substance in a dish of the first.
/// let mut grid = Grid::from_fields(Extent::plane(64, 64), 2, |field, [x, y, _]| {
///     let drop = x.abs_diff(32) < 4 && y.abs_diff(32) < 4;
///     if field == 0 { if drop { 0.5_f32 } else { 1.0 } } else if drop { 0.25 } else { 0.0 }
/// })?;
/// stencil::run(GrayScott::new([0.16, 0.08], 0.035, 0.06), [Boundary::Periodic; 3], &mut grid, 300)?;
/// assert!(grid.field_row(1, 32, 0).iter().any(|&v| v > 0.1));
/// # Ok::<(), tilewise::stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GrayScott<T> {
    diffusion: [T; 2],
    feed: T,
    loss: T,
    laplacian: Laplacian<T, 2, 1>,
}

impl<T: Real> GrayScott<T> {
    /// Coral-like patterns, the second substance spreading half as fast as the first.
    pub(super) fn of_kind(diffusion: f64) -> Self {
        Self::new([diffusion, diffusion / 2.0], 0.0545, 0.062)
    }

    /// From `dt * diffusivity / spacing^2` of both substances and the rates of feed and kill, for
    /// time steps of 1 (the reaction has no factor of its own). Each is rounded once to the numbers
    /// of the grid, and so is the sum of feed and kill; what is then no number to compute with is
    /// refused by the plan ([`Error::Weights`](super::Error::Weights)).
    pub fn new(diffusion: [f64; 2], feed: f64, kill: f64) -> Self {
        GrayScott {
            diffusion: diffusion.map(T::from_f64),
            feed: T::from_f64(feed),
            loss: T::from_f64(feed + kill),
            laplacian: Laplacian::new(),
        }
    }
}

impl<T: Real> Formula<T> for GrayScott<T> {
    const NAME: &'static str = "gray-scott";
    const SHAPE: Shape = Shape::Star;
    const DIMENSIONS: usize = 2;
    const RADIUS: usize = 1;
    const WRITTEN_OUT: bool = true;
    const FIELDS: usize = 2;

    fn is_finite(&self) -> bool {
        finite(&self.diffusion) && finite(&[self.feed, self.loss])
    }

    #[inline(always)]
    fn update<S: FloatExtra>(
        &self,
        simd: S,
        field: usize,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let (u, v) = (near.at(0, [0; 3]), near.at(1, [0; 3]));
        let reaction = T::times(simd, T::times(simd, u, v), v);
        let excess = self.laplacian.excess(simd, field, near);
        let spread = weighed::<T, S>(simd, self.diffusion[field], excess);
        if field == 0 {
            let lacking = T::minus(simd, T::splat(simd, T::from_f64(1.0)), u);
            let gain = T::minus(simd, spread, reaction);
            return T::plus(
                simd,
                u,
                T::plus(simd, gain, weighed::<T, S>(simd, self.feed, lacking)),
            );
        }
        let gain = T::plus(simd, spread, reaction);
        T::plus(simd, v, T::minus(simd, gain, weighed::<T, S>(simd, self.loss, v)))
    }
}
