//! Who runs the work: a team of members that are guaranteed to run at the same time.
//!
//! An operation hands one closure to [`Team::run`]; every member calls it once, takes its share
//! by [`Member::index`], and may meet the others at [`Member::barrier`]. That is all a kernel
//! knows of threads: no pool is looked up, nothing is global, and the team belongs to the caller.
//!
//! * [`Solo`] runs inline.
//! * [`SpinTeam`] keeps its own threads, spinning briefly and then parked: entering a region
//!   costs 0.2 us, against 18 us for a rayon pool from outside it (measured on a two-core Zen 5
//!   virtual machine; a BERT layer is a few hundred us).
//! * [`RayonTeam`] borrows the threads of a rayon pool, for those who live in one.

use core::ops::Range;

mod barrier;
#[cfg(feature = "std")]
mod place;
#[cfg(feature = "rayon")]
mod rayon;
#[cfg(feature = "std")]
mod spin;

pub use barrier::Barrier;
#[cfg(feature = "rayon")]
pub use rayon::RayonTeam;
#[cfg(feature = "std")]
pub use spin::{SpinTeam, TeamError};

/// Runs a piece of work on several members at once.
///
/// # Safety
/// Kernels hand each member a part of the output by its index. So an implementation of
/// [`Team::run`] must call `work` at most once for each index below one common count, with
/// members that share one barrier made for that count, and must not return while a call runs.
#[allow(unsafe_code, reason = "the team's hand-off: what kernels rely on to split their output")]
pub unsafe trait Team: Sync {
    /// How many members at most take part in a region.
    fn size(&self) -> usize;

    /// Calls `work` once on every member, all of them at the same time, and returns when all are
    /// done. A panic in `work` reaches the caller after the others have stopped.
    fn run(&self, work: &(dyn Fn(Member<'_>) + Sync));
}

/// One of those who run a piece of work.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    index: usize,
    count: usize,
    barrier: &'a Barrier,
}

impl<'a> Member<'a> {
    /// For those who write a [`Team`] of their own: `barrier` must be one made for `count`
    /// members and shared by all of them.
    pub fn new(index: usize, count: usize, barrier: &'a Barrier) -> Self {
        Member { index, count, barrier }
    }

    /// From 0, the caller, to `count - 1`.
    pub fn index(&self) -> usize {
        self.index
    }

    /// How many members run this piece of work.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Waits until every member has come here, and makes what they wrote visible to all.
    pub fn barrier(&self) {
        self.barrier.wait();
    }

    /// This member's part of `0..items`: contiguous, disjoint from the others', together all of
    /// it, lengths at most one apart.
    ///
    /// ```
    /// use tilewise::{Member, team::Barrier};
    /// let barrier = Barrier::new(3);
    /// let shares: Vec<_> = (0..3).map(|i| Member::new(i, 3, &barrier).share(7)).collect();
    /// assert_eq!(shares, [0..3, 3..5, 5..7]);
    /// ```
    pub fn share(&self, items: usize) -> Range<usize> {
        self.share_among(self.count, items)
    }

    /// Like [`Member::share`] among the first `takers` members; the others get nothing.
    pub fn share_among(&self, takers: usize, items: usize) -> Range<usize> {
        if self.index >= takers { items..items } else { share(items, takers, self.index) }
    }
}

/// Part `index` of `parts` even ones of `0..items`.
#[inline(always)]
pub(crate) fn share(items: usize, parts: usize, index: usize) -> Range<usize> {
    let (each, more) = (items / parts, items % parts);
    let start = index * each + index.min(more);
    start..start + each + usize::from(index < more)
}

/// A team of one: the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Solo;

// SAFETY: one member, one call, inline.
#[allow(unsafe_code, reason = "the team's hand-off")]
unsafe impl Team for Solo {
    fn size(&self) -> usize {
        1
    }

    fn run(&self, work: &(dyn Fn(Member<'_>) + Sync)) {
        work(Member::new(0, 1, &Barrier::new(1)));
    }
}
