//! Softmax of a row, all but its last division.

use super::exp::{exp, power_in_255ths};
use super::lanes::{LANES, greatest, total};

/// Makes `exp(scale * (x - greatest))` of every number of a row and gives the sum of them, by
/// which they are yet to be divided: whoever multiplies the row by something may divide the few
/// products instead. `scale` is above zero.
///
/// A NaN in the row makes the sum NaN.
#[inline(always)]
pub(crate) fn softmax(row: &mut [f32], scale: f32) -> f32 {
    let most = greatest(row);
    let (whole, rest) = row.as_chunks_mut::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in whole {
        for i in 0..LANES {
            chunk[i] = exp((chunk[i] - most) * scale);
            lanes[i] += chunk[i];
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *value = exp((*value - most) * scale);
        *lane += *value;
    }
    total(lanes)
}

/// The same in 255ths, as bytes; the sum is that of the bytes. A NaN is taken for nothing, and so
/// is minus infinity, which rows may be filled up with.
#[inline(always)]
pub(crate) fn softmax_bytes(row: &[[f32; LANES]], scale: f32, bytes: &mut [[u8; LANES]]) -> u32 {
    let most = greatest(row.as_flattened());
    let scale = scale * core::f32::consts::LOG2_E;
    let mut lanes = [0; LANES];
    for (to, chunk) in bytes.iter_mut().zip(row) {
        let mut weights = [0; LANES];
        for i in 0..LANES {
            weights[i] = power_in_255ths((chunk[i] - most) * scale);
        }
        for i in 0..LANES {
            lanes[i] += weights[i];
        }
        for i in 0..LANES {
            to[i] = weights[i] as u8;
        }
    }
    lanes.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::softmax;
    use alloc::vec::Vec;

    #[test]
    fn shares_are_those_of_the_definition() {
        for len in [1, 2, 15, 16, 17, 100] {
            let values: Vec<f32> = (0..len).map(|i| ((i * 37) % 23) as f32 - 11.0).collect();
            let mut row = values.clone();
            let sum = softmax(&mut row, 0.25);
            let powers: Vec<f64> = values.iter().map(|x| (f64::from(*x) * 0.25).exp()).collect();
            let all: f64 = powers.iter().sum();
            for (value, power) in row.iter().zip(&powers) {
                let (given, exact) = (f64::from(value / sum), power / all);
                assert!((given - exact).abs() <= 1e-6 * exact, "{given} for {exact}");
            }
        }
        assert!(softmax(&mut [0.0, f32::NAN, 1.0], 1.0).is_nan());
    }
}
