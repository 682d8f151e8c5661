//! Centres made ready for the kernels, and the bound that says when to trust the fast pass.
//!
//! # The fast pass
//!
//! With `o` a common offset (the mean of the centres), `x' = fl(x - o)` and `c' = fl(c - o)`, the
//! fast pass evaluates in `f32`, for each centre,
//!
//! ```text
//! s = |c'|^2 - 2 x'.c'        (the squared distance but for |x'|^2, which no centre changes)
//! ```
//!
//! starting at the norm and adding one product with `-2 c'` per feature. The low `b` bits of `s`
//! are then overwritten with the number of the centre, so that the least `s` also says whose it
//! is, and the two least are kept.
//!
//! # The bound
//!
//! Let `u = 2^-24`, `X = |x'|`, and `C` the largest `|c'|`. How far can `s + |x'|^2` be from the
//! distance by the definition, for any centre?
//!
//! * moving by `o` rounds each coordinate once: `|(x' - c') - (x - c)| <= u (X + C)`, so squares
//!   differ by at most `2u (X + C)^2`, to first order;
//! * the norm, summed in `f64`, is rounded to `f32`: `u C^2`;
//! * `d` products and sums, each rounded at most twice: `2d u (C^2 + 2 X C)`;
//! * the number in the low bits: at most `2^(b-23) |s| <= 2^(b-23) (C^2 + 2 X C)`;
//! * the definition itself rounds in `f64`, `(d + 3) 2^-53 (X + C)^2`: less than `u (X + C)^2`.
//!
//! Together at most `e = E (X + C)^2` with `E = (2d + 8) u + 2^(b-23)`, which leaves `4u` to
//! spare. If the two least scores are more than `2e <= 4E (X^2 + C^2)` apart, their order is that
//! of the definition. What is of second order, and the rounding of the test itself (at most
//! `(2d + 8) u` of it), is paid for by a sixteenth on top, which holds for `d <= 2^17`; with more
//! features nothing is trusted. Scores below the normal range are covered by an absolute term,
//! overflow by [`Ready::floor`] being infinite and by [`Ready::GUARD`].

use super::Error;
use crate::Matrix;
use crate::buffer::Buffer;
use crate::points::NotFinite;

/// Centres compared by the definition at a time: one 512-bit register of `f64`.
pub(super) const EXACT: usize = 8;

/// Most centres that share the numbers in the low bits of scores.
pub(super) const RUN: usize = 64;

/// Most features the bound is proven for.
const PROVEN: usize = 1 << 17;

/// Storage for centres made ready; part of a `Scratch`.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    offset: Buffer<f32>,
    fast: Buffer<f32>,
    exact: Buffer<f32>,
}

/// Centres made ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ready<'a> {
    pub(super) k: usize,
    pub(super) d: usize,
    /// What is taken from every point and centre before the fast pass.
    pub(super) offset: &'a [f32],
    /// Panels of as many centres as a tile has: `-2 c'` feature by feature, then the norms.
    pub(super) fast: &'a [f32],
    /// Panels of [`EXACT`] centres as they are, feature by feature.
    pub(super) exact: &'a [f32],
    /// How many of the low bits of a score are the number of its centre.
    pub(super) bits: u32,
    /// What a unit of `X^2` adds to the least gap to be trusted, divided by [`Ready::GUARD`].
    pub(super) slope: f32,
    /// The least gap to be trusted for `X = 0`.
    pub(super) floor: f32,
}

impl Storage {
    /// For `k` centres of `d` features in panels of `width`.
    pub(super) fn new(k: usize, d: usize, width: usize) -> Result<Self, Error> {
        Ok(Storage {
            offset: Buffer::zeroed(d)?,
            fast: Buffer::zeroed(k.next_multiple_of(width).saturating_mul(d + 1))?,
            exact: Buffer::zeroed(k.next_multiple_of(EXACT).saturating_mul(d))?,
        })
    }

    /// Makes `centres` ready in panels of `width`.
    pub(super) fn prepare(
        &mut self,
        centres: Matrix<'_, f32>,
        width: usize,
    ) -> Result<Ready<'_>, Error> {
        let (k, d) = (centres.rows(), centres.cols());
        if let Some(bad) = NotFinite::find(centres) {
            return Err(Error::Centres(bad));
        }
        mean(centres, &mut self.offset);
        let largest = fill_fast(centres, &self.offset, width, &mut self.fast);
        fill_exact(centres, &mut self.exact);
        let bits = k.next_multiple_of(width).min(RUN).next_power_of_two().trailing_zeros();
        let (slope, floor) = trust(d, bits, largest);
        let Storage { offset, fast, exact } = self;
        Ok(Ready { k, d, offset, fast, exact, bits, slope, floor })
    }
}

impl Ready<'_> {
    /// `X^2` is multiplied by this before it meets the slope, so that it overflows, and nothing is
    /// trusted, before any score can: `X^2, C^2 < 2^120` keep `|s|` below `2^122`.
    pub(super) const GUARD: f32 = 256.0;
}

/// The slope and the floor of the gap to be trusted; see the bound above.
fn trust(d: usize, bits: u32, largest: f64) -> (f32, f32) {
    const U: f64 = 1.0 / (1u64 << 24) as f64;
    // Far above what subnormal rounding of any number of features up to the limit can do.
    const TINY: f64 = 1e-37;
    if d > PROVEN || largest >= (1u128 << 120) as f64 {
        return (f32::INFINITY, f32::INFINITY);
    }
    let relative = (2 * d + 8) as f64 * U + (1u64 << bits) as f64 * 2.0 * U;
    let gap = 4.0 * relative * (1.0 + 1.0 / 16.0);
    ((gap / f64::from(Ready::GUARD)) as f32, (gap * largest + TINY) as f32)
}

/// The mean of the centres.
fn mean(centres: Matrix<'_, f32>, offset: &mut [f32]) {
    for (feature, mean) in offset.iter_mut().enumerate() {
        let sum: f64 = (0..centres.rows()).map(|j| f64::from(centres.row(j)[feature])).sum();
        *mean = (sum / centres.rows() as f64) as f32;
    }
}

/// Fills the panels of the fast pass and returns the largest `|c'|^2`. Centres that only fill up
/// the last panel are farther than any other.
fn fill_fast(centres: Matrix<'_, f32>, offset: &[f32], width: usize, fast: &mut [f32]) -> f64 {
    let (d, mut largest) = (offset.len(), 0.0);
    for (panel, values) in fast.chunks_exact_mut((d + 1) * width).enumerate() {
        for lane in 0..width {
            let centre = panel * width + lane;
            if centre >= centres.rows() {
                values[lane..].iter_mut().step_by(width).for_each(|value| *value = 0.0);
                values[d * width + lane] = f32::MAX;
                continue;
            }
            let mut norm = 0.0;
            for (feature, (c, o)) in centres.row(centre).iter().zip(offset).enumerate() {
                let moved = c - o;
                values[feature * width + lane] = -2.0 * moved;
                norm += f64::from(moved) * f64::from(moved);
            }
            values[d * width + lane] = norm as f32;
            largest = f64::max(largest, norm);
        }
    }
    largest
}

/// Fills the panels of the definition. Centres that only fill up are infinitely far.
fn fill_exact(centres: Matrix<'_, f32>, exact: &mut [f32]) {
    let d = centres.cols();
    for centre in 0..centres.rows().next_multiple_of(EXACT) {
        let panel = &mut exact[centre / EXACT * EXACT * d..][..EXACT * d];
        for feature in 0..d {
            panel[feature * EXACT + centre % EXACT] =
                if centre < centres.rows() { centres.row(centre)[feature] } else { f32::INFINITY };
        }
    }
}
