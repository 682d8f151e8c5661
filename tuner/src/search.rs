//! Finds the best recipe for a problem within a time budget, and says how sure that is.
//!
//! 1. The default, that is the estimate, is verified against the kernel's reference.
//! 2. *Screening*: candidates are verified and timed in small heats, the default among them, a
//!    few rounds each; whatever is far behind drops out after one.
//! 3. *Race*: the best of them run against each other and the default, round by round; looked at
//!    after 6, 12, 24 and 48 rounds, those whose interval is below the leader drop out.
//! 4. *Confirmation*: the winner against the default once more, on samples that played no part in
//!    picking it (the winner of many comparisons looks better than it is). If the interval does
//!    not show it to be faster, the default is what is stored, with the interval that says so.
//!
//! Every comparison is a ratio to the default within a round, so heats can be compared with each
//! other though the machine drifts between them.

mod race;
mod screen;

use crate::measure::{self, Arm, Clock, Ratio, Stopwatch, SystemClock, Verdict as Speed, stats};
use crate::problem::Setting;
use crate::space::{Tunable, Workbench};
use crate::wisdom::{Evidence, Record, Verdict};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A search for the best recipe, with its budget.
///
/// ```
/// use std::time::Duration;
/// use tilewise::gemm::Shape;
/// use tilewise_tuner::{machine::Machine, problem::Setting, search::Search, wisdom::Wisdom};
/// let machine = Machine::read();
/// let setting = Setting::best(&machine);
/// let shape = Shape { m: 8, n: 64, k: 64 };
/// let found = Search::within(Duration::from_millis(20)).tune(&shape, &setting)?;
/// let mut wisdom = Wisdom::default();
/// wisdom.add(found.record);
/// println!("{}", wisdom.choose(&shape, &setting).recipe);
/// # Ok::<(), tilewise_tuner::search::Error>(())
/// ```
pub struct Search<'a> {
    budget_s: f64,
    clock: Box<dyn Clock + 'a>,
    progress: Box<dyn FnMut(&Progress) + 'a>,
}

/// What a search is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// In which of its stages it is.
    pub stage: Stage,
    /// Candidates timed so far ...
    pub tried: usize,
    /// ... out of so many.
    pub candidates: usize,
    /// Seconds since the start ...
    pub spent_s: f64,
    /// ... of so many.
    pub budget_s: f64,
    /// The fastest so far and how many times as fast as the default it looks.
    pub best: (String, f64),
}

/// The stages of a search, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Timing all candidates a little.
    Screening,
    /// Timing the best more.
    Race,
    /// Timing the winner afresh.
    Confirmation,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// For the wisdom file.
    pub record: Record,
    /// All that was timed, fastest first: recipe, and how many times as fast as the default it
    /// looked when it was last timed.
    pub ranking: Vec<(String, f64)>,
    /// Candidates that gave a wrong result or could not be run, and why: faults of a kernel.
    pub rejected: Vec<(String, String)>,
    /// Why it ended.
    pub stopped: Stopped,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Every candidate was timed.
    Exhausted,
    /// The time was up before.
    Budget,
}

/// A search without a result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Input data or threads could not be had.
    #[error("cannot set up the {kernel} to tune: {reason}")]
    Workbench {
        /// The kernel.
        kernel: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The default gives a wrong result: nothing can be compared with it.
    #[error("the default recipe ({recipe}) of {kernel} is wrong: {reason}")]
    Default {
        /// The kernel.
        kernel: &'static str,
        /// The recipe.
        recipe: String,
        /// What is wrong.
        reason: String,
    },
    /// A recipe that was verified cannot be run again: most likely memory is short.
    #[error("cannot run the recipe {recipe} again: {reason}")]
    Recipe {
        /// The recipe.
        recipe: String,
        /// What went wrong.
        reason: String,
    },
    /// The stopwatch gave up.
    #[error(transparent)]
    Measure(#[from] measure::Error),
}

/// Shares of the budget that are spent when screening and when the race must end.
const SCREENING: f64 = 0.6;
const RACE: f64 = 0.8;

impl<'a> Search<'a> {
    /// A search that takes about this long, somewhat longer if a single call is slow.
    pub fn within(budget: Duration) -> Self {
        Search {
            budget_s: budget.as_secs_f64(),
            clock: Box::new(SystemClock::new()),
            progress: Box::new(|_| ()),
        }
    }

    /// Calls `progress` after every step.
    pub fn progress(mut self, progress: impl FnMut(&Progress) + 'a) -> Self {
        self.progress = Box::new(progress);
        self
    }

    /// Takes the time from `clock`.
    pub fn clock(mut self, clock: impl Clock + 'a) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// Searches.
    ///
    /// # Errors
    /// [`Error`].
    pub fn tune<P: Tunable>(self, problem: &P, setting: &Setting<'_>) -> Result<Found, Error> {
        let kernel = P::KERNEL;
        let start = self.clock.now();
        let bench =
            problem.workbench(setting).map_err(|reason| Error::Workbench { kernel, reason })?;
        let candidates = problem.candidates(setting);
        let default = candidates[0];
        let wrong = |reason| Error::Default { kernel, recipe: default.to_string(), reason };
        bench.verify(&default).map_err(wrong)?;
        let mut hunt = Hunt {
            search: self,
            start,
            bench: &*bench,
            tried: vec![Tried { recipe: default, ratio: 1.0 }],
            rejected: Vec::new(),
            candidates: candidates.len(),
        };
        let stopped = hunt.screen(&candidates[1..])?;
        let winner = hunt.race()?;
        let (recipe, evidence) = hunt.confirm(winner, stopped)?;
        hunt.tried.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
        Ok(Found {
            record: Record::new(problem, setting, &recipe, evidence),
            ranking: hunt.tried.iter().map(|t| (t.recipe.to_string(), t.ratio)).collect(),
            rejected: hunt.rejected,
            stopped,
        })
    }
}

/// A search under way.
struct Hunt<'a, 'b, R> {
    search: Search<'a>,
    start: f64,
    bench: &'b (dyn Workbench<R> + 'b),
    /// The default, then the others as they were first timed.
    tried: Vec<Tried<R>>,
    rejected: Vec<(String, String)>,
    candidates: usize,
}

/// A candidate that was timed.
#[derive(Clone, Copy)]
struct Tried<R> {
    recipe: R,
    /// How many times as fast as the default.
    ratio: f64,
}

impl<R: Copy + PartialEq + std::fmt::Display> Hunt<'_, '_, R> {
    /// The winner of the race against the default, on fresh samples: what to store, and why.
    fn confirm(&mut self, winner: Option<usize>, stopped: Stopped) -> Result<(R, Evidence), Error> {
        self.report(Stage::Confirmation);
        let default = self.tried[0].recipe;
        let Some(winner) = winner else {
            return Ok((default, self.evidence(None, (stopped, 0))));
        };
        let challenger = self.tried[winner].recipe;
        let arms = vec![self.arm("default", &default)?, self.arm("challenger", &challenger)?];
        let left = self.search.budget_s - self.spent();
        let stopwatch = Stopwatch::within(Duration::from_secs_f64(left.max(0.0)));
        let session = stopwatch.measure_by(&*self.search.clock, arms)?;
        let ratio = session.ratio("challenger", "default")?;
        let recipe = if ratio.verdict == Speed::Faster { challenger } else { default };
        Ok((recipe, self.evidence(Some(ratio), (stopped, session.crowded()))))
    }

    fn evidence(&self, ratio: Option<Ratio>, (stopped, crowded): (Stopped, usize)) -> Evidence {
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
            crowded,
            tried: self.tried.len(),
            candidates: self.candidates,
            stopped,
            seconds: self.spent(),
            date: jiff::Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn spent(&self) -> f64 {
        self.search.clock.now() - self.start
    }

    fn report(&mut self, stage: Stage) {
        let best = self.tried.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio));
        let best = best.map_or((String::new(), 1.0), |t| (t.recipe.to_string(), t.ratio));
        let progress = Progress {
            stage,
            tried: self.tried.len(),
            candidates: self.candidates,
            spent_s: self.spent(),
            budget_s: self.search.budget_s,
            best,
        };
        (self.search.progress)(&progress);
    }

    /// An arm of calls of `recipe`, which has been verified and so can be run.
    fn arm(&self, name: &str, recipe: &R) -> Result<Arm<'_>, Error> {
        let call = self.bench.call(recipe);
        let call = call.map_err(|reason| Error::Recipe { recipe: recipe.to_string(), reason })?;
        Ok(Arm::new(name, call))
    }

    /// Settings for arms that are timed by the round rather than by the session.
    fn by_the_round(&self) -> Stopwatch {
        let mut stopwatch = Stopwatch::within(Duration::ZERO);
        (stopwatch.batch_s, stopwatch.warm_up_s) = (1e-3, 1e-3);
        stopwatch
    }
}

/// The median of some ratios to the default.
fn median(ratios: &[f64]) -> f64 {
    stats::median(ratios).unwrap_or(0.0)
}
