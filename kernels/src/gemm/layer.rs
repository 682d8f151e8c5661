//! Stages that tiles do themselves, before their sums leave the registers: those of a linear layer.
//!
//! An [`Output`] is compiled with the crate that writes it, tiles are compiled with this one. So a tile
//! can do no stage but those it knows, in the one order they mostly come in:
//!
//! ```text
//! nothing                                             Store
//! f32(sum) * (row * column) + bias                    Dequantise, Bias
//! an activation of that                               Dequantise, Bias, then Relu, Gelu or GeluTanh
//! ```
//!
//! Each stage says what becomes known by it ([`Output::known`]). What is not known is done by the
//! [epilogue](super::epilogue), by the same formulas; so are tiles with a last panel that is not whole,
//! tiles of few rows, products whose depth is cut or 0, weights with zero points, transposed outputs, and
//! everything on other instruction sets than those of [`makes`](super::tile::makes).
//!
//! What it gains is mostly not the way of the sums through memory, but what stands between the products
//! of one tile and the next: a CPU looks some 300 instructions ahead, and no product is on its way while
//! it gets through more than that. One Zen 4 core, a layer's time over that of its sums, before and after:
//! 128x768x768 (rows, depth, columns) 1.09 and 1.06, with GELU 1.155 and 1.12; 128x768x3072 1.055 and 1.03,
//! with GELU 1.115 and 1.087. Going through the panels of a finished tile one after the other in the
//! epilogue instead, so that scales and biases stay in registers: 1.0 with GELU, 0.985 without.

use super::output::{Output, Place};
use super::stages::{Bias, Dequantise, Gelu, GeluTanh, Relu, Scales};
use super::table::{MAX_PANELS, MAX_ROWS};
use super::tile::Last;
use crate::matrix::{Disjoint, RowsMut};
use crate::product::Sum;
use crate::vector::PANEL;
use bytemuck::Pod;

/// What is known of some stages that make elements of sums. An output that gives back something else than
/// what it does is not believed more than it is worth: wrong numbers, in their places.
#[doc(hidden)]
#[derive(Debug)]
pub struct Known<'a, E> {
    dequantise: Option<Dequantise<'a>>,
    bias: Option<Bias<'a, f32>>,
    activation: Activation,
    /// That elements are 32 bits, whatever `E` is called where this is used.
    bits: for<'b> fn(&Disjoint<'b, E>) -> Disjoint<'b, u32>,
}

/// What follows the bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activation {
    None,
    Relu,
    Gelu,
    GeluTanh,
}

fn bits<'b, E: Pod>(out: &Disjoint<'b, E>) -> Disjoint<'b, u32> {
    out.cast()
}

impl<S: Pod> Known<'_, S> {
    /// No stage at all.
    pub(super) fn sums() -> Self {
        let activation = Activation::None;
        Known { dequantise: None, bias: None, activation, bits }
    }
}

impl<'a> Known<'a, i32> {
    /// By scales.
    pub(super) fn dequantised(self, by: Dequantise<'a>) -> Known<'a, f32> {
        Known { dequantise: Some(by), bias: None, activation: Activation::None, bits }
    }
}

impl<'a> Known<'a, f32> {
    /// By biases.
    pub(super) fn biased(self, by: Bias<'a, f32>) -> Option<Self> {
        let first = self.bias.is_none() && self.activation == Activation::None;
        first.then_some(Known { bias: Some(by), ..self })
    }

    /// By an activation.
    pub(super) fn activated(self, activation: Activation) -> Option<Self> {
        (self.activation == Activation::None).then_some(Known { activation, ..self })
    }
}

impl<'a, E> Known<'a, E> {
    /// The layer, if it is one, and the elements of an output as sums have to write them; none for stages
    /// that are neither a layer nor nothing.
    pub(super) fn of<'b, S: Sum>(
        &self,
        out: &Disjoint<'b, E>,
    ) -> Option<(Option<Layer<'a>>, Disjoint<'b, S>)> {
        let activation = self.activation;
        let layer = match (self.dequantise, self.bias) {
            (Some(dequantise), Some(bias)) => Some(Layer { dequantise, bias, activation }),
            (None, None) if activation == Activation::None => None,
            _ => return None,
        };
        Some((layer, (self.bits)(out).cast()))
    }
}

/// The stages of a linear layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layer<'a> {
    dequantise: Dequantise<'a>,
    bias: Bias<'a, f32>,
    activation: Activation,
}

impl Layer<'_> {
    /// The same for a tile from a column on, whose rows have these scales.
    #[inline(always)]
    pub(super) fn tile<'b>(&'b self, scales: &'b [f32; MAX_ROWS], column: usize) -> OfTile<'b> {
        OfTile { layer: self, scales, column }
    }
}

/// A layer's stages for a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct OfTile<'a> {
    layer: &'a Layer<'a>,
    scales: &'a [f32; MAX_ROWS],
    column: usize,
}

/// Those stages, as tiles do them.
pub(super) enum InLayer {}

impl Last<i32> for InLayer {
    type Of<'a> = OfTile<'a>;

    const ANY: bool = false;

    #[inline(always)]
    fn leave<const MR: usize, const NP: usize>(
        of: OfTile<'_>,
        sums: impl Fn(usize, usize) -> [i32; PANEL],
        mut out: RowsMut<'_, i32>,
    ) {
        of.real::<MR, NP>(sums, &mut out);
        match of.layer.activation {
            Activation::None => {}
            Activation::Relu => activate::<MR, NP>(Relu, out),
            Activation::Gelu => activate::<MR, NP>(Gelu, out),
            Activation::GeluTanh => activate::<MR, NP>(GeluTanh, out),
        }
    }
}

impl OfTile<'_> {
    /// Writes real numbers, panel by panel, so that what its columns need stays in registers for all rows.
    #[inline(always)]
    fn real<const MR: usize, const NP: usize>(
        &self,
        sums: impl Fn(usize, usize) -> [i32; PANEL],
        out: &mut RowsMut<'_, i32>,
    ) {
        const { assert!(MAX_ROWS == 8 && MAX_PANELS == 4, "as many are written out") };
        let Layer { dequantise, bias, .. } = *self.layer;
        let real = dequantise.then(bias);
        // Written out: where loops count rows and panels, sums go to memory before they are unrolled,
        // and come from there into the loop of the tile, too (1024^3 0.96).
        macro_rules! rows {
            ($p:literal: $($r:literal)*) => {
                if $p < NP {
                    let column = self.column + $p * PANEL;
                    let columns = self.columns(column);
                    $(if $r < MR {
                        // Neither stage asks for the row.
                        let place = Place { row: 0, column, scale: self.scales[$r] };
                        let values = real.convert(&columns, place, sums($r, $p));
                        out.row::<PANEL, NP>($r)[$p] = bytemuck::cast(values);
                    })*
                }
            };
        }
        rows!(0: 0 1 2 3 4 5 6 7);
        rows!(1: 0 1 2 3 4 5 6 7);
        rows!(2: 0 1 2 3 4 5 6 7);
        rows!(3: 0 1 2 3 4 5 6 7);
    }

    /// What a whole panel needs. Without the calls that [`Output::columns`] makes for a last one, for
    /// which all sums would have to leave their registers.
    #[inline(always)]
    fn columns(&self, first: usize) -> ([f32; PANEL], [f32; PANEL]) {
        let Layer { dequantise, bias, .. } = self.layer;
        let some =
            |values: &[f32]| -> [f32; PANEL] { *values[first..].first_chunk().expect("a panel") };
        let scales = match dequantise.scales {
            Scales::All(scale) => [scale; PANEL],
            Scales::Each(scales) => some(scales),
        };
        (scales, some(bias.0))
    }
}

/// Puts what an activation makes of the numbers of a tile in their place. Once all of them are real: a
/// chain of all operations of a number is so long that a CPU has too few of them on their way (GELU of
/// 128x3072x768 takes 8 % of a layer's time on one Zen 4 core, so 6 %).
#[inline(always)]
fn activate<const MR: usize, const NP: usize>(
    activation: impl Output<f32, Element = f32, Columns = ()>,
    mut out: RowsMut<'_, i32>,
) {
    let place = Place { row: 0, column: 0, scale: 1.0 };
    for r in 0..MR {
        for bits in out.row::<PANEL, NP>(r) {
            let values = activation.convert(&(), place, bytemuck::cast(*bits));
            *bits = bytemuck::cast(values);
        }
    }
}
