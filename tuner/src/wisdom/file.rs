//! Wisdom in a file: read with suspicion, written beside and renamed.

use super::{Record, SCHEMA, Wisdom};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// No file of ours is larger: a hundred thousand records.
const MOST_BYTES: u64 = 64 << 20;

/// A line that holds no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// A file that could not be read or written at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is there and cannot be read.
    #[error("cannot read wisdom from {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is something else.
    #[error("{} is larger than {MOST_BYTES} bytes: that is no wisdom file", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// It has lines, and none of them is wisdom: saving would destroy somebody's file.
    #[error("{} holds something else than wisdom, and stays as it is; give another file", path.display())]
    SomethingElse {
        /// The file.
        path: PathBuf,
    },
    /// It could not be written; what was there before still is.
    #[error("cannot write wisdom to {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Wisdom {
    /// Where wisdom is kept unless another file is named: `tilewise/wisdom.jsonl` in the user's
    /// data folder. `None` for a user without one.
    pub fn default_path() -> Option<PathBuf> {
        dirs::data_dir().map(|folder| folder.join("tilewise").join("wisdom.jsonl"))
    }

    /// Reads a file; without one there is no wisdom. Lines that hold no record are counted
    /// ([`Wisdom::bad_lines`]) and left out.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::TooLarge`].
    pub fn load(path: &Path) -> Result<Wisdom, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Wisdom::default()),
            Err(error) => return Err(read(error)),
        };
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::TooLarge { path: path.to_owned() });
        }
        Ok(Wisdom::parse(&bytes))
    }

    /// Reads a file that is to be saved to, and so must be wisdom, empty or not there yet.
    ///
    /// # Errors
    /// [`Error::SomethingElse`], and those of [`Wisdom::load`].
    pub fn load_to_save(path: &Path) -> Result<Wisdom, Error> {
        let wisdom = Wisdom::load(path)?;
        let ours = !wisdom.records.is_empty() || !wisdom.foreign_lines.is_empty();
        if ours || wisdom.bad_lines.is_empty() {
            return Ok(wisdom);
        }
        Err(Error::SomethingElse { path: path.to_owned() })
    }

    /// Reads the contents of a file.
    pub fn parse(bytes: &[u8]) -> Wisdom {
        let mut wisdom = Wisdom::default();
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            match Line::of(line) {
                Line::Empty => {}
                Line::Record(record) => wisdom.add(*record),
                Line::Foreign(line, schema) => {
                    wisdom.foreign_lines.push(line.to_owned());
                    let reason = format!("schema {schema}, this version reads {SCHEMA}");
                    wisdom.bad_lines.push(BadLine { line: index + 1, reason });
                }
                Line::Bad(reason) => {
                    wisdom.broken_lines.push(line.to_owned());
                    wisdom.bad_lines.push(BadLine { line: index + 1, reason });
                }
            }
        }
        wisdom.foreign_lines.sort_unstable();
        wisdom.foreign_lines.dedup();
        wisdom
    }

    /// Adds these records to those in the file: written beside it and renamed, so that a file
    /// that is there is always whole. Lines in it that hold no record are kept as they are, at the
    /// end.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let mut all = Wisdom::load_to_save(path)?;
        all.merge(self.clone());
        all.write(path).map_err(|source| Error::Write { path: path.to_owned(), source })
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        for line in self.records().map(Record::line).chain(self.foreign_lines.iter().cloned()) {
            writeln!(beside, "{line}")?;
        }
        for line in &self.broken_lines {
            beside.write_all(line)?;
            beside.write_all(b"\n")?;
        }
        beside.as_file().sync_all()?;
        beside.persist(path)?;
        Ok(())
    }
}

/// What a line turned out to be.
enum Line<'a> {
    Empty,
    Record(Box<Record>),
    /// A line of another version, and which.
    Foreign(&'a str, u64),
    Bad(String),
}

impl Line<'_> {
    fn of(bytes: &[u8]) -> Line<'_> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.trim(),
            Err(error) => return Line::Bad(error.to_string()),
        };
        if text.is_empty() {
            return Line::Empty;
        }
        #[derive(Deserialize)]
        struct Header {
            schema: u64,
        }
        match serde_json::from_str::<Header>(text) {
            Ok(Header { schema }) if schema != u64::from(SCHEMA) => {
                return Line::Foreign(text, schema);
            }
            Ok(_) => {}
            Err(error) => return Line::Bad(error.to_string()),
        }
        match serde_json::from_str::<Record>(text) {
            Ok(record) => match record.implausible() {
                None => Line::Record(Box::new(record)),
                Some(reason) => Line::Bad(reason),
            },
            Err(error) => Line::Bad(error.to_string()),
        }
    }
}

impl Record {
    /// What no measurement can have said.
    fn implausible(&self) -> Option<String> {
        let e = &self.evidence;
        let ordered = 0.0 < e.lo && e.lo <= e.ratio && e.ratio <= e.hi && e.hi.is_finite();
        (!ordered)
            .then(|| format!("ratio {} outside of its interval {} to {}", e.ratio, e.lo, e.hi))
    }
}
