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
use crate::notes::Notes;
use crate::problem::{Problem, Setting};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Times a candidate may be begun without an end.
const CHANCES: usize = 2;

/// A search's outcomes, by the text of the recipe.
pub(super) struct Journal {
    notes: Notes,
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
        let opened = Notes::open(path.clone(), &head);
        let opened = opened.map_err(|source| Error::Journal { path, source })?;
        Ok(opened.map(|(notes, noted)| {
            let mut journal = Journal { notes, known: BTreeMap::new(), spent_s: 0.0 };
            // What is no line of ours says nothing; the search finds it out again.
            noted.iter().for_each(|line| journal.learn(line));
            journal
        }))
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
        self.notes.path().to_owned()
    }

    fn append(&mut self, line: &Value) -> Result<(), Error> {
        let added = self.notes.add(line);
        added.map_err(|source| Error::Journal { path: self.notes.path().to_owned(), source })
    }
}
