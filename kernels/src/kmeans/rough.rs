//! What a candidate for the next centre would leave, roughly: enough to say which of them is the
//! best, nearly always.
//!
//! Where points have few features nothing is gained by telling which distances matter (see `look`),
//! but sums in `f32` take a third of the time of those in `f64` that decide. So the former are made
//! of all candidates, and the latter of those only that may still be the best: most often of one,
//! whose distances have to be taken in any case.
//!
//! Of 1000 pixels (`f32`, `u8`) 64 are chosen, and the fit of 8 iterations is done, at 1.24 and 1.23 of
//! the speed, a fit of 3 iterations of 20,000 x 4 at 1.24, of 20,000 pixels at 1.19 (one Zen 4 core).
//! Candidates two or three at a time, which share what is loaded, gain nothing.
//!
//! # The bound
//!
//! With `u = 2^-24`, `D` a true squared distance and `C` the closest one before it, a sum of `d <= 4`
//! squares is off by `(d + 3) u D`, `C` rounded to `f32` by `u C`, the least of both by no more than
//! the greater of these parts; and the sum over a block of 64 by `64 u` of itself, however it is
//! added. Sums of blocks, and all sums of the definition, are in `f64`, and off by far less. Together
//! that is less than `128 u`.
//!
//! Points and candidates of `f64` are moved and rounded, `x' = fl(x - o)`, so that the root of `D` is
//! off by at most `u (2 |x'| + sqrt(D))`, as `screen` says. With `2ab <= a^2 t + b^2 / t` and
//! `t = 2^-17`, `D` is off by `(t + 3u) D + 2^-29 |x'|^2` and what is smaller by far.
//!
//! A square or the sum of a block that overflows makes the sum infinite or no number, and then nothing
//! is certain of it: what is beyond `f32` in one block may be less than what others hold in several. Where
//! point and candidate overflow both, the closest distance is taken for theirs; `|x'|^2` is then more than
//! any finite sum.

use super::lanes::multiply_add;
use super::look::{Block, Candidates};
use crate::points::{BLOCK, Element};
use crate::vector::FloatExtra;

/// How far rough sums may be off.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    /// As a part of themselves.
    part: f64,
    /// And besides.
    more: f64,
}

impl Doubt {
    /// Of `n` points; `squares` is the sum of those of the points less the offset, if that was
    /// rounded, else 0.
    pub(super) fn new(n: usize, squares: f64) -> Self {
        const U: f64 = 1.0 / (1u64 << 24) as f64;
        let part = if squares == 0.0 { 128.0 } else { 512.0 } * U;
        // Below the normal range squares lose their last bits, or all where a thread flushes them to zero.
        Doubt { part, more: squares / (1u64 << 28) as f64 + n as f64 * 1e-36 }
    }

    /// Which of the sums may be the least.
    pub(super) fn close(self, sums: &[f64]) -> impl Iterator<Item = usize> {
        let least = sums.iter().copied().fold(f64::INFINITY, f64::min);
        let most = least * (1.0 + self.part) + self.more;
        // What is infinite or no number may be anything.
        let beyond = move |sum: f64| sum.is_finite() && sum * (1.0 - self.part) - self.more > most;
        (0..sums.len()).filter(move |&index| !beyond(sums[index]))
    }
}

/// What is looked for, and in what.
pub(super) struct Rough<'a> {
    /// The block less the offset in `f32`, if that is at hand.
    pub(super) columns: Option<&'a [f32]>,
    /// What is taken from features that `f32` does not hold; else zeros.
    pub(super) offset: &'a [f64],
    pub(super) candidates: &'a Candidates,
}

/// Puts what each candidate would leave of a block, about, into its potentials. Points have no
/// weights.
#[inline(always)]
pub(super) fn rough<S: FloatExtra, T: Element>(simd: S, block: Block<'_, T>, rough: &Rough<'_>) {
    match block.held.d() {
        1 => of::<_, _, 1>(simd, block, rough),
        2 => of::<_, _, 2>(simd, block, rough),
        3 => of::<_, _, 3>(simd, block, rough),
        4 => of::<_, _, 4>(simd, block, rough),
        d => unreachable!("{d} features are not few"),
    }
}

#[inline(always)]
fn of<S: FloatExtra, T: Element, const D: usize>(
    simd: S,
    block: Block<'_, T>,
    Rough { columns, offset, candidates }: &Rough<'_>,
) {
    let Block { held, block, limits, potentials, desk, .. } = block;
    let columns: &[f32] = match columns {
        Some(columns) => columns,
        None => {
            held.stage_columns(simd, block, offset, desk.staged);
            desk.staged
        }
    };
    let columns: &[[f32; BLOCK]; D] = columns.as_chunks().0.first_chunk().expect("a column each");
    let closest = S::as_simd_f32s(limits).0;
    for (potential, centre) in potentials.iter_mut().zip(candidates.moved::<D>()) {
        let mut sums = simd.splat_f32s(0.0);
        for (register, closest) in closest.iter().enumerate() {
            let mut square = simd.splat_f32s(0.0);
            for feature in 0..D {
                let x = S::as_simd_f32s(&columns[feature]).0[register];
                let difference = simd.sub_f32s(x, simd.splat_f32s(centre[feature]));
                square = multiply_add(simd, difference, difference, square);
            }
            // Behind the last point the closest distance is 0, whatever stands there.
            sums = simd.add_f32s(sums, simd.min_f32s(square, *closest));
        }
        *potential = simd.reduce_sum_f32s(sums).into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn what_may_be_the_least_is_close() {
        let close = |sums: &[f64]| Doubt::new(1000, 0.0).close(sums).collect::<Vec<_>>();
        assert_eq!(close(&[3.0, 1.0, 2.0]), [1]);
        assert_eq!(close(&[1.0 + 1e-5, 1.0, 1.0 + 1e-4]), [0, 1]);
        assert_eq!(close(&[0.0, 0.0]), [0, 1]);
        assert_eq!(close(&[f64::NAN, 1.0, 2.0]), [0, 1]);
        assert_eq!(close(&[f64::INFINITY, f64::NAN, f64::INFINITY]), [0, 1, 2]);
        assert_eq!(close(&[f64::INFINITY, 1.0, 2.0]), [0, 1]);
        // Squares of points that are far from the offset count as well.
        let far = Doubt::new(2, 2e10);
        assert_eq!(far.close(&[1.0, 60.0, 200.0]).collect::<Vec<_>>(), [0, 1]);
    }
}
