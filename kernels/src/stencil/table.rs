//! From an instruction set, a stencil and a recipe to the row loops.

use super::apply::Kernels;
use super::formula::{Formula, Reach};
use super::rows::Bands;
use super::taps::Heat;
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

/// The loops of a formula of radius `R` that looks at `N` rows, over `BY` rows in `BZ` slices,
/// where it looks at `WIDE`.
fn kernels<
    T: Real,
    V: Vocabulary,
    F: Formula<T>,
    const R: usize,
    const N: usize,
    const WIDE: usize,
    const BY: usize,
    const BZ: usize,
>(
    token: V,
    formula: F,
) -> Kernels<T> {
    const { assert!(WIDE <= Reach::MOST && N <= Reach::MOST) };
    Kernels {
        wide: Box::new(Bands::<V, F, R, WIDE, BY, BZ> { token, formula }),
        one: Box::new(Bands::<V, F, R, N, 1, 1> { token, formula }),
    }
}

impl<T: Real> Visitor for Find<T> {
    type Output = Kernels<T>;

    fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
        use SideBySide::*;
        let Stencil { kind, coefficient, .. } = self.stencil;
        let (plane, space) = (Heat::<T, 2, 1>::new(coefficient), Heat::<T, 3, 1>::new(coefficient));
        match (kind, self.side_by_side) {
            // A plan for a plane refuses `TwoPlanes`; the rows of a plane are its slices.
            (Kind::Heat5, One | TwoPlanes) => kernels::<T, V, _, 1, 3, 3, 1, 1>(token, plane),
            (Kind::Heat5, TwoRows) => kernels::<T, V, _, 1, 3, 4, 1, 2>(token, plane),
            (Kind::Heat7, One) => kernels::<T, V, _, 1, 5, 5, 1, 1>(token, space),
            (Kind::Heat7, TwoRows) => kernels::<T, V, _, 1, 5, 8, 2, 1>(token, space),
            (Kind::Heat7, TwoPlanes) => kernels::<T, V, _, 1, 5, 8, 1, 2>(token, space),
        }
    }
}
