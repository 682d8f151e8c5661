//! Which shapes of a run over all of them are done, on disk: who interrupts the run and starts the
//! same command again goes on with the next.
//!
//! ```text
//! {"run":{...}}       on which machine, by which build; another run is begun anew
//! {"done":"..."}      the name of a search
//! ```

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use tilewise_tuner::notes::Notes;

pub(super) struct Done {
    notes: Notes,
    names: BTreeSet<String>,
}

impl Done {
    /// What an interrupted run has left beside the file of wisdom, or nothing yet. `run` says which
    /// run this is. `None` while another process keeps its own there.
    pub(super) fn open(wisdom: &Path, run: &Value) -> io::Result<Option<Done>> {
        let mut name = OsString::from(".");
        name.push(wisdom.file_name().unwrap_or_default());
        name.push(".all.tuning");
        let opened = Notes::open(wisdom.with_file_name(name), &json!({"run": run}))?;
        Ok(opened.map(|(notes, noted)| {
            let names = noted.iter().filter_map(|line| Some(line["done"].as_str()?.to_owned()));
            Done { notes, names: names.collect() }
        }))
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> &Path {
        self.notes.path()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn add(&mut self, name: String) -> io::Result<()> {
        self.notes.add(&json!({"done": name}))?;
        self.names.insert(name);
        Ok(())
    }

    /// All are: nothing is left to go on with.
    pub(super) fn end(self) {
        // One that cannot be removed makes the next run of this kind skip what it names, as long as
        // there are records of it.
        let _ = fs::remove_file(self.path());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_the_same_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let wisdom = folder.path().join("new/wisdom.jsonl");
        let open = |run: u32| Done::open(&wisdom, &run.into()).unwrap();
        let mut first = open(1).unwrap();
        assert!(first.is_empty() && open(1).is_none(), "one at a time");
        first.add("a".into()).unwrap();
        first.add("b".into()).unwrap();
        let path = first.path().to_owned();
        drop(first);
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 2]).unwrap();
        let mut again = open(1).unwrap();
        assert!(again.has("a") && !again.has("b"), "the last line was cut");
        again.add("c".into()).unwrap();
        drop(again);
        let both = open(1).unwrap();
        assert!(both.has("a") && both.has("c"));
        drop(both);
        assert!(open(2).unwrap().is_empty(), "another run");
        open(2).unwrap().end();
        assert_eq!(fs::read_dir(wisdom.parent().unwrap()).unwrap().count(), 0);
    }
}
