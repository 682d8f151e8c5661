//! What a plan keeps of an instruction set: the inner loops, compiled for it and chosen once, so
//! that no call asks the CPU again what it is.

use super::assign::{Desk, Label};
use super::centres::Ready;
use super::source::Source;
use super::{Error, Recipe, seed, table};
use crate::Isa;
use crate::points::Points;
use crate::vector::{Visitor, Vocabulary, dispatch};
use alloc::sync::Arc;
use core::fmt::Debug;
use core::ops::Range;

/// The loops over points. Each works on what it is given and knows nothing of a team.
pub(super) trait Engine: Debug + Send + Sync {
    /// The instruction set it is compiled for.
    fn isa(&self) -> Isa;

    /// Labels the points of `blocks`; `labels[0]` is the first one's. Gives the first point that
    /// is not finite, if there is one, and then the labels mean nothing.
    fn label(
        &self,
        source: Source<'_>,
        ready: &Ready<'_>,
        blocks: Range<usize>,
        labels: &mut [u32],
        desk: &mut Desk<'_>,
    ) -> Option<usize>;

    /// Lowers the closest distances of the points of `blocks` to those from `centre`.
    fn lower(&self, points: &Points, blocks: Range<usize>, centre: &[f32], closest: &mut [f64]);

    /// The sums over each of `blocks` of the distances to the nearest centre, had `candidate`
    /// become one.
    fn potentials(
        &self,
        points: &Points,
        blocks: Range<usize>,
        candidate: &[f32],
        closest: &[f64],
        out: &mut [f64],
    );
}

/// The loops for `isa` that `recipe` asks for.
pub(super) fn engine(isa: Isa, recipe: Recipe) -> Result<Arc<dyn Engine>, Error> {
    struct Choose(Recipe);

    impl Visitor for Choose {
        type Output = Result<Arc<dyn Engine>, Error>;

        fn visit<T: Vocabulary>(self, token: T) -> Self::Output {
            let Recipe { form, tile, .. } = self.0;
            let label =
                table::label::<T>(form, tile).ok_or(Error::Tile { form, tile, isa: T::ISA })?;
            Ok(Arc::new(On { token, label }))
        }
    }

    dispatch(isa, Choose(recipe))?
}

/// The loops compiled for a token.
#[derive(Debug)]
struct On<T> {
    token: T,
    label: Label<T>,
}

impl<T: Vocabulary> Engine for On<T> {
    fn isa(&self) -> Isa {
        T::ISA
    }

    fn label(
        &self,
        source: Source<'_>,
        ready: &Ready<'_>,
        blocks: Range<usize>,
        labels: &mut [u32],
        desk: &mut Desk<'_>,
    ) -> Option<usize> {
        (self.label)(self.token, source, ready, blocks, labels, desk)
    }

    fn lower(&self, points: &Points, blocks: Range<usize>, centre: &[f32], closest: &mut [f64]) {
        self.token.run(
            #[inline(always)]
            || seed::lower(points, blocks, centre, closest),
        );
    }

    fn potentials(
        &self,
        points: &Points,
        blocks: Range<usize>,
        candidate: &[f32],
        closest: &[f64],
        out: &mut [f64],
    ) {
        self.token.run(
            #[inline(always)]
            || seed::potentials(points, blocks, candidate, closest, out),
        );
    }
}
