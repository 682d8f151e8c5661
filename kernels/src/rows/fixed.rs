//! Floats to bytes over one range for all rows, found beforehand: what static quantisation is.

use super::each::{Each, each};
use super::{Bytes, Error};
use crate::isa::Isa;
use crate::matrix::{Disjoint, Matrix, MatrixMut};
use crate::team::Team;

/// A range of floats and the bytes that stand for them: `scale * (byte - zero_point)`, as
/// [`Lhs::f32`](crate::gemm::Lhs::f32) finds them for each row. Values outside become the nearest
/// end.
///
/// ```
/// use tilewise::{Isa, Matrix, MatrixMut, Solo, rows::Fixed};
/// let fixed = Fixed::over(-1.0, 1.55)?;
/// let mut bytes = [0; 4];
/// let values = Matrix::new(&[-1.0, 0.0, 1.0, 100.0], 1, 4)?;
/// fixed.run(values, MatrixMut::new(&mut bytes, 1, 4)?, Isa::best(), &Solo)?;
/// assert_eq!((bytes, fixed.zero_point()), ([0, 100, 200, 255], 100));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fixed(Bytes);

impl Fixed {
    /// From `low` to `high`, and zero.
    ///
    /// # Errors
    /// [`Error::Value`] for an end that is no finite number.
    pub fn over(low: f32, high: f32) -> Result<Fixed, Error> {
        let end = [low, high].into_iter().find(|end| !end.is_finite());
        if let Some(given) = end {
            let expected = "a finite number".into();
            return Err(Error::Value { what: "the end of a range", given, expected });
        }
        Ok(Fixed(Bytes::of(&[low, high])))
    }

    /// What one step of a byte is worth.
    pub fn scale(&self) -> f32 {
        self.0.scale
    }

    /// The byte that means zero.
    pub fn zero_point(&self) -> u8 {
        self.0.zero_point as u8
    }

    /// Makes bytes of all rows. A NaN becomes the lowest byte.
    ///
    /// # Errors
    /// [`Error::Length`] for shapes that differ, [`Error::Isa`].
    pub fn run(
        &self,
        values: Matrix<'_, f32>,
        bytes: MatrixMut<'_, u8>,
        isa: Isa,
        team: &dyn Team,
    ) -> Result<(), Error> {
        Error::length("rows of bytes", bytes.rows(), values.rows())?;
        Error::length("columns of bytes", bytes.cols(), values.cols())?;
        let stride = bytes.stride();
        let work = Work { fixed: self, values, bytes: bytes.into_disjoint(), stride };
        Ok(each(values.rows(), isa, team, &work)?)
    }
}

struct Work<'a> {
    fixed: &'a Fixed,
    values: Matrix<'a, f32>,
    bytes: Disjoint<'a, u8>,
    stride: usize,
}

impl Each for Work<'_> {
    #[inline(always)]
    #[allow(unsafe_code, reason = "disjoint output views")]
    fn row(&self, index: usize) {
        let start = index * self.stride;
        // SAFETY: each row is asked for once, and rows do not overlap.
        let bytes = unsafe { self.bytes.part(start..start + self.values.cols()) };
        self.fixed.0.quantise(self.values.row(index), bytes);
    }
}
