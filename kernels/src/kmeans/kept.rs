//! Bounds that outlive an iteration: how far centres may move before a point's label can change.
//!
//! Whoever finds the nearest centre of a point has the second one too, and so knows by how much
//! that and all others are farther: the point's *slack*. Later the point's own centre may have come
//! away from it by no more than it has moved itself, and another may have come nearer by no more
//! than the one that moved most. So the label stays while
//!
//! ```text
//! slack  >  (own centre's moves since) + (largest move of each iteration since, together)
//! ```
//!
//! which is Hamerly's bound ("Making k-means even faster", SIAM SDM 2010) with both of its
//! distances in one number. What moved is added up from the start, for each centre, so that a point
//! keeps a single number, the sum `until` which its label stays, and nothing has to be written for
//! it while it does:
//!
//! ```text
//! when the label is found      until = slack + moved[label]     (all moves up to then)
//! later, 64 points at a time   open where not until > moved[label]
//! ```
//!
//! What becomes of those that are open, `relabel` says.
//!
//! # When it pays
//!
//! Finding slacks and asking for limits takes 2 ns a point (`f32`, one Zen 4 core): half of what it takes to label
//! a point of 2 features against 10 centres. Whether as many labels stay as repays that depends on the
//! points: by a simulation of this bound with 20,000 of them, 55 of 100 labels stay after ten
//! iterations and 75 after twenty where points lie in 50 clusters (32 features, 100 centres), 30 and 45
//! where they are spread evenly (16 features, 64 centres). So one block in sixteen keeps bounds from
//! the start, and what stays of those decides whether all do.
//!
//! # The bound
//!
//! Slacks are in terms of the definition's distances, less what the passes may be wrong by, which is
//! said where they are found (`lanes`, `bytes`), and less `2^-20` of the two distances; moves are
//! rounded up by as much. The definition rounds by less than `2^-36` of a distance for up to `2^16`
//! features, beyond which no pass is trusted. So where the test holds, the other centres are farther
//! by the definition as well. What is not a number is open.

use super::curve::FEW;
use super::{Error, Shape};
use crate::buffer::vector;
use crate::matrix::Disjoint;
use crate::points::BLOCK;
use crate::vector::FloatExtra;
use alloc::vec::Vec;
use core::iter::repeat_n;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use pulp::{Scalar, Simd};

/// A part in `2^20`: far above all rounding here.
const PART: f64 = 1.0 / (1 << 20) as f64;

/// One block in so many keeps bounds while the others do not.
const SAMPLE: usize = 16;

/// Sixteenths of labels that have to stay for all blocks to keep bounds, and to go on with it: where
/// a point costs [`MUCH`] or more products, and where fewer.
const ENOUGH: [[usize; 2]; 2] = [[2, 1], [6, 4]];
const MUCH: usize = 4096;

/// Until when labels stay, for a fit.
#[derive(Debug)]
pub(super) struct Kept {
    until: Vec<f32>,
    moved: Moved,
}

/// How far centres have moved since the start, and what came of asking.
#[derive(Debug)]
pub(super) struct Moved {
    /// Each of them.
    each: Vec<f64>,
    /// The farthest of every iteration.
    farthest: f64,
    /// Both together, rounded up and down; as long as a table is.
    high: Vec<f32>,
    low: Vec<f32>,
    /// Whether points have labels yet.
    any: bool,
    who: Who,
    /// Sixteenths of labels that have to stay.
    enough: [usize; 2],
    /// Of how many points it was asked whether labels stay, and of how many they did.
    asked: AtomicUsize,
    stayed: AtomicUsize,
}

/// Which blocks keep bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// One in [`SAMPLE`].
    Some,
    /// All, from this iteration on.
    Begins,
    /// All, since before.
    All,
}

/// Products a point should cost at least for bounds to pay.
const WORTH: usize = 1024;

/// Whether keeping bounds may pay: not where features are [`FEW`].
pub(super) fn suits(Shape { k, d, .. }: Shape) -> bool {
    d > FEW && k.saturating_mul(d) >= WORTH
}

impl Kept {
    /// For so many points and centres.
    pub(super) fn new(Shape { n, d, k }: Shape) -> Result<Self, Error> {
        let table = || vector(repeat_n(f32::NAN, k.next_power_of_two().max(LEAST)));
        let moved = Moved {
            each: vector(repeat_n(0.0, k))?,
            farthest: 0.0,
            high: table()?,
            low: table()?,
            any: false,
            who: Who::Some,
            enough: ENOUGH[usize::from(k.saturating_mul(d) < MUCH)],
            asked: AtomicUsize::new(0),
            stayed: AtomicUsize::new(0),
        };
        let mut kept = Kept { until: vector(repeat_n(0.0, n))?, moved };
        kept.clear();
        Ok(kept)
    }

    /// Begins again: no point has a label.
    pub(super) fn clear(&mut self) {
        let Moved { each, farthest, high, low, any, who, asked, stayed, .. } = &mut self.moved;
        // The last labels of a start before were asked for too.
        (*asked.get_mut(), *stayed.get_mut()) = (0, 0);
        each.fill(0.0);
        high[..each.len()].fill(0.0);
        low[..each.len()].fill(0.0);
        (*farthest, *any, *who) = (0.0, false, Who::Some);
    }

    /// What is known, for a team that labels points.
    pub(super) fn split(&mut self) -> (Disjoint<'_, f32>, &Moved) {
        (Disjoint::new(&mut self.until), &self.moved)
    }

    /// Hears that all points have labels, and by which squares of distances centres moved then.
    pub(super) fn moved(&mut self, squares: impl Iterator<Item = f64>) {
        let Moved { each, farthest, high, low, any, .. } = &mut self.moved;
        let mut most = 0.0;
        for (each, square) in each.iter_mut().zip(squares) {
            let step = Scalar::new().sqrt_f64s(square) * (1.0 + PART);
            *each += step;
            most = f64::max(most, step);
        }
        *farthest += most;
        *any = true;
        for (each, (high, low)) in each.iter().zip(high.iter_mut().zip(low)) {
            let sum = *each + *farthest;
            (*high, *low) = ((sum * (1.0 + PART)) as f32, (sum * (1.0 - PART)) as f32);
        }
        self.moved.decide();
    }
}

impl Moved {
    /// Which blocks keep bounds next, by what came of asking.
    fn decide(&mut self) {
        let (asked, stayed) = (self.asked.get_mut(), self.stayed.get_mut());
        let enough = |sixteenths: usize| *asked > 0 && *stayed >= *asked / 16 * sixteenths;
        self.who = match self.who {
            Who::Some if enough(self.enough[0]) => Who::Begins,
            Who::Begins => Who::All,
            Who::All if enough(self.enough[1]) => Who::All,
            _ => Who::Some,
        };
        (*asked, *stayed) = (0, 0);
    }

    /// Of a block that keeps bounds, whether it had any before; none where it keeps none.
    pub(super) fn keeps(&self, block: usize) -> Option<bool> {
        let sample = block.is_multiple_of(SAMPLE);
        let keeps = self.who != Who::Some || sample;
        keeps.then_some(self.any && (self.who == Who::All || sample))
    }

    /// Whether points that are open are gathered: not by a block that is a sample, which would be
    /// labelled twice.
    pub(super) fn gathers(&self) -> bool {
        self.who == Who::All
    }

    /// Hears of how many points it was asked whether labels stay, and of how many they did.
    pub(super) fn hear(&self, asked: usize, stayed: usize) {
        if asked > 0 {
            self.asked.fetch_add(asked, Relaxed);
            self.stayed.fetch_add(stayed, Relaxed);
        }
    }

    /// A bit for each of up to a block of points whose label may have changed.
    #[inline(always)]
    pub(super) fn open<S: FloatExtra>(&self, simd: S, labels: &[u32], until: &[f32]) -> u64 {
        let (mut limits, mut own) = ([f32::NAN; BLOCK], [f32::NAN; BLOCK]);
        look_up(&self.high, labels, &mut limits);
        own[..until.len()].copy_from_slice(until);
        let (mut open, mut at) = (0, 0);
        for (own, limit) in S::as_simd_f32s(&own).0.iter().zip(S::as_simd_f32s(&limits).0) {
            let stays = simd.greater_than_f32s(*own, *limit);
            open |= u64::from(simd.bits(simd.not_m32s(stays))) << at;
            at += S::F32_LANES;
        }
        open & (u64::MAX >> (BLOCK - labels.len()))
    }

    /// Until when points stay that have just got labels, given their slacks.
    #[inline(always)]
    pub(super) fn until(&self, labels: &[u32], slacks: &mut [f32; BLOCK]) {
        let mut moved = [f32::NAN; BLOCK];
        look_up(&self.low, labels, &mut moved);
        for (until, moved) in slacks.iter_mut().zip(moved) {
            let sum = *until + moved;
            *until = sum - sum.abs() * PART as f32;
        }
    }
}

/// Fewest entries of a table.
const LEAST: usize = 64;

/// What a table has for each label. Tables whose length the compiler knows are not asked whether
/// they are long enough each time.
#[inline(always)]
fn look_up(table: &[f32], labels: &[u32], to: &mut [f32; BLOCK]) {
    match table.len() {
        LEAST => look_up_in::<LEAST>(table, labels, to),
        128 => look_up_in::<128>(table, labels, to),
        256 => look_up_in::<256>(table, labels, to),
        512 => look_up_in::<512>(table, labels, to),
        1024 => look_up_in::<1024>(table, labels, to),
        _ => {
            for (to, &label) in to.iter_mut().zip(labels) {
                *to = table.get(label as usize).copied().unwrap_or(f32::NAN);
            }
        }
    }
}

#[inline(always)]
fn look_up_in<const N: usize>(table: &[f32], labels: &[u32], to: &mut [f32; BLOCK]) {
    let table: &[f32; N] = table.first_chunk().expect("a table of that length");
    for (to, &label) in to.iter_mut().zip(labels) {
        *to = table[label as usize % N];
    }
}

#[cfg(test)]
mod tests;
