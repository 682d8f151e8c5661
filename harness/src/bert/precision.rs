//! What layers multiply with: floats, or bytes over ranges found as they go or beforehand.

use super::Ranges;

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
