//! From an instruction set, a stencil and a recipe to the row loops.

use super::apply::{Kernels, MOST_TARGETS};
use super::formula::{Form, Formula, Reach};
use super::heat::{Compact, Heat};
use super::react::GrayScott;
use super::rows::{Bands, Kernel};
use super::wave::Wave;
use super::{Error, Kind, SideBySide, Stencil};
use crate::isa::{Isa, MissingIsa};
use crate::vector::{Real, Visitor, Vocabulary, dispatch_floats};
use alloc::boxed::Box;
use core::any::Any;
use core::marker::PhantomData;

/// Looks up the row loops, once for a plan.
///
/// They are compiled with this crate, once for each kind of number: generic ones were compiled
/// again in every crate that makes a plan, for a minute and a half each (optimised, one Zen 3 core).
pub(super) fn find<T: Real>(
    stencil: Stencil,
    isa: Isa,
    side_by_side: SideBySide,
) -> Result<Kernels<T>, Error> {
    let found: Box<dyn Any> = match T::NAME == <f32 as Real>::NAME {
        true => Box::new(singles(stencil, isa, side_by_side)?),
        false => Box::new(doubles(stencil, isa, side_by_side)?),
    };
    Ok(*found.downcast().expect("`Real` is for `f32` and `f64` alone"))
}

#[inline(never)]
fn singles(
    stencil: Stencil,
    isa: Isa,
    side_by_side: SideBySide,
) -> Result<Kernels<f32>, MissingIsa> {
    dispatch_floats(isa, Find { stencil, side_by_side, number: PhantomData })
}

#[inline(never)]
fn doubles(
    stencil: Stencil,
    isa: Isa,
    side_by_side: SideBySide,
) -> Result<Kernels<f64>, MissingIsa> {
    dispatch_floats(isa, Find { stencil, side_by_side, number: PhantomData })
}

struct Find<T> {
    stencil: Stencil,
    side_by_side: SideBySide,
    number: PhantomData<T>,
}

/// Strips that `by` rows in `bz` slices of a formula look at, whatever its numbers.
const fn strips<F: Formula<f32>>(by: usize, bz: usize) -> usize {
    Reach::of::<f32, F>(by, bz).strips()
}

/// The loops of a formula, `BY` rows in `BZ` slices side by side: what the compiler cannot count
/// for a type that is yet to be known, it is told.
macro_rules! kernels {
    ($token:ident, $formula:ident, $sized:ty, $by:literal, $bz:literal) => {{
        const R: usize = <$sized as Formula<f32>>::RADIUS;
        const W: usize = <$sized as Formula<f32>>::FIELDS;
        Kernels {
            wide: Box::new(
                Bands::<V, _, R, { strips::<$sized>($by, $bz) }, $by, $bz, { W * $bz }> {
                    token: $token,
                    formula: $formula,
                },
            ),
            one: Box::new(Bands::<V, _, R, { strips::<$sized>(1, 1) }, 1, 1, W> {
                token: $token,
                formula: $formula,
            }),
        }
    }};
}

impl<T: Real> Visitor for Find<T> {
    type Output = Kernels<T>;

    fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
        use SideBySide::*;
        let Stencil { kind, coefficient, .. } = self.stencil;
        macro_rules! sized {
            ($formula:ident <$($size:literal),+>, $by:literal, $bz:literal) => {{
                let formula = $formula::<T, $($size),+>::new(coefficient);
                kernels!(token, formula, $formula<f32, $($size),+>, $by, $bz)
            }};
        }
        // A plan refuses what `SideBySide::choices` does not have; the rows of a plane are its
        // slices.
        match (kind, self.side_by_side) {
            (Kind::Heat3, _) => sized!(Heat<1, 1>, 1, 1),
            (Kind::Heat5, TwoRows) => sized!(Heat<2, 1>, 1, 2),
            (Kind::Heat5, _) => sized!(Heat<2, 1>, 1, 1),
            (Kind::Heat9, TwoRows) => sized!(Compact<2>, 1, 2),
            (Kind::Heat9, _) => sized!(Compact<2>, 1, 1),
            (Kind::Heat7, One) => sized!(Heat<3, 1>, 1, 1),
            (Kind::Heat7, TwoRows) => sized!(Heat<3, 1>, 2, 1),
            (Kind::Heat7, TwoPlanes) => sized!(Heat<3, 1>, 1, 2),
            (Kind::Heat13, _) => sized!(Heat<3, 2>, 1, 1),
            (Kind::Heat25, _) => sized!(Heat<3, 4>, 1, 1),
            (Kind::Heat27, _) => sized!(Compact<3>, 1, 1),
            (Kind::Wave7, _) => sized!(Wave<1>, 1, 1),
            (Kind::Wave13, _) => sized!(Wave<2>, 1, 1),
            (Kind::Wave25, _) => sized!(Wave<4>, 1, 1),
            (Kind::GrayScott, _) => {
                let formula = GrayScott::<T>::of_kind(coefficient);
                kernels!(token, formula, GrayScott<f32>, 1, 1)
            }
        }
    }
}

/// The row loops of a formula of one's own.
pub(super) fn own<T: Real, F: Formula<T>>(formula: F, isa: Isa) -> Result<Kernels<T>, Error> {
    Ok(dispatch_floats(isa, Own { formula, number: PhantomData })?)
}

struct Own<T, F> {
    formula: F,
    number: PhantomData<T>,
}

impl<T: Real, F: Formula<T>> Visitor for Own<T, F> {
    type Output = Kernels<T>;

    fn visit<V: Vocabulary>(self, token: V) -> Kernels<T> {
        const { assert!(Form::of::<T, F>().fits(), "no loops for such a formula, see `Formula`") };
        let bands = || bands(token, self.formula);
        Kernels { wide: bands(), one: bands() }
    }
}

/// The loop over single rows of a formula, with room for as many strips as it looks at or a few more:
/// with room for 64 of 7, steps from cache make 0.6 of the speed (one Zen 3 core). A box in space of
/// radius 5 takes 121 and one of radius 8 289, with what stands beside them up to 128 and 320.
fn bands<V: Vocabulary, T: Real, F: Formula<T>>(token: V, formula: F) -> Box<dyn Kernel<T>> {
    macro_rules! with_room {
        ($most:expr) => {
            Box::new(Bands::<V, F, 8, { $most }, 1, 1, MOST_TARGETS> { token, formula })
        };
    }
    // So that no more than one of them is compiled.
    if const { Reach::of::<T, F>(1, 1).strips() <= 8 } {
        with_room!(8)
    } else if const { Reach::of::<T, F>(1, 1).strips() <= 16 } {
        with_room!(16)
    } else if const { Reach::of::<T, F>(1, 1).strips() <= 32 } {
        with_room!(32)
    } else if const { Reach::of::<T, F>(1, 1).strips() <= 64 } {
        with_room!(64)
    } else if const { Reach::of::<T, F>(1, 1).strips() <= 128 } {
        with_room!(128)
    } else if const { Reach::of::<T, F>(1, 1).strips() <= 320 } {
        with_room!(320)
    } else {
        with_room!(Reach::MOST)
    }
}
