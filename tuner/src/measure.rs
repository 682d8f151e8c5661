//! The one stopwatch: everything this project quotes or compares is timed here.
//!
//! Shared machines drift by more than most differences worth finding. So the things compared
//! (the *arms*) take turns within *rounds*, in an order balanced for position and for
//! predecessor, and a ratio is taken within each round, where both sides met the same weather.
//! The estimate is the median of those ratios and its interval is exact whatever the noise looks
//! like ([`stats`]). Nothing is dropped: rounds in which the machine was visibly taken away are
//! marked by a rule fixed before the run, and results are there with and without them.
//!
//! ```
//! use std::{hint::black_box, time::Duration};
//! use tilewise_tuner::measure::{Arm, Stopwatch};
//!
//! let numbers: Vec<u64> = (0..1000).collect();
//! let session = Stopwatch::within(Duration::from_millis(50)).measure(vec![
//!     Arm::new("sum", || _ = black_box(numbers.iter().sum::<u64>())).with_control(),
//!     Arm::new("product", || _ = black_box(numbers.iter().product::<u64>())),
//! ])?;
//! let ratio = session.ratio("product", "sum")?;
//! println!("product is {:.2}x as fast as sum: {}", ratio.median, ratio.verdict);
//! println!("differences this session cannot see: {:?}", session.noise_floor());
//! # Ok::<(), tilewise_tuner::measure::Error>(())
//! ```

mod clock;
mod order;
mod runner;
mod session;
pub mod stats;

pub use clock::{Clock, Counters, Lost, SystemClock};
pub use order::balanced;
pub use runner::{Lap, Runner};
pub use session::{Ratio, Round, Rule, Samples, Session, Verdict};
pub use stats::Estimate;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How a session is timed: fixed before it starts, and stored with its results.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stopwatch {
    /// Seconds a timed batch of calls should last: long against reading the clock (about 25 ns),
    /// short against a scheduler's time slice, so that a disturbance spoils one round and not
    /// all. A call longer than this is a batch of its own.
    pub batch_s: f64,
    /// Seconds of untimed calls of each arm before the first round.
    pub warm_up_s: f64,
    /// Rounds run even if the budget is spent; never fewer than [`stats::MIN_ROUNDS`]. Up to as many
    /// again are run in the place of those that the rule marks.
    pub min_rounds: usize,
    /// Rounds after which more would not help.
    pub max_rounds: usize,
    /// Seconds for warm-up and rounds together.
    pub budget_s: f64,
    /// Whether an arm makes an untimed call ahead of its turn however long a call is. Calls
    /// shorter than ten batches always have one; longer ones hide what the arm before left in the
    /// caches.
    #[serde(default)]
    pub warm_single: bool,
    /// Which rounds are marked as disturbed.
    pub rule: Rule,
}

impl Stopwatch {
    /// The usual settings within a time budget: batches of 2 ms, 6 to 60 rounds.
    pub fn within(budget: Duration) -> Self {
        Stopwatch {
            batch_s: 2e-3,
            warm_up_s: 10e-3,
            min_rounds: stats::MIN_ROUNDS,
            max_rounds: 60,
            budget_s: budget.as_secs_f64(),
            warm_single: false,
            rule: Rule::default(),
        }
    }

    /// Times `arms` against each other, by this machine's clock.
    ///
    /// # Errors
    /// [`Error`] for a session that could not give a result, before anything is timed, for an arm
    /// that takes no time, and for one that times itself and fails.
    pub fn measure(&self, arms: Vec<Arm<'_>>) -> Result<Session, Error> {
        self.measure_by(&SystemClock::new(), arms)
    }

    /// Times `arms` by a clock of the caller's.
    ///
    /// # Errors
    /// As [`Stopwatch::measure`].
    pub fn measure_by(&self, clock: &dyn Clock, arms: Vec<Arm<'_>>) -> Result<Session, Error> {
        self.measure_apart(clock, arms, &[]).map(|(session, _)| session)
    }

    /// Times `arms`, and after each of their rounds those named in `apart` once more, in a session
    /// of their own: what is found there without the others is found in the same weather.
    ///
    /// # Errors
    /// As [`Stopwatch::measure`].
    pub fn measure_apart(
        &self,
        clock: &dyn Clock,
        arms: Vec<Arm<'_>>,
        apart: &[&str],
    ) -> Result<(Session, Session), Error> {
        let rounds = self.min_rounds;
        if rounds < stats::MIN_ROUNDS {
            return Err(Error::TooFewRounds { rounds });
        }
        let start = clock.now();
        let mut runner = Runner::new(*self, clock, arms)?;
        let all = (0..runner.len()).collect();
        let mut all = Turns::new(*self, &runner, all);
        let mut apart = Turns::new(*self, &runner, runner.turns_of(apart));
        for round in 0..self.max_rounds.max(rounds) {
            let spent = round >= rounds && clock.now() - start >= self.budget_s;
            if spent && (round >= 2 * rounds || all.session.unmarked().count() >= rounds) {
                break;
            }
            all.take(&mut runner)?;
            apart.take(&mut runner)?;
        }
        Ok((all.session, apart.session))
    }
}

/// Some of a runner's arms in a session.
struct Turns {
    session: Session,
    /// What the runner calls the session's arms.
    turns: Vec<usize>,
    orders: Vec<Vec<usize>>,
}

impl Turns {
    fn new(stopwatch: Stopwatch, runner: &Runner<'_, '_>, turns: Vec<usize>) -> Self {
        let samples = runner.samples();
        let arms = turns.iter().map(|&turn| samples[turn].clone()).collect();
        let orders = balanced(turns.len());
        Turns { session: Session { stopwatch, arms, rounds: Vec::new() }, turns, orders }
    }

    /// Another round; none for a session without arms.
    fn take(&mut self, runner: &mut Runner<'_, '_>) -> Result<(), Error> {
        let at = self.session.rounds.len() % self.orders.len().max(1);
        let Some(order) = self.orders.get(at) else { return Ok(()) };
        let turns: Vec<usize> = order.iter().map(|&arm| self.turns[arm]).collect();
        self.session.push(order, runner.round(&turns)?);
        Ok(())
    }
}

/// One of the things compared: a name and what to run.
pub struct Arm<'a> {
    name: String,
    run: Run<'a>,
    before: Option<Box<dyn FnMut() + 'a>>,
    control: bool,
}

/// What an arm runs.
enum Run<'a> {
    /// A call, timed from here.
    Call(Box<dyn FnMut() + 'a>),
    /// As many calls as it is told, timed where they are made.
    Batch(Box<dyn FnMut(usize) -> Result<f64, String> + 'a>),
}

impl<'a> Arm<'a> {
    /// Times calls of `run`, which leaves its results where the compiler must believe they are
    /// read: in the caller's buffers, or through [`std::hint::black_box`].
    pub fn new(name: impl Into<String>, run: impl FnMut() + 'a) -> Self {
        Arm { name: name.into(), run: Run::Call(Box::new(run)), before: None, control: false }
    }

    /// An arm whose calls cannot be timed from here: they are made by another process, or inside
    /// a thread pool that is entered once for all of them. `batch` makes as many calls as it is
    /// told and returns the seconds they took together, or why it could not.
    pub fn timing_itself(
        name: impl Into<String>,
        batch: impl FnMut(usize) -> Result<f64, String> + 'a,
    ) -> Self {
        Arm { name: name.into(), run: Run::Batch(Box::new(batch)), before: None, control: false }
    }

    /// Calls `before` outside the clock ahead of every timed call, for example to flush the
    /// caches. A batch of this arm is then a single call.
    pub fn before(mut self, before: impl FnMut() + 'a) -> Self {
        self.before = Some(Box::new(before));
        self
    }

    /// Enters this arm a second time, under the name [`control_name`]: an A/A pair, whose ratio
    /// can only be noise ([`Session::noise_floor`]).
    pub fn with_control(mut self) -> Self {
        self.control = true;
        self
    }
}

impl fmt::Debug for Arm<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arm").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The name under which an arm [with a control](Arm::with_control) enters for the second time.
pub fn control_name(arm: &str) -> String {
    format!("{arm} (again)")
}

/// A session that has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing to time.
    #[error("no arms were given; a session needs at least one")]
    NoArms,
    /// Results are asked for by name.
    #[error("two arms are named {name:?}; give each its own name")]
    SameName {
        /// The name given twice.
        name: String,
    },
    /// There is no 95 % interval for so few.
    #[error("{rounds} rounds give no 95 % interval; at least {} are needed", stats::MIN_ROUNDS)]
    TooFewRounds {
        /// How many there were.
        rounds: usize,
    },
    /// A result of an arm that was not there.
    #[error("no arm is named {name:?}; there are {known:?}")]
    UnknownArm {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// An arm that times itself could not go on.
    #[error("{arm:?} could not run: {reason}")]
    Stopped {
        /// The arm's name.
        arm: String,
        /// What it said.
        reason: String,
    },
    /// Faster than the clock can see: most likely the compiler removed the work.
    #[error("a batch of {calls} calls of {arm:?} took no time; does anything read its results?")]
    TooFast {
        /// The arm's name.
        arm: String,
        /// Calls in the batch.
        calls: usize,
    },
}
