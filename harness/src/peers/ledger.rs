//! Disturbances when the work is done in several places.
//!
//! Handing over to a worker, or to a thread pool, takes the core from the one who hands over,
//! which disturbs nobody. So switches count only while somebody's clock runs: each entrant counts
//! those of its own process during its calls, and the round has their sum.

use std::cell::Cell;
use tilewise_tuner::measure::{Clock, Counters, SystemClock};

/// The system's clock, but with those involuntary context switches only that entrants counted.
#[derive(Debug)]
pub(super) struct LedgerClock {
    system: SystemClock,
    switches: Cell<Option<u64>>,
}

impl LedgerClock {
    pub(super) fn new() -> LedgerClock {
        LedgerClock { system: SystemClock::new(), switches: Cell::new(Some(0)) }
    }

    /// Adds those of a batch; from one that cannot tell on, nothing is known.
    pub(super) fn add(&self, switches: Option<u64>) {
        let total = self.switches.get().zip(switches).map(|(total, more)| total + more);
        self.switches.set(total);
    }
}

impl Clock for LedgerClock {
    fn now(&self) -> f64 {
        self.system.now()
    }

    fn counters(&self) -> Counters {
        Counters { preemptions: self.switches.get(), ..self.system.counters() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_counted_counts() {
        let clock = LedgerClock::new();
        assert_eq!(clock.counters().preemptions, Some(0));
        clock.add(Some(2));
        clock.add(Some(3));
        assert_eq!(clock.counters().preemptions, Some(5));
        clock.add(None);
        assert_eq!(clock.counters().preemptions, None);
    }
}
