//! Three loops: what every other path must equal to the bit.

use super::{Dequantise, Lhs, Scales};
use crate::matrix::Matrix;

/// `sum over k of (a - za) * (b - zb)` for every element, in wrapping 32 bits. `zero_points` are
/// those of the weights' columns, none of them meaning that all are zero.
///
/// # Panics
/// When shapes do not match.
pub fn multiply(lhs: Lhs<'_>, weights: Matrix<'_, i8>, zero_points: &[i8], out: &mut [i32]) {
    let (m, n, k) = (lhs.rows(), weights.cols(), weights.rows());
    assert!(lhs.depth() == k && out.len() == m * n, "shapes do not match");
    for i in 0..m {
        for j in 0..n {
            let zero = zero_points.get(j).copied().map_or(0, i32::from);
            let mut sum = 0i32;
            for d in 0..k {
                let a = match lhs {
                    Lhs::U8 { values, zero_point } => {
                        i32::from(values.row(i)[d]) - i32::from(zero_point)
                    }
                    Lhs::I8 { values, zero_point } => {
                        i32::from(values.row(i)[d]) - i32::from(zero_point)
                    }
                };
                sum = sum.wrapping_add(a * (i32::from(weights.row(d)[j]) - zero));
            }
            out[i * n + j] = sum;
        }
    }
}

/// The formula of [`Dequantise`] for every one of `sums`, rows of `columns` each.
///
/// # Panics
/// When lengths do not match.
pub fn dequantise(sums: &[i32], columns: usize, how: &Dequantise<'_>, out: &mut [f32]) {
    assert!(out.len() == sums.len(), "lengths do not match");
    for (index, (out, &sum)) in out.iter_mut().zip(sums).enumerate() {
        let column = index % columns;
        let scale = match how.scales {
            Scales::Tensor(scale) => scale,
            Scales::Columns(scales) => scales[column],
        };
        let factor = how.lhs_scale * scale;
        let product = sum as f32 * factor;
        *out = how.bias.map_or(product, |bias| product + bias[column]);
    }
}
