//! Where the centres start: greedy k-means++ (Arthur and Vassilvitskii 2007, section 5; the form
//! scikit-learn uses).
//!
//! The first centre is a point drawn evenly. Each further one is the best of
//! `2 + floor(ln k)` points drawn with probability proportional to their squared distance from
//! the nearest centre so far: the one that leaves the least sum of such distances, the first
//! among equals.
//!
//! Draws are 53-bit fractions from PCG-64-MCG (`rand_pcg`), one for the first centre, then one
//! for each candidate in order, whatever the data: the same seed gives the same draws for ever.

use super::Error;
use super::engine::Engine;
use crate::Team;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Points};
use alloc::{vec, vec::Vec};
use core::ops::Range;
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Lanes in which the sum over a block is kept before they are added in pairs.
const LANES: usize = 8;

/// Blocks looked at for all candidates before the next ones are: they stay in the cache meanwhile.
const PIECE: usize = 8;

/// Draws `k` of `points`, and gives them as rows.
pub(super) fn plus_plus(
    engine: &dyn Engine,
    points: &Points,
    k: usize,
    seed: u64,
    team: &dyn Team,
) -> Result<Vec<f32>, Error> {
    let (n, d, blocks) = (points.n(), points.d(), points.blocks());
    let trials = trials(k);
    let mut draws = Pcg64Mcg::seed_from_u64(seed);
    let mut draw = || (draws.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
    let mut closest: Buffer<f64> = Buffer::zeroed(blocks * BLOCK)?;
    closest[..n].fill(f64::INFINITY);
    let mut potentials: Buffer<f64> = Buffer::zeroed(blocks * trials)?;
    let mut centres = vec![0.0; k * d];
    let mut candidates = vec![0.0; d];
    points.copy_point(((draw() * n as f64) as usize).min(n - 1), &mut candidates);
    for index in 0..k {
        let (chosen, next) = centres.split_at_mut(index * d);
        let last = (index > 0).then(|| &chosen[(index - 1) * d..]);
        let pass = Pass { points, last, candidates: &candidates };
        pass.run(engine, &mut closest, &mut potentials, team);
        let best = least(&potentials, candidates.len().checked_div(d).unwrap_or(1), blocks);
        next[..d].copy_from_slice(&candidates[best * d..][..d]);
        let share = &potentials[best * blocks..][..blocks];
        let total: f64 = share.iter().sum();
        candidates.resize(trials * d, 0.0);
        for trial in 0..trials {
            let to = &mut candidates[trial * d..][..d];
            let point = find(points, &next[..d], &closest, share, draw() * total);
            points.copy_point(point, to);
        }
    }
    Ok(centres)
}

/// `2 + floor(ln k)`.
fn trials(k: usize) -> usize {
    let (mut power, mut trials) = (core::f64::consts::E, 2);
    while power <= k as f64 {
        power *= core::f64::consts::E;
        trials += 1;
    }
    trials
}

/// The candidate with the least potential, the first among equals.
fn least(potentials: &[f64], candidates: usize, blocks: usize) -> usize {
    let mut best = (0, f64::INFINITY);
    for candidate in 0..candidates {
        let potential = potentials[candidate * blocks..][..blocks].iter().sum();
        if potential < best.1 {
            best = (candidate, potential);
        }
    }
    best.0
}

/// The first point at which the running sum of distances to the nearest centre, `centre` being
/// the newest, reaches `target`; `shares` holds the sums of the blocks.
fn find(points: &Points, centre: &[f32], closest: &[f64], shares: &[f64], target: f64) -> usize {
    let mut before = 0.0;
    let mut block = 0;
    while block + 1 < shares.len() && before + shares[block] < target {
        before += shares[block];
        block += 1;
    }
    let closest = &closest[block * BLOCK..][..BLOCK];
    let distances = distances(points.block(block), centre);
    let here = points.in_block(block);
    let mut last = here.start;
    for (lane, index) in here.enumerate() {
        let distance = distances[lane].min(closest[lane]);
        before += distance;
        if distance > 0.0 || lane == 0 {
            last = index;
        }
        if before >= target {
            return index;
        }
    }
    // Rounding left the sum just short of the target: the last point with a chance.
    last
}

/// One look at all points: brings the closest distances up to date with the centre chosen last,
/// and finds what each candidate would leave.
struct Pass<'a> {
    points: &'a Points,
    last: Option<&'a [f32]>,
    candidates: &'a [f32],
}

impl Pass<'_> {
    fn run(
        &self,
        engine: &dyn Engine,
        closest: &mut [f64],
        potentials: &mut [f64],
        team: &dyn Team,
    ) {
        let blocks = self.points.blocks();
        let (closest, potentials) = (Disjoint::new(closest), Disjoint::new(potentials));
        team.run(&|member| {
            let mine = member.share(blocks);
            for start in mine.clone().step_by(PIECE) {
                let piece = start..mine.end.min(start + PIECE);
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: members' shares of the blocks do not overlap, nor do the pieces of one.
                let closest = unsafe { closest.part(piece.start * BLOCK..piece.end * BLOCK) };
                if let Some(last) = self.last {
                    engine.lower(self.points, piece.clone(), last, closest);
                }
                for (index, candidate) in self.candidates().enumerate() {
                    let at = index * blocks;
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: as above, among the potentials of one candidate.
                    let out = unsafe { potentials.part(at + piece.start..at + piece.end) };
                    engine.potentials(self.points, piece.clone(), candidate, closest, out);
                }
            }
        });
    }

    fn candidates(&self) -> impl Iterator<Item = &[f32]> {
        // Points without features are all in one place; one candidate will do.
        let d = self.points.d();
        (0..self.candidates.len().checked_div(d).unwrap_or(1))
            .map(move |index| &self.candidates[index * d..(index + 1) * d])
    }
}

/// Lowers the closest distances of the points of `blocks` to those from `centre`.
#[inline(always)]
pub(super) fn lower(points: &Points, blocks: Range<usize>, centre: &[f32], closest: &mut [f64]) {
    for (block, closest) in blocks.zip(closest.as_chunks_mut::<BLOCK>().0) {
        let distances = distances(points.block(block), centre);
        for lane in 0..BLOCK {
            if distances[lane] < closest[lane] {
                closest[lane] = distances[lane];
            }
        }
    }
}

/// The sums over each of `blocks` of the distances to the nearest centre, with `candidate` as one.
#[inline(always)]
pub(super) fn potentials(
    points: &Points,
    blocks: Range<usize>,
    candidate: &[f32],
    closest: &[f64],
    out: &mut [f64],
) {
    for ((block, closest), out) in blocks.zip(closest.as_chunks::<BLOCK>().0).zip(out) {
        let distances = distances(points.block(block), candidate);
        let mut sums = [0.0; LANES];
        for group in 0..BLOCK / LANES {
            for lane in 0..LANES {
                let (a, b) = (distances[group * LANES + lane], closest[group * LANES + lane]);
                sums[lane] += if a < b { a } else { b };
            }
        }
        let [a, b, c, d, e, f, g, h] = sums;
        *out = ((a + e) + (c + g)) + ((b + f) + (d + h));
    }
}

/// The squared distances of the points of a block to a centre, by the definition.
#[inline(always)]
fn distances(columns: &[f32], centre: &[f32]) -> [f64; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for (column, c) in columns.as_chunks::<BLOCK>().0.iter().zip(centre) {
        for lane in 0..BLOCK {
            let difference = f64::from(column[lane]) - f64::from(*c);
            sums[lane] += difference * difference;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::CacheSizes;
    use crate::kmeans::{Plan, Recipe, Shape};
    use crate::{Isa, Matrix, Solo};
    use alloc::collections::BTreeSet;

    #[test]
    fn there_are_as_many_trials_as_scikit_learn_has() {
        for (k, expected) in [(1, 2), (2, 2), (3, 3), (7, 3), (8, 4), (64, 6), (1024, 8)] {
            assert_eq!(trials(k), expected, "k = {k}");
        }
    }

    #[test]
    fn seeds_are_different_points_while_there_are_any() {
        let shape = Shape { n: 300, d: 2, k: 40 };
        // Each place three times over.
        let rows: Vec<f32> = (0..600).map(|i| ((i * 7919) % 200 / (i % 2 + 1)) as f32).collect();
        let rows = Matrix::new(&rows, 300, 2).unwrap();
        let places: BTreeSet<Vec<u32>> =
            (0..300).map(|row| rows.row(row).iter().map(|x| x.to_bits()).collect()).collect();
        let points = Points::from_rows(rows).unwrap();
        for isa in Isa::available() {
            let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
            let plan = Plan::new(shape, isa, recipe).unwrap();
            for seed in 0..20 {
                let chosen = plus_plus(plan.engine(), &points, 40, seed, &Solo).unwrap();
                let chosen: BTreeSet<Vec<u32>> =
                    chosen.chunks(2).map(|c| c.iter().map(|x| x.to_bits()).collect()).collect();
                assert_eq!(chosen.len(), 40);
                assert!(chosen.is_subset(&places));
            }
        }
    }
}
