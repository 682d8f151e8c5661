//! Row-major views with any row stride, checked once when made; and the one way several members
//! of a team write disjoint parts of the same slice.

mod disjoint;
mod stack;

pub use disjoint::Disjoint;
pub(crate) use disjoint::RowsMut;
pub use stack::{Stack, StackMut, Strides};

use core::ops::Range;

/// A matrix in borrowed memory: row `i` is `data[i * stride..][..cols]`.
///
/// ```
/// let data = [1, 2, 0, 3, 4];
/// let matrix = tilewise::Matrix::with_stride(&data, 2, 2, 3)?;
/// assert_eq!(matrix.row(1), [3, 4]);
/// # Ok::<(), tilewise::matrix::LayoutError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Rows directly behind each other.
    ///
    /// # Errors
    /// [`LayoutError`] when `data` is shorter than `rows * cols`.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Result<Self, LayoutError> {
        Self::with_stride(data, rows, cols, cols)
    }

    /// Rows that start `stride` elements apart.
    ///
    /// # Errors
    /// [`LayoutError`] when `stride < cols` or `data` ends before the last row does.
    pub fn with_stride(
        data: &'a [T],
        rows: usize,
        cols: usize,
        stride: usize,
    ) -> Result<Self, LayoutError> {
        LayoutError::check(data.len(), rows, cols, stride)?;
        Ok(Matrix { data, rows, cols, stride })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements from the start of one row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// The storage behind the rows, from the start of row 0.
    pub fn data(&self) -> &'a [T] {
        self.data
    }

    /// Row `index`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn row(&self, index: usize) -> &'a [T] {
        assert!(index < self.rows, "row {index} of a matrix with {} rows", self.rows);
        &self.data[index * self.stride..][..self.cols]
    }

    /// The rows in `range`, as a view.
    ///
    /// # Panics
    /// When the range leaves the matrix.
    pub fn slice_rows(&self, range: Range<usize>) -> Matrix<'a, T> {
        assert!(
            range.start <= range.end && range.end <= self.rows,
            "rows {range:?} of {}",
            self.rows
        );
        let data = self.data.get(range.start * self.stride..).unwrap_or(&[]);
        Matrix { data, rows: range.len(), ..*self }
    }
}

impl<'a> Matrix<'a, i8> {
    /// The same bytes, read as unsigned ones.
    pub(crate) fn bytes(self) -> Matrix<'a, u8> {
        let Matrix { data, rows, cols, stride } = self;
        Matrix { data: bytemuck::cast_slice(data), rows, cols, stride }
    }
}

/// Like [`Matrix`], for writing.
#[derive(Debug)]
pub struct MatrixMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    stride: usize,
}

impl<'a, T> MatrixMut<'a, T> {
    /// Rows directly behind each other.
    ///
    /// # Errors
    /// [`LayoutError`] when `data` is shorter than `rows * cols`.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self, LayoutError> {
        Self::with_stride(data, rows, cols, cols)
    }

    /// Rows that start `stride` elements apart; what lies between them is never written.
    ///
    /// # Errors
    /// [`LayoutError`] when `stride < cols` or `data` ends before the last row does.
    pub fn with_stride(
        data: &'a mut [T],
        rows: usize,
        cols: usize,
        stride: usize,
    ) -> Result<Self, LayoutError> {
        LayoutError::check(data.len(), rows, cols, stride)?;
        Ok(MatrixMut { data, rows, cols, stride })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Elements from the start of one row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Row `index`.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline]
    pub fn row_mut(&mut self, index: usize) -> &mut [T] {
        assert!(index < self.rows, "row {index} of a matrix with {} rows", self.rows);
        &mut self.data[index * self.stride..][..self.cols]
    }

    /// The storage behind the rows, for handing out to a team.
    pub fn into_disjoint(self) -> Disjoint<'a, T> {
        Disjoint::new(self.data)
    }
}

/// A shape that does not fit its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Rows would overlap.
    #[error("row stride {stride} is smaller than the {cols} columns of a row")]
    Stride {
        /// The stride given.
        stride: usize,
        /// The columns a row has.
        cols: usize,
    },
    /// The slice ends too early.
    #[error("{rows} rows of {cols} columns with row stride {stride} do not fit in {len} elements")]
    TooShort {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
        /// The row stride.
        stride: usize,
        /// Elements in the slice.
        len: usize,
    },
    /// The slice ends before the last matrix of a stack begins.
    #[error("{count} matrices {distance} elements apart do not fit in {len} elements")]
    StackTooShort {
        /// Matrices asked for.
        count: usize,
        /// Elements from one to the next.
        distance: usize,
        /// Elements in the slice.
        len: usize,
    },
    /// Matrices of a stack would overlap.
    #[error(
        "matrices of {rows} rows of {cols} columns with row stride {stride} overlap when they are \
         {distance} elements apart; set them behind each other, or beside each other in shared rows"
    )]
    Overlap {
        /// Elements from one to the next.
        distance: usize,
        /// Rows of each.
        rows: usize,
        /// Columns of each.
        cols: usize,
        /// The row stride.
        stride: usize,
    },
}

impl LayoutError {
    fn check(len: usize, rows: usize, cols: usize, stride: usize) -> Result<(), LayoutError> {
        if stride < cols {
            return Err(LayoutError::Stride { stride, cols });
        }
        // The last row may be short of the stride: only its columns must be there.
        let needed = match rows.checked_sub(1) {
            None => Some(0),
            Some(full) => full.checked_mul(stride).and_then(|n| n.checked_add(cols)),
        };
        match needed {
            Some(needed) if needed <= len => Ok(()),
            _ => Err(LayoutError::TooShort { rows, cols, stride, len }),
        }
    }
}
