//! Asking for memory before its use.
//!
//! Twice: as far ahead as memory takes, to the second-level cache and no nearer, for what is on its way to
//! the first one is in the way of loads and stores; and once more, a little ahead, from there to the first.
//! Of the speed of the first time alone (waves: to the first level alone), one Zen 4 core, a step at a time:
//!
//! | | `f32` | `f64` |
//! |---|---|---|
//! | `heat7`, 512 points an axis (rows of 2 and 4 KiB) | 1.02 to 1.09 | 1.24 to 1.36 |
//! | `heat7`, 500x333x257 | 1.0 to 1.05 | 1.3 to 1.36 |
//! | `heat7`, 256 points an axis | | 1.04 |
//! | `heat5` 8192x8192 | 1.2 to 1.3 | |
//! | `heat9` 4096x4096 | 1.19 | |
//! | `heat13` 500x333x257 | | 1.35 |
//! | `heat27` 256 points an axis | 1.02 | |
//! | Gray-Scott, 2048x2048 | 1.13 | |
//! | wave of order 2, 512x512x256 | 1.35 | |
//! | wave of order 8, 512x512x256 | 1.1 | 1.08 |
//! | eight steps of `heat7`, 512 points an axis | 1.04 to 1.07 | 1.06 |
//! | sixteen steps of `heat5`, 8192x8192 and 2048x2048 | 1.02 to 1.03 | |
//!
//! On two cores 1.03 to 1.05 (`heat7` `f32`, `heat5`), 1.23 to 1.3 (`heat7` `f64`), 1.08 to 1.16 (the wave of
//! order 8), 1.33 (order 4), 1.08 to 1.1 (eight steps of `heat7`). With AVX2 on that core 1.13 to 1.2
//! (`heat7` `f64`), 1.09 (`heat5`), 1.3 (the wave of order 2), 0.98 to 1.0 (`heat7` and the wave of order 8,
//! `f32`). Zen 3, Zen 5 and Intel: not measured.
//!
//! It gains most where rows have left the first level when the next row asks for them again: eight of 4 KiB
//! are all of its 32 KiB, and from 2.5 to 4 KiB a row `heat7` falls from 0.82 of a streaming copy to 0.48
//! without. To ask for those rows, too, gains less than for new ones alone (1.15 instead of 1.36); rows cut
//! so that they stay (256 numbers of each, slice by slice) make 0.82 to 1.09 of the speed, for memory is then
//! not read in long runs. Half a KiB is too near (1.23 instead of 1.36), 3 KiB too far where rows are 2 KiB
//! (0.79).
//!
//! The second level against the first, for the first time of asking: 1.13 to 1.17 in `f32` and 1.03 to 1.2
//! in `f64` (`heat7`, `heat5`, one Zen 4 core).

use super::formula::{Formula, Reach};
use crate::vector::{FloatExtra, Real, Spot};

/// Bytes ahead of use that a row is asked for into the first-level cache.
const NEAR: usize = 1280;

/// What all rows that a band asks for may take up of that cache together, waiting for their use: a wave that
/// asked for 8 KiB of each of its three rows made 0.8 to 0.92 of the speed (one Zen 3 core, 32 KiB).
const ALL_NEAR: usize = 16 << 10;

/// Asks, so many numbers after a register and once more a little after it, for what a band needs: of the
/// fields the rows nobody has looked at yet, and all of what comes after them. At the ends of rows too:
/// where their lines were not asked for, one step of `heat7` made 0.8 to 0.95 of the speed (500x333x257,
/// 512 and 256 points an axis, one Zen 4 core).
#[inline(always)]
pub(super) fn fetch<S, T, F, const N: usize, const R: usize, const BY: usize, const BZ: usize>(
    simd: S,
    spot: Spot<'_, '_, S, T, N, R>,
    ahead: usize,
) where
    S: FloatExtra,
    T: Real,
    F: Formula<T>,
{
    let reach = const { Reach::of::<T, F>(BY, BZ) };
    let near = const {
        let reach = Reach::of::<T, F>(BY, BZ);
        let each = ALL_NEAR / (BY * BZ * F::FIELDS + reach.strips() - reach.own(0));
        (if each < NEAR { each } else { NEAR }) / size_of::<T>()
    };
    let ask = |strip: usize| {
        let here = spot.address(strip);
        simd.prefetch_second(here.wrapping_add(ahead));
        simd.prefetch(here.wrapping_add(ahead.min(near)));
    };
    for target in 0..BZ * F::FIELDS {
        let (field, z) = (target / BZ, target % BZ);
        for y in 0..BY {
            ask(field * reach.rows() + reach.newest(y, z));
        }
    }
    for strip in reach.own(0)..reach.strips() {
        ask(strip);
    }
}
