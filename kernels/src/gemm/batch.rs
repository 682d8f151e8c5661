//! Many products of one shape in one call.
//!
//! Each member of the team takes whole products, for then nobody waits for anybody; what is left
//! over when all have had the same number is shared as a single product is. With 16 products of
//! 128 x 64 x 128 and two members that is one wait instead of 16.

use super::call::Call;
use super::epilogue::Write;
use super::{Error, Lhs, Line, Output, PackedWeights, Plan, Scratch};
use crate::isa::MissingIsa;
use crate::matrix::{Disjoint, StackMut, Strides};
use crate::team::{Member, Solo, Team};
use crate::vector::{Visitor, Vocabulary, dispatch_floats};

/// One product of a batch: everything but where it is written.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a, O> {
    /// Its left operand.
    pub lhs: Lhs<'a>,
    /// Its right operand; several products may share one.
    pub weights: &'a PackedWeights,
    /// What is made of its sums.
    pub output: O,
}

impl Plan {
    /// Makes the products of `items`, each as [`Plan::run`] would, and writes that of the first
    /// to the first matrix of `out`, and so on.
    ///
    /// A recipe for one thread suits batches of many products, one for the whole team those of
    /// fewer products than members.
    ///
    /// ```
    /// use tilewise::{Isa, Matrix, Solo, cache::CacheSizes, matrix::{Stack, StackMut}};
    /// use tilewise::gemm::{Item, Lhs, PackedWeights, Plan, Recipe, Shape, Store};
    ///
    /// let shape = Shape { m: 1, n: 2, k: 2 };
    /// let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
    /// let plan = Plan::new(shape, Isa::best(), recipe)?;
    /// let weights = PackedWeights::pack(Matrix::new(&[1, 2, 3, 4], 2, 2)?)?;
    ///
    /// let rows = Stack::new(&[1, 0, 0, 1, 1, 1], 3, [1, 2])?;
    /// let item = |rows| Item { lhs: Lhs::u8(rows, 0), weights: &weights, output: Store };
    /// let items: Vec<_> = rows.iter().map(item).collect();
    /// let mut out = [0; 6];
    /// let stack = StackMut::new(&mut out, 3, [1, 2])?;
    /// plan.run_batch(&items, stack, &mut plan.batch_scratch(1)?, &Solo)?;
    /// assert_eq!(out, [1, 2, 3, 4, 4, 6]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`] when `out` has another number of matrices than there are items;
    /// [`Error::Item`] with what [`Plan::run`] says of the first that does not fit;
    /// [`Error::Scratch`] for scratch that is not of [`Plan::batch_scratch`], nor, where all left
    /// operands are bytes, of [`Plan::batch_scratch_bytes_for_bytes`]. Nothing is written then.
    pub fn run_batch<O: Output>(
        &self,
        items: &[Item<'_, O>],
        out: StackMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.batch::<O, false>(items, out, scratch, team)
    }

    /// As [`run_batch`](Plan::run_batch), to outputs that are stored column by column: each matrix
    /// of `out` is the transpose of its product, row `j` of it column `j`.
    ///
    /// ```
    /// # use tilewise::{Isa, Matrix, Solo, cache::CacheSizes, matrix::{Stack, StackMut}};
    /// # use tilewise::gemm::{Item, Lhs, PackedWeights, Plan, Recipe, Shape, Store};
    /// # let shape = Shape { m: 2, n: 3, k: 1 };
    /// # let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
    /// # let plan = Plan::new(shape, Isa::best(), recipe)?;
    /// // A right operand for each product, from one slice.
    /// let weights = Stack::new(&[1, 2, 3, 4, 5, 6], 2, [1, 3])?;
    /// let weights = weights.iter().map(PackedWeights::pack).collect::<Result<Vec<_>, _>>()?;
    /// let rows = Stack::new(&[1, 10, 1, 10], 2, [2, 1])?;
    /// let item = |(rows, weights)| Item { lhs: Lhs::u8(rows, 0), weights, output: Store };
    /// let items: Vec<_> = rows.iter().zip(&weights).map(item).collect();
    /// let mut out = [0; 12]; // two products of two rows and three columns, column by column
    /// let stack = StackMut::new(&mut out, 2, [3, 2])?;
    /// plan.run_batch_transposed(&items, stack, &mut plan.batch_scratch(1)?, &Solo)?;
    /// assert_eq!(out, [1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`run_batch`](Plan::run_batch); rows and columns are those of the products.
    pub fn run_batch_transposed<O: Output>(
        &self,
        items: &[Item<'_, O>],
        out: StackMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.batch::<O, true>(items, out, scratch, team)
    }

    fn batch<O: Output, const TRANSPOSED: bool>(
        &self,
        items: &[Item<'_, O>],
        out: StackMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let (given, expected) = (out.count(), items.len());
        if given != expected {
            let (what, each) = ("matrices for the outputs", "one for each item");
            return Err(Error::Length { what, given, expected, each });
        }
        let mut size = out.size();
        if TRANSPOSED {
            size.reverse();
        }
        for (index, item) in items.iter().enumerate() {
            self.check_item(item, size)
                .map_err(|error| Error::Item { index, source: error.into() })?;
        }
        let floats = items.iter().any(|item| item.lhs.is_floats());
        let each = self.shared_lines(floats).saturating_add(self.lines().all());
        scratch.check(each, || self.bytes_of_batch(1, floats))?;
        let (strides, members) = (out.strides(), scratch.lines.len() / each.max(1));
        let batch = Batch::<O, TRANSPOSED> {
            plan: self,
            items,
            strides,
            out: &out.into_disjoint(),
            members: members.min(team.size()).max(1),
            each,
            scratch,
            team,
        };
        Ok(dispatch_floats(self.isa, batch)??)
    }

    fn check_item<O: Output>(&self, item: &Item<'_, O>, out: [usize; 2]) -> Result<(), Error> {
        self.check_output(item.lhs.rows(), &item.output, out)?;
        self.check(&item.lhs, item.weights)
    }
}

/// A batch in which everything fits.
struct Batch<'a, O: Output, const TRANSPOSED: bool> {
    plan: &'a Plan,
    items: &'a [Item<'a, O>],
    strides: Strides,
    out: &'a Disjoint<'a, O::Element>,
    /// Members that take whole products.
    members: usize,
    /// Lines of scratch of each.
    each: usize,
    scratch: &'a mut Scratch,
    team: &'a dyn Team,
}

impl<O: Output, const TRANSPOSED: bool> Visitor for Batch<'_, O, TRANSPOSED> {
    type Output = Result<(), MissingIsa>;

    fn visit<T: Vocabulary>(self, token: T) -> Result<(), MissingIsa> {
        let Batch { plan, items, members, each, team, .. } = self;
        let multiply = |index: usize, lines: &mut [Line], team: &dyn Team| {
            let item = &items[index];
            let start = self.strides.start(index);
            let write =
                Write::new(token, &item.output, self.out).at(start, plan.shape.n, self.strides.row);
            Call::new(plan, item.lhs, item.weights, lines).run_to::<_, _, TRANSPOSED>(write, team)
        };
        let whole = items.len() / members * members;
        if whole > 0 {
            let scratch = Disjoint::new(&mut self.scratch.lines);
            team.run(&|member| {
                let share = member.share_among(members.min(member.count()), whole);
                if !share.is_empty() {
                    let lines = own(&scratch, member, each);
                    for index in share {
                        multiply(index, &mut *lines, &Solo).expect("as there as its floats are");
                    }
                }
            });
        }
        (whole..items.len()).try_for_each(|index| multiply(index, &mut self.scratch.lines, team))
    }
}

/// The lines of one member.
#[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
fn own<'a>(scratch: &Disjoint<'a, Line>, member: Member<'_>, each: usize) -> &'a mut [Line] {
    let start = member.index() * each;
    // SAFETY: each member asks once, for its own lines.
    unsafe { scratch.part(start..start + each) }
}
