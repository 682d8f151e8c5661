//! Who gets how much of the time.
//!
//! Cells have weights; each gets its share of what is left when its turn comes, so that a slow
//! one makes the later ones shorter instead of the report longer.

use super::super::model::Mode;
use std::time::{Duration, Instant};
use tilewise_tuner::measure::{Stopwatch, stats};

/// The time left, and the weights it is to be shared among.
pub(super) struct Budget {
    mode: Mode,
    deadline: Instant,
    weights_left: f64,
}

impl Budget {
    /// Shares the time of a mode among `weights`, less what the closing roofs will take.
    pub(super) fn new(mode: Mode, weights: f64, closing: Duration) -> Budget {
        let whole = match mode {
            // On two cores a quick report ends within 60 s, a full one within 600 s: the rest is
            // for the checks and the references, which no budget can shorten.
            Mode::Quick => Duration::from_secs(42),
            Mode::Full => Duration::from_secs(480),
        };
        let deadline = Instant::now() + whole.saturating_sub(closing);
        Budget { mode, deadline, weights_left: weights }
    }

    /// Whether there is any time left.
    pub(super) fn is_spent(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The share of a cell of this weight. Asked for when its inputs are ready.
    pub(super) fn share(&mut self, weight: f64) -> Stopwatch {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let share = left.mul_f64((weight / self.weights_left.max(weight)).clamp(0.0, 1.0));
        self.weights_left -= weight;
        // The rest is for checking the results.
        let mut watch = Stopwatch::within(share.mul_f64(0.8));
        if self.mode == Mode::Full {
            // Six rounds have an interval from the least to the greatest: legal, not pretty.
            watch.min_rounds = 2 * stats::MIN_ROUNDS;
        }
        watch
    }
}
