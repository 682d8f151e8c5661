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
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub(super) struct Done {
    path: PathBuf,
    file: File,
    names: BTreeSet<String>,
}

impl Done {
    /// What an interrupted run has left beside the file of wisdom, or nothing yet. `run` says which
    /// run this is. `None` while another process keeps its own there.
    pub(super) fn open(wisdom: &Path, run: &Value) -> io::Result<Option<Done>> {
        let mut name = OsString::from(".");
        name.push(wisdom.file_name().unwrap_or_default());
        name.push(".all.tuning");
        let path = wisdom.with_file_name(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Where the file system knows no locks, one run at a time is its user's care.
            Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                return Err(error);
            }
            _ => {}
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let mut done = Done { path, file, names: BTreeSet::new() };
        let head = json!({"run": run});
        // A line that was cut says nothing, and goes.
        let mut lines = text.split_inclusive(|&byte| byte == b'\n');
        let mut line = || serde_json::from_slice::<Value>(lines.next()?.strip_suffix(b"\n")?).ok();
        let mut names = BTreeSet::new();
        if line() == Some(head.clone()) {
            while let Some(line) = line() {
                names.extend(line["done"].as_str().map(str::to_owned));
            }
        }
        done.file.set_len(0)?;
        done.file.seek(SeekFrom::Start(0))?;
        done.write(&head)?;
        names.into_iter().try_for_each(|name| done.add(name))?;
        Ok(Some(done))
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    pub(super) fn add(&mut self, name: String) -> io::Result<()> {
        self.write(&json!({"done": name}))?;
        self.names.insert(name);
        Ok(())
    }

    /// All are: nothing is left to go on with.
    pub(super) fn end(self) {
        // One that cannot be removed makes the next run of this kind skip what it names, as long as
        // there are records of it.
        let _ = fs::remove_file(self.path);
    }

    fn write(&mut self, line: &Value) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
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
        first.file.write_all(b"{\"done\":\"cu").unwrap();
        drop(first);
        let mut again = open(1).unwrap();
        assert!(again.has("a") && !again.has("cu"));
        again.add("b".into()).unwrap();
        drop(again);
        let both = open(1).unwrap();
        assert!(both.has("a") && both.has("b"));
        drop(both);
        assert!(open(2).unwrap().is_empty(), "another run");
        open(2).unwrap().end();
        assert_eq!(fs::read_dir(wisdom.parent().unwrap()).unwrap().count(), 0);
    }
}
