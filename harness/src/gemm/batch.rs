//! Many INT8 products of one shape in one call, each with operands of its own.

use super::{Error, Products, Workload, plain, references, task};
use crate::workload::{Cache, Candidate, Check, Recipe, Task, Work, random};
use std::cell::RefCell;
use tilewise::buffer::LINE;
use tilewise::gemm::{self, Item, Lhs, PackedWeights, Plan, Scratch, Shape, Store};
use tilewise::matrix::{Stack, StackMut};
use tilewise::{Isa, Matrix, Team};
use tilewise_tuner::wisdom::Chosen;

/// Operands from a seed, and the products they must give.
#[derive(Debug)]
pub struct Batch {
    shape: Shape,
    lhs: Vec<u8>,
    weights: Vec<PackedWeights>,
    expected: Vec<i32>,
    out: RefCell<Vec<i32>>,
}

/// What packed weights take beside themselves: who counts their clones, and the allocator, which
/// aligns them to a line.
const BLOCKS: usize = 2 * LINE;

impl Batch {
    /// The most products.
    pub const MOST: usize = 1 << 20;

    /// `count` products of random bytes over their whole range.
    ///
    /// # Errors
    /// As [`Batch::check`], and [`Error::Kernel`].
    pub fn new(count: usize, shape: Shape, seed: u64) -> Result<Batch, Error> {
        Self::check(count, shape)?;
        let Shape { m, n, k } = shape;
        let lhs = random::bytes(seed, 0, count * m * k);
        let rhs: Vec<i8> =
            random::bytes(seed, 1, count * k * n).into_iter().map(u8::cast_signed).collect();
        let mut expected = vec![0; count * m * n];
        let rows = Stack::new(&lhs, count, [m, k]).expect("m x k bytes each were made");
        let columns = Stack::new(&rhs, count, [k, n]).expect("k x n bytes each were made");
        let products: Vec<_> = rows.iter().zip(columns.iter()).collect();
        references(&products, plain, &mut expected);
        let weights = columns.iter().map(PackedWeights::pack).collect::<Result<_, _>>()?;
        Ok(Batch { shape, lhs, weights, expected, out: RefCell::new(vec![0; count * m * n]) })
    }

    /// Whether a batch of so many products can be made.
    ///
    /// # Errors
    /// As [`Workload::check`] for one product, [`Error::Size`] for their number, and
    /// [`Error::Oversized`] or [`Error::Endless`] for all of them together.
    pub fn check(count: usize, shape: Shape) -> Result<(), Error> {
        if !(1..=Self::MOST).contains(&count) {
            return Err(Error::Size { name: "batch", given: count, most: Self::MOST });
        }
        Workload::check(shape)?;
        Products { count, shape }.check()
    }

    /// Bytes a batch takes, which [passes](Batch::check).
    pub fn bytes(count: usize, Shape { m, n, k }: Shape) -> usize {
        // The weights as they were drawn and packed; the expected sums, and those of a call.
        let matrices = m * k + k * n + 2 * size_of::<i32>() * m * n;
        let packed = PackedWeights::packed_bytes(k, n) + BLOCKS;
        let views = size_of::<PackedWeights>()
            + size_of::<(Matrix<'_, u8>, Matrix<'_, i8>)>()
            + size_of::<Item<'_, Store>>();
        count.saturating_mul(matrices.saturating_add(packed).saturating_add(views))
    }

    /// What is done.
    pub fn task(&self, cache: Cache) -> Task {
        let count = self.weights.len();
        let mut task = task(self.shape, cache);
        task.title = format!("{count} of {}", task.title);
        task.shape["batch"] = count.into();
        task.amount.formula = format!("{count} of {}", task.amount.formula);
        task.amount.work *= count as f64;
        task.amount.working_set *= count as f64;
        task
    }

    /// The kernel, following a recipe for one of the products.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn kernel<'a>(
        &'a self,
        name: &str,
        isa: Isa,
        chosen: &Chosen<gemm::Recipe>,
        team: &'a dyn Team,
    ) -> Result<Candidate<'a>, Error> {
        let plan = Plan::new(self.shape, isa, chosen.recipe)?;
        let Shape { m, k, .. } = self.shape;
        let rows = Stack::new(&self.lhs, self.weights.len(), [m, k]).expect("they were made");
        let item = |(rows, weights)| Item { lhs: Lhs::u8(rows, 0), weights, output: Store };
        // Members take whole products if there is one for each, else they share every one of them.
        let enough = self.weights.len() >= team.size();
        let threads = if enough { team.size() } else { plan.members(team.size()) };
        let work = Ours {
            batch: self,
            items: rows.iter().zip(&self.weights).map(item).collect(),
            scratch: Scratch::of_bytes(plan.batch_scratch_bytes_for_bytes(team.size()))?,
            plan,
            team,
        };
        Ok(Candidate::kernel(name, isa, threads, Recipe::describe(chosen), work))
    }
}

struct Ours<'a> {
    batch: &'a Batch,
    items: Vec<Item<'a, Store>>,
    plan: Plan,
    scratch: Scratch,
    team: &'a dyn Team,
}

impl Work for Ours<'_> {
    fn run(&mut self) {
        let Batch { shape: Shape { m, n, .. }, out, .. } = self.batch;
        let mut out = out.borrow_mut();
        let out = StackMut::new(&mut out, self.items.len(), [*m, *n]).expect("sums were made");
        self.plan
            .run_batch(&self.items, out, &mut self.scratch, self.team)
            .expect("operands were made for this plan");
    }

    fn check(&mut self) -> Check {
        self.batch.out.borrow_mut().fill(i32::MIN);
        self.run();
        Check::compare("three loops", &self.batch.out.borrow(), &self.batch.expected, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_a_batch_are_those_of_the_reference() {
        for (count, shape) in [(1, [1, 1, 1]), (7, [3, 5, 9]), (2, [50, 17, 4]), (40, [1, 20, 3])] {
            let shape = Shape { m: shape[0], n: shape[1], k: shape[2] };
            let Shape { m, n, k } = shape;
            let batch = Batch::new(count, shape, 3).expect("a small one");
            let weights = random::bytes(3, 1, count * k * n);
            let weights: Vec<i8> = weights.into_iter().map(u8::cast_signed).collect();
            for index in 0..count {
                let mut sums = vec![0; m * n];
                let lhs = Matrix::new(&batch.lhs[index * m * k..][..m * k], m, k).expect("rows");
                let weights = Matrix::new(&weights[index * k * n..][..k * n], k, n).expect("them");
                gemm::reference::multiply(Lhs::u8(lhs, 0), weights, &[], &mut sums);
                assert_eq!(batch.expected[index * m * n..][..m * n], sums, "{index} of {shape}");
            }
        }
    }

    /// Panels of 16 columns and steps of 4 depths are whole, however small the weights.
    #[test]
    fn small_products_take_what_their_panels_do() {
        let bytes = Batch::bytes(1 << 20, Shape { m: 1, n: 1024, k: 1 });
        assert!((22e9..26e9).contains(&(bytes as f64)), "{bytes} bytes");
    }
}
