//! Row-major views with any row stride, checked once when made; and the one way several members
//! of a team write disjoint parts of the same slice.

mod stack;

pub use stack::{Stack, StackMut, Strides};

use core::marker::PhantomData;
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

/// A mutable slice whose disjoint parts several members of a team write at the same time.
///
/// The borrow checker cannot see that member 0 writes other rows than member 1; whoever hands
/// out the parts promises it. Everything else in the kernels is safe code.
#[derive(Debug)]
pub struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

/// Rows of so many elements, each a stride behind the one before; what is between them is somebody
/// else's.
#[derive(Debug)]
pub struct RowsMut<'a, T> {
    start: *mut T,
    rows: usize,
    cols: usize,
    stride: usize,
    borrow: PhantomData<&'a mut [T]>,
}

#[allow(unsafe_code, reason = "disjoint output views: the one place that splits a mutable slice")]
mod disjoint {
    use super::{Disjoint, PhantomData, Range, RowsMut};

    impl<'a, T> RowsMut<'a, T> {
        /// Rows of `cols`, one behind the other.
        ///
        /// # Panics
        /// When `cols` is 0.
        #[inline]
        pub fn new(slice: &'a mut [T], cols: usize) -> Self {
            let (start, rows) = (slice.as_mut_ptr(), slice.len() / cols);
            RowsMut { start, rows, cols, stride: cols, borrow: PhantomData }
        }

        /// How many rows there are, and elements in each.
        #[inline]
        pub fn shape(&self) -> (usize, usize) {
            (self.rows, self.cols)
        }

        /// The first elements of a row, as `LEN` arrays.
        ///
        /// # Panics
        /// When there is no such row, or not as many in it.
        #[inline]
        pub fn row<const N: usize, const LEN: usize>(&mut self, row: usize) -> &mut [[T; N]; LEN] {
            assert!(row < self.rows && N * LEN <= self.cols, "row {row} of {}", self.rows);
            // SAFETY: in bounds by the assertion, for whoever made this had so many rows of so many;
            // exclusive because this is borrowed.
            unsafe { &mut *self.start.add(row * self.stride).cast() }
        }
    }

    // SAFETY: it is a mutable borrow of a slice; `part`'s contract keeps the parts apart.
    unsafe impl<T: Send> Send for Disjoint<'_, T> {}
    // SAFETY: as above; shared use only ever reaches disjoint elements.
    unsafe impl<T: Send + Sync> Sync for Disjoint<'_, T> {}

    impl<'a, T> Disjoint<'a, T> {
        /// Takes the borrow of the whole slice.
        pub fn new(slice: &'a mut [T]) -> Self {
            Disjoint { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
        }

        /// Elements in the whole slice.
        pub fn len(&self) -> usize {
            self.len
        }

        /// Whether there are none.
        pub fn is_empty(&self) -> bool {
            self.len == 0
        }

        /// The elements in `range`.
        ///
        /// # Panics
        /// When the range leaves the slice.
        ///
        /// # Safety
        /// No two parts alive at the same time may overlap, on whatever thread.
        #[inline]
        #[allow(clippy::mut_from_ref, reason = "the contract above is what makes it sound")]
        pub unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
            assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
            // SAFETY: in bounds by the assertion; exclusive by the caller's promise.
            unsafe { core::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
        }

        /// Rows of `cols` elements, the first at `start`, each `stride` behind the one before.
        ///
        /// # Panics
        /// When the last of them leaves the slice, or rows overlap.
        ///
        /// # Safety
        /// As for [`Disjoint::part`], of each of the rows.
        #[inline]
        pub unsafe fn rows(
            &self,
            start: usize,
            (rows, cols): (usize, usize),
            stride: usize,
        ) -> RowsMut<'a, T> {
            let before = rows.saturating_sub(1).checked_mul(stride);
            let end = before.and_then(|n| n.checked_add(start)?.checked_add(cols));
            let fits = end.is_some_and(|end| end <= self.len) && (rows < 2 || cols <= stride);
            assert!(fits, "{rows} rows of {cols}, {stride} apart, from {start} of {}", self.len);
            // SAFETY: in bounds by the assertion.
            let start = unsafe { self.start.add(start) };
            RowsMut { start, rows, cols, stride, borrow: PhantomData }
        }

        /// All elements, for threads that read and write them in turns.
        ///
        /// # Safety
        /// No thread may write an element that another one reads or writes at the same time, and
        /// no part alive at the same time may hold it.
        #[inline]
        pub unsafe fn cells(&self) -> &'a [core::cell::Cell<T>] {
            // SAFETY: these are the elements of the slice; races are kept off by the caller's
            // promise.
            unsafe { core::slice::from_raw_parts(self.start.cast(), self.len) }
        }

        /// The elements in `range`, for reading.
        ///
        /// # Panics
        /// When the range leaves the slice.
        ///
        /// # Safety
        /// No part alive at the same time may overlap it, on whatever thread.
        #[inline]
        pub unsafe fn read(&self, range: Range<usize>) -> &'a [T] {
            assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
            // SAFETY: in bounds by the assertion; nobody writes by the caller's promise.
            unsafe { core::slice::from_raw_parts(self.start.add(range.start), range.len()) }
        }
    }
}
