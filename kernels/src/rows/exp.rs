//! The exponential function of what is not above zero, as softmax needs it.

/// 1.5 * 2^23: added to a small number, it leaves the nearest whole number in the low bits.
const SHIFT: f32 = 12_582_912.0;

/// The least number whose exponential is a normal number; below it, that of this one is taken.
const LEAST: f32 = -87.0;

/// `e^x` for `x <= 0`, to within 2e-7 of its size; at least `e^-87`. NaN stays NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`, a polynomial for `e^r`, and `n` added to the exponent.
/// The constants are those of the Cephes library's `expf`: `ln 2` in two parts, of which the first
/// times `n` is exact, and a polynomial for `(e^r - 1 - r) / r^2`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const HIGH: f32 = 0.693_359_4;
    const LOW: f32 = -2.121_944_4e-4;
    const TAIL: [f32; 6] =
        [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let x = if x < LEAST { LEAST } else { x };
    let shifted = x * core::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = x - n * HIGH - n * LOW;
    let mut tail = TAIL[0];
    for coefficient in &TAIL[1..] {
        tail = tail * r + coefficient;
    }
    let power = tail * (r * r) + r + 1.0;
    // The whole number stands in the low bits of the shifted one; a shift moves it to where the
    // exponent is and all above it out.
    let whole = shifted.to_bits().wrapping_sub(SHIFT.to_bits());
    f32::from_bits(power.to_bits().wrapping_add(whole << 23))
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn it_is_close_to_the_exact_one() {
        let mut worst = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
        }
        assert!(worst < 2e-7, "{worst:e}");
    }

    #[test]
    fn ends_are_what_they_should_be() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), exp(-87.0));
        assert!(exp(-1000.0) < 2e-38 && exp(-1000.0) > 0.0);
        assert!(exp(f32::NAN).is_nan());
    }
}
