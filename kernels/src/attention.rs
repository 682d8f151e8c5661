//! Attention: for every token, a mean of the values of its sequence's tokens, weighted by how well
//! their keys go with its query.
//!
//! Sequences lie behind each other without padding, so that none costs more than its own tokens,
//! and no mask is needed. Each head of each sequence is a piece of work of its own:
//!
//! ```text
//! keys, d by s, and values, s by d, are packed as the panels of a product
//! for queries, ROWS at a time
//!   scores   ROWS by s    queries * keys, by the driver and tiles of matrix products
//!   softmax               not yet divided by the sums of rows
//!   out      ROWS by d    scores * values / sums
//! ```
//!
//! The scores of a block never leave the second-level cache. The two products are of floats
//! (`attention/floats.rs`) or of bytes (`attention/bytes.rs`). A sequence's bits depend on itself
//! alone: not on its neighbours, nor on the team.

mod bytes;
mod floats;
mod head;

use crate::buffer::Buffer;
use crate::gemm::drive::{Cuts, Epilogue, Multiply, Panels, Part, Room, Rows};
use crate::gemm::{Tile, tiles};
use crate::isa::{Isa, MissingIsa, Token};
use crate::matrix::{Disjoint, Matrix, MatrixMut};
use crate::product::Product;
use crate::rows::Error;
use crate::team::{Member, Team};
use crate::vector::{PANEL, Visitor, Vocabulary, dispatch, dispatch_floats};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use head::{Head, Which};

/// Queries in a block: 48 rows of 384 scores are 72 KiB.
const ROWS: usize = 48;

/// Rows and columns of a square that is turned in registers.
const SIDE: usize = 8;

/// A line of scratch.
type Line = [f32; PANEL];

/// How many heads there are, and how wide each is.
///
/// ```
/// use tilewise::{Isa, Matrix, MatrixMut, Solo, attention::Attention};
/// let attention = Attention::new(1, 2, Isa::best())?;
/// let mut scratch = attention.scratch(2, 1)?;
/// // Two sequences of one token: each gets its own value.
/// let (qkv, mut out) = ([1., 1., 1., 1., 5., 6., 2., 2., 2., 2., 7., 8.], [0.0; 4]);
/// let (qkv, rows) = (Matrix::new(&qkv, 2, 6)?, MatrixMut::new(&mut out, 2, 2)?);
/// attention.run(qkv, &[0, 1, 2], rows, &mut scratch, &Solo)?;
/// assert_eq!(out, [5.0, 6.0, 7.0, 8.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    heads: usize,
    width: usize,
    isa: Isa,
    form: Form,
}

/// What the products of attention multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Floats,
    Bytes,
}

/// Room for a call: what [`Attention::scratch`] gives.
#[derive(Clone, Debug)]
pub struct Scratch {
    lines: Buffer<Line>,
    /// Lines of a member.
    each: usize,
    /// The longest sequence.
    longest: usize,
}

impl Attention {
    /// Fewest tokens of a sequence whose products are of bytes [if asked for](Attention::in_bytes).
    /// Making bytes takes more than it gains where there are fewer: 0.74, 0.87, 0.95 and 1.11 times as
    /// fast as floats with 8, 16, 24 and 32 tokens and heads of 32, 0.90, 0.99, 1.05 and 1.16 with
    /// heads of 64 (one Zen 4 core, before means were made in registers, which gave bytes more).
    pub const FEWEST_IN_BYTES: usize = 24;

    /// For `heads` heads of `width` numbers, with products of floats.
    ///
    /// # Errors
    /// [`Error::Isa`].
    pub fn new(heads: usize, width: usize, isa: Isa) -> Result<Attention, Error> {
        if !isa.is_available() {
            return Err(MissingIsa(isa).into());
        }
        Ok(Attention { heads, width, isa, form: Form::Floats })
    }

    /// The same with products of bytes: faster, and off by what bytes are off.
    ///
    /// ```text
    /// queries, keys   a scale for each token: its greatest size / 127
    /// values          a scale for each of a head's numbers: its greatest size in the sequence / 127
    /// bytes           round(number / scale), in -127..=127
    /// weights         round(255 * e^(score - greatest score of the query)), divided by their sum
    /// ```
    ///
    /// with ties rounded to even. Sums are exact and what is done to floats is rounded the same
    /// everywhere, so the bits are those of every other instruction set. A number that is NaN or
    /// infinite makes NaN of what it is part of. Sequences of fewer than
    /// [`FEWEST_IN_BYTES`](Attention::FEWEST_IN_BYTES) tokens are multiplied in floats all the same, for
    /// that is faster.
    #[must_use]
    pub fn in_bytes(self) -> Attention {
        Attention { form: Form::Bytes, ..self }
    }

    /// Scratch for sequences of up to `longest` tokens on a team of `threads`.
    ///
    /// # Errors
    /// [`OutOfMemory`](crate::buffer::OutOfMemory).
    pub fn scratch(
        &self,
        longest: usize,
        threads: usize,
    ) -> Result<Scratch, crate::buffer::OutOfMemory> {
        let each = self.lines(longest);
        let lines = Buffer::zeroed(each.saturating_mul(threads.max(1)))?;
        Ok(Scratch { lines, each, longest })
    }

    /// Lines of scratch for a head of a sequence.
    fn lines(&self, tokens: usize) -> usize {
        match self.form {
            Form::Floats => floats::Sizes::new(self, tokens).all(),
            Form::Bytes => {
                let short = floats::Sizes::new(self, tokens.min(Self::FEWEST_IN_BYTES)).all();
                bytes::Sizes::new(self, tokens).all().max(short)
            }
        }
    }

    /// Reads `qkv`, a row for each token: the queries of all heads, then their keys, then their
    /// values. Writes `out`, a row for each token with the heads side by side. `offsets` say where
    /// each sequence begins, and where the last one ends.
    ///
    /// # Errors
    /// [`Error::Length`] for shapes or offsets that do not go together, and for a sequence longer
    /// than `scratch` is for.
    pub fn run(
        &self,
        qkv: Matrix<'_, f32>,
        offsets: &[usize],
        out: MatrixMut<'_, f32>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.check(qkv, offsets, (out.rows(), out.cols()), scratch)?;
        let Scratch { lines, each, .. } = scratch;
        let members = lines.len().checked_div(*each).unwrap_or(1).max(1);
        let (stride, each) = (out.stride(), *each);
        let (out, scratch) = (out.into_disjoint(), Disjoint::new(lines));
        let next = AtomicUsize::new(0);
        let call =
            Call { attention: self, qkv, offsets, out, stride, scratch, each, members, next };
        match self.form {
            Form::Floats => dispatch_floats(self.isa, InFloats(OnTeam { call: &call, team }))?,
            Form::Bytes => dispatch_floats(self.isa, ByLength(OnTeam { call: &call, team }))??,
        }
        Ok(())
    }

    fn check(
        &self,
        qkv: Matrix<'_, f32>,
        offsets: &[usize],
        (rows, columns): (usize, usize),
        scratch: &Scratch,
    ) -> Result<(), Error> {
        let hidden = self.heads * self.width;
        Error::length("columns of queries, keys and values", qkv.cols(), 3 * hidden)?;
        Error::length("columns of the output", columns, hidden)?;
        Error::length("rows of the output", rows, qkv.rows())?;
        Error::length("as first offset", offsets.first().copied().unwrap_or(0), 0)?;
        Error::length("as last offset", offsets.last().copied().unwrap_or(0), qkv.rows())?;
        for pair in offsets.windows(2) {
            let len = pair[1].checked_sub(pair[0]).ok_or(Error::Length {
                what: "as an offset behind a greater one",
                given: pair[1],
                expected: pair[0],
            })?;
            if len > scratch.longest {
                let (given, expected) = (len, scratch.longest);
                return Err(Error::Length { what: "tokens in a sequence", given, expected });
            }
        }
        Error::length("lines of scratch", scratch.each, self.lines(scratch.longest))
    }
}

/// One checked call.
struct Call<'a> {
    attention: &'a Attention,
    qkv: Matrix<'a, f32>,
    offsets: &'a [usize],
    out: Disjoint<'a, f32>,
    stride: usize,
    scratch: Disjoint<'a, Line>,
    /// Lines of scratch of a member.
    each: usize,
    /// Members there is scratch for.
    members: usize,
    /// The next head of a sequence nobody has taken.
    next: AtomicUsize,
}

#[derive(Clone, Copy)]
struct OnTeam<'a> {
    call: &'a Call<'a>,
    team: &'a dyn Team,
}

struct InFloats<'a>(OnTeam<'a>);

impl Visitor for InFloats<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.0.run(&|head, room| floats::run(token, head, room));
    }
}

/// Short sequences in floats, the others in bytes.
struct ByLength<'a>(OnTeam<'a>);

impl Visitor for ByLength<'_> {
    type Output = Result<(), MissingIsa>;

    fn visit<T: Vocabulary>(self, token: T) -> Self::Output {
        let short: &Work<'_, '_> = &|head, room| floats::run(token, head, room);
        dispatch(self.0.call.attention.isa, InBytes { on_team: self.0, short })
    }
}

struct InBytes<'a, 's> {
    on_team: OnTeam<'a>,
    short: &'s Work<'a, 's>,
}

impl Visitor for InBytes<'_, '_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.on_team.run(&|head, room| match head.tokens.len() {
            ..Attention::FEWEST_IN_BYTES => (self.short)(head, room),
            _ => bytes::run(token, head, room),
        });
    }
}

/// What is done with a head, with some room.
type Work<'a, 's> = dyn Fn(Head<'a>, &mut [Line]) + Sync + 's;

impl<'a> OnTeam<'a> {
    fn run(self, work: &Work<'a, '_>) {
        self.team.run(&|member| self.call.member(member, work));
    }
}

impl<'a> Call<'a> {
    /// Takes heads as long as there are any: sequences are of different lengths, and who is done
    /// takes the next.
    fn member(&'a self, member: Member<'_>, work: &Work<'a, '_>) {
        if member.index() >= self.members {
            return;
        }
        let room = self.room(member.index());
        let heads = self.attention.heads;
        let all = self.offsets.len().saturating_sub(1) * heads;
        loop {
            let item = self.next.fetch_add(1, Relaxed);
            if item >= all {
                return;
            }
            let (sequence, head) = (item / heads, item % heads);
            let tokens = self.offsets[sequence]..self.offsets[sequence + 1];
            if !tokens.is_empty() && self.attention.width > 0 {
                work(Head { call: self, tokens, head }, &mut *room);
            }
        }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn room(&self, member: usize) -> &mut [Line] {
        // SAFETY: each member asks once, for its own lines.
        unsafe { self.scratch.part(member * self.each..(member + 1) * self.each) }
    }
}

/// How a block of queries is multiplied: not cut.
fn cuts(isa: Isa, most_rows: usize) -> Cuts {
    let Tile { rows, panels } = tiles(isa)[0];
    let tile = Tile { rows: rows.min(most_rows), panels };
    Cuts { tile, rows: ROWS, steps: 1, panels: 1 }
}

/// A product by the driver.
struct Whole<'a, P: Product> {
    product: P,
    /// Rows of the left operand.
    rows: usize,
    /// Panels of the right one, of so many steps each.
    panels: &'a [P::Step],
    steps: usize,
}

impl<P: Product> Whole<'_, P> {
    fn run(
        &self,
        lhs: &impl Rows<P>,
        sums: &mut [[P::Sum; PANEL]],
        epilogue: &mut impl Epilogue<P>,
    ) {
        let columns = self.panels.len() / self.steps;
        let cuts = cuts(P::Token::ISA, P::MOST_ROWS);
        // Down the columns: the only order in which this was measured.
        let panels = cuts.tile.panels;
        let cuts = Cuts { rows: self.rows, steps: self.steps, panels, ..cuts };
        let rhs = Panels { data: self.panels, steps: self.steps };
        let part = Part { rows: 0..self.rows, panels: 0..columns };
        let room = Room { groups: &mut [], sums, steps: &mut [] };
        Multiply { product: self.product, lhs, rhs, cuts }.run(part, room, epilogue);
    }
}

/// A part of the room, which begins behind it from then on.
fn take<'a>(room: &mut &'a mut [Line], lines: usize) -> &'a mut [Line] {
    room.split_off_mut(..lines).expect("as much room as was asked for")
}
