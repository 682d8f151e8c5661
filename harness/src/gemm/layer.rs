//! A whole linear layer, rows of floats in and rows of floats out, beside the sums in it.

use super::{Error, Workload, reference, task, weights};
use crate::workload::{Cache, Candidate, Check, Recipe, Task, Work, random};
use std::cell::RefCell;
use std::fmt;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{self, Gelu, GeluTanh, Linear, PackedWeights, Plan, Relu, Scratch, Shape};
use tilewise::{Isa, Matrix, MatrixMut, Team};
use tilewise_tuner::wisdom::Chosen;

/// What follows the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Activation {
    None,
    Relu,
    Gelu,
    GeluTanh,
}

impl Activation {
    fn of(self, value: f32) -> f32 {
        match self {
            Activation::None => value,
            Activation::Relu if value > 0.0 => value,
            Activation::Relu => 0.0,
            Activation::Gelu => gemm::reference::gelu(value),
            Activation::GeluTanh => gemm::reference::gelu_tanh(value),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Activation::None => "no activation",
            Activation::Relu => "ReLU",
            Activation::Gelu => "GELU",
            Activation::GeluTanh => "GELU by tanh",
        })
    }
}

/// A layer by the weights of a product, its rows, and what it must give.
#[derive(Debug)]
pub struct Layer {
    shape: Shape,
    activation: Activation,
    rows: Vec<f32>,
    weights: PackedWeights,
    scales: Vec<f32>,
    bias: Vec<f32>,
    expected: Vec<f32>,
    out: RefCell<Vec<f32>>,
}

impl Layer {
    /// Random rows and biases from -1 to 1 for the weights of `product`, and a scale of each column
    /// that leaves numbers of about 1.
    pub fn new(product: &Workload, activation: Activation) -> Layer {
        let &Workload { shape: Shape { m, n, k }, seed, .. } = product;
        let around = |stream, len| random::floats(seed, stream, len).into_iter();
        let usual = 1.0 / (64.0 * (k as f32).sqrt());
        let mut layer = Layer {
            shape: product.shape,
            activation,
            weights: product.weights.clone(),
            rows: around(2, m * k).map(|x| 2.0 * x - 1.0).collect(),
            bias: around(3, n).map(|x| 2.0 * x - 1.0).collect(),
            scales: around(4, n).map(|x| usual * (0.5 + x)).collect(),
            expected: Vec::new(),
            out: RefCell::new(vec![0.0; m * n]),
        };
        let weights = weights(seed, k, n);
        layer.expected = layer.expect(Matrix::new(&weights, k, n).expect("k x n bytes were made"));
        layer
    }

    /// The formulas of the reference, one number at a time.
    fn expect(&self, weights: Matrix<'_, i8>) -> Vec<f32> {
        let Shape { m, n, k } = self.shape;
        let (mut bytes, mut meanings, mut sums) = (vec![0; m * k], Vec::new(), vec![0; m * n]);
        for (row, bytes) in self.rows.chunks_exact(k).zip(bytes.chunks_exact_mut(k)) {
            meanings.push(gemm::reference::quantise(row, bytes));
        }
        reference(Matrix::new(&bytes, m, k).expect("m x k bytes were made"), weights, &mut sums);
        let column_sum = |column| {
            (0..k).fold(0i32, |sum, row| sum.wrapping_add(i32::from(weights.row(row)[column])))
        };
        let columns: Vec<i32> = (0..n).map(column_sum).collect();
        let value = |index: usize| {
            let ((scale, zero), column) = (meanings[index / n], index % n);
            let sum = sums[index].wrapping_sub(columns[column].wrapping_mul(zero.into()));
            let value = gemm::reference::dequantise(sum, scale, self.scales[column]);
            self.activation.of(value + self.bias[column])
        };
        (0..m * n).map(value).collect()
    }

    /// Bytes a layer takes beside the product that it is made of.
    pub fn bytes(Shape { m, n, k }: Shape) -> usize {
        // Rows as floats, as bytes and in scratch; the weights as they were drawn; results, what they
        // must be, and the sums in them.
        6 * m * k + k * n + 3 * size_of::<f32>() * m * n
    }

    /// What is done.
    pub fn task(&self, cache: Cache) -> Task {
        let mut task = task(self.shape, cache);
        task.dtype = format!("f32 x i8 -> f32, bias, {}", self.activation);
        task.timed =
            "one call: row-major f32 in, quantised row by row, row-major f32 out; weights \
                      laid out beforehand"
                .into();
        task
    }

    /// The layer, with estimated recipes.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn kernel<'a>(
        &'a self,
        name: &str,
        isa: Isa,
        caches: &CacheSizes,
        team: &'a dyn Team,
    ) -> Result<Candidate<'a>, Error> {
        let chosen = self.recipe(isa, caches, team);
        let threads = Plan::new(self.shape, isa, chosen.recipe)?.members(team.size());
        let linear = Linear::new(self.weights.clone(), &self.scales, Some(&self.bias))?.on(isa)?;
        let scratch = linear.scratch(self.shape.m, team.size())?;
        let work = Whole { layer: self, linear, scratch, team };
        Ok(Candidate::kernel(name, isa, threads, Recipe::describe(&chosen), work))
    }

    /// The recipe that a layer takes, which knows nothing of wisdom.
    pub fn recipe(&self, isa: Isa, caches: &CacheSizes, team: &dyn Team) -> Chosen<gemm::Recipe> {
        Chosen::estimated(gemm::Recipe::estimate(self.shape, isa, caches, team.size()))
    }
}

struct Whole<'a> {
    layer: &'a Layer,
    linear: Linear,
    scratch: Scratch,
    team: &'a dyn Team,
}

impl Work for Whole<'_> {
    fn run(&mut self) {
        let Layer { shape: Shape { m, n, k }, activation, rows, out, .. } = self.layer;
        let x = Matrix::new(rows, *m, *k).expect("m x k floats were made");
        let mut out = out.borrow_mut();
        let y = MatrixMut::new(&mut out, *m, *n).expect("m x n floats were made");
        let (linear, scratch, team) = (&self.linear, &mut self.scratch, self.team);
        match activation {
            Activation::None => linear.run(x, y, scratch, team),
            Activation::Relu => linear.run_then(x, Relu, y, scratch, team),
            Activation::Gelu => linear.run_then(x, Gelu, y, scratch, team),
            Activation::GeluTanh => linear.run_then(x, GeluTanh, y, scratch, team),
        }
        .expect("operands were made for this layer");
    }

    fn check(&mut self) -> Check {
        self.layer.out.borrow_mut().fill(f32::NAN);
        self.run();
        let out = self.layer.out.borrow();
        Check::compare("formulas, one number at a time", &out, &self.layer.expected, 0.0)
    }
}
