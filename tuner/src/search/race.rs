//! The race of the best: rounds until one is ahead or the time is up.

use super::hunt::{Hasty, Hunt, RACE, median};
use super::{Error, Stage};
use crate::measure::stats::{CONFIDENCE, evidence_of_slower};
use crate::measure::{Runner, balanced};
use serde::Serialize;
use std::fmt::Display;

/// Challengers in the race, beside the default.
const FINALISTS: usize = 7;

/// A challenger that looked slower than this against the default needs no race.
const WORTH_RACING: f64 = 0.97;

/// Rounds after which those that are left are as good as each other.
const ROUNDS: usize = 64;

impl<R: Copy + PartialEq + Display + Serialize> Hunt<'_, R> {
    /// Runs the best against each other and the default, and corrects their ratios. Returns the
    /// fastest challenger: also if the default is faster, for then the confirmation shows that.
    /// `None` without any challenger.
    pub(super) fn race(&mut self) -> Result<Option<usize>, Error> {
        let entered = self.verified_finalists()?;
        if entered.len() <= 2 {
            return Ok(entered.get(1).copied()); // Confirmation is a race of two.
        }
        let field = self.run(&entered)?;
        for (arm, &point) in entered.iter().enumerate().skip(1) {
            if let Some(ratio) = field.ratio_to_default(arm) {
                self.tried.time(point, ratio);
            }
        }
        self.report(Stage::Race);
        Ok(field.leader().map(|arm| entered[arm]))
    }

    fn run(&self, entered: &[usize]) -> Result<Field, Error> {
        let arm = |&point: &usize| self.arm(&point.to_string(), point);
        let arms = entered.iter().map(arm).collect::<Result<Vec<_>, _>>()?;
        let clock = Hasty(self.clock);
        let mut runner = Runner::new(self.by_the_round(), &clock, arms)?;
        let mut field = Field::new(entered.len());
        for order in balanced(entered.len()).iter().cycle().take(ROUNDS) {
            if self.spent() >= RACE * self.budget_s || field.challengers().count() < 2 {
                break;
            }
            let order: Vec<usize> = order.iter().copied().filter(|&a| field.runs[a]).collect();
            field.push(&order, &runner.round(&order)?.seconds);
        }
        Ok(field)
    }

    /// The default and those that looked best, all verified by this process.
    fn verified_finalists(&mut self) -> Result<Vec<usize>, Error> {
        loop {
            let entered = self.finalists();
            let Some(&point) = entered.iter().find(|&point| self.unverified.remove(point)) else {
                return Ok(entered);
            };
            let ratio = self.tried.ratio(point).unwrap_or(0.0);
            self.risk(point, |hunt| {
                hunt.bench.verify(&hunt.space.points()[point]).map(|()| ratio)
            })?;
        }
    }

    /// The default and those that looked best.
    fn finalists(&self) -> Vec<usize> {
        let ratio = |point: usize| self.tried.ratio(point).unwrap_or(0.0);
        let mut order: Vec<usize> =
            self.tried.ranking().into_iter().filter(|&point| point != 0).collect();
        // The first stays in any case: its interval is the evidence for the default.
        let close = order.iter().take_while(|&&point| ratio(point) >= WORTH_RACING).count();
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
        self.look();
    }

    /// Drops those to which some other is surely faster. The error allowed is shared among all
    /// pairs of challengers, so it bounds the chance that any drops out for no reason.
    fn look(&mut self) {
        let challengers = self.runs.len() - 1;
        let asked = (challengers * (challengers - 1)) as f64 / (1.0 - CONFIDENCE);
        let Some(leader) = self.leader() else { return };
        let running: Vec<usize> = self.challengers().filter(|&arm| arm != leader).collect();
        for arm in running {
            let pairs = || self.seconds[leader].iter().zip(&self.seconds[arm]);
            let slower = pairs().filter(|(leads, own)| own > leads).count();
            self.runs[arm] = evidence_of_slower(slower, pairs().count() - slower) < asked;
        }
    }

    fn ratio_to_default(&self, arm: usize) -> Option<f64> {
        let pairs = self.seconds[0].iter().zip(&self.seconds[arm]);
        let ratios: Vec<f64> = pairs.map(|(default, own)| default / own).collect();
        (!ratios.is_empty()).then(|| median(&ratios))
    }
}
