//! Floats to bytes: the one rounding rule, and the range of a row.

use core::ops::RangeInclusive;

/// 1.5 * 2^23. Numbers up to 2^22 in size, added to it, are rounded to whole ones, ties to even,
/// and stand in the low bits of the sum.
const SHIFT: f32 = 12_582_912.0;

/// The whole number nearest to `value` clamped to `range`, ties to even. What is no number
/// becomes the start of the range.
#[inline(always)]
pub(crate) fn nearest(value: f32, range: RangeInclusive<i32>) -> i32 {
    let (low, high) = (*range.start() as f32, *range.end() as f32);
    // Clamping first does not change the result, for the ends are whole.
    let value = if value > low { value } else { low };
    let value = if value < high { value } else { high };
    (value + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

/// What the bytes of a quantised row mean: `scale * (byte - zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bytes {
    pub(crate) scale: f32,
    pub(crate) zero_point: i32,
    inverse: f32,
}

impl Bytes {
    /// Those that quantise a row over just its own range:
    ///
    /// ```text
    /// low, high   the least and the greatest of the row and 0
    /// scale       high / 255 - low / 255, at least the smallest normal number
    /// zero point  nearest(-low * (1 / scale)), in 0..=255
    /// ```
    ///
    /// A row that holds a NaN or an infinity has no range; its scale is NaN.
    #[inline(always)]
    pub(crate) fn of(row: &[f32]) -> Bytes {
        let (low, high) = range(row);
        let scale = high / 255.0 - low / 255.0;
        let scale = if scale < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { scale };
        let inverse = 1.0 / scale;
        Bytes { scale, zero_point: nearest(-low * inverse, 0..=255), inverse }
    }

    /// `nearest(value * (1 / scale)) + zero_point`, in `0..=255`; zeros for a row without range.
    #[inline(always)]
    pub(crate) fn quantise(self, row: &[f32], bytes: &mut [u8]) {
        let zero = self.zero_point;
        for (byte, &value) in bytes.iter_mut().zip(row) {
            *byte = (nearest(value * self.inverse, -zero..=255 - zero) + zero) as u8;
        }
    }
}

/// The least and the greatest of 0 and the numbers of `row`, or twice NaN when not all are finite.
///
/// Read as integers, positive floats stand in order above zero, and read as unsigned ones,
/// negative floats stand in order of size above all positive ones; beyond the infinities stand
/// those that are no numbers. So two integer maxima find the range, and whether it is one.
#[inline(always)]
fn range(row: &[f32]) -> (f32, f32) {
    let (mut low, mut high) = ((-0.0f32).to_bits(), 0i32);
    for value in row {
        low = low.max(value.to_bits());
        high = high.max(value.to_bits().cast_signed());
    }
    let (low, high) = (f32::from_bits(low), f32::from_bits(high.cast_unsigned()));
    if low.is_finite() && high.is_finite() { (low, high) } else { (f32::NAN, f32::NAN) }
}
