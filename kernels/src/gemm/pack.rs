//! Weights packed once, in a layout no recipe changes.
//!
//! Panels of 16 columns by steps of 4 depths, panel after panel, each step one
//! 64-byte line (drawn in [`crate::vector`]). Columns past the last and depths past the last are
//! zero. Beside them stand the column sums, which turn a sum over raw bytes into one over what
//! the bytes mean:
//!
//! ```text
//! sum (a - za) (b - zb)  =  sum a b  -  za * (sum b - k * zb)  -  zb * sum a
//!                           the tile         the stored sum       rows of a, only if zb != 0
//! ```
//!
//! and a flag for every step that a saturating multiply-add must not touch. All of it is one
//! block of 64-byte lines (`pack/layout.rs`), in memory as in a file (`pack/file.rs`).

mod file;
mod fill;
mod layout;
mod quantise;
mod survey;

pub use file::LoadError;
pub(super) use layout::Weights;
pub use quantise::Fit;

use super::Error;
use crate::buffer::{Buffer, LINE, OutOfMemory};
use crate::isa::Isa;
use crate::matrix::Matrix;
use crate::vector::{PANEL, dispatch};
use alloc::sync::Arc;
use core::fmt;
use fill::{Columns, Fill, Rows, Source};
use layout::{Layout, Line};

/// Signed weights, packed for every instruction set and recipe at once. A clone shares them.
///
/// ```
/// use tilewise::{Matrix, gemm::PackedWeights};
/// let weights = PackedWeights::pack(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?)?;
/// assert_eq!((weights.k(), weights.n()), (3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PackedWeights {
    layout: Layout,
    storage: Storage,
    /// Whether some zero point is not zero.
    shifted: bool,
}

/// Who keeps the lines.
#[derive(Clone)]
enum Storage {
    /// Weights packed or copied here.
    Packed(Arc<Buffer<Line>>),
    /// The bytes of a file, the header included, aligned to a line.
    Shared(Arc<dyn AsRef<[u8]> + Send + Sync>),
}

impl Storage {
    fn lines(&self) -> &[Line] {
        match self {
            Storage::Packed(lines) => lines,
            Storage::Shared(bytes) => bytemuck::cast_slice(&(**bytes).as_ref()[LINE..]),
        }
    }

    /// Lines that nobody shares, copied if need be.
    fn into_own(self) -> Result<Buffer<Line>, OutOfMemory> {
        let shared = match self {
            Storage::Packed(lines) => match Arc::try_unwrap(lines) {
                Ok(lines) => return Ok(lines),
                Err(lines) => Storage::Packed(lines),
            },
            shared => shared,
        };
        let mut copy = Buffer::zeroed(shared.lines().len())?;
        copy.copy_from_slice(shared.lines());
        Ok(copy)
    }
}

impl fmt::Debug for PackedWeights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { k, n } = self.layout;
        f.debug_struct("PackedWeights").field("k", &k).field("n", &n).finish_non_exhaustive()
    }
}

impl PackedWeights {
    /// Packs `weights`, a matrix of `k` rows (depths) and `n` columns, with zero points of zero.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn pack(weights: Matrix<'_, i8>) -> Result<Self, Error> {
        Self::fill(Layout { k: weights.rows(), n: weights.cols() }, Rows(weights))
    }

    /// Packs `weights` that are stored column by column: a matrix of `n` rows, each one column of
    /// `k` depths, as PyTorch stores the weights of a linear layer.
    ///
    /// ```
    /// use tilewise::{Matrix, gemm::PackedWeights};
    /// let weights = PackedWeights::pack_transposed(Matrix::new(&[1, 3, 5, 2, 4, 6], 2, 3)?)?;
    /// assert_eq!((weights.k(), weights.n()), (3, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn pack_transposed(weights: Matrix<'_, i8>) -> Result<Self, Error> {
        Self::fill(Layout { k: weights.cols(), n: weights.rows() }, Columns(weights))
    }

    fn fill(layout: Layout, source: impl Source) -> Result<Self, Error> {
        let mut lines = Buffer::zeroed(layout.lines())?;
        let sections = layout.sections_mut(&mut lines);
        dispatch(Isa::best(), Fill { layout, source, sections })?;
        Ok(PackedWeights { layout, storage: Storage::Packed(Arc::new(lines)), shifted: false })
    }

    /// Gives the weights zero points: one for all columns, or one for each.
    ///
    /// # Errors
    /// [`Error::Length`] when there are neither 1 nor `n`; [`Error::OutOfMemory`] for a copy of
    /// weights that are shared.
    pub fn with_zero_points(self, zero_points: &[i8]) -> Result<Self, Error> {
        let Layout { k, n } = self.layout;
        let right = [1, n].contains(&zero_points.len());
        if !right {
            let (what, each) =
                ("zero points of the weights", "one for each column, or one for all");
            return Err(Error::Length { what, given: zero_points.len(), expected: n, each });
        }
        let mut lines = self.storage.into_own()?;
        let sections = self.layout.sections_mut(&mut lines);
        for column in 0..n {
            let (panel, c) = (column / PANEL, column % PANEL);
            let point = zero_points[if zero_points.len() == n { column } else { 0 }];
            let (old, new) = (sections.zero_points[panel][c], i32::from(point));
            // The depth wraps like everything it is multiplied with.
            let less = (new - old).wrapping_mul(k as i32);
            sections.sums[panel][c] = sections.sums[panel][c].wrapping_sub(less);
            sections.zero_points[panel][c] = new;
        }
        let shifted = zero_points.iter().any(|&zero| zero != 0);
        Ok(PackedWeights { storage: Storage::Packed(Arc::new(lines)), shifted, ..self })
    }

    /// Depth: rows of the weights.
    pub fn k(&self) -> usize {
        self.layout.k
    }

    /// Columns of the weights.
    pub fn n(&self) -> usize {
        self.layout.n
    }

    /// How many of the `k / 4` steps of the `n / 16` panels (both rounded up) have a pair of
    /// weights that could saturate the multiply-add of bytes of instruction sets without a dot
    /// product (AVX2, AVX-512 BW). There a panel with one such step is multiplied by the slower tile
    /// as a whole, as exactly as any other.
    pub fn wide_steps(&self) -> usize {
        let view = self.view();
        let words = (0..self.layout.panels()).flat_map(|panel| view.wide(panel));
        words.map(|word| word.count_ones() as usize).sum()
    }

    /// Bytes that weights of `k` rows and `n` columns take once they are packed; a file has 64 more.
    /// `usize::MAX` for more than can be counted.
    ///
    /// ```
    /// use tilewise::{Matrix, gemm::PackedWeights};
    /// let weights = PackedWeights::pack(Matrix::new(&[1; 60], 3, 20)?)?;
    /// assert_eq!(PackedWeights::packed_bytes(3, 20) + 64, weights.to_bytes()?.len());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn packed_bytes(k: usize, n: usize) -> usize {
        Layout { k, n }.lines().saturating_mul(LINE)
    }

    /// The sections, as a product reads them.
    pub(super) fn view(&self) -> Weights<'_> {
        self.layout.view(self.storage.lines(), self.shifted)
    }
}

/// [Packs](PackedWeights::pack) a row for each depth.
impl TryFrom<Matrix<'_, i8>> for PackedWeights {
    type Error = Error;

    fn try_from(weights: Matrix<'_, i8>) -> Result<Self, Error> {
        Self::pack(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::GROUP;
    use alloc::vec::Vec;

    #[test]
    fn rows_and_columns_pack_to_the_documented_layout() {
        for (k, n) in [(0, 3), (3, 0), (1, 1), (4, 16), (7, 33), (256, 17), (259, 300), (517, 16)] {
            let weight = |d: usize, c: usize| ((d * 7919 + c * 104_729) % 251) as u8 as i8;
            let rows: Vec<i8> =
                (0..k * (n + 3)).map(|i| weight(i / (n + 3), i % (n + 3))).collect();
            let columns: Vec<i8> =
                (0..n * (k + 5)).map(|i| weight(i % (k + 5), i / (k + 5))).collect();
            let rows = Matrix::with_stride(&rows, k, n, n + 3).unwrap();
            let columns = Matrix::with_stride(&columns, n, k, k + 5).unwrap();
            let packed = PackedWeights::pack(rows).unwrap();
            let view = packed.view();
            let depth = k.div_ceil(GROUP);
            for (index, step) in view.steps().iter().enumerate() {
                for (c, d) in (0..PANEL).flat_map(|c| (0..GROUP).map(move |d| (c, d))) {
                    let column = index / depth * PANEL + c;
                    let row = index % depth * GROUP + d;
                    let expected = if column < n && row < k { weight(row, column) } else { 0 };
                    assert_eq!(step[c][d], expected, "step {index}, column {c}, depth {d}");
                }
            }
            for (column, &sum) in view.sums().as_flattened().iter().enumerate() {
                let expected =
                    if column < n { (0..k).map(|d| i32::from(weight(d, column))).sum() } else { 0 };
                assert_eq!(sum, expected, "column {column}");
            }
            assert_eq!(
                packed.storage.lines(),
                PackedWeights::pack_transposed(columns).unwrap().storage.lines()
            );
        }
    }

    #[test]
    fn a_clone_keeps_its_zero_points() {
        let plain = PackedWeights::pack(Matrix::new(&[1; 20], 1, 20).unwrap()).unwrap();
        let shifted = plain.clone().with_zero_points(&[3]).unwrap();
        assert!(plain.view().zero_points().is_none());
        assert_eq!(plain.view().sums()[1][..4], [1; 4]);
        assert_eq!(shifted.view().sums()[1][..4], [-2; 4]);
        let back = shifted.with_zero_points(&[0]).unwrap();
        assert_eq!(back.storage.lines(), plain.storage.lines());
        assert!(back.view().zero_points().is_none());
    }
}
