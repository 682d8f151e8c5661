//! Numbers as whole multiples of a small one, so that no order of adding them changes the sum.
//!
//! A value is split in two whole numbers, `v = (high + low 2^-p) 2^-a`, and the rest, at most half
//! of `2^-(a + p)`, is left out. Whole numbers add up exactly: a sum has the same bits in whatever
//! order, by however many threads, from whichever parts it comes about, and adding a value and
//! taking it away again leaves nothing behind.
//!
//! With `B` the largest magnitude times the sum of all weights, which no sum exceeds, `a` is such
//! that `2^49 <= B 2^a < 2^50`, and `p = min(51, 60 - log2 n)`, so that `n` low parts cannot
//! overflow 63 bits. A value is thus off by at most `B` times `2^-91` for a million points, which is
//! `2^-71` of the largest value if all weigh the same; a sum in `f64` rounds every time by up to
//! `2^-53` of itself. So what is some `10^21` times smaller than the largest value is lost, and so is
//! what weighs `10^28` times less than all points together; bits are lost from `2^-18` of the one and
//! `2^-38` of the other on. Whole numbers are exact where `B` is below `2^49`.
//!
//! Every feature has an `a` of its own: one that is as large as `10^30` takes no bits from the
//! tenths of another. `p` depends on `n` alone.

use alloc::vec::Vec;

/// Most bits of a part of one value: as many as the conversion below is exact for.
const BITS: i32 = 51;

/// The largest power of two that is a number, less one that may be turned over.
const MOST: i32 = 1022;

/// Adding this leaves a whole number below `2^51` in the low bits of the sum, which is how `f64`
/// becomes `i64` where there is no instruction for it.
const WHOLE: f64 = (3u64 << 51) as f64;

/// Into which whole numbers values of several kinds are split.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scales {
    /// `2^a` of each kind.
    high: Vec<f64>,
    /// The same turned over.
    unit: Vec<f64>,
    /// `2^p`, and turned over.
    low: [f64; 2],
}

impl Scales {
    /// For `n` values of each kind, whose magnitudes add up to less than the bound of the kind.
    pub(super) fn new(bounds: impl Iterator<Item = f64>, n: usize) -> Scales {
        let exponent = |bound: f64| {
            // One more than the exponent, and one for the rounding of the bound.
            let above = (bound.to_bits() >> 52) as i32 - 1023 + 2;
            (BITS - above).min(MOST)
        };
        let exponents: Vec<i32> = bounds.map(exponent).collect();
        let low = (60 - n.max(1).ilog2() as i32).min(BITS);
        Scales {
            high: exponents.iter().map(|&high| power(high)).collect(),
            unit: exponents.iter().map(|&high| power(-high)).collect(),
            low: [power(low), power(-low)],
        }
    }

    /// What to [`split`] by: `2^a` of each kind, and `2^p`.
    #[inline(always)]
    pub(super) fn powers(&self) -> (&[f64], f64) {
        (&self.high, self.low[0])
    }

    /// What sums of parts come to, one of each kind: `parts` are the higher ones of all kinds, then
    /// the lower ones.
    #[inline(always)]
    pub(super) fn join(&self, parts: &[i64], out: &mut [f64]) {
        let (high, low) = parts.split_at(out.len());
        for (out, ((&high, &low), unit)) in out.iter_mut().zip(high.iter().zip(low).zip(&self.unit))
        {
            *out = (high as f64 + low as f64 * self.low[1]) * unit;
        }
    }
}

/// The two parts of a value, by the `2^a` of its kind and `2^p`.
#[inline(always)]
pub(super) fn split(value: f64, (high, low): (f64, f64)) -> [i64; 2] {
    // Powers of two change no bits, and the difference is exact.
    let scaled = value * high;
    let high = scaled + WHOLE;
    let low = (scaled - (high - WHOLE)) * low + WHOLE;
    [high, low].map(|part| part.to_bits().wrapping_sub(WHOLE.to_bits()) as i64)
}

/// `2^exponent`, in the normal range.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of one kind.
    struct Scale(Scales);

    impl Scale {
        fn new(bound: f64, n: usize) -> Self {
            Scale(Scales::new([bound].into_iter(), n))
        }

        fn split(&self, value: f64) -> [i64; 2] {
            let (high, low) = self.0.powers();
            split(value, (high[0], low))
        }

        fn joined(&self, parts: [i64; 2]) -> f64 {
            let mut sum = [0.0];
            self.0.join(&parts, &mut sum);
            sum[0]
        }
    }

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
                    assert!((high * n).abs() <= 1 << 52 && (low * n).abs() < 1 << 61);
                    let whole = fixed.split(value);
                    let off = (fixed.joined(whole) - value).abs();
                    // Nobody has 2^40 points; two thousand million leave 49 bits.
                    assert!(off <= value.abs() * 4e-15 || n > 1 << 31, "{value:e} of {n}: {off:e}");
                }
            }
        }
    }

    #[test]
    fn every_kind_keeps_its_bits_beside_the_others() {
        let (n, kinds) = (1000, [1e30, 0.1, 1e-200, 0.0, 1e115]);
        let scales = Scales::new(kinds.iter().map(|most| most * n as f64), n);
        let (high, low) = scales.powers();
        let parts: Vec<[i64; 2]> =
            kinds.iter().zip(high).map(|(&value, &high)| split(value, (high, low))).collect();
        // As many of each as there may be.
        let sums = |part: usize| parts.iter().map(move |parts| parts[part] * n as i64);
        let sums: Vec<i64> = sums(0).chain(sums(1)).collect();
        let mut joined = [0.0; 5];
        scales.join(&sums, &mut joined);
        for (sum, value) in joined.iter().zip(kinds) {
            let off = (sum - value * n as f64).abs();
            assert!(off <= f64::EPSILON * value * n as f64, "{value:e}: {sum:e}");
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
