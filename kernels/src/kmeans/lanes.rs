//! The nearest centre with points in the lanes: one register holds one feature of as many points
//! as it has lanes, and every centre is broadcast to all of them.
//!
//! ```text
//! staged block, one feature a line      a tile of 2 registers      for every centre c
//!   x0' of points 0..64                   [x0' 0..16][x0' 16..32]    s = |c'|^2 - 2 c0' x0'
//!   x1' of points 0..64                   [x1' 0..16][x1' 16..32]              - 2 c1' x1' ...
//!   ...                                   ...                        s = s with its low bits
//!                                                                        numbering the centre
//!                                                                    the least two of s stay
//! ```
//!
//! Works for any number of features. What it finds is certain or flagged: see `centres` for the
//! bound.
//!
//! # What else was tried
//!
//! 273,280 pixels, 64 centres, one Zen 5 core; the loop over centres alone, from a block in the
//! first cache:
//!
//! | keeping | operations a centre | ms |
//! |---|---|---|
//! | the least score, and not whose it is | 3 FMA, min | 0.40 |
//! | the least, numbered in its low bits | 3 FMA, and-or, min | 0.47 |
//! | the least, and whose it is by compare and select; nothing verified | 3 FMA, min, compare, select | 0.56 |
//! | **the least two, numbered** | 3 FMA, and-or, min, max, min | 0.60 |
//! | the same with 2 registers of points | | 0.63 |
//! | the same with 1 | | 0.79 |
//! | the same with integer minima and maxima | | 0.66 |
//!
//! Numbering in the low bits is what makes verification nearly free: compare and select would
//! add two more operations to min, max, min. It costs bits of the score, hence doubt: with a bound
//! from the farthest centre, labelling took 1.8 ms from rows to labels, of which a profile gave
//! nearly half to the definition; with the bound of the two centres in question, and the numbers
//! read from the panel, 0.9 ms, and 0.8 since whole panels are skipped by the definition. The
//! times of the table are the best of twenty batches, the others medians of 25 calls.

use super::assign::Staged;
use super::centres::{RUN, Ready, Trust};
use crate::points::BLOCK;
use crate::vector::{FloatExtra, Vocabulary};
use pulp::Simd;

/// The least two scores and the centre of the least, for every point of a register.
#[derive(Clone, Copy)]
pub(super) struct Least<S: Simd> {
    pub(super) best: S::f32s,
    pub(super) second: S::f32s,
    pub(super) label: S::u32s,
}

impl<S: Simd> Least<S> {
    /// Before any centre was scored.
    #[inline(always)]
    pub(super) fn nobody(simd: S) -> Self {
        let far = simd.splat_f32s(f32::MAX);
        Least { best: far, second: far, label: simd.splat_u32s(0) }
    }
}

/// `a * b + c`; where there is no such instruction, in two steps instead of a library call.
#[inline(always)]
pub(super) fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if S::F32_LANES == 1 {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_f32s(a, b, c)
    }
}

/// [`Nearest`](super::assign::Nearest) with `P` registers of points, `Q` centres at a time.
pub(super) fn nearest<V: Vocabulary, const P: usize, const Q: usize>(
    token: V,
    staged: Staged<'_>,
    ready: &Ready<'_>,
    labels: &mut [u32; BLOCK],
) -> u64 {
    let (simd, out) = (token.floats(), (labels, staged.slack));
    let staged = staged.values;
    if !out.1.is_empty() {
        return token.run(
            #[inline(always)]
            || sweep::<_, P, Q, true>(simd, ready.d, staged, ready, out),
        );
    }
    token.run(
        #[inline(always)]
        || match ready.d {
            1 => sweep::<_, P, Q, false>(simd, 1, staged, ready, out),
            2 => sweep::<_, P, Q, false>(simd, 2, staged, ready, out),
            3 => sweep::<_, P, Q, false>(simd, 3, staged, ready, out),
            4 => sweep::<_, P, Q, false>(simd, 4, staged, ready, out),
            d => sweep::<_, P, Q, false>(simd, d, staged, ready, out),
        },
    )
}

/// All tiles of a block, with slacks if asked for `SLACKS`: with a branch for them in the loop, labels of
/// 2 features and 10 centres take 1.07 of the time. `d` is a constant to the compiler wherever there are
/// few features.
#[inline(always)]
fn sweep<S: FloatExtra, const P: usize, const Q: usize, const SLACKS: bool>(
    simd: S,
    d: usize,
    staged: &[f32],
    ready: &Ready<'_>,
    (labels, slacks): (&mut [u32; BLOCK], &mut [f32]),
) -> u64 {
    let mut unsure = 0;
    let staged = &staged[..d * BLOCK];
    for tile in 0..BLOCK / (P * S::F32_LANES) {
        let first = tile * P * S::F32_LANES;
        let least = centres::<S, P, Q>(simd, d, &staged[first..], ready);
        let squares = squares::<S, P>(simd, d, &staged[first..]);
        for p in 0..P {
            let first = first + p * S::F32_LANES;
            let out = &mut labels[first..first + S::F32_LANES];
            S::as_mut_simd_u32s(out).0[0] = least[p].label;
            let doubt = doubt(simd, least[p], squares[p], ready.trust);
            unsure |= u64::from(simd.bits(doubt)) << first;
            if SLACKS {
                let out = &mut slacks[first..first + S::F32_LANES];
                S::as_mut_simd_f32s(out).0[0] = slack(simd, least[p], squares[p], ready);
            }
        }
    }
    unsure
}

/// The least two scores of `P` registers of points over all centres.
#[inline(always)]
fn centres<S: Simd, const P: usize, const Q: usize>(
    simd: S,
    d: usize,
    staged: &[f32],
    ready: &Ready<'_>,
) -> [Least<S>; P] {
    let mask = simd.splat_u32s(ready.mask);
    let nobody = Least::nobody(simd);
    let mut least = [nobody; P];
    let panels = RUN / Q;
    for (run, values) in ready.fast.chunks(panels * Q * (d + 2)).enumerate() {
        let mut here = [nobody; P];
        for values in values.chunks_exact(Q * (d + 2)) {
            let scores = scores::<S, P, Q>(simd, d, staged, values);
            for q in 0..Q {
                let number = simd.transmute_u32s_f32s(simd.splat_f32s(values[(d + 1) * Q + q]));
                for p in 0..P {
                    let score = tagged(simd, scores[q][p], mask, number);
                    insert(simd, &mut here[p], score);
                }
            }
        }
        for p in 0..P {
            let tag = simd.and_u32s(simd.transmute_u32s_f32s(here[p].best), mask);
            let label = simd.add_u32s(tag, simd.splat_u32s((run * panels * Q) as u32));
            merge(simd, &mut least[p], Least { label, ..here[p] });
        }
    }
    least
}

/// The scores of `P` registers of points against a panel of `Q` centres.
#[inline(always)]
fn scores<S: Simd, const P: usize, const Q: usize>(
    simd: S,
    d: usize,
    staged: &[f32],
    panel: &[f32],
) -> [[S::f32s; P]; Q] {
    let (products, norms) = panel.split_at(d * Q);
    let mut scores = [[simd.splat_f32s(0.0); P]; Q];
    for q in 0..Q {
        scores[q] = [simd.splat_f32s(norms[q]); P];
    }
    for feature in 0..d {
        let x: [S::f32s; P] = load(&staged[feature * BLOCK..]);
        let centres: &[f32; Q] = products[feature * Q..].first_chunk().expect("a whole panel");
        for q in 0..Q {
            let c = simd.splat_f32s(centres[q]);
            for p in 0..P {
                scores[q][p] = multiply_add(simd, x[p], c, scores[q][p]);
            }
        }
    }
    scores
}

/// `|x'|^2` of `P` registers of points.
#[inline(always)]
pub(super) fn squares<S: Simd, const P: usize>(simd: S, d: usize, staged: &[f32]) -> [S::f32s; P] {
    let mut squares = [simd.splat_f32s(0.0); P];
    for feature in 0..d {
        let x: [S::f32s; P] = load(&staged[feature * BLOCK..]);
        for p in 0..P {
            squares[p] = multiply_add(simd, x[p], x[p], squares[p]);
        }
    }
    squares
}

/// Where the order of the least two scores is not certain.
#[inline(always)]
pub(super) fn doubt<S: Simd>(simd: S, least: Least<S>, square: S::f32s, trust: Trust) -> S::m32s {
    let guarded = simd.mul_f32s(square, simd.splat_f32s(Trust::GUARD));
    let (slope, floor) = (simd.splat_f32s(trust.square), simd.splat_f32s(trust.floor));
    let sizes = simd.add_f32s(simd.abs_f32s(least.best), simd.abs_f32s(least.second));
    let needed = multiply_add(simd, guarded, slope, floor);
    let needed = multiply_add(simd, sizes, simd.splat_f32s(trust.scores), needed);
    // What is not a number is doubtful too, so ask for the opposite.
    simd.not_m32s(simd.greater_than_f32s(simd.sub_f32s(least.second, least.best), needed))
}

/// By how much all centres but the nearest are farther at least than that; no number where nothing
/// is known. `centres` has the bound of a score, of which this allows twice the part that grows with
/// the point, as that is rounded here itself.
#[inline(always)]
pub(super) fn slack<S: Simd>(
    simd: S,
    least: Least<S>,
    square: S::f32s,
    Ready { trust, beyond, .. }: &Ready<'_>,
) -> S::f32s {
    const PART: f32 = 1.0 / (1 << 20) as f32;
    let guarded = simd.mul_f32s(square, simd.splat_f32s(Trust::GUARD));
    let (slope, floor) = (simd.splat_f32s(trust.square), simd.splat_f32s(trust.floor));
    let of_point = multiply_add(simd, guarded, slope, floor);
    let scores = simd.splat_f32s(trust.scores);
    let error = |score| multiply_add(simd, simd.abs_f32s(score), scores, of_point);
    let near = simd.add_f32s(simd.add_f32s(least.best, square), error(least.best));
    let far = simd.sub_f32s(simd.add_f32s(least.second, square), error(least.second));
    // What is negative has no root, and no slack.
    let far = simd.sqrt_f32s(simd.min_f32s(far, simd.splat_f32s(*beyond)));
    let near = simd.mul_f32s(simd.sqrt_f32s(near), simd.splat_f32s(1.0 + PART));
    simd.sub_f32s(simd.mul_f32s(far, simd.splat_f32s(1.0 - PART)), near)
}

/// `P` registers that stand behind each other.
#[inline(always)]
pub(super) fn load<R: Copy + bytemuck::Pod, const P: usize>(values: &[f32]) -> [R; P] {
    let lanes = size_of::<R>() / size_of::<f32>();
    core::array::from_fn(|p| {
        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&values[p * lanes..(p + 1) * lanes]))
    })
}

/// A score whose low bits are the number of its centre.
#[inline(always)]
pub(super) fn tagged<S: Simd>(simd: S, score: S::f32s, mask: S::u32s, number: S::u32s) -> S::f32s {
    let kept = simd.and_u32s(simd.transmute_u32s_f32s(score), simd.not_u32s(mask));
    simd.transmute_f32s_u32s(simd.or_u32s(kept, number))
}

/// Keeps the two least of three.
#[inline(always)]
pub(super) fn insert<S: Simd>(simd: S, least: &mut Least<S>, score: S::f32s) {
    let loser = simd.max_f32s(least.best, score);
    least.best = simd.min_f32s(least.best, score);
    least.second = simd.min_f32s(least.second, loser);
}

/// Keeps the two least of four, and the label of the least.
#[inline(always)]
pub(super) fn merge<S: Simd>(simd: S, least: &mut Least<S>, other: Least<S>) {
    let closer = simd.less_than_f32s(other.best, least.best);
    least.label = simd.select_u32s(closer, other.label, least.label);
    insert(simd, least, other.best);
    least.second = simd.min_f32s(least.second, other.second);
}
