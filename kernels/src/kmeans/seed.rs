//! Where the centres start: greedy k-means++ (Arthur and Vassilvitskii 2007, section 5; the form
//! scikit-learn uses), or points drawn at random.
//!
//! The first centre of k-means++ is a point drawn by weight. Each further one is the best of
//! `2 + floor(ln k)` points drawn with probability proportional to their weight times their
//! squared distance from the nearest centre so far: the one that leaves the least sum of such
//! products, the first among equals.

use super::Error;
use super::curve;
use super::draws::Draws;
use super::engine::Loops;
use super::held::{Held, Piece};
use super::look::{Candidates, Desk, Look, Seen};
use super::reference::squared_distance;
use super::source::{Source, attempt};
use super::task::Task;
use crate::buffer::{Buffer, vector};
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element, Points};
use alloc::{vec, vec::Vec};

/// Values up to which points in memory, of few features, are widened and turned once, not for every
/// centre. Of 1000 pixels (f32, f64) 64 are chosen at 1.43 and 1.52 of the speed, of 20,000 pixels at
/// 1.22, of 20,000 points in a plane at 1.14 (one Zen 3 core).
const WIDENED: usize = 1 << 17;

/// Chooses `k` points by greedy k-means++.
pub(super) fn plus_plus<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let Task { source, weights, plan, team } = *task;
    let few = source.d() <= curve::FEW && source.n().saturating_mul(source.d()) <= WIDENED;
    let wide = T::NAME == <f64 as Element>::NAME;
    let widen = |held: &Held<'_, T>| few && !(wide && matches!(held, Held::Blocks(_)));
    match source.held().filter(widen) {
        Some(held) => {
            let source = Source::Blocks(&widened(held)?);
            greedy(&Task { source, weights, plan, team }, k, draws)
        }
        None => greedy(task, k, draws),
    }
}

/// Points in blocks of `f64`.
fn widened<T: Element>(held: Held<'_, T>) -> Result<Points<f64>, Error> {
    let mut points = Points::zeroed(held.n(), held.d())?;
    let mut space = vec![T::default(); held.d() * BLOCK];
    for block in 0..held.n().div_ceil(BLOCK) {
        held.widen(block, &mut space, points.block_mut(block).as_chunks_mut().0);
    }
    Ok(points)
}

/// The choice, from points as they are.
fn greedy<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let trials = trials(k);
    let first = by_weight(task, draw(draws)?);
    let mut search = Search::new(task, trials, first)?;
    let (mut chosen, mut candidates, mut best) = (Vec::with_capacity(k), vec![first], 0);
    while chosen.len() < k {
        search.look(chosen.last().map(|point| (*point, best)), &candidates)?;
        best = search.least(candidates.len());
        chosen.push(candidates[best]);
        if chosen.len() < k {
            let shares = search.shares(best);
            let total: f64 = shares.iter().sum();
            let draws: Result<Vec<f64>, Error> = (0..trials).map(|_| draw(draws)).collect();
            let centre = search.features(candidates[best])?;
            let found = draws?.into_iter().map(|draw| search.find(&centre, best, draw * total));
            candidates = found.collect::<Result<_, _>>()?;
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
    let mut weights = vector((0..n).map(|point| task.weight(point)))?;
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
        let running = vector(running)?;
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
struct Search<'a, T: Element> {
    task: &'a Task<'a, T>,
    loops: &'a dyn Loops<T>,
    /// Squared distances from the nearest centre but the newest; 0 behind the last point.
    closest: Buffer<f64>,
    /// What they mean to a look.
    limits: Buffer<f32>,
    /// What a look takes from features that `f32` does not hold, and the squares of what is left.
    offset: Vec<f64>,
    squares: Buffer<f64>,
    /// What each candidate would leave, block by block.
    potentials: Buffer<f64>,
    /// A bit for each point that is nearer to a candidate, block by block of each.
    nearer: Buffer<u64>,
    /// Weights of whole blocks; empty if there are none.
    weights: Buffer<f64>,
    trials: usize,
    /// What every member works in.
    space: Buffer<T>,
    staged: Buffer<f32>,
    least: Buffer<f64>,
}

impl<'a, T: Element> Search<'a, T> {
    /// `first` is a point.
    fn new(task: &'a Task<'a, T>, trials: usize, first: usize) -> Result<Self, Error> {
        let (n, d, blocks) = (task.source.n(), task.source.d(), task.source.blocks());
        let (padded, members) = (blocks * BLOCK, task.team.size());
        // With few features distances are taken in full, and nothing is rounded first.
        let rounded = size_of::<T>() > size_of::<f32>() && d > curve::FEW;
        let mut closest = Buffer::zeroed(padded)?;
        closest[..n].fill(f64::INFINITY);
        let mut limits = Buffer::zeroed(padded)?;
        limits[..n].fill(f32::INFINITY);
        let mut weights = Buffer::zeroed(if task.weights.is_some() { padded } else { 0 })?;
        if let Some(given) = task.weights {
            weights[..n].copy_from_slice(given);
        }
        let mut search = Search {
            task,
            loops: task.plan.engine().over::<T>(),
            closest,
            limits,
            offset: vec![0.0; d],
            squares: Buffer::zeroed(if rounded { padded } else { 0 })?,
            potentials: Buffer::zeroed(blocks * trials)?,
            nearer: Buffer::zeroed(blocks * trials)?,
            weights,
            trials,
            space: Buffer::zeroed(members.saturating_mul(d * BLOCK))?,
            staged: Buffer::zeroed(members.saturating_mul((d + 1) * BLOCK))?,
            least: Buffer::zeroed(members.saturating_mul(trials * BLOCK))?,
        };
        if rounded {
            search.offset = search.features(first)?;
            search.square()?;
        }
        Ok(search)
    }

    /// Finds the squares of all points less the offset.
    fn square(&mut self) -> Result<(), Error> {
        let Task { source, team, .. } = *self.task;
        let (squares, offset) = (Disjoint::new(&mut self.squares), &self.offset);
        attempt(team, &|member| {
            let mut space = vec![T::default(); source.d()];
            source.each(member.share(source.blocks()), |piece| {
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every block is one member's.
                let squares = unsafe { squares.part(piece.points.clone()) };
                for ((_, here), square) in piece.indices().zip(squares) {
                    *square = squared_distance(piece.held.point(here, &mut space), offset);
                }
                Ok(())
            })
        })
    }

    /// The features of a point.
    fn features(&self, point: usize) -> Result<Vec<f64>, Error> {
        let mut space = vec![T::default(); self.task.source.d()];
        let point = self.task.source.point(point, &mut space)?;
        Ok(point.iter().map(|&x| x.into()).collect())
    }

    /// One look at all points: brings the closest distances up to date with the point chosen
    /// last and which candidate it was, and finds what each of these candidates would leave.
    fn look(&mut self, newest: Option<(usize, usize)>, candidates: &[usize]) -> Result<(), Error> {
        let newest = match newest {
            Some((point, candidate)) => Some((self.features(point)?, candidate)),
            None => None,
        };
        let features = candidates.iter().map(|candidate| self.features(*candidate));
        let (source, loops) = (self.task.source, self.loops);
        let features = features.collect::<Result<_, _>>()?;
        let candidates = Candidates::new(features, &self.offset, loops.lanes());
        let (blocks, count, d) = (source.blocks(), candidates.features.len(), source.d());
        let (space, staged) = (d * BLOCK, (d + 1) * BLOCK);
        let (trials, weights, squares) = (self.trials, &self.weights, &self.squares);
        let (closest, limits) = (Disjoint::new(&mut self.closest), Disjoint::new(&mut self.limits));
        let nearer = Disjoint::new(&mut self.nearer);
        let potentials = Disjoint::new(&mut self.potentials);
        let spaces = Disjoint::new(&mut self.space);
        let stages = Disjoint::new(&mut self.staged);
        let leasts = Disjoint::new(&mut self.least);
        let offset = &self.offset;
        attempt(self.task.team, &|member| {
            let own = |len: usize| member.index() * len..(member.index() + 1) * len;
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has a part of its own.
            let (space, staged, least) = unsafe {
                (
                    spaces.part(own(space)),
                    stages.part(own(staged)),
                    leasts.part(own(trials * BLOCK)),
                )
            };
            let mut seen = Seen::default();
            let mut look = |held: Held<'_, T>, (block, here): (usize, usize)| {
                let lanes = block * BLOCK..(block + 1) * BLOCK;
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every block is one member's, of each candidate.
                let (closest, limits, of) = unsafe {
                    (closest.part(lanes.clone()), limits.part(lanes.clone()), |index: usize| {
                        let at = index * blocks + block;
                        (&mut nearer.part(at..at + 1)[0], &mut potentials.part(at..at + 1)[0])
                    })
                };
                let newest = newest.as_ref().map(|(centre, index)| (&centre[..], *of(*index).0));
                loops.look(Look {
                    held,
                    block: here,
                    offset,
                    newest,
                    candidates: &candidates,
                    closest: closest.first_chunk_mut().expect("a whole block"),
                    limits: limits.first_chunk_mut().expect("a whole block"),
                    squares: squares.get(lanes.clone()),
                    weights: weights.get(lanes),
                    desk: Desk { space, staged, least: least.as_chunks_mut().0 },
                    seen: &mut seen,
                });
                for index in 0..count {
                    let (nearer, potential) = of(index);
                    (*nearer, *potential) = (seen.nearer[index], seen.potentials[index]);
                }
            };
            source.each(member.share(blocks), |Piece { held, blocks, points }| {
                let of_all = points.start / BLOCK..;
                of_all.zip(blocks).for_each(|block| look(held, block));
                Ok(())
            })
        })
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
    /// `centre` being the newest and candidate `best` just now, reaches `target`.
    fn find(&mut self, centre: &[f64], best: usize, target: f64) -> Result<usize, Error> {
        let (mut before, mut block, shares) = (0.0, 0, self.shares(best));
        while block + 1 < shares.len() && before + shares[block] < target {
            before += shares[block];
            block += 1;
        }
        let lanes = block * BLOCK..(block + 1) * BLOCK;
        let mut closest = *self.closest[lanes.clone()].first_chunk().expect("a whole block");
        let (space, loops) = (&mut self.space, self.loops);
        self.task.source.each(block..block + 1, |Piece { held, blocks, .. }| {
            loops.lower(held.columns(blocks.start, space), centre, &mut closest);
            Ok(())
        })?;
        let here = lanes.start..self.task.source.n().min(lanes.end);
        let mut last = here.start;
        for (lane, index) in here.enumerate() {
            let share = closest[lane] * self.task.weight(index);
            before += share;
            if share > 0.0 || lane == 0 {
                last = index;
            }
            if before >= target {
                return Ok(index);
            }
        }
        // Rounding left the sum just short of the target: the last point with a chance.
        Ok(last)
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
