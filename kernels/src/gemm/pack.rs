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

use super::Error;
use crate::buffer::Buffer;
use crate::matrix::Matrix;
use crate::vector::{GROUP, PANEL, Step};

/// Signed weights, packed for every instruction set and recipe at once.
///
/// ```
/// use tilewise::{Matrix, gemm::PackedWeights};
/// let weights = PackedWeights::pack(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?)?;
/// assert_eq!((weights.k(), weights.n()), (3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct PackedWeights {
    k: usize,
    n: usize,
    steps: Buffer<Step>,
    /// For every column `sum b - k * zb`, wrapping.
    sums: Buffer<[i32; PANEL]>,
    /// Zero points, if any column's is not zero.
    zero_points: Option<Buffer<[i32; PANEL]>>,
}

impl PackedWeights {
    /// Packs `weights`, a matrix of `k` rows (depths) and `n` columns, with zero points of zero.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn pack(weights: Matrix<'_, i8>) -> Result<Self, Error> {
        let (k, n) = (weights.rows(), weights.cols());
        let (depth, panels) = (k.div_ceil(GROUP), n.div_ceil(PANEL));
        let mut steps = Buffer::<Step>::zeroed(depth.saturating_mul(panels))?;
        let mut sums = Buffer::<[i32; PANEL]>::zeroed(panels)?;
        // Without columns there is nothing to visit, however many rows are claimed.
        for d in 0..if n == 0 { 0 } else { k } {
            for (panel, columns) in weights.row(d).chunks(PANEL).enumerate() {
                let step = &mut steps[panel * depth + d / GROUP];
                for (c, &weight) in columns.iter().enumerate() {
                    step[c][d % GROUP] = weight;
                    sums[panel][c] = sums[panel][c].wrapping_add(weight.into());
                }
            }
        }
        Ok(PackedWeights { k, n, steps, sums, zero_points: None })
    }

    /// Gives the weights zero points: one for all columns, or one for each.
    ///
    /// # Errors
    /// [`Error::Length`] when there are neither 1 nor `n`, or [`Error::OutOfMemory`].
    pub fn with_zero_points(mut self, zero_points: &[i8]) -> Result<Self, Error> {
        let point = |column: usize| match zero_points {
            [one] => Some(*one),
            all => all.get(column).copied(),
        };
        let right = [1, self.n].contains(&zero_points.len());
        if !right {
            let (given, expected) = (zero_points.len(), self.n);
            return Err(Error::Length { what: "zero points of the weights", given, expected });
        }
        let mut table = Buffer::<[i32; PANEL]>::zeroed(self.sums.len())?;
        for column in 0..self.n {
            let (panel, c) = (column / PANEL, column % PANEL);
            let old = self.zero_points.as_ref().map_or(0, |table| table[panel][c]);
            let new = i32::from(point(column).unwrap_or(0));
            // The depth wraps like everything it is multiplied with.
            let less = (new - old).wrapping_mul(self.k as i32);
            self.sums[panel][c] = self.sums[panel][c].wrapping_sub(less);
            table[panel][c] = new;
        }
        self.zero_points = table.iter().flatten().any(|&zero| zero != 0).then_some(table);
        Ok(self)
    }

    /// Depth: rows of the weights.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns of the weights.
    pub fn n(&self) -> usize {
        self.n
    }

    /// All steps of panel 0, then of panel 1, and so on.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn sums(&self) -> &[[i32; PANEL]] {
        &self.sums
    }

    pub(super) fn zero_points(&self) -> Option<&[[i32; PANEL]]> {
        self.zero_points.as_deref()
    }
}
