//! Asking for memory before its use.
//!
//! To the second-level cache and no nearer, for what is on its way to the first one is in the way of
//! loads and stores. On one Zen 4 core one step of `heat7` (512 and 256 points an axis, 500x333x257)
//! and of `heat5` (4096x4096) makes 1.13 to 1.17 of the speed so in `f32` and 1.03 to 1.2 in `f64`,
//! with ordinary stores 1.04 to 1.1 (160 points an axis), several steps 0.99 to 1.03. On one virtual
//! Zen 5 core it had made 0.93 (`heat7`, 512 points, 8 KiB ahead, ends of rows not asked for).
//!
//! A wave asks for the first level, for it writes over what it asked for: one of order 8 (500x333x257
//! and 512x512x256, Zen 4) made 1.0 to 1.04 in `f32` but 0.88 to 0.93 in `f64`; with the second level
//! for what it has of its own alone 0.97 to 1.04 and 0.9, for the new rows alone 0.93 and 0.93.

use super::formula::{Formula, Reach};
use crate::vector::{FloatExtra, Real, Spot};

/// Asks for what a band needs so many numbers after a register: of the fields the rows nobody has
/// looked at yet, and all of what comes after them. At the ends of rows too: where their lines were
/// not asked for, one step of `heat7` made 0.8 to 0.95 of the speed (500x333x257, 512 and 256 points
/// an axis, one Zen 4 core).
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
    let ask = |strip: usize| {
        let line = spot.address(strip).wrapping_add(ahead);
        if F::LEVELS > 1 { simd.prefetch(line) } else { simd.prefetch_second(line) }
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
