//! What becomes of a finished tile while it is in the first-level cache: zero points are taken
//! out, and an [`Output`] turns the sums into what the caller asked for.

use super::drive::{Block, Epilogue, Finished, Rows};
use super::{Error, Lhs, PackedWeights};
use crate::matrix::Disjoint;
use crate::product::Bytes;
use crate::vector::{ByteDot, GROUP, PANEL};

/// Turns sums into output elements, up to 16 columns of a row at a time.
///
/// Implement it for an output of your own, with `#[inline(always)]` on [`Output::write`], which
/// then is compiled for the instruction set in use. Whatever operations it does, in whatever
/// order it writes them, are done in that order on every instruction set.
pub trait Output: Sync {
    /// What is written.
    type Element: Copy + Send + Sync;

    /// Whether this output goes with `columns` columns.
    ///
    /// # Errors
    /// [`Error::Length`] when not.
    fn check(&self, columns: usize) -> Result<(), Error>;

    /// Writes `out`, which starts at `row` and `column` of the product and is at most 16 long,
    /// from as many of `sums`.
    fn write(&self, row: usize, column: usize, sums: &[i32; PANEL], out: &mut [Self::Element]);
}

/// Writes the sums themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Store;

impl Output for Store {
    type Element = i32;

    fn check(&self, _columns: usize) -> Result<(), Error> {
        Ok(())
    }

    #[inline(always)]
    fn write(&self, _row: usize, _column: usize, sums: &[i32; PANEL], out: &mut [i32]) {
        fill(out, |c| sums[c]);
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
    fn write(&self, _row: usize, column: usize, sums: &[i32; PANEL], out: &mut [f32]) {
        let lhs_scale = self.lhs_scale;
        match self.scales {
            Scales::Tensor(scale) => fill(out, |c| sums[c] as f32 * (lhs_scale * scale)),
            Scales::Columns(scales) => {
                let scales = window(scales, column);
                fill(out, |c| sums[c] as f32 * (lhs_scale * scales[c]));
            }
        }
        if let Some(bias) = self.bias {
            let bias = window(bias, column);
            for (value, bias) in out.iter_mut().zip(bias) {
                *value += bias;
            }
        }
    }
}

/// Sixteen values from `start`, as far as there are so many.
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

/// Writes `out[c] = value(c)`; a full panel compiles to whole registers.
#[inline(always)]
fn fill<E>(out: &mut [E], value: impl Fn(usize) -> E) {
    if let Ok(full) = <&mut [E; PANEL]>::try_from(&mut *out) {
        for c in 0..PANEL {
            full[c] = value(c);
        }
    } else {
        for (c, out) in out.iter_mut().enumerate() {
            *out = value(c);
        }
    }
}

/// Takes out the zero points and writes one member's part.
pub(super) struct Write<'a, O: Output> {
    pub(super) output: &'a O,
    pub(super) out: &'a Disjoint<'a, O::Element>,
    pub(super) stride: usize,
    pub(super) weights: &'a PackedWeights,
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
    fn finish(&mut self, tile: Finished<'_, i32>) {
        for (r, sums) in tile.sums.chunks_exact_mut(tile.panels).enumerate() {
            for (p, sums) in sums.iter_mut().enumerate() {
                let (row, panel) = (tile.row + r, tile.panel + p);
                self.remove_zero_points(row, panel, sums);
                let column = panel * PANEL;
                let width = PANEL.min(self.weights.n() - column);
                let output = self.output;
                output.write(row, column, sums, self.target(row, column, width));
            }
        }
    }
}

impl<O: Output> Write<'_, O> {
    #[inline(always)]
    fn remove_zero_points(&self, row: usize, panel: usize, sums: &mut [i32; PANEL]) {
        let zero = self.lhs.raw_zero_point();
        if zero != 0 {
            let columns = &self.weights.sums()[panel];
            for c in 0..PANEL {
                sums[c] = sums[c].wrapping_sub(zero.wrapping_mul(columns[c]));
            }
        }
        if let Some(zeros) = self.weights.zero_points() {
            let row_sum = self.row_sums[row - self.first_row];
            for c in 0..PANEL {
                sums[c] = sums[c].wrapping_sub(zeros[panel][c].wrapping_mul(row_sum));
            }
        }
    }

    #[inline(always)]
    #[allow(unsafe_code, reason = "disjoint output views")]
    fn target(&mut self, row: usize, column: usize, width: usize) -> &mut [O::Element] {
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
