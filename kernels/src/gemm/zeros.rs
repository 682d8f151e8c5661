//! Zero points of both sides: what they take off the sums of raw bytes.
//!
//! ```text
//! sum (a - za) (b - zb)  =  sum a b  -  za * (sum b - k * zb)  -  zb * sum a
//!                           the tile         packed with b        rows of a, only if zb != 0
//! ```

use super::drive::{Block, Destination, Epilogue, Outer, Rows, TileSums};
use super::epilogue::{Places, Sink};
use super::layer::{InLayer, Layer, OfTile};
use super::lhs::{Meaning, Zeros};
use super::pack::Weights;
use super::table::{MAX_ROWS, RUN_ROWS};
use super::words::ByteProduct;
use crate::matrix::RowsMut;
use crate::product::Sum;
use crate::vector::PANEL;
use core::ops::Range;

/// Takes out the zero points and hands finished sums on.
pub(super) struct LessZeros<'a> {
    pub(super) sink: &'a dyn Sink<i32>,
    /// Where tiles may leave their sums, or what this layer makes of them.
    pub(super) places: Option<(Places<'a, i32>, Option<Layer<'a>>)>,
    pub(super) weights: Weights<'a>,
    /// What the bytes of the left operand mean.
    pub(super) meaning: Meaning<'a>,
    /// Room for the sums of a block's rows.
    pub(super) row_sums: &'a mut [i32],
    /// The block's first row.
    pub(super) first_row: usize,
    /// The left zero points of the rows of the tiles at hand.
    pub(super) zeros: [i32; MAX_ROWS],
    /// Their scales.
    pub(super) scales: [f32; MAX_ROWS],
}

impl<P: ByteProduct> Epilogue<P> for LessZeros<'_> {
    type Last = InLayer;

    #[inline(always)]
    fn begin(&mut self, block: &Block<'_, P, impl Rows<P>>) {
        self.first_row = block.rows.start;
        if self.weights.zero_points().is_some() {
            for index in block.rows.clone() {
                let sum = self.meaning.sum(index).unwrap_or_else(|| P::row_sum(block.row(index)));
                self.row_sums[index - self.first_row] = sum;
            }
        }
    }

    #[inline(always)]
    fn begin_rows(&mut self, rows: Range<usize>) {
        for ((row, zero), scale) in rows.zip(&mut self.zeros).zip(&mut self.scales) {
            (*zero, *scale) = (self.meaning.zero_point(row), self.meaning.scale(row));
        }
    }

    #[inline(always)]
    fn destination(&self) -> Option<Destination> {
        self.sink.destination()
    }

    #[inline(always)]
    fn less(&self, rows: Range<usize>, panels: Range<usize>) -> Option<Outer<'_, i32>> {
        // Tiles of a layer take something off in any case.
        if matches!(self.meaning, Meaning::Given(Zeros::All(0), _)) && self.layer().is_none() {
            return None;
        }
        Some(Outer { rows: &self.zeros[..rows.len()], columns: &self.weights.sums()[panels] })
    }

    #[inline(always)]
    fn last(&self, panels: Range<usize>) -> Option<OfTile<'_>> {
        Some(self.layer()?.tile(&self.scales, panels.start * PANEL))
    }

    #[inline(always)]
    fn place(&self, rows: Range<usize>, panels: Range<usize>) -> Option<RowsMut<'_, i32>> {
        self.places.as_ref()?.0.tile(rows, panels)
    }

    #[inline(always)]
    fn finish(&mut self, mut tile: TileSums<'_, i32>) {
        self.take_rhs_zero_points(&mut tile);
        let mut scales = [0.0; RUN_ROWS];
        for (row, scale) in (tile.row..tile.row + tile.rows).zip(&mut scales) {
            *scale = self.meaning.scale(row);
        }
        self.sink.write(&tile, &scales);
    }
}

impl LessZeros<'_> {
    #[inline(always)]
    fn layer(&self) -> Option<&Layer<'_>> {
        self.places.as_ref()?.1.as_ref()
    }

    /// Rarely anything to do: weights are mostly symmetric.
    #[inline(always)]
    fn take_rhs_zero_points(&self, tile: &mut TileSums<'_, i32>) {
        let Some(zeros) = self.weights.zero_points() else { return };
        for (r, sums) in tile.sums.chunks_exact_mut(tile.panels).enumerate() {
            let row_sum = self.row_sums[tile.row + r - self.first_row];
            for (sums, zeros) in sums.iter_mut().zip(&zeros[tile.panel..]) {
                *sums = i32::less(*sums, row_sum, *zeros);
            }
        }
    }
}
