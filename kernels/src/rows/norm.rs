//! Layer norm: every row moved to mean 0 and variance 1, then to what was learnt.

use super::Error;
use super::each::{Each, each};
use super::lanes::sum;
use crate::isa::Isa;
use crate::matrix::{Disjoint, MatrixMut};
use crate::team::Team;
use alloc::vec::Vec;
use pulp::Simd;

/// `(x - mean) / sqrt(variance + epsilon) * weight + bias`, row by row. The variance is the mean of
/// squares, found in a second pass, so that a large mean costs no digits.
///
/// ```
/// use tilewise::{Isa, MatrixMut, Solo, rows::LayerNorm};
/// let norm = LayerNorm::new(&[1.0, 1.0, 2.0], &[0.0, 0.0, 5.0], 1e-12)?;
/// let mut rows = [1.0, 1.0, 1.0, 3.0, 0.0, 0.0];
/// norm.run(MatrixMut::new(&mut rows, 2, 3)?, Isa::best(), &Solo)?;
/// assert_eq!(rows[..3], [0.0, 0.0, 5.0]);
/// assert!((rows[3] - 2f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    epsilon: f32,
}

impl LayerNorm {
    /// One weight and one bias for each column. `epsilon` is added to the variance.
    ///
    /// # Errors
    /// [`Error::Length`] for unequal lengths, [`Error::Value`] for an `epsilon` that is negative
    /// or no number.
    pub fn new(weight: &[f32], bias: &[f32], epsilon: f32) -> Result<LayerNorm, Error> {
        Error::length("biases", bias.len(), weight.len())?;
        if !(epsilon >= 0.0 && epsilon.is_finite()) {
            let expected = "zero or a small number above it".into();
            return Err(Error::Value { what: "epsilon", given: epsilon, expected });
        }
        Ok(LayerNorm { weight: weight.to_vec(), bias: bias.to_vec(), epsilon })
    }

    /// Columns of the rows it is for.
    pub fn columns(&self) -> usize {
        self.weight.len()
    }

    /// Does it to all rows, in place.
    ///
    /// # Errors
    /// [`Error::Length`] for rows of another length, [`Error::Isa`].
    pub fn run(&self, rows: MatrixMut<'_, f32>, isa: Isa, team: &dyn Team) -> Result<(), Error> {
        let rows = self.in_place(rows)?;
        Ok(each(rows.count, isa, team, &rows)?)
    }

    /// Does it to what `make` puts into each row, given its index: as many numbers as there are
    /// columns, which until then are what they were. All of the team call it, once for each row, and
    /// it is not compiled for the instruction set.
    ///
    /// ```
    /// use tilewise::{Isa, MatrixMut, Solo, rows::LayerNorm};
    /// let norm = LayerNorm::new(&[1.0, 2.0], &[0.0, 5.0], 1e-12)?;
    /// let mut rows = [0.0; 4];
    /// let make = |index: usize, row: &mut [f32]| row.copy_from_slice(&[index as f32, 1.0]);
    /// norm.fill(MatrixMut::new(&mut rows, 2, 2)?, &make, Isa::best(), &Solo)?;
    /// assert_eq!(rows, [-1.0, 7.0, 0.0, 5.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`run`](LayerNorm::run).
    pub fn fill(
        &self,
        rows: MatrixMut<'_, f32>,
        make: &(dyn Fn(usize, &mut [f32]) + Sync),
        isa: Isa,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let rows = self.in_place(rows)?;
        // All of a member's rows before the first norm: wide loads of what was stored in narrow pieces
        // just now wait for it (embeddings of MiniLM 8x128 took 0.85 ms row by row, 0.78 so, in two
        // builds minutes apart; one Zen 4 core).
        each(rows.count, isa, team, &Made { rows: &rows, make })?;
        Ok(each(rows.count, isa, team, &rows)?)
    }

    fn in_place<'a>(&'a self, rows: MatrixMut<'a, f32>) -> Result<InPlace<'a>, Error> {
        Error::length("columns", rows.cols(), self.columns())?;
        let (count, stride) = (rows.rows(), rows.stride());
        Ok(InPlace { norm: self, rows: rows.into_disjoint(), count, stride })
    }

    /// Does it to one row. Inlined into a token's trampoline.
    #[inline(always)]
    fn row(&self, row: &mut [f32]) {
        let count = row.len() as f32;
        let mean = sum(row, |x| x) / count;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
        let inverse = 1.0 / pulp::Scalar::new().sqrt_f32s(variance + self.epsilon);
        for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = (*x - mean) * inverse * weight + bias;
        }
    }
}

/// Rows to be replaced.
struct InPlace<'a> {
    norm: &'a LayerNorm,
    rows: Disjoint<'a, f32>,
    count: usize,
    stride: usize,
}

impl InPlace<'_> {
    #[inline(always)]
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn part(&self, index: usize) -> &mut [f32] {
        let start = index * self.stride;
        // SAFETY: a team's passes over the rows follow each other, each asks for every row once, and
        // rows do not overlap.
        unsafe { self.rows.part(start..start + self.norm.columns()) }
    }
}

impl Each for InPlace<'_> {
    #[inline(always)]
    fn row(&self, index: usize) {
        self.norm.row(self.part(index));
    }
}

/// Rows that are made before, by a function that is called from the trampoline, not inlined into it.
struct Made<'a> {
    rows: &'a InPlace<'a>,
    make: &'a (dyn Fn(usize, &mut [f32]) + Sync),
}

impl Each for Made<'_> {
    #[inline(always)]
    fn row(&self, index: usize) {
        (self.make)(index, self.rows.part(index));
    }
}
