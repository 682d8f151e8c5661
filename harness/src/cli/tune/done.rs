//! Which shapes of a run over all of them are done, on disk: who interrupts the run and starts the
//! same command again goes on with the next.
//!
//! ```text
//! {"run":{...}}       another run is begun anew
//! {"done":"..."}      the name of a search's journal
//! ```

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) struct Done {
    path: PathBuf,
    file: File,
    names: BTreeSet<String>,
}

impl Done {
    /// What an interrupted run of this kind has left beside the file of wisdom, or nothing yet.
    pub(super) fn open(wisdom: &Path, budget: Duration) -> io::Result<Done> {
        let mut name = std::ffi::OsString::from(".");
        name.push(wisdom.file_name().unwrap_or_default());
        name.push(".all.tuning");
        let path = wisdom.with_file_name(name);
        let head = json!({"run": {
            "budget_s": budget.as_secs_f64(),
            "version": env!("CARGO_PKG_VERSION"),
        }});
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = fs::read(&path).unwrap_or_default();
        // A line that was cut says nothing.
        let mut lines = text.split_inclusive(|&byte| byte == b'\n');
        let mut line = || serde_json::from_slice::<Value>(lines.next()?.strip_suffix(b"\n")?).ok();
        let mut names = BTreeSet::new();
        if line() == Some(head.clone()) {
            while let Some(line) = line() {
                names.extend(line["done"].as_str().map(str::to_owned));
            }
        }
        let mut file = File::create(&path)?;
        writeln!(file, "{head}")?;
        let mut done = Done { path, file, names: BTreeSet::new() };
        names.into_iter().try_for_each(|name| done.add(name))?;
        Ok(done)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn add(&mut self, name: String) -> io::Result<()> {
        self.file.write_all(format!("{}\n", json!({"done": name})).as_bytes())?;
        self.names.insert(name);
        Ok(())
    }

    /// All are: nothing is left to go on with.
    pub(super) fn end(self) {
        // One that cannot be removed makes the next run of this kind skip what it names; but who can
        // make a file in a folder can remove it.
        let _ = fs::remove_file(self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_where_the_same_was_interrupted() {
        let folder = tempfile::tempdir().unwrap();
        let wisdom = folder.path().join("wisdom.jsonl");
        let open = |seconds| Done::open(&wisdom, Duration::from_secs(seconds)).unwrap();
        let mut first = open(1);
        first.add("a".into()).unwrap();
        first.file.write_all(b"{\"done\":\"cu").unwrap();
        let mut again = open(1);
        assert!(again.len() == 1 && again.has("a") && !again.has("cu"));
        again.add("b".into()).unwrap();
        assert_eq!(open(1).len(), 2);
        assert_eq!(open(2).len(), 0, "another run");
        open(2).end();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
