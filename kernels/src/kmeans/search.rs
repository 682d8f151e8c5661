//! What is known of the points while centres are chosen, and which of some candidates for the next
//! one leaves least.

use super::Error;
use super::curve::FEW;
use super::engine::Loops;
use super::held::{Held, Piece};
use super::look::{Block, Candidates, Desk, Look};
use super::reference::squared_distance;
use super::rough::{Doubt, Rough};
use super::source::{Source, attempt};
use super::task::Task;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element, Points};
use alloc::{vec, vec::Vec};
use core::mem;

/// Values up to which points in memory, of few features, are turned once.
const TURNED: usize = 1 << 17;

/// A choice under way.
pub(super) struct Search<'a, T: Element> {
    task: &'a Task<'a, T>,
    loops: &'a dyn Loops<T>,
    known: Known<T>,
    /// What is taken from features that `f32` does not hold; else zeros.
    offset: Vec<f64>,
    /// Those that were looked at last, and which of them was chosen.
    candidates: Candidates,
    best: usize,
    /// Whether the closest distances do not know of that one yet.
    ahead: bool,
    /// How far rough sums may be off, if such are asked for first.
    doubt: Option<Doubt>,
    /// Points less the offset in `f32`, if rough sums are made of them and they are worth keeping.
    moved: Option<Points<f32>>,
}

/// What is known of each block.
struct Known<T> {
    /// Candidates of a look.
    trials: usize,
    /// Squared distances from the nearest centre; 0 behind the last point.
    closest: Buffer<f64>,
    /// What they mean to a look.
    limits: Buffer<f32>,
    /// Squares of the points less the offset, where that was rounded and a look asks for them.
    squares: Buffer<f64>,
    /// Weights of whole blocks; empty if there are none.
    weights: Buffer<f64>,
    /// What each candidate would leave, and a bit for each point that is nearer to it.
    potentials: Buffer<f64>,
    nearer: Buffer<u64>,
    /// What every member works in.
    space: Buffer<T>,
    staged: Buffer<f32>,
    least: Buffer<f64>,
}

impl<'a, T: Element> Search<'a, T> {
    /// Takes `first` in, which is a point.
    pub(super) fn new(task: &'a Task<'a, T>, trials: usize, first: usize) -> Result<Self, Error> {
        let Task { source, weights, .. } = *task;
        let (loops, few) = (task.plan.engine().over::<T>(), source.d() <= FEW);
        let rounded = size_of::<T>() > size_of::<f32>();
        let offset = if rounded { features(&source, &[first])? } else { vec![0.0; source.d()] };
        let mut known = Known::new(task, trials)?;
        if rounded && !few {
            known.squares = squares(task, &offset)?;
        }
        // Points that are read are read once a centre. Weights may be too small for `f32`.
        let rough = source.held().filter(|_| few && weights.is_none());
        let moved = match rough {
            Some(held) if worth_turning(&held) => Some(held.moved(&offset)?),
            _ => None,
        };
        let candidates = Candidates::new(Vec::new(), &offset, loops.lanes());
        let (best, ahead, doubt) = (0, false, None);
        let mut search =
            Search { task, loops, known, offset, candidates, best, ahead, doubt, moved };
        if rough.is_some() {
            search.take(first)?;
            let squares = if rounded { search.left() } else { 0.0 };
            search.doubt = Some(Doubt::new(source.n(), squares));
        } else {
            search.look(&[first])?;
            search.ahead = true;
        }
        Ok(search)
    }

    /// Which of some candidates leaves the least sum of weighted distances, the first among equals:
    /// that one is taken in.
    pub(super) fn choose(&mut self, points: &[usize]) -> Result<usize, Error> {
        match self.doubt {
            Some(doubt) => {
                self.best = self.least_roughly(points, doubt)?;
                self.take(points[self.best])?;
            }
            None => {
                self.look(points)?;
                (self.best, self.ahead) = (self.least(points.len()), true);
            }
        }
        Ok(self.best)
    }

    /// What the candidate that was chosen last leaves.
    pub(super) fn left(&self) -> f64 {
        self.known.shares(self.best).sum()
    }

    /// The first point at which the running sum of weighted distances from the nearest centre
    /// reaches `target`.
    pub(super) fn find(&mut self, target: f64) -> Result<usize, Error> {
        let (mut before, mut block) = (0.0, 0);
        let mut shares = self.known.shares(self.best).peekable();
        while let Some(share) = shares.next() {
            if shares.peek().is_none() || before + share >= target {
                break;
            }
            before += share;
            block += 1;
        }
        drop(shares);
        let source = &self.task.source;
        let here = block * BLOCK..source.n().min((block + 1) * BLOCK);
        let Known { closest, space, .. } = &mut self.known;
        let mut closest = *closest[block * BLOCK..].first_chunk().expect("a whole block");
        if self.ahead {
            let (loops, centre) = (self.loops, self.candidates.get(self.best));
            source.each(block..block + 1, |Piece { held, blocks, .. }| {
                loops.lower(held.columns(blocks.start, space), centre, &mut closest);
                Ok(())
            })?;
        }
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

    /// Some points as candidates.
    fn candidates(&self, points: &[usize]) -> Result<Candidates, Error> {
        let features = features(&self.task.source, points)?;
        Ok(Candidates::new(features, &self.offset, self.loops.lanes()))
    }

    /// One look at all points: brings the closest distances up to date if they are behind, and finds
    /// what each of these candidates would leave.
    fn look(&mut self, points: &[usize]) -> Result<(), Error> {
        let candidates = self.candidates(points)?;
        let before = mem::replace(&mut self.candidates, candidates);
        let newest = mem::take(&mut self.ahead).then(|| (before.get(self.best), self.best));
        let Search { task, loops, offset, candidates, .. } = self;
        self.known.pass(task, &|block| {
            loops.look(block, &Look { offset, newest, candidates });
        })
    }

    /// As [`Search::least`], of all of them: asks for sums in `f64` only where rough ones leave any
    /// doubt.
    fn least_roughly(&mut self, points: &[usize], doubt: Doubt) -> Result<usize, Error> {
        let candidates = self.candidates(points)?;
        let Search { task, loops, known, offset, moved, .. } = self;
        known.pass(task, &|block| {
            let columns = moved.as_ref().map(|moved| moved.block(block.block));
            loops.rough(block, &Rough { columns, offset, candidates: &candidates });
        })?;
        let rough: Vec<f64> =
            (0..points.len()).map(|index| self.known.shares(index).sum()).collect();
        // Of one point that was drawn twice, the first is as good.
        let close: Vec<usize> = doubt
            .close(&rough)
            .filter(|&index| !points[..index].contains(&points[index]))
            .collect();
        if let [best] = close[..] {
            return Ok(best);
        }
        if close.len() == points.len() {
            // Distances that are too large or too small for `f32` say nothing; nor will the next. (A tie
            // of all looks the same, and costs the rest of the choice what rough sums would save.)
            self.doubt = None;
        }
        let points: Vec<usize> = close.iter().map(|&index| points[index]).collect();
        self.look(&points)?;
        Ok(close[self.least(points.len())])
    }

    /// Takes a point in as a centre, `self.best` from now on.
    fn take(&mut self, point: usize) -> Result<(), Error> {
        let centre = features(&self.task.source, &[point])?;
        let (loops, best) = (self.loops, self.best);
        self.known.pass(self.task, &|block| loops.take(block, &centre, best))
    }

    /// The candidate with the least potential, the first among equals.
    fn least(&self, candidates: usize) -> usize {
        let mut best = (0, f64::INFINITY);
        for candidate in 0..candidates {
            let potential = self.known.shares(candidate).sum();
            if potential < best.1 {
                best = (candidate, potential);
            }
        }
        best.0
    }
}

impl<T: Element> Known<T> {
    fn new(task: &Task<'_, T>, trials: usize) -> Result<Self, Error> {
        let (n, d, blocks) = (task.source.n(), task.source.d(), task.source.blocks());
        let (padded, members) = (blocks * BLOCK, task.team.size());
        let mut closest = Buffer::zeroed(padded)?;
        closest[..n].fill(f64::INFINITY);
        let mut limits = Buffer::zeroed(padded)?;
        limits[..n].fill(f32::INFINITY);
        let mut weights = Buffer::zeroed(if task.weights.is_some() { padded } else { 0 })?;
        if let Some(given) = task.weights {
            weights[..n].copy_from_slice(given);
        }
        Ok(Known {
            trials,
            closest,
            limits,
            squares: Buffer::zeroed(0)?,
            weights,
            potentials: Buffer::zeroed(blocks * trials)?,
            nearer: Buffer::zeroed(blocks * trials)?,
            space: Buffer::zeroed(members.saturating_mul(d * BLOCK))?,
            staged: Buffer::zeroed(members.saturating_mul((d + 1) * BLOCK))?,
            least: Buffer::zeroed(members.saturating_mul(trials * BLOCK))?,
        })
    }

    /// What a candidate would leave, block by block.
    fn shares(&self, candidate: usize) -> impl Iterator<Item = f64> {
        self.potentials.chunks_exact(self.trials).map(move |all| all[candidate])
    }

    /// Visits all blocks.
    fn pass(
        &mut self,
        task: &Task<'_, T>,
        visit: &(dyn Fn(Block<'_, T>) + Sync),
    ) -> Result<(), Error> {
        let (source, trials) = (task.source, self.trials);
        let (d, blocks) = (source.d(), source.blocks());
        let (squares, weights) = (&self.squares, &self.weights);
        let (closest, limits) = (Disjoint::new(&mut self.closest), Disjoint::new(&mut self.limits));
        let (nearer, potentials) =
            (Disjoint::new(&mut self.nearer), Disjoint::new(&mut self.potentials));
        let (spaces, stages) = (Disjoint::new(&mut self.space), Disjoint::new(&mut self.staged));
        let leasts = Disjoint::new(&mut self.least);
        attempt(task.team, &|member| {
            let own = |len: usize| member.index() * len..(member.index() + 1) * len;
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has a part of its own.
            let (space, staged, least) = unsafe {
                (
                    spaces.part(own(d * BLOCK)),
                    stages.part(own((d + 1) * BLOCK)),
                    leasts.part(own(trials * BLOCK)),
                )
            };
            source.each(member.share(blocks), |Piece { held, blocks, points }| {
                for (of_all, block) in (points.start / BLOCK..).zip(blocks) {
                    let lanes = of_all * BLOCK..(of_all + 1) * BLOCK;
                    let tried = of_all * trials..(of_all + 1) * trials;
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: every block is one member's.
                    let (closest, limits, nearer, potentials) = unsafe {
                        (
                            closest.part(lanes.clone()),
                            limits.part(lanes.clone()),
                            nearer.part(tried.clone()),
                            potentials.part(tried),
                        )
                    };
                    let least = least.as_chunks_mut().0;
                    visit(Block {
                        held,
                        block,
                        closest: closest.first_chunk_mut().expect("a whole block"),
                        limits: limits.first_chunk_mut().expect("a whole block"),
                        squares: squares.get(lanes.clone()),
                        weights: weights.get(lanes),
                        potentials,
                        nearer,
                        desk: Desk { space, staged, least },
                    });
                }
                Ok(())
            })
        })
    }
}

/// The features of some points, one point's behind the other's.
fn features<T: Element>(source: &Source<'_, T>, points: &[usize]) -> Result<Vec<f64>, Error> {
    let mut space = vec![T::default(); source.d()];
    let mut features = Vec::with_capacity(points.len() * source.d());
    for &point in points {
        features.extend(source.point(point, &mut space)?.iter().map(|&x| x.into()));
    }
    Ok(features)
}

/// Whether points are turned once, not for every centre.
pub(super) fn worth_turning<T: Element>(held: &Held<'_, T>) -> bool {
    held.d() <= FEW && held.n().saturating_mul(held.d()) <= TURNED
}

/// The squares of all points less the offset.
fn squares<T: Element>(task: &Task<'_, T>, offset: &[f64]) -> Result<Buffer<f64>, Error> {
    let Task { source, team, .. } = *task;
    let mut found = Buffer::zeroed(source.blocks() * BLOCK)?;
    let squares = Disjoint::new(&mut found);
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
    })?;
    Ok(found)
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
