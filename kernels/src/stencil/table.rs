//! From an instruction set, a kind and a recipe to the code that sweeps.

use super::sweep::{Kernel, Sweep};
use super::{Error, Kind, Recipe};
use crate::isa::Isa;
use crate::vector::{Real, Visitor, Vocabulary, dispatch};
use alloc::boxed::Box;

/// Looks up the sweep, once for a plan.
pub(super) fn find<T: Real>(
    kind: Kind,
    isa: Isa,
    recipe: &Recipe,
) -> Result<Box<dyn Sweep<T>>, Error> {
    Ok(dispatch(isa, Find { kind, band: recipe.band, number: core::marker::PhantomData })?)
}

struct Find<T> {
    kind: Kind,
    band: usize,
    number: core::marker::PhantomData<T>,
}

impl<T: Real> Visitor for Find<T> {
    type Output = Box<dyn Sweep<T>>;

    // `Kernel<token, dimensions, band, rows a band looks at>`
    fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
        match (self.kind, self.band) {
            (Kind::Heat5, 1) => Box::new(Kernel::<V, 2, 1, 3>(token)),
            (Kind::Heat5, 2) => Box::new(Kernel::<V, 2, 2, 4>(token)),
            (Kind::Heat5, _) => Box::new(Kernel::<V, 2, 4, 6>(token)),
            (Kind::Heat7, 1) => Box::new(Kernel::<V, 3, 1, 3>(token)),
            (Kind::Heat7, 2) => Box::new(Kernel::<V, 3, 2, 4>(token)),
            (Kind::Heat7, _) => Box::new(Kernel::<V, 3, 4, 6>(token)),
        }
    }
}
