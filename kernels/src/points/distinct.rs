//! How many different points there are.

use super::{Element, Error, NotFinite};
use crate::Matrix;
use crate::buffer::{Buffer, OutOfMemory, vector};
use core::cmp::Ordering;

/// Most features of bytes that are ticked off: a bit for each of 2^24 colours takes 2 MiB.
const COLOUR: usize = 3;

/// How many different points the rows are: of so many clusters, or of more, each point can have one to
/// itself.
///
/// Points are equal if their features are equal numbers, as `0.0` and `-0.0` are. Bytes of up to three
/// features, as the colours of a picture, are ticked off; other points are sorted.
///
/// ```
/// use tilewise::{Matrix, points::distinct};
/// let pixels = [255u8, 0, 0, 0, 0, 255, 255, 0, 0];
/// assert_eq!(distinct(Matrix::new(&pixels, 3, 3)?)?, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::NotFinite`] names the first NaN or infinity by row and column; [`Error::NoFeatures`],
/// [`Error::OutOfMemory`].
pub fn distinct<T: Element>(rows: Matrix<'_, T>) -> Result<usize, Error> {
    let (n, d) = (rows.rows(), rows.cols());
    if d == 0 {
        return Err(Error::NoFeatures);
    }
    if let Some(bad) = NotFinite::find(rows) {
        return Err(bad.into());
    }
    let found = if size_of::<T>() == 1 && d <= COLOUR { ticked(rows) } else { sorted(rows) };
    found.map_err(|source| Error::OutOfMemory { n, d, source })
}

/// Bytes: every point has a bit of its own.
fn ticked<T: Element>(rows: Matrix<'_, T>) -> Result<usize, OutOfMemory> {
    let mut ticks = Buffer::<u64>::zeroed((1 << (8 * rows.cols())) / 64)?;
    for row in 0..rows.rows() {
        let bytes = bytemuck::cast_slice::<T, u8>(rows.row(row)).iter();
        let place = bytes.fold(0, |place, &byte| place << 8 | usize::from(byte));
        ticks[place / 64] |= 1 << (place % 64);
    }
    Ok(ticks.iter().map(|ticks| ticks.count_ones() as usize).sum())
}

/// Anything else: in order, equal points stand beside each other.
fn sorted<T: Element>(rows: Matrix<'_, T>) -> Result<usize, OutOfMemory> {
    let mut order = vector(0..rows.rows())?;
    let features = |row: usize| rows.row(row).iter().map(|&x| -> f64 { x.into() });
    let compare = |a: &usize, b: &usize| {
        features(*a).partial_cmp(features(*b)).expect("all were found to be finite")
    };
    order.sort_unstable_by(compare);
    let new = |pair: &&[usize]| compare(&pair[0], &pair[1]) != Ordering::Equal;
    Ok(rows.rows().min(1) + order.windows(2).filter(new).count())
}
