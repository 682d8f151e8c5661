//! What a process has done so far, on disk, for the one that goes on after an interrupt: a line of
//! JSON each, written at once, below a head that says what is being done.

use serde_json::Value;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A file of notes that this process keeps, and no other meanwhile.
///
/// ```
/// use serde_json::json;
/// use tilewise_tuner::notes::Notes;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("notes");
/// let (mut notes, _) = Notes::open(path.clone(), &json!("sums"))?.expect("nobody else's");
/// notes.add(&json!({"done": 1}))?;
/// drop(notes);
/// let (_notes, noted) = Notes::open(path, &json!("sums"))?.expect("nobody else's");
/// assert_eq!(noted, [json!({"done": 1})]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Notes {
    path: PathBuf,
    file: File,
}

impl Notes {
    /// Opens a file in a folder that may be new, with what an interrupted process has noted below
    /// the same head; what stands below another goes. `None` while another process keeps it.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: PathBuf, head: &Value) -> io::Result<Option<(Notes, Vec<Value>)>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file =
            File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Where the file system knows no locks, one process at a time is its user's care.
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
        let (mut notes, mut whole) = (Vec::new(), 0);
        if same {
            whole = first.len() as u64;
            for line in lines.take_while(|line| line.ends_with(b"\n")) {
                whole += line.len() as u64;
                // What is no line of ours says nothing.
                notes.push(serde_json::from_slice(line).unwrap_or_default());
            }
        }
        // A line that was cut goes, and so does what was noted on other work.
        file.set_len(whole)?;
        file.seek(io::SeekFrom::End(0))?;
        let mut own = Notes { path, file };
        if !same {
            own.add(head)?;
        }
        Ok(Some((own, notes)))
    }

    /// Notes something. One write a line, so that a process that is killed leaves whole lines: what
    /// the system has taken over it keeps.
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&mut self, line: &Value) -> io::Result<()> {
        self.file.write_all(format!("{line}\n").as_bytes())
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
