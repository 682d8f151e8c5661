//! Powers of e and 2 whose exponents are not above zero, as softmax needs them.

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

/// `255 * 2^x` for `x <= 0` as a whole number, to within 0.52. Zero for NaN.
///
/// As in [`exp`], with a polynomial for `255 * 2^r`, `|r| <= 1/2`, of no more terms than a byte can
/// tell: it is right to within 7.5e-5 of its size.
#[inline(always)]
pub(super) fn power_in_255ths(x: f32) -> u32 {
    const POLYNOMIAL: [f32; 4] = [14.068_775, 61.865_837, 176.781_56, 254.981_66];
    /// From here down it is zero.
    const LEAST: f32 = -20.0;
    let x = if x > LEAST { x } else { LEAST };
    let shifted = x + SHIFT;
    let r = x - (shifted - SHIFT);
    let mut power = POLYNOMIAL[0];
    for coefficient in &POLYNOMIAL[1..] {
        power = power * r + coefficient;
    }
    // What stands above the whole number is shifted out.
    let power = f32::from_bits(power.to_bits().wrapping_add(shifted.to_bits() << 23));
    (power + SHIFT).to_bits() & 0xff
}

#[cfg(test)]
mod tests {
    use super::{exp, power_in_255ths};

    #[test]
    fn powers_are_rounded_to_the_nearest_but_for_little() {
        for i in 0..=2_500_000 {
            let x = -(i as f32) * 1e-5;
            let error = f64::from(power_in_255ths(x)) - 255.0 * f64::from(x).exp2();
            assert!(error.abs() < 0.52, "{x}: {error}");
        }
        assert_eq!(power_in_255ths(0.0), 255);
        for nothing in [f32::NEG_INFINITY, -1e30, f32::NAN] {
            assert_eq!(power_in_255ths(nothing), 0);
        }
    }

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
