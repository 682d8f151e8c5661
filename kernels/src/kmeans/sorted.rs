//! A copy of the points in an order that puts near ones together, equal ones once each.
//!
//! What a block of points is tested for (see `prune`) depends on how near its points are to each
//! other, and sums do not depend on the order (see `fixed`); so a fit of few features goes through
//! its points along a space-filling curve. Of the 64 centres of a picture's colours a block of
//! pixels in a row leaves 37 to be scored, a block in this order 3, and often a single one. Pictures
//! also have few colours beside their pixels: equal points that weigh the same are one, counted.
//!
//! What is not exact in any order (seeding, the tolerance, the inertia), or counts points one by one
//! (what becomes of empty clusters), sees all points.

use super::Shape;
use super::curve::{FEW, Spot, order, point};
use super::held::Held;
use super::source::Source;
use super::task::Task;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::Element;
use crate::{Matrix, Team};
use core::mem;

/// Fewer points are fitted sooner than sorted.
const LEAST: usize = 1 << 14;

/// Fewest centres for which leaving some out pays for sorting within a few iterations. Bytes have
/// equals that pay anyway.
const MANY: usize = 16;

/// Fewer iterations are no longer than sorting.
const ITERATIONS: usize = 4;

/// Points in the order of the curve.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    d: usize,
    rows: Buffer<T>,
    /// How many points each stands for, if points have no weights.
    pub(super) times: Option<Buffer<u32>>,
    /// What each weighs, if they have.
    pub(super) weights: Option<Buffer<f64>>,
    /// Which of them each point is.
    pub(super) of: Buffer<u32>,
}

impl<T: Element> Sorted<T> {
    /// Nothing where it would not pay for a fit of so many iterations, points are not in memory, or
    /// a copy of them has no room there: a fit can do without.
    pub(super) fn make(task: &Task<'_, T>, iterations: usize) -> Option<Self> {
        let Shape { n, d, k } = task.shape();
        let bytes = size_of::<T>() == 1 && task.weights.is_none();
        let pays = d <= FEW && (k >= MANY || bytes) && iterations > ITERATIONS;
        if !pays || !(LEAST..1 << 31).contains(&n) {
            return None;
        }
        let held = task.source.held()?;
        match d {
            1 => Self::copy::<1>(task, held),
            2 => Self::copy::<2>(task, held),
            3 => Self::copy::<3>(task, held),
            _ => Self::copy::<FEW>(task, held),
        }
    }

    fn copy<const D: usize>(task: &Task<'_, T>, held: Held<'_, T>) -> Option<Self> {
        let (n, Task { weights, team, .. }) = (held.n(), *task);
        let spots = order(held, team)?;
        let Gathered { all, first, starts } =
            gather::<T, D>(held, &spots, team, weights.is_some())?;
        let len = starts[team.size()];
        let (mut rows, mut of) = (Buffer::zeroed(len * D).ok()?, Buffer::zeroed(n).ok()?);
        let mut times = Buffer::zeroed(len).ok()?;
        {
            let (rows, of) = (Disjoint::new(&mut rows), Disjoint::new(&mut of));
            let times = Disjoint::new(&mut times);
            let all = all.as_chunks::<D>().0;
            team.run(&|member| {
                let mine = starts[member.index()]..starts[member.index() + 1];
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every row is one member's.
                let (rows, times) =
                    unsafe { (rows.part(mine.start * D..mine.end * D), times.part(mine.clone())) };
                let rows = rows.as_chunks_mut::<D>().0;
                // A row is that member's who has the first of its points.
                let share = member.share(n);
                let begin = |at: usize| (at..n).find(|&at| first[at]).unwrap_or(n);
                let mut row = usize::MAX;
                for at in begin(share.start)..begin(share.end) {
                    row = row.wrapping_add(usize::from(first[at]));
                    rows[row] = all[at];
                    times[row] += 1;
                    let point = point(spots[at]);
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: every point is there once.
                    let of = unsafe { of.part(point..point + 1) };
                    of[0] = (mine.start + row) as u32;
                }
            });
        }
        // With weights, all have a row each.
        let weigh = |weights: &[f64]| {
            let mut sorted = Buffer::zeroed(n).ok()?;
            sorted.iter_mut().zip(&spots[..]).for_each(|(to, &spot)| *to = weights[point(spot)]);
            Some(sorted)
        };
        let (times, weights) = match weights {
            None => (Some(times), None),
            Some(weights) => (None, Some(weigh(weights)?)),
        };
        Some(Sorted { d: D, rows, times, weights, of })
    }

    /// As points to be fitted.
    pub(super) fn source(&self) -> Source<'_, T> {
        let rows = Matrix::new(&self.rows, self.rows.len() / self.d, self.d);
        Source::Rows(rows.expect("d features for each"))
    }
}

/// Points in order, equal ones still apart.
struct Gathered<T> {
    all: Buffer<T>,
    /// Which are the first of a row.
    first: Buffer<bool>,
    /// Where the rows start whose first point is in a member's share, and where all end.
    starts: Buffer<usize>,
}

/// Takes points from where they are. Nothing here depends on what they are: neither a branch, nor
/// where the next is read from; with both, this took longer than sorting.
fn gather<T: Element, const D: usize>(
    held: Held<'_, T>,
    spots: &[Spot],
    team: &dyn Team,
    apart: bool,
) -> Option<Gathered<T>> {
    let n = spots.len();
    let (mut all, mut first) = (Buffer::zeroed(n * D).ok()?, Buffer::zeroed(n).ok()?);
    let mut starts = Buffer::zeroed(team.size() + 1).ok()?;
    let row = |spot: Spot| -> [T; D] {
        let mut space = [T::default(); D];
        *held.point(point(spot), &mut space).first_chunk().expect("d features")
    };
    {
        let (all, first) = (Disjoint::new(&mut all), Disjoint::new(&mut first));
        let counts = Disjoint::new(&mut starts);
        team.run(&|member| {
            let share = member.share(n);
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every spot is one member's, and so is its count.
            let (all, first, count) = unsafe {
                let count = counts.part(member.index()..member.index() + 1);
                (all.part(share.start * D..share.end * D), first.part(share.clone()), count)
            };
            let mut before = share.start.checked_sub(1).map(|before| row(spots[before]));
            let out = all.as_chunks_mut().0.iter_mut().zip(first);
            for (&spot, (to, first)) in spots[share].iter().zip(out) {
                *to = row(spot);
                let new = before.is_none_or(|before| {
                    to.iter().zip(&before).fold(apart, |new, (a, b)| new | (a != b))
                });
                (*first, before) = (new, Some(*to));
                count[0] += usize::from(new);
            }
        });
    }
    let mut start = 0;
    starts.iter_mut().for_each(|count| start += mem::replace(count, start));
    Some(Gathered { all, first, starts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::CacheSizes;
    use crate::kmeans::{Plan, Recipe};
    use crate::{Isa, Solo, SpinTeam};
    use alloc::vec::Vec;

    fn make<T: Element>(
        source: Source<'_, T>,
        weights: Option<&[f64]>,
        shape: Shape,
        iterations: usize,
        team: &dyn Team,
    ) -> Option<Sorted<T>> {
        let recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::detect(), 1);
        let plan = &Plan::new(shape, Isa::Scalar, recipe).unwrap();
        Sorted::make(&Task { source, weights, plan, team }, iterations)
    }

    #[test]
    fn every_point_is_found_again_and_equal_ones_are_one() {
        let n = LEAST + 77;
        let value = |i: usize| ((i * 40503) % 251) as f32 / 7.0;
        let rows: Vec<f32> = (0..3 * n).map(value).collect();
        let source = Source::Rows(Matrix::new(&rows, n, 3).unwrap());
        let shape = Shape { n, d: 3, k: MANY };
        let sorted = make(source, None, shape, 9, &Solo).unwrap();
        let times = sorted.times.as_ref().unwrap();
        assert!(times.len() <= 251 && times.iter().map(|t| *t as usize).sum::<usize>() == n);
        let weights: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let weighted = make(source, Some(&weights), shape, 9, &Solo).unwrap();
        for (point, row) in rows.chunks_exact(3).enumerate() {
            let at = sorted.of[point] as usize * 3;
            assert_eq!(sorted.rows[at..at + 3], *row);
            let at = weighted.of[point] as usize;
            assert_eq!(weighted.rows[at * 3..at * 3 + 3], *row);
            assert_eq!(weighted.weights.as_ref().unwrap()[at], point as f64);
        }
        let team = SpinTeam::new(3).unwrap();
        for (alone, weights) in [(&sorted, None), (&weighted, Some(&weights[..]))] {
            let together = make(source, weights, shape, 9, &team).unwrap();
            assert_eq!(together.rows[..], alone.rows[..]);
            assert_eq!(together.times.as_deref(), alone.times.as_deref());
            assert_eq!(together.weights.as_deref(), alone.weights.as_deref());
            assert_eq!(together.of[..], alone.of[..]);
        }
        let few = Shape { k: MANY - 1, ..shape };
        assert!(make(source, None, few, 9, &Solo).is_none());
        assert!(make(source, None, shape, ITERATIONS, &Solo).is_none());
    }

    #[test]
    fn extreme_values_and_constant_features_are_sorted_too() {
        let n = LEAST;
        let values = [-1e115, 1e115, 0.0, 1e-300];
        let rows: Vec<f64> = (0..n).flat_map(|i| [values[i % 4], 5.0]).collect();
        let source = Source::Rows(Matrix::new(&rows, n, 2).unwrap());
        let shape = Shape { n, d: 2, k: MANY };
        let sorted = make(source, None, shape, 9, &Solo).unwrap();
        let times = sorted.times.unwrap();
        assert_eq!(times.iter().sum::<u32>() as usize, n);
    }
}
