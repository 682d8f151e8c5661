//! One call of a plan: what each member of the team does, in the vocabulary that suits it.

use super::drive::{Columns, Multiply, Panels, Part, Room, Rows};
use super::epilogue::{Sink, Write, WriteTransposed};
use super::lhs::{ByteRows, Lhs, Meaning, Values};
use super::pack::Weights;
use super::quantise::{Quantised, lines_of_row, quantise};
use super::table::MAX_ROWS;
use super::tile::makes;
use super::words::{ByteProduct, HALVES, Widened};
use super::zeros::LessZeros;
use super::{Line, Output, PackedWeights, Plan, Shape, Split};
use crate::isa::{MissingIsa, Token};
use crate::matrix::Disjoint;
use crate::product::{AsTheyAre, AsWords, Bytes, Words};
use crate::team::{Member, Team, share};
use crate::vector::{Choice, GROUP, Operands, PANEL, Step, Visitor, Vocabulary, WordDot, dispatch};
use core::ops::Range;

/// One call of [`Plan::run`], once everything is checked: all but what becomes of the sums.
pub(super) struct Call<'a> {
    pub(super) plan: &'a Plan,
    pub(super) lhs: Lhs<'a>,
    pub(super) weights: Weights<'a>,
    pub(super) split: Split,
    pub(super) members: usize,
    pub(super) quantised: Disjoint<'a, Line>,
    pub(super) scratch: Disjoint<'a, Line>,
}

impl<'a> Call<'a> {
    /// A call whose operands were checked, with all its scratch.
    pub(super) fn new(
        plan: &'a Plan,
        lhs: Lhs<'a>,
        weights: &'a PackedWeights,
        lines: &'a mut [Line],
    ) -> Self {
        let each = plan.lines().all();
        let (shared, lines) = lines.split_at_mut(plan.shared_lines(lhs.is_floats()));
        let split = plan.recipe.split.within(Shape { m: lhs.rows(), ..plan.shape });
        Call {
            plan,
            lhs,
            weights: weights.view(),
            split,
            members: (lines.len() / each.max(1)).min(split.parts()),
            quantised: Disjoint::new(shared),
            scratch: Disjoint::new(lines),
        }
    }

    /// Multiplies and writes row by row, or column by column.
    pub(super) fn run_to<T: Token, O: Output, const TRANSPOSED: bool>(
        &self,
        write: Write<'_, T, i32, O>,
        team: &dyn Team,
    ) -> Result<(), MissingIsa> {
        if TRANSPOSED { self.run(&WriteTransposed(write), team) } else { self.run(&write, team) }
    }

    /// Multiplies on the instruction set of the plan. Generic over nothing, so that all loops and
    /// tiles behind it are compiled with this crate: with them in everybody's `Plan::run`, a program
    /// with three outputs took 17 s to compile instead of 0.8.
    #[inline(never)]
    pub(super) fn run(&self, sink: &dyn Sink<i32>, team: &dyn Team) -> Result<(), MissingIsa> {
        dispatch(self.plan.isa, OnTeam { call: self, sink, team })
    }

    /// Multiplies on a token. Without columns there is nothing to write, and no room for rows of
    /// floats.
    pub(super) fn run_on<T: Vocabulary>(&self, token: T, sink: &dyn Sink<i32>, team: &dyn Team) {
        if self.weights.n() > 0 {
            team.run(&|member| self.member(token, member, sink));
        }
    }
}

/// A call and who runs it.
struct OnTeam<'a> {
    call: &'a Call<'a>,
    sink: &'a dyn Sink<i32>,
    team: &'a dyn Team,
}

impl Visitor for OnTeam<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.call.run_on(token, self.sink, self.team);
    }
}

impl<'a> Call<'a> {
    /// The parts of one member, once the left operand is bytes. Floats are made bytes once and
    /// shared: with two members that each did all rows for themselves, 128 x 768 x 768 took 1.16
    /// of the time of its sums instead of 1.10.
    fn member<T: Vocabulary>(&self, token: T, member: Member<'_>, sink: &dyn Sink<i32>) {
        let (lhs, meaning) = match self.lhs.values {
            Values::Bytes(rows, zeros) => (rows, Meaning::Given(zeros, self.lhs.scales)),
            Values::F32(values) => {
                let share = member.share(values.rows());
                let lines = self.lines_to_quantise(share.clone());
                let sums = self.weights.zero_points().is_some();
                quantise(token, values, (self.lhs.scales, sums), share.start, lines);
                member.barrier();
                let quantised = self.quantised();
                (quantised.bytes(&self.lhs), Meaning::Found(quantised))
            }
        };
        self.parts(token, member, Task { call: self, lhs, meaning, sink });
    }

    /// The parts of one member, one after the other.
    fn parts<T: Vocabulary>(&self, token: T, member: Member<'_>, task: Task<'_>) {
        let split = self.split;
        let members = self.members.min(member.count());
        if member.index() >= members {
            return;
        }
        let room = self.room(member.index());
        for index in member.share_among(members, split.parts()) {
            let (row, column) = (index / split.columns, index % split.columns);
            let rows = share(self.lhs.rows(), split.rows, row);
            let panels = share(self.weights.n().div_ceil(PANEL), split.columns, column);
            for panels in self.alike::<T>(panels) {
                let operands = Operands::new(rows.len(), self.weights.pairs_fit(panels.start));
                let part = Part { rows: rows.clone(), panels };
                token.choose(operands, Piece { task, part, room: &mut *room });
            }
        }
    }

    /// Cuts panels into runs that are multiplied alike. Not depths: of a language model's weights as
    /// they come (MiniLM, 8 bits, a scale a column) 37 % of all steps hold a pair that saturates, no
    /// panel is without, and every 2.6 steps another kind begins: a loop left so often for the other
    /// should wait longer than the shorter one saves (reckoned, not built). [`Fit::Pairs`](super::Fit::Pairs)
    /// makes weights that all fit.
    fn alike<T: Vocabulary>(&self, mut panels: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        core::iter::from_fn(move || {
            let fit = |&panel: &usize| self.weights.pairs_fit(panel);
            let first = panels.clone().next()?;
            let like_first = |panel: &usize| !T::CHOOSES || fit(panel) == fit(&first);
            panels.start += panels.clone().take_while(like_first).count();
            Some(first..panels.start)
        })
    }

    fn panels(&self) -> Panels<'a, Step> {
        Panels { data: self.weights.steps(), steps: self.weights.k().div_ceil(GROUP) }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn lines_to_quantise(&self, rows: Range<usize>) -> &mut [Line] {
        let width = lines_of_row(self.plan.shape.k);
        // SAFETY: each member asks once, for its share of the rows, before the barrier.
        unsafe { self.quantised.part(rows.start * width..rows.end * width) }
    }

    #[allow(unsafe_code, reason = "disjoint output views")]
    fn quantised(&self) -> Quantised<'_> {
        let lines = self.lhs.rows() * lines_of_row(self.plan.shape.k);
        // SAFETY: asked for after the barrier, when nobody writes any more.
        Quantised::new(unsafe { self.quantised.read(0..lines) }, self.plan.shape.k)
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn room(&self, member: usize) -> &mut [Line] {
        let each = self.plan.lines().all();
        // SAFETY: each member asks once, for its own lines.
        unsafe { self.scratch.part(member * each..(member + 1) * each) }
    }
}

/// What all pieces of a call have in common.
#[derive(Clone, Copy)]
struct Task<'a> {
    call: &'a Call<'a>,
    lhs: ByteRows<'a>,
    meaning: Meaning<'a>,
    sink: &'a dyn Sink<i32>,
}

/// Rows and panels that are all multiplied alike, and one member's lines of scratch.
struct Piece<'a> {
    task: Task<'a>,
    part: Part,
    room: &'a mut [Line],
}

impl Choice for Piece<'_> {
    type Output = ();

    fn bytes<T: Vocabulary>(self, token: T) {
        let Task { call, lhs, .. } = self.task;
        self.multiply(Bytes(token, AsTheyAre), &lhs, call.panels(), 1);
    }

    fn words<T: Vocabulary + WordDot>(self, token: T) {
        let Task { call, lhs, .. } = self.task;
        self.multiply(Words(token), &Widened(&lhs), Widened(call.panels()), HALVES);
    }

    fn word_rows<T: Vocabulary + WordDot>(self, token: T) {
        let Task { call, lhs, .. } = self.task;
        self.multiply(Bytes(token, AsWords), &Widened(&lhs), call.panels(), 1);
    }
}

impl Piece<'_> {
    /// `halves` are the product's steps in one of the packed weights.
    fn multiply<P: ByteProduct>(
        self,
        product: P,
        lhs: &impl Rows<P>,
        rhs: impl Columns<P>,
        halves: usize,
    ) {
        let Task { call, meaning, sink, .. } = self.task;
        let lines = call.plan.lines();
        let (sums, room) = self.room.split_at_mut(lines.sums);
        let (row_sums, room) = room.split_at_mut(lines.row_sums);
        let (groups, steps) = room.split_at_mut(lines.groups);
        let (groups, steps) =
            (bytemuck::cast_slice_mut(groups), bytemuck::cast_slice_mut(&mut steps[..]));
        let mut cuts = call.plan.cuts;
        cuts.steps *= halves;
        cuts.tile.rows = cuts.tile.rows.min(P::MOST_ROWS);
        // What no tile can make is left to the sink from the beginning.
        let places = sink.places().filter(|(_, layer)| {
            call.weights.zero_points().is_none() && (layer.is_none() || makes::<P>(MAX_ROWS))
        });
        let mut epilogue = LessZeros {
            sink,
            places,
            weights: call.weights,
            meaning,
            row_sums: row_sums.as_flattened_mut(),
            first_row: 0,
            zeros: [0; MAX_ROWS],
            scales: [0.0; MAX_ROWS],
        };
        let room = Room { groups, sums, steps };
        Multiply { product, lhs, rhs, cuts }.run(self.part, room, &mut epilogue);
    }
}
