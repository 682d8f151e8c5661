//! What becomes of a finished tile while it is in the first-level cache: an [`Output`] turns its
//! sums into what the caller asked for.
//!
//! Writing costs more than its instructions: when tiles went down the columns and all came here, 512^3,
//! 1024^3 and 384x1024x4096 (rows, depth, columns) made 1.06, 1.075 and 1.10 of the speed on one Zen 4
//! core if finished tiles were thrown away. Part of it is had by asking for lines beforehand (`Target` in
//! `ahead`); 3 to 16 rows ahead while a tile is written, 1.00 to 1.01; stores past the caches 1.05, but
//! then the next layer reads from memory.
//!
//! Sums that are stored as they are by whole panels are left in their places straight from the
//! registers (`Epilogue::place`), for writing them twice and reading them in between keeps the next tile
//! waiting. Against finishing them here, one Zen 4 core: 512^3 1.037, 1024^3 1.02, 128x768x768 1.03,
//! 384x1024x4096 1.01, 16x4096x4096 1.026, 64^3 1.16, 96x64x256 1.14. A tile writes rows of some stride
//! (`RowsMut`), be they in the output or in the room for sums; in four other ways to hand it the places
//! it was 1.00 to 1.02 and lost 1 to 6 % elsewhere.
//!
//! So are the numbers of a linear layer, where tiles make them (`layer`). Other outputs spend 4 % of the time
//! of 128x768x768 here. Finishing a tile only after the next one
//! beside it is multiplied, when its sums are in the cache for certain, makes 0.96 to 1.02 of the speed
//! of layers and 0.87 of 1x768x768.
//!
//! The only part of a product that is compiled for each [`Output`], and once for each set of
//! float instructions. The loops before it reach it through [`Sink`]; so they and all their
//! register tiles are compiled once, with this crate, and not by everybody who multiplies.

use super::drive::{Destination, TileSums};
use super::layer::{Known, Layer};
use super::output::{Output, Place};
use super::table::{MAX_PANELS, RUN_ROWS};
use crate::isa::Token;
use crate::matrix::{Disjoint, RowsMut};
use crate::product::Sum;
use crate::vector::PANEL;
use core::array;
use core::ops::Range;

/// Takes finished tiles.
pub(super) trait Sink<S>: Sync {
    /// Where tiles will be written, if in whole lines.
    fn destination(&self) -> Option<Destination> {
        None
    }

    /// Where tiles may leave what becomes of their sums, if they can do it themselves: the sums, or what a
    /// layer makes of them.
    fn places(&self) -> Option<(Places<'_, S>, Option<Layer<'_>>)> {
        None
    }

    /// Writes some of them below each other, whose rows have these scales.
    fn write(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS]);
}

/// The lines of one output: its rows, or what is written as its rows.
pub(crate) struct Places<'a, E> {
    out: Disjoint<'a, E>,
    /// Where line 0 begins.
    start: usize,
    /// Columns of the product.
    columns: usize,
    /// Elements from one line to the next.
    stride: usize,
}

impl<'a, E> Places<'a, E> {
    /// Lines of so many columns behind each other.
    pub(crate) fn new(out: &'a mut [E], columns: usize) -> Self {
        Places { out: Disjoint::new(out), start: 0, columns, stride: columns }
    }

    /// So many elements from `at` on of line `index`.
    #[inline(always)]
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn line(&self, index: usize, at: usize, len: usize) -> &mut [E] {
        let start = self.start + index * self.stride + at;
        // SAFETY: parts of a split do not overlap, a part's tiles do not, products of a batch do
        // not, and a tile's pieces are lines of their own or written one after the other.
        unsafe { self.out.part(start..start + len) }
    }

    /// Those of a tile, where lines are rows; none where the last panel is not whole. To be asked for
    /// once for each tile.
    #[inline(always)]
    #[allow(unsafe_code, reason = "disjoint output views")]
    pub(crate) fn tile(&self, rows: Range<usize>, panels: Range<usize>) -> Option<RowsMut<'_, E>> {
        let (column, wide) = (panels.start * PANEL, panels.len() * PANEL);
        if column + wide > self.columns {
            return None;
        }
        let start = self.start + rows.start * self.stride + column;
        // SAFETY: as for `line`; a tile is either written here or there.
        Some(unsafe { self.out.rows(start, (rows.len(), wide), self.stride) })
    }
}

/// Writes what an [`Output`] makes of the sums.
pub(super) struct Write<'a, T, S, O: Output<S>> {
    token: T,
    output: &'a O,
    places: Places<'a, O::Element>,
}

impl<'a, T: Token, S, O: Output<S>> Write<'a, T, S, O> {
    /// By the float instructions of `token`, to a matrix that is yet to be [placed](Write::at).
    pub(super) fn new(token: T, output: &'a O, out: &Disjoint<'a, O::Element>) -> Self {
        let out = out.again();
        Write { token, output, places: Places { out, start: 0, columns: 0, stride: 0 } }
    }

    /// To rows of so many columns, the first at `start` and each `stride` behind the one before.
    pub(super) fn at(self, start: usize, columns: usize, stride: usize) -> Self {
        Write { places: Places { start, columns, stride, ..self.places }, ..self }
    }
}

impl<T: Token, S: Sum, O: Output<S>> Sink<S> for Write<'_, T, S, O> {
    fn destination(&self) -> Option<Destination> {
        let (places, size) = (&self.places, size_of::<O::Element>());
        let first = places.line(0, 0, 0).as_ptr().cast();
        Some(Destination {
            first,
            stride: places.stride.wrapping_mul(size),
            size,
            columns: places.columns,
        })
    }

    fn places(&self) -> Option<(Places<'_, S>, Option<Layer<'_>>)> {
        let (layer, out) = self.output.known(Known::sums())?.of(&self.places.out)?;
        let Places { start, columns, stride, .. } = self.places;
        Some((Places { out, start, columns, stride }, layer))
    }

    fn write(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS]) {
        self.token.run(
            #[inline(always)]
            || self.tile(tile, scales),
        );
    }
}

impl<T, S: Copy, O: Output<S>> Write<'_, T, S, O> {
    #[inline(always)]
    fn tile(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS]) {
        let columns = self.places.columns - tile.panel * PANEL;
        // Written out for every number of panels: loops over panels, checking each piece they
        // write, cost 8 % of 1024^3.
        match tile.panels.min(columns / PANEL) {
            0 => {}
            1 => self.panels::<1>(tile, scales),
            2 => self.panels::<2>(tile, scales),
            3 => self.panels::<3>(tile, scales),
            _ => self.panels::<MAX_PANELS>(tile, scales),
        }
        if columns < tile.panels * PANEL {
            self.last_panel(tile, scales, columns % PANEL);
        }
    }

    /// Writes the first `NP` panels of a tile.
    #[inline(always)]
    fn panels<const NP: usize>(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS]) {
        let first = tile.panel * PANEL;
        let mut columns = [self.output.columns(first); NP];
        for p in 1..NP {
            columns[p] = self.output.columns(first + p * PANEL);
        }
        let rows = tile.sums.chunks_exact(tile.panels).zip(scales).zip(tile.row..);
        for ((sums, &scale), row) in rows {
            let (out, _) = self.places.line(row, first, NP * PANEL).as_chunks_mut();
            let mut place = Place { row, column: first, scale };
            for ((out, sums), columns) in out.iter_mut().zip(&sums[..NP]).zip(&columns) {
                *out = self.output.convert(columns, place, *sums);
                place.column += PANEL;
            }
        }
    }

    /// Writes the first `width` columns of the last panel of the matrix, which a tile ends with.
    #[inline(always)]
    fn last_panel(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS], width: usize) {
        let column = self.places.columns - width;
        let columns = self.output.columns(column);
        let rows = tile.sums.chunks_exact(tile.panels).zip(scales).zip(tile.row..);
        for ((sums, &scale), row) in rows {
            let place = Place { row, column, scale };
            let values = self.output.convert(&columns, place, sums[tile.panels - 1]);
            self.places.line(row, column, width).copy_from_slice(&values[..width]);
        }
    }
}

/// Writes as [`Write`] does, to the transpose of the output: its lines are columns.
pub(super) struct WriteTransposed<'a, T, S, O: Output<S>>(pub(super) Write<'a, T, S, O>);

impl<T: Token, S: Sum, O: Output<S>> Sink<S> for WriteTransposed<'_, T, S, O> {
    fn write(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS]) {
        self.0.token.run(
            #[inline(always)]
            || {
                for panel in 0..tile.panels {
                    self.panel(tile, panel, scales);
                }
            },
        );
    }
}

impl<T, S: Copy, O: Output<S>> WriteTransposed<'_, T, S, O> {
    /// A line of the output gets one element of each row of the tile, which lie side by side there:
    /// all sixteen lines stay in the first-level cache until they are full.
    #[inline(always)]
    fn panel(&self, tile: &TileSums<'_, S>, panel: usize, scales: &[f32; RUN_ROWS]) {
        let Write { output, places, .. } = &self.0;
        let column = (tile.panel + panel) * PANEL;
        let width = PANEL.min(places.columns - column);
        let mut lines: [&mut [O::Element]; PANEL] = array::from_fn(|c| {
            let rows = if c < width { tile.rows } else { 0 };
            places.line(column + c.min(width - 1), tile.row, rows)
        });
        let columns = output.columns(column);
        for ((r, sums), &scale) in tile.sums.chunks_exact(tile.panels).enumerate().zip(scales) {
            let place = Place { row: tile.row + r, column, scale };
            let values = output.convert(&columns, place, sums[panel]);
            for (line, value) in lines[..width].iter_mut().zip(values) {
                line[r] = value;
            }
        }
    }
}
