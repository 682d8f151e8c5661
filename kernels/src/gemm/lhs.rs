//! The left operand: activations, as bytes or as floats that become bytes on the way in.
//!
//! The tile multiplies unsigned bytes. Signed activations are the same case: `a ^ 0x80` is
//! `a + 128` as an unsigned byte, so their zero point becomes `za + 128`. Floats are quantised
//! row by row into scratch ([`quantise`](super::quantise)) and are unsigned bytes from there on.
//! Operands stored column by column become rows when a block of them is packed, or quantised.

use super::drive::Rows;
use super::quantise::Quantised;
use super::stages::same_length;
use super::{Error, Scales};
use crate::matrix::Matrix;
use crate::product::Bytes;
use crate::vector::{GROUP, Vocabulary};
use core::ops::Range;

/// Activations, `m` rows of `k`, and what they mean.
///
/// ```
/// use tilewise::{Matrix, gemm::{Lhs, Scales}};
/// let (bytes, floats) = ([129, 128, 127, 128], [0.1, 0.0, -0.1, 0.0]);
/// let quantised = Lhs::u8(Matrix::new(&bytes, 2, 2)?, 128).scaled(Scales::All(0.1));
/// let dynamic = Lhs::f32(Matrix::new(&floats, 2, 2)?);
/// assert_eq!(quantised.rows(), dynamic.rows());
/// # Ok::<(), tilewise::matrix::LayoutError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Lhs<'a> {
    pub(super) values: Values<'a>,
    pub(super) scales: Scales<'a>,
}

/// The numbers themselves.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values<'a> {
    Bytes(ByteRows<'a>, Zeros<'a>),
    F32(Stored<'a, f32>),
}

/// A matrix as it is stored, and which way it is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored<'a, T> {
    pub(super) values: Matrix<'a, T>,
    /// Whether its rows are columns of the operand.
    pub(super) transposed: bool,
}

impl<T> Stored<'_, T> {
    pub(super) fn rows(&self) -> usize {
        if self.transposed { self.values.cols() } else { self.values.rows() }
    }

    pub(super) fn depth(&self) -> usize {
        if self.transposed { self.values.rows() } else { self.values.cols() }
    }
}

/// Rows of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteRows<'a> {
    pub(super) stored: Stored<'a, u8>,
    /// The bit that makes unsigned bytes of them: [`SIGN`] in signed ones.
    flip: u8,
}

/// The bit in which a signed byte differs from the unsigned one that is 128 more.
const SIGN: u8 = 0x80;

/// Zero points as the tile reads bytes, those of signed ones moved by 128.
#[derive(Clone, Copy, Debug)]
pub(super) enum Zeros<'a> {
    /// The same for all rows.
    All(i32),
    /// One for each, stored as the bytes of the rows are.
    Each { points: &'a [u8], flip: u8 },
}

impl Zeros<'_> {
    /// That of a row.
    #[inline(always)]
    pub(super) fn at(&self, row: usize) -> i32 {
        match *self {
            Zeros::All(zero) => zero,
            Zeros::Each { points, flip } => (points[row] ^ flip).into(),
        }
    }
}

impl<'a> Lhs<'a> {
    /// Unsigned bytes that mean `byte - zero_point`.
    pub fn u8(values: Matrix<'a, u8>, zero_point: u8) -> Self {
        Self::new(Values::Bytes(ByteRows::new(values, 0), Zeros::All(zero_point.into())))
    }

    /// Signed bytes that mean `byte - zero_point`.
    pub fn i8(values: Matrix<'a, i8>, zero_point: i8) -> Self {
        let rows = ByteRows::new(values.bytes(), SIGN);
        Self::new(Values::Bytes(rows, Zeros::All(i32::from(zero_point) + 128)))
    }

    /// Unsigned bytes of which each row has a zero point of its own, as rows have (tokens) that were
    /// quantised one by one. Their scales are given with [`scaled`](Lhs::scaled).
    ///
    /// ```
    /// use tilewise::{Matrix, MatrixMut, Solo, gemm::{Lhs, Linear, Scales}};
    /// let linear = Linear::new(Matrix::new(&[1, 1], 2, 1)?, &[1.0], None)?;
    /// let bytes = [10, 12, 130, 126];
    /// let rows = Lhs::u8_rows(Matrix::new(&bytes, 2, 2)?, &[10, 128]);
    /// let mut y = [0.0; 2];
    /// let out = MatrixMut::new(&mut y, 2, 1)?;
    /// let rows = rows.scaled(Scales::Each(&[0.5, 3.0]));
    /// linear.run(rows, out, &mut linear.scratch(2, 1)?, &Solo)?;
    /// assert_eq!(y, [0.5 * (0.0 + 2.0), 3.0 * (2.0 - 2.0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Where there are not as many zero points as rows, a call is [`Error::Length`].
    pub fn u8_rows(values: Matrix<'a, u8>, zero_points: &'a [u8]) -> Self {
        let zeros = Zeros::Each { points: zero_points, flip: 0 };
        Self::new(Values::Bytes(ByteRows::new(values, 0), zeros))
    }

    /// Signed bytes of which each row has a zero point of its own, as [`u8_rows`](Lhs::u8_rows).
    pub fn i8_rows(values: Matrix<'a, i8>, zero_points: &'a [i8]) -> Self {
        let zeros = Zeros::Each { points: bytemuck::cast_slice(zero_points), flip: SIGN };
        Self::new(Values::Bytes(ByteRows::new(values.bytes(), SIGN), zeros))
    }

    /// Floats, quantised to bytes on the way in, each row over its own range, which always
    /// includes zero:
    ///
    /// ```text
    /// low, high   the least and the greatest of the row and 0
    /// scale       high / 255 - low / 255, at least f32::MIN_POSITIVE
    /// zero point  round(-low * (1 / scale))
    /// byte        round(value * (1 / scale)) + zero point, in 0..=255
    /// ```
    ///
    /// with ties rounded to even. So a value is off by half a scale at most, but for the rounding of
    /// these operations themselves, and what becomes of a row depends on that row alone. A row that
    /// holds a NaN or an infinity has no range: its bytes are zero and its scale is NaN, and so are
    /// all real numbers made of its sums.
    pub fn f32(values: Matrix<'a, f32>) -> Self {
        Self::new(Values::F32(Stored { values, transposed: false }))
    }

    fn new(values: Values<'a>) -> Self {
        Lhs { values, scales: Scales::All(1.0) }
    }

    /// The same operand from a matrix that is stored column by column, so that each of its rows is
    /// one column of the operand: `k` rows of `m`, any stride (the leading dimension) between them.
    ///
    /// ```
    /// use tilewise::{Matrix, gemm::Lhs};
    /// let by_columns = [1, 4, 2, 5, 3, 6];
    /// let lhs = Lhs::u8(Matrix::new(&by_columns, 3, 2)?, 0).transposed();
    /// assert_eq!((lhs.rows(), lhs.depth()), (2, 3));
    /// # Ok::<(), tilewise::matrix::LayoutError>(())
    /// ```
    pub fn transposed(mut self) -> Self {
        let transposed = match &mut self.values {
            Values::Bytes(rows, _) => &mut rows.stored.transposed,
            Values::F32(stored) => &mut stored.transposed,
        };
        *transposed = !*transposed;
        self
    }

    /// Multiplies what the numbers mean by a scale, or each row by its own: what one step of a
    /// byte is worth. Sums know nothing of it, only what [`Dequantise`](super::Dequantise) makes
    /// of them.
    pub fn scaled(self, scales: Scales<'a>) -> Self {
        Lhs { scales, ..self }
    }

    /// How many rows ("m" of this call).
    pub fn rows(&self) -> usize {
        match self.values {
            Values::Bytes(rows, _) => rows.stored.rows(),
            Values::F32(stored) => stored.rows(),
        }
    }

    /// How deep a row is.
    pub fn depth(&self) -> usize {
        match self.values {
            Values::Bytes(rows, _) => rows.stored.depth(),
            Values::F32(stored) => stored.depth(),
        }
    }

    /// Whether it becomes bytes on the way in, in scratch.
    pub(super) fn is_floats(&self) -> bool {
        matches!(self.values, Values::F32(_))
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if let Values::Bytes(_, Zeros::Each { points, .. }) = self.values {
            let each = "one for each row; Lhs::u8 and Lhs::i8 take one for all";
            same_length("zero points of the rows", each, points.len(), self.rows())?;
        }
        let each = "one for each row, or Scales::All for all of them";
        self.scales.check("scales of the rows", each, self.rows())
    }
}

/// Floats are quantised on the way in: [`Lhs::f32`].
impl<'a> From<Matrix<'a, f32>> for Lhs<'a> {
    fn from(values: Matrix<'a, f32>) -> Self {
        Lhs::f32(values)
    }
}

/// What the bytes of each row mean: `scale * (byte - zero point)`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning<'a> {
    /// As the caller said.
    Given(Zeros<'a>, Scales<'a>),
    /// As was found when floats became bytes.
    Found(Quantised<'a>),
}

impl Meaning<'_> {
    /// The zero point of a row.
    #[inline(always)]
    pub(super) fn zero_point(&self, row: usize) -> i32 {
        match self {
            Meaning::Given(zeros, _) => zeros.at(row),
            Meaning::Found(rows) => rows.zero_point(row),
        }
    }

    /// The sum of a row's bytes, where it was noted when they were made.
    #[inline(always)]
    pub(super) fn sum(&self, row: usize) -> Option<i32> {
        match self {
            Meaning::Given(..) => None,
            Meaning::Found(rows) => Some(rows.sum(row)),
        }
    }

    /// The scale of a row.
    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> f32 {
        match self {
            Meaning::Given(_, scales) => scales.at(row),
            Meaning::Found(rows) => rows.scale(row),
        }
    }
}

impl<'a> ByteRows<'a> {
    /// Those of a matrix, row by row.
    pub(super) fn new(values: Matrix<'a, u8>, flip: u8) -> Self {
        ByteRows { stored: Stored { values, transposed: false }, flip }
    }

    /// One byte, as the tile reads it.
    pub(super) fn byte(&self, row: usize, depth: usize) -> u8 {
        let Stored { values, transposed } = self.stored;
        let (row, depth) = if transposed { (depth, row) } else { (row, depth) };
        values.row(row)[depth] ^ self.flip
    }

    /// Copies a row of a matrix that has it as a row.
    #[inline(always)]
    fn pack_row(&self, index: usize, bytes: &mut [u8]) {
        let from = self.stored.values.row(index);
        let (row, tail) = bytes.split_at_mut(from.len());
        for (to, &from) in row.iter_mut().zip(from) {
            *to = from ^ self.flip;
        }
        tail.fill(0);
    }

    /// Copies one group of up to [`LANES`] rows that a matrix has as columns.
    #[inline(always)]
    fn group(&self, rows: Range<usize>, depth: usize) -> [[u8; GROUP]; LANES] {
        let values = self.stored.values;
        let mut columns = [[0; LANES]; GROUP];
        for (d, column) in (depth..values.rows()).zip(&mut columns) {
            let from = &values.row(d)[rows.clone()];
            if let Some(full) = from.first_chunk() {
                *column = *full;
            } else {
                column[..from.len()].copy_from_slice(from);
            }
            for byte in column {
                *byte ^= self.flip;
            }
        }
        let mut groups = [[0; GROUP]; LANES];
        for r in 0..LANES {
            for d in 0..GROUP {
                groups[r][d] = columns[d][r];
            }
        }
        groups
    }
}

/// Rows that are packed from columns at the same time.
const LANES: usize = 16;

impl<T: Vocabulary> Rows<Bytes<T>> for ByteRows<'_> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        let Stored { values, transposed } = self.stored;
        !transposed && self.flip == 0 && values.cols().is_multiple_of(GROUP)
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[[u8; GROUP]] {
        self.stored.values.row(index).as_chunks().0
    }

    #[inline(always)]
    fn pack(&self, rows: Range<usize>, groups: &mut [[u8; GROUP]], stride: usize) {
        let steps = self.stored.depth().div_ceil(GROUP);
        if !self.stored.transposed {
            for (i, index) in rows.enumerate() {
                self.pack_row(index, groups[i * stride..][..steps].as_flattened_mut());
            }
            return;
        }
        for first in rows.clone().step_by(LANES) {
            let some = first..rows.end.min(first + LANES);
            let groups = &mut groups[(first - rows.start) * stride..];
            for step in 0..steps {
                let packed = self.group(some.clone(), step * GROUP);
                for (i, group) in packed.into_iter().take(some.len()).enumerate() {
                    groups[i * stride + step] = group;
                }
            }
        }
    }
}
