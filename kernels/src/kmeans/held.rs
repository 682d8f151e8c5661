//! Points at hand: blocks, or rows that are turned into blocks on the way.

use super::Error;
use super::turn::{SQUARE, Square, plainly, turn};
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
    #[inline(always)]
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

    /// The same in blocks, as `f64`.
    pub(super) fn widened(&self) -> Result<Points<f64>, Error> {
        let mut points = Points::zeroed(self.n(), self.d())?;
        let mut space = vec![T::default(); self.d() * BLOCK];
        for block in 0..points.blocks() {
            self.widen(block, &mut space, points.block_mut(block).as_chunks_mut().0);
        }
        Ok(points)
    }

    /// The same in blocks, less `offset`, as `f32`.
    pub(super) fn moved(&self, offset: &[f64]) -> Result<Points<f32>, Error> {
        let mut points = Points::zeroed(self.n(), self.d())?;
        let mut space = vec![T::default(); self.d() * BLOCK];
        for block in 0..points.blocks() {
            let count = self.in_block(block).len();
            let columns = self.columns(block, &mut space).chunks_exact(BLOCK).zip(offset);
            for (to, (column, o)) in points.block_mut(block).chunks_exact_mut(BLOCK).zip(columns) {
                let o = T::offset(*o);
                to.iter_mut().zip(&column[..count]).for_each(|(to, x)| *to = x.less(o));
            }
        }
        Ok(points)
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

/// What [`Piece::raise`] does, of few features: maxima of [`SQUARE`] rows at a time stay in registers.
#[inline(always)]
fn raise_short<const D: usize, T: Element>(rows: &[T], largest: &mut [u64]) {
    let mut most = [[0; SQUARE]; D];
    let (wide, rest) = rows.as_chunks::<SQUARE>();
    let (wide, after) = wide.as_chunks::<D>();
    for values in wide {
        for part in 0..D {
            for lane in 0..SQUARE {
                most[part][lane] = bits(values[part][lane]).max(most[part][lane]);
            }
        }
    }
    for (at, most) in most.as_flattened().iter().enumerate() {
        largest[at % D] = largest[at % D].max(*most);
    }
    for (at, &x) in after.as_flattened().iter().chain(rest).enumerate() {
        largest[at % D] = largest[at % D].max(bits(x));
    }
}

/// Asks for all lines of some values.
#[inline(always)]
fn fetch<S: FloatExtra, T>(simd: S, values: &[T]) {
    for line in values.iter().step_by(LINE / size_of::<T>()) {
        simd.prefetch::<T>(line);
    }
}
