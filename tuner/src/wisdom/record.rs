//! One record: a recipe, where it holds, and how we know.

use super::digest::{Fold, site};
use crate::machine::{Context, Identity};
use crate::problem::{Problem, Setting, Shape};
use crate::search::{LEAST, Stopped};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// The best recipe known for a problem on a machine, and how we know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Which kernel.
    pub kernel: String,
    /// Which version of it and of what can be decided about it: [`Problem::SURFACE`].
    pub surface: u32,
    /// Which element types.
    pub dtype: String,
    /// Which sizes.
    pub shape: Shape,
    /// On which machine.
    pub identity: Identity,
    /// Under what circumstances.
    pub context: Context,
    /// The recipe, as the kernel writes it; checked by the kernel before it is used.
    pub recipe: Value,
    /// What it was compared with: the estimate of that day.
    pub default: Value,
    /// How many threads it uses.
    pub threads: usize,
    /// How often this has been measured anew, by somebody who asked for it or did not believe what
    /// was recorded: a later revision holds, however much evidence an earlier one has.
    #[serde(default)]
    pub revision: u32,
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
    /// Lower end of its interval, of 95 % or more: of the rounds of one process. What memory a
    /// process is given and where its threads run is the same in all of them, and may be worth some
    /// per cent; another process may find another ratio, so records that are passed on are to be
    /// measured in several (`tilewise wisdom check`, run again).
    pub lo: f64,
    /// Upper end of its interval.
    pub hi: f64,
    /// Rounds of the confirmation.
    pub rounds: usize,
    /// Those of them in which the machine was visibly taken away ([`Rule`](crate::measure::Rule)):
    /// nothing is decided unless the others say the same.
    pub marked: usize,
    /// Candidates that were timed, the default included ...
    pub tried: usize,
    /// ... out of so many.
    pub candidates: usize,
    /// Why the search ended.
    pub stopped: Stopped,
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

/// Nothing is measured anew so often: a record that says so is forged, and nothing could follow it.
pub(super) const MOST_REVISIONS: u32 = 1 << 30;

impl Record {
    /// A record of `recipe` for a problem in a setting, where the estimate is the default.
    pub fn new<P: Problem>(
        problem: &P,
        setting: &Setting<'_>,
        recipe: &P::Recipe,
        evidence: Evidence,
    ) -> Self {
        let plain = |recipe| serde_json::to_value(recipe).expect("a recipe is plain data");
        Record {
            kernel: P::KERNEL.to_owned(),
            surface: P::SURFACE,
            dtype: problem.dtype().to_owned(),
            shape: problem.shape(),
            identity: setting.identity(),
            context: setting.context(),
            recipe: plain(recipe),
            default: plain(&problem.estimate(setting)),
            threads: P::threads(recipe),
            revision: 0,
            evidence,
        }
    }

    /// What it is about, as a number: the machine, the circumstances, the kernel and its version,
    /// types and sizes.
    pub(super) fn key(&self) -> u64 {
        let fold = Fold::new(site(&self.identity, &self.context));
        fold.kernel(&self.kernel, self.surface, &self.dtype).shape(&self.shape).finish()
    }

    /// The record as text, its fields in their order.
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a record is plain data")
    }

    /// A record from its text, if it can be true.
    pub(super) fn read(text: &str) -> Result<Record, String> {
        let record: Record = serde_json::from_str(text).map_err(|error| error.to_string())?;
        record.evidence.check(record.recipe == record.default)?;
        if record.revision > MOST_REVISIONS {
            let revision = record.revision;
            return Err(format!(
                "revision {revision}, nobody measures so often: expected at most {MOST_REVISIONS}"
            ));
        }
        Ok(record)
    }

    /// Of two records about the same, the one that ranks higher holds: the later revision, then
    /// the one with more undisturbed rounds, then with more of them at all, then that with the
    /// narrower interval. Not that with the greater gain, for of many users' records that would be
    /// the luckiest; and never a question of which came first, so that files can be merged in any
    /// order.
    pub(super) fn rank(&self) -> (u32, usize, usize, u64) {
        let Evidence { rounds, marked, lo, hi, .. } = self.evidence;
        // Positive floats are ordered as their bits are.
        (self.revision, rounds.saturating_sub(marked), rounds, (lo / hi).to_bits())
    }
}

impl Evidence {
    /// What was found, in words: how many times as fast as the default the recipe is, or, where that
    /// is the default, the best other candidate.
    pub fn summary(&self) -> String {
        let Evidence { verdict, ratio, lo, hi, rounds, .. } = self;
        let interval = format!("{ratio:.3}x [{lo:.3}, {hi:.3}]");
        match verdict {
            Verdict::Faster => format!("{interval}, {verdict}"),
            Verdict::NotSeparable if *rounds == 0 => "nothing else was compared".into(),
            Verdict::NotSeparable if *hi < 1.0 => format!("the best other {interval}, slower"),
            Verdict::NotSeparable => format!("the best other {interval}, {verdict}"),
        }
    }

    /// Whether it can be true, and what it says of a recipe that is the default or not.
    fn check(&self, is_default: bool) -> Result<(), String> {
        let Evidence { verdict, ratio, lo, hi, rounds, marked, tried, candidates, seconds, .. } =
            *self;
        if !(0.0 < lo && lo <= ratio && ratio <= hi && hi.is_finite()) {
            return Err(format!("ratio {ratio} outside of its interval {lo} to {hi}"));
        }
        if marked > rounds || tried > candidates {
            return Err(format!(
                "{marked} of {rounds} rounds disturbed, {tried} of {candidates} candidates tried: \
                 more than there are"
            ));
        }
        if !(seconds >= 0.0 && seconds.is_finite()) {
            return Err(format!("a search of {seconds} seconds"));
        }
        match verdict {
            Verdict::NotSeparable if !is_default => {
                Err("not separable from the default, and yet another recipe".into())
            }
            Verdict::Faster if is_default => Err("the default, faster than the default".into()),
            Verdict::Faster if lo <= 1.0 || rounds < LEAST => {
                Err(format!("faster, by {rounds} rounds between {lo} and {hi}"))
            }
            _ => Ok(()),
        }
    }
}
