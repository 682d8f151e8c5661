//! K-Means of points in a `.npy` file, which is mapped into memory: rows, read as they are needed.

use memmap2::Mmap;
use std::{error::Error, fs::File, path::Path};
use tilewise::{Matrix, kmeans::KMeans};

/// Maps a file.
#[allow(unsafe_code, reason = "mapping a file into memory")]
pub(crate) fn map(path: &Path) -> Result<Mmap, Box<dyn Error>> {
    // SAFETY: the file is written before, and neither changed nor cut while it is mapped.
    Ok(unsafe { Mmap::map(&File::open(path)?)? })
}

/// The rows of an array of `f32` in C order, where they lie.
pub(crate) fn rows(file: &[u8]) -> Result<Matrix<'_, f32>, Box<dyn Error>> {
    let rest = file.strip_prefix(b"\x93NUMPY\x01\0").ok_or("no .npy file of version 1.0")?;
    let (length, rest) = rest.split_first_chunk().ok_or("cut short")?;
    let (head, values) =
        rest.split_at_checked(u16::from_le_bytes(*length).into()).ok_or("cut short")?;
    let head = std::str::from_utf8(head)?;
    if !(head.contains("'<f4'") && head.contains("'fortran_order': False")) {
        return Err(format!("expected f32 in C order: {head}").into());
    }
    let shape = head.split(['(', ')']).nth(1).ok_or("no shape")?;
    let (n, d) = shape.split_once(',').ok_or("expected two dimensions")?;
    let values = bytemuck::try_cast_slice(values).map_err(|error| error.to_string())?;
    Ok(Matrix::new(values, n.trim().parse()?, d.trim().parse()?)?)
}

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("points.npy");
    let head = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000, 2), }";
    let values = (0..2000).map(|i| (i % 4 * 10 + i * i % 7) as f32);
    let mut file = b"\x93NUMPY\x01\0\x76\0".to_vec();
    file.extend(format!("{head:117}\n").bytes().chain(values.flat_map(f32::to_le_bytes)));
    std::fs::write(&path, file)?;

    let file = map(&path)?;
    let fit = KMeans::new(4).seed(1).fit(rows(&file)?)?;
    println!("inertia {} after {} iterations", fit.inertia(), fit.iterations());
    assert_eq!(fit.predict(rows(&file)?)?, fit.labels());
    Ok(())
}
