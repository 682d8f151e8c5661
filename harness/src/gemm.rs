//! The INT8 product as a workload: activations u8 times packed weights i8, sums in i32.

mod batch;

pub use batch::Batch;

use crate::baseline::{self, Baseline};
use crate::roofs::{Pattern, Quantity};
use crate::workload::{Amount, Cache, Candidate, Check, RateUnit, Recipe, Task, Work, random};
use serde_json::json;
use std::cell::RefCell;
use tilewise::gemm::{self, Lhs, PackedWeights, Plan, Scratch, Shape, Store};
use tilewise::{Isa, Matrix, MatrixMut, Team};
use tilewise_tuner::wisdom::Chosen;

/// Operands from a seed, and the product they must give.
#[derive(Debug)]
pub struct Workload {
    shape: Shape,
    lhs: Vec<u8>,
    weights: PackedWeights,
    plain: baseline::gemm::Operands,
    expected: Vec<i32>,
    out: RefCell<Vec<i32>>,
}

/// A workload that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A size that is zero or too large.
    #[error("{name} is {given}; expected 1 to {most}")]
    Size {
        /// Which.
        name: &'static str,
        /// What was given.
        given: usize,
        /// The largest that is possible.
        most: usize,
    },
    /// The sizes together need too much memory.
    #[error(
        "a product of {shape} needs more than {most} elements in one matrix; use smaller sizes"
    )]
    Oversized {
        /// The sizes.
        shape: Shape,
        /// The most elements.
        most: usize,
    },
    /// The reference, which everything is checked against, would take many minutes.
    #[error("a product of {shape} has more than {most} multiply-adds; use smaller sizes")]
    Endless {
        /// The sizes.
        shape: Shape,
        /// The most multiply-adds.
        most: usize,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] gemm::Error),
    /// The plain code refused.
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
}

impl Workload {
    /// The largest of each size.
    pub const MOST: usize = 1 << 20;
    /// The most elements of a matrix: four bytes each must stay far below usual memories.
    pub const MOST_ELEMENTS: usize = 1 << 30;

    /// The most multiply-adds, so that the reference ends within minutes.
    pub const MOST_WORK: usize = 1 << 38;

    /// Random bytes over their whole range, multiplied by the reference.
    ///
    /// # Errors
    /// As [`Workload::check`], and [`Error::Kernel`].
    pub fn new(shape: Shape, seed: u64) -> Result<Workload, Error> {
        Self::check(shape)?;
        let Shape { m, n, k } = shape;
        let lhs = random::bytes(seed, 0, m * k);
        let rhs: Vec<i8> = random::bytes(seed, 1, k * n).into_iter().map(u8::cast_signed).collect();
        let view = |data| Matrix::new(data, m, k).expect("m x k bytes were made");
        let weights = Matrix::new(&rhs, k, n).expect("k x n bytes were made");
        let mut expected = vec![0; m * n];
        reference(view(&lhs), weights, &mut expected);
        Ok(Workload {
            shape,
            weights: PackedWeights::pack(weights)?,
            plain: baseline::gemm::Operands::new(view(&lhs), weights)?,
            lhs,
            expected,
            out: RefCell::new(vec![0; m * n]),
        })
    }

    /// Whether a workload of this shape can be made.
    ///
    /// # Errors
    /// [`Error::Size`], [`Error::Oversized`], [`Error::Endless`].
    pub fn check(shape: Shape) -> Result<(), Error> {
        let Shape { m, n, k } = shape;
        for (name, given) in [("m", m), ("k", k), ("n", n)] {
            if !(1..=Self::MOST).contains(&given) {
                return Err(Error::Size { name, given, most: Self::MOST });
            }
        }
        if [m * k, k * n, m * n].into_iter().max() > Some(Self::MOST_ELEMENTS) {
            return Err(Error::Oversized { shape, most: Self::MOST_ELEMENTS });
        }
        // No overflow: the largest matrix has 2^30 elements, each size is at most 2^20.
        if m * n * k > Self::MOST_WORK {
            return Err(Error::Endless { shape, most: Self::MOST_WORK });
        }
        Ok(())
    }

    /// Bytes a workload of this shape takes, which [passes](Workload::check).
    pub fn bytes(Shape { m, n, k }: Shape) -> usize {
        // Ours and the plain code's left operand; the weights as they were drawn, packed, and in
        // the plain code's two orders; the expected sums, and those of a call.
        2 * m * k + 4 * k * n + 2 * size_of::<i32>() * m * n
    }

    /// The sizes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What is done.
    pub fn task(&self, cache: Cache) -> Task {
        task(self.shape, cache)
    }

    /// The plain source in every loop order.
    pub fn plain(&self, build: Baseline) -> Vec<Candidate<'_>> {
        let candidate = |order: &baseline::gemm::Order| {
            Candidate::plain(build, order, Plain { workload: self, build, order: *order })
        };
        baseline::gemm::Order::ALL.iter().map(candidate).collect()
    }

    /// The kernel, following a recipe.
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
        let threads = chosen.recipe.split.parts().min(team.size());
        let work = Ours { workload: self, scratch: plan.scratch(threads)?, plan, team };
        Ok(Candidate::kernel(name, isa, threads, Recipe::describe(chosen), work))
    }

    fn compare(&self) -> Check {
        Check::compare("three loops", &self.out.borrow(), &self.expected, 0.0)
    }
}

/// What a product of this shape is, whoever makes it.
pub fn task(shape: Shape, cache: Cache) -> Task {
    let Shape { m, n, k } = shape;
    let work = 2.0 * m as f64 * n as f64 * k as f64;
    let bytes = (m * k + k * n) as f64 + 4.0 * (m * n) as f64;
    Task {
        kernel: "gemm".into(),
        title: format!("{m} x {k} x {n}"),
        shape: json!({ "m": m, "k": k, "n": n }),
        dtype: "u8 x i8 -> i32".into(),
        amount: Amount {
            formula: "2 m k n".into(),
            work,
            unit: RateUnit::Operations,
            operations: 1.0,
            bytes: bytes / work,
            working_set: bytes,
            pattern: Pattern::Read,
            arithmetic: Some(Quantity::Int8Compute),
        },
        cache,
        timed: "row-major u8 in, row-major i32 out; weights laid out beforehand on all sides"
            .into(),
    }
}

/// Three loops, the rows shared among the cores: it would else take longer than all the timing.
/// `out` has as many rows as `lhs` and as many columns as `weights`.
pub fn reference(lhs: Matrix<'_, u8>, weights: Matrix<'_, i8>, out: &mut [i32]) {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let (rows, n) = (lhs.rows().div_ceil(cores), weights.cols());
    std::thread::scope(|scope| {
        for (part, out) in out.chunks_mut(rows * n).enumerate() {
            let rows = part * rows..part * rows + out.len() / n;
            let lhs = Lhs::u8(lhs.slice_rows(rows), 0);
            scope.spawn(move || gemm::reference::multiply(lhs, weights, &[], out));
        }
    });
}

struct Plain<'a> {
    workload: &'a Workload,
    build: Baseline,
    order: baseline::gemm::Order,
}

impl Work for Plain<'_> {
    fn run(&mut self) {
        let mut out = self.workload.out.borrow_mut();
        self.build
            .gemm(self.order, &self.workload.plain, &mut out)
            .expect("the output has the product's size");
    }

    fn check(&mut self) -> Check {
        self.workload.out.borrow_mut().fill(i32::MIN);
        self.run();
        self.workload.compare()
    }
}

struct Ours<'a> {
    workload: &'a Workload,
    plan: Plan,
    scratch: Scratch,
    team: &'a dyn Team,
}

impl Work for Ours<'_> {
    fn run(&mut self) {
        let Workload { shape: Shape { m, n, k }, lhs, weights, out, .. } = self.workload;
        let lhs = Lhs::u8(Matrix::new(lhs, *m, *k).expect("m x k bytes were made"), 0);
        let mut out = out.borrow_mut();
        let out = MatrixMut::new(&mut out, *m, *n).expect("m x n sums were made");
        self.plan
            .run(lhs, weights, &Store, out, &mut self.scratch, self.team)
            .expect("operands were made for this plan");
    }

    fn check(&mut self) -> Check {
        self.workload.out.borrow_mut().fill(i32::MIN);
        self.run();
        self.workload.compare()
    }
}
