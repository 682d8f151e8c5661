//! What is derived from packed steps: the sums of the columns, and which steps need wide sums.
//!
//! AVX2's multiply-add of bytes (`vpmaddubsw`) adds two products, of depths 0 and 1 or 2 and 3 of
//! a step, into 16 bits and saturates. Activations are at most 255, so a pair of weights is safe
//! when its positive parts add up to no more than 128 and its negative ones to no less than -128:
//! 255 * 128 = 32640 still fits. All other pairs can saturate: 255 * 129 = 32895 does not fit.

use super::layout::WORD;
use crate::vector::{GROUP, PANEL, Step};

/// Adds the columns of up to 64 steps to `sums` and flags the steps that have an unsafe pair.
#[inline(always)]
pub(super) fn survey(steps: &[Step], sums: &mut [i32; PANEL]) -> u64 {
    debug_assert!(steps.len() <= WORD);
    let mut flags = 0;
    for (index, step) in steps.iter().enumerate() {
        // The sign of the room that is left for the worst pair of a column.
        let mut room = [0; PANEL];
        for c in 0..PANEL {
            let column = i32::from_le_bytes(step[c].map(i8::cast_unsigned));
            let [b0, b1, b2, b3]: [i32; GROUP] =
                [column << 24 >> 24, column << 16 >> 24, column << 8 >> 24, column >> 24];
            sums[c] = sums[c].wrapping_add(b0 + b1 + b2 + b3);
            for (a, b) in [(b0, b1), (b2, b3)] {
                room[c] |= 128 - (a.max(0) + b.max(0));
                room[c] |= a.min(0) + b.min(0) + 128;
            }
        }
        let mut wide = false;
        for c in 0..PANEL {
            wide |= room[c] < 0;
        }
        flags |= u64::from(wide) << index;
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the instruction does, in full.
    fn saturates(a: [u8; 2], b: [i8; 2]) -> bool {
        let sum = i32::from(a[0]) * i32::from(b[0]) + i32::from(a[1]) * i32::from(b[1]);
        i16::try_from(sum).is_err()
    }

    #[test]
    fn a_step_is_wide_exactly_if_some_activations_saturate_a_pair_of_it() {
        for b0 in i8::MIN..=i8::MAX {
            for b1 in i8::MIN..=i8::MAX {
                // The sum is linear in the activations: its extremes are at their ends.
                let ends = [[0, 0], [0, 255], [255, 0], [255, 255]];
                let unsafe_pair = ends.into_iter().any(|a| saturates(a, [b0, b1]));
                let column = (i32::from(b0) * 31 + i32::from(b1)).rem_euclid(16) as usize;
                for (place, index) in [(0, 0), (0, 63), (2, 5)] {
                    let mut steps = [[[0; GROUP]; PANEL]; WORD];
                    // Neighbours in other pairs do not count.
                    steps[index][column] = [100; GROUP];
                    steps[index][column][2 - place..][..2].copy_from_slice(&[64, -128]);
                    steps[index][column][place..][..2].copy_from_slice(&[b0, b1]);
                    let mut sums = [7; PANEL];
                    let flags = survey(&steps, &mut sums);
                    assert_eq!(flags, u64::from(unsafe_pair) << index, "{b0}, {b1}");
                    let mut expected = [7; PANEL];
                    expected[column] += i32::from(b0) + i32::from(b1) - 64;
                    assert_eq!(sums, expected);
                }
            }
        }
    }

    #[test]
    fn every_activation_fits_a_pair_on_the_edge() {
        for b in [[64i8, 64], [127, 1], [1, 127], [-128, 127], [-64, -64], [-127, -1], [-128, 0]] {
            for a0 in 0..=255 {
                for a1 in 0..=255 {
                    assert!(!saturates([a0, a1], b), "{a0}, {a1} by {b:?}");
                }
            }
        }
    }
}
