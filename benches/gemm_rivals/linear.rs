//! The whole linear layer, floats to floats: rows quantised on the way in, a product of bytes, then
//! scales of the columns and a bias.

use super::call;
use super::operands::weights;
use tilewise::gemm::{Linear, Shape};
use tilewise::{Isa, Matrix, MatrixMut, Team};
use tilewise_harness::peers::entrant::{Entrant, Facts, Numbers, OURS};
use tilewise_harness::workload::{Check, random};

/// Its name, for the runner and the workers.
pub(crate) const KERNEL: &str = "linear";

/// Streams of the seed that no set of weights uses.
const SCALES: u64 = 1 << 20;
const BIAS: u64 = SCALES + 1;

/// The layer, its rows, and what must come out but for the error of quantising them.
#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) shape: Shape,
    x: Vec<f32>,
    weights: Vec<i8>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    expected: Vec<f32>,
    tolerance: f64,
}

impl Layer {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        let Shape { m, n, k } = shape;
        let centred = |stream, len| {
            let drawn = random::floats(seed, stream, len).into_iter();
            drawn.map(|value| value - 0.5).collect::<Vec<f32>>()
        };
        let scales = random::floats(seed, SCALES, n).into_iter();
        let mut layer = Layer {
            shape,
            x: centred(0, m * k),
            weights: weights(KERNEL, seed, 1, k * n),
            scales: scales.map(|value| (value + 1.0) / 1024.0).collect(),
            bias: centred(BIAS, n),
            expected: vec![0.0; m * n],
            tolerance: 0.0,
        };
        layer.expected = layer.reference();
        layer.tolerance = layer.tolerance();
        layer
    }

    /// In doubles, nothing quantised but the weights, the rows shared among the cores.
    fn reference(&self) -> Vec<f32> {
        let Shape { m, n, k } = self.shape;
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let (rows, mut out) = (m.div_ceil(cores), vec![0.0; m * n]);
        std::thread::scope(|scope| {
            for (x, out) in self.x.chunks(rows * k).zip(out.chunks_mut(rows * n)) {
                scope.spawn(move || {
                    for (x, out) in x.chunks(k).zip(out.chunks_mut(n)) {
                        self.row(x, out);
                    }
                });
            }
        });
        out
    }

    fn row(&self, x: &[f32], out: &mut [f32]) {
        let mut sums = vec![0.0; out.len()];
        for (&x, weights) in x.iter().zip(self.weights.chunks(out.len())) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum += f64::from(x) * f64::from(weight);
            }
        }
        for (((out, sum), &scale), &bias) in
            out.iter_mut().zip(sums).zip(&self.scales).zip(&self.bias)
        {
            *out = (sum * f64::from(scale) + f64::from(bias)) as f32;
        }
    }

    /// Quantising rows over their range, at most 1, leaves each number off by an even chance of up
    /// to half a step of 1 / 255: a deviation of a step over the root of 12, and over a column that
    /// many times the root of its sum of squares. Eight deviations are never seen, while one pair
    /// that saturates is off by more.
    fn tolerance(&self) -> f64 {
        let n = self.shape.n;
        let mut squares = vec![0.0; n];
        for weights in self.weights.chunks(n) {
            for (sum, &weight) in squares.iter_mut().zip(weights) {
                *sum += f64::from(weight) * f64::from(weight);
            }
        }
        let column = |(square, &scale): (&f64, &f32)| square.sqrt() * f64::from(scale);
        let largest = squares.iter().zip(&self.scales).map(column).fold(0.0, f64::max);
        8.0 * largest / 255.0 / 12f64.sqrt()
    }

    pub(crate) fn judge(&self, numbers: &Numbers) -> Check {
        const REFERENCE: &str = "three loops in f64, rows not quantised";
        match numbers {
            Numbers::F32(values) => {
                Check::compare(REFERENCE, values, &self.expected, self.tolerance)
            }
            _ => Check::compare(REFERENCE, &[], &self.expected, self.tolerance),
        }
    }
}

/// [`Linear`], as anybody would use it.
pub(crate) fn entrant<'a>(
    layer: &'a Layer,
    team: &'a dyn Team,
) -> Result<Box<dyn Entrant + 'a>, String> {
    let Shape { m, n, k } = layer.shape;
    let failed = |error: tilewise::gemm::Error| error.to_string();
    let weights = Matrix::new(&layer.weights, k, n).map_err(|error| error.to_string())?;
    let linear = Linear::new(weights, &layer.scales, Some(&layer.bias)).map_err(failed)?;
    let mut scratch = linear.scratch(m, team.size()).map_err(failed)?;
    let facts = Facts {
        name: OURS.into(),
        title: format!("tilewise Linear, {}", Isa::best()),
        version: env!("CARGO_PKG_VERSION").into(),
        dtype: "f32 -> u8 a row x i8 -> f32".into(),
        other_precision: false,
        timed: "calls on row-major arrays, a bias included; weights packed beforehand".into(),
        recipe: None,
    };
    Ok(call::entrant(facts, m * n, move |out| {
        let x = Matrix::new(&layer.x, m, k).expect("m x k numbers were made");
        let y = MatrixMut::new(out, m, n).expect("m x n numbers were made");
        linear.run(x, y, &mut scratch, team).expect("scratch was made for it");
    }))
}
