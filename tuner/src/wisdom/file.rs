//! Wisdom in a file: read with suspicion, written under a lock, beside and renamed.

use super::line::{Line, SCHEMA};
use super::record::MOST_REVISIONS;
use super::{Entry, Origin, Record, Wisdom};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// No file of ours is larger: a hundred thousand records.
const MOST_BYTES: u64 = 64 << 20;

/// After so many lines that are no records the rest of a file is not looked at; and so many lines
/// that are not used are named one by one.
const MOST_BROKEN: usize = 1000;

/// What every line of ours begins with, of whatever version.
const BEGINNING: &[u8] = b"{\"schema\":";

/// How long to wait for another writer, and how long between looks. Writing takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(2);

/// A line that holds no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}, line {line}: {reason}")]
pub struct BadLine {
    /// Where it was read.
    pub origin: Origin,
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
    /// It is a pipe, a device or a folder: what it holds cannot be replaced as a whole.
    #[error("{} is no ordinary file, as wisdom must be; give another", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
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
    /// Somebody else is writing it, and has been for long.
    #[error("{} is locked by another program that writes it; try again when that is done", path.display())]
    Busy {
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
    /// Reads a file; without one there is no wisdom. Lines that hold no record are counted
    /// ([`Wisdom::unused`]), named ([`Wisdom::bad_lines`]) and left out.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::NoFile`], [`Error::TooLarge`].
    pub fn load(path: &Path) -> Result<Wisdom, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        // Asked first: to open a pipe is to wait for somebody who writes into it.
        match fs::metadata(path) {
            Ok(held) if !held.is_file() => return Err(Error::NoFile { path: path.to_owned() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Wisdom::default()),
            _ => {}
        }
        let file = File::open(path).map_err(read)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::TooLarge { path: path.to_owned() });
        }
        Ok(Wisdom::read(&bytes, &Origin::File(path.into())))
    }

    /// Whether what is there may be replaced: an ordinary file that can be written, or nothing.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::Write`].
    pub fn check_target(path: &Path) -> Result<(), Error> {
        let Ok(held) = fs::metadata(path) else { return Ok(()) };
        if !held.is_file() {
            return Err(Error::NoFile { path: path.to_owned() });
        }
        if held.permissions().readonly() {
            let source = io::ErrorKind::PermissionDenied.into();
            return Err(Error::Write { path: path.to_owned(), source });
        }
        Ok(())
    }

    /// Reads a file that is to be saved to, and so must be wisdom, empty or not there yet.
    ///
    /// # Errors
    /// [`Error::SomethingElse`], and those of [`Wisdom::load`].
    pub fn load_to_save(path: &Path) -> Result<Wisdom, Error> {
        let wisdom = Wisdom::load(path)?;
        let ours = !wisdom.entries.is_empty() || !wisdom.foreign_lines.is_empty();
        // A line of ours may have been cut.
        let begins = |line: &Vec<u8>| line.starts_with(BEGINNING);
        if !wisdom.is_flooded() && (ours || wisdom.broken_lines.iter().all(begins)) {
            return Ok(wisdom);
        }
        Err(Error::SomethingElse { path: path.to_owned() })
    }

    /// Reads the contents of a file.
    pub fn parse(bytes: &[u8]) -> Wisdom {
        Wisdom::read(bytes, &Origin::Here)
    }

    pub(super) fn read(bytes: &[u8], origin: &Origin) -> Wisdom {
        let (mut wisdom, mut unnamed, mut unseen) = (Wisdom::default(), 0, 0);
        for (index, line) in lines_of(bytes).enumerate() {
            if wisdom.is_flooded() {
                unseen += usize::from(!line.is_empty());
                continue;
            }
            let reason = match Line::read(line) {
                Line::Empty => continue,
                Line::Record(key, written) => {
                    wisdom.insert(key, Entry { written, origin: origin.clone() });
                    continue;
                }
                Line::Foreign(line, schema) => {
                    wisdom.foreign_lines.push(line.to_owned());
                    format!("schema {schema}, this version reads {SCHEMA}")
                }
                Line::Bad(reason) => {
                    wisdom.broken_lines.push(line.to_owned());
                    reason
                }
            };
            if wisdom.bad_lines.len() < MOST_BROKEN {
                wisdom.bad_lines.push(BadLine { origin: origin.clone(), line: index + 1, reason });
            } else {
                unnamed += 1;
            }
        }
        wisdom.unused = wisdom.bad_lines.len() + unnamed + unseen;
        let rest = [(unnamed, "are not used either"), (unseen, "were not looked at")];
        for (count, what) in rest.into_iter().filter(|(count, _)| *count > 0) {
            let last = wisdom.bad_lines.last_mut().expect("there are more than can be named");
            last.reason += &format!("; {count} more lines {what}");
        }
        wisdom.foreign_lines.sort_unstable();
        wisdom.foreign_lines.dedup();
        wisdom
    }

    /// Whether it is of something else than a file of wisdom, most likely.
    fn is_flooded(&self) -> bool {
        self.broken_lines.len() >= MOST_BROKEN
    }

    /// Adds these records to those in the file: written beside it and renamed, so that a file
    /// that is there is always whole, and under a lock, so that of many writers none loses a
    /// record. Lines in it that hold no record are kept as they are, at the end.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        change(path, |all| all.merge(self.clone()))
    }

    /// Puts a record into the file in the place of what it holds about the same, whatever that is:
    /// as the next revision after that and after those in `self`, so that no old one comes back when
    /// files are merged. Gives the record as it is written. Otherwise as [`Wisdom::save`].
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn renew(&self, path: &Path, mut record: Record) -> Result<Record, Error> {
        let key = record.key();
        change(path, |all| {
            let there = all.entries.remove(&key);
            let held = there.iter().chain(self.all_about(key));
            let latest =
                held.filter_map(|entry| Some(entry.written.record(key).ok()?.revision)).max();
            record.revision = latest.map_or(record.revision, |held| (held + 1).min(MOST_REVISIONS));
            all.add(record.clone());
        })?;
        Ok(record)
    }

    /// What it holds about one thing, and what that replaced.
    fn all_about(&self, key: u64) -> impl Iterator<Item = &Entry> {
        let below = self.overridden.iter().filter(move |(other, _)| *other == key);
        self.entries.get(&key).into_iter().chain(below.map(|(_, entry)| entry))
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let beside = beside(path, &unique(NEW));
        let whole = self.write_all(&beside, path).and_then(|()| fs::rename(&beside, path));
        // Of one that is not whole nothing is left.
        whole.inspect_err(|_| _ = fs::remove_file(&beside))
    }

    fn write_all(&self, beside: &Path, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(beside)?);
        for line in self.lines() {
            file.write_all(&line)?;
            file.write_all(b"\n")?;
        }
        let file = file.into_inner()?;
        // Whom the file was open to it stays open to.
        if let Ok(held) = fs::metadata(path) {
            file.set_permissions(held.permissions())?;
        }
        file.sync_all()
    }

    /// The lines of a file: records ordered by what they are about, then what cannot be read.
    fn lines(&self) -> impl Iterator<Item = Vec<u8>> {
        let mut records: Vec<_> = self.entries.iter().collect();
        records.sort_by_cached_key(|(key, entry)| {
            entry.written.record(**key).map_or((true, None, **key), |record| {
                (
                    false,
                    Some((record.kernel.clone(), record.dtype.clone(), record.shape.clone())),
                    **key,
                )
            })
        });
        let records = records.into_iter().map(|(key, entry)| entry.written.line(*key).into_bytes());
        let foreign = self.foreign_lines.iter().map(|line| line.clone().into_bytes());
        records.chain(foreign).chain(self.broken_lines.iter().cloned())
    }
}

/// The lines of a file, without their ends. The standard library looks for those by the word; to
/// split a slice it looks at every byte, which took half of the time that loading took.
fn lines_of(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let from = rest;
        let line = &from[..rest.skip_until(b'\n').ok()?];
        (!line.is_empty()).then(|| line.strip_suffix(b"\n").unwrap_or(line))
    })
}

/// Reads a file, changes what was read and writes it back, nobody else in between.
fn change(path: &Path, change: impl FnOnce(&mut Wisdom)) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    // What a link names is locked and replaced, not the link.
    let path = &target(path);
    Wisdom::check_target(path)?;
    let lock = lock(path)?;
    if lock.is_some() {
        sweep(path);
    }
    let mut all = Wisdom::load_to_save(path)?;
    change(&mut all);
    all.write(path).map_err(failed)
}

/// The file that is meant by a path: that which a link names, there or not.
fn target(path: &Path) -> PathBuf {
    let linked = |link: PathBuf| path.parent().unwrap_or(Path::new("")).join(link);
    fs::canonicalize(path).or_else(|_| fs::read_link(path).map(linked)).unwrap_or(path.to_owned())
}

/// The right to write a file: held until dropped, and by the system taken back from those who die.
/// Another file than the one it guards, for that one is replaced. `None` where the file system
/// knows no locks: then one writer at a time is its user's care.
fn lock(path: &Path) -> Result<Option<File>, Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, "lock"))
        .map_err(failed)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(None);
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                return Err(Error::Busy { path: path.to_owned() });
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
        }
    }
}

/// What the names of files end in that are renamed when they are whole.
const NEW: &str = "new";

/// A name no other writer uses: without locks two may write at once, and each must write a whole
/// file.
fn unique(what: &str) -> String {
    static WRITTEN: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}.{what}", std::process::id(), WRITTEN.fetch_add(1, Ordering::Relaxed))
}

/// Whether this is what [`unique`] makes of [`NEW`].
fn is_unique(name: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbers = name.strip_suffix(NEW).and_then(|rest| rest.strip_suffix('.'));
    let numbers = numbers.and_then(|numbers| numbers.split_once('-'));
    numbers.is_some_and(|(process, count)| digits(process) && digits(count))
}

/// Takes away what writers that were killed have left beside `path`. Only for who holds the lock:
/// everybody else's files are then left over.
fn sweep(path: &Path) {
    let first = beside(path, "");
    let first = first.file_name().unwrap_or_default().as_encoded_bytes();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let files = fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten();
    for file in files.map(|file| file.path()) {
        let name = file.file_name().unwrap_or_default().as_encoded_bytes();
        // Another file's name may begin with this one's, and has a lock of its own.
        let rest = name.strip_prefix(first).and_then(|rest| std::str::from_utf8(rest).ok());
        if rest.is_some_and(is_unique) {
            // One that cannot be removed does no harm.
            let _ = fs::remove_file(file);
        }
    }
}

/// A hidden file of ours beside `path`.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}
