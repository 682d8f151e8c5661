//! Where the centres start: greedy k-means++ (Arthur and Vassilvitskii 2007, section 5; the form
//! scikit-learn uses), or points drawn at random.
//!
//! The first centre of k-means++ is a point drawn by weight. Each further one is the best of
//! `2 + floor(ln k)` points drawn with probability proportional to their weight times their
//! squared distance from the nearest centre so far: the one that leaves the least sum of such
//! products, the first among equals.

use super::Error;
use super::draws::Draws;
use super::engine::Loops;
use super::task::Task;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use alloc::{vec, vec::Vec};

/// Lanes in which the sum over a block is kept before they are added in pairs.
const LANES: usize = 8;

/// Chooses `k` points by greedy k-means++.
pub(super) fn plus_plus<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let trials = trials(k);
    let mut search = Search::new(task, trials)?;
    let first = by_weight(task, draw(draws)?);
    let (mut chosen, mut candidates) = (Vec::with_capacity(k), vec![first]);
    while chosen.len() < k {
        search.look(chosen.last().copied(), &candidates);
        let best = search.least(candidates.len());
        chosen.push(candidates[best]);
        if chosen.len() < k {
            let shares = search.shares(best);
            let total: f64 = shares.iter().sum();
            let draws: Result<Vec<f64>, Error> = (0..trials).map(|_| draw(draws)).collect();
            let found =
                draws?.into_iter().map(|draw| search.find(candidates[best], best, draw * total));
            candidates = found.collect();
        }
    }
    Ok(chosen)
}

/// Draws `k` different points by weight, as numpy's `choice` does: as many at once as are
/// missing, those drawn before having no weight.
pub(super) fn random<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let n = task.source.n();
    let mut weights: Vec<f64> = (0..n).map(|point| task.weight(point)).collect();
    let positive = weights.iter().filter(|weight| **weight > 0.0).count();
    if positive < k {
        return Err(Error::TooFewWeighted { k, positive });
    }
    let mut chosen: Vec<usize> = Vec::with_capacity(k);
    while chosen.len() < k {
        let mut sum = 0.0;
        let running = weights.iter().map(|weight| {
            sum += weight;
            sum
        });
        let running: Vec<f64> = running.collect();
        for _ in chosen.len()..k {
            let target = draw(draws)? * sum;
            let point = running.partition_point(|before| *before <= target).min(n - 1);
            // Once drawn in this round it weighs nothing in the next, and counts once in this.
            if weights[point] > 0.0 {
                weights[point] = 0.0;
                chosen.push(point);
            }
        }
    }
    Ok(chosen)
}

/// A draw that is one.
fn draw(draws: &mut dyn Draws) -> Result<f64, Error> {
    let draw = draws.draw().ok_or(Error::TooFewDraws)?;
    if (0.0..1.0).contains(&draw) { Ok(draw) } else { Err(Error::Draw(draw)) }
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

/// The first point at which the running sum of weights passes `draw` times all of it.
fn by_weight<T: Element>(task: &Task<'_, T>, draw: f64) -> usize {
    let n = task.source.n();
    if task.weights.is_none() {
        return ((draw * n as f64) as usize).min(n - 1);
    }
    let total: f64 = (0..n).map(|point| task.weight(point)).sum();
    let (mut sum, mut last) = (0.0, 0);
    for point in 0..n {
        let weight = task.weight(point);
        sum += weight;
        if weight > 0.0 {
            last = point;
        }
        if sum > draw * total {
            return last;
        }
    }
    last
}

/// What is known of the points while centres are chosen.
struct Search<'a, T> {
    task: &'a Task<'a, T>,
    loops: &'a dyn Loops<T>,
    /// Squared distances from the nearest centre but the newest; 0 behind the last point.
    closest: Buffer<f64>,
    /// What each candidate would leave, block by block.
    potentials: Buffer<f64>,
    /// Weights of whole blocks; empty if there are none.
    weights: Buffer<f64>,
    /// Room for a block for each member.
    space: Buffer<T>,
}

impl<'a, T: Element> Search<'a, T> {
    fn new(task: &'a Task<'a, T>, trials: usize) -> Result<Self, Error> {
        let (n, d, blocks) = (task.source.n(), task.source.d(), task.source.blocks());
        let mut closest = Buffer::zeroed(blocks * BLOCK)?;
        closest[..n].fill(f64::INFINITY);
        let mut weights = Buffer::zeroed(if task.weights.is_some() { blocks * BLOCK } else { 0 })?;
        if let Some(given) = task.weights {
            weights[..n].copy_from_slice(given);
        }
        Ok(Search {
            task,
            loops: task.plan.engine().over::<T>(),
            closest,
            potentials: Buffer::zeroed(blocks * trials)?,
            weights,
            space: Buffer::zeroed(task.team.size().saturating_mul(d * BLOCK))?,
        })
    }

    /// The features of a point.
    fn features(&self, point: usize) -> Vec<f64> {
        let mut space = vec![T::default(); self.task.source.d()];
        self.task.source.point(point, &mut space).iter().map(|&x| x.into()).collect()
    }

    /// One look at all points: brings the closest distances up to date with the centre chosen
    /// last, and finds what each candidate would leave.
    fn look(&mut self, last: Option<usize>, candidates: &[usize]) {
        let last = last.map(|point| self.features(point));
        let candidates: Vec<Vec<f64>> = candidates.iter().map(|c| self.features(*c)).collect();
        let (source, loops, weights) = (self.task.source, self.loops, &self.weights);
        let (blocks, len) = (source.blocks(), source.d() * BLOCK);
        let closest = Disjoint::new(&mut self.closest);
        let potentials = Disjoint::new(&mut self.potentials);
        let space = Disjoint::new(&mut self.space);
        self.task.team.run(&|member| {
            let at = member.index() * len;
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has a space of its own.
            let space = unsafe { space.part(at..at + len) };
            for block in member.share(blocks) {
                let columns = source.columns(block, space);
                let lanes = block * BLOCK..(block + 1) * BLOCK;
                let weights = weights.get(lanes.clone());
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every block is one member's.
                let closest = unsafe { closest.part(lanes) };
                let closest = closest.first_chunk_mut().expect("a whole block");
                if let Some(last) = &last {
                    loops.lower(columns, last, closest);
                }
                for (index, candidate) in candidates.iter().enumerate() {
                    let at = index * blocks + block;
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: every block is one member's, of each candidate.
                    let out = unsafe { potentials.part(at..at + 1) };
                    out[0] = loops.potential(columns, candidate, closest, weights);
                }
            }
        });
    }

    /// What a candidate would leave, block by block.
    fn shares(&self, candidate: usize) -> &[f64] {
        let blocks = self.task.source.blocks();
        &self.potentials[candidate * blocks..][..blocks]
    }

    /// The candidate with the least potential, the first among equals.
    fn least(&self, candidates: usize) -> usize {
        let mut best = (0, f64::INFINITY);
        for candidate in 0..candidates {
            let potential = self.shares(candidate).iter().sum();
            if potential < best.1 {
                best = (candidate, potential);
            }
        }
        best.0
    }

    /// The first point at which the running sum of weighted distances from the nearest centre,
    /// point `centre` being the newest and candidate `best` just now, reaches `target`.
    fn find(&self, centre: usize, best: usize, target: f64) -> usize {
        let (mut before, mut block, shares) = (0.0, 0, self.shares(best));
        while block + 1 < shares.len() && before + shares[block] < target {
            before += shares[block];
            block += 1;
        }
        let lanes = block * BLOCK..(block + 1) * BLOCK;
        let mut closest = *self.closest[lanes.clone()].first_chunk().expect("a whole block");
        let mut space = vec![T::default(); self.task.source.d() * BLOCK];
        let columns = self.task.source.columns(block, &mut space);
        self.loops.lower(columns, &self.features(centre), &mut closest);
        let here = self.task.source.in_block(block);
        let mut last = here.start;
        for (lane, index) in here.enumerate() {
            let share = closest[lane] * self.task.weight(index);
            before += share;
            if share > 0.0 || lane == 0 {
                last = index;
            }
            if before >= target {
                return index;
            }
        }
        // Rounding left the sum just short of the target: the last point with a chance.
        last
    }
}

/// Lowers the closest distances of a block of points to those from `centre`.
#[inline(always)]
pub(super) fn lower<T: Element>(columns: &[T], centre: &[f64], closest: &mut [f64; BLOCK]) {
    let distances = distances(columns, centre);
    for lane in 0..BLOCK {
        if distances[lane] < closest[lane] {
            closest[lane] = distances[lane];
        }
    }
}

/// The sum over a block of the distances to the nearest centre, with `candidate` as one, each
/// times its weight if there are any.
#[inline(always)]
pub(super) fn potential<T: Element>(
    columns: &[T],
    candidate: &[f64],
    closest: &[f64; BLOCK],
    weights: Option<&[f64]>,
) -> f64 {
    let mut distances = distances(columns, candidate);
    for lane in 0..BLOCK {
        let (a, b) = (distances[lane], closest[lane]);
        distances[lane] = if a < b { a } else { b };
    }
    if let Some(weights) = weights.and_then(|weights| weights.first_chunk::<BLOCK>()) {
        for lane in 0..BLOCK {
            distances[lane] *= weights[lane];
        }
    }
    let mut sums = [0.0; LANES];
    for group in 0..BLOCK / LANES {
        for lane in 0..LANES {
            sums[lane] += distances[group * LANES + lane];
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// The squared distances of the points of a block to a centre, by the definition.
#[inline(always)]
fn distances<T: Element>(columns: &[T], centre: &[f64]) -> [f64; BLOCK] {
    let mut sums = [0.0; BLOCK];
    for (column, c) in columns.as_chunks::<BLOCK>().0.iter().zip(centre) {
        for lane in 0..BLOCK {
            let difference = column[lane].into() - c;
            sums[lane] += difference * difference;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_as_many_trials_as_scikit_learn_has() {
        for (k, expected) in [(1, 2), (2, 2), (3, 3), (7, 3), (8, 4), (64, 6), (1024, 8)] {
            assert_eq!(super::trials(k), expected, "k = {k}");
        }
    }
}
