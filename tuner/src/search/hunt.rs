//! A search under way: what its stages share, and its last one, the confirmation.

use super::journal::Journal;
use super::stop::GAIN;
use super::tried::Tried;
use super::watch::Watch;
use super::{Error, Found, Progress, Stage, Stopped, Strategy, Timed, guard};
use crate::measure::stats::{self, CONFIDENCE};
use crate::measure::{Arm, Clock, Counters, Ratio, Rule, Stopwatch, Verdict as Speed};
use crate::space::{Space, Workbench};
use crate::wisdom::{Evidence, Record, Verdict};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

/// Shares of the budget that are spent when screening and when the race must end.
pub(super) const SCREENING: f64 = 0.6;
pub(super) const RACE: f64 = 0.8;

/// Most rounds of the confirmation, look by look: as many again, and more, where a gain worth having
/// is still possible and there is time. Each look is at samples of its own and has its share of the
/// error allowed, so that looking again does not make a gain of noise. With the first look alone,
/// one in ten searches of 10 s in the recorded spaces left 4.9 % behind that it could not tell from
/// nothing.
const LOOKS: [usize; 3] = [60, 240, 960];

/// Fewest rounds that have an interval of that confidence.
pub(crate) const LEAST: usize = 7;

/// A search under way.
pub(super) struct Hunt<'b, R> {
    pub(super) budget_s: f64,
    pub(super) strategy: Strategy,
    pub(super) clock: &'b dyn Clock,
    pub(super) rule: Rule,
    pub(super) progress: &'b mut (dyn FnMut(&Progress) + 'b),
    pub(super) journal: Option<Journal>,
    pub(super) watch: Option<Watch>,
    pub(super) start: f64,
    pub(super) bench: &'b (dyn Workbench<R> + 'b),
    pub(super) space: Space<R>,
    pub(super) tried: Tried,
    pub(super) rejected: Vec<(String, String)>,
    pub(super) resumed: usize,
    /// Points whose ratio an interrupted search has left, and which nobody has verified since: the
    /// kernel may be another by now.
    pub(super) unverified: BTreeSet<usize>,
    pub(super) shared: bool,
}

/// The fields of a recipe.
pub(super) fn describe<R: Serialize>(recipe: &R) -> Value {
    serde_json::to_value(recipe).expect("a recipe is plain data")
}

impl<'b, R: Copy + PartialEq + Display + Serialize> Hunt<'b, R> {
    /// Takes over what an interrupted search has found out.
    pub(super) fn resume(&mut self) {
        let Some(journal) = &self.journal else { return };
        for point in 1..self.space.len() {
            let recipe = self.space.points()[point];
            match journal.outcome(&describe(&recipe)) {
                // It may be what ended the search: everything else is tried first.
                None if journal.suspects(&describe(&recipe)) => self.tried.defer(point),
                None => {}
                Some(Ok(ratio)) => {
                    self.tried.time(point, ratio);
                    self.unverified.insert(point);
                }
                Some(Err(reason)) => {
                    self.tried.reject(point);
                    self.rejected.push((recipe.to_string(), reason));
                }
            }
            self.resumed += usize::from(journal.outcome(&describe(&recipe)).is_some());
        }
        self.start -= journal.spent_s();
    }

    /// Runs what a point may hang or crash in, with a note on disk while it runs and of what became
    /// of it, and keeps the ratio that it gives or the reason to reject the point.
    pub(super) fn risk(
        &mut self,
        point: usize,
        run: impl FnOnce(&Self) -> Result<f64, String>,
    ) -> Result<Option<f64>, Error> {
        let recipe = self.space.points()[point];
        if let Some(journal) = &mut self.journal {
            journal.begin(&describe(&recipe))?;
        }
        if let Some(watch) = &self.watch {
            watch.begin(recipe.to_string());
        }
        let outcome = guard::caught(|| run(self));
        if let Some(watch) = &self.watch {
            watch.end();
        }
        if let Some(journal) = &mut self.journal {
            let spent = self.clock.now() - self.start;
            journal.end(&describe(&recipe), &outcome, spent)?;
        }
        match outcome {
            Ok(ratio) => {
                self.tried.time(point, ratio);
                Ok(Some(ratio))
            }
            Err(reason) => {
                self.tried.reject(point);
                self.rejected.push((recipe.to_string(), reason));
                Ok(None)
            }
        }
    }

    /// Verifies a point that has to be right.
    pub(super) fn check(&self, point: usize) -> Result<(), Error> {
        let recipe = self.space.points()[point];
        guard::caught(|| self.bench.verify(&recipe))
            .map_err(|reason| Error::Recipe { recipe: recipe.to_string(), reason })
    }

    /// The winner of the race against the default, on fresh samples: what to store, and why.
    pub(super) fn confirm(
        &mut self,
        winner: Option<usize>,
        stopped: Stopped,
    ) -> Result<(R, Evidence), Error> {
        self.report(Stage::Confirmation);
        let default = self.space.points()[0];
        let Some(winner) = winner else {
            return Ok((default, self.evidence(None, (stopped, 0))));
        };
        let challenger = self.space.points()[winner];
        let (mut start, [first, later @ ..]) = (self.spent(), LOOKS);
        let (mut ratio, mut marked) = self.look_closely(winner, first)?;
        for rounds in later {
            let open = ratio.verdict == Speed::NotResolved && ratio.median > 1.0 && ratio.hi > GAIN;
            let took = self.spent() - start;
            if !open || self.spent() + took > self.budget_s {
                break;
            }
            start = self.spent();
            (ratio, marked) = self.look_closely(winner, rounds)?;
        }
        let recipe = if ratio.verdict == Speed::Faster { challenger } else { default };
        Ok((recipe, self.evidence(Some(ratio), (stopped, marked))))
    }

    /// One look of the confirmation: the ratio to the default, and how many rounds were marked.
    fn look_closely(&mut self, winner: usize, rounds: usize) -> Result<(Ratio, usize), Error> {
        let arms = vec![self.arm("default", 0)?, self.arm("challenger", winner)?];
        let left = (self.budget_s - self.spent()).max(0.0);
        let mut stopwatch = Stopwatch::within(Duration::from_secs_f64(left));
        (stopwatch.min_rounds, stopwatch.max_rounds) = (LEAST, rounds);
        stopwatch.rule = self.rule;
        let session = stopwatch.measure_by(self.clock, arms)?;
        let confidence = 1.0 - (1.0 - CONFIDENCE) / LOOKS.len() as f64;
        let ratio = session.ratio_at(confidence, "challenger", "default")?;
        let marked = session.marked();
        self.tried.time(winner, ratio.median);
        self.report(Stage::Confirmation);
        Ok((ratio, marked))
    }

    fn evidence(&self, ratio: Option<Ratio>, (stopped, marked): (Stopped, usize)) -> Evidence {
        let faster = ratio.is_some_and(|ratio| ratio.verdict == Speed::Faster);
        // Alone, the default is as fast as the default.
        let (middle, lo, hi, rounds) =
            ratio.map_or((1.0, 1.0, 1.0, 0), |r| (r.median, r.lo, r.hi, r.rounds));
        Evidence {
            verdict: if faster { Verdict::Faster } else { Verdict::NotSeparable },
            ratio: middle,
            lo,
            hi,
            rounds,
            marked,
            tried: self.tried.timed().len(),
            candidates: self.space.len(),
            stopped,
            seconds: self.spent(),
            date: jiff::Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// All that is left to tell.
    pub(super) fn found(self, record: Record, stopped: Stopped) -> Found {
        let turn = |point| self.tried.timed().iter().position(|&timed| timed == point);
        let timed = |point: usize| {
            let recipe = &self.space.points()[point];
            Timed {
                recipe: recipe.to_string(),
                fields: describe(recipe),
                ratio: self.tried.ratio(point).unwrap_or(0.0),
                turn: turn(point).unwrap_or(0),
            }
        };
        let ranking = self.tried.ranking().into_iter().map(timed).collect();
        Found {
            record,
            ranking,
            rejected: self.rejected,
            resumed: self.resumed,
            stopped,
            shared: self.shared,
            journal: self.journal.map(Journal::path),
        }
    }

    pub(super) fn spent(&self) -> f64 {
        self.clock.now() - self.start
    }

    pub(super) fn report(&mut self, stage: Stage) {
        let best = self.tried.best();
        let progress = Progress {
            stage,
            tried: self.tried.timed().len(),
            candidates: self.space.len(),
            spent_s: self.spent(),
            budget_s: self.budget_s,
            best: (self.space.points()[best].to_string(), self.tried.ratio(best).unwrap_or(1.0)),
        };
        (self.progress)(&progress);
    }

    /// An arm of calls of a point that has been verified and so can be run.
    pub(super) fn arm(&self, name: &str, point: usize) -> Result<Arm<'b>, Error> {
        let recipe = self.space.points()[point];
        let call = self.bench.call(&recipe);
        let call = call.map_err(|reason| Error::Recipe { recipe: recipe.to_string(), reason })?;
        Ok(Arm::new(name, call))
    }

    /// Settings for arms that are timed by the round rather than by the session.
    pub(super) fn by_the_round(&self) -> Stopwatch {
        let mut stopwatch = Stopwatch::within(Duration::ZERO);
        (stopwatch.batch_s, stopwatch.warm_up_s) = (1e-3, 1e-3);
        stopwatch
    }
}

/// A clock that does not look whether threads have cores: asking takes longer than the batches of
/// the first stages, and what they get wrong the confirmation finds out.
pub(super) struct Hasty<'b>(pub(super) &'b dyn Clock);

impl Clock for Hasty<'_> {
    fn now(&self) -> f64 {
        self.0.now()
    }

    fn counters(&self) -> Counters {
        Counters::default()
    }
}

/// The median of some ratios to the default.
pub(super) fn median(ratios: &[f64]) -> f64 {
    stats::median(ratios).unwrap_or(0.0)
}
