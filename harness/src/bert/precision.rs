//! What layers multiply with: floats, or bytes over ranges found as they go or beforehand.

use super::Error;

/// How the linear layers of an encoder multiply, and with bytes attention
/// ([`in_bytes`](tilewise::attention::Attention::in_bytes)). Softmax, layer norms and the sums along
/// the residual stream are in 32-bit floats with all of them.
#[derive(Clone, Copy, Debug)]
pub enum Precision<'a> {
    /// 32-bit floats.
    Fp32,
    /// Bytes: weights over the range of each output, inputs over that of each token, found as it
    /// comes. What becomes of a sentence depends on that sentence alone.
    Int8,
    /// Bytes, with inputs over one range for each layer, found beforehand: faster by the search
    /// for ranges, and worse where what comes is not what they were found on.
    Int8Static(&'a Ranges),
}

impl Precision<'_> {
    /// Its name on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Fp32 => "fp32",
            Precision::Int8 => "int8",
            Precision::Int8Static(_) => "int8-static",
        }
    }
}

/// The least and the greatest input of every linear layer, from
/// [`Encoder::calibrate`](super::Encoder::calibrate).
#[derive(Clone, Debug, PartialEq)]
pub struct Ranges(Vec<[f32; 2]>);

impl Ranges {
    /// Nothing seen yet by so many linear layers.
    pub(super) fn of(linears: usize) -> Ranges {
        Ranges(vec![[0.0; 2]; linears])
    }

    /// Widens a layer's range by what it is given.
    pub(super) fn see(&mut self, linear: usize, input: &[f32]) {
        let [low, high] = &mut self.0[linear];
        for &value in input {
            *low = low.min(value);
            *high = high.max(value);
        }
    }

    /// The range of a layer.
    pub(super) fn get(&self, linear: usize) -> [f32; 2] {
        self.0[linear]
    }

    /// Whether they were found on such a model.
    pub(super) fn check(&self, linears: usize) -> Result<(), Error> {
        if self.0.len() == linears {
            return Ok(());
        }
        Err(Error::Ranges { given: self.0.len(), expected: linears })
    }
}
