//! Rows of floats as rows of bytes in scratch, made once for all members of a team.
//!
//! ```text
//! row 0   k bytes, zeros to the end of a cache line | a line with scale and zero point
//! row 1   ...
//! ```
//!
//! The notes stand behind their row: what is read together lies together, and rows of 4096 do
//! not begin at the same place of the cache.

use super::Line;
use super::lhs::ByteRows;
use super::{Lhs, Scales};
use crate::isa::Token;
use crate::matrix::Matrix;
use crate::rows::Bytes;
use crate::vector::GROUP;

/// Lines of scratch a row of `k` takes.
pub(super) fn lines_of_row(k: usize) -> usize {
    k.div_ceil(size_of::<Line>()).saturating_add(1)
}

/// Quantises the rows of `values` from `first` on into as many as `lines` has room for.
pub(super) fn quantise<T: Token>(
    token: T,
    values: Matrix<'_, f32>,
    scales: Scales<'_>,
    first: usize,
    lines: &mut [Line],
) {
    token.run(
        #[inline(always)]
        || {
            let rows = lines.chunks_exact_mut(lines_of_row(values.cols()));
            let end = first + rows.len();
            // The range of a row is found before the row before it is written: finding it ends
            // in a chain of comparisons and divisions, which then takes less time of its own.
            let mut next = if first < end { Some(Bytes::of(values.row(first))) } else { None };
            for (index, row) in (first..end).zip(rows) {
                let Some(meaning) = next else { break };
                next = if index + 1 < end { Some(Bytes::of(values.row(index + 1))) } else { None };
                let (note, bytes) = row.split_last_mut().expect("a line for the notes");
                let (bytes, rest) = bytemuck::cast_slice_mut(bytes).split_at_mut(values.cols());
                meaning.quantise(values.row(index), bytes);
                rest.fill(0);
                note[0] = (meaning.scale * scales.at(index)).to_bits().cast_signed();
                note[1] = meaning.zero_point;
            }
        },
    );
}

/// Quantised rows, for reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quantised<'a> {
    lines: &'a [Line],
    /// Lines of a row.
    width: usize,
}

impl<'a> Quantised<'a> {
    /// Rows of `k` that stand in `lines`.
    pub(super) fn new(lines: &'a [Line], k: usize) -> Self {
        Quantised { lines, width: lines_of_row(k) }
    }

    /// Their bytes, whole groups.
    pub(super) fn bytes(&self, lhs: &Lhs<'_>) -> ByteRows<'a> {
        let (bytes, stride) = (bytemuck::cast_slice(self.lines), self.width * size_of::<Line>());
        let columns = lhs.depth().next_multiple_of(GROUP);
        let rows = Matrix::with_stride(bytes, lhs.rows(), columns, stride);
        ByteRows::U8(rows.expect("a row's lines hold its bytes"))
    }

    #[inline(always)]
    fn note(&self, row: usize) -> &Line {
        &self.lines[(row + 1) * self.width - 1]
    }

    /// The zero point of a row.
    #[inline(always)]
    pub(super) fn zero_point(&self, row: usize) -> i32 {
        self.note(row)[1]
    }

    /// The scale of a row.
    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> f32 {
        f32::from_bits(self.note(row)[0].cast_unsigned())
    }
}
