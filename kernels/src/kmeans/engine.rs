//! What a plan keeps of an instruction set: the inner loops, compiled for it and chosen once, so
//! that no call asks the CPU again what it is.

use super::assign::{self, Desk, Nearest};
use super::centres::Ready;
use super::held::{Held, Piece};
use super::kept::Moved;
use super::look::{self, Block, Look};
use super::recipe::{Form, Tile};
use super::rough::{self, Rough};
use super::update::{self, Labelled};
use super::{Error, Recipe, exact, lattice, search, table};
use crate::Isa;
use crate::points::{BLOCK, Element, Family};
use crate::vector::{Visitor, Vocabulary, dispatch, dispatch_floats};
use alloc::sync::Arc;
use core::fmt::Debug;
use core::ops::Range;
use pulp::Simd;

/// The loops over points of one type. Each works on what it is given and knows nothing of a team.
pub(super) trait Loops<T>: Send + Sync {
    /// Labels the points of `blocks`; `labels[0]` is the first one's. Gives the first point that
    /// is not finite, if there is one, and then the labels mean nothing. Of a single block gives
    /// [slacks](assign::Staged::slack) too, if there is room for them.
    fn label(
        &self,
        held: Held<'_, T>,
        ready: &Ready<'_>,
        labelled: (Range<usize>, &mut [u32]),
        desk: &mut Desk<'_, T>,
        slack: &mut [f32],
    ) -> Option<usize>;

    /// Raises the bits of the largest magnitude of each feature to those of a piece of points.
    fn raise(&self, piece: &Piece<'_, T>, largest: &mut [u64]);

    /// Moves points to the sums of the labels they have now; whether any has another.
    fn shift(
        &self,
        held: Held<'_, T>,
        labelled: &Labelled<'_>,
        space: &mut [T],
        sums: &mut [i64],
    ) -> bool;

    /// Lowers the closest distances of a block of points to those from `centre`.
    fn lower(&self, columns: &[T], centre: &[f64], closest: &mut [f64; BLOCK]);

    /// How many numbers of `f32` a register holds.
    fn lanes(&self) -> usize;

    /// Looks at a block of points while centres are chosen.
    fn look(&self, block: Block<'_, T>, look: &Look<'_>);

    /// The same roughly, of few features.
    fn rough(&self, block: Block<'_, T>, rough: &Rough<'_>);

    /// Takes a centre in that leaves what candidate `best` does, of few features.
    fn take(&self, block: Block<'_, T>, centre: &[f64], best: usize);

    /// The distances of a point to all centres, by the definition; room for as many centres as
    /// fill whole registers.
    fn distances(&self, point: &[T], ready: &Ready<'_>, out: &mut [f64]);
}

/// The loops over points of every type.
pub(super) trait Engine: Loops<f32> + Loops<f64> + Loops<u8> + Debug + Send + Sync {
    /// The greatest byte that is multiplied.
    fn levels(&self) -> u8;

    /// The tile of products of floats, where those of bytes are in vain.
    fn floats(&self) -> Tile;

    /// A bit for each of up to a block of points whose label may have changed.
    fn open(&self, moved: &Moved, labels: &[u32], until: &[f32]) -> u64;

    /// Until when points stay that have just got labels, given their slacks.
    fn until(&self, moved: &Moved, labels: &[u32], slacks: &mut [f32; BLOCK]);
}

impl dyn Engine {
    /// The loops over points of `T`.
    pub(super) fn over<T: Element>(&self) -> &(dyn Loops<T> + 'static) {
        struct Over<'a>(&'a (dyn Engine + 'static));

        impl<'a> Family for Over<'a> {
            type Of<T: 'static> = &'a (dyn Loops<T> + 'static);

            fn f32(self) -> Self::Of<f32> {
                self.0
            }

            fn f64(self) -> Self::Of<f64> {
                self.0
            }

            fn u8(self) -> Self::Of<u8> {
                self.0
            }
        }

        T::pick(Over(self))
    }
}

/// The loops for `isa` that `recipe` asks for.
pub(super) fn engine(isa: Isa, recipe: Recipe) -> Result<Arc<dyn Engine>, Error> {
    struct Choose<const BYTES: bool>(Isa, Recipe);

    impl<const BYTES: bool> Visitor for Choose<BYTES> {
        type Output = Result<Arc<dyn Engine>, Error>;

        fn visit<V: Vocabulary>(self, token: V) -> Self::Output {
            let Choose(isa, Recipe { form, tile, .. }) = self;
            let nearest = table::nearest::<V, BYTES>(form, tile);
            let nearest = nearest.ok_or(Error::Tile { form, tile, isa })?;
            Ok(Arc::new(On { token, form, nearest }))
        }
    }

    match recipe.form {
        Form::Bytes => dispatch(isa, Choose::<true>(isa, recipe))?,
        _ => dispatch_floats(isa, Choose::<false>(isa, recipe))?,
    }
}

/// The loops compiled for a token.
#[derive(Debug)]
struct On<V> {
    token: V,
    form: Form,
    nearest: Nearest<V>,
}

impl<V: Vocabulary> Engine for On<V> {
    fn levels(&self) -> u8 {
        lattice::levels::<V>()
    }

    fn floats(&self) -> Tile {
        table::tiles(Form::Tile, V::ISA)[0]
    }

    fn open(&self, moved: &Moved, labels: &[u32], until: &[f32]) -> u64 {
        self.token.run(
            #[inline(always)]
            || moved.open(self.token.floats(), labels, until),
        )
    }

    fn until(&self, moved: &Moved, labels: &[u32], slacks: &mut [f32; BLOCK]) {
        self.token.run(
            #[inline(always)]
            || moved.until(labels, slacks),
        );
    }
}

impl<V: Vocabulary, T: Element> Loops<T> for On<V> {
    fn label(
        &self,
        held: Held<'_, T>,
        ready: &Ready<'_>,
        labelled: (Range<usize>, &mut [u32]),
        desk: &mut Desk<'_, T>,
        slack: &mut [f32],
    ) -> Option<usize> {
        self.token.run(
            #[inline(always)]
            || {
                let how = (self.token, self.form, self.nearest);
                assign::label(how, held, ready, labelled, (desk, slack))
            },
        )
    }

    fn raise(&self, piece: &Piece<'_, T>, largest: &mut [u64]) {
        self.token.run(
            #[inline(always)]
            || piece.raise(largest),
        );
    }

    fn shift(
        &self,
        held: Held<'_, T>,
        labelled: &Labelled<'_>,
        space: &mut [T],
        sums: &mut [i64],
    ) -> bool {
        self.token.run(
            #[inline(always)]
            || update::shift(self.token.floats(), held, labelled, space, sums),
        )
    }

    fn lower(&self, columns: &[T], centre: &[f64], closest: &mut [f64; BLOCK]) {
        self.token.run(
            #[inline(always)]
            || search::lower(columns, centre, closest),
        );
    }

    fn lanes(&self) -> usize {
        <V::Floats as Simd>::F32_LANES
    }

    fn look(&self, block: Block<'_, T>, look: &Look<'_>) {
        self.token.run(
            #[inline(always)]
            || look::look(self.token.floats(), block, look),
        );
    }

    fn rough(&self, block: Block<'_, T>, rough: &Rough<'_>) {
        self.token.run(
            #[inline(always)]
            || rough::rough(self.token.floats(), block, rough),
        );
    }

    fn take(&self, block: Block<'_, T>, centre: &[f64], best: usize) {
        self.token.run(
            #[inline(always)]
            || look::take(self.token.floats(), block, centre, best),
        );
    }

    fn distances(&self, point: &[T], ready: &Ready<'_>, out: &mut [f64]) {
        self.token.run(
            #[inline(always)]
            || exact::distances(self.token.floats(), point, ready, out),
        );
    }
}
