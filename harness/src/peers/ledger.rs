//! Disturbances when the work is done in several places.
//!
//! Handing over to a worker, or to a thread pool, takes the core from the one who hands over,
//! which disturbs nobody. So what is lost counts only while somebody's clock runs: each entrant counts
//! what its own process loses during its calls, and the round has their sum.

use std::cell::Cell;
use tilewise_tuner::measure::{Clock, Counters, Lost, SystemClock};

/// The system's clock, but with those losses only that entrants counted.
#[derive(Debug)]
pub(super) struct LedgerClock {
    system: SystemClock,
    lost: Cell<Lost>,
}

impl LedgerClock {
    pub(super) fn new() -> LedgerClock {
        LedgerClock {
            system: SystemClock::new(),
            lost: Cell::new(Lost { preemptions: Some(0), waited_ns: Some(0) }),
        }
    }

    /// Adds those of a batch; from one that cannot tell on, nothing is known.
    pub(super) fn add(&self, lost: Lost) {
        self.lost.set(self.lost.get().and(&lost));
    }
}

impl Clock for LedgerClock {
    fn now(&self) -> f64 {
        self.system.now()
    }

    fn counters(&self) -> Counters {
        Counters { lost: self.lost.get(), ..self.system.counters() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_counted_counts() {
        let clock = LedgerClock::new();
        let lost = |n: u64| Lost { preemptions: Some(n), waited_ns: Some(100 * n) };
        assert_eq!(clock.counters().lost, lost(0));
        clock.add(lost(2));
        clock.add(lost(3));
        assert_eq!(clock.counters().lost, lost(5));
        clock.add(Lost { waited_ns: None, ..lost(1) });
        assert_eq!(clock.counters().lost, Lost { waited_ns: None, ..lost(6) });
    }
}
