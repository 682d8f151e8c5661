//! From an instruction set, a kind and a recipe to the code that sweeps.

use super::sweep::{Kernel, Sweep};
use super::{Error, Kind, Recipe, SideBySide};
use crate::isa::Isa;
use crate::vector::{Real, Visitor, Vocabulary, dispatch};
use alloc::boxed::Box;

/// Looks up the sweep, once for a plan.
pub(super) fn find<T: Real>(
    kind: Kind,
    isa: Isa,
    recipe: &Recipe,
) -> Result<Box<dyn Sweep<T>>, Error> {
    Ok(dispatch(
        isa,
        Find { kind, side_by_side: recipe.side_by_side, number: core::marker::PhantomData },
    )?)
}

struct Find<T> {
    kind: Kind,
    side_by_side: SideBySide,
    number: core::marker::PhantomData<T>,
}

impl<T: Real> Visitor for Find<T> {
    type Output = Box<dyn Sweep<T>>;

    fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
        use SideBySide::*;
        match (self.kind, self.side_by_side) {
            // A plan for a plane refuses `TwoPlanes`.
            (Kind::Heat5, One | TwoPlanes) => Box::new(Kernel::<V, 2, false, 1, 3>(token)),
            (Kind::Heat5, TwoRows) => Box::new(Kernel::<V, 2, false, 2, 4>(token)),
            (Kind::Heat7, One) => Box::new(Kernel::<V, 3, false, 1, 3>(token)),
            (Kind::Heat7, TwoRows) => Box::new(Kernel::<V, 3, false, 2, 4>(token)),
            (Kind::Heat7, TwoPlanes) => Box::new(Kernel::<V, 3, true, 2, 4>(token)),
        }
    }
}
