//! Who takes part: ourselves, a library in this process, or a worker.

use super::protocol::{self, Request};
use super::worker::{Launch, Worker};
use crate::workload::Recipe;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Instant;
use tempfile::TempDir;
use tilewise_tuner::measure::Lost;

/// Somebody who takes part. All time themselves, so that none pays for being reached.
pub trait Entrant {
    /// What it is.
    fn facts(&self) -> &Facts;

    /// Does the work once and gives the result as the reference has it.
    ///
    /// # Errors
    /// Why it could not.
    fn result(&mut self) -> Result<Numbers, String>;

    /// Makes so many calls and says how long they took together. Nothing is remembered from
    /// one call to the next that would make it cheaper.
    ///
    /// # Errors
    /// Why it could not.
    fn batch(&mut self, calls: usize) -> Result<Batch, String>;
}

/// What there is to say of an entrant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// A short name, unique within its cell; ours is [`OURS`].
    pub name: String,
    /// What it is, in a few words.
    pub title: String,
    /// The version of the library.
    pub version: String,
    /// Inputs, accumulator and output.
    pub dtype: String,
    /// Whether it computes in another precision than we do: shown, and never called a rival of
    /// the same kind.
    pub other_precision: bool,
    /// What is inside its clock.
    pub timed: String,
    /// Tile sizes and the like, where it is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<Recipe>,
}

/// The name under which we take part ourselves.
pub const OURS: &str = "tilewise";

/// A result.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// Sums.
    I32(Vec<i32>),
    /// Real numbers.
    F32(Vec<f32>),
    /// Real numbers of twice the length.
    F64(Vec<f64>),
}

/// Calls that were made one after the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Batch {
    /// Seconds of all of them together.
    pub seconds: f64,
    /// What the process that made them lost meanwhile.
    pub lost: Lost,
}

impl Batch {
    /// Makes so many calls in this process.
    pub fn run(calls: usize, mut call: impl FnMut()) -> Batch {
        let own = || Lost::by(std::process::id());
        let before = own();
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        let seconds = start.elapsed().as_secs_f64();
        Batch { seconds, lost: own().since(&before) }
    }
}

/// What a worker's result file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// [`Numbers::I32`].
    I32,
    /// [`Numbers::F32`].
    F32,
    /// [`Numbers::F64`].
    F64,
}

/// A worker as an entrant.
#[derive(Debug)]
pub struct Remote {
    facts: Facts,
    worker: Worker,
    element: Element,
    output: PathBuf,
    /// Holds the output file, and goes with the worker.
    _folder: TempDir,
}

impl Remote {
    /// Starts a worker and has it prepare. `request.output` is replaced by a file of its own.
    ///
    /// # Errors
    /// Why it cannot take part, in one line.
    pub fn start(
        launch: &Launch,
        request: Request<'_>,
        element: Element,
    ) -> Result<Remote, String> {
        let folder = tempfile::tempdir()
            .map_err(|error| format!("no folder for results can be made: {error}"))?;
        let output = folder.path().join("result");
        let mut worker = Worker::start(launch).map_err(|error| error.to_string())?;
        let request = Request { output: &output, ..request };
        let ready = worker.prepare(&request).map_err(|error| error.to_string())?;
        let facts = Facts {
            name: request.rival.into(),
            title: ready.title,
            version: ready.version,
            dtype: ready.dtype,
            other_precision: false,
            timed: ready.timed,
            recipe: None,
        };
        Ok(Remote { facts, worker, element, output, _folder: folder })
    }
}

impl Entrant for Remote {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn result(&mut self) -> Result<Numbers, String> {
        let bytes = std::fs::read(&self.output)
            .map_err(|error| format!("its result cannot be read: {error}"))?;
        let numbers = match self.element {
            Element::I32 => protocol::numbers(&bytes).map(Numbers::I32),
            Element::F32 => protocol::numbers(&bytes).map(Numbers::F32),
            Element::F64 => protocol::numbers(&bytes).map(Numbers::F64),
        };
        numbers.ok_or_else(|| format!("its result has {} bytes, no whole numbers", bytes.len()))
    }

    fn batch(&mut self, calls: usize) -> Result<Batch, String> {
        self.worker.batch(calls).map_err(|error| error.to_string())
    }
}
