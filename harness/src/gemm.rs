//! The INT8 product as a workload: activations u8 times packed weights i8, sums in i32.

mod batch;
mod layer;

pub use batch::Batch;
pub use layer::{Activation, Layer};

use crate::baseline::{self, Baseline};
use crate::roofs::{Pattern, Quantity};
use crate::workload::{Amount, Cache, Candidate, Check, RateUnit, Recipe, Task, Work, random};
use serde_json::json;
use std::cell::RefCell;
use std::fmt;
use tilewise::gemm::{self, Lhs, PackedWeights, Plan, Scratch, Shape, Store};
use tilewise::{Isa, Matrix, MatrixMut, Team};
use tilewise_tuner::wisdom::Chosen;

/// Operands from a seed, and the product they must give.
#[derive(Debug)]
pub struct Workload {
    shape: Shape,
    seed: u64,
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
    #[error("{products} has {given} elements {place}; expected at most {most}, use smaller sizes{}",
        products.or_fewer())]
    Oversized {
        /// What was asked for.
        products: Products,
        /// Which of its matrices.
        place: &'static str,
        /// Their elements.
        given: usize,
        /// The most elements.
        most: usize,
    },
    /// The reference, which everything is checked against, would take many minutes.
    #[error("{products} has {given} multiply-adds, too many for the reference; expected at most \
             {most}, use smaller sizes{}", products.or_fewer())]
    Endless {
        /// What was asked for.
        products: Products,
        /// Its multiply-adds.
        given: usize,
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

/// How many products of which shape, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Products {
    /// How many.
    pub count: usize,
    /// The shape of each.
    pub shape: Shape,
}

impl Products {
    /// Whether there may be so many elements, and whether the reference comes to an end.
    fn check(self) -> Result<(), Error> {
        let Products { count, shape: Shape { m, n, k } } = self;
        // No overflow: the count and each size are at most 2^20, and all outputs at most 2^30 when it
        // comes to the work.
        let elements =
            [("on the left", m * k), ("in the weights", k * n), ("in the output", m * n)];
        for (place, each) in elements {
            let (given, most) = (count * each, Workload::MOST_ELEMENTS);
            if given > most {
                return Err(Error::Oversized { products: self, place, given, most });
            }
        }
        let (given, most) = (count * m * n * k, Workload::MOST_WORK);
        if given > most {
            return Err(Error::Endless { products: self, given, most });
        }
        Ok(())
    }

    fn or_fewer(self) -> &'static str {
        if self.count == 1 { "" } else { " or fewer products" }
    }
}

impl fmt::Display for Products {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            1 => write!(f, "a product of {}", self.shape),
            count => write!(f, "a batch of {count} products of {}", self.shape),
        }
    }
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
        let rhs = weights(seed, k, n);
        let view = |data| Matrix::new(data, m, k).expect("m x k bytes were made");
        let weights = Matrix::new(&rhs, k, n).expect("k x n bytes were made");
        let mut expected = vec![0; m * n];
        reference(view(&lhs), weights, &mut expected);
        Ok(Workload {
            shape,
            seed,
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
        Products { count: 1, shape }.check()
    }

    /// Bytes a workload of this shape takes, which [passes](Workload::check).
    pub fn bytes(Shape { m, n, k }: Shape) -> usize {
        // Ours and the plain code's left operand; the weights as they were drawn, in the plain code's
        // two orders, and packed; the expected sums, and those of a call.
        2 * m * k + 3 * k * n + PackedWeights::packed_bytes(k, n) + 2 * size_of::<i32>() * m * n
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
        let threads = plan.members(team.size());
        let scratch = Scratch::of_bytes(plan.scratch_bytes_for_bytes(threads))?;
        let work = Ours { workload: self, scratch, plan, team };
        Ok(Candidate::kernel(name, isa, threads, Recipe::describe(chosen), work))
    }

    fn compare(&self) -> Check {
        Check::compare("three loops", &self.out.borrow(), &self.expected, 0.0)
    }
}

/// The weights of a seed, `k` rows of `n`.
fn weights(seed: u64, k: usize, n: usize) -> Vec<i8> {
    random::bytes(seed, 1, k * n).into_iter().map(u8::cast_signed).collect()
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
    references(&[(lhs, weights)], plain, out);
}

/// Bytes that mean themselves.
fn plain(bytes: Matrix<'_, u8>) -> Lhs<'_> {
    Lhs::u8(bytes, 0)
}

/// The products of operands of one shape, one behind the other in `out`, the rows of all of them
/// shared among the cores: a thread is started once, not for every product.
fn references<'a, T: Copy + Sync>(
    products: &[(Matrix<'a, T>, Matrix<'_, i8>)],
    lhs: fn(Matrix<'a, T>) -> Lhs<'a>,
    out: &mut [i32],
) {
    let Some((rows, weights)) = products.first() else { return };
    let (m, n) = (rows.rows(), weights.cols());
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let rows = (products.len() * m).div_ceil(cores);
    std::thread::scope(|scope| {
        for (part, out) in out.chunks_mut(rows * n).enumerate() {
            scope.spawn(move || rows_of(products, lhs, part * rows, out));
        }
    });
}

/// As many rows as `out` has, from row `first` of all products on.
fn rows_of<'a, T: Copy>(
    products: &[(Matrix<'a, T>, Matrix<'_, i8>)],
    lhs: fn(Matrix<'a, T>) -> Lhs<'a>,
    mut first: usize,
    mut out: &mut [i32],
) {
    while !out.is_empty() {
        let (m, n) = (products[0].0.rows(), products[0].1.cols());
        let (rows, weights) = products[first / m];
        let start = first % m;
        let end = m.min(start + out.len() / n);
        let (here, rest) = out.split_at_mut((end - start) * n);
        gemm::reference::multiply(lhs(rows.slice_rows(start..end)), weights, &[], here);
        (out, first) = (rest, first + end - start);
    }
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
