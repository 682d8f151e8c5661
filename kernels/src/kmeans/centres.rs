//! Centres made ready for the kernels, and the bound that says when to trust the fast pass.
//!
//! # The fast pass
//!
//! With `o` a common offset (the mean of the centres, or where a lattice begins, a number of the
//! points' kind), and
//! `x' = fl(x - o)` and `c' = fl(c - o)` rounded to `f32` whatever points and centres are, the fast
//! pass evaluates in `f32`, for each centre,
//!
//! ```text
//! s = |c'|^2 - 2 x'.c'        (the squared distance but for |x'|^2, which no centre changes)
//! ```
//!
//! adding to the norm one product with `-2 c'` per feature. The low `b` bits of `s`
//! are then overwritten with the number of the centre, so that the least `s` also says whose it
//! is, and the two least are kept.
//!
//! # The bound
//!
//! Let `u = 2^-24`, and for one point and one centre `X = |x'|`, `C = |c'|` and
//! `D = |x' - c'|^2`. The scores of the two least centres are about `D - X^2`. By how much is
//! `s + X^2` off the distance by the definition?
//!
//! * The norm, summed in `f64`, is rounded to `f32`: `u C^2`.
//! * Products and sums, a rounding each (where they are fused there are fewer):
//!   `(d + 1) u (C^2 + 2 X C)`, for no partial sum is larger than `C^2 + 2 X C`, and the products
//!   together are no more than `2 X C`.
//! * Moving by `o` rounds each coordinate to `f32` (from `f64`, twice, but the first rounding is of
//!   second order): `|(x' - c') - (x - c)| <= u (X + C)`, so squares differ by at most
//!   `2u sqrt(D) (X + C)`, to first order.
//! * The definition itself rounds in `f64`, which is less than `u D`.
//! * The number in the low bits: `2^(b-23) |s|`.
//!
//! With `C <= X + sqrt(D)` and `4 X sqrt(D) <= X^2 + 4 D`, all but the last are together at most
//! `(d + 5) u (4 X^2 + 5 D)`: no centre matters but the one in question, however far others are.
//! In terms of the scores, with `E = (d + 5) u`:
//!
//! ```text
//! |s + X^2 - definition| <= (2^(b-23) + 5E) |s| + 9E X^2
//! ```
//!
//! The bound grows more slowly than `s`, so what holds for the second least score holds for all
//! others: if the two least are farther apart than the sum of their bounds, the least is the
//! nearest by the definition. What is of second order, and the rounding of the test itself, is
//! paid for by a sixteenth on top, which holds for `d <= 2^16` and `b <= 18`; beyond, nothing is
//! trusted. Scores below the normal range are covered by an absolute term, overflow by
//! [`Trust::floor`] being infinite and by [`Trust::GUARD`].

use super::Error;
use super::bytes;
use super::on_lattice::OnLattice;
use super::prune;
use super::recipe::{Form, Recipe, Tile};
use super::source::Source;
use crate::Matrix;
use crate::buffer::Buffer;
use crate::points::{Element, NotFinite};
use crate::vector::{PANEL, Real};
use core::cmp::Ordering;

/// Centres compared by the definition at a time: one 512-bit register of `f64`.
pub(super) const EXACT: usize = 8;

/// Most centres that share the numbers in the low bits of scores.
pub(super) const RUN: usize = 64;

/// Most features, and most numbers in the low bits, the bound is proven for.
const PROVEN: (usize, usize) = (1 << 16, 1 << 18);

/// How the panels of the fast pass are laid out: `-2 c'` feature by feature, then the norms, and
/// for [`Form::Lanes`] the bits that number the centres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    form: Form,
    tile: Tile,
    /// Whether blocks are tested for centres to leave out.
    bounds: bool,
    /// Centres in a panel.
    width: usize,
    /// Lines in a panel, one value for each centre in each.
    lines: usize,
    /// How many different numbers the low bits of scores hold.
    numbers: usize,
}

impl Layout {
    fn new(Recipe { form, tile, bounds, .. }: Recipe, k: usize, d: usize) -> Self {
        let (width, lines, numbers) = match form {
            Form::Lanes | Form::Cells => {
                let width = tile.centres;
                (width, d + 2, k.next_multiple_of(width).min(RUN))
            }
            Form::Tile | Form::Bytes => (PANEL, d + 1, k.div_ceil(PANEL)),
        };
        Layout { form, tile, bounds, width, lines, numbers }
    }
}

/// Storage for centres made ready; part of a `Scratch`.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    layout: Layout,
    offset: Buffer<f64>,
    fast: Buffer<f32>,
    columns: Buffer<f32>,
    exact: Buffer<f64>,
    /// For [`Form::Bytes`], and the tile of floats where that is in vain.
    lattice: Option<OnLattice>,
    floats: Tile,
    /// How often centres were made ready.
    times: u64,
}

/// Centres made ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready<'a> {
    pub(super) k: usize,
    pub(super) d: usize,
    /// What is taken from every point and centre before the fast pass: numbers of the points' kind.
    pub(super) offset: &'a [f64],
    /// Panels as [`Layout`] says.
    pub(super) fast: &'a [f32],
    /// Centres less the offset as blocks are tested with, if they are.
    pub(super) columns: &'a [f32],
    /// The recipe's tile.
    pub(super) tile: Tile,
    /// The tile of products of floats.
    pub(super) floats: Tile,
    /// For [`Form::Bytes`]: centres on the lattice.
    pub(super) bytes: Option<bytes::Centres<'a>>,
    /// Panels of [`EXACT`] centres as they are, feature by feature.
    pub(super) exact: &'a [f64],
    /// The low bits of a score, which are the number of its centre.
    pub(super) mask: u32,
    /// Another number for each time centres were made ready in the same storage, never 0.
    pub(super) time: u64,
    pub(super) trust: Trust,
    /// No centre that is left out is nearer than the root of this by the definition.
    pub(super) beyond: f32,
}

/// The gap between the two least scores from which their order is certain is
/// `scores * (|best| + |second|) + square * (GUARD * X^2) + floor`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trust {
    pub(super) scores: f32,
    pub(super) square: f32,
    pub(super) floor: f32,
}

impl Storage {
    /// For `k` centres of `d` features.
    pub(super) fn new(
        (k, d): (usize, usize),
        recipe: Recipe,
        (levels, floats): (u8, Tile),
    ) -> Result<Self, Error> {
        let lattice = match recipe.form {
            Form::Bytes => Some(OnLattice::new(k, d, recipe.tile, levels)?),
            Form::Lanes | Form::Cells | Form::Tile => None,
        };
        let layout = Layout::new(recipe, k, d);
        let panels = k.div_ceil(layout.width);
        let columns =
            if recipe.bounds || recipe.form == Form::Cells { prune::columns(k, d) } else { 0 };
        Ok(Storage {
            layout,
            offset: Buffer::zeroed(d)?,
            fast: Buffer::zeroed((panels * layout.width).saturating_mul(layout.lines))?,
            columns: Buffer::zeroed(columns)?,
            exact: Buffer::zeroed(k.next_multiple_of(EXACT).saturating_mul(d))?,
            lattice,
            floats,
            times: 0,
        })
    }

    /// Looks at the points that are going to be labelled, if that helps.
    pub(super) fn observe<T: Element>(&mut self, source: &Source<'_, T>) -> Result<(), Error> {
        self.lattice.as_mut().map_or(Ok(()), |lattice| lattice.observe(source))
    }

    /// Whether this is what [`Storage::new`] makes of the same.
    pub(super) fn fits(
        &self,
        (k, d): (usize, usize),
        recipe: Recipe,
        (levels, floats): (u8, Tile),
    ) -> bool {
        self.layout == Layout::new(recipe, k, d)
            && self.lattice.as_ref().is_none_or(|lattice| lattice.has(levels))
            && self.floats == floats
            && self.offset.len() == d
            && self.exact.len() == k.next_multiple_of(EXACT) * d
    }

    /// Makes `centres` ready for points of `T`; there are as many as told when this was made.
    pub(super) fn prepare<T: Element, C: Real>(
        &mut self,
        centres: Matrix<'_, C>,
    ) -> Result<Ready<'_>, Error> {
        let (k, d) = (centres.rows(), centres.cols());
        if let Some(bad) = NotFinite::find(centres) {
            return Err(Error::Centres(bad));
        }
        let Storage { layout, offset, fast, columns, exact, lattice, floats, times } = self;
        *times += 1;
        match lattice {
            Some(lattice) => lattice.corner::<T, C>(centres, offset),
            None => mean::<T, C>(centres, offset),
        }
        let largest = fill_fast(centres, offset, *layout, fast);
        prune::fill(fast, (k, d), layout.width, columns);
        fill_exact(centres, exact);
        let numbers = layout.numbers.next_power_of_two();
        let (mask, trust) = (numbers as u32 - 1, Trust::new(d, numbers, largest));
        let bytes = lattice.as_mut().map(|lattice| lattice.prepare(centres, offset));
        let (tile, floats, time, beyond) = (layout.tile, *floats, *times, f32::INFINITY);
        Ok(Ready {
            k,
            d,
            offset,
            fast,
            columns,
            tile,
            floats,
            bytes,
            exact,
            mask,
            time,
            trust,
            beyond,
        })
    }
}

impl Trust {
    /// `X^2` is multiplied by this before it meets its factor, so that it overflows, and nothing
    /// is trusted, before any score can: `X^2, C^2 < 2^120` keep `|s|` below `2^122`.
    pub(super) const GUARD: f32 = 256.0;

    /// Far above what rounding below the normal range can do with any number of features.
    pub(super) const TINY: f32 = 1e-37;

    /// For scores whose low bits hold one of `numbers`; `largest` is the largest `C^2`, or 0 where
    /// that is known to be small enough.
    pub(super) fn new(d: usize, numbers: usize, largest: f64) -> Self {
        const U: f64 = 1.0 / (1u64 << 24) as f64;
        if d > PROVEN.0 || numbers > PROVEN.1 || largest >= (1u128 << 120) as f64 {
            return Trust { scores: f32::INFINITY, square: f32::INFINITY, floor: f32::INFINITY };
        }
        let (number, each) = (numbers as f64 * 2.0 * U, (d + 5) as f64 * U);
        let more = 1.0 + 1.0 / 16.0;
        Trust {
            scores: ((number + 5.0 * each) * more) as f32,
            square: (18.0 * each * more / f64::from(Self::GUARD)) as f32,
            floor: Self::TINY,
        }
    }
}

impl Trust {
    /// Whether the order of two scores is not certain, `square` being `X^2`.
    #[inline(always)]
    pub(super) fn doubts(&self, best: f32, second: f32, square: f32) -> bool {
        let needed = self.scores * (best.abs() + second.abs())
            + self.square * (square * Self::GUARD)
            + self.floor;
        // What is not a number is doubtful too.
        !matches!((second - best).partial_cmp(&needed), Some(Ordering::Greater))
    }
}

/// The mean of the centres as points could have it; any number would be right.
fn mean<T: Element, C: Real>(centres: Matrix<'_, C>, offset: &mut [f64]) {
    for (feature, mean) in offset.iter_mut().enumerate() {
        let sum: f64 = (0..centres.rows()).map(|j| centres.row(j)[feature].into()).sum();
        let near = T::offset_f64(T::offset(sum / centres.rows() as f64));
        *mean = if near.is_finite() { near } else { 0.0 };
    }
}

/// Fills the panels of the fast pass and returns the largest `|c'|^2`. Centres that only fill up
/// the last panel are farther than any other.
fn fill_fast<C: Real>(
    centres: Matrix<'_, C>,
    offset: &[f64],
    layout: Layout,
    fast: &mut [f32],
) -> f64 {
    let Layout { width, lines, .. } = layout;
    let (d, mut largest) = (offset.len(), 0.0);
    for (panel, values) in fast.chunks_exact_mut(lines * width).enumerate() {
        let (products, rest) = values.split_at_mut(d * width);
        let (norms, numbers) = rest.split_at_mut(width);
        for (lane, number) in numbers.iter_mut().enumerate() {
            *number = f32::from_bits((panel % (RUN / width) * width + lane) as u32);
        }
        for lane in 0..width {
            let centre = panel * width + lane;
            if centre >= centres.rows() {
                products[lane..].iter_mut().step_by(width).for_each(|value| *value = 0.0);
                norms[lane] = f32::MAX;
                continue;
            }
            let mut norm = 0.0;
            for (feature, (&c, o)) in centres.row(centre).iter().zip(offset).enumerate() {
                let moved = (c.into() - o) as f32;
                products[feature * width + lane] = -2.0 * moved;
                norm += f64::from(moved) * f64::from(moved);
            }
            norms[lane] = norm as f32;
            largest = f64::max(largest, norm);
        }
    }
    largest
}

/// Fills the panels of the definition. Centres that only fill up are infinitely far.
fn fill_exact<C: Real>(centres: Matrix<'_, C>, exact: &mut [f64]) {
    let d = centres.cols();
    for centre in 0..centres.rows().next_multiple_of(EXACT) {
        let panel = &mut exact[centre / EXACT * EXACT * d..][..EXACT * d];
        for feature in 0..d {
            panel[feature * EXACT + centre % EXACT] = if centre < centres.rows() {
                centres.row(centre)[feature].into()
            } else {
                f64::INFINITY
            };
        }
    }
}
