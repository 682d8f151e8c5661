//! A whole search space, measured: every point, round by round, with raw samples in the order of
//! time.
//!
//! What a search would have found is known here without searching, so a recording is what searches
//! are judged by: [`Replay`] runs them on it, with its noise and its drift, as often as one likes
//! and on any machine.

mod replay;
mod weather;

pub use replay::{Point, Replay};

use crate::machine::{Context, Identity};
use crate::measure::{Arm, Clock, Error as MeasureError, Runner, Stopwatch, stats};
use crate::problem::{Setting, Shape};
use crate::search::Error;
use crate::space::{Tunable, noise};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use weather::Weather;

/// The version of the format.
pub const SCHEMA: u32 = 1;

/// Rounds of a recording: fewer say nothing of noise, more say nothing new.
const ROUNDS: std::ops::RangeInclusive<usize> = 6..=96;

/// Seconds of a batch.
const BATCH_S: f64 = 1e-3;

/// Raw samples of every point of a space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The version of the format: [`SCHEMA`].
    pub schema: u32,
    /// Which kernel.
    pub kernel: String,
    /// Which version of it.
    pub surface: u32,
    /// Which element types.
    pub dtype: String,
    /// Which sizes.
    pub shape: Shape,
    /// On which machine.
    pub identity: Identity,
    /// Under what circumstances.
    pub context: Context,
    /// When.
    pub date: Timestamp,
    /// Version of this crate.
    pub version: String,
    /// Every point's recipe: the default first, then so many seeds, then the others.
    pub points: Vec<Value>,
    /// How many of the points behind the default are seeds.
    pub seeds: usize,
    /// Points that gave a wrong result or could not be run, and why; they have no samples.
    pub rejected: Vec<(Value, String)>,
    /// Calls in a batch of each point.
    pub calls: Vec<usize>,
    /// The rounds in the order of time.
    pub rounds: Vec<Sweep>,
}

/// One turn of every point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Who came when.
    pub order: Vec<usize>,
    /// Nanoseconds per call, in the order of time.
    pub nanoseconds: Vec<f64>,
}

/// A recording that cannot be what it says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no recording that can be replayed: {reason}")]
pub struct Damaged {
    /// What is wrong with it.
    pub reason: String,
}

impl Recording {
    /// Measures every point of a problem's space for about so long, by `clock`; at least six
    /// rounds. `progress` is told of rounds that are done.
    ///
    /// # Errors
    /// Those of a search.
    pub fn make<P: Tunable>(
        problem: &P,
        setting: &Setting<'_>,
        time: Duration,
        clock: &dyn Clock,
        mut progress: impl FnMut(usize),
    ) -> Result<Recording, Error> {
        let kernel = P::KERNEL;
        let space = problem.space(setting, &[])?;
        let bench =
            problem.workbench(setting).map_err(|reason| Error::Workbench { kernel, reason })?;
        let start = clock.now();
        let mut arms = Vec::new();
        let (mut kept, mut rejected) = (Vec::new(), Vec::new());
        for (point, recipe) in space.points().iter().enumerate() {
            match bench.verify(recipe).and_then(|()| bench.call(recipe)) {
                Ok(call) => {
                    arms.push(Arm::new(point.to_string(), call));
                    kept.push(point);
                }
                Err(reason) if point == 0 => {
                    return Err(Error::Default { kernel, recipe: recipe.to_string(), reason });
                }
                Err(reason) => rejected.push((plain(recipe), reason)),
            }
        }
        let mut runner = Runner::new(stopwatch(), clock, arms)?;
        let calls = runner.samples().iter().map(|samples| samples.calls).collect();
        let mut rounds = Vec::new();
        while rounds.len() < *ROUNDS.end() {
            let enough = rounds.len() >= *ROUNDS.start();
            if enough && clock.now() - start >= time.as_secs_f64() {
                break;
            }
            rounds.push(sweep(&mut runner, rounds.len())?);
            progress(rounds.len());
        }
        Ok(Recording {
            schema: SCHEMA,
            kernel: kernel.to_owned(),
            surface: P::SURFACE,
            dtype: problem.dtype().to_owned(),
            shape: problem.shape(),
            identity: setting.identity(),
            context: setting.context(),
            date: Timestamp::now(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seeds: kept.iter().filter(|&&point| (1..=space.seeds()).contains(&point)).count(),
            points: kept.iter().map(|&point| plain(&space.points()[point])).collect(),
            rejected,
            calls,
            rounds,
        })
    }

    /// Whether everything fits together, as it does unless somebody changed it.
    ///
    /// # Errors
    /// [`Damaged`].
    pub fn check(&self) -> Result<(), Damaged> {
        let wrong = |reason: String| Err(Damaged { reason });
        let points = self.points.len();
        if self.schema != SCHEMA {
            return wrong(format!("schema {}, this version reads {SCHEMA}", self.schema));
        }
        if points == 0 || self.calls.len() != points || self.calls.contains(&0) {
            return wrong(format!("{} batch sizes of {points} points", self.calls.len()));
        }
        if self.rounds.len() < *ROUNDS.start() {
            return wrong(format!("{} rounds, fewer than {}", self.rounds.len(), ROUNDS.start()));
        }
        for (index, Sweep { order, nanoseconds }) in self.rounds.iter().enumerate() {
            let mut seen = order.clone();
            seen.sort_unstable();
            if !seen.into_iter().eq(0..points) || nanoseconds.len() != points {
                return wrong(format!("round {index} has not every point once"));
            }
            if let Some(odd) = nanoseconds.iter().find(|ns| !(**ns > 0.0 && ns.is_finite())) {
                return wrong(format!("round {index} has a sample of {odd} ns"));
            }
        }
        Ok(())
    }

    /// Seconds per call of a point, one a round.
    pub fn seconds(&self, point: usize) -> Vec<f64> {
        let sample = |sweep: &Sweep| {
            let at = sweep.order.iter().position(|&other| other == point);
            1e-9 * sweep.nanoseconds[at.expect("every point is in every round")]
        };
        self.rounds.iter().map(sample).collect()
    }

    /// How far two halves of the rounds disagree on how fast a point is, beside the others at the
    /// time, in the median over points: no difference smaller than this can be claimed of a single
    /// point.
    pub fn noise(&self) -> f64 {
        let rests = Weather::of(self).rests;
        let apart = |rests: &Vec<f64>| {
            let half = |which: usize| -> Vec<f64> {
                rests.iter().skip(which).step_by(2).copied().collect()
            };
            let [even, odd] = [half(0), half(1)].map(|half| stats::median(&half));
            even.zip(odd).map_or(0.0, |(even, odd)| (even / odd).ln().abs())
        };
        let all: Vec<f64> = rests.iter().map(apart).collect();
        stats::median(&all).unwrap_or(0.0).exp_m1()
    }
}

fn plain<R: Serialize>(recipe: &R) -> Value {
    serde_json::to_value(recipe).expect("a recipe is plain data")
}

fn stopwatch() -> Stopwatch {
    let mut stopwatch = Stopwatch::within(Duration::ZERO);
    (stopwatch.batch_s, stopwatch.warm_up_s) = (BATCH_S, BATCH_S);
    stopwatch
}

/// A round in an order of its own, so that no point always follows the same one.
fn sweep(runner: &mut Runner<'_, '_>, round: usize) -> Result<Sweep, MeasureError> {
    let mut order: Vec<usize> = (0..runner.len()).collect();
    order.sort_by_key(|&point| noise((round << 20) ^ point));
    let lap = runner.round(&order)?;
    // A hundredth of a nanosecond is more than a clock can tell; more digits are only longer.
    let nanoseconds = lap.seconds.iter().map(|s| (s * 1e11).round().max(1.0) / 100.0).collect();
    Ok(Sweep { order, nanoseconds })
}
