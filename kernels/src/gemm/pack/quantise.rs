//! Weights of floats as bytes: every column over its own range, zero in its middle.
//!
//! Instruction sets without a dot product of bytes have a fast sum of two products that saturates
//! (`survey` has the arithmetic). It can be used where two neighbours are not both near an end,
//! which the finest scale of a column does not see to: [`Fit`] says which scale is wanted.

use super::PackedWeights;
use crate::buffer::{Buffer, vector, zeros};
use crate::gemm::Error;
use crate::matrix::Matrix;
use crate::rows::{END, signed};
use alloc::vec::Vec;
use core::ops::Range;

/// What takes the greatest byte of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fit {
    /// The greatest size in it: the finest scale there is.
    Weights,
    /// The greatest size that the positive or the negative ones of two neighbours add up to:
    /// depths 0 and 1, 2 and 3 and so on. Then no pair of products saturates 16 bits, and CPUs
    /// without a dot product of bytes multiply by the faster tile (AVX2: 1.2 times as fast).
    /// Scales are greater, by 1.1 to 1.3 in the layers of BERT models, and equal on all CPUs.
    Pairs,
}

impl Fit {
    /// What counts of a weight and its neighbour, or of a last one and 0; half of it, for the sum
    /// of two may be past all floats.
    fn half_size(self, a: f32, b: f32) -> f32 {
        let (a, b) = (a / 2.0, b / 2.0);
        match self {
            Fit::Weights => greater(a.abs(), b.abs()),
            Fit::Pairs => greater(a.max(0.0) + b.max(0.0), -(a.min(0.0) + b.min(0.0))),
        }
    }
}

impl PackedWeights {
    /// Makes bytes of `weights`, a matrix of `k` rows (depths) and `n` columns, packs them, and
    /// gives the scale of each column beside them:
    ///
    /// ```text
    /// scale   what fit says of the column / 127, at least f32::MIN_POSITIVE
    /// byte    round(weight * (1 / scale)), in -127..=127
    /// ```
    ///
    /// with ties rounded to even. So a weight is off by at most half a scale, zero stays zero, and
    /// there are no zero points.
    ///
    /// ```
    /// use tilewise::{Matrix, gemm::{Fit, Linear, PackedWeights}};
    /// let weights = Matrix::new(&[1.0, -0.5, 0.0, 0.25], 2, 2)?;
    /// let (packed, scales) = PackedWeights::quantise(weights, Fit::Weights)?;
    /// assert_eq!(scales, [1.0 / 127.0, 0.5 / 127.0]);
    /// let linear = Linear::new(packed, &scales, None)?;
    /// # let _ = linear;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WeightNotFinite`] for a weight that is NaN or infinite; [`Error::OutOfMemory`].
    pub fn quantise(weights: Matrix<'_, f32>, fit: Fit) -> Result<(Self, Vec<f32>), Error> {
        all_finite(weights)?;
        let mut scales: Vec<f32> = zeros(weights.cols())?;
        for row in rows(weights).step_by(2) {
            let next = (row + 1 < weights.rows()).then(|| weights.row(row + 1));
            for (column, &weight) in weights.row(row).iter().enumerate() {
                let neighbour = next.map_or(0.0, |next| next[column]);
                scales[column] = greater(scales[column], fit.half_size(weight, neighbour));
            }
        }
        scales.iter_mut().for_each(|half| *half = scale(*half));
        let inverses = vector(scales.iter().map(|scale| 1.0 / scale))?;
        let bytes = bytes(weights, |_, row, bytes| {
            for ((byte, &weight), &inverse) in bytes.iter_mut().zip(row).zip(&inverses) {
                *byte = signed(weight, inverse) as i8;
            }
        })?;
        Ok((Self::pack(as_given(&bytes, weights))?, scales))
    }

    /// Like [`PackedWeights::quantise`] for weights that are stored column by column: a matrix of
    /// `n` rows, each one column of `k` depths.
    ///
    /// # Errors
    /// As there.
    pub fn quantise_transposed(
        weights: Matrix<'_, f32>,
        fit: Fit,
    ) -> Result<(Self, Vec<f32>), Error> {
        all_finite(weights)?;
        let mut scales: Vec<f32> = zeros(weights.rows())?;
        let size = |pair: &[f32]| fit.half_size(pair[0], *pair.get(1).unwrap_or(&0.0));
        for (row, to) in scales.iter_mut().enumerate() {
            *to = scale(weights.row(row).chunks(2).map(size).fold(0.0, greater));
        }
        let bytes = bytes(weights, |index, row, bytes| {
            let inverse = 1.0 / scales[index];
            for (byte, &weight) in bytes.iter_mut().zip(row) {
                *byte = signed(weight, inverse) as i8;
            }
        })?;
        Ok((Self::pack_transposed(as_given(&bytes, weights))?, scales))
    }
}

/// The rows that hold something: without columns there may be more than can be counted through.
fn rows(weights: Matrix<'_, f32>) -> Range<usize> {
    0..if weights.cols() > 0 { weights.rows() } else { 0 }
}

fn all_finite(weights: Matrix<'_, f32>) -> Result<(), Error> {
    for row in rows(weights) {
        if let Some(column) = weights.row(row).iter().position(|weight| !weight.is_finite()) {
            let given = weights.row(row)[column];
            return Err(Error::WeightNotFinite { row, column, given });
        }
    }
    Ok(())
}

fn greater(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

/// From half of the greatest size.
fn scale(half: f32) -> f32 {
    greater(f32::MIN_POSITIVE, half / (END as f32 / 2.0))
}

/// What `fill` makes of every row, directly behind each other.
fn bytes(
    weights: Matrix<'_, f32>,
    fill: impl Fn(usize, &[f32], &mut [i8]),
) -> Result<Buffer<i8>, Error> {
    let mut bytes = Buffer::zeroed(weights.rows().saturating_mul(weights.cols()))?;
    for (index, row) in bytes.chunks_exact_mut(weights.cols().max(1)).enumerate() {
        fill(index, weights.row(index), row);
    }
    Ok(bytes)
}

fn as_given<'a>(bytes: &'a [i8], weights: Matrix<'_, f32>) -> Matrix<'a, i8> {
    Matrix::new(bytes, weights.rows(), weights.cols()).expect("a byte was made of each weight")
}
