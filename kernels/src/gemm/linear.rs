//! The front door: a linear layer in a few lines, made of the parts below it.

use super::{Dequantise, Error, Lhs, PackedWeights, Plan, Recipe, Scales, Scratch, Shape};
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::matrix::{Matrix, MatrixMut};
use crate::team::Team;
use alloc::vec::Vec;

/// `y = x * weights * scales + bias` for quantised `x`, on the best instruction set of this CPU
/// with estimated recipes.
///
#[doc = "```"]
#[doc = include_str!("../../examples/linear.rs")]
#[doc = "```"]
#[derive(Clone, Debug)]
pub struct Linear {
    weights: PackedWeights,
    scales: Vec<f32>,
    bias: Option<Vec<f32>>,
    isa: Isa,
    caches: CacheSizes,
}

impl Linear {
    /// Packs `weights` (`k` rows of `n` columns). `scales` are one for all columns or one for
    /// each; `bias`, if any, is one for each.
    ///
    /// # Errors
    /// [`Error::Length`] for a wrong number of scales or biases; those of
    /// [`PackedWeights::pack`].
    pub fn new(
        weights: Matrix<'_, i8>,
        scales: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self, Error> {
        let columns = weights.cols();
        let lengths = [("scales", (scales.len() != 1).then_some(scales)), ("biases", bias)];
        for (what, values) in lengths {
            if let Some(given) = values.map(<[f32]>::len).filter(|&given| given != columns) {
                return Err(Error::Length { what, given, expected: columns });
            }
        }
        Ok(Linear {
            weights: PackedWeights::pack(weights)?,
            scales: scales.to_vec(),
            bias: bias.map(<[f32]>::to_vec),
            isa: Isa::best(),
            caches: CacheSizes::detect(),
        })
    }

    /// Room for calls of up to `rows` rows on a team of `threads`.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], and [`Error::Oversized`] for more rows than can be addressed.
    pub fn scratch(&self, rows: usize, threads: usize) -> Result<Scratch, Error> {
        self.plan(rows, threads)?.scratch(threads)
    }

    /// Computes `y` from rows of quantised activations whose scale is `scale`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] or [`Error::OutputRows`] for shapes that do not go together;
    /// [`Error::Scratch`] when `scratch` was made for fewer rows.
    pub fn run(
        &self,
        x: Lhs<'_>,
        scale: f32,
        y: MatrixMut<'_, f32>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let scales = match *self.scales {
            [one] => Scales::Tensor(one),
            _ => Scales::Columns(&self.scales),
        };
        let output = Dequantise { lhs_scale: scale, scales, bias: self.bias.as_deref() };
        self.plan(x.rows(), team.size())?.run(x, &self.weights, &output, y, scratch, team)
    }

    fn plan(&self, rows: usize, threads: usize) -> Result<Plan, Error> {
        let shape = Shape { m: rows, n: self.weights.n(), k: self.weights.k() };
        Plan::new(shape, self.isa, Recipe::estimate(shape, self.isa, &self.caches, threads))
    }
}
