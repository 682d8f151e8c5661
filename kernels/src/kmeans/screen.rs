//! Which points a candidate for the next centre may be nearer to than all centres before it: the
//! few whose distance must be taken by the definition.
//!
//! Most points are nearer to a centre they have already. A pass in `f32` says so of nearly all of
//! them, and certainly: what it computes for a point and a candidate, `s`, is never more than a
//! known factor above the true square of their distance, so where `s` is above the limit made of
//! the closest distance, the definition gives no less than that distance.
//!
//! ```text
//! candidates in the lanes      c0 of 8 candidates | c1 of 8 candidates | ...
//! a tile of 8 points           s += (c - x)^2, x broadcast: rows are read where they lie
//! ```
//!
//! # The limit
//!
//! With `u = 2^-24` and `D` the true square of the distance of the numbers that the pass is given,
//! each difference, square and sum rounds once: `s <= D (1 + u)^(d + 3)`. Points and candidates of
//! `f32` and `u8` are given as they are. Those of `f64` are moved by a common offset and rounded,
//! `x' = fl(x - o)`, each by at most `u` of itself, so the root of `D` is off by at most
//! `u (|x'| + |c'|) <= u (2 |x'| + sqrt(D))`, up to terms in `u^2`, which the 3 and 1/4 below
//! outweigh.

use crate::points::BLOCK;
use alloc::vec::Vec;
use core::cmp::Ordering;
use pulp::Simd;

/// Points of a tile.
const TILE: usize = 8;

/// Most features the bound is used for: far above what fits a machine, far below where powers of
/// `1 + u` are more than their first term and a quarter.
const PROVEN: usize = 1 << 20;

/// Candidates as the pass wants them.
#[derive(Debug)]
pub(super) struct Panels {
    /// Groups of lanes, in each the features, in each the candidates; filled up with the first.
    pub(super) values: Vec<f32>,
    pub(super) d: usize,
    /// How many there are.
    pub(super) candidates: usize,
}

impl Panels {
    /// Candidates, whose features stand behind each other, in groups of `lanes`, each moved by
    /// `offset`.
    pub(super) fn new(features: &[f64], offset: &[f64], lanes: usize) -> Self {
        let d = offset.len();
        let candidates = features.len() / d;
        let groups = candidates.div_ceil(lanes);
        let mut values = Vec::with_capacity(groups * d * lanes);
        for group in 0..groups {
            for feature in 0..d {
                for lane in 0..lanes {
                    let candidate = group * lanes + lane;
                    let filled = if candidate < candidates { candidate } else { 0 };
                    values.push((features[filled * d + feature] - offset[feature]) as f32);
                }
            }
        }
        Panels { values, d, candidates }
    }
}

/// Above this the definition gives no less than `closest`, `square` being `|x'|^2` of a point that
/// was rounded, 0 of one that was not.
#[inline(always)]
pub(super) fn limit(closest: f64, square: f64, d: usize) -> f32 {
    const U: f64 = 1.0 / (1u64 << 24) as f64;
    // Where squares of `f32` overflow, or so many features add up, nothing is certain.
    if closest >= 1e37 || d > PROVEN {
        return f32::INFINITY;
    }
    // 2 * 3u sqrt(closest) |x'| <= closest / 2^12 + 9 u^2 |x'|^2 * 2^12
    let rounded =
        if square > 0.0 { closest * (1.0 + 1.0 / 2048.0) + square * (U / 256.0) } else { closest };
    // And far above what rounding below the normal range does.
    (rounded * (1.0 + (d + 8) as f64 * U * 1.25) + 1e-30) as f32
}

/// Sets the bit of every point (of `rows`, `stride` elements from one to the next) in the word of
/// every candidate to which it may be nearer than its limit says.
#[inline(always)]
pub(super) fn screen<S: Simd>(
    simd: S,
    (rows, stride, points): (&[f32], usize, usize),
    panels: &Panels,
    limits: &[f32; BLOCK],
    near: &mut [u64],
) {
    let Panels { values, d, candidates } = panels;
    near.fill(0);
    for (group, panel) in values.chunks_exact(d * S::F32_LANES).enumerate() {
        let panel = S::as_simd_f32s(panel).0;
        let first = group * S::F32_LANES;
        let here = (candidates - first).min(S::F32_LANES);
        for tile in (0..points).step_by(TILE) {
            let row = |p: usize| &rows[(tile + p).min(points - 1) * stride..][..*d];
            let lines: [&[f32]; TILE] =
                [row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7)];
            let sums = squares(simd, lines, panel);
            for p in 0..TILE.min(points - tile) {
                let limit = limits[tile + p];
                let beyond = simd.greater_than_f32s(sums[p], simd.splat_f32s(limit));
                // What is not a number is not beyond.
                if simd.first_true_m32s(simd.not_m32s(beyond)) == S::F32_LANES {
                    continue;
                }
                let sums: &[f32] = bytemuck::cast_slice(core::slice::from_ref(&sums[p]));
                for (near, sum) in near[first..first + here].iter_mut().zip(sums) {
                    let beyond = matches!(sum.partial_cmp(&limit), Some(Ordering::Greater));
                    *near |= u64::from(!beyond) << (tile + p);
                }
            }
        }
    }
}

/// The squares of the distances of a tile of points to the candidates in the lanes.
#[inline(always)]
fn squares<S: Simd>(simd: S, lines: [&[f32]; TILE], panel: &[S::f32s]) -> [S::f32s; TILE] {
    let mut lines = lines;
    for line in &mut lines {
        *line = &line[..panel.len()];
    }
    let mut sums = [simd.splat_f32s(0.0); TILE];
    for feature in 0..panel.len() {
        for p in 0..TILE {
            let x = simd.splat_f32s(lines[p][feature]);
            let difference = simd.sub_f32s(panel[feature], x);
            sums[p] = super::lanes::multiply_add(simd, difference, difference, sums[p]);
        }
    }
    sums
}
