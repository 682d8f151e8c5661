//! Wisdom: recipes that were measured to be best, with the evidence, kept between runs.
//!
//! A file of JSON lines, one [`Record`] each. Loading never panics: a line that cannot be used is
//! counted and named, and the others hold. Records of other machines stay in the file and are
//! never used here. A recipe from a file is only ever a proposal: the kernel checks it, and if it
//! is illegal the estimate is used and the reason told. So bad wisdom can cost speed, never
//! correctness.
//!
//! ```
//! use tilewise_tuner::{machine::Machine, problem::Setting, wisdom::Wisdom};
//! let wisdom = Wisdom::load(&Wisdom::default_path().ok_or("no home")?)?;
//! let machine = Machine::read();
//! # use tilewise_tuner::problem::{Problem, Shape, shape};
//! # struct Rows;
//! # impl Problem for Rows {
//! #     type Recipe = usize;
//! #     const KERNEL: &'static str = "rows";
//! #     fn shape(&self) -> Shape { shape([("n", 7.into())]) }
//! #     fn dtype(&self) -> &'static str { "f32" }
//! #     fn estimate(&self, _: &Setting<'_>) -> usize { 4 }
//! #     fn check(&self, _: tilewise::Isa, _: &usize) -> Result<(), String> { Ok(()) }
//! #     fn threads(_: &usize) -> usize { 1 }
//! # }
//! # let problem = Rows;
//! let chosen = wisdom.choose(&problem, &Setting::best(&machine));
//! println!("{} ({})", chosen.recipe, chosen.source);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod file;
mod record;

pub use file::{BadLine, Error};
pub use record::{Evidence, Record, SCHEMA, Verdict};

use crate::machine::{Key, Machine};
use crate::problem::{Problem, Setting, Shape};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Records by what they are about, at most one each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wisdom {
    records: BTreeMap<Subject, Record>,
    /// Lines of another schema, kept as they are for the version that understands them.
    foreign_lines: Vec<String>,
    /// Lines of the file that are no record at all: not ours to throw away.
    broken_lines: Vec<Vec<u8>>,
    bad_lines: Vec<BadLine>,
}

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    machine: Key,
    kernel: String,
    dtype: String,
    shape: Shape,
}

impl Subject {
    fn of(record: &Record) -> Self {
        let Record { machine, kernel, dtype, shape, .. } = record.clone();
        Subject { machine, kernel, dtype, shape }
    }
}

/// Where a recipe comes from; every printed number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Measured on this machine for this shape.
    Tuned,
    /// Derived from cache sizes.
    Estimated,
    /// The caller's own.
    Given,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Source::Tuned => "tuned",
            Source::Estimated => "estimated",
            Source::Given => "given",
        })
    }
}

/// The recipe to use for a problem, and why this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen<R> {
    /// What to use.
    pub recipe: R,
    /// Where it is from.
    pub source: Source,
    /// What the measurement said, if it is tuned. A stored default counts as tuned.
    pub verdict: Option<Verdict>,
    /// Why a record for exactly this problem was not used, if there was one.
    pub refused: Option<String>,
}

impl<R> Chosen<R> {
    /// A recipe of the caller's.
    pub fn given(recipe: R) -> Self {
        Chosen { recipe, source: Source::Given, verdict: None, refused: None }
    }

    /// A recipe nobody has measured.
    pub fn estimated(recipe: R) -> Self {
        Chosen { recipe, source: Source::Estimated, verdict: None, refused: None }
    }
}

impl Wisdom {
    /// The recorded recipe for exactly this problem and setting, else the estimate.
    pub fn choose<P: Problem>(&self, problem: &P, setting: &Setting<'_>) -> Chosen<P::Recipe> {
        let estimated = || Chosen::estimated(problem.estimate(setting));
        let Some(record) = self.lookup(problem, setting) else { return estimated() };
        match decode(problem, setting, record) {
            Ok(recipe) => {
                let verdict = Some(record.evidence.verdict);
                Chosen { recipe, source: Source::Tuned, verdict, refused: None }
            }
            Err(reason) => Chosen { refused: Some(reason), ..estimated() },
        }
    }

    /// The record for exactly this problem and setting, unchecked.
    pub fn lookup<P: Problem>(&self, problem: &P, setting: &Setting<'_>) -> Option<&Record> {
        self.records.get(&Subject {
            machine: setting.key(),
            kernel: P::KERNEL.to_owned(),
            dtype: problem.dtype().to_owned(),
            shape: problem.shape(),
        })
    }

    /// Adds a record. Of two about the same, the later one stays; of two of the same moment, that
    /// whose text sorts later: so the order of adding does not matter.
    pub fn add(&mut self, record: Record) {
        let rank = |record: &Record| (record.evidence.date, record.line());
        let subject = Subject::of(&record);
        match self.records.get(&subject) {
            Some(held) if rank(held) >= rank(&record) => {}
            _ => _ = self.records.insert(subject, record),
        }
    }

    /// Adds all that `other` knows: in whatever order and however often, the result is the same.
    pub fn merge(&mut self, other: Wisdom) {
        other.records.into_values().for_each(|record| self.add(record));
        for line in other.foreign_lines {
            if !self.foreign_lines.contains(&line) {
                self.foreign_lines.push(line);
            }
        }
        self.foreign_lines.sort_unstable();
    }

    /// All records, ordered by machine, kernel and shape.
    pub fn records(&self) -> impl ExactSizeIterator<Item = &Record> {
        self.records.values()
    }

    /// How many records are of other CPUs than this machine's and so are never used on it.
    pub fn foreign(&self, machine: &Machine) -> usize {
        let here = |key: &Key| *key == machine.key(key.isa, key.threads_allowed);
        self.records().filter(|record| !here(&record.machine)).count()
    }

    /// Lines of the file that could not be used.
    pub fn bad_lines(&self) -> &[BadLine] {
        &self.bad_lines
    }
}

/// The recipe of a record, if it is one and can be followed here.
fn decode<P: Problem>(
    problem: &P,
    setting: &Setting<'_>,
    record: &Record,
) -> Result<P::Recipe, String> {
    let recipe = P::Recipe::deserialize(&record.recipe)
        .map_err(|error| format!("its recipe cannot be read: {error}"))?;
    let (uses, allowed) = (P::threads(&recipe), setting.threads);
    if uses > allowed {
        return Err(format!("it uses {uses} threads where {allowed} are allowed"));
    }
    problem.check(setting.isa, &recipe).map(|()| recipe)
}
