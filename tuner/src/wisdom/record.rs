//! One line of wisdom.

use crate::machine::Key;
use crate::problem::{Problem, Setting, Shape};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The version of the record format this code reads and writes.
pub const SCHEMA: u32 = 1;

/// The best recipe known for a problem on a machine, and how we know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where it holds.
    pub machine: Key,
    /// Which kernel.
    pub kernel: String,
    /// Which sizes.
    pub shape: Shape,
    /// Which element types.
    pub dtype: String,
    /// The recipe, as the kernel writes it; checked by the kernel before it is used.
    pub recipe: Value,
    /// How many threads it uses.
    pub threads: usize,
    /// How we know.
    pub evidence: Evidence,
}

/// What was measured: the recipe against the default, that is the estimate, on samples taken
/// after it had been picked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Whether the recipe is better than the default or is the default.
    pub verdict: Verdict,
    /// How many times as fast as the default: median of the rounds. That of the best candidate,
    /// also where the default was stored for lack of a resolved difference.
    pub ratio: f64,
    /// Lower end of the 95 % interval.
    pub lo: f64,
    /// Upper end of the 95 % interval.
    pub hi: f64,
    /// Rounds of the confirmation.
    pub rounds: usize,
    /// Candidates that were timed, the default included ...
    pub tried: usize,
    /// ... out of so many.
    pub candidates: usize,
    /// Seconds the search took.
    pub seconds: f64,
    /// When.
    pub date: Timestamp,
    /// Version of this crate, and so of the kernels.
    pub version: String,
}

/// What the search found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Faster than the default, the interval says.
    Faster,
    /// Nothing was found that can be told from the default, which therefore is what is stored.
    NotSeparable,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Faster => "faster",
            Verdict::NotSeparable => "not separable",
        })
    }
}

impl Record {
    /// A record of `recipe` for a problem in a setting.
    pub fn new<P: Problem>(
        problem: &P,
        setting: &Setting<'_>,
        recipe: &P::Recipe,
        evidence: Evidence,
    ) -> Self {
        Record {
            schema: SCHEMA,
            machine: setting.key(),
            kernel: P::KERNEL.to_owned(),
            shape: problem.shape(),
            dtype: problem.dtype().to_owned(),
            recipe: serde_json::to_value(recipe).expect("a recipe is plain data"),
            threads: P::threads(recipe),
            evidence,
        }
    }

    /// The record as a line of a file, without its end.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("a record is plain data")
    }
}
