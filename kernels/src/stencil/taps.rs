//! The ready-made stencils: which neighbours they look at, and the arithmetic of one update.
//!
//! The explicit heat step `u' = u + c L(u)` with the star Laplacian of radius `R` in `d`
//! dimensions, in this order and with every operation rounded on its own (nothing is fused):
//!
//! ```text
//! s_k = (left + right) + (front + behind)                  in a plane, neighbours k points away
//! s_k = ((left + right) + (front + behind)) + (below + above)                    in space
//! u'  = u + c * ((w_1 * s_1 + w_2 * s_2 + ...) - (d w_0) * u)
//! ```
//!
//! The two neighbours on an axis are added first, so that a mirrored field has mirrored bits.
//! The weights are those of the central second difference of order `2 R` (Fornberg 1988):
//! `w_k = 2 (-1)^(k+1) R!^2 / (k^2 (R-k)! (R+k)!)` and `w_0 = 2 (w_1 + w_2 + ...)`; for `R = 1`,
//! where they are 1 and 2, the product with 1 is left out. Everything else in this folder only
//! decides when and where these operations happen.

use super::formula::{Formula, Shape};
use crate::vector::{FloatExtra, Real};
use core::fmt;
use core::str::FromStr;

/// A stencil by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Kind {
    /// Heat in two dimensions: a point and its four neighbours.
    Heat5,
    /// Heat in three dimensions: a point and its six neighbours.
    Heat7,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: [Kind; 2] = [Kind::Heat5, Kind::Heat7];

    /// The name used on the command line, in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Heat5 => "heat5",
            Kind::Heat7 => "heat7",
        }
    }

    /// Two or three.
    pub const fn dimensions(self) -> usize {
        match self {
            Kind::Heat5 => 2,
            Kind::Heat7 => 3,
        }
    }

    /// How far it looks along an axis, and so how wide a fixed rim is.
    pub const fn radius(self) -> usize {
        1
    }

    /// The largest coefficient with which no wave grows: 2 over the largest eigenvalue of the
    /// Laplacian, which is that of the wave that changes sign from point to point (von Neumann);
    /// `1 / (2 d)` for radius 1.
    pub fn stability_limit(self) -> f64 {
        let centre = (1..=self.radius()).map(|k| 2.0 * weight(self.radius(), k)).sum::<f64>();
        let sides = (1..=self.radius()).map(|k| 2.0 * weight(self.radius(), k).abs()).sum::<f64>();
        2.0 / (self.dimensions() as f64 * (centre + sides))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownKind(name.into()))
    }
}

/// A name that is no stencil of tilewise.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown stencil {0:?}; expected heat5 or heat7")]
pub struct UnknownKind(pub alloc::string::String);

/// The weight of the points `k` away in the second difference of order `2 radius`.
fn weight(radius: usize, k: usize) -> f64 {
    // R!^2 / ((R-k)! (R+k)!) as a product of k quotients.
    let ratio = (1..=k).map(|i| (radius - k + i) as f64 / (radius + i) as f64).product::<f64>();
    let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
    sign * ratio / (k * k) as f64
}

/// A heat step in `D` dimensions with the star Laplacian of radius `R`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heat<T, const D: usize, const R: usize> {
    coefficient: T,
    weights: [T; R],
    /// `d w_0`
    centre: T,
}

impl<T: Real, const D: usize, const R: usize> Heat<T, D, R> {
    pub(super) fn new(coefficient: f64) -> Self {
        let weights = core::array::from_fn(|k| weight(R, k + 1));
        let centre = 2.0 * D as f64 * weights.iter().sum::<f64>();
        Heat {
            coefficient: T::from_f64(coefficient),
            weights: weights.map(T::from_f64),
            centre: T::from_f64(centre),
        }
    }
}

impl<T: Real, const D: usize, const R: usize> Formula<T> for Heat<T, D, R> {
    const SHAPE: Shape = Shape::Star;
    const DIMENSIONS: usize = D;
    const RADIUS: usize = R;

    #[inline(always)]
    fn update<S: FloatExtra>(
        self,
        simd: S,
        near: impl Fn(isize, isize, isize) -> T::Register<S>,
    ) -> T::Register<S> {
        let mut all = T::splat(simd, T::default());
        for index in 0..R {
            let k = index as isize + 1;
            let mut sum = T::plus(simd, near(-k, 0, 0), near(k, 0, 0));
            sum = T::plus(simd, sum, T::plus(simd, near(0, -k, 0), near(0, k, 0)));
            if D == 3 {
                sum = T::plus(simd, sum, T::plus(simd, near(0, 0, -k), near(0, 0, k)));
            }
            if R > 1 {
                sum = T::times(simd, T::splat(simd, self.weights[index]), sum);
            }
            all = if k == 1 { sum } else { T::plus(simd, all, sum) };
        }
        let centre = near(0, 0, 0);
        let excess = T::minus(simd, all, T::times(simd, T::splat(simd, self.centre), centre));
        T::plus(simd, centre, T::times(simd, T::splat(simd, self.coefficient), excess))
    }
}
