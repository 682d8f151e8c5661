//! The left operand: activations, read where they lie or packed when their bytes cannot be.
//!
//! The tile multiplies unsigned bytes. Signed activations are the same case: `a ^ 0x80` is
//! `a + 128` as an unsigned byte, so their zero point becomes `za + 128`.

use super::drive::Rows;
use crate::matrix::Matrix;
use crate::product::Bytes;
use crate::vector::{ByteDot, GROUP};

/// Activations: unsigned or signed bytes, and the byte that means zero.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Lhs<'a> {
    /// Unsigned.
    U8 {
        /// `m` rows of `k`.
        values: Matrix<'a, u8>,
        /// The byte that means zero.
        zero_point: u8,
    },
    /// Signed.
    I8 {
        /// `m` rows of `k`.
        values: Matrix<'a, i8>,
        /// The byte that means zero.
        zero_point: i8,
    },
}

impl<'a> Lhs<'a> {
    /// Unsigned activations.
    pub fn u8(values: Matrix<'a, u8>, zero_point: u8) -> Self {
        Lhs::U8 { values, zero_point }
    }

    /// Signed activations.
    pub fn i8(values: Matrix<'a, i8>, zero_point: i8) -> Self {
        Lhs::I8 { values, zero_point }
    }

    /// How many rows ("m" of this call).
    pub fn rows(&self) -> usize {
        match self {
            Lhs::U8 { values, .. } => values.rows(),
            Lhs::I8 { values, .. } => values.rows(),
        }
    }

    /// How deep a row is.
    pub fn depth(&self) -> usize {
        match self {
            Lhs::U8 { values, .. } => values.cols(),
            Lhs::I8 { values, .. } => values.cols(),
        }
    }

    /// The zero point of the bytes as the tile reads them.
    pub(super) fn raw_zero_point(&self) -> i32 {
        match *self {
            Lhs::U8 { zero_point, .. } => zero_point.into(),
            Lhs::I8 { zero_point, .. } => i32::from(zero_point) + 128,
        }
    }
}

impl<T: ByteDot> Rows<Bytes<T>> for Lhs<'_> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        matches!(self, Lhs::U8 { values, .. } if values.cols().is_multiple_of(GROUP))
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[[u8; GROUP]] {
        match self {
            Lhs::U8 { values, .. } => values.row(index).as_chunks().0,
            Lhs::I8 { .. } => &[],
        }
    }

    #[inline(always)]
    fn pack(&self, index: usize, groups: &mut [[u8; GROUP]]) {
        let bytes = groups.as_flattened_mut();
        let (row, tail) = bytes.split_at_mut(self.depth());
        match self {
            Lhs::U8 { values, .. } => row.copy_from_slice(values.row(index)),
            Lhs::I8 { values, .. } => {
                for (to, &from) in row.iter_mut().zip(values.row(index)) {
                    *to = from.cast_unsigned() ^ 0x80;
                }
            }
        }
        tail.fill(0);
    }
}
