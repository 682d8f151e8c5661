//! A whole linear layer, rows of floats in and rows of floats out, beside the sums in it.

use super::{Error, Workload, references, task, weights};
use crate::workload::{Cache, Candidate, Check, Recipe, Task, Work, random};
use std::cell::RefCell;
use tilewise::buffer::LINE;
use tilewise::gemm::{self, Gelu, GeluTanh, Lhs, Linear, Plan, Relu, Scratch, Shape};
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
    /// Its formula. Those of GELU are the kernel's own functions, which the kernel's tests hold against
    /// the error function and the hyperbolic tangent.
    fn of(self, value: f32) -> f32 {
        match self {
            Activation::None => value,
            Activation::Relu if value <= 0.0 => 0.0,
            Activation::Relu => value,
            Activation::Gelu => gemm::reference::gelu(value),
            Activation::GeluTanh => gemm::reference::gelu_tanh(value),
        }
    }

    /// As the command line has it.
    pub fn name(self) -> &'static str {
        match self {
            Activation::None => "none",
            Activation::Relu => "relu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu-tanh",
        }
    }
}

/// A layer by the weights of a product, its rows, and what it must give.
#[derive(Debug)]
pub struct Layer {
    shape: Shape,
    activation: Activation,
    isa: Isa,
    linear: Linear,
    rows: Vec<f32>,
    expected: Vec<f32>,
    out: RefCell<Vec<f32>>,
}

impl Layer {
    /// Random rows and biases from -1 to 1 for the weights of `product`, and a scale of each column
    /// that leaves numbers of about 1.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn new(product: &Workload, activation: Activation, isa: Isa) -> Result<Layer, Error> {
        let &Workload { shape, seed, .. } = product;
        let Shape { m, n, k } = shape;
        let around = |stream, len| random::floats(seed, stream, len).into_iter();
        let usual = 1.0 / (64.0 * (k as f32).sqrt());
        let rows: Vec<f32> = around(2, m * k).map(|x| 2.0 * x - 1.0).collect();
        let bias: Vec<f32> = around(3, n).map(|x| 2.0 * x - 1.0).collect();
        let scales: Vec<f32> = around(4, n).map(|x| usual * (0.5 + x)).collect();
        let x = Matrix::new(&rows, m, k).expect("m x k floats were made");
        let expected = expect(x, &weights(seed, k, n), (&scales, &bias), activation);
        let linear = Linear::new(product.weights.clone(), &scales, Some(&bias))?.on(isa)?;
        let out = RefCell::new(vec![0.0; m * n]);
        Ok(Layer { shape, activation, isa, linear, rows, expected, out })
    }

    /// Bytes a layer takes beside the product that it is made of.
    pub fn bytes(Shape { m, n, k }: Shape) -> usize {
        // Rows as floats, and as bytes in scratch, ends of their lines and notes included; the weights
        // as they were drawn; results, what they must be, and the sums in them; scales and biases,
        // twice.
        m * (5 * k + 2 * LINE) + k * n + 3 * size_of::<f32>() * m * n + 4 * size_of::<f32>() * n
    }

    /// What is done.
    pub fn task(&self, cache: Cache) -> Task {
        let Shape { m, n, k } = self.shape;
        let mut task = task(self.shape, cache);
        let bytes = 4.0 * (m * k) as f64 + (k * n) as f64 + 4.0 * (m * n) as f64;
        (task.amount.bytes, task.amount.working_set) = (bytes / task.amount.work, bytes);
        task.dtype = "f32 x i8 -> f32".into();
        task.timed = format!(
            "row-major f32 in, quantised row by row, row-major f32 out, with a bias and {}; weights \
             laid out beforehand",
            match self.activation {
                Activation::None => "no activation",
                activation => activation.name(),
            }
        );
        task
    }

    /// The recipe that it follows, which knows nothing of wisdom.
    pub fn recipe(&self, team: &dyn Team) -> Chosen<gemm::Recipe> {
        Chosen::estimated(self.linear.recipe(self.shape.m, team.size()))
    }

    /// The layer.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn kernel<'a>(&'a self, name: &str, team: &'a dyn Team) -> Result<Candidate<'a>, Error> {
        let chosen = self.recipe(team);
        let threads = Plan::new(self.shape, self.isa, chosen.recipe)?.members(team.size());
        let scratch = self.linear.scratch(self.shape.m, team.size())?;
        let work = Whole { layer: self, scratch, team };
        Ok(Candidate::kernel(name, self.isa, threads, Recipe::describe(&chosen), work))
    }
}

/// What a layer must give, by the formulas of the reference.
fn expect(
    rows: Matrix<'_, f32>,
    weights: &[i8],
    (scales, bias): (&[f32], &[f32]),
    activation: Activation,
) -> Vec<f32> {
    let (k, n) = (rows.cols(), scales.len());
    let weights = Matrix::new(weights, k, n).expect("k x n bytes were made");
    let (mut bytes, mut sums) = (vec![0; k], vec![0; rows.rows() * n]);
    references(&[(rows, weights)], Lhs::f32, &mut sums);
    let mut expected = Vec::with_capacity(sums.len());
    for (index, sums) in sums.chunks_exact(n).enumerate() {
        let (scale, _) = gemm::reference::quantise(rows.row(index), &mut bytes);
        for ((&sum, &column), bias) in sums.iter().zip(scales).zip(bias) {
            let value = gemm::reference::dequantise(sum, scale, column) + bias;
            expected.push(activation.of(value));
        }
    }
    expected
}

struct Whole<'a> {
    layer: &'a Layer,
    scratch: Scratch,
    team: &'a dyn Team,
}

impl Work for Whole<'_> {
    fn run(&mut self) {
        let Layer { shape: Shape { m, n, k }, activation, linear, rows, out, .. } = self.layer;
        let x = Matrix::new(rows, *m, *k).expect("m x k floats were made");
        let mut out = out.borrow_mut();
        let y = MatrixMut::new(&mut out, *m, *n).expect("m x n floats were made");
        let (scratch, team) = (&mut self.scratch, self.team);
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
