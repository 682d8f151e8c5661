//! What all multiply, and what must come out: the same bytes that the workers make from the seed.

use tilewise::Matrix;
use tilewise::gemm::Shape;
use tilewise_harness::gemm::{Workload, reference};
use tilewise_harness::peers::entrant::Numbers;
use tilewise_harness::workload::{Check, random};

/// Operands of a shape, and the product with the first set of weights.
#[derive(Debug)]
pub(crate) struct Operands {
    pub(crate) shape: Shape,
    pub(crate) lhs: Vec<u8>,
    pub(crate) weights: Vec<Vec<i8>>,
    expected: Vec<i32>,
}

impl Operands {
    /// Weights of `kernel`, see [`weights`].
    pub(crate) fn new(
        kernel: &str,
        shape: Shape,
        seed: u64,
        copies: usize,
    ) -> Result<Self, String> {
        Workload::check(shape).map_err(|error| error.to_string())?;
        let Shape { m, k, n } = shape;
        let lhs = random::bytes(seed, 0, m * k);
        let set = |stream| weights(kernel, seed, stream, k * n);
        let weights: Vec<Vec<i8>> = (1..=copies as u64).map(set).collect();
        let mut expected = vec![0; m * n];
        let mut operands = Operands { shape, lhs, weights, expected: Vec::new() };
        reference(operands.rows(), operands.set(0), &mut expected);
        operands.expected = expected;
        Ok(operands)
    }

    /// The left operand.
    pub(crate) fn rows(&self) -> Matrix<'_, u8> {
        Matrix::new(&self.lhs, self.shape.m, self.shape.k).expect("m x k bytes were made")
    }

    /// A set of weights.
    pub(crate) fn set(&self, copy: usize) -> Matrix<'_, i8> {
        Matrix::new(&self.weights[copy], self.shape.k, self.shape.n).expect("k x n were made")
    }

    /// Sums must be equal to the bit. Floats may be off by what rounding k products of bytes and
    /// their sums can do at most: k units in the last place of the sum of their sizes.
    pub(crate) fn judge(&self, numbers: &Numbers) -> Check {
        const REFERENCE: &str = "three loops";
        match numbers {
            Numbers::I32(sums) => Check::compare(REFERENCE, sums, &self.expected, 0.0),
            Numbers::F32(values) => {
                let expected: Vec<f32> = self.expected.iter().map(|&sum| sum as f32).collect();
                let k = self.shape.k as f64;
                let largest = k * 255.0 * 128.0;
                let tolerance = k * f64::from(f32::EPSILON) / 2.0 * largest;
                Check::compare(REFERENCE, values, &expected, tolerance)
            }
            Numbers::F64(_) => Check::compare(REFERENCE, &[], &self.expected, 0.0),
        }
    }
}

/// The kernel whose weights have all eight bits.
pub(crate) const EIGHT_BITS: &str = "gemm-8bit";

/// Weights of seven bits, as quantisers make them for CPUs whose products of bytes saturate: with
/// eight, libraries that take no care are wrong there, and a wrong result gets no time. Those of
/// [`EIGHT_BITS`] show who does take care.
pub(crate) fn weights(kernel: &str, seed: u64, stream: u64, len: usize) -> Vec<i8> {
    let less = if kernel == EIGHT_BITS { 0 } else { 1 };
    let bytes = random::bytes(seed, stream, len).into_iter();
    bytes.map(|byte| byte.cast_signed() >> less).collect()
}
