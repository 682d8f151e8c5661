//! Numbers as whole multiples of a small one, so that no order of adding them changes the sum.
//!
//! A value is split in two whole numbers, `v = high 2^-a + low 2^-b`, and the rest, less than half
//! of `2^-b`, is left out. Whole numbers add up exactly: a sum has the same bits in whatever order,
//! by however many threads, from whichever parts it comes about, and adding a value and taking it
//! away again leaves nothing behind.
//!
//! With `B` the largest magnitude times the sum of all weights, which no sum exceeds, `a` is such
//! that `B 2^a < 2^51`, and `b - a = min(51, 61 - log2 n)`, so that `n` low parts cannot overflow
//! 63 bits. A value is thus off by at most `B` times 2^-93 for a million points, which is `2^-73` of
//! the largest value; a sum in `f64` rounds every time by up to `2^-53` of itself. Whole numbers
//! below `2^51 / B` are exact.

/// Most bits of a part of one value: as many as the conversion below is exact for.
const BITS: i32 = 51;

/// Values are scaled up by no more than this power of two: those below `1e-288` lose bits.
const MOST: i32 = 1007 - BITS;

/// Adding this leaves a whole number below `2^51` in the low bits of the sum, which is how `f64`
/// becomes `i64` where there is no instruction for it.
const WHOLE: f64 = (3u64 << 51) as f64;

/// Into which whole numbers values are split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    up: [f64; 2],
    down: [f64; 2],
}

impl Scale {
    /// For `n` values whose magnitudes add up to less than `bound`.
    pub(super) fn new(bound: f64, n: usize) -> Scale {
        // One more than the exponent, and one for the rounding of the bound.
        let exponent = (bound.to_bits() >> 52) as i32 - 1023 + 2;
        let high = (BITS - exponent).min(MOST);
        let low = high + (61 - n.max(1).ilog2() as i32 - 1).min(BITS);
        Scale { up: [power(high), power(low)], down: [power(-high), power(-low)] }
    }

    /// The two parts of a value.
    #[inline(always)]
    pub(super) fn split(&self, value: f64) -> [i64; 2] {
        let high = value * self.up[0] + WHOLE;
        let rest = value - (high - WHOLE) * self.down[0];
        let low = rest * self.up[1] + WHOLE;
        [high, low].map(|part| part.to_bits().wrapping_sub(WHOLE.to_bits()) as i64)
    }

    /// What two sums of parts come to.
    #[inline(always)]
    pub(super) fn joined(&self, [high, low]: [i64; 2]) -> f64 {
        high as f64 * self.down[0] + low as f64 * self.down[1]
    }
}

/// `2^exponent`, in the normal range.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_out_the_same_in_any_order_and_close() {
        for scale in [1e-250, 1e-30, 1.0, 255.0, 1e30, 1e115] {
            let n = 10_000usize;
            let value = |i: usize| scale * ((i * 7919 % n) as f64 / n as f64 - 0.5).powi(3);
            let fixed = Scale::new(scale / 8.0 * n as f64, n);
            let sum = |order: &mut dyn Iterator<Item = usize>| {
                let add = |[h, l]: [i64; 2], i| {
                    let [high, low] = fixed.split(value(i));
                    [h + high, l + low]
                };
                order.fold([0; 2], add)
            };
            let forwards = sum(&mut (0..n));
            assert_eq!(forwards, sum(&mut (0..n).rev()));
            let plain: f64 = (0..n).map(value).sum();
            assert!((fixed.joined(forwards) - plain).abs() <= 1e-12 * scale, "{scale}");
        }
    }

    #[test]
    fn the_largest_sums_there_can_be_do_not_overflow() {
        for n in [1usize, 2, 3, 1 << 20, (1 << 31) - 1, 1 << 40] {
            for most in [1e-300, 1.0, 1.5, 255.0, 1e115] {
                let fixed = Scale::new(most * n as f64, n);
                for value in [most, -most, most * (1.0 - f64::EPSILON), most / 3.0] {
                    let [high, low] = fixed.split(value).map(i128::from);
                    let n = n as i128;
                    assert!((high * n).abs() <= 1 << 52 && (low * n).abs() < 1 << 62);
                    let whole = fixed.split(value);
                    let off = (fixed.joined(whole) - value).abs();
                    assert!(off <= value.abs() * 1e-15, "{value} of {n}: off by {off}");
                }
            }
        }
    }

    #[test]
    fn whole_numbers_are_exact() {
        let fixed = Scale::new(255.0 * 1e6, 1_000_000);
        let sum = (0..1000).map(|i| fixed.split(f64::from(i % 256))).fold([0; 2], |a, b| {
            assert_eq!(b[1], 0);
            [a[0] + b[0], a[1] + b[1]]
        });
        assert_eq!(fixed.joined(sum), (0..1000).map(|i| f64::from(i % 256)).sum::<f64>());
        assert_eq!(Scale::new(0.0, 5).split(0.0), [0, 0]);
    }
}
