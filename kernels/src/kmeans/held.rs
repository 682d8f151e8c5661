//! Points at hand: blocks, or rows that are turned into blocks on the way.

use super::Error;
use crate::Matrix;
use crate::buffer::LINE;
use crate::points::{BLOCK, Element, NotFinite, Points};
use crate::vector::FloatExtra;
use alloc::vec;
use core::ops::Range;

/// Points in memory, in either layout.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held<'a, T> {
    /// Blocks: nothing to turn, and known to be finite.
    Blocks(&'a Points<T>),
    /// Rows, a point each.
    Rows(Matrix<'a, T>),
}

/// Some blocks of all points, at hand.
#[derive(Clone, Debug)]
pub(super) struct Piece<'a, T> {
    pub(super) held: Held<'a, T>,
    /// Which blocks of `held` they are.
    pub(super) blocks: Range<usize>,
    /// Which points of all they are.
    pub(super) points: Range<usize>,
}

impl<'a, T: Element> Piece<'a, T> {
    /// The same in parts of `blocks` blocks.
    pub(super) fn parts(self, blocks: usize) -> impl Iterator<Item = Piece<'a, T>> {
        let Piece { held, blocks: all, points } = self;
        (all.clone()).step_by(blocks).map(move |start| {
            let end = all.end.min(start + blocks);
            let at = |block: usize| points.end.min(points.start + (block - all.start) * BLOCK);
            Piece { held, blocks: start..end, points: at(start)..at(end) }
        })
    }

    /// Its points one by one: of all, and in `held`.
    pub(super) fn indices(&self) -> impl Iterator<Item = (usize, usize)> + use<T> {
        self.points.clone().zip(self.blocks.start * BLOCK..)
    }

    /// Refuses what is not finite.
    pub(super) fn check_finite(&self) -> Result<(), Error> {
        let Held::Rows(rows) = self.held else {
            return Ok(());
        };
        let start = self.blocks.start * BLOCK;
        match NotFinite::find(rows.slice_rows(start..start + self.points.len())) {
            None => Ok(()),
            Some(bad) => Err(Error::Points(NotFinite { row: self.points.start + bad.row, ..bad })),
        }
    }

    /// Raises the bits of the largest magnitude of each feature; those of what is not finite are
    /// above all others.
    pub(super) fn raise(&self, largest: &mut [u64]) {
        match self.held {
            Held::Blocks(points) => {
                for block in self.blocks.clone() {
                    let columns = points.block(block).chunks_exact(BLOCK);
                    for (largest, column) in largest.iter_mut().zip(columns) {
                        *largest = column.iter().map(|&x| bits(x)).fold(*largest, u64::max);
                    }
                }
            }
            Held::Rows(rows) => {
                let start = self.blocks.start * BLOCK;
                let rows = rows.slice_rows(start..start + self.points.len());
                // Storage may go on behind the last row.
                let short = || &rows.data()[..rows.rows() * rows.cols()];
                match (rows.cols(), rows.stride() == rows.cols()) {
                    (1, true) => raise_short::<1, T>(short(), largest),
                    (2, true) => raise_short::<2, T>(short(), largest),
                    (3, true) => raise_short::<3, T>(short(), largest),
                    (4, true) => raise_short::<4, T>(short(), largest),
                    _ => (0..rows.rows()).for_each(|row| {
                        for (largest, &x) in largest.iter_mut().zip(rows.row(row)) {
                            *largest = bits(x).max(*largest);
                        }
                    }),
                }
            }
        }
    }

    /// Refuses values beyond `most`, up or down. Only `f64` can have one of interest.
    pub(super) fn check_near(&self, most: f64) -> Result<(), Error> {
        let mut space = vec![T::default(); self.held.d()];
        for (point, here) in self.indices() {
            let mut values = self.held.point(here, &mut space).iter().map(|&x| x.into());
            if let Some(value) = values.find(|x| x.abs() > most) {
                return Err(Error::TooFar { point, value, most });
            }
        }
        Ok(())
    }
}

impl<'a, T: Element> Held<'a, T> {
    /// How many points.
    pub(super) fn n(&self) -> usize {
        match self {
            Held::Blocks(points) => points.n(),
            Held::Rows(rows) => rows.rows(),
        }
    }

    /// How many features a point has.
    pub(super) fn d(&self) -> usize {
        match self {
            Held::Blocks(points) => points.d(),
            Held::Rows(rows) => rows.cols(),
        }
    }

    /// The points of block `index`.
    #[inline(always)]
    pub(super) fn in_block(&self, index: usize) -> Range<usize> {
        index * BLOCK..self.n().min((index + 1) * BLOCK)
    }

    /// Asks for the points of a block to be brought near, if there is such a block: where a block
    /// takes long to label, so that they come meanwhile. Before 200,000 x 64 are labelled by products
    /// of bytes it gains 8 %, before points in lanes are scored it costs up to 5.
    #[inline(always)]
    pub(super) fn fetch<S: FloatExtra>(&self, simd: S, block: usize) {
        let points = self.in_block(block);
        if points.start >= points.end {
            return;
        }
        match self {
            Held::Blocks(points) => fetch(simd, points.block(block)),
            Held::Rows(rows) if rows.stride() == rows.cols() => {
                fetch(simd, &rows.data()[points.start * rows.cols()..points.end * rows.cols()]);
            }
            Held::Rows(rows) => points.for_each(|index| fetch(simd, rows.row(index))),
        }
    }

    /// Writes the points of a block, less `offset`, feature by feature. What lies behind the last
    /// point is whatever it was.
    #[inline(always)]
    pub(super) fn stage_columns<S: FloatExtra>(
        &self,
        simd: S,
        block: usize,
        offset: &[f64],
        staged: &mut [f32],
    ) {
        match self {
            Held::Blocks(points) => {
                let columns = points.block(block).chunks_exact(BLOCK);
                for ((column, o), to) in columns.zip(offset).zip(staged.chunks_exact_mut(BLOCK)) {
                    let o = T::offset(*o);
                    to.iter_mut().zip(column).for_each(|(to, x)| *to = x.less(o));
                }
            }
            Held::Rows(rows) => {
                let rows = rows.slice_rows(self.in_block(block));
                turn(
                    rows,
                    staged,
                    |feature| T::offset(offset[feature]),
                    |x, o| x.less(o),
                    #[inline(always)]
                    |square: Square<T>| {
                        if T::NAME == <f32 as Element>::NAME {
                            bytemuck::cast(simd.turn(bytemuck::cast(square)))
                        } else {
                            plainly(square)
                        }
                    },
                );
            }
        }
    }

    /// Writes the points of a block, less `offset`, point by point, each with a 1 behind.
    #[inline(always)]
    pub(super) fn stage_rows(&self, block: usize, offset: &[f64], staged: &mut [f32]) {
        let d = self.d();
        match self {
            Held::Blocks(points) => {
                let columns = points.block(block).chunks_exact(BLOCK);
                for (feature, (column, o)) in columns.zip(offset).enumerate() {
                    let o = T::offset(*o);
                    for (to, x) in staged[feature..].iter_mut().step_by(d + 1).zip(column) {
                        *to = x.less(o);
                    }
                }
            }
            Held::Rows(rows) => {
                for (index, to) in self.in_block(block).zip(staged.chunks_exact_mut(d + 1)) {
                    for ((x, o), to) in rows.row(index).iter().zip(offset).zip(to) {
                        *to = x.less(T::offset(*o));
                    }
                }
            }
        }
        staged[d..].iter_mut().step_by(d + 1).for_each(|one| *one = 1.0);
    }

    /// The points of a block as they are, feature by feature: where they lie, or turned in
    /// `space`. What stands behind the last point has no meaning.
    #[inline(always)]
    pub(super) fn columns<'b>(&self, block: usize, space: &'b mut [T]) -> &'b [T]
    where
        'a: 'b,
    {
        match self {
            Held::Blocks(points) => points.block(block),
            Held::Rows(rows) => {
                let rows = rows.slice_rows(self.in_block(block));
                turn(rows, space, |_| (), |x, ()| x, plainly);
                &space[..rows.cols() * BLOCK]
            }
        }
    }

    /// The points of a block feature by feature as `f64`, which holds them all; what stands behind
    /// the last point stays as it is.
    #[inline(always)]
    pub(super) fn widen(&self, block: usize, space: &mut [T], to: &mut [[f64; BLOCK]]) {
        let count = self.in_block(block).len();
        for (to, column) in to.iter_mut().zip(self.columns(block, space).chunks_exact(BLOCK)) {
            to.iter_mut().zip(&column[..count]).for_each(|(to, &x)| *to = x.into());
        }
    }

    /// Copies a point.
    #[inline(always)]
    pub(super) fn copy(&self, index: usize, to: &mut [T]) {
        match self {
            Held::Blocks(points) => points.copy_point(index, to),
            Held::Rows(rows) => to.copy_from_slice(rows.row(index)),
        }
    }

    /// One point, copied to `space` where it does not lie in one piece.
    #[inline(always)]
    pub(super) fn point<'b>(&self, index: usize, space: &'b mut [T]) -> &'b [T]
    where
        'a: 'b,
    {
        match self {
            Held::Blocks(points) => {
                let to = &mut space[..points.d()];
                points.copy_point(index, to);
                to
            }
            Held::Rows(rows) => rows.row(index),
        }
    }
}

/// The bits of a magnitude, which are ordered as magnitudes are: whole numbers are compared in
/// registers.
#[inline(always)]
fn bits<T: Element>(x: T) -> u64 {
    let x: f64 = x.into();
    x.abs().to_bits()
}

/// What [`Piece::raise`] does, of few features: their maxima stay in registers.
fn raise_short<const D: usize, T: Element>(rows: &[T], largest: &mut [u64]) {
    let mut most = [0; D];
    for row in rows.as_chunks::<D>().0 {
        for feature in 0..D {
            most[feature] = bits(row[feature]).max(most[feature]);
        }
    }
    largest.iter_mut().zip(most).for_each(|(largest, most)| *largest = most.max(*largest));
}

/// Asks for all lines of some values.
#[inline(always)]
fn fetch<S: FloatExtra, T>(simd: S, values: &[T]) {
    for line in values.iter().step_by(LINE / size_of::<T>()) {
        simd.prefetch::<T>(line);
    }
}

/// Rows and features that are turned in registers. One million points of 16 features took 18.7 ms
/// to label value by value, 14.9 in squares of 4, 14.8 in squares of 8, 18.0 in squares of 16.
const SQUARE: usize = 8;

/// Rows, or columns.
type Square<T> = [[T; SQUARE]; SQUARE];

/// Turns up to a block of rows into columns: `value` of every number and of what `prepare` makes
/// of its feature. `square` turns squares of them.
#[inline(always)]
fn turn<T: Element, P: Copy, U: Copy>(
    rows: Matrix<'_, T>,
    staged: &mut [U],
    prepare: impl Fn(usize) -> P,
    value: impl Fn(T, P) -> U,
    square: impl Fn(Square<T>) -> Square<T>,
) {
    match rows.cols() {
        2 => turn_short::<2, _, _, _>(rows, staged, prepare, value, square),
        3 => turn_short::<3, _, _, _>(rows, staged, prepare, value, square),
        4 => turn_short::<4, _, _, _>(rows, staged, prepare, value, square),
        _ => turn_any(rows, staged, prepare, value, square),
    }
}

/// Turns a square value by value.
#[inline(always)]
fn plainly<T: Copy>(square: Square<T>) -> Square<T> {
    let mut turned = square;
    for lane in 0..SQUARE {
        for at in 0..SQUARE {
            turned[at][lane] = square[lane][at];
        }
    }
    turned
}

/// Turns whole squares of rows and features, and the rest one by one.
#[inline(always)]
fn turn_any<T: Element, P: Copy, U: Copy>(
    rows: Matrix<'_, T>,
    staged: &mut [U],
    prepare: impl Fn(usize) -> P,
    value: impl Fn(T, P) -> U,
    square: impl Fn(Square<T>) -> Square<T>,
) {
    let wide = rows.cols() / SQUARE * SQUARE;
    let high = rows.rows() / SQUARE * SQUARE;
    for row in (0..high).step_by(SQUARE) {
        // Loops, not `from_fn` and `map`: those are not always inlined.
        let mut lines: [&[T]; SQUARE] = [&[]; SQUARE];
        for lane in 0..SQUARE {
            lines[lane] = rows.row(row + lane);
        }
        for feature in (0..wide).step_by(SQUARE) {
            let mut values = [[T::default(); SQUARE]; SQUARE];
            for lane in 0..SQUARE {
                values[lane] = *lines[lane][feature..].first_chunk().expect("a whole square");
            }
            let values = square(values);
            for at in 0..SQUARE {
                let prepared = prepare(feature + at);
                let column = &mut staged[(feature + at) * BLOCK + row..][..SQUARE];
                for lane in 0..SQUARE {
                    column[lane] = value(values[at][lane], prepared);
                }
            }
        }
    }
    for row in 0..rows.rows() {
        let from = if row < high { wide } else { 0 };
        let columns = staged[from * BLOCK..].chunks_exact_mut(BLOCK);
        for ((feature, x), column) in rows.row(row).iter().enumerate().skip(from).zip(columns) {
            column[row] = value(*x, prepare(feature));
        }
    }
}

/// The same for a whole block of short rows behind each other, where the compiler knows all
/// strides and moves registers, not values.
#[inline(always)]
fn turn_short<const D: usize, T: Element, P: Copy, U: Copy>(
    rows: Matrix<'_, T>,
    staged: &mut [U],
    prepare: impl Fn(usize) -> P,
    value: impl Fn(T, P) -> U,
    square: impl Fn(Square<T>) -> Square<T>,
) {
    let (true, BLOCK) = (rows.stride() == D, rows.rows()) else {
        return turn_any(rows, staged, prepare, value, square);
    };
    let points: &[[T; D]; BLOCK] =
        rows.data().as_chunks().0.first_chunk().expect("a whole block of rows");
    let prepared: [P; D] = core::array::from_fn(prepare);
    let columns: &mut [[U; BLOCK]; D] =
        staged.as_chunks_mut().0.first_chunk_mut().expect("as many as features");
    // Point by point, so that each load serves all features: feature by feature, the compiler
    // leaves the last quarter of a block to scalar code, lest it read past the end.
    for point in 0..BLOCK {
        for feature in 0..D {
            columns[feature][point] = value(points[point][feature], prepared[feature]);
        }
    }
}
