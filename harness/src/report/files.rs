//! Files that appear whole or not at all.
//!
//! A [`Claim`] proves, before any work is done, that a file can be written: it opens a temporary
//! one beside it. [`publish`] fills the temporary files and only then renames them. Whoever is
//! interrupted calls [`abandon`], which waits for renames under way and removes the rest.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// Temporary files and folders of this process that are not published yet. An interruption comes
/// on a thread of its own and from anywhere, so there is no other place to look for them.
static PENDING: Mutex<Vec<Pending>> = Mutex::new(Vec::new());

/// A temporary file, or a folder.
#[derive(Debug)]
struct Pending {
    path: PathBuf,
    /// Where the file will stand.
    place: Option<PathBuf>,
}

fn pending() -> MutexGuard<'static, Vec<Pending>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place that cannot be written to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The folder is missing and cannot be made, or is no folder.
    #[error("cannot use the output folder {folder:?}: {source}; give one that can be written", folder = folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Two results would go to the same file.
    #[error("{file:?} is to hold two results; give each a file of its own", file = file.display())]
    Twice {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be written.
    #[error("cannot write {file:?}: {source}; give a file in a folder that can be written", file = file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// The right to write one file, proven by a temporary one beside it.
#[derive(Debug)]
pub struct Claim {
    target: PathBuf,
    temporary: Option<NamedTempFile>,
}

impl Claim {
    /// Opens a temporary file beside `target`, whose folder must exist.
    ///
    /// # Errors
    /// [`FileError::File`] when it cannot be written, or is a folder; [`FileError::Twice`] when it
    /// is claimed already.
    pub fn file(target: &Path) -> Result<Claim, FileError> {
        let error = |source| FileError::File { file: target.into(), source: plain(&source) };
        if target.is_dir() {
            return Err(error(std::io::ErrorKind::IsADirectory.into()));
        }
        let folder = match target.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let mut pending = pending();
        let place = place(target);
        if pending.iter().any(|other| other.place.as_ref() == Some(&place)) {
            return Err(FileError::Twice { file: target.into() });
        }
        let temporary = tempfile::Builder::new()
            .prefix(".tilewise-")
            .suffix(".tmp")
            .tempfile_in(folder)
            .map_err(error)?;
        pending.push(Pending { path: temporary.path().into(), place: Some(place) });
        Ok(Claim { target: target.into(), temporary: Some(temporary) })
    }

    /// Makes `folder` where it is missing, and claims files in it.
    ///
    /// # Errors
    /// [`FileError::Folder`] when it cannot be made or written.
    pub fn folder(folder: &Path, names: &[&str]) -> Result<Vec<Claim>, FileError> {
        let error = |source| FileError::Folder { folder: folder.into(), source };
        if folder.exists() && !folder.is_dir() {
            return Err(error(std::io::ErrorKind::NotADirectory.into()));
        }
        let missing = folder.ancestors().take_while(|part| !part.as_os_str().is_empty());
        let missing: Vec<_> =
            missing.take_while(|part| !part.exists()).map(Path::to_path_buf).collect();
        // Innermost last, so that abandoning from the end finds each folder empty.
        let folders = missing.into_iter().rev().map(|path| Pending { path, place: None });
        pending().extend(folders);
        fs::create_dir_all(folder).map_err(error)?;
        let claim = |name: &&str| {
            Claim::file(&folder.join(name)).map_err(|failure| match failure {
                FileError::File { source, .. } => error(source),
                other => other,
            })
        };
        names.iter().map(claim).collect()
    }

    /// The file that will be there.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

/// Where a file stands or will stand, however its folder was named. Whoever renames another file to
/// it replaces what is there, also if that only points to the file that is meant.
pub fn place(file: &Path) -> PathBuf {
    let folder = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.into());
    file.file_name().map_or(folder.clone(), |name| folder.join(name))
}

/// What the system said, without the name of our temporary file that comes with it.
fn plain(error: &std::io::Error) -> std::io::Error {
    let text = error.to_string();
    let said = text.split(" at path ").next().unwrap_or(&text);
    std::io::Error::new(error.kind(), said)
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            pending().retain(|other| other.path != temporary.path());
        }
    }
}

/// Writes every claimed file, and when all are written renames all of them into place.
///
/// # Errors
/// [`FileError::File`] for the first that cannot be written; then none is in place, unless a
/// rename failed after others had succeeded.
pub fn publish(files: Vec<(Claim, Vec<u8>)>) -> Result<(), FileError> {
    let error = |claim: &Claim, source| FileError::File { file: claim.target.clone(), source };
    let mut claims = Vec::new();
    for (mut claim, bytes) in files {
        if let Some(temporary) = &mut claim.temporary {
            temporary.write_all(&bytes).map_err(|source| error(&claim, source))?;
        }
        claims.push(claim);
    }
    // Held to the end: an interruption finds all of them in place or none. Claims are dropped after
    // it, for they let go of what is pending themselves.
    let mut pending = pending();
    claims.iter_mut().try_for_each(|claim| {
        let Some(temporary) = claim.temporary.take() else { return Ok(()) };
        let path = temporary.path().to_path_buf();
        pending.retain(|other| other.path != path);
        readable_by_all(&temporary);
        let placed = temporary.persist(&claim.target);
        placed.map(drop).map_err(|failure| error(claim, failure.error))
    })
}

/// A temporary file is the owner's alone; a result is for everybody.
#[cfg(unix)]
fn readable_by_all(file: &NamedTempFile) {
    use std::os::unix::fs::PermissionsExt;
    // Without it the file is still whole, so a failure is no reason to lose it.
    let _ = file.as_file().set_permissions(fs::Permissions::from_mode(0o644));
}

#[cfg(not(unix))]
fn readable_by_all(_file: &NamedTempFile) {}

/// Gzipped.
///
/// # Errors
/// None that memory does not have.
pub fn compress(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Removes what is not published, and folders made for it that are empty. For a process that is
/// about to end: renames under way are waited for, later claims wait for ever.
pub fn abandon() {
    let mut pending = pending();
    while let Some(Pending { path, .. }) = pending.pop() {
        // Nobody is left to tell, and a folder that is not empty is to stay.
        let _ = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
    }
    std::mem::forget(pending);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_appear_whole_and_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("a/b");
        let claims = Claim::folder(&inner, &["x", "y"]).expect("claims");
        assert!(!inner.join("x").exists());
        publish(claims.into_iter().map(|claim| (claim, b"text".to_vec())).collect())
            .expect("published");
        let names: Vec<_> = fs::read_dir(&inner).expect("folder").flatten().collect();
        assert_eq!(names.len(), 2, "{names:?}");
        assert_eq!(fs::read(inner.join("y")).expect("file"), b"text");
    }

    #[test]
    fn a_dropped_claim_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Claim::file(&folder.path().join("x")).expect("claim"));
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 0);
    }

    #[test]
    fn a_file_is_claimed_once_however_it_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("in")).expect("a folder");
        let first = Claim::file(&folder.path().join("x")).expect("claim");
        let again = Claim::file(&folder.path().join("in/../x")).expect_err("the same");
        assert!(matches!(again, FileError::Twice { .. }), "{again}");
        Claim::file(&folder.path().join("in/x")).expect("another");
        drop(first);
        let claim = Claim::file(&folder.path().join("x")).expect("free again");
        publish(vec![(claim, b"text".to_vec())]).expect("published");
        Claim::file(&folder.path().join("x")).expect("free again");
    }

    #[test]
    fn a_file_that_cannot_be_put_in_place_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        let [x, y] = ["x", "y"].map(|name| folder.path().join(name));
        let files = [&x, &y].map(|file| (Claim::file(file).expect("claim"), b"text".to_vec()));
        fs::create_dir(&x).expect("a folder in its place");
        let error = publish(files.into()).expect_err("a folder is no file");
        assert!(matches!(&error, FileError::File { file, .. } if *file == x), "{error}");
        assert_eq!(fs::read_dir(folder.path()).expect("folder").count(), 1);
        fs::remove_dir(&x).expect("an empty folder");
        for file in [&x, &y] {
            Claim::file(file).expect("free again");
        }
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Claim::file(folder.path()).expect_err("a folder is no file");
        assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
    }

    #[test]
    fn the_file_that_was_asked_for_is_named_and_no_other() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Claim::file(&folder.path().join("missing/x")).expect_err("no such folder");
        let text = error.to_string();
        assert!(text.contains("missing/x") && !text.contains(".tilewise-"), "{text}");
        std::fs::write(folder.path().join("y"), "text").expect("a file");
        let error = Claim::folder(&folder.path().join("y"), &["x"]).expect_err("a file");
        assert!(error.to_string().contains("not a directory"), "{error}");
    }
}
