//! Finds the best recipe for a problem within a time budget, and says how sure that is.
//!
//! 1. The default, that is the estimate, is verified against the kernel's reference.
//! 2. *Screening*: points of the space are verified and timed in pairs with the default, a few
//!    rounds each; what is far behind drops out after one. The seeds come first, then what is near
//!    the best so far and blind draws in turn ([`Strategy`]), until all have been tried, the time
//!    is up or more gain is improbable.
//! 3. *Race*: the best of them run against each other and the default, and drop out as soon as
//!    another is surely faster, by evidence that holds however often one looks.
//! 4. *Confirmation*: the winner against the default once more, on samples that played no part in
//!    picking it (the winner of many comparisons looks better than it is). If the interval does
//!    not show it to be faster, the default is what is stored, with the interval that says so.
//!
//! Every comparison is a ratio to the default within a round, so points can be compared with each
//! other though the machine drifts between them.

mod error;
mod guard;
mod hunt;
mod journal;
mod order;
mod race;
mod screen;
mod stop;
mod tried;
mod watch;

pub use error::Error;
pub use order::Strategy;

use crate::measure::{Clock, Rule, SystemClock};
use crate::problem::Setting;
use crate::space::{Space, Tunable};
use crate::wisdom::{Record, Wisdom};
use hunt::Hunt;
pub(crate) use hunt::LEAST;
use journal::Journal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use watch::{GiveUp, Watch};

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
    strategy: Strategy,
    clock: Box<dyn Clock + 'a>,
    rule: Rule,
    progress: Box<dyn FnMut(&Progress) + 'a>,
    wisdom: Option<&'a Wisdom>,
    journal: Option<PathBuf>,
    patience: Option<(Duration, GiveUp)>,
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
    /// Timing candidates a little.
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
    /// All that was timed, fastest first.
    pub ranking: Vec<Timed>,
    /// Candidates that gave a wrong result or could not be run, and why: faults of a kernel.
    pub rejected: Vec<(String, String)>,
    /// Candidates whose outcome an interrupted search had left behind.
    pub resumed: usize,
    /// Why it ended.
    pub stopped: Stopped,
    /// Another process was searching for the same, so this search has kept no progress.
    pub shared: bool,
    /// Where its progress is.
    journal: Option<PathBuf>,
}

impl Found {
    /// The result has been kept: takes away the [journal](Search::journal), for nothing is left to
    /// resume.
    pub fn settled(&self) {
        // One that cannot be removed does no harm: its search is over, and the next one for the
        // same takes its outcomes over.
        let _ = self.journal.as_ref().map(std::fs::remove_file);
    }
}

/// A candidate that was timed.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// Its recipe, as text ...
    pub recipe: String,
    /// ... and by field.
    pub fields: serde_json::Value,
    /// How many times as fast as the default it looked when it was last timed.
    pub ratio: f64,
    /// How many were tried before it.
    pub turn: usize,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// Every candidate was timed.
    Exhausted,
    /// The time was up before.
    Budget,
    /// A candidate faster by 2 % was improbable among those left.
    Improbable,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Stopped::Exhausted => "all of them were tried",
            Stopped::Budget => "the time was up",
            Stopped::Improbable => "another 2 % or more were improbable, at most 1 in 20",
        })
    }
}

impl<'a> Search<'a> {
    /// A search that takes about this long, somewhat longer if a single call is slow.
    pub fn within(budget: Duration) -> Self {
        Search {
            budget_s: budget.as_secs_f64(),
            strategy: Strategy::default(),
            clock: Box::new(SystemClock::new()),
            rule: Rule::default(),
            progress: Box::new(|_| ()),
            wisdom: None,
            journal: None,
            patience: None,
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

    /// Marks rounds of the confirmation by `rule`: what they say alone decides nothing.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    /// Goes through the space in another way.
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Tries early what other shapes and machines are known to like.
    pub fn knowing(mut self, wisdom: &'a Wisdom) -> Self {
        self.wisdom = Some(wisdom);
        self
    }

    /// Writes every outcome into this file at once, and takes over what an interrupted search for
    /// the same has left there, verifying anew what may win; [`Found::settled`] removes it. Another process that searches for the
    /// same meanwhile goes without. A candidate that a search has begun
    /// twice and never finished hung or crashed it, and is rejected.
    pub fn journal(mut self, file: impl Into<PathBuf>) -> Self {
        self.journal = Some(file.into());
        self
    }

    /// Calls `give_up` with the recipe, on another thread, if verifying a candidate and a first
    /// look at its speed take longer than `patience`.
    ///
    /// A call that does not return cannot be ended from outside; what is left is to end the
    /// process. With a [journal](Search::journal) the next search for the same tries that candidate
    /// last, and the one after it leaves it out.
    pub fn patience(
        mut self,
        patience: Duration,
        give_up: impl FnOnce(&str) + Send + 'static,
    ) -> Self {
        self.patience = Some((patience, Box::new(give_up)));
        self
    }

    /// Searches.
    ///
    /// # Errors
    /// [`Error`].
    pub fn tune<P: Tunable>(mut self, problem: &P, setting: &Setting<'_>) -> Result<Found, Error> {
        let hints = self.wisdom.map_or(Vec::new(), |wisdom| wisdom.hints(problem, setting));
        let space = problem.space(setting, &hints)?;
        let asked = self.journal.is_some();
        let journal = match self.journal.take() {
            Some(file) => Journal::open(file, problem, setting)?,
            None => None,
        };
        self.hunt(problem, setting, space, |hunt| {
            hunt.shared = asked && journal.is_none();
            hunt.journal = journal;
            hunt.resume();
            let stopped = hunt.screen()?;
            let winner = hunt.race()?;
            Ok((winner, stopped))
        })
    }

    /// Only the last stage: `recipe` against the default, on as many rounds as the budget allows.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Recipe`] if `recipe` gives a wrong result.
    pub fn compare<P: Tunable>(
        self,
        problem: &P,
        setting: &Setting<'_>,
        recipe: &P::Recipe,
    ) -> Result<Found, Error> {
        let mut points = vec![problem.estimate(setting), *recipe];
        points.dedup();
        let space = Space::new(points, 0, &[], hunt::describe)?;
        self.hunt(problem, setting, space, |hunt| {
            let challenger = (hunt.space.len() > 1).then_some(1);
            if challenger.is_some() {
                hunt.check(1)?;
            }
            Ok((challenger, Stopped::Exhausted))
        })
    }

    /// Sets up, lets `pick` find a winner, and confirms it.
    fn hunt<P: Tunable>(
        self,
        problem: &P,
        setting: &Setting<'_>,
        space: Space<P::Recipe>,
        pick: impl FnOnce(&mut Hunt<'_, P::Recipe>) -> Result<(Option<usize>, Stopped), Error>,
    ) -> Result<Found, Error> {
        let Search { clock, mut progress, patience, .. } = self;
        let kernel = P::KERNEL;
        let start = clock.now();
        let bench =
            problem.workbench(setting).map_err(|reason| Error::Workbench { kernel, reason })?;
        let default = space.points()[0];
        let wrong = |reason| Error::Default { kernel, recipe: default.to_string(), reason };
        guard::caught(|| bench.verify(&default)).map_err(wrong)?;
        let mut hunt = Hunt {
            budget_s: self.budget_s,
            strategy: self.strategy,
            clock: &*clock,
            rule: self.rule,
            progress: &mut *progress,
            journal: None,
            watch: patience.map(|(patience, give_up)| Watch::start(patience, give_up)),
            start,
            bench: &*bench,
            tried: tried::Tried::new(space.len()),
            space,
            rejected: Vec::new(),
            resumed: 0,
            unverified: BTreeSet::new(),
            shared: false,
        };
        let (winner, stopped) = pick(&mut hunt)?;
        let (recipe, evidence) = hunt.confirm(winner, stopped)?;
        let record = Record::new(problem, setting, &recipe, evidence);
        Ok(hunt.found(record, stopped))
    }
}
