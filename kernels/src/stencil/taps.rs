//! Which neighbours a stencil looks at, and the arithmetic of one update.
//!
//! The explicit heat step `u' = u + c (sum of neighbours - 2 d u)` in `d` dimensions, in this
//! order and with every operation rounded on its own (nothing is fused):
//!
//! ```text
//! sum = (left + right) + (front + behind)            heat5: x, then y
//! sum = ((left + right) + (front + behind)) + (below + above)   heat7: x, y, z
//! u'  = u + c * (sum - (2 d) * u)
//! ```
//!
//! The two neighbours on an axis are added first, so that a mirrored field has mirrored bits.
//! Everything else in this folder only decides when and where these operations happen.

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

    /// The largest coefficient with which no wave grows: `1 / (2 d)` (von Neumann).
    pub fn stability_limit(self) -> f64 {
        1.0 / (2 * self.dimensions()) as f64
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

/// The constants of an update, one to every lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights<S: FloatExtra, T: Real> {
    coefficient: T::Register<S>,
    twice_dimensions: T::Register<S>,
}

impl<S: FloatExtra, T: Real> Weights<S, T> {
    #[inline(always)]
    pub(super) fn new(simd: S, coefficient: T, dimensions: usize) -> Self {
        Weights {
            coefficient: T::splat(simd, coefficient),
            twice_dimensions: T::splat(simd, T::from_f64((2 * dimensions) as f64)),
        }
    }

    /// One update of a register full of points; `pairs` are the neighbours on each axis, x first.
    #[inline(always)]
    pub(super) fn update<const DIMENSIONS: usize>(
        &self,
        simd: S,
        centre: T::Register<S>,
        pairs: [[T::Register<S>; 2]; DIMENSIONS],
    ) -> T::Register<S> {
        let mut sum = T::plus(simd, pairs[0][0], pairs[0][1]);
        for axis in 1..DIMENSIONS {
            sum = T::plus(simd, sum, T::plus(simd, pairs[axis][0], pairs[axis][1]));
        }
        let excess = T::minus(simd, sum, T::times(simd, self.twice_dimensions, centre));
        T::plus(simd, centre, T::times(simd, self.coefficient, excess))
    }
}
