//! What the workloads have in common: something that runs, and a check that it was right.
//!
//! A workload (`gemm`, `kmeans`, `stencil`) makes its inputs from a seed once, and from them the
//! [`Candidate`]s: every way to do the work that a command or a report may time. All of them see
//! the same inputs and are held against the same reference. The [`Task`] says what that work is,
//! once for all of them.

mod check;
mod cold;
pub mod random;

pub use check::{Check, Number, digest};
pub use cold::Sweep;
pub use tilewise_tuner::wisdom::{Source, Verdict};

use crate::baseline::{Baseline, Vectorisation};
use crate::roofs::{Pattern, Quantity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::time::Instant;
use tilewise::Isa;
use tilewise_tuner::wisdom::Chosen;

/// What is done, in words and numbers: the same for every candidate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// `gemm`, `kmeans`, `stencil` or `bert`.
    pub kernel: String,
    /// The shape as people say it.
    pub title: String,
    /// The shape as numbers.
    pub shape: Value,
    /// Inputs, accumulator and output.
    pub dtype: String,
    /// How much work a call does, by the problem's formula.
    pub amount: Amount,
    /// Hot or cold.
    pub cache: Cache,
    /// What is inside the clock, and in which layout.
    pub timed: String,
}

/// How work is counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// The formula.
    pub formula: String,
    /// Its value for a call.
    pub work: f64,
    /// The unit a second of it is given in.
    pub unit: RateUnit,
    /// Arithmetic operations in one unit of work, for the roofline.
    pub operations: f64,
    /// Bytes that must move for one unit of work: each input read once, each output written once.
    pub bytes: f64,
    /// Bytes a call touches: they decide which level of memory it lives in.
    pub working_set: f64,
    /// How memory is used.
    pub pattern: Pattern,
    /// The arithmetic it is made of; `None` for one there is no roof for.
    pub arithmetic: Option<Quantity>,
}

/// One way to do a workload's work.
pub struct Candidate<'a> {
    /// A short name, unique within its workload.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// How it was written.
    pub kind: Kind,
    /// The instruction set it runs on.
    pub isa: String,
    /// Threads it runs on.
    pub threads: usize,
    /// Tile sizes and the like; plain code has none.
    pub recipe: Option<Recipe>,
    /// The arithmetic it is made of, where that is not the task's.
    pub arithmetic: Option<Quantity>,
    /// Bytes that go between memory and caches for a unit of its work, where they are known.
    pub traffic: Option<Traffic>,
    /// The work itself.
    pub work: Box<dyn Work + 'a>,
}

impl<'a> Candidate<'a> {
    /// A build of the plain source, in one of its loop orders.
    pub fn plain(build: Baseline, order: &dyn fmt::Display, work: impl Work + 'a) -> Self {
        let (name, kind) = match build.vectorisation() {
            Vectorisation::Off => ("plain", Kind::PlainScalar),
            _ => ("auto", Kind::PlainVectorised),
        };
        Candidate {
            name: name.into(),
            title: format!("{build}, {order}"),
            kind,
            isa: build.level().to_string(),
            threads: 1,
            recipe: None,
            arithmetic: None,
            traffic: None,
            work: Box::new(work),
        }
    }

    /// A kernel of ours, following a recipe.
    pub fn kernel(
        name: &str,
        isa: Isa,
        threads: usize,
        recipe: Recipe,
        work: impl Work + 'a,
    ) -> Self {
        Candidate {
            name: name.into(),
            title: name.into(),
            kind: Kind::HandWritten,
            isa: isa.name().into(),
            threads,
            recipe: Some(recipe),
            arithmetic: None,
            traffic: None,
            work: Box::new(work),
        }
    }

    /// The same, with its traffic.
    pub fn moving(mut self, traffic: Traffic) -> Self {
        self.traffic = Some(traffic);
        self
    }

    /// The same under a longer title.
    pub fn titled(mut self, title: &str) -> Self {
        self.title = title.into();
        self
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Which tile sizes and the like a candidate uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// As people read it.
    pub text: String,
    /// As the kernel's own data.
    pub value: Value,
    /// Who chose it.
    pub source: Source,
    /// What the search said of it, if it is tuned.
    pub verdict: Option<Verdict>,
}

impl Recipe {
    /// A description of a recipe and of where it is from.
    pub fn describe<R: fmt::Display + Serialize>(chosen: &Chosen<R>) -> Recipe {
        Recipe {
            text: chosen.recipe.to_string(),
            value: serde_json::to_value(&chosen.recipe).expect("a recipe is plain data"),
            source: chosen.source,
            verdict: chosen.verdict,
        }
    }
}

/// Bytes a unit of work moves between memory and caches, if what is worked on leaves the caches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// What must move however well it is done: the roof is held against that.
    pub least: f64,
    /// What should move as it is done.
    pub expected: f64,
}

/// Work that can be timed and then judged.
pub trait Work {
    /// Does it once. Nothing is remembered from one call to the next that would make it cheaper.
    fn run(&mut self);

    /// Does it once from the workload's inputs and holds the result against the reference.
    fn check(&mut self) -> Check;

    /// Where the time of every call went, if it was noted.
    fn parts(&self) -> Vec<Part> {
        Vec::new()
    }
}

/// A part of some work, or several parts together.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// What is done in it.
    pub name: String,
    /// Its seconds in every call there was, timed or not.
    pub seconds: Vec<f64>,
}

/// Seconds of a call, roughly: what chooses who takes part in a session, never what is printed.
///
/// Runs once to warm up (a call of 50 ms is warm enough by itself) and then until 20 ms or three
/// calls are over; the least counts.
pub fn try_out(work: &mut dyn Work) -> f64 {
    let mut call = || {
        let start = Instant::now();
        work.run();
        start.elapsed().as_secs_f64()
    };
    let first = call();
    if first > 50e-3 {
        return first;
    }
    let (mut least, mut spent) = (f64::MAX, 0.0);
    for _ in 0..3 {
        let seconds = call();
        least = least.min(seconds);
        spent += seconds;
        if spent > 20e-3 {
            break;
        }
    }
    least
}

/// How a candidate was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Plain loops, compiled with vectorisation off.
    PlainScalar,
    /// The same loops, vectorised by the compiler for this CPU.
    PlainVectorised,
    /// Intrinsics, by hand.
    HandWritten,
}

impl Kind {
    /// Whether it is a baseline.
    pub fn is_plain(self) -> bool {
        self != Kind::HandWritten
    }
}

/// Whether inputs are in the caches when the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cache {
    /// Called again and again on the same data.
    Hot,
    /// Inputs [swept](Sweep) from the caches before every call.
    Cold,
}

/// The unit a rate is given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RateUnit {
    /// Billions of integer operations, a multiply and an add being two.
    #[serde(rename = "GOP/s")]
    Operations,
    /// Billions of point-centre distances.
    #[serde(rename = "Gdist/s")]
    Distances,
    /// Billions of lattice updates.
    #[serde(rename = "GLUP/s")]
    Updates,
}

impl fmt::Display for RateUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RateUnit::Operations => "GOP/s",
            RateUnit::Distances => "Gdist/s",
            RateUnit::Updates => "GLUP/s",
        })
    }
}
