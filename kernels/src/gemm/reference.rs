//! Three loops, and formulas for one number: what every other path must equal to the bit.

use super::lhs::{Stored, Values};
use super::{Byte, Lhs};
use crate::matrix::Matrix;
use crate::rows;
use alloc::vec;

/// `sum over k of (a - za) * (b - zb)` for every element, in wrapping 32 bits. `zero_points` are
/// those of the weights' columns: one for each, one for all, or none, which means that all are zero.
/// Floats on the left are [quantised](quantise) first.
///
/// # Panics
/// When shapes do not match, the number of zero points among them.
pub fn multiply(lhs: Lhs<'_>, weights: Matrix<'_, i8>, zero_points: &[i8], out: &mut [i32]) {
    let (m, n, k) = (lhs.rows(), weights.cols(), weights.rows());
    assert!(lhs.depth() == k && out.len() == m * n, "shapes do not match");
    lhs.check().expect("zero points and scales of the rows");
    let given = zero_points.len();
    assert!(
        [0, 1, n].contains(&given),
        "{given} zero points of {n} columns; give {n}, one or none"
    );
    let zero_point = |column: usize| match *zero_points {
        [] => 0,
        [one] => one.into(),
        ref each => i32::from(each[column]),
    };
    let mut row = vec![0; k];
    for i in 0..m {
        row_less_zero_point(&lhs, i, &mut row);
        for j in 0..n {
            let zero = zero_point(j);
            let mut sum = 0i32;
            for d in 0..k {
                sum = sum.wrapping_add(row[d] * (i32::from(weights.row(d)[j]) - zero));
            }
            out[i * n + j] = sum;
        }
    }
}

/// What the bytes of a row mean, but for their scale.
fn row_less_zero_point(lhs: &Lhs<'_>, index: usize, row: &mut [i32]) {
    match lhs.values {
        Values::Bytes(rows, zeros) => {
            for (depth, to) in row.iter_mut().enumerate() {
                *to = i32::from(rows.byte(index, depth)) - zeros.at(index);
            }
        }
        Values::F32(Stored { values, transposed }) => {
            let (mut bytes, mut column) = (vec![0; row.len()], vec![0.0; row.len()]);
            let floats = if transposed {
                for (depth, to) in column.iter_mut().enumerate() {
                    *to = values.row(depth)[index];
                }
                &column
            } else {
                values.row(index)
            };
            let (_, zero) = quantise(floats, &mut bytes);
            for (to, byte) in row.iter_mut().zip(bytes) {
                *to = i32::from(byte) - i32::from(zero);
            }
        }
    }
}

/// Quantises a row of floats as [`Lhs::f32`] describes, and gives its scale and zero point.
///
/// # Panics
/// When there are not as many bytes as floats.
pub fn quantise(row: &[f32], bytes: &mut [u8]) -> (f32, u8) {
    assert_eq!(row.len(), bytes.len(), "a byte for each float");
    if !row.iter().all(|value| value.is_finite()) {
        bytes.fill(0);
        return (f32::NAN, 0);
    }
    let low = row.iter().fold(0.0, |low, &value| if value < low { value } else { low });
    let high = row.iter().fold(0.0, |high, &value| if value > high { value } else { high });
    let scale = (high / 255.0 - low / 255.0).max(f32::MIN_POSITIVE);
    let inverse = 1.0 / scale;
    let zero_point = round(-low * inverse).clamp(0, 255);
    for (byte, &value) in bytes.iter_mut().zip(row) {
        *byte = (round(value * inverse) + zero_point).clamp(0, 255) as u8;
    }
    (scale, zero_point as u8)
}

/// The formula of [`Dequantise`](super::Dequantise).
pub fn dequantise(sum: i32, row_scale: f32, column_scale: f32) -> f32 {
    sum as f32 * (row_scale * column_scale)
}

/// The formula of [`Requantise`](super::Requantise).
pub fn requantise<B: Byte>(value: f32, scale: f32, zero_point: B) -> B {
    if value.is_nan() {
        return B::new(*B::RANGE.start());
    }
    let byte = round(value * (1.0 / scale)) + Into::<i32>::into(zero_point);
    B::new(byte.clamp(*B::RANGE.start(), *B::RANGE.end()))
}

/// The formula of [`Gelu`](super::Gelu).
pub fn gelu(value: f32) -> f32 {
    rows::gelu(value)
}

/// The formula of [`GeluTanh`](super::GeluTanh).
pub fn gelu_tanh(value: f32) -> f32 {
    rows::gelu_tanh(value)
}

/// The nearest whole number, ties to even; far numbers and NaN become some far or near one.
fn round(value: f32) -> i32 {
    let whole = value.clamp(-1e6, 1e6) as i32;
    let rest = value.clamp(-1e6, 1e6) - whole as f32;
    let odd = whole % 2 != 0;
    let up = rest > 0.5 || (rest == 0.5 && odd);
    let down = rest < -0.5 || (rest == -0.5 && odd);
    whole + i32::from(up) - i32::from(down)
}
