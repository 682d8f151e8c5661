//! Weights of floats as bytes: every column over its own range, zero in its middle.

use super::PackedWeights;
use crate::buffer::{Buffer, OutOfMemory};
use crate::gemm::Error;
use crate::matrix::Matrix;
use crate::rows::nearest;
use alloc::vec::Vec;
use core::ops::Range;

/// The greatest byte. Its negative is the least: -128 is left out, so that a column and its
/// negative have the same bytes but for their signs.
const END: i32 = 127;

impl PackedWeights {
    /// Makes bytes of `weights`, a matrix of `k` rows (depths) and `n` columns, packs them, and
    /// gives the scale of each column beside them:
    ///
    /// ```text
    /// scale   the greatest size in the column / 127, at least f32::MIN_POSITIVE
    /// byte    round(weight * (1 / scale)), in -127..=127
    /// ```
    ///
    /// with ties rounded to even. So a weight is off by at most half a scale, zero stays zero, and
    /// there are no zero points.
    ///
    /// ```
    /// use tilewise::{Matrix, gemm::{Linear, PackedWeights}};
    /// let weights = Matrix::new(&[1.0, -0.5, 0.0, 0.25], 2, 2)?;
    /// let (packed, scales) = PackedWeights::quantise(weights)?;
    /// assert_eq!(scales, [1.0 / 127.0, 0.5 / 127.0]);
    /// let linear = Linear::new(packed, &scales, None)?;
    /// # let _ = linear;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a weight that is NaN or infinite, counted row by row;
    /// [`Error::OutOfMemory`].
    pub fn quantise(weights: Matrix<'_, f32>) -> Result<(Self, Vec<f32>), Error> {
        all_finite(weights)?;
        let mut scales = zeros(weights.cols())?;
        for row in rows(weights) {
            for (largest, &weight) in scales.iter_mut().zip(weights.row(row)) {
                *largest = greater(*largest, weight.abs());
            }
        }
        scales.iter_mut().for_each(|largest| *largest = scale(*largest));
        let inverses: Vec<f32> = scales.iter().map(|scale| 1.0 / scale).collect();
        let bytes = bytes(weights, |_, row, bytes| {
            for ((byte, &weight), &inverse) in bytes.iter_mut().zip(row).zip(&inverses) {
                *byte = quantise(weight, inverse);
            }
        })?;
        Ok((Self::pack(as_given(&bytes, weights))?, scales))
    }

    /// Like [`PackedWeights::quantise`] for weights that are stored column by column: a matrix of
    /// `n` rows, each one column of `k` depths.
    ///
    /// # Errors
    /// As there.
    pub fn quantise_transposed(weights: Matrix<'_, f32>) -> Result<(Self, Vec<f32>), Error> {
        all_finite(weights)?;
        let mut scales = zeros(weights.rows())?;
        for (row, to) in scales.iter_mut().enumerate() {
            *to = scale(weights.row(row).iter().fold(0.0, |most, x| greater(most, x.abs())));
        }
        let bytes = bytes(weights, |index, row, bytes| {
            let inverse = 1.0 / scales[index];
            for (byte, &weight) in bytes.iter_mut().zip(row) {
                *byte = quantise(weight, inverse);
            }
        })?;
        Ok((Self::pack_transposed(as_given(&bytes, weights))?, scales))
    }
}

fn zeros(len: usize) -> Result<Vec<f32>, OutOfMemory> {
    let mut zeros = Vec::new();
    let bytes = len.saturating_mul(size_of::<f32>());
    zeros.try_reserve_exact(len).map_err(|_| OutOfMemory { bytes })?;
    zeros.resize(len, 0.0);
    Ok(zeros)
}

/// The rows that hold something: without columns there may be more than can be counted through.
fn rows(weights: Matrix<'_, f32>) -> Range<usize> {
    0..if weights.cols() > 0 { weights.rows() } else { 0 }
}

fn all_finite(weights: Matrix<'_, f32>) -> Result<(), Error> {
    for row in rows(weights) {
        if let Some(column) = weights.row(row).iter().position(|weight| !weight.is_finite()) {
            let (index, given) = (row * weights.cols() + column, weights.row(row)[column]);
            return Err(Error::NotFinite { what: "weight", index, given });
        }
    }
    Ok(())
}

fn greater(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

fn scale(largest: f32) -> f32 {
    greater(f32::MIN_POSITIVE, largest / END as f32)
}

fn quantise(weight: f32, inverse: f32) -> i8 {
    nearest(weight * inverse, -END..=END) as i8
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
