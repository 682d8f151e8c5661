//! The record of one report run, as it is written to `report.json`.
//!
//! Plain data. Every ratio stands beside both absolute times; everything printed elsewhere comes
//! from here, and everything here that was derived can be derived again from the raw sessions.

use crate::peers::record::Record;
use crate::roofs::{Quantity, Roof as Limit};
use crate::workload::{Check, Kind, Recipe, Task, Traffic};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use tilewise_tuner::measure::{Estimate, Ratio, Session, Verdict};

/// Version of the record's layout; a reader should refuse one it does not know.
pub const SCHEMA: u32 = 1;

/// One run of `tilewise report`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// How much was measured.
    pub mode: Mode,
    /// The command that measures the same again.
    pub command: String,
    /// When it began, in UTC.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// What all inputs were made from.
    pub seed: u64,
    /// The machine and the build.
    pub environment: Environment,
    /// Speed limits of this machine, measured before and after everything else.
    pub roofs: Vec<Roof>,
    /// What was measured, in the order it was planned.
    pub cells: Vec<Cell>,
    /// What was planned and not measured, and why.
    pub skipped: Vec<Skipped>,
    /// The picture K-Means quantised.
    pub picture: Option<PictureRecord>,
    /// What was measured beside rivals in a run of its own; none unless it was given.
    #[serde(default)]
    pub peers: Option<Peers>,
    /// Broken rules; a report with any has failed.
    pub failures: Vec<String>,
    /// What a reader should know before believing small differences.
    pub cautions: Vec<String>,
    /// Where the raw samples are.
    pub samples: Samples,
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Fewer and smaller shapes, within a minute on two cores.
    Quick,
    /// Everything, within ten minutes.
    Full,
}

/// Where the numbers come from, read from the machine and embedded at build time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The CPU as it names itself.
    pub cpu: String,
    /// A short name for the kind of machine; never its host name.
    pub slug: String,
    /// Instruction sets this CPU has code for, slowest first.
    pub isas: Vec<String>,
    /// Threads this process may use.
    pub threads_allowed: usize,
    /// Everything the machine said of itself, or why it did not.
    pub machine: Value,
    /// Compiler, flags, source commit.
    pub build: Value,
    /// Time the hypervisor gave to others during the run, as a share of all core time.
    pub steal_share: Option<f64>,
}

/// A speed limit, at both ends of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roof {
    /// Before the first cell.
    pub before: Limit,
    /// After the last.
    pub after: Option<Limit>,
}

/// One kernel on one shape: everything measured in one interleaved session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Unique within the report, for example `gemm-1024x1024x1024`.
    pub id: String,
    /// Where that shape comes from.
    pub origin: String,
    /// What was done.
    #[serde(flatten)]
    pub task: Task,
    /// Everything that was timed.
    pub arms: Vec<Arm>,
    /// From plain source to the fastest, one change a rung.
    pub rungs: Vec<Rung>,
    /// First rung against last, as a pair of its own.
    pub total: Option<Total>,
    /// Against the fastest plain source.
    pub headline: Option<Headline>,
    /// Other pairs worth seeing.
    pub comparisons: Vec<Comparison>,
    /// Names of arms that differ in their threads only.
    pub scaling: Vec<String>,
    /// An arm against itself.
    pub control: Option<Ratio>,
    /// Rounds the session had.
    pub rounds: usize,
    /// Rounds in which the machine was visibly taken away.
    pub marked: usize,
    /// Those of them in which a thread had clearly less of a core than usual.
    #[serde(default)]
    pub crowded: usize,
    /// The whole application the kernel is part of, in the same run.
    pub whole: Option<Whole>,
    /// Seconds of every plain loop order that was tried, roughly: the fastest became an arm.
    pub tried: BTreeMap<String, f64>,
}

/// A whole application around a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whole {
    /// What it does.
    pub label: String,
    /// Seconds.
    pub time: Estimate,
    /// Threads it ran on.
    pub threads: usize,
    /// What came out, in words.
    pub outcome: String,
}

/// Something that was timed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Its name in the session.
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// How it was written.
    pub kind: Kind,
    /// The instruction set it ran on.
    pub isa: String,
    /// Threads it ran on.
    pub threads: usize,
    /// Tile sizes and the like; plain code has none.
    pub recipe: Option<Recipe>,
    /// Whether its result was right, on the same inputs in the same run.
    pub check: Check,
    /// Seconds a call; nothing is printed for a wrong result.
    pub time: Option<Estimate>,
    /// Work a second.
    pub rate: Option<Estimate>,
    /// The limit it stands under.
    pub bound: Option<Bound>,
    /// The arithmetic it is made of, where that is not the cell's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arithmetic: Option<Quantity>,
    /// Bytes it moves between memory and caches for a unit of work, where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// Where its time went, if that was noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartTime>,
}

/// A part of what was timed, or several together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartTime {
    /// What is done in it.
    pub name: String,
    /// Seconds a call, over all calls of the session, warm-up among them.
    pub time: Estimate,
    /// Each of them.
    pub seconds: Vec<f64>,
}

/// How near an arm came to its roof.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The name of the roof.
    pub roof: String,
    /// What it allowed during the cell's own session, in the cell's unit.
    pub limit: Estimate,
    /// Rate over limit, taken within each round.
    pub share: Estimate,
    /// Whether the rate lies above this limit and above the roof as measured on its own, both by
    /// their whole intervals, which cannot be.
    pub exceeded: bool,
}

/// One step of the ladder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// What was changed.
    pub label: String,
    /// The arm that has it; none where the rung was not measured.
    pub arm: Option<String>,
    /// How many times as fast as the rung before.
    pub factor: Option<Ratio>,
    /// Why there is no factor.
    pub note: Option<String>,
}

/// First rung against the last of the same arithmetic, once as a pair and once as the product of the
/// rungs between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Total {
    /// Name of the slow arm.
    pub from: String,
    /// Name of the fast arm.
    pub to: String,
    /// Seconds of the slow arm in this pair.
    pub from_time: Estimate,
    /// Seconds of the fast arm in this pair.
    pub to_time: Estimate,
    /// Measured in rounds of these two alone, one after each of the ladder's.
    pub measured: Ratio,
    /// The same two within the ladder's rounds; older records lack it.
    pub ladder: Option<Ratio>,
    /// The rungs' factors multiplied.
    pub product: f64,
    /// Whether the three differ by no more than their intervals and the noise floor.
    pub agrees: bool,
}

/// The number to quote, and what it is against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// The fastest plain arm.
    pub baseline: String,
    /// What a user gets on all threads: the tuned recipe, or the default where none is tuned.
    pub arm: String,
    /// All threads against it.
    pub factor: Ratio,
    /// What a user gets on one thread.
    pub single_arm: String,
    /// One thread against it.
    pub single: Ratio,
}

/// Two arms side by side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What differs.
    pub label: String,
    /// The arm that is 1.
    pub from: String,
    /// The other.
    pub to: String,
    /// How many times as fast the other is.
    pub factor: Ratio,
}

/// A planned cell without a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The cell.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// The picture that was quantised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureRecord {
    /// `generated`, or the file's name without its folders.
    pub source: String,
    /// Pixels from left to right.
    pub width: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Different colours before.
    pub colours: usize,
    /// Colours after.
    pub centres: usize,
    /// Root of the mean squared error of a channel, in steps of 255.
    pub rms_error: f64,
}

/// The record of another run, shown beside this one's cells and mixed into none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peers {
    /// The file's name without its folders.
    pub file: String,
    /// What it says.
    pub record: Record,
}

/// Raw samples: here, or in a file beside this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Samples {
    /// Small enough to stand here.
    Inline(Vec<RawSession>),
    /// Gzipped JSON: the same list.
    File(String),
}

/// One interleaved session with every sample it took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawSession {
    /// The cell's id; with `/total` for the pair of first and last rung, or a roof's name.
    pub id: String,
    /// The samples.
    pub session: Session,
}

impl Report {
    /// Cells of one kernel; those that lost against plain source come first.
    pub fn cells_of<'a>(&'a self, kernel: &'a str) -> Vec<&'a Cell> {
        let mut cells: Vec<_> =
            self.cells.iter().filter(|cell| cell.task.kernel == kernel).collect();
        cells.sort_by_key(|cell| !cell.lost());
        cells
    }
}

impl Cell {
    /// The arm of that name.
    pub fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    /// Whether ours failed its check, did not surely win against plain source, or a rung made it
    /// slower.
    pub fn lost(&self) -> bool {
        let faster = |ratio: &Ratio| ratio.verdict == Verdict::Faster;
        let won = self.headline.as_ref().is_some_and(|h| faster(&h.factor) && faster(&h.single));
        let fell = self.rungs.iter().any(|rung| rung.factor.is_some_and(|f| f.hi < 1.0));
        let beside = self.comparisons.iter().any(|pair| self.lost_beside(pair));
        !won || fell || beside || self.arms.iter().any(|arm| !arm.check.passed())
    }

    /// Whether a comparison has ours slower than plain source, or does not resolve it.
    pub fn lost_beside(&self, pair: &Comparison) -> bool {
        let is_plain = |name: &str| self.arm(name).is_some_and(|arm| arm.kind.is_plain());
        is_plain(&pair.from) && !is_plain(&pair.to) && pair.factor.verdict != Verdict::Faster
    }
}

impl Roof {
    /// The higher of before and after: what the machine can do when it is left alone. Their mean
    /// would be a roof that nobody measured.
    pub fn rate(&self) -> Estimate {
        let higher = self.after.as_ref().filter(|after| after.value > self.before.value);
        let Limit { value, lo, hi, .. } = higher.unwrap_or(&self.before);
        Estimate { median: *value, lo: *lo, hi: *hi, rounds: 0 }
    }

    /// The relative change from before to after; none where it was measured once.
    pub fn change(&self) -> Option<f64> {
        self.after.as_ref().map(|after| after.value / self.before.value - 1.0)
    }
}
