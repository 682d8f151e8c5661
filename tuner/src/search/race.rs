//! The race of the best: rounds until one is ahead or the time is up.

use super::{Error, Hunt, RACE, Stage, median};
use crate::measure::stats::CONFIDENCE;
use crate::measure::{Estimate, Runner, balanced};
use std::fmt::Display;

/// Challengers in the race, beside the default.
const FINALISTS: usize = 7;

/// A challenger that looked slower than this against the default needs no race.
const WORTH_RACING: f64 = 0.97;

/// Rounds after which the samples are looked at. Few and fixed, because every look is a chance to
/// be misled.
const LOOKS: [usize; 4] = [6, 12, 24, 48];

impl<R: Copy + PartialEq + Display> Hunt<'_, '_, R> {
    /// Runs the best against each other and the default, and corrects their ratios. Returns the
    /// fastest challenger, as an index into what was tried: also if the default is faster, for
    /// then the confirmation shows that. `None` without any challenger.
    pub(super) fn race(&mut self) -> Result<Option<usize>, Error> {
        let entered = self.finalists();
        if entered.len() <= 2 {
            return Ok(entered.get(1).copied()); // Confirmation is a race of two.
        }
        let field = self.run(&entered)?;
        for (arm, &tried) in entered.iter().enumerate().skip(1) {
            if let Some(ratio) = field.ratio_to_default(arm) {
                self.tried[tried].ratio = ratio;
            }
        }
        self.report(Stage::Race);
        Ok(field.leader().map(|arm| entered[arm]))
    }

    fn run(&self, entered: &[usize]) -> Result<Field, Error> {
        let arm = |&tried: &usize| self.arm(&tried.to_string(), &self.tried[tried].recipe);
        let arms = entered.iter().map(arm).collect::<Result<Vec<_>, _>>()?;
        let mut runner = Runner::new(self.by_the_round(), &*self.search.clock, arms)?;
        let mut field = Field::new(entered.len());
        for order in balanced(entered.len()).iter().cycle().take(LOOKS[LOOKS.len() - 1]) {
            if self.spent() >= RACE * self.search.budget_s || field.challengers().count() < 2 {
                break;
            }
            let order: Vec<usize> = order.iter().copied().filter(|&a| field.runs[a]).collect();
            field.push(&order, &runner.round(&order)?.seconds);
        }
        Ok(field)
    }

    /// The default and those that looked best: indices into what was tried.
    fn finalists(&self) -> Vec<usize> {
        let ratio = |index: usize| self.tried[index].ratio;
        let mut order: Vec<usize> = (1..self.tried.len()).collect();
        order.sort_by(|&a, &b| ratio(b).total_cmp(&ratio(a)));
        // The first stays in any case: its interval is the evidence for the default.
        let close = order.iter().take_while(|&&index| ratio(index) >= WORTH_RACING).count();
        order.truncate(close.clamp(1, FINALISTS));
        order.insert(0, 0);
        order
    }
}

/// The samples of a race; arm 0 is the default and never drops out.
struct Field {
    /// Seconds of each arm, one a round for as long as it ran.
    seconds: Vec<Vec<f64>>,
    runs: Vec<bool>,
}

impl Field {
    fn new(arms: usize) -> Self {
        Field { seconds: vec![Vec::new(); arms], runs: vec![true; arms] }
    }

    /// Those that have not dropped out, without the default.
    fn challengers(&self) -> impl Iterator<Item = usize> {
        (1..self.runs.len()).filter(|&arm| self.runs[arm])
    }

    /// The fastest of them; before the first round the one entered first.
    fn leader(&self) -> Option<usize> {
        let ratio = |arm: usize| self.ratio_to_default(arm).unwrap_or(0.0);
        self.challengers().reduce(|best, arm| if ratio(arm) > ratio(best) { arm } else { best })
    }

    fn push(&mut self, order: &[usize], seconds: &[f64]) {
        for (&arm, &seconds) in order.iter().zip(seconds) {
            self.seconds[arm].push(seconds);
        }
        if LOOKS.contains(&self.seconds[0].len()) {
            self.look();
        }
    }

    /// Drops those that are slower than the leader, all of them together with the usual
    /// confidence (each with its part of the error allowed).
    fn look(&mut self) {
        let Some(leader) = self.leader() else { return };
        let running: Vec<usize> = self.challengers().collect();
        let confidence = 1.0 - (1.0 - CONFIDENCE) / running.len() as f64;
        for arm in running.into_iter().filter(|&arm| arm != leader) {
            let ratios = self.ratios(arm, leader);
            let slower = Estimate::of_ratios(&ratios, confidence).is_some_and(|e| e.hi < 1.0);
            self.runs[arm] = !slower;
        }
    }

    /// How many times as fast as `other` an arm was, round by round while both ran.
    fn ratios(&self, arm: usize, other: usize) -> Vec<f64> {
        let pairs = self.seconds[other].iter().zip(&self.seconds[arm]);
        pairs.map(|(other, own)| other / own).collect()
    }

    fn ratio_to_default(&self, arm: usize) -> Option<f64> {
        let ratios = self.ratios(arm, 0);
        (!ratios.is_empty()).then(|| median(&ratios))
    }
}
