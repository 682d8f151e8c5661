//! Rows of floats as rows of bytes in scratch, made once for all members of a team.
//!
//! ```text
//! row 0   k bytes, zeros to the end of a cache line | a line with scale, zero point and sum
//! row 1   ...
//! ```
//!
//! The notes stand behind their row: what is read together lies together, and rows of 4096 do
//! not begin at the same place of the cache.
//!
//! This is all the packing there is of them: the bytes stand as tiles read them, one pass over a row
//! in the first-level cache finds its range and another writes them. (Where words are multiplied, a
//! block of them is widened from here.) The sum of a row is noted where weights have zero points, for
//! nobody else asks for it.

use super::Line;
use super::lhs::{ByteRows, Stored};
use super::{Lhs, Scales};
use crate::isa::Token;
use crate::matrix::Matrix;
use crate::rows::{Bytes, Ranges};
use crate::vector::{GROUP, PANEL, window};

/// Lines of scratch a row of `k` takes.
pub(super) fn lines_of_row(k: usize) -> usize {
    k.div_ceil(size_of::<Line>()).saturating_add(1)
}

/// Quantises the rows of `values` from `first` on into as many as `lines` has room for; with `sums`,
/// the sums of their bytes are noted, too.
pub(super) fn quantise<T: Token>(
    token: T,
    values: Stored<'_, f32>,
    (scales, sums): (Scales<'_>, bool),
    first: usize,
    lines: &mut [Line],
) {
    token.run(
        #[inline(always)]
        || {
            let room = Room { lines: &mut *lines, k: values.depth(), first, scales };
            if values.transposed {
                room.columns(values.values)
            } else {
                room.rows(values.values)
            }
            if sums {
                lines.chunks_exact_mut(lines_of_row(values.depth())).for_each(note_sum);
            }
        },
    );
}

/// Lines for some rows, those from `first` on.
struct Room<'a> {
    lines: &'a mut [Line],
    k: usize,
    first: usize,
    scales: Scales<'a>,
}

impl Room<'_> {
    /// From rows.
    #[inline(always)]
    fn rows(self, values: Matrix<'_, f32>) {
        let Room { lines, k, first, scales } = self;
        let rows = lines.chunks_exact_mut(lines_of_row(k));
        let end = first + rows.len();
        // The range of a row is found before the row before it is written: finding it ends in a
        // chain of comparisons and divisions, which then takes less time of its own.
        let mut next = if first < end { Some(Bytes::of(values.row(first))) } else { None };
        for (index, row) in (first..end).zip(rows) {
            let Some(meaning) = next else { break };
            next = if index + 1 < end { Some(Bytes::of(values.row(index + 1))) } else { None };
            let bytes = noted(row, k, meaning, scales.at(index));
            meaning.quantise(values.row(index), bytes);
        }
    }

    /// From columns, a cache line of each at a time.
    #[inline(always)]
    fn columns(self, values: Matrix<'_, f32>) {
        let Room { lines, k, first, scales } = self;
        let width = lines_of_row(k);
        for (some, lines) in lines.chunks_mut(width * PANEL).enumerate() {
            let start = first + some * PANEL;
            let (count, mut ranges) = (lines.len() / width, Ranges::default());
            for depth in 0..k {
                ranges.add(&window(&values.row(depth)[..start + count], start));
            }
            let meanings = ranges.meanings();
            for (r, row) in lines.chunks_exact_mut(width).enumerate() {
                noted(row, k, meanings[r], scales.at(start + r));
            }
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(lines);
            for depth in 0..k {
                let values = window(&values.row(depth)[..start + count], start);
                let mut quantised = [0; PANEL];
                for r in 0..PANEL {
                    quantised[r] = meanings[r].byte(values[r]);
                }
                for (r, byte) in quantised.into_iter().take(count).enumerate() {
                    bytes[r * width * size_of::<Line>() + depth] = byte;
                }
            }
        }
    }
}

/// Notes what the bytes of a row will mean, ends them with zeros, and gives the `k` to be written.
#[inline(always)]
fn noted(row: &mut [Line], k: usize, meaning: Bytes, scale: f32) -> &mut [u8] {
    let (note, bytes) = row.split_last_mut().expect("a line for the notes");
    note[0] = (meaning.scale * scale).to_bits().cast_signed();
    note[1] = meaning.zero_point;
    let (bytes, rest) = bytemuck::cast_slice_mut(bytes).split_at_mut(k);
    rest.fill(0);
    bytes
}

/// Notes the sum of a row's bytes.
#[inline(always)]
fn note_sum(row: &mut [Line]) {
    let (note, bytes) = row.split_last_mut().expect("a line for the notes");
    let bytes: &[u8] = bytemuck::cast_slice(bytes);
    note[2] = bytes.iter().fold(0, |sum: i32, &byte| sum.wrapping_add(byte.into()));
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
        ByteRows::new(rows.expect("a row's lines hold its bytes"), 0)
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

    /// The sum of a row's bytes, if it was noted.
    #[inline(always)]
    pub(super) fn sum(&self, row: usize) -> i32 {
        self.note(row)[2]
    }

    /// The scale of a row.
    #[inline(always)]
    pub(super) fn scale(&self, row: usize) -> f32 {
        f32::from_bits(self.note(row)[0].cast_unsigned())
    }
}
