//! Many INT8 products of one shape in one call, each with operands of its own.

use super::{Error, Workload, reference, task};
use crate::workload::{Cache, Candidate, Check, Recipe, Task, Work, random};
use std::cell::RefCell;
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
        let mut weights = Vec::with_capacity(count);
        let parts = lhs.chunks(m * k).zip(rhs.chunks(k * n)).zip(expected.chunks_mut(m * n));
        for ((lhs, rhs), expected) in parts {
            let rows = Matrix::new(lhs, m, k).expect("m x k bytes were made");
            let columns = Matrix::new(rhs, k, n).expect("k x n bytes were made");
            reference(rows, columns, expected);
            weights.push(PackedWeights::pack(columns)?);
        }
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
        let Shape { m, n, k } = shape;
        // No overflow: one matrix has at most 2^30 elements, one product 2^38 multiply-adds.
        let largest = count * [m * k, k * n, m * n].into_iter().max().unwrap_or(0);
        if largest > Workload::MOST_ELEMENTS {
            return Err(Error::Oversized { shape, most: Workload::MOST_ELEMENTS / count });
        }
        if count * m * n * k > Workload::MOST_WORK {
            return Err(Error::Endless { shape, most: Workload::MOST_WORK / count });
        }
        Ok(())
    }

    /// Bytes a batch takes, which [passes](Batch::check).
    pub fn bytes(count: usize, Shape { m, n, k }: Shape) -> usize {
        // The weights as they were drawn and packed; the expected sums, and those of a call.
        count * (m * k + 2 * k * n + 2 * size_of::<i32>() * m * n)
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
        let work = Ours {
            batch: self,
            items: rows.iter().zip(&self.weights).map(item).collect(),
            scratch: plan.batch_scratch(team.size())?,
            plan,
            team,
        };
        let most = self.weights.len().max(chosen.recipe.split.parts());
        let threads = team.size().min(most);
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
