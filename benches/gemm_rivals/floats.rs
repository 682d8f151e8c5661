//! Products of floats, rows by weights: what the linear layers of a float model are made of.

use super::call;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{FloatPlan, PackedFloats, Shape, Store};
use tilewise::{Isa, Matrix, MatrixMut, Team};
use tilewise_harness::gemm::task;
use tilewise_harness::peers::entrant::{Entrant, Facts, Numbers, OURS};
use tilewise_harness::roofs::Quantity;
use tilewise_harness::workload::{self, Cache, Check, Task, random};
use tilewise_tuner::wisdom::Chosen;

/// Its name, for the runner.
pub(crate) const KERNEL: &str = "gemm-f32";

/// Operands and what must come out.
#[derive(Debug)]
pub(crate) struct Floats {
    pub(crate) shape: Shape,
    pub(crate) x: Vec<f32>,
    pub(crate) weights: Vec<f32>,
    expected: Vec<f32>,
    tolerance: f64,
}

impl Floats {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        let Shape { m, n, k } = shape;
        let centred = |stream, len| {
            let drawn = random::floats(seed, stream, len).into_iter();
            drawn.map(|value| value - 0.5).collect::<Vec<f32>>()
        };
        let (x, weights) = (centred(0, m * k), centred(1, k * n));
        let mut floats = Floats { shape, x, weights, expected: Vec::new(), tolerance: 0.0 };
        let (expected, size) = floats.reference();
        floats.expected = expected;
        // What rounding k products, their sums and the reference can do at most: half a unit in the
        // last place of the sum of all sizes each.
        floats.tolerance = (k + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
        floats
    }

    /// In doubles, the rows shared among the cores; and the greatest sum of the sizes of products.
    fn reference(&self) -> (Vec<f32>, f64) {
        let Shape { m, n, k } = self.shape;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let (rows, mut out) = (m.div_ceil(cores), vec![0.0; m * n]);
        let size = std::thread::scope(|scope| {
            let parts = self.x.chunks(rows * k).zip(out.chunks_mut(rows * n));
            let threads = parts.map(|(x, out)| scope.spawn(move || self.rows(x, out)));
            let threads: Vec<_> = threads.collect();
            let sizes = threads.into_iter().map(|thread| thread.join().expect("it only adds"));
            sizes.fold(0.0, f64::max)
        });
        (out, size)
    }

    fn rows(&self, x: &[f32], out: &mut [f32]) -> f64 {
        let Shape { n, k, .. } = self.shape;
        let mut greatest = 0.0f64;
        for (x, out) in x.chunks(k).zip(out.chunks_mut(n)) {
            let mut sums = vec![(0.0f64, 0.0f64); n];
            for (&x, weights) in x.iter().zip(self.weights.chunks(n)) {
                for ((sum, size), &weight) in sums.iter_mut().zip(weights) {
                    let product = f64::from(x) * f64::from(weight);
                    *sum += product;
                    *size += product.abs();
                }
            }
            for (out, (sum, size)) in out.iter_mut().zip(sums) {
                *out = sum as f32;
                greatest = greatest.max(size);
            }
        }
        greatest
    }

    /// What it is, with the bytes and the arithmetic of floats.
    pub(crate) fn task(&self) -> Task {
        let Shape { m, n, k } = self.shape;
        let bytes = (size_of::<f32>() * (m * k + k * n + m * n)) as f64;
        let mut task = task(self.shape, Cache::Hot);
        task.kernel = KERNEL.into();
        task.dtype = "f32 x f32 -> f32".into();
        task.timed = "row-major f32 in, row-major f32 out; weights laid out beforehand where a \
                      library can"
            .into();
        task.amount.bytes = bytes / task.amount.work;
        task.amount.working_set = bytes;
        task.amount.arithmetic = Some(Quantity::F32Compute);
        task
    }

    pub(crate) fn judge(&self, numbers: &Numbers) -> Check {
        let values: &[f32] = match numbers {
            Numbers::F32(values) => values,
            _ => &[],
        };
        Check::compare("three loops in f64", values, &self.expected, self.tolerance)
    }
}

/// The plan that layers of a float model follow, weights packed beforehand.
pub(crate) fn entrant<'a>(
    floats: &'a Floats,
    team: &'a dyn Team,
) -> Result<Box<dyn Entrant + 'a>, String> {
    let (shape, isa, threads) = (floats.shape, Isa::best(), team.size());
    let Shape { m, n, k } = shape;
    let failed = |error: tilewise::gemm::Error| error.to_string();
    let recipe = FloatPlan::estimate(shape, isa, &CacheSizes::detect(), threads);
    let plan = FloatPlan::new(shape, isa, recipe).map_err(failed)?;
    let weights = Matrix::new(&floats.weights, k, n).map_err(|error| error.to_string())?;
    let weights = PackedFloats::pack(weights).map_err(failed)?;
    let mut scratch = plan.scratch(threads).map_err(failed)?;
    let facts = Facts {
        name: OURS.into(),
        title: format!("tilewise FloatPlan, {isa}"),
        version: env!("CARGO_PKG_VERSION").into(),
        dtype: "f32 x f32 -> f32".into(),
        other_precision: false,
        timed: "calls on row-major arrays; weights packed beforehand".into(),
        recipe: Some(workload::Recipe::describe(&Chosen::estimated(recipe))),
    };
    Ok(call::entrant(facts, m * n, move |out| {
        let x = Matrix::new(&floats.x, m, k).expect("m x k numbers were made");
        let y = MatrixMut::new(out, m, n).expect("m x n numbers were made");
        plan.run(x, &weights, &Store, y, &mut scratch, team)
            .expect("operands were made for this plan");
    }))
}
