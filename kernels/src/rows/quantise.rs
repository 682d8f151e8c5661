//! Floats to bytes: the one rounding rule, and the range of a row.

use crate::vector::{PANEL, window};
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
        Self::over(low, high)
    }

    /// Those of a row whose range this is.
    #[inline(always)]
    fn over(low: f32, high: f32) -> Bytes {
        let scale = high / 255.0 - low / 255.0;
        let scale = if scale < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { scale };
        let inverse = 1.0 / scale;
        Bytes { scale, zero_point: nearest(-low * inverse, 0..=255), inverse }
    }

    /// `nearest(value * (1 / scale)) + zero_point`, in `0..=255`; zeros for a row without range.
    #[inline(always)]
    pub(crate) fn quantise(self, row: &[f32], bytes: &mut [u8]) {
        for (byte, &value) in bytes.iter_mut().zip(row) {
            *byte = self.byte(value);
        }
    }

    /// The byte of a number. As [`nearest`], but clamped from above when it is a whole number: the bits of
    /// floats above zero grow as they do, up to infinity.
    #[inline(always)]
    pub(crate) fn byte(self, value: f32) -> u8 {
        let (value, low) = (value * self.inverse, -self.zero_point as f32);
        // What is no number becomes the lowest.
        let value = if value > low { value } else { low };
        let less = SHIFT.to_bits().wrapping_sub(self.zero_point.cast_unsigned());
        (value + SHIFT).to_bits().wrapping_sub(less).min(255) as u8
    }
}

/// The end of signed bytes. Its negative is the other: -128 is left out, so that numbers and their
/// negatives have the same bytes but for their signs.
pub(crate) const END: i32 = 127;

/// The signed byte of a number, of which the greatest in size becomes [`END`].
#[inline(always)]
pub(crate) fn signed(value: f32, inverse: f32) -> i32 {
    nearest(value * inverse, -END..=END)
}

/// The greatest sizes of the numbers in sixteen columns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Greatest([u32; PANEL]);

impl Greatest {
    /// Of sixteen rows, or fewer, beside each other.
    #[inline(always)]
    pub(crate) fn of_rows<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Greatest {
        let mut greatest = [0; PANEL];
        for (greatest, row) in greatest.iter_mut().zip(rows) {
            let mut lanes = Greatest::default();
            for numbers in row.chunks(PANEL) {
                lanes.add(&window(numbers, 0));
            }
            *greatest = lanes.0.into_iter().fold(0, u32::max);
        }
        Greatest(greatest)
    }

    /// Takes in the next number of every column.
    #[inline(always)]
    pub(crate) fn add(&mut self, values: &[f32; PANEL]) {
        for c in 0..PANEL {
            // Without their signs, floats are ordered as their bits are.
            self.0[c] = self.0[c].max(values[c].to_bits() & !(1 << 31));
        }
    }

    /// What a step of each column's signed bytes is worth: its greatest size / 127, at least the
    /// smallest normal number. NaN where a number was NaN or infinite. And 1 / that.
    #[inline(always)]
    pub(crate) fn scales(&self) -> ([f32; PANEL], [f32; PANEL]) {
        let (mut scales, mut inverses) = ([0.0; PANEL], [0.0; PANEL]);
        for c in 0..PANEL {
            let scale = f32::from_bits(self.0[c]) / END as f32;
            let scale = if scale < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { scale };
            scales[c] = if scale < f32::INFINITY { scale } else { f32::NAN };
        }
        for c in 0..PANEL {
            inverses[c] = 1.0 / scales[c];
        }
        (scales, inverses)
    }
}

/// The ranges of sixteen rows that are read beside each other, number by number; see [`range`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranges {
    low: [u32; PANEL],
    high: [i32; PANEL],
}

impl Default for Ranges {
    fn default() -> Self {
        Ranges { low: [(-0.0f32).to_bits(); PANEL], high: [0; PANEL] }
    }
}

impl Ranges {
    /// Takes in the next number of every row.
    #[inline(always)]
    pub(crate) fn add(&mut self, values: &[f32; PANEL]) {
        for r in 0..PANEL {
            self.low[r] = self.low[r].max(values[r].to_bits());
            self.high[r] = self.high[r].max(values[r].to_bits().cast_signed());
        }
    }

    /// What the bytes of each row will mean.
    #[inline(always)]
    pub(crate) fn meanings(self) -> [Bytes; PANEL] {
        let mut meanings = [Bytes { scale: 0.0, zero_point: 0, inverse: 0.0 }; PANEL];
        for r in 0..PANEL {
            let (low, high) = ends(self.low[r], self.high[r]);
            meanings[r] = Bytes::over(low, high);
        }
        meanings
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
    ends(low, high)
}

/// The ends of a range as floats.
#[inline(always)]
fn ends(low: u32, high: i32) -> (f32, f32) {
    let (low, high) = (f32::from_bits(low), f32::from_bits(high.cast_unsigned()));
    if low.is_finite() && high.is_finite() { (low, high) } else { (f32::NAN, f32::NAN) }
}
