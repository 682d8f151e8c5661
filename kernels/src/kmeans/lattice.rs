//! Points and centres rounded to one lattice of bytes, and how far a byte may mislead.
//!
//! # The lattice
//!
//! A feature is a whole number of steps from the least value of it, 0 to [`levels`]; steps are as
//! long in all features, so that squares of distances on the lattice are squares of distances but
//! for one factor. Where the lattice lies is decided by a sample of the points and by the centres:
//! whatever falls outside it is rounded to its edge, which costs certainty, not correctness.
//!
//! # The bound
//!
//! Let `x` and `c` be a point and a centre, `x*` and `c*` what they are rounded to, `e = |x - x*|`
//! and `E` the greatest `|c - c*|` of all centres. Then `|x - c|` is within `e + E` of `|x* - c*|`,
//! which is known exactly, and a centre is farther than another if on the lattice it is farther by
//! more than `2 (e + E)`. Both are measured, in steps and in `f32`: with `u = 2^-24`, moving a feature
//! to the corner and dividing it by the step rounds it three times, by at most `4u` of itself, which
//! is at most the greatest byte and its error. That, the squares and the definition, which rounds in
//! `f64`, together are less than a part in `2^10` of the errors and one in `2^21` of the diagonal.

use super::lanes::multiply_add;
use crate::points::BLOCK;
use crate::vector::{ByteDot, GROUP};
use pulp::{Scalar, Simd};

/// `2^23`: a float added to it has its nearest whole number in its low bits.
const ROUND: f32 = (1 << 23) as f32;

/// Steps from and below which the squares of what counts are in the range of `f32`.
const LEAST: f32 = 1e-30;
const MOST: f32 = 1e30;

/// What is added to measured errors for being measured: a part in `2^10`.
const MORE: f32 = 1.0 + 1.0 / 1024.0;

/// The greatest byte: where two products are added in 16 bits on the way, half of what there is.
pub(super) const fn levels<V: ByteDot>() -> u8 {
    if V::CHOOSES { 127 } else { 255 }
}

/// Where the lattice is, but for its offset, which is the one of `Ready`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lattice {
    levels: u8,
    step: f32,
    inverse: f32,
    /// The greatest error of a centre and what rounding adds to an error, in steps.
    reach: f32,
}

/// What is known of the points of a block that were put on the lattice.
#[derive(Debug)]
pub(super) struct Rounded<'a> {
    /// The square of the point's error, in steps.
    pub(super) errors: &'a mut [f32; BLOCK],
    /// The square of the point, in steps from the corner of the lattice.
    pub(super) squares: &'a mut [u32; BLOCK],
}

impl Lattice {
    /// For points and centres that span up to `span` in a feature, of `d` features.
    pub(super) fn new(levels: u8, span: f64, d: usize) -> Self {
        let step = (span / f64::from(levels)) as f32;
        // Where all are alike, or so near each other or so far apart that errors would leave the
        // range of `f32`, any step will do: then nothing is certain.
        let step = if (LEAST..MOST).contains(&step) { step } else { 1.0 };
        let base = f64::from(levels) * root(d as f64) / f64::from(1 << 21);
        Lattice { levels, step, inverse: step.recip(), reach: base as f32 }
    }

    /// How far apart in steps two centres must be from a point to be told apart, where the root of
    /// [`Rounded::errors`] is `error`, by `add + factor * error`.
    pub(super) fn apart(&self) -> (f32, f32) {
        (2.0 * self.reach, 2.0 * MORE)
    }

    /// How long a step is.
    pub(super) fn step(&self) -> f32 {
        self.step
    }

    /// What bytes of points are less than they mean.
    pub(super) fn zero(&self) -> u8 {
        self.levels / 2 + 1
    }

    /// Rounds a feature of a centre that is `moved` from the corner: a byte, and the square of the
    /// error in steps.
    pub(super) fn round(&self, moved: f64) -> (u8, f64) {
        let at = moved / f64::from(self.step);
        let byte = (at.clamp(0.0, self.levels.into()) + 0.5) as u8;
        let error = at - f64::from(byte);
        (byte, error * error)
    }

    /// This lattice, for centres whose greatest square of an error is that, in steps.
    pub(super) fn for_centres(self, square: f64) -> Self {
        Lattice { reach: self.reach + root(square) as f32 * MORE, ..self }
    }

    /// Rounds a block of points, staged feature by feature and `moved` from the corner, in place:
    /// what was the first column of four becomes a line of four panels, sixteen points each, of
    /// bytes less [`Lattice::zero`].
    #[inline(always)]
    pub(super) fn put<S: Simd>(&self, simd: S, moved: &mut [f32], rounded: Rounded<'_>) {
        let (columns, _) = bytemuck::cast_slice_mut(moved).as_chunks_mut::<BLOCK>();
        let errors = S::as_mut_simd_f32s(rounded.errors).0.iter_mut();
        let squares = S::as_mut_simd_u32s(rounded.squares).0.iter_mut();
        for (at, (errors, squares)) in errors.zip(squares).enumerate() {
            (*errors, *squares) = (simd.splat_f32s(0.0), simd.splat_u32s(0));
            for group in 0..columns.len().div_ceil(GROUP) {
                let (first, mut bytes) = (group * GROUP, simd.splat_u32s(0));
                for (place, column) in (0..).zip(columns[first..].iter().take(GROUP)) {
                    let moved = simd.transmute_f32s_u32s(S::as_simd_u32s(column).0[at]);
                    let (steps, byte, error) = self.bytes(simd, moved);
                    *errors = multiply_add(simd, error, error, *errors);
                    *squares = simd.add_u32s(*squares, simd.mul_u32s(steps, steps));
                    // The first of the four comes first in memory.
                    let place = if cfg!(target_endian = "big") { 3 - place } else { place };
                    let placed = simd.wrapping_dyn_shl_u32s(byte, simd.splat_u32s(8 * place));
                    bytes = simd.or_u32s(bytes, placed);
                }
                S::as_mut_simd_u32s(&mut columns[group]).0[at] = bytes;
            }
        }
    }

    /// A feature of some points in steps, the same less the zero as a byte, and the errors.
    #[inline(always)]
    fn bytes<S: Simd>(&self, simd: S, moved: S::f32s) -> (S::u32s, S::u32s, S::f32s) {
        let most = simd.splat_f32s(self.levels.into());
        // The low byte of the sum is less the zero.
        let round = ROUND + f32::from(self.zero().wrapping_neg());
        let steps = simd.mul_f32s(moved, simd.splat_f32s(self.inverse));
        // What is not a number becomes a byte too, and an error that is none.
        let at = simd.min_f32s(simd.max_f32s(steps, simd.splat_f32s(0.0)), most);
        let at = simd.add_f32s(at, simd.splat_f32s(round));
        let error = simd.sub_f32s(steps, simd.sub_f32s(at, simd.splat_f32s(round)));
        let bits = simd.transmute_u32s_f32s(at);
        let byte = simd.and_u32s(bits, simd.splat_u32s(0xff));
        (simd.sub_u32s(bits, simd.splat_u32s(round.to_bits())), byte, error)
    }
}

fn root(square: f64) -> f64 {
    Scalar::new().sqrt_f64s(square)
}
