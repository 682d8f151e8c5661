//! A linear layer in either precision: packed weights, a bias, and what is done to the product
//! while it is in registers.

use super::room::Products;
use super::{Activation, Error, Precision, Source};
use crate::workload::digest;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{
    Add, Bias, Dequantise, Fit, FloatPlan, Gelu, GeluTanh, Lhs, Output, PackedFloats,
    PackedWeights, Plan, Recipe, Relu, Scales, Shape, Store,
};
use tilewise::rows::Fixed;
use tilewise::{Isa, Matrix, MatrixMut, Team};

/// `x * weights + bias`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    weights: Weights,
    bias: Vec<f32>,
    mark: String,
}

/// Every so manyth weight is digested: those of a large model are a gigabyte, and what trains a layer
/// changes it everywhere. A power of two would see the same few columns of all rows.
const DIGESTED: usize = 61;

#[derive(Clone, Debug)]
enum Weights {
    Floats(PackedFloats),
    /// Bytes, the scale of each output, and the range of all inputs if it is known.
    Bytes(PackedWeights, Vec<f32>, Option<Fixed>),
}

/// What is done to a product before it is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Next<'a> {
    Nothing,
    Apply(Activation),
    Add(Matrix<'a, f32>),
}

/// What a layer reads, what is done to the product, and where it is written: a row for each token.
pub(super) struct Rows<'a> {
    pub(super) x: Matrix<'a, f32>,
    pub(super) next: Next<'a>,
    pub(super) y: MatrixMut<'a, f32>,
}

/// On what instruction set and caches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine {
    pub(super) isa: Isa,
    pub(super) caches: CacheSizes,
}

impl Linear {
    /// Reads the layers `names` and makes one of them, their outputs side by side. `place` is its
    /// number among those of the model.
    pub(super) fn read(
        source: &dyn Source,
        names: &[String],
        [outputs, inputs]: [usize; 2],
        (precision, place): (Precision<'_>, usize),
    ) -> Result<Linear, Error> {
        let (mut weights, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weights.extend(source.tensor(&format!("{name}.weight"), &[outputs, inputs])?);
            bias.extend(source.tensor(&format!("{name}.bias"), &[outputs])?);
        }
        let some = weights.iter().step_by(DIGESTED);
        let mark = digest(&some.chain(&bias).copied().collect::<Vec<f32>>());
        let matrix = Matrix::new(&weights, bias.len(), inputs).expect("tensors of that shape");
        let weights = match precision {
            Precision::Fp32 => Weights::Floats(PackedFloats::pack_transposed(matrix)?),
            Precision::Int8 | Precision::Int8Static(_) => {
                let (packed, scales) = PackedWeights::quantise_transposed(matrix, Fit::Pairs)?;
                let fixed = match precision {
                    Precision::Int8Static(ranges) => {
                        let [low, high] = ranges.get(place);
                        Some(Fixed::over(low, high)?)
                    }
                    _ => None,
                };
                Weights::Bytes(packed, scales, fixed)
            }
        };
        Ok(Linear { weights, bias, mark })
    }

    /// Whether it multiplies bytes.
    pub(super) fn is_in_bytes(&self) -> bool {
        matches!(self.weights, Weights::Bytes(..))
    }

    /// Outputs of the layer.
    pub(super) fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// What tells it from layers of other weights or another bias: a digest of them as they were
    /// read, the same in every precision.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// How a product of so many rows is cut.
    pub(super) fn recipe(&self, rows: usize, machine: Machine, threads: usize) -> Recipe {
        let Machine { isa, caches } = machine;
        let shape = |k| Shape { m: rows, n: self.outputs(), k };
        match &self.weights {
            Weights::Floats(weights) => {
                FloatPlan::estimate(shape(weights.k()), isa, &caches, threads)
            }
            Weights::Bytes(weights, ..) => {
                Recipe::estimate(shape(weights.k()), isa, &caches, threads)
            }
        }
    }

    /// Writes what is made of the layer's outputs for some rows.
    pub(super) fn run(
        &self,
        Rows { x, next, y }: Rows<'_>,
        products: &mut Products,
        (machine, team): (Machine, &dyn Team),
    ) -> Result<(), Error> {
        let call = Call { linear: self, x, y, products, machine, team };
        match next {
            Next::Nothing => call.run(Store),
            Next::Apply(Activation::Gelu) => call.run(Gelu),
            Next::Apply(Activation::GeluTanh) => call.run(GeluTanh),
            Next::Apply(Activation::Relu) => call.run(Relu),
            Next::Add(residual) => call.run(Add(residual)),
        }
    }
}

struct Call<'a> {
    linear: &'a Linear,
    x: Matrix<'a, f32>,
    y: MatrixMut<'a, f32>,
    products: &'a mut Products,
    machine: Machine,
    team: &'a dyn Team,
}

impl Call<'_> {
    fn run(self, next: impl Output<f32, Element = f32>) -> Result<(), Error> {
        let Call { linear, x, y, products, machine, team } = self;
        let isa = machine.isa;
        let shape = Shape { m: x.rows(), n: linear.outputs(), k: x.cols() };
        let recipe = linear.recipe(x.rows(), machine, team.size());
        let bias = Bias(&linear.bias[..]);
        let (weights, scales, fixed) = match &linear.weights {
            Weights::Floats(weights) => {
                let plan = FloatPlan::new(shape, isa, recipe)?;
                let scratch = products.floats(&plan, team.size())?;
                return Ok(plan.run(x, weights, &bias.then(next), y, scratch, team)?);
            }
            Weights::Bytes(weights, scales, fixed) => (weights, scales, fixed),
        };
        let plan = Plan::new(shape, isa, recipe)?;
        let output = Dequantise { scales: Scales::Each(scales) }.then(bias).then(next);
        let Some(fixed) = fixed else {
            let scratch = products.bytes(&plan, team.size())?;
            return Ok(plan.run(Lhs::f32(x), weights, &output, y, scratch, team)?);
        };
        let (scratch, bytes) = products.fixed(&plan, team.size())?;
        let rows = MatrixMut::new(bytes, x.rows(), x.cols()).expect("room for the inputs");
        fixed.run(x, rows, isa, team)?;
        let rows = Matrix::new(bytes, x.rows(), x.cols()).expect("room for the inputs");
        let lhs = Lhs::u8(rows, fixed.zero_point()).scaled(Scales::All(fixed.scale()));
        Ok(plan.run(lhs, weights, &output, y, scratch, team)?)
    }
}
