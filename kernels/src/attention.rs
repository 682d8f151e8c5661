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
//!   softmax               in place, not yet divided by the sums of rows
//!   out      ROWS by d    scores * values / sums
//! ```
//!
//! The scores of a block never leave the second-level cache. A sequence's bits depend on itself
//! alone: not on its neighbours, nor on the team.

use crate::buffer::Buffer;
use crate::gemm::drive::{Cuts, Epilogue, Multiply, Panels, Part, Room, TileSums};
use crate::gemm::tiles;
use crate::isa::{Isa, MissingIsa};
use crate::matrix::{Disjoint, Matrix, MatrixMut};
use crate::product::Floats;
use crate::rows::{Error, softmax};
use crate::team::{Member, Team};
use crate::vector::{PANEL, Visitor, Vocabulary, dispatch_floats};
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Queries in a block: 48 rows of 384 scores are 72 KiB.
const ROWS: usize = 48;

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
}

/// Room for a call: what [`Attention::scratch`] gives.
#[derive(Clone, Debug)]
pub struct Scratch {
    steps: Buffer<[f32; PANEL]>,
    /// Steps of a member.
    each: usize,
    /// The longest sequence.
    longest: usize,
}

impl Attention {
    /// For `heads` heads of `width` numbers.
    ///
    /// # Errors
    /// [`Error::Isa`].
    pub fn new(heads: usize, width: usize, isa: Isa) -> Result<Attention, Error> {
        if !isa.is_available() {
            return Err(MissingIsa(isa).into());
        }
        Ok(Attention { heads, width, isa })
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
        let each = Sizes { attention: self, tokens: longest }.all();
        let steps = Buffer::zeroed(each.saturating_mul(threads.max(1)))?;
        Ok(Scratch { steps, each, longest })
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
        let Scratch { steps, each, .. } = scratch;
        let members = steps.len().checked_div(*each).unwrap_or(1).max(1);
        let (stride, each) = (out.stride(), *each);
        let (out, scratch) = (out.into_disjoint(), Disjoint::new(steps));
        let next = AtomicUsize::new(0);
        let call =
            Call { attention: self, qkv, offsets, out, stride, scratch, each, members, next };
        Ok(dispatch_floats(self.isa, OnTeam { call: &call, team })?)
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
        let each = Sizes { attention: self, tokens: scratch.longest }.all();
        Error::length("steps of scratch", scratch.each, each)
    }
}

/// How many steps of scratch a head of a sequence takes, part by part.
#[derive(Clone, Copy)]
struct Sizes<'a> {
    attention: &'a Attention,
    tokens: usize,
}

impl Sizes<'_> {
    fn keys(self) -> usize {
        self.tokens.div_ceil(PANEL).saturating_mul(self.attention.width)
    }

    fn values(self) -> usize {
        self.attention.width.div_ceil(PANEL).saturating_mul(self.tokens)
    }

    fn scores(self) -> usize {
        ROWS.saturating_mul(self.tokens.div_ceil(PANEL))
    }

    fn all(self) -> usize {
        let parts = [self.keys(), self.values(), self.scores(), self.sums()];
        parts.into_iter().fold(0, usize::saturating_add)
    }

    /// Those of tiles that are finished together.
    fn sums(self) -> usize {
        let tile = tiles(self.attention.isa)[0];
        Cuts { tile, rows: ROWS, steps: 1, panels: 1 }.sums(1)
    }
}

/// One checked call.
struct Call<'a> {
    attention: &'a Attention,
    qkv: Matrix<'a, f32>,
    offsets: &'a [usize],
    out: Disjoint<'a, f32>,
    stride: usize,
    scratch: Disjoint<'a, [f32; PANEL]>,
    /// Steps of scratch of a member.
    each: usize,
    /// Members there is scratch for.
    members: usize,
    /// The next head of a sequence nobody has taken.
    next: AtomicUsize,
}

struct OnTeam<'a> {
    call: &'a Call<'a>,
    team: &'a dyn Team,
}

impl Visitor for OnTeam<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.team.run(&|member| self.call.member(token, member));
    }
}

impl Call<'_> {
    /// Takes heads as long as there are any: sequences are of different lengths, and who is done
    /// takes the next.
    fn member<T: Vocabulary>(&self, token: T, member: Member<'_>) {
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
            if !tokens.is_empty() {
                self.head(token, tokens, head, &mut *room);
            }
        }
    }

    /// One head of one sequence.
    fn head<T: Vocabulary>(
        &self,
        token: T,
        tokens: Range<usize>,
        head: usize,
        room: &mut [[f32; PANEL]],
    ) {
        let (count, width) = (tokens.len(), self.attention.width);
        let sizes = Sizes { attention: self.attention, tokens: count };
        let (keys, room) = room.split_at_mut(sizes.keys());
        let (values, room) = room.split_at_mut(sizes.values());
        let (scores, room) = room.split_at_mut(sizes.scores());
        let (sums, _) = room.split_at_mut(sizes.sums());
        let part = |which: usize| (which * self.attention.heads + head) * width;
        token.run(
            #[inline(always)]
            || {
                self.pack_keys(&tokens, part(1), keys);
                self.pack_values(&tokens, part(2), values);
            },
        );
        let panels = count.div_ceil(PANEL);
        let scale = 1.0 / pulp::Simd::sqrt_f32s(pulp::Scalar::new(), width as f32);
        let queries = self.columns(&tokens, part(0));
        for first in (0..count).step_by(ROWS) {
            let rows = first..(first + ROWS).min(count);
            let product = Product { token, steps: width, columns: panels, panels: keys };
            let block = queries.slice_rows(rows.clone());
            product.run(&block, sums, &mut Scores { scores, panels });
            let mut inverses = [0.0; ROWS];
            let scores: &mut [f32] = scores.as_flattened_mut();
            token.run(
                #[inline(always)]
                || {
                    let scores = scores.chunks_exact_mut(panels * PANEL);
                    for (row, inverse) in scores.zip(&mut inverses[..rows.len()]) {
                        *inverse = 1.0 / softmax(&mut row[..count], scale);
                    }
                },
            );
            let weights = Matrix::with_stride(&*scores, rows.len(), count, panels * PANEL)
                .expect("a block of scores");
            let columns = width.div_ceil(PANEL);
            let product = Product { token, steps: count, columns, panels: values };
            let first = (tokens.start + first, part(0));
            product.run(&weights, sums, &mut Means { call: self, first, inverses: &inverses });
        }
    }

    /// Some columns of the sequence's rows.
    fn columns(&self, tokens: &Range<usize>, first: usize) -> Matrix<'_, f32> {
        let (stride, width) = (self.qkv.stride(), self.attention.width);
        let data = &self.qkv.data()[tokens.start * stride + first..];
        Matrix::with_stride(data, tokens.len(), width, stride).expect("columns of the matrix")
    }

    /// Keys, sixteen tokens side by side, a step for each of their numbers.
    #[inline(always)]
    fn pack_keys(&self, tokens: &Range<usize>, first: usize, panels: &mut [[f32; PANEL]]) {
        let width = self.attention.width;
        let mut start = tokens.start;
        for panel in panels.chunks_exact_mut(width) {
            let end = (start + PANEL).min(tokens.end);
            for (column, token) in (start..end).enumerate() {
                let key = &self.qkv.row(token)[first..first + width];
                for (step, &number) in panel.iter_mut().zip(key) {
                    step[column] = number;
                }
            }
            start = end;
        }
    }

    /// Values, a step for each token, sixteen of its numbers side by side.
    #[inline(always)]
    fn pack_values(&self, tokens: &Range<usize>, first: usize, panels: &mut [[f32; PANEL]]) {
        let width = self.attention.width;
        for (panel, steps) in panels.chunks_exact_mut(tokens.len()).enumerate() {
            let start = panel * PANEL;
            let here = PANEL.min(width - start);
            for (step, token) in steps.iter_mut().zip(tokens.clone()) {
                step[..here].copy_from_slice(&self.qkv.row(token)[first + start..][..here]);
            }
        }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn room(&self, member: usize) -> &mut [[f32; PANEL]] {
        // SAFETY: each member asks once, for its own steps.
        unsafe { self.scratch.part(member * self.each..(member + 1) * self.each) }
    }
}

/// A product of the driver's, not cut.
struct Product<'a, T> {
    token: T,
    steps: usize,
    columns: usize,
    panels: &'a [[f32; PANEL]],
}

impl<T: Vocabulary> Product<'_, T> {
    fn run(
        &self,
        lhs: &Matrix<'_, f32>,
        sums: &mut [[f32; PANEL]],
        epilogue: &mut impl Epilogue<Floats<T>>,
    ) {
        let cuts = Cuts {
            tile: tiles(T::ISA)[0],
            rows: lhs.rows(),
            steps: self.steps,
            panels: self.columns,
        };
        let rhs = Panels { data: self.panels, steps: self.steps };
        let part = Part { rows: 0..lhs.rows(), panels: 0..self.columns };
        let room = Room { groups: &mut [], sums, steps: &mut [] };
        Multiply { product: Floats(self.token), lhs, rhs, cuts }.run(part, room, epilogue);
    }
}

/// Keeps a block of scores.
struct Scores<'a> {
    scores: &'a mut [[f32; PANEL]],
    /// Panels in a row.
    panels: usize,
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Scores<'_> {
    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let start = row * self.panels + tile.panel;
            self.scores[start..][..tile.panels].copy_from_slice(sums);
        }
    }
}

/// Divides sums of weighted values by the sums of the weights, and writes them.
struct Means<'a, 'b> {
    call: &'a Call<'b>,
    /// Row and column of the output where the block begins.
    first: (usize, usize),
    inverses: &'a [f32; ROWS],
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Means<'_, '_> {
    #[inline(always)]
    #[allow(unsafe_code, reason = "disjoint output views")]
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        let width = self.call.attention.width;
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let inverse = self.inverses[row];
            for (sums, panel) in sums.iter().zip(tile.panel..) {
                let here = PANEL.min(width - panel * PANEL);
                let start = (self.first.0 + row) * self.call.stride + self.first.1 + panel * PANEL;
                // SAFETY: a head of a sequence is taken by one member, and its rows and columns
                // are no other's.
                let out = unsafe { self.call.out.part(start..start + here) };
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = sum * inverse;
                }
            }
        }
    }
}
