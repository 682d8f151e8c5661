//! What becomes of a finished tile while it is in the first-level cache: zero points are taken
//! out, and an [`Output`] turns the sums into what the caller asked for.

use super::drive::{Block, Epilogue, Finished, Rows};
use super::pack::Weights;
use super::table::MAX_PANELS;
use super::{Error, Lhs};
use crate::matrix::Disjoint;
use crate::product::Bytes;
use crate::vector::{ByteDot, GROUP, PANEL};

/// Turns sums into output elements, one row of a panel of 16 columns at a time.
///
/// Implement it for an output of your own, with `#[inline(always)]` on [`Output::columns`] and
/// [`Output::convert`], which then are compiled for the instruction set in use. They do the same
/// operations in the same order on every one of them, so write none that may be fused on some.
pub trait Output: Sync {
    /// What is written.
    type Element: Copy + Send + Sync;
    /// What a panel of columns needs, read once for all rows of a tile.
    type Columns: Copy;

    /// Whether this output goes with `columns` columns.
    ///
    /// # Errors
    /// [`Error::Length`] when not.
    fn check(&self, columns: usize) -> Result<(), Error>;

    /// Reads what the columns from `first` on need; past the last column it does not matter.
    fn columns(&self, first: usize) -> Self::Columns;

    /// Converts the sums of those columns in one row.
    fn convert(
        &self,
        columns: &Self::Columns,
        row: usize,
        sums: [i32; PANEL],
    ) -> [Self::Element; PANEL];
}

/// Writes the sums themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Store;

impl Output for Store {
    type Element = i32;
    type Columns = ();

    fn check(&self, _columns: usize) -> Result<(), Error> {
        Ok(())
    }

    #[inline(always)]
    fn columns(&self, _first: usize) {}

    #[inline(always)]
    fn convert(&self, (): &(), _row: usize, sums: [i32; PANEL]) -> [i32; PANEL] {
        sums
    }
}

/// One scale, or one for every column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scales<'a> {
    /// The same for all.
    Tensor(f32),
    /// One a column.
    Columns(&'a [f32]),
}

/// Writes real numbers: `f32(sum) * (lhs_scale * scale) + bias`.
///
/// In this order, each operation rounded by itself (nothing is fused), so that the bits are the
/// same on every CPU. Without a bias nothing is added.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dequantise<'a> {
    /// The scale of the activations.
    pub lhs_scale: f32,
    /// The scales of the weights.
    pub scales: Scales<'a>,
    /// Added at the end, one a column.
    pub bias: Option<&'a [f32]>,
}

impl Output for Dequantise<'_> {
    type Element = f32;
    /// Factors and, if any, bias.
    type Columns = ([f32; PANEL], Option<[f32; PANEL]>);

    fn check(&self, columns: usize) -> Result<(), Error> {
        let scales = match self.scales {
            Scales::Tensor(_) => None,
            Scales::Columns(scales) => Some(("scales", scales)),
        };
        for (what, values) in scales.into_iter().chain(self.bias.map(|bias| ("biases", bias))) {
            if values.len() != columns {
                return Err(Error::Length { what, given: values.len(), expected: columns });
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn columns(&self, first: usize) -> Self::Columns {
        let scales = match self.scales {
            Scales::Tensor(scale) => [scale; PANEL],
            Scales::Columns(scales) => window(scales, first),
        };
        let factors = scales.map(|scale| self.lhs_scale * scale);
        (factors, self.bias.map(|bias| window(bias, first)))
    }

    #[inline(always)]
    fn convert(
        &self,
        (factors, bias): &Self::Columns,
        _row: usize,
        sums: [i32; PANEL],
    ) -> [f32; PANEL] {
        let mut values = [0.0; PANEL];
        for c in 0..PANEL {
            values[c] = sums[c] as f32 * factors[c];
        }
        if let Some(bias) = bias {
            for c in 0..PANEL {
                values[c] += bias[c];
            }
        }
        values
    }
}

/// Sixteen values from `start`, zeros where there are no more.
#[inline(always)]
fn window(values: &[f32], start: usize) -> [f32; PANEL] {
    let rest = &values[start..];
    if let Some(full) = rest.first_chunk() {
        return *full;
    }
    let mut window = [0.0; PANEL];
    window[..rest.len()].copy_from_slice(rest);
    window
}

/// Takes out the zero points and writes one member's part.
pub(super) struct Write<'a, O: Output> {
    pub(super) output: &'a O,
    pub(super) out: &'a Disjoint<'a, O::Element>,
    pub(super) stride: usize,
    pub(super) weights: Weights<'a>,
    pub(super) lhs: Lhs<'a>,
    /// Room for the sums of a block's rows.
    pub(super) row_sums: &'a mut [i32],
    /// The block's first row.
    pub(super) first_row: usize,
}

impl<T: ByteDot, O: Output> Epilogue<Bytes<T>> for Write<'_, O> {
    #[inline(always)]
    fn begin(&mut self, block: &Block<'_, Bytes<T>, impl Rows<Bytes<T>>>) {
        self.first_row = block.rows.start;
        if self.weights.zero_points().is_some() {
            for index in block.rows.clone() {
                self.row_sums[index - self.first_row] = row_sum(block.row(index));
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

impl<O: Output> Write<'_, O> {
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
            let row = tile.row + r;
            let (out, _) = self.target(row, tile.panel * PANEL, NP * PANEL).as_chunks_mut();
            for ((out, sums), columns) in out.iter_mut().zip(&sums[..NP]).zip(&columns) {
                *out = self.convert(columns, row, sums);
            }
        }
    }

    /// Writes the first `width` columns of the last panel of the matrix, panel `p` of a tile.
    #[inline(always)]
    fn write_last(&self, tile: &Finished<'_, i32>, p: usize, width: usize) {
        let panel = tile.panel + p;
        let columns = self.columns(panel);
        for r in 0..tile.rows {
            let row = tile.row + r;
            let values = self.convert(&columns, row, &tile.sums[r * tile.panels + p]);
            self.target(row, panel * PANEL, width).copy_from_slice(&values[..width]);
        }
    }

    /// What a panel takes off its sums, the left zero point times the column sums, and what the
    /// output needs of it.
    #[inline(always)]
    fn columns(&self, panel: usize) -> ([i32; PANEL], O::Columns) {
        let zero = self.lhs.raw_zero_point();
        let offset = self.weights.sums()[panel].map(|sum| zero.wrapping_mul(sum));
        (offset, self.output.columns(panel * PANEL))
    }

    #[inline(always)]
    fn convert(
        &self,
        (offset, columns): &([i32; PANEL], O::Columns),
        row: usize,
        sums: &[i32; PANEL],
    ) -> [O::Element; PANEL] {
        let mut sums = *sums;
        for c in 0..PANEL {
            sums[c] = sums[c].wrapping_sub(offset[c]);
        }
        self.output.convert(columns, row, sums)
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

#[inline(always)]
fn row_sum(groups: &[[u8; GROUP]]) -> i32 {
    groups.as_flattened().iter().fold(0, |sum, &byte| sum.wrapping_add(byte.into()))
}
