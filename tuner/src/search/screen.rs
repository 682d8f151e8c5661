//! The first look at points: a few rounds in pairs with the default.
//!
//! Pairs, not heats of many: every outcome steers what is tried next and is on disk before the
//! next begins, so an interrupt loses one evaluation at most. The default keeps its batch size and
//! its warm caches from pair to pair.

use super::hunt::{Hasty, Hunt, SCREENING, median};
use super::order::{Order, Pick};
use super::{Error, Stage, Stopped, Strategy, stop};
use crate::measure::{Arm, Runner, balanced};
use serde::Serialize;
use std::fmt::Display;

/// Rounds of a pair.
const ROUNDS: usize = 3;

/// A challenger this many times slower than the best so far runs no further rounds. Noise of one
/// batch is far below; so is what a better pairing of other knobs could make good.
const HOPELESS: f64 = 1.5;

impl<'b, R: Copy + PartialEq + Display + Serialize> Hunt<'b, R> {
    /// Times points until all have been, the time for it is up or more gain is improbable; one in
    /// any case, because making the inputs may take longer than the budget, and then a verdict
    /// would rest on nothing.
    pub(super) fn screen(&mut self) -> Result<Stopped, Error> {
        let clock = Hasty(self.clock);
        let mut runner = Runner::new(self.by_the_round(), &clock, vec![self.arm("default", 0)?])?;
        let mut order = Order::new(self.strategy, &self.space);
        let mut looked = false;
        loop {
            let Some(pick) = order.next(&self.space, &self.tried) else {
                if self.tried.recall() {
                    continue;
                }
                return Ok(Stopped::Exhausted);
            };
            if looked && self.spent() >= SCREENING * self.budget_s {
                return Ok(Stopped::Budget);
            }
            let best = self.tried.ratio(self.tried.best()).unwrap_or(1.0);
            let may_stop = self.strategy == Strategy::Seeded;
            if may_stop && stop::improbable(&self.tried.blind, best, self.tried.left()) {
                return Ok(Stopped::Improbable);
            }
            self.look(&mut runner, pick)?;
            looked = true;
            self.report(Stage::Screening);
        }
    }

    /// Tries a point and writes down what became of it.
    fn look(&mut self, runner: &mut Runner<'_, 'b>, pick: Pick) -> Result<(), Error> {
        let Pick { point, blind } = pick;
        let ratio = self.risk(point, |hunt| hunt.evaluate(runner, point))?;
        runner.keep(1);
        self.tried.blind.extend(ratio.filter(|_| blind));
        Ok(())
    }

    /// How many times as fast as the default a point is, by a few rounds.
    fn evaluate(&self, runner: &mut Runner<'_, 'b>, point: usize) -> Result<f64, String> {
        let recipe = &self.space.points()[point];
        self.bench.verify(recipe)?;
        let arm = Arm::new("challenger", self.bench.call(recipe)?);
        runner.enter(arm).map_err(|error| error.to_string())?;
        let best = self.tried.ratio(self.tried.best()).unwrap_or(1.0);
        let mut ratios = Vec::new();
        for order in balanced(2).iter().cycle().take(ROUNDS) {
            let lap = runner.round(order).map_err(|error| error.to_string())?;
            let [first, second] = lap.seconds[..] else { unreachable!("a pair was run") };
            ratios.push(if order[0] == 0 { first / second } else { second / first });
            let hopeless = median(&ratios) * HOPELESS < best;
            if hopeless || self.spent() >= SCREENING * self.budget_s {
                break;
            }
        }
        Ok(median(&ratios))
    }
}
