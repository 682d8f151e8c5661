//! What a search has found out so far, on disk: a line for every candidate begun and every outcome,
//! written at once.
//!
//! ```text
//! {"search":{...}}                         what is searched for; another file is begun anew
//! {"begun":<recipe>}
//! {"ended":<recipe>,"ratio":1.07,"spent_s":0.4}
//! {"ended":<recipe>,"rejected":"its product differs","spent_s":0.5}
//! ```
//!
//! Whoever is killed loses the candidate it was at. One that was begun and not ended is tried once
//! more, behind all others, because an interrupt may come at any moment; begun twice, it is what
//! killed the search.

use super::Error;
use super::hunt::describe;
use crate::problem::{Problem, Setting};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

/// Times a candidate may be begun without an end.
const CHANCES: usize = 2;

/// A search's outcomes, by the text of the recipe.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    known: BTreeMap<String, Known>,
    spent_s: f64,
}

#[derive(Default)]
struct Known {
    /// How often it was begun and not ended.
    begun: usize,
    outcome: Option<Result<f64, String>>,
}

impl Journal {
    /// Opens the file of a search, with what an interrupted one for the same has left. `None` if
    /// another process searches for the same and keeps its progress there.
    pub(super) fn open<P: Problem>(
        path: PathBuf,
        problem: &P,
        setting: &Setting<'_>,
    ) -> Result<Option<Journal>, Error> {
        let head = json!({"search": {
            "kernel": P::KERNEL,
            "surface": P::SURFACE,
            "dtype": problem.dtype(),
            "shape": problem.shape(),
            "identity": setting.identity(),
            "context": setting.context(),
            "default": describe(&problem.estimate(setting)),
            "version": env!("CARGO_PKG_VERSION"),
        }});
        let opened = Journal::read(&path, &head);
        opened.map_err(|source| Error::Journal { path, source })
    }

    fn read(path: &std::path::Path, head: &Value) -> io::Result<Option<Journal>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Where the file system knows no locks, one search at a time is its user's care.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error),
            Ok(()) => {}
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let same = first.ends_with(b"\n")
            && serde_json::from_slice::<Value>(first).is_ok_and(|found| found == *head);
        let mut journal =
            Journal { path: path.to_owned(), file, known: BTreeMap::new(), spent_s: 0.0 };
        let mut whole = first.len() as u64;
        if same {
            for line in lines.take_while(|line| line.ends_with(b"\n")) {
                whole += line.len() as u64;
                // What is no line of ours says nothing; the search finds it out again.
                journal.learn(&serde_json::from_slice(line).unwrap_or_default());
            }
        } else {
            whole = 0;
        }
        // A line that was cut goes, and so does what another search has left.
        journal.file.set_len(whole)?;
        journal.file.seek(io::SeekFrom::End(0))?;
        if !same {
            journal.write(head)?;
        }
        Ok(Some(journal))
    }

    fn learn(&mut self, line: &Value) {
        if let Some(recipe) = line.get("begun") {
            // What was known of it does not count until this, too, has ended.
            let known = self.known.entry(recipe.to_string()).or_default();
            (known.begun, known.outcome) = (known.begun + 1, None);
        }
        if let Some(recipe) = line.get("ended") {
            let ratio = line["ratio"].as_f64().filter(|ratio| *ratio > 0.0).map(Ok);
            let rejected = line["rejected"].as_str().map(|reason| Err(reason.to_owned()));
            let known = Known { begun: 0, outcome: ratio.or(rejected) };
            self.known.insert(recipe.to_string(), known);
            self.spent_s = line["spent_s"].as_f64().unwrap_or(0.0).max(self.spent_s);
        }
    }

    /// What is known of a recipe: how many times as fast as the default it is, or why it is out.
    pub(super) fn outcome(&self, recipe: &Value) -> Option<Result<f64, String>> {
        let known = self.known.get(&recipe.to_string())?;
        let fatal = || Err(format!("{} searches ended while it was tried", known.begun));
        known.outcome.clone().or_else(|| (known.begun >= CHANCES).then(fatal))
    }

    /// Whether a search has begun a recipe and not come to its end.
    pub(super) fn suspects(&self, recipe: &Value) -> bool {
        let known = self.known.get(&recipe.to_string());
        known.is_some_and(|known| known.begun > 0 && known.outcome.is_none())
    }

    /// Seconds that have been spent before.
    pub(super) fn spent_s(&self) -> f64 {
        self.spent_s
    }

    /// A recipe is about to be run.
    pub(super) fn begin(&mut self, recipe: &Value) -> Result<(), Error> {
        self.append(&json!({"begun": recipe}))
    }

    /// What became of it, and how much time all have taken so far.
    pub(super) fn end(
        &mut self,
        recipe: &Value,
        outcome: &Result<f64, String>,
        spent_s: f64,
    ) -> Result<(), Error> {
        self.append(&match outcome {
            Ok(ratio) => json!({"ended": recipe, "ratio": ratio, "spent_s": spent_s}),
            Err(reason) => json!({"ended": recipe, "rejected": reason, "spent_s": spent_s}),
        })
    }

    /// Where it is.
    pub(super) fn path(self) -> PathBuf {
        self.path
    }

    fn append(&mut self, line: &Value) -> Result<(), Error> {
        self.write(line).map_err(|source| Error::Journal { path: self.path.clone(), source })
    }

    /// One write a line, so that a process that is killed leaves whole lines: what the system has
    /// taken over it keeps.
    fn write(&mut self, line: &Value) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
    }
}
