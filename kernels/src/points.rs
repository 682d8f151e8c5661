//! Points as K-Means likes them: blocks of [`BLOCK`] points, feature-major inside a block.
//!
//! ```text
//! block 0:  x0 of points 0..64 | x1 of points 0..64 | ... | x(d-1) of points 0..64
//! block 1:  x0 of points 64..128 | ...
//! ```
//!
//! A kernel finds one feature of many points side by side, as registers want them, and a whole
//! block within a few pages: full-length columns lose up to 30 % at 16 to 128 features to TLB and
//! cache conflicts. The last block is filled up with zeros. Values are checked once, here, so
//! that no kernel behind has to ask again whether a point is finite.

use crate::Matrix;
use crate::buffer::{Buffer, OutOfMemory};
use core::ops::Range;

mod distinct;
mod element;

pub use distinct::distinct;
pub use element::{Element, Family};

/// Points in a block: four 512-bit registers of `f32`, and as many as a 64-bit mask has bits.
pub const BLOCK: usize = 64;

/// `n` points of `d` features in blocks: `f32`, `f64` or `u8`.
///
/// ```
/// use tilewise::{Matrix, points::Points};
/// let rows = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
/// let points = Points::from_rows(Matrix::new(&rows, 3, 2)?)?;
/// assert_eq!((points.n(), points.d()), (3, 2));
/// assert_eq!(points.get(2, 1), 5.0);
///
/// let broken = [0.0, 1.0, f32::NAN, 3.0];
/// let error = Points::from_rows(Matrix::new(&broken, 2, 2)?).unwrap_err();
/// assert!(error.to_string().contains("row 1, column 0 is NaN"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Points<T = f32> {
    n: usize,
    d: usize,
    blocks: Buffer<T>,
}

/// Points that could not be made.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Rows without columns.
    #[error("the points have 0 features; give at least 1 column")]
    NoFeatures,
    /// A value no distance can be taken from.
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// More than this machine holds.
    #[error("{n} points of {d} features: {source}")]
    OutOfMemory {
        /// How many points.
        n: usize,
        /// How many features each.
        d: usize,
        /// How many bytes.
        source: OutOfMemory,
    },
}

/// A NaN or an infinity, and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("row {row}, column {column} is {value}; every value must be finite")]
pub struct NotFinite {
    /// Its row.
    pub row: usize,
    /// Its column.
    pub column: usize,
    /// What stands there.
    pub value: f64,
}

impl NotFinite {
    /// The first one in row-major order.
    pub(crate) fn find<T: Copy + Into<f64>>(rows: Matrix<'_, T>) -> Option<NotFinite> {
        // Most are finite, and rows behind each other are looked at as one, without a branch each.
        let finite = |values: &[T]| values.iter().fold(true, |all, &x| all & x.into().is_finite());
        if rows.stride() == rows.cols() && rows.data().chunks(1 << 12).all(finite) {
            return None;
        }
        (0..rows.rows()).find_map(|row| Self::in_row(row, rows.row(row)))
    }

    /// The first one of a row.
    pub(crate) fn in_row<T: Copy + Into<f64>>(row: usize, values: &[T]) -> Option<NotFinite> {
        let column = values.iter().position(|value| !(*value).into().is_finite())?;
        Some(NotFinite { row, column, value: values[column].into() })
    }
}

impl<T: Element> Points<T> {
    /// Copies row-major points into blocks.
    ///
    /// # Errors
    /// [`Error::NotFinite`] names the first NaN or infinity by row and column;
    /// [`Error::NoFeatures`], [`Error::OutOfMemory`].
    pub fn from_rows(rows: Matrix<'_, T>) -> Result<Self, Error> {
        let (n, d) = (rows.rows(), rows.cols());
        if d == 0 {
            return Err(Error::NoFeatures);
        }
        let mut points =
            Self::zeroed(n, d).map_err(|source| Error::OutOfMemory { n, d, source })?;
        for row in 0..n {
            let values = rows.row(row);
            if let Some(bad) = NotFinite::in_row(row, values) {
                return Err(bad.into());
            }
            let block = points.block_mut(row / BLOCK);
            for (feature, value) in block.chunks_exact_mut(BLOCK).zip(values) {
                feature[row % BLOCK] = *value;
            }
        }
        Ok(points)
    }

    /// Blocks for `n` points of `d` features, all zeros.
    pub(crate) fn zeroed(n: usize, d: usize) -> Result<Self, OutOfMemory> {
        let len = n.div_ceil(BLOCK).saturating_mul(BLOCK).saturating_mul(d);
        Ok(Points { n, d, blocks: Buffer::zeroed(len)? })
    }

    /// Block `index`, to be written: values behind the last point stay zeros.
    pub(crate) fn block_mut(&mut self, index: usize) -> &mut [T] {
        &mut self.blocks[index * BLOCK * self.d..][..BLOCK * self.d]
    }

    /// How many points.
    pub fn n(&self) -> usize {
        self.n
    }

    /// How many features a point has.
    pub fn d(&self) -> usize {
        self.d
    }

    /// How many blocks hold them.
    pub fn blocks(&self) -> usize {
        self.n.div_ceil(BLOCK)
    }

    /// Block `index`: `d` times [`BLOCK`] values, one feature after the other.
    ///
    /// # Panics
    /// When there is no such block.
    #[inline]
    pub fn block(&self, index: usize) -> &[T] {
        &self.blocks[index * BLOCK * self.d..][..BLOCK * self.d]
    }

    /// The points that block `index` holds.
    pub fn in_block(&self, index: usize) -> Range<usize> {
        index * BLOCK..self.n.min((index + 1) * BLOCK)
    }

    /// One feature of one point.
    ///
    /// # Panics
    /// When there is no such point or feature.
    #[inline]
    pub fn get(&self, point: usize, feature: usize) -> T {
        assert!(point < self.n && feature < self.d, "point {point}, feature {feature}");
        self.block(point / BLOCK)[feature * BLOCK + point % BLOCK]
    }

    /// Copies point `index` out.
    ///
    /// # Panics
    /// When there is no such point, or `to` is not `d` long.
    pub fn copy_point(&self, index: usize, to: &mut [T]) {
        assert_eq!(to.len(), self.d, "a point has {} features", self.d);
        for (feature, value) in to.iter_mut().enumerate() {
            *value = self.get(index, feature);
        }
    }
}
