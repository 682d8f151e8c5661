//! What becomes of a finished tile while it is in the first-level cache: an [`Output`] turns its
//! sums into what the caller asked for.
//!
//! Writing costs more than its instructions, most of all down the columns, as all tiles went when this
//! was measured (along the rows see [`drive`](super::drive)): on one Zen 4 core 512^3, 1024^3 and 384x1024x4096 make
//! 1.06, 1.075 and 1.10 of the speed if finished tiles are thrown away (96x64x1024 1.01), and as much
//! if all are written to the same lines. A third of that is had by asking for the lines just before
//! (`LATE` in `tile`). What else was tried: lines asked for 3 to 16 rows ahead while a tile is
//! written, 1.00 to 1.01; when a tile begins, and tiles written one by one, 1.03 from N = 1024 on and
//! 0.93 at 96x64x256; stores past the caches 1.05, but then the next layer reads from memory. Sums that
//! are stored as they are could go to their places straight from the registers: 1.00 to 1.02 from 128
//! rows on, in four ways to hand the places to a tile, each of which took 1 to 6 % from small products
//! and from other outputs.
//!
//! The only part of a product that is compiled for each [`Output`], and once for each set of
//! float instructions. The loops before it reach it through [`Sink`]; so they and all their
//! register tiles are compiled once, with this crate, and not by everybody who multiplies.

use super::drive::{Target, TileSums};
use super::output::{Output, Place};
use super::table::{MAX_PANELS, RUN_ROWS};
use crate::isa::Token;
use crate::matrix::Disjoint;
use crate::vector::PANEL;
use core::array;

/// Takes finished tiles.
pub(super) trait Sink<S>: Sync {
    /// Where a tile will be written, if in whole lines.
    fn target(&self, _tile: &TileSums<'_, S>) -> Option<Target> {
        None
    }

    /// Writes some of them below each other, whose rows have these scales.
    fn write(&self, tile: &TileSums<'_, S>, scales: &[f32; RUN_ROWS]);
}

/// Writes what an [`Output`] makes of the sums.
pub(super) struct Write<'a, T, S, O: Output<S>> {
    token: T,
    output: &'a O,
    out: &'a Disjoint<'a, O::Element>,
    /// Where row 0 begins.
    start: usize,
    columns: usize,
    stride: usize,
}

impl<'a, T: Token, S, O: Output<S>> Write<'a, T, S, O> {
    /// By the float instructions of `token`, to a matrix that is yet to be [placed](Write::at).
    pub(super) fn new(token: T, output: &'a O, out: &'a Disjoint<'a, O::Element>) -> Self {
        Write { token, output, out, start: 0, columns: 0, stride: 0 }
    }

    /// To rows of so many columns, the first at `start` and each `stride` behind the one before.
    pub(super) fn at(self, start: usize, columns: usize, stride: usize) -> Self {
        Write { start, columns, stride, ..self }
    }
}

impl<T: Token, S: Copy + Sync, O: Output<S>> Sink<S> for Write<'_, T, S, O> {
    fn target(&self, tile: &TileSums<'_, S>) -> Option<Target> {
        let (first, size) = (tile.panel * PANEL, size_of::<O::Element>());
        let columns = (tile.panels * PANEL).min(self.columns - first);
        let line = self.line(tile.row, first, columns).as_ptr();
        Some(Target { first: line.cast(), stride: self.stride * size, bytes: columns * size })
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
        let columns = self.columns - tile.panel * PANEL;
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
            let (out, _) = self.line(row, first, NP * PANEL).as_chunks_mut();
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
        let column = self.columns - width;
        let columns = self.output.columns(column);
        let rows = tile.sums.chunks_exact(tile.panels).zip(scales).zip(tile.row..);
        for ((sums, &scale), row) in rows {
            let place = Place { row, column, scale };
            let values = self.output.convert(&columns, place, sums[tile.panels - 1]);
            self.line(row, column, width).copy_from_slice(&values[..width]);
        }
    }

    /// So many elements from `at` on of line `index` of the output.
    #[inline(always)]
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn line(&self, index: usize, at: usize, len: usize) -> &mut [O::Element] {
        let start = self.start + index * self.stride + at;
        // SAFETY: parts of a split do not overlap, a part's tiles do not, products of a batch do
        // not, and a tile's pieces are lines of their own or written one after the other.
        unsafe { self.out.part(start..start + len) }
    }
}

/// Writes as [`Write`] does, to the transpose of the output: its lines are columns.
pub(super) struct WriteTransposed<'a, T, S, O: Output<S>>(pub(super) Write<'a, T, S, O>);

impl<T: Token, S: Copy + Sync, O: Output<S>> Sink<S> for WriteTransposed<'_, T, S, O> {
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
        let Write { output, columns, .. } = self.0;
        let column = (tile.panel + panel) * PANEL;
        let width = PANEL.min(columns - column);
        let mut lines: [&mut [O::Element]; PANEL] = array::from_fn(|c| {
            let rows = if c < width { tile.rows } else { 0 };
            self.0.line(column + c.min(width - 1), tile.row, rows)
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
