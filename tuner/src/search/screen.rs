//! The first look at every candidate: a few rounds in small heats.

use super::{Error, Hunt, SCREENING, Stage, Stopped, Tried, median};
use crate::measure::{Runner, balanced};
use std::fmt::Display;

/// Challengers in a heat, beside the default.
const HEAT: usize = 7;

/// Rounds of a heat.
const ROUNDS: usize = 3;

/// A challenger this many times slower than the fastest of its heat runs no further rounds. Noise
/// of one batch is far below; so is what a better pairing of other knobs could make good.
const HOPELESS: f64 = 1.5;

/// Batches a challenger costs: verifying it, finding its batch size, its rounds.
const BATCHES: f64 = 3.0 + ROUNDS as f64;

impl<R: Copy + PartialEq + Display> Hunt<'_, '_, R> {
    /// Times candidates until all have been or the time for it is up; some in any case, because
    /// making the inputs may take longer than the budget, and then a verdict would rest on nothing.
    pub(super) fn screen(&mut self, candidates: &[R]) -> Result<Stopped, Error> {
        let mut waiting = candidates;
        let until = SCREENING * self.search.budget_s;
        // The first heat is small: it tells what a challenger costs.
        let mut size = 1;
        while !waiting.is_empty() {
            let looked = waiting.len() < candidates.len();
            if looked && self.spent() >= until {
                return Ok(Stopped::Budget);
            }
            let (heat, rest) = waiting.split_at(size.min(waiting.len()));
            waiting = rest;
            let batch = self.heat(heat)?;
            self.report(Stage::Screening);
            let affordable = (until - self.spent()) / (BATCHES * batch);
            size = (affordable as usize).saturating_sub(1).clamp(1, HEAT);
        }
        Ok(Stopped::Exhausted)
    }

    /// Times some candidates beside the default; returns the seconds of a batch.
    fn heat(&mut self, candidates: &[R]) -> Result<f64, Error> {
        let mut entered = vec![self.tried[0].recipe];
        for recipe in candidates {
            match self.bench.verify(recipe) {
                Ok(()) => entered.push(*recipe),
                Err(reason) => self.rejected.push((recipe.to_string(), reason)),
            }
        }
        let arm = |(index, recipe): (usize, &R)| self.arm(&index.to_string(), recipe);
        let arms = entered.iter().enumerate().map(arm).collect::<Result<Vec<_>, _>>()?;
        let mut runner = Runner::new(self.by_the_round(), &*self.search.clock, arms)?;
        let batch = runner.samples()[0].calls as f64;
        let mut ratios = vec![Vec::new(); entered.len()];
        let mut seconds = 0.0;
        for order in balanced(entered.len()).iter().cycle().take(ROUNDS) {
            let hopeful = hopeful(order, &ratios);
            let lap = runner.round(&hopeful)?;
            let default =
                hopeful.iter().position(|&arm| arm == 0).map_or(1.0, |at| lap.seconds[at]);
            seconds = default;
            for (&arm, own) in hopeful.iter().zip(&lap.seconds) {
                ratios[arm].push(default / own);
            }
        }
        drop(runner);
        let timed = entered.iter().zip(&ratios).skip(1);
        self.tried.extend(timed.map(|(&recipe, r)| Tried { recipe, ratio: median(r) }));
        Ok(seconds * batch)
    }
}

/// Those of `order` that are not far behind the fastest; always the default.
fn hopeful(order: &[usize], ratios: &[Vec<f64>]) -> Vec<usize> {
    let best = ratios.iter().map(|r| median(r)).fold(1.0, f64::max);
    let stays = |&arm: &usize| {
        arm == 0 || ratios[arm].is_empty() || median(&ratios[arm]) * HOPELESS >= best
    };
    order.iter().copied().filter(stays).collect()
}
