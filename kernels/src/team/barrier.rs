//! The meeting point of a region's members.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};

/// Turns of a spinning wait before the core is offered to somebody else: about 50 us, longer than
/// any region of a kernel is out of balance, shorter than a time slice.
const SPINS: u32 = 1 << 11;

/// A barrier that spins: the members of a region are running, so a wait is short.
#[derive(Debug)]
pub struct Barrier {
    members: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

impl Barrier {
    /// For `members` members.
    pub fn new(members: usize) -> Self {
        Barrier {
            members,
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Returns once all members have called it.
    ///
    /// # Panics
    /// When the barrier is [broken](Barrier::break_up), because those who wait for a member that
    /// panicked would wait for ever.
    pub fn wait(&self) {
        let round = self.round.load(Acquire);
        if self.arrived.fetch_add(1, AcqRel) + 1 == self.members {
            self.arrived.store(0, Relaxed);
            self.round.store(round.wrapping_add(1), Release);
            return;
        }
        wait_until(|| {
            assert!(!self.broken.load(Relaxed), "another member of the team panicked");
            self.round.load(Acquire) != round
        });
    }

    /// Releases those who wait, with a panic: one member will never come.
    pub fn break_up(&self) {
        self.broken.store(true, Relaxed);
    }
}

/// Spins until `ready`, after a while letting other threads have the core between two looks. Says
/// whether it came to that.
pub(super) fn wait_until(mut ready: impl FnMut() -> bool) -> bool {
    let mut spins = 0;
    while !ready() {
        if spins < SPINS {
            core::hint::spin_loop();
        } else {
            #[cfg(feature = "std")]
            std::thread::yield_now();
        }
        spins = (spins + 1).min(SPINS + 1);
    }
    spins > SPINS
}
