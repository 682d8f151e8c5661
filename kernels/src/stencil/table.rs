//! From an instruction set, a stencil and a recipe to the row loops.

use super::apply::Kernels;
use super::formula::{Formula, Reach};
use super::heat::{Compact, Heat};
use super::rows::Bands;
use super::{Error, Kind, SideBySide, Stencil};
use crate::isa::Isa;
use crate::vector::{Real, Visitor, Vocabulary, dispatch_floats};
use alloc::boxed::Box;

/// Looks up the row loops, once for a plan.
pub(super) fn find<T: Real>(
    stencil: Stencil,
    isa: Isa,
    side_by_side: SideBySide,
) -> Result<Kernels<T>, Error> {
    Ok(dispatch_floats(isa, Find { stencil, side_by_side, number: core::marker::PhantomData })?)
}

struct Find<T> {
    stencil: Stencil,
    side_by_side: SideBySide,
    number: core::marker::PhantomData<T>,
}

/// Rows that `by` rows in `bz` slices of a formula look at, whatever its numbers.
const fn rows<F: Formula<f32>>(by: usize, bz: usize) -> usize {
    let rows = Reach::of::<f32, F>(by, bz).rows();
    assert!(rows <= Reach::MOST);
    rows
}

/// The loops of a formula, `BY` rows in `BZ` slices side by side: what the compiler cannot count
/// for a type that is yet to be known, it is told.
macro_rules! kernels {
    ($self:ident, $token:ident, $formula:ident <$($size:literal),+>, $by:literal, $bz:literal) => {{
        type Sized = $formula<f32, $($size),+>;
        const R: usize = <Sized as Formula<f32>>::RADIUS;
        let formula = $formula::<T, $($size),+>::new($self.stencil.coefficient);
        Kernels {
            wide: Box::new(Bands::<V, _, R, { rows::<Sized>($by, $bz) }, $by, $bz> {
                token: $token,
                formula,
            }),
            one: Box::new(Bands::<V, _, R, { rows::<Sized>(1, 1) }, 1, 1> {
                token: $token,
                formula,
            }),
        }
    }};
}

impl<T: Real> Visitor for Find<T> {
    type Output = Kernels<T>;

    fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
        use SideBySide::*;
        // A plan refuses what `SideBySide::choices` does not have; the rows of a plane are its
        // slices.
        match (self.stencil.kind, self.side_by_side) {
            (Kind::Heat3, _) => kernels!(self, token, Heat<1, 1>, 1, 1),
            (Kind::Heat5, TwoRows) => kernels!(self, token, Heat<2, 1>, 1, 2),
            (Kind::Heat5, _) => kernels!(self, token, Heat<2, 1>, 1, 1),
            (Kind::Heat9, TwoRows) => kernels!(self, token, Compact<2>, 1, 2),
            (Kind::Heat9, _) => kernels!(self, token, Compact<2>, 1, 1),
            (Kind::Heat7, One) => kernels!(self, token, Heat<3, 1>, 1, 1),
            (Kind::Heat7, TwoRows) => kernels!(self, token, Heat<3, 1>, 2, 1),
            (Kind::Heat7, TwoPlanes) => kernels!(self, token, Heat<3, 1>, 1, 2),
            (Kind::Heat13, _) => kernels!(self, token, Heat<3, 2>, 1, 1),
            (Kind::Heat25, _) => kernels!(self, token, Heat<3, 4>, 1, 1),
            (Kind::Heat27, _) => kernels!(self, token, Compact<3>, 1, 1),
        }
    }
}
