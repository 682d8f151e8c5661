//! The left operand: activations, as bytes or as floats that become bytes on the way in.
//!
//! The tile multiplies unsigned bytes. Signed activations are the same case: `a ^ 0x80` is
//! `a + 128` as an unsigned byte, so their zero point becomes `za + 128`. Floats are quantised
//! row by row into scratch ([`quantise`](super::quantise)) and are unsigned bytes from there on.

use super::drive::Rows;
use super::quantise::Quantised;
use super::{Error, Scales};
use crate::matrix::Matrix;
use crate::product::Bytes;
use crate::vector::{GROUP, Vocabulary};

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
    Bytes(ByteRows<'a>, Zero),
    F32(Matrix<'a, f32>),
}

/// Rows of bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum ByteRows<'a> {
    U8(Matrix<'a, u8>),
    I8(Matrix<'a, i8>),
}

/// A zero point as the tile reads bytes, that of signed ones moved by 128.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zero(pub(super) i32);

impl<'a> Lhs<'a> {
    /// Unsigned bytes that mean `byte - zero_point`.
    pub fn u8(values: Matrix<'a, u8>, zero_point: u8) -> Self {
        Self::new(Values::Bytes(ByteRows::U8(values), Zero(zero_point.into())))
    }

    /// Signed bytes that mean `byte - zero_point`.
    pub fn i8(values: Matrix<'a, i8>, zero_point: i8) -> Self {
        Self::new(Values::Bytes(ByteRows::I8(values), Zero(i32::from(zero_point) + 128)))
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
    /// with ties rounded to even. So a value is off by at most half a scale, and what becomes of
    /// a row depends on that row alone. A row that holds a NaN or an infinity has no range: its
    /// bytes are zero and its scale is NaN, and so are all real numbers made of its sums.
    pub fn f32(values: Matrix<'a, f32>) -> Self {
        Self::new(Values::F32(values))
    }

    fn new(values: Values<'a>) -> Self {
        Lhs { values, scales: Scales::All(1.0) }
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
            Values::Bytes(ByteRows::U8(values), _) => values.rows(),
            Values::Bytes(ByteRows::I8(values), _) => values.rows(),
            Values::F32(values) => values.rows(),
        }
    }

    /// How deep a row is.
    pub fn depth(&self) -> usize {
        match self.values {
            Values::Bytes(ByteRows::U8(values), _) => values.cols(),
            Values::Bytes(ByteRows::I8(values), _) => values.cols(),
            Values::F32(values) => values.cols(),
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        self.scales.check("scales of the rows", self.rows())
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
    Given(Zero, Scales<'a>),
    /// As was found when floats became bytes.
    Found(Quantised<'a>),
}

impl Meaning<'_> {
    /// The zero point of a row.
    #[inline(always)]
    pub(super) fn zero_point(&self, row: usize) -> i32 {
        match self {
            Meaning::Given(zero, _) => zero.0,
            Meaning::Found(rows) => rows.zero_point(row),
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

impl<T: Vocabulary> Rows<Bytes<T>> for ByteRows<'_> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        matches!(self, ByteRows::U8(values) if values.cols().is_multiple_of(GROUP))
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[[u8; GROUP]] {
        match self {
            ByteRows::U8(values) => values.row(index).as_chunks().0,
            ByteRows::I8(_) => &[],
        }
    }

    #[inline(always)]
    fn pack(&self, index: usize, groups: &mut [[u8; GROUP]]) {
        let bytes = groups.as_flattened_mut();
        let tail = match self {
            ByteRows::U8(values) => {
                let (row, tail) = bytes.split_at_mut(values.cols());
                row.copy_from_slice(values.row(index));
                tail
            }
            ByteRows::I8(values) => {
                let (row, tail) = bytes.split_at_mut(values.cols());
                for (to, &from) in row.iter_mut().zip(values.row(index)) {
                    *to = from.cast_unsigned() ^ 0x80;
                }
                tail
            }
        };
        tail.fill(0);
    }
}
