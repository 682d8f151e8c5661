//! The front door: a linear layer in a few lines, made of the parts below it.

use super::stages::{EACH_COLUMN, same_length};
use super::{
    Bias, Dequantise, Error, Lhs, Output, PackedWeights, Plan, Recipe, Scales, Scratch, Shape,
    Split, Store, tiles,
};
use crate::buffer::{vector, zeros};
use crate::cache::CacheSizes;
use crate::isa::{Isa, MissingIsa};
use crate::matrix::MatrixMut;
use crate::team::Team;
use alloc::vec::Vec;

/// `y = x * weights * scales + bias`, for rows of floats that are quantised on the way in or rows
/// quantised before, with estimated recipes, on the best instruction set of this CPU or
/// [another](Linear::on).
///
#[doc = "```"]
#[doc = include_str!("../../examples/linear.rs")]
#[doc = "```"]
#[derive(Clone, Debug)]
pub struct Linear {
    weights: PackedWeights,
    scales: Vec<f32>,
    bias: Vec<f32>,
    isa: Isa,
    caches: CacheSizes,
}

impl Linear {
    /// A layer of `weights`: a matrix of bytes, `k` rows of `n` columns, which is packed here, or
    /// [`PackedWeights`], for all that can be said of weights is said to them:
    ///
    /// | weights | are given as |
    /// |---|---|
    /// | bytes, a row for each depth | the matrix itself |
    /// | bytes, a row for each column | [`PackedWeights::pack_transposed`] |
    /// | bytes with zero points | packed ones, [`with_zero_points`](PackedWeights::with_zero_points) |
    /// | floats | [`PackedWeights::quantise`] or [`quantise_transposed`](PackedWeights::quantise_transposed), with the scales these give |
    /// | a file | [`PackedWeights::from_bytes`] |
    /// | those of another layer | a clone, which shares them |
    ///
    /// `scales` are one for all columns or one for each; `bias`, if any, is one for each.
    ///
    /// # Errors
    /// [`Error::Length`] for a wrong number of scales or biases, [`Error::NotFinite`] where one
    /// is NaN or infinite, [`Error::OutOfMemory`]; those of [`PackedWeights::pack`].
    pub fn new(
        weights: impl TryInto<PackedWeights, Error: Into<Error>>,
        scales: &[f32],
        bias: Option<&[f32]>,
    ) -> Result<Self, Error> {
        let weights = weights.try_into().map_err(Into::into)?;
        let expected = weights.n();
        if scales.len() != 1 {
            let each = "one for each column, or one for all";
            same_length("scales", each, scales.len(), expected)?;
        }
        if let Some(bias) = bias {
            same_length("biases", EACH_COLUMN, bias.len(), expected)?;
        }
        finite("scale", scales)?;
        finite("bias", bias.unwrap_or(&[]))?;
        Ok(Linear {
            weights,
            scales: vector(scales.iter().copied())?,
            bias: match bias {
                Some(bias) => vector(bias.iter().copied())?,
                None => zeros(expected)?,
            },
            isa: Isa::best(),
            caches: CacheSizes::detect(),
        })
    }

    /// The same layer on another instruction set, which makes the same bits.
    ///
    /// # Errors
    /// [`Error::Isa`] when the CPU lacks it.
    pub fn on(self, isa: Isa) -> Result<Self, Error> {
        if isa.is_available() {
            Ok(Linear { isa, ..self })
        } else {
            Err(Error::Isa(MissingIsa(isa)))
        }
    }

    /// Its weights, packed: for another layer, or to be stored.
    pub fn weights(&self) -> &PackedWeights {
        &self.weights
    }

    /// Bytes of [`Linear::scratch`].
    ///
    /// # Errors
    /// [`Error::Oversized`] for more rows than can be addressed.
    pub fn scratch_bytes(&self, rows: usize, threads: usize) -> Result<usize, Error> {
        self.bytes_for(rows, threads, true)
    }

    /// The same where all rows are bytes, which is much less; for [`Scratch::of_bytes`].
    ///
    /// # Errors
    /// As [`Linear::scratch_bytes`].
    pub fn scratch_bytes_for_bytes(&self, rows: usize, threads: usize) -> Result<usize, Error> {
        self.bytes_for(rows, threads, false)
    }

    fn bytes_for(&self, rows: usize, threads: usize, floats: bool) -> Result<usize, Error> {
        // Fewer rows may take another tile, of more panels, which needs more room: of all tiles the
        // most. Each of the team has room, however a call is shared out.
        tiles(self.isa).iter().try_fold(0, |most, &tile| {
            let recipe = Recipe::of(tile, Split::ONE, self.shape(rows), self.isa, &self.caches);
            let plan = Plan::new(self.shape(rows), self.isa, recipe)?;
            Ok(plan.bytes_of_members(threads.max(1), floats).max(most))
        })
    }

    /// Room for calls of up to `rows` rows on a team of `threads`; of a larger team at least so many
    /// multiply.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], and [`Error::Oversized`] for more rows than can be addressed.
    pub fn scratch(&self, rows: usize, threads: usize) -> Result<Scratch, Error> {
        Scratch::of_bytes(self.scratch_bytes(rows, threads)?)
    }

    /// Computes `y` from any number of rows: a matrix of floats, or an [`Lhs`].
    ///
    /// # Errors
    /// Those of [`Plan::run`]: [`Error::Scratch`] when `scratch` was made for fewer rows,
    /// [`Error::Length`] when there are not as many scales or zero points of the rows as rows.
    pub fn run<'x>(
        &self,
        x: impl Into<Lhs<'x>>,
        y: MatrixMut<'_, f32>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.run_then(x, Store, y, scratch, team)
    }

    /// Like [`Linear::run`], but what is written is what `next` makes of `y`: an activation, a
    /// residual added, bytes for the next layer, or several of them.
    ///
    /// # Errors
    /// As there, and those of `next`.
    pub fn run_then<'x, O: Output<f32>>(
        &self,
        x: impl Into<Lhs<'x>>,
        next: O,
        y: MatrixMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let x = x.into();
        let scales = match *self.scales {
            [one] => Scales::All(one),
            _ => Scales::Each(&self.scales),
        };
        let output = Dequantise { scales }.then(Bias(&self.bias)).then(next);
        let recipe = self.recipe(x.rows(), team.size());
        let plan = Plan::new(self.shape(x.rows()), self.isa, recipe)?;
        plan.run(x, &self.weights, &output, y, scratch, team)
    }

    /// The recipe of a call with so many rows on a team of `threads`.
    pub fn recipe(&self, rows: usize, threads: usize) -> Recipe {
        Recipe::estimate(self.shape(rows), self.isa, &self.caches, threads)
    }

    fn shape(&self, rows: usize) -> Shape {
        Shape { m: rows, n: self.weights.n(), k: self.weights.k() }
    }
}

fn finite(what: &'static str, values: &[f32]) -> Result<(), Error> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NotFinite { what, index, given: values[index] }),
        None => Ok(()),
    }
}
