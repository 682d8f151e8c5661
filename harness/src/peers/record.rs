//! The record of a run beside rivals: `peers.jsonl`, a line for the run and then one a cell.

use super::entrant::{Facts, OURS};
use crate::workload::{Check, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tilewise_tuner::measure::{Estimate, Ratio, Verdict};

/// Version of the record's layout; a reader should refuse one it does not know.
pub const SCHEMA: u32 = 1;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Line {
    Run(Run),
    Cell(Cell),
}

/// Where and when the cells were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The command that measures the same again.
    pub command: String,
    /// When it began, in UTC.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// Whether somebody ended it before all cells were measured.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub interrupted: bool,
    /// What all inputs were made from.
    pub seed: u64,
    /// The CPU as it names itself.
    pub cpu: String,
    /// A short name for the kind of machine; never its host name.
    pub slug: String,
    /// Threads this process may use.
    pub threads_allowed: usize,
    /// Everything the machine said of itself, or why it did not.
    pub machine: Value,
    /// Compiler, flags, source commit.
    pub build: Value,
}

/// One shape, beside everybody who could do it, in one interleaved session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Unique within the run.
    pub id: String,
    /// What was done.
    #[serde(flatten)]
    pub task: Task,
    /// Threads everybody had.
    pub threads: usize,
    /// Who took part; we are the first.
    pub entries: Vec<Entry>,
    /// Who was to take part and did not, or gave a wrong result.
    pub absent: Vec<Absent>,
    /// Rounds the session had.
    pub rounds: usize,
    /// Rounds in which the machine was visibly taken away.
    pub marked: usize,
    /// Ourselves against ourselves: what this session makes of no difference.
    pub control: Option<Ratio>,
}

/// Somebody with a right result, and a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// What it is.
    #[serde(flatten)]
    pub facts: Facts,
    /// Its result against the reference.
    pub check: Check,
    /// Seconds a call.
    pub time: Estimate,
    /// Work a second.
    pub rate: Estimate,
    /// How many times as fast we are, within each round; none for ourselves.
    pub factor: Option<Ratio>,
}

/// Somebody without a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Absent {
    /// The name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// A run with its cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Where and when.
    pub run: Run,
    /// What was measured, in the order of time.
    pub cells: Vec<Cell>,
}

/// A file that is no record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read at all.
    #[error("{file:?} cannot be read: {source}; expected a peers.jsonl as gemm_rivals writes it")]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A line of it is wrong.
    #[error("{file:?}, line {line}: {reason}; expected a peers.jsonl as gemm_rivals writes it")]
    Line {
        /// The file.
        file: PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

impl Record {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(file: &Path) -> Result<Record, ReadError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| ReadError::File { file: file.into(), source })?;
        Record::parse(&text).map_err(|(line, reason)| ReadError::Line {
            file: file.into(),
            line,
            reason,
        })
    }

    fn parse(text: &str) -> Result<Record, (usize, String)> {
        let mut lines = (1..).zip(text.lines());
        let read = |number, line: &str| {
            serde_json::from_str(line)
                .map_err(|error: serde_json::Error| (number, error.to_string()))
        };
        let run = match lines.next() {
            Some((number, line)) => match read(number, line)? {
                Line::Run(run) if run.schema == SCHEMA => run,
                Line::Run(run) => {
                    let reason =
                        format!("it has schema {}, this program knows {SCHEMA}", run.schema);
                    return Err((number, reason));
                }
                Line::Cell(_) => return Err((number, "the run is to be described first".into())),
            },
            None => return Err((1, "it is empty".into())),
        };
        let cells = lines.map(|(number, line)| match read(number, line)? {
            Line::Cell(cell) => Ok(cell),
            Line::Run(_) => Err((number, "it describes a second run".into())),
        });
        Ok(Record { run, cells: cells.collect::<Result<_, _>>()? })
    }

    /// The file's contents.
    pub fn lines(&self) -> String {
        let cells = self.cells.iter().cloned().map(Line::Cell);
        let lines = std::iter::once(Line::Run(self.run.clone())).chain(cells);
        lines.map(|line| serde_json::to_string(&line).expect("it is plain data") + "\n").collect()
    }
}

impl Cell {
    /// Ourselves.
    pub fn ours(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.facts.name == OURS)
    }

    /// The others who compute in the same precision, and how many times as fast we are.
    pub fn rivals(&self) -> impl Iterator<Item = (&Entry, &Ratio)> {
        let same = self.entries.iter().filter(|entry| !entry.facts.other_precision);
        same.filter_map(|entry| Some((entry, entry.factor.as_ref()?)))
    }

    /// The fastest of them.
    pub fn best(&self) -> Option<(&Entry, &Ratio)> {
        self.rivals().min_by(|a, b| a.0.time.median.total_cmp(&b.0.time.median))
    }

    /// Those against whom the verdict is `verdict`.
    pub fn with(&self, verdict: Verdict) -> impl Iterator<Item = (&Entry, &Ratio)> {
        self.rivals().filter(move |(_, factor)| factor.verdict == verdict)
    }
}
