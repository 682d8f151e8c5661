//! Who gets how much of the time.
//!
//! Cells have weights; each gets its share of what is left when its turn comes, so that a slow
//! one makes the later ones shorter instead of the report longer. In a quick report shares are
//! short: the fewest rounds of a slow cell take longer, and its reference and checks come on top.
//! So what the later ones take at the least is set aside before anything is shared; by weights
//! alone the last ones had nothing.

use super::super::model::Mode;
use std::time::{Duration, Instant};
use tilewise_tuner::measure::{Stopwatch, stats};

/// What a cell asks for.
#[derive(Clone, Copy)]
pub(super) struct Need {
    /// Its part of the time, beside the weights of others.
    pub(super) weight: f64,
    /// What it takes all told with the fewest rounds: inputs, reference and checks among it. As
    /// found on two Zen 4 cores; what scalar code takes is most of it, on every machine.
    pub(super) least: Duration,
}

/// The time left, and the needs it is to be shared among.
pub(super) struct Budget {
    mode: Mode,
    deadline: Instant,
    weights_left: f64,
    /// Set aside for those whose turn has not come.
    owed: Duration,
}

impl Budget {
    /// Shares the time of a mode among `needs`, less what the closing roofs will take.
    pub(super) fn new(mode: Mode, needs: &[Need], closing: Duration) -> Budget {
        let (whole, owed) = match mode {
            // On two cores a quick report ends within 60 s, a full one within 600 s: the rest is
            // for checks and references, which no budget can shorten, those of the last cell above
            // all.
            Mode::Quick => (50, needs.iter().map(|need| need.least).sum::<Duration>()),
            // Its shares are long enough by themselves.
            Mode::Full => (480, Duration::ZERO),
        };
        let deadline = Instant::now() + Duration::from_secs(whole).saturating_sub(closing);
        let weights_left = needs.iter().map(|need| need.weight).sum();
        Budget { mode, deadline, weights_left, owed }
    }

    /// Whether there is any time left.
    pub(super) fn is_spent(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// The share of a cell. Asked for when its inputs are ready.
    pub(super) fn share(&mut self, need: Need) -> Stopwatch {
        let part = need.weight / self.weights_left.max(need.weight);
        self.withdraw(need);
        let left = self.deadline.saturating_duration_since(Instant::now());
        let share = left.saturating_sub(self.owed).mul_f64(part.clamp(0.0, 1.0));
        // The rest is for checking the results.
        let mut watch = Stopwatch::within(share.mul_f64(0.8));
        if self.mode == Mode::Full {
            // Six rounds have an interval from the least to the greatest: legal, not pretty.
            watch.min_rounds = 2 * stats::MIN_ROUNDS;
        }
        watch
    }

    /// Takes a cell out of those to come: its turn is now, or it has none.
    pub(super) fn withdraw(&mut self, need: Need) {
        self.weights_left -= need.weight;
        self.owed = self.owed.saturating_sub(need.least);
    }
}

#[cfg(test)]
mod tests {
    use super::super::planned::Planned;
    use super::super::roofs;
    use super::*;

    fn need(weight: f64, least: u64) -> Need {
        Need { weight, least: Duration::from_secs(least) }
    }

    /// Whether a cell has its turn. It takes what it is given, or what it needs if that is more.
    fn has_turn(budget: &mut Budget, need: Need) -> bool {
        let has = !budget.is_spent();
        let given = Duration::from_secs_f64(budget.share(need).budget_s);
        budget.deadline -= given.max(need.least);
        has
    }

    #[test]
    fn the_last_have_what_they_need_whatever_the_first_weigh() {
        let mut needs = [need(10.0, 1), need(1.0, 25), need(1.0, 10)];
        for _ in 0..needs.len() {
            let mut budget = Budget::new(Mode::Quick, &needs, Duration::ZERO);
            let had = needs.map(|need| has_turn(&mut budget, need));
            assert_eq!(had, [true; 3], "{:?}", needs.map(|need| need.least));
            needs.rotate_left(1);
        }
    }

    #[test]
    fn a_quick_report_has_time_for_all_that_is_planned() {
        let (needs, roofs) = (Planned::of(Mode::Quick).needs(), roofs::time(Mode::Quick));
        let mut budget = Budget::new(Mode::Quick, &needs, roofs);
        // The first roofs are part of the time.
        budget.deadline -= roofs;
        let had: Vec<bool> = needs.iter().map(|&need| has_turn(&mut budget, need)).collect();
        assert!(!had.contains(&false), "{had:?}");
        assert!(!budget.is_spent(), "what is needed is more than there is");
    }

    #[test]
    fn a_full_report_shares_by_weights_alone() {
        let needs = [need(1.0, 0), need(3.0, 400)];
        let mut budget = Budget::new(Mode::Full, &needs, Duration::ZERO);
        let share = budget.share(needs[0]).budget_s;
        assert!((share - 0.8 * 480.0 / 4.0).abs() < 1.0, "{share}");
    }

    #[test]
    fn who_is_left_out_leaves_time_to_the_others() {
        let needs = [need(1.0, 1), need(3.0, 20)];
        let mut budget = Budget::new(Mode::Quick, &needs, Duration::ZERO);
        budget.withdraw(needs[1]);
        let share = budget.share(needs[0]).budget_s;
        assert!((share - 0.8 * 50.0).abs() < 1.0, "{share}");
    }
}
