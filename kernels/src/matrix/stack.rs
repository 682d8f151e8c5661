//! Matrices of one shape at equal distances in one slice: the operands of a batch of products.

use super::{Disjoint, LayoutError, Matrix, MatrixMut};

/// Where the matrices of a stack and their rows stand, in elements of the slice.
///
/// They may stand behind each other, `distance` at least a matrix apart, or beside each other in
/// shared rows, as the heads of an attention layer do; to be read, also in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strides {
    /// From the start of a row to the start of the next.
    pub row: usize,
    /// From the start of a matrix to the start of the next.
    pub matrix: usize,
}

/// Matrices of one shape in borrowed memory: row `i` of matrix `b` is
/// `data[b * strides.matrix + i * strides.row..][..cols]`.
///
/// ```
/// use tilewise::matrix::{Stack, Strides};
/// // Two heads of two columns, beside each other in three rows.
/// let data = [1, 2, 10, 20, 3, 4, 30, 40, 5, 6, 50, 60];
/// let heads = Stack::with_strides(&data, 2, [3, 2], Strides { row: 4, matrix: 2 })?;
/// assert_eq!(heads.get(1).row(2), [50, 60]);
/// # Ok::<(), tilewise::matrix::LayoutError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a, T> {
    data: &'a [T],
    count: usize,
    size: [usize; 2],
    strides: Strides,
}

impl<'a, T> Stack<'a, T> {
    /// `count` matrices of `size` (rows, columns) directly behind each other.
    ///
    /// # Errors
    /// [`LayoutError`] when `data` is too short.
    pub fn new(data: &'a [T], count: usize, size: [usize; 2]) -> Result<Self, LayoutError> {
        Self::with_strides(data, count, size, Strides::dense(size))
    }

    /// `count` matrices of `size` (rows, columns), anywhere in `data`.
    ///
    /// # Errors
    /// [`LayoutError`] when rows overlap or `data` ends before the last row does.
    pub fn with_strides(
        data: &'a [T],
        count: usize,
        size: [usize; 2],
        strides: Strides,
    ) -> Result<Self, LayoutError> {
        strides.check(data.len(), count, size)?;
        Ok(Stack { data, count, size, strides })
    }

    /// How many matrices.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Matrix `index`.
    ///
    /// # Panics
    /// When there is no such matrix.
    pub fn get(&self, index: usize) -> Matrix<'a, T> {
        assert!(index < self.count, "matrix {index} of a stack of {}", self.count);
        let ([rows, cols], start) = (self.size, self.strides.start(index));
        let data = self.data.get(start..).unwrap_or(&[]);
        Matrix { data, rows, cols, stride: self.strides.row }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Matrix<'a, T>> {
        (0..self.count).map(|index| self.get(index))
    }
}

/// Like [`Stack`], for writing: no two of its matrices share an element.
#[derive(Debug)]
pub struct StackMut<'a, T> {
    data: &'a mut [T],
    count: usize,
    size: [usize; 2],
    strides: Strides,
}

impl<'a, T> StackMut<'a, T> {
    /// `count` matrices of `size` (rows, columns) directly behind each other.
    ///
    /// # Errors
    /// [`LayoutError`] when `data` is too short.
    pub fn new(data: &'a mut [T], count: usize, size: [usize; 2]) -> Result<Self, LayoutError> {
        Self::with_strides(data, count, size, Strides::dense(size))
    }

    /// `count` matrices of `size` (rows, columns), behind each other or beside each other; what
    /// lies between their rows is never written.
    ///
    /// # Errors
    /// [`LayoutError`] when rows or matrices overlap or `data` ends before the last row does.
    pub fn with_strides(
        data: &'a mut [T],
        count: usize,
        size: [usize; 2],
        strides: Strides,
    ) -> Result<Self, LayoutError> {
        strides.check(data.len(), count, size)?;
        strides.check_apart(count, size)?;
        Ok(StackMut { data, count, size, strides })
    }

    /// How many matrices.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows and columns of each.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Where they stand.
    pub fn strides(&self) -> Strides {
        self.strides
    }

    /// Matrix `index`.
    ///
    /// # Panics
    /// When there is no such matrix.
    pub fn get_mut(&mut self, index: usize) -> MatrixMut<'_, T> {
        assert!(index < self.count, "matrix {index} of a stack of {}", self.count);
        let ([rows, cols], start) = (self.size, self.strides.start(index));
        let data = self.data.get_mut(start..).unwrap_or(&mut []);
        MatrixMut { data, rows, cols, stride: self.strides.row }
    }

    /// The storage behind all of them, for handing out to a team.
    pub fn into_disjoint(self) -> Disjoint<'a, T> {
        Disjoint::new(self.data)
    }
}

impl Strides {
    /// Matrices of `size` without gaps.
    pub const fn dense([rows, cols]: [usize; 2]) -> Self {
        Strides { row: cols, matrix: rows.saturating_mul(cols) }
    }

    /// Where a matrix begins; those without rows may begin past the end.
    pub(crate) fn start(self, index: usize) -> usize {
        index.saturating_mul(self.matrix)
    }

    fn check(self, len: usize, count: usize, [rows, cols]: [usize; 2]) -> Result<(), LayoutError> {
        let Some(before) = count.checked_sub(1) else { return Ok(()) };
        match len.checked_sub(self.start(before)) {
            Some(rest) => LayoutError::check(rest, rows, cols, self.row),
            None if rows == 0 => LayoutError::check(0, 0, cols, self.row),
            None => Err(LayoutError::StackTooShort { count, distance: self.matrix, len }),
        }
    }

    fn check_apart(self, count: usize, [rows, cols]: [usize; 2]) -> Result<(), LayoutError> {
        let (Some(last_row), Some(last)) = (rows.checked_sub(1), count.checked_sub(1)) else {
            return Ok(());
        };
        // Everything counted here fits: the last matrix was found inside its slice.
        let behind = last_row * self.row + cols <= self.matrix;
        let beside = cols <= self.matrix && last * self.matrix + cols <= self.row;
        if last == 0 || cols == 0 || behind || beside {
            return Ok(());
        }
        Err(LayoutError::Overlap { distance: self.matrix, rows, cols, stride: self.row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};

    /// Whether two matrices share an element, by counting.
    fn overlap(count: usize, [rows, cols]: [usize; 2], strides: Strides) -> bool {
        let mut seen = Vec::new();
        for b in 0..count {
            for i in 0..rows {
                let start = b * strides.matrix + i * strides.row;
                seen.extend(start..start + cols);
            }
        }
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        seen.len() < all
    }

    #[test]
    fn what_may_be_written_shares_no_element_and_fits() {
        let mut data = vec![0; 30];
        let mut accepted = 0;
        for case in 0..5 * 4 * 4 * 9 * 13 {
            let (count, rows, cols) = (case % 5, case / 5 % 4, case / 20 % 4);
            let strides = Strides { row: case / 80 % 9, matrix: case / 720 };
            let size = [rows, cols];
            let ends = count == 0
                || rows == 0
                || (count - 1) * strides.matrix + (rows - 1) * strides.row + cols <= 30;
            let read = Stack::with_strides(&data, count, size, strides).is_ok();
            if cols > 0 && count > 0 {
                assert_eq!(read, ends && strides.row >= cols, "{count} of {size:?}, {strides:?}");
            }
            if let Ok(mut stack) = StackMut::with_strides(&mut data, count, size, strides) {
                assert!(!overlap(count, size, strides), "{count} of {size:?}, {strides:?}");
                accepted += usize::from(count > 1 && rows > 1 && cols > 0);
                for b in 0..count {
                    (0..rows).for_each(|i| stack.get_mut(b).row_mut(i).fill(b));
                }
            }
        }
        assert!(accepted > 100, "{accepted}");
        let strides = Strides { row: 2, matrix: 3 };
        let error = StackMut::with_strides(&mut data, 2, [2, 2], strides).unwrap_err();
        assert!(error.to_string().contains("overlap"), "{error}");
        let far = Strides { row: 1, matrix: usize::MAX };
        assert!(Stack::with_strides(&data, 3, [1, 1], far).is_err());
        assert_eq!(Stack::with_strides(&data, 3, [0, 1], far).unwrap().get(2).rows(), 0);
    }
}
