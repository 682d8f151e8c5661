//! Sums of the points of each label, in an order that neither threads nor recipes change.
//!
//! Points are cut into leaves of [`leaf_points`] points. A leaf is summed in `f64`, each value times
//! the point's weight if there are weights, in
//! [`runs`] interleaved runs, point `i` in run `i % runs`; runs are added in pairs, and leaves in
//! a binary tree, neighbours first. Which member sums which leaf decides nothing.
//!
//! With few features a sum is waited for: neighbours often share a label, and one addition through
//! memory takes a dozen cycles. Four runs have four on their way at once. With many features the
//! features of one point do the same, and four times the storage would leave the cache.

use super::Error;
use super::held::{Held, Piece};
use super::source::{Source, attempt};
use crate::Team;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use alloc::{vec, vec::Vec};
use core::ops::Range;

/// Most leaves: bounds the storage for sums, and leaves work for as many members.
const LEAVES: usize = 64;

/// Least points of a leaf: some microseconds of work.
const LEAST: usize = 2048;

/// Most features with which sums are kept in more than one run.
const FEW: usize = 7;

/// How many points of `n` are summed in one go for `k` labels; a multiple of [`BLOCK`].
///
/// At least four for each label, so that adding leaves together, which costs `k` points each,
/// stays small beside summing them.
pub fn leaf_points(n: usize, k: usize) -> usize {
    n.div_ceil(LEAVES).max(LEAST).max(k.saturating_mul(4)).next_multiple_of(BLOCK)
}

/// In how many interleaved runs a leaf of points of `d` features is summed.
pub fn runs(d: usize) -> usize {
    if d <= FEW { RUNS } else { 1 }
}

/// Interleaved runs of few features.
const RUNS: usize = 4;

/// Elements the sums of a label take in a run: whole registers of few features.
fn width(d: usize) -> usize {
    if d <= FEW { (d + 1).next_power_of_two() } else { d + 1 }
}

/// Sums by label: for each label its `d` sums, then the weight of its points, 1 each unless told.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    d: usize,
    /// Elements of a leaf: `k * (d + 1)`.
    len: usize,
    leaf_points: usize,
    leaves: Buffer<f64>,
    /// The runs of every member.
    runs: Buffer<f64>,
}

/// The sums while a team works on them.
pub(super) struct SharedSums<'a> {
    d: usize,
    len: usize,
    leaves: Disjoint<'a, f64>,
    runs: Disjoint<'a, f64>,
}

impl Sums {
    /// For `n` points of `d` features, `k` labels, and a team of `members`.
    pub(super) fn new(n: usize, d: usize, k: usize, members: usize) -> Result<Self, Error> {
        let (len, leaf_points) = (k.saturating_mul(d + 1), leaf_points(n, k));
        let leaves = n.div_ceil(leaf_points).max(1);
        Ok(Sums {
            d,
            len,
            leaf_points,
            leaves: Buffer::zeroed(len.saturating_mul(leaves))?,
            runs: Buffer::zeroed(Self::room(k, d).saturating_mul(members))?,
        })
    }

    /// Elements of a member's runs.
    fn room(k: usize, d: usize) -> usize {
        k.saturating_mul(width(d)).saturating_mul(runs(d))
    }

    /// How many leaves there are.
    pub(super) fn leaves(&self) -> usize {
        self.leaves.len().checked_div(self.len).unwrap_or(0)
    }

    /// How many blocks of points a leaf has.
    pub(super) fn leaf_blocks(&self) -> usize {
        self.leaf_points / BLOCK
    }

    pub(super) fn shared(&mut self) -> SharedSums<'_> {
        SharedSums {
            d: self.d,
            len: self.len,
            leaves: Disjoint::new(&mut self.leaves),
            runs: Disjoint::new(&mut self.runs),
        }
    }

    /// Adds all leaves into the first, and gives it.
    pub(super) fn total(&mut self, team: &dyn Team) -> &mut [f64] {
        let (len, leaves) = (self.len, self.leaves());
        let all = Disjoint::new(&mut self.leaves);
        team.run(&|member| {
            let share = member.share(len);
            let mut apart = 1;
            while apart < leaves {
                for left in (0..leaves - apart).step_by(2 * apart) {
                    let of = |leaf: usize| leaf * len + share.start..leaf * len + share.end;
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: two leaves, and of each the part that is this member's alone.
                    let (to, from) = unsafe { (all.part(of(left)), all.part(of(left + apart))) };
                    to.iter_mut().zip(from).for_each(|(to, from)| *to += *from);
                }
                apart *= 2;
            }
        });
        &mut self.leaves[..len]
    }
}

/// Labelled points of some blocks.
pub(super) struct Leaf<'a> {
    pub(super) blocks: Range<usize>,
    /// One for each point of the blocks.
    pub(super) labels: &'a [u32],
    /// As many, unless every point weighs 1.
    pub(super) weights: Option<&'a [f64]>,
}

impl SharedSums<'_> {
    /// Sums leaf `leaf` on the runs of member `member`, to which `fill` adds its points.
    pub(super) fn leaf(
        &self,
        (member, leaf): (usize, usize),
        fill: impl FnOnce(&mut [f64]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let len = Sums::room(self.len / (self.d + 1), self.d);
        #[allow(unsafe_code, reason = "disjoint output views")]
        // SAFETY: every member has runs of its own, and every leaf is one member's.
        let (runs, out) = unsafe {
            (
                self.runs.part(member * len..(member + 1) * len),
                self.leaves.part(leaf * self.len..(leaf + 1) * self.len),
            )
        };
        runs.fill(0.0);
        fill(runs)?;
        fold(self.d, runs, out);
        Ok(())
    }
}

/// What `sum` adds to `width` zeros for every leaf of points, piece by piece, added in the tree.
pub(super) fn over_leaves<T: Element>(
    source: Source<'_, T>,
    (k, width): (usize, usize),
    team: &dyn Team,
    sum: &(dyn Fn(&mut [f64], Piece<'_, T>) + Sync),
) -> Result<Vec<f64>, Error> {
    let each = leaf_points(source.n(), k) / BLOCK;
    let leaves = source.blocks().div_ceil(each).max(1);
    let mut sums = vec![0.0; leaves * width];
    let shared = Disjoint::new(&mut sums);
    attempt(team, &|member| {
        member.share(leaves).try_for_each(|leaf| {
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every leaf is one member's.
            let out = unsafe { shared.part(leaf * width..(leaf + 1) * width) };
            source.each(leaf * each..source.blocks().min((leaf + 1) * each), |piece| {
                sum(out, piece);
                Ok(())
            })
        })
    })?;
    let mut apart = 1;
    while apart < leaves {
        for left in (0..leaves - apart).step_by(2 * apart) {
            for at in left * width..(left + 1) * width {
                sums[at] += sums[at + apart * width];
            }
        }
        apart *= 2;
    }
    sums.truncate(width);
    Ok(sums)
}

/// Adds the points of a leaf, or of some of its blocks, to the runs.
#[inline(always)]
pub(super) fn add<T: Element>(
    held: Held<'_, T>,
    leaf: &Leaf<'_>,
    space: &mut [T],
    runs: &mut [f64],
) {
    match leaf.weights {
        None => add_weighted(held, leaf, space, runs, |_| 1.0),
        Some(weights) => add_weighted(held, leaf, space, runs, |point| weights[point]),
    }
}

#[inline(always)]
fn add_weighted<T: Element>(
    held: Held<'_, T>,
    leaf: &Leaf<'_>,
    space: &mut [T],
    runs: &mut [f64],
    weight: impl Fn(usize) -> f64 + Copy,
) {
    for (index, block) in leaf.blocks.clone().enumerate() {
        let first = index * BLOCK;
        let labels = &leaf.labels[first..leaf.labels.len().min(first + BLOCK)];
        let weight = |lane| weight(first + lane);
        match (held, held.d()) {
            (_, 1) => add_few::<T, 1, 2>(held.columns(block, space), labels, weight, runs),
            (_, 2) => add_few::<T, 2, 4>(held.columns(block, space), labels, weight, runs),
            (_, 3) => add_few::<T, 3, 4>(held.columns(block, space), labels, weight, runs),
            (_, 4) => add_few::<T, 4, 8>(held.columns(block, space), labels, weight, runs),
            (_, 5) => add_few::<T, 5, 8>(held.columns(block, space), labels, weight, runs),
            (_, 6) => add_few::<T, 6, 8>(held.columns(block, space), labels, weight, runs),
            (_, 7) => add_few::<T, 7, 8>(held.columns(block, space), labels, weight, runs),
            (Held::Blocks(points), d) => {
                add_columns(d, points.block(block), labels, weight, runs);
            }
            (Held::Rows(rows), d) => {
                for (lane, label) in labels.iter().enumerate() {
                    let sums = &mut runs[*label as usize * (d + 1)..][..d + 1];
                    add_point(rows.row(block * BLOCK + lane), weight(lane), sums);
                }
            }
        }
    }
}

/// Adds the points of a block to the sums of their labels in [`RUNS`] runs. The `D` features of a
/// point and its weight are `W` elements, of which the last may be 0: one addition of a register
/// or two, not one of each feature.
#[inline(always)]
fn add_few<T: Element, const D: usize, const W: usize>(
    columns: &[T],
    labels: &[u32],
    weight: impl Fn(usize) -> f64,
    runs: &mut [f64],
) {
    let columns: &[[T; BLOCK]; D] = columns.as_chunks().0.first_chunk().expect("D columns");
    let sums = runs.as_chunks_mut::<W>().0;
    let k = sums.len() / RUNS;
    for (lane, label) in labels.iter().enumerate().take(BLOCK) {
        let weight = weight(lane);
        let mut point = [0.0; W];
        for feature in 0..D {
            point[feature] = columns[feature][lane].into() * weight;
        }
        point[D] = weight;
        let sums = &mut sums[lane % RUNS * k + *label as usize];
        for at in 0..W {
            sums[at] += point[at];
        }
    }
}

/// Adds the points of a block to the sums of their labels.
#[inline(always)]
fn add_columns<T: Element>(
    d: usize,
    columns: &[T],
    labels: &[u32],
    weight: impl Fn(usize) -> f64,
    runs: &mut [f64],
) {
    let columns = &columns[..d * BLOCK];
    for (lane, label) in labels.iter().enumerate().take(BLOCK) {
        let sums = &mut runs[*label as usize * (d + 1)..][..d + 1];
        let weight = weight(lane);
        for feature in 0..d {
            sums[feature] += columns[feature * BLOCK + lane].into() * weight;
        }
        sums[d] += weight;
    }
}

/// Adds a point to the sums of its label.
#[inline(always)]
fn add_point<T: Element>(point: &[T], weight: f64, sums: &mut [f64]) {
    let (count, sums) = sums.split_last_mut().expect("a weight behind the sums");
    sums.iter_mut().zip(point).for_each(|(sum, &x)| *sum += x.into() * weight);
    *count += weight;
}

/// Adds one run, or four in pairs.
fn fold(d: usize, runs: &[f64], out: &mut [f64]) {
    if runs.len() == out.len() {
        return out.copy_from_slice(runs);
    }
    let (width, run) = (width(d), runs.len() / RUNS);
    for (label, out) in out.chunks_exact_mut(d + 1).enumerate() {
        for (at, out) in out.iter_mut().enumerate() {
            let of = |index: usize| runs[index * run + label * width + at];
            *out = (of(0) + of(1)) + (of(2) + of(3));
        }
    }
}
