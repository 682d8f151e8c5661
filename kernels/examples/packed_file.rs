//! Weights packed once, written to a file, mapped back and shared by all who map it.

use std::{error::Error, fs::File, io::Write, path::Path, sync::Arc};
use tempfile::NamedTempFile;
use tilewise::{Matrix, gemm::PackedWeights};

/// Writes a file beside `path` and renames it, so that nobody ever sees half of one.
pub(crate) fn save(weights: &PackedWeights, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut file = NamedTempFile::new_in(path.parent().ok_or("the path of a file is needed")?)?;
    file.write_all(&weights.to_bytes()?)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// Maps a file. Its pages are read when they are first needed and shared between processes.
#[allow(unsafe_code, reason = "mapping a file into memory")]
pub(crate) fn load(path: &Path) -> Result<PackedWeights, Box<dyn Error>> {
    // SAFETY: files written by `save` are replaced, never changed or cut while they are mapped.
    let map = unsafe { memmap2::Mmap::map(&File::open(path)?)? };
    Ok(PackedWeights::from_bytes(Arc::new(map))?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("layer.twpk");
    save(&PackedWeights::pack(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?)?, &path)?;
    let weights = load(&path)?;
    assert_eq!((weights.k(), weights.n()), (3, 2));
    Ok(())
}
