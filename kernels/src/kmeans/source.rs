//! Where a kernel gets its points from: blocks, or rows that are turned into blocks on the way.

use crate::Matrix;
use crate::points::{BLOCK, Points};
use core::ops::Range;

/// Points in either layout.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Blocks(&'a Points),
    Rows(Matrix<'a, f32>),
}

impl<'a> Source<'a> {
    pub(super) fn n(&self) -> usize {
        match self {
            Source::Blocks(points) => points.n(),
            Source::Rows(rows) => rows.rows(),
        }
    }

    pub(super) fn d(&self) -> usize {
        match self {
            Source::Blocks(points) => points.d(),
            Source::Rows(rows) => rows.cols(),
        }
    }

    /// The points of block `index`.
    #[inline(always)]
    pub(super) fn in_block(&self, index: usize) -> Range<usize> {
        index * BLOCK..self.n().min((index + 1) * BLOCK)
    }

    /// Writes the points of a block, less `offset`, feature by feature. What lies behind the last
    /// point is whatever it was.
    #[inline(always)]
    pub(super) fn stage(&self, block: usize, offset: &[f32], staged: &mut [f32]) {
        match self {
            Source::Blocks(points) => {
                let columns = points.block(block).chunks_exact(BLOCK);
                for ((column, o), to) in columns.zip(offset).zip(staged.chunks_exact_mut(BLOCK)) {
                    to.iter_mut().zip(column).for_each(|(to, x)| *to = x - o);
                }
            }
            Source::Rows(rows) => {
                let rows = rows.slice_rows(self.in_block(block));
                match rows.cols() {
                    2 => turn::<2>(rows, offset, staged),
                    3 => turn::<3>(rows, offset, staged),
                    4 => turn::<4>(rows, offset, staged),
                    _ => turn_any(rows, offset, staged),
                }
            }
        }
    }

    /// One point, copied to `to` where it does not lie in one piece.
    #[inline(always)]
    pub(super) fn point<'b>(&self, index: usize, to: &'b mut [f32]) -> &'b [f32]
    where
        'a: 'b,
    {
        match self {
            Source::Blocks(points) => {
                points.copy_point(index, to);
                to
            }
            Source::Rows(rows) => rows.row(index),
        }
    }
}

/// Rows and features that are turned in registers. One million points of 16 features took 18.7 ms
/// to label value by value, 14.9 in squares of 4, 14.8 in squares of 8, 18.0 in squares of 16.
const SQUARE: usize = 8;

/// Turns whole squares of rows and features, and the rest one by one.
#[inline(always)]
fn turn_any(rows: Matrix<'_, f32>, offset: &[f32], staged: &mut [f32]) {
    let wide = rows.cols() / SQUARE * SQUARE;
    let high = rows.rows() / SQUARE * SQUARE;
    for row in (0..high).step_by(SQUARE) {
        let lines: [&[f32]; SQUARE] = core::array::from_fn(|lane| rows.row(row + lane));
        for feature in (0..wide).step_by(SQUARE) {
            let square: [&[f32; SQUARE]; SQUARE] =
                lines.map(|line| line[feature..].first_chunk().expect("a whole square"));
            for at in 0..SQUARE {
                let column = &mut staged[(feature + at) * BLOCK + row..][..SQUARE];
                for lane in 0..SQUARE {
                    column[lane] = square[lane][at] - offset[feature + at];
                }
            }
        }
    }
    turn_rest(rows, 0..high, wide, offset, staged);
    turn_rest(rows, high..rows.rows(), 0, offset, staged);
}

/// Turns some rows, from feature `from` on, value by value.
#[inline(always)]
fn turn_rest(
    rows: Matrix<'_, f32>,
    which: Range<usize>,
    from: usize,
    offset: &[f32],
    staged: &mut [f32],
) {
    for row in which {
        let columns = staged[from * BLOCK..].chunks_exact_mut(BLOCK);
        for ((x, o), column) in rows.row(row)[from..].iter().zip(&offset[from..]).zip(columns) {
            column[row] = x - o;
        }
    }
}

/// The same for a whole block of short rows behind each other, where the compiler knows all
/// strides and moves registers, not values.
#[inline(always)]
fn turn<const D: usize>(rows: Matrix<'_, f32>, offset: &[f32], staged: &mut [f32]) {
    let (true, BLOCK) = (rows.stride() == D, rows.rows()) else {
        return turn_any(rows, offset, staged);
    };
    let points: &[[f32; D]; BLOCK] =
        rows.data().as_chunks().0.first_chunk().expect("a whole block of rows");
    let offset: &[f32; D] = offset.first_chunk().expect("as many as features");
    let columns: &mut [[f32; BLOCK]; D] =
        staged.as_chunks_mut().0.first_chunk_mut().expect("as many as features");
    // Point by point, so that each load serves all features: feature by feature, the compiler
    // leaves the last quarter of a block to scalar code, lest it read past the end.
    for point in 0..BLOCK {
        for feature in 0..D {
            columns[feature][point] = points[point][feature] - offset[feature];
        }
    }
}
