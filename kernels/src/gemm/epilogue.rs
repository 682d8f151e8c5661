//! What becomes of a finished tile while it is in the first-level cache: zero points are taken
//! out, and an [`Output`] turns the sums into what the caller asked for.

use super::drive::{Block, Epilogue, Finished, Rows};
use super::lhs::Meaning;
use super::output::{Output, Place};
use super::pack::Weights;
use super::table::MAX_PANELS;
use super::words::ByteProduct;
use crate::matrix::Disjoint;
use crate::vector::PANEL;

/// Takes out the zero points and writes one member's part.
pub(super) struct Write<'a, O: Output, M> {
    pub(super) output: &'a O,
    pub(super) out: &'a Disjoint<'a, O::Element>,
    pub(super) stride: usize,
    pub(super) weights: Weights<'a>,
    /// What the bytes of the left operand mean.
    pub(super) meaning: M,
    /// Room for the sums of a block's rows.
    pub(super) row_sums: &'a mut [i32],
    /// The block's first row.
    pub(super) first_row: usize,
}

impl<P: ByteProduct, O: Output, M: Meaning> Epilogue<P> for Write<'_, O, M> {
    #[inline(always)]
    fn begin(&mut self, block: &Block<'_, P, impl Rows<P>>) {
        self.first_row = block.rows.start;
        if self.weights.zero_points().is_some() {
            for index in block.rows.clone() {
                self.row_sums[index - self.first_row] = P::row_sum(block.row(index));
            }
        }
    }

    #[inline(always)]
    fn finish(&mut self, mut tile: Finished<'_, i32>) {
        self.remove_rhs_zero_points(&mut tile);
        let columns = self.weights.n() - tile.panel * PANEL;
        // Written out for every number of panels: loops over panels, checking each piece they
        // write, cost 8 % of 1024^3.
        match tile.panels.min(columns / PANEL) {
            0 => {}
            1 => self.write::<1>(&tile),
            2 => self.write::<2>(&tile),
            3 => self.write::<3>(&tile),
            _ => self.write::<MAX_PANELS>(&tile),
        }
        if columns < tile.panels * PANEL {
            self.write_last(&tile, columns / PANEL, columns % PANEL);
        }
    }
}

impl<O: Output, M: Meaning> Write<'_, O, M> {
    /// Rarely anything to do: weights are mostly symmetric.
    #[inline(always)]
    fn remove_rhs_zero_points(&self, tile: &mut Finished<'_, i32>) {
        let Some(zeros) = self.weights.zero_points() else { return };
        for (r, sums) in tile.sums.chunks_exact_mut(tile.panels).enumerate() {
            let row_sum = self.row_sums[tile.row + r - self.first_row];
            for (sums, zeros) in sums.iter_mut().zip(&zeros[tile.panel..]) {
                for c in 0..PANEL {
                    sums[c] = sums[c].wrapping_sub(zeros[c].wrapping_mul(row_sum));
                }
            }
        }
    }

    /// Writes the first `NP` panels of a tile.
    #[inline(always)]
    fn write<const NP: usize>(&self, tile: &Finished<'_, i32>) {
        let mut columns = [self.columns(tile.panel); NP];
        for p in 1..NP {
            columns[p] = self.columns(tile.panel + p);
        }
        for (r, sums) in tile.sums.chunks_exact(tile.panels).enumerate() {
            let row = self.row(tile.row + r);
            let (out, _) = self.target(row.index, tile.panel * PANEL, NP * PANEL).as_chunks_mut();
            let mut column = tile.panel * PANEL;
            for ((out, sums), columns) in out.iter_mut().zip(&sums[..NP]).zip(&columns) {
                *out = self.convert(columns, &row, column, sums);
                column += PANEL;
            }
        }
    }

    /// Writes the first `width` columns of the last panel of the matrix, panel `p` of a tile.
    #[inline(always)]
    fn write_last(&self, tile: &Finished<'_, i32>, p: usize, width: usize) {
        let panel = tile.panel + p;
        let columns = self.columns(panel);
        for r in 0..tile.rows {
            let row = self.row(tile.row + r);
            let sums = &tile.sums[r * tile.panels + p];
            let values = self.convert(&columns, &row, panel * PANEL, sums);
            self.target(row.index, panel * PANEL, width).copy_from_slice(&values[..width]);
        }
    }

    /// What a panel takes off its sums, the left zero point times the column sums, and what the
    /// output needs of it. Where each row has a zero point of its own, the column sums alone.
    #[inline(always)]
    fn columns(&self, panel: usize) -> ([i32; PANEL], O::Columns) {
        let sums = self.weights.sums()[panel];
        let offset = match M::ONE_ZERO_POINT {
            true => sums.map(|sum| self.meaning.zero_point(0).wrapping_mul(sum)),
            false => sums,
        };
        (offset, self.output.columns(panel * PANEL))
    }

    #[inline(always)]
    fn row(&self, index: usize) -> Row {
        Row { index, zero: self.meaning.zero_point(index), scale: self.meaning.scale(index) }
    }

    #[inline(always)]
    fn convert(
        &self,
        (offset, columns): &([i32; PANEL], O::Columns),
        row: &Row,
        column: usize,
        sums: &[i32; PANEL],
    ) -> [O::Element; PANEL] {
        let mut sums = *sums;
        for c in 0..PANEL {
            let times = if M::ONE_ZERO_POINT { 1 } else { row.zero };
            sums[c] = sums[c].wrapping_sub(times.wrapping_mul(offset[c]));
        }
        let place = Place { row: row.index, column, scale: row.scale };
        self.output.convert(columns, place, sums)
    }

    #[inline(always)]
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn target(&self, row: usize, column: usize, width: usize) -> &mut [O::Element] {
        let start = row * self.stride + column;
        // SAFETY: parts of a split do not overlap, a part's tiles do not, and a tile's pieces
        // are written one after the other.
        unsafe { self.out.part(start..start + width) }
    }
}

/// A row of the left operand and what its bytes mean.
struct Row {
    index: usize,
    zero: i32,
    scale: f32,
}
