//! Plain heat equation: one time step from one field into another.
//!
//! Fields are dense arrays with their fixed rim, x adjacent in memory, then y, then z. The formula
//! and the order of its operations are those of [`tilewise::stencil::reference`], so results agree
//! to the last bit.

use super::abi::{Pairs, PairsFn, Sweep, SweepFn, Table};
use super::{Baseline, Error};
use serde::Serialize;
use std::fmt;
use std::sync::LazyLock;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{Extent, Kind, Stencil};
use tilewise::vector::Real;

/// Which loop runs outside which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Order {
    /// z, y, x.
    #[serde(rename = "whole rows and planes")]
    Whole,
    /// Cut into strips (of columns in two dimensions, of rows in three) so that what is read
    /// three times stays in the second-level cache; inside a strip z, y, x.
    #[serde(rename = "strips that fit the cache")]
    Strips,
}

impl Order {
    /// Every order there is.
    pub const ALL: [Order; 2] = [Order::Whole, Order::Strips];

    /// How reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Order::Whole => "whole rows and planes",
            Order::Strips => "strips that fit the cache",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Both fields of a time step.
#[derive(Debug)]
pub struct Fields<'a, T> {
    /// Before, with the rim.
    pub from: &'a [T],
    /// After; the rim is left as it is.
    pub to: &'a mut [T],
    /// Their points along each axis, the rim among them.
    pub extent: Extent,
}

/// The floats there is plain code for: f32 and f64.
pub trait Float: Real + sealed::Functions {}

impl Float for f32 {}
impl Float for f64 {}

mod sealed {
    use super::{PairsFn, SweepFn, Table};

    /// Finds the functions of a float type in a table, [`super::Order::ALL`] each.
    pub trait Functions: Sized {
        fn heat5(table: &Table) -> [SweepFn<Self>; 2];
        fn heat7(table: &Table) -> [SweepFn<Self>; 2];
        fn heat5_pairs(table: &Table) -> PairsFn<Self>;
        fn heat7_pairs(table: &Table) -> PairsFn<Self>;
    }

    impl Functions for f32 {
        fn heat5(table: &Table) -> [SweepFn<f32>; 2] {
            table.heat5_f32
        }
        fn heat7(table: &Table) -> [SweepFn<f32>; 2] {
            table.heat7_f32
        }
        fn heat5_pairs(table: &Table) -> PairsFn<f32> {
            table.heat5_pairs_f32
        }
        fn heat7_pairs(table: &Table) -> PairsFn<f32> {
            table.heat7_pairs_f32
        }
    }

    impl Functions for f64 {
        fn heat5(table: &Table) -> [SweepFn<f64>; 2] {
            table.heat5_f64
        }
        fn heat7(table: &Table) -> [SweepFn<f64>; 2] {
            table.heat7_f64
        }
        fn heat5_pairs(table: &Table) -> PairsFn<f64> {
            table.heat5_pairs_f64
        }
        fn heat7_pairs(table: &Table) -> PairsFn<f64> {
            table.heat7_pairs_f64
        }
    }
}

impl Baseline {
    /// Makes one time step. The coefficient is rounded once to the numbers of the fields.
    ///
    /// # Errors
    /// [`Error`] when a field does not have the extent, when a plane's stencil meets an extent
    /// with several planes, or when there is no plain code for the kind.
    pub fn step<T: Float>(
        self,
        stencil: Stencil,
        order: Order,
        fields: Fields<'_, T>,
    ) -> Result<(), Error> {
        let Fields { from, to, extent } = fields;
        let Extent { x, y, z } = extent;
        let points = extent.points().unwrap_or(usize::MAX);
        Error::check_length("the field before", from.len(), points)?;
        Error::check_length("the field after", to.len(), points)?;
        let functions = match stencil.kind {
            Kind::Heat5 => {
                Error::check_length("the extent along z", z, 1)?;
                T::heat5(self.0.table())
            }
            Kind::Heat7 => T::heat7(self.0.table()),
            other => return Err(Error::NoPlainCode { kind: other.name() }),
        };
        let sweep = Sweep {
            from: from.into(),
            to: to.into(),
            extent: [x, y, z],
            coefficient: T::from_f64(stencil.coefficient),
            strip: strip(extent, size_of::<T>()),
        };
        match order {
            Order::Whole => functions[0](sweep),
            Order::Strips => functions[1](sweep),
        }
        Ok(())
    }
}

/// An array of structures: both values of a point side by side, and which of them is the one
/// before.
#[derive(Debug)]
pub struct Structures<'a, T> {
    /// Two values a point, with the rim, which is the same in both.
    pub points: &'a mut [T],
    /// 0 or 1.
    pub from: usize,
    /// Points along each axis, the rim among them.
    pub extent: Extent,
}

impl Baseline {
    /// Makes one time step in an array of structures, whole rows and planes after each other.
    ///
    /// # Errors
    /// As [`Baseline::step`].
    pub fn step_structures<T: Float>(
        self,
        stencil: Stencil,
        structures: Structures<'_, T>,
    ) -> Result<(), Error> {
        let Structures { points, from, extent } = structures;
        let Extent { x, y, z } = extent;
        let values = extent.points().and_then(|points| points.checked_mul(2));
        Error::check_length("the array of structures", points.len(), values.unwrap_or(usize::MAX))?;
        let function = match stencil.kind {
            Kind::Heat5 => {
                Error::check_length("the extent along z", z, 1)?;
                T::heat5_pairs(self.0.table())
            }
            Kind::Heat7 => T::heat7_pairs(self.0.table()),
            other => return Err(Error::NoPlainCode { kind: other.name() }),
        };
        let coefficient = T::from_f64(stencil.coefficient);
        function(Pairs { points: points.into(), extent: [x, y, z], coefficient, from: from & 1 });
        Ok(())
    }
}

/// Asked once: the CPU takes tens of microseconds to answer under a hypervisor, and a strip is
/// chosen inside the clock.
static CACHES: LazyLock<CacheSizes> = LazyLock::new(CacheSizes::detect);

/// How wide a strip may be for three of its rows (or planes) and the one written to fill half of
/// the second-level cache.
fn strip(extent: Extent, bytes: usize) -> usize {
    let Extent { x, y, z } = extent;
    let room = CACHES.l2 / 2 / (4 * bytes);
    if z == 1 { room.clamp(1, x.max(1)) } else { (room / x.max(1)).clamp(1, y.max(1)) }
}
