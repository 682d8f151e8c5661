//! A table over space: which centres can be the nearest of a point, by the cell it is in.
//!
//! Space around the centres is cut into a grid of cells. When a point falls into a cell for the
//! first time, it is found out which centres can be the nearest of any point there, by the bound of
//! `prune` from the cell's box; that is its set, a bit for each centre:
//!
//! ```text
//!   .---.---.---.---.
//!   |all|all|all|all|     open cells, at the border: all centres
//!   |---|---|---|---|
//!   |all|a  |ab | b |     others: those that may be nearest
//!   |---|---|---|---|
//!   |all|ac |abc|   |     none: no point has been there yet
//!   '---'---'---'---'
//! ```
//!
//! A table belongs to one member and to one time that centres were made ready; it knows nothing of
//! scores. One table for all members, filled by whoever comes first, makes 0.92 of the speed (273,280
//! pixels, 64 centres, two Zen 4 cores): its lines go to and fro between their caches, which costs more
//! than a cell looked at twice.
//!
//! # The map
//!
//! A feature in cells is `t = fl(scale x' + shift)`, kept within `0..=side - 1` and rounded to the
//! nearest whole number; what is not a number is 0. The first and the last cell of a feature are
//! open. In any other, `i`, all points have `t` in `[i - 1/2, i + 1/2]`. As `|t|` is at most 2^9 and
//! `|shift|` at most 2^13, the rounding of `t` (twice, where it is not fused) is below `2^-10`, so the
//! points' box is that of `t` widened by [`SLACK`] at each side, taken back and rounded outwards.

use super::Shape;
use super::centres::Ready;
use super::lanes::multiply_add;
use super::prune::{GROUP, near};
use crate::points::BLOCK;
use crate::vector::Vocabulary;
use pulp::Simd;

/// Most features.
pub(super) const MOST_FEATURES: usize = 4;

/// Most centres.
pub(super) const MOST_CENTRES: usize = 256;

/// Centres of a word of a set.
pub(super) const WORD: usize = u64::BITS as usize;

/// Cells along each feature, for 1 to 4 of them. Twice as many leave fewer centres in each, and pay
/// for being filled later: with 64 centres 300,000 points spread evenly in a cube take 1.4 ms with
/// 16, 2.1 with 32, and 1.85 without a table (one Zen 4 core); 8,000 pixels 0.033, 0.053 and 0.050.
/// 273,280 pixels take 0.92 and 0.87.
const SIDES: [usize; MOST_FEATURES] = [512, 32, 16, 8];

/// Numbers of `f32` before the sets, so that those begin with a line: the time is two of them.
const HEAD: usize = 16;

/// By how much of a cell boxes are widened.
const SLACK: f64 = 1.0 / 256.0;

/// How much of the extent of the centres is added to it at each side.
const MARGIN: f64 = 0.125;

/// Largest `shift` for which the map is proven.
const MOST_SHIFT: f32 = 8192.0;

/// Fewest centres for which a table pays: with 48, 100,000 points spread evenly in a cube take as
/// long with it as without. Pixels gain from 20 on, and 1.3 with 32.
const MANY: usize = 64;

/// Distances (points times centres) a member should have for a table to pay for being filled, on a
/// line or in a plane, and in space, where there are more cells and points that do not stand in order
/// share fewer centres. With 64 centres, in a plane 8,000 points (normally distributed) take 0.96 of
/// the speed, 300,000 1.45; in space 8,000 take 0.47, 100,000 0.8, 300,000 1.05, but pixels from 2,000
/// on are faster, 273,280 by 1.7. With 4 features 300,000 take 0.88 of the speed (one Zen 4 core).
const WORTH: [usize; 2] = [1 << 19, 1 << 23];

/// Whether a table promises to be worth its time.
pub(super) fn suits(Shape { n, d, k }: Shape, threads: usize) -> bool {
    let worth = match d {
        1 | 2 => WORTH[0],
        3 => WORTH[1],
        _ => return false,
    };
    (MANY..=MOST_CENTRES).contains(&k) && (n / threads).saturating_mul(k) >= worth
}

/// Words of a set of `k` centres.
pub(super) const fn words(k: usize) -> usize {
    k.div_ceil(WORD).next_power_of_two()
}

/// Numbers of `f32` that a table needs.
pub(super) fn room(k: usize, d: usize) -> usize {
    let cells = SIDES[d - 1].pow(d as u32);
    HEAD + 2 * words(k) * cells
        + 2 * MOST_FEATURES
        + 2 * d * SIDES[d - 1]
        + k.next_multiple_of(GROUP)
}

/// A table in the room there is for it.
pub(super) struct Space<'a> {
    /// When it was laid out, by [`Ready::time`].
    time: &'a mut u64,
    /// The sets of all cells; an empty one where no point has been yet.
    sets: &'a mut [u64],
    /// Scale and shift of each feature.
    map: &'a mut [[f32; 2]],
    /// The least and the greatest of each feature in each of its cells.
    edges: &'a mut [[f32; 2]],
    /// Where centres are tested.
    least: &'a mut [f32],
}

impl<'a> Space<'a> {
    /// What there is in `room`. Ask for [`Space::refresh`] before anything else.
    #[inline(always)]
    pub(super) fn new(room: &'a mut [f32], ready: &Ready<'_>) -> Self {
        let d = ready.d;
        let cells = SIDES[d - 1].pow(d as u32);
        let (time, room) = room.split_at_mut(HEAD);
        let (sets, room) = room.split_at_mut(2 * words(ready.k) * cells);
        let (map, room) = room.split_at_mut(2 * MOST_FEATURES);
        let (edges, least) = room.split_at_mut(2 * d * SIDES[d - 1]);
        Space {
            time: &mut bytemuck::cast_slice_mut(time)[0],
            sets: bytemuck::cast_slice_mut(sets),
            map: map.as_chunks_mut().0,
            edges: edges.as_chunks_mut().0,
            least,
        }
    }

    /// Sees to it that this is the table of these centres.
    #[inline(always)]
    pub(super) fn refresh(&mut self, ready: &Ready<'_>) {
        if *self.time != ready.time {
            self.lay(ready);
        }
    }

    /// Empties the table and lays the grid around the centres.
    #[cold]
    #[inline(never)]
    fn lay(&mut self, ready: &Ready<'_>) {
        let d = ready.d;
        *self.time = ready.time;
        self.sets.fill(0);
        let columns = ready.columns.chunks_exact(ready.columns.len() / d);
        let mut extents = [[0.0; 2]; MOST_FEATURES];
        for (extent, column) in extents.iter_mut().zip(columns) {
            let values = column[..ready.k].iter().map(|&c| f64::from(c));
            let low = values.clone().fold(f64::INFINITY, f64::min);
            let high = values.fold(f64::NEG_INFINITY, f64::max);
            *extent = [(low + high) / 2.0, high - low];
        }
        let widest = extents.iter().map(|extent| extent[1]).fold(0.0, f64::max);
        let side = SIDES[d - 1];
        for (feature, [middle, extent]) in extents.into_iter().take(d).enumerate() {
            // Points may differ in what centres hardly differ in.
            let extent = extent.max(widest / 4.0) * (1.0 + 2.0 * MARGIN);
            let scale = ((side - 2) as f64 / extent) as f32;
            let shift = ((side - 1) as f64 / 2.0 - middle * f64::from(scale)) as f32;
            // Without a grid all points are in an open cell.
            let finite = ready.trust.floor < f32::INFINITY;
            let sound = scale.is_normal() && shift.abs() <= MOST_SHIFT && finite;
            self.map[feature] = if sound { [scale, shift] } else { [0.0; 2] };
            let at = |t: f64| ((t - f64::from(shift)) / f64::from(scale)) as f32;
            for (i, edges) in self.edges[feature * side..][..side].iter_mut().enumerate() {
                let [low, high] = [-0.5 - SLACK, 0.5 + SLACK].map(|end| at(i as f64 + end));
                *edges = [low.next_down(), high.next_up()];
            }
        }
    }

    /// The cells of a block's points.
    #[inline(always)]
    pub(super) fn find<S: Simd, const D: usize>(
        &self,
        simd: S,
        staged: &[f32],
        cells: &mut [u32; BLOCK],
    ) {
        // Added to a number from 0 to 2^22, leaves its nearest whole number in the low bits.
        const WHOLE: f32 = (1u32 << 23) as f32;
        let (zero, whole) = (simd.splat_f32s(0.0), simd.splat_f32s(WHOLE));
        let most = simd.splat_f32s((SIDES[D - 1] - 1) as f32);
        let columns = staged.as_chunks::<BLOCK>().0;
        for (register, cells) in S::as_mut_simd_u32s(cells).0.iter_mut().enumerate() {
            let mut sum = whole;
            for f in (0..D).rev() {
                let [scale, shift] = self.map[f].map(|x| simd.splat_f32s(x));
                let x = S::as_simd_f32s(&columns[f]).0[register];
                let t = multiply_add(simd, x, scale, shift);
                // Whichever of the two is not a number, no comparison holds.
                let t = simd.select_f32s(simd.greater_than_f32s(t, zero), t, zero);
                let t = simd.sub_f32s(simd.add_f32s(simd.min_f32s(t, most), whole), whole);
                let step = SIDES[D - 1].pow(f as u32) as f32;
                sum = multiply_add(simd, t, simd.splat_f32s(step), sum);
            }
            let bits = simd.transmute_u32s_f32s(sum);
            *cells = simd.and_u32s(bits, simd.splat_u32s((1 << 23) - 1));
        }
    }

    /// The centres that can be the nearest of any point in some cells.
    #[inline(always)]
    pub(super) fn union<V: Vocabulary, const D: usize, const W: usize>(
        &mut self,
        token: V,
        ready: &Ready<'_>,
        cells: &[u32],
    ) -> [u64; W] {
        self.known(cells).unwrap_or_else(|| {
            cells.iter().fold([0; W], |union, &cell| {
                let set = self.sets.as_chunks().0[cell as usize];
                let new = set == [0; W];
                or(union, if new { self.look::<V, D, W>(token, ready, cell as usize) } else { set })
            })
        })
    }

    /// The same, if points have been in all of them: most often, and then there is no call.
    #[inline(always)]
    fn known<const W: usize>(&self, cells: &[u32]) -> Option<[u64; W]> {
        let sets: &[[u64; W]] = self.sets.as_chunks().0;
        let mut union = [0; W];
        for &cell in cells {
            let set = sets[cell as usize];
            if set == [0; W] {
                return None;
            }
            union = or(union, set);
        }
        Some(union)
    }

    /// The centres that can be the nearest of a point in a cell.
    #[cold]
    #[inline(never)]
    fn look<V: Vocabulary, const D: usize, const W: usize>(
        &mut self,
        token: V,
        ready: &Ready<'_>,
        cell: usize,
    ) -> [u64; W] {
        let side = SIDES[D - 1];
        let mut open = false;
        let mut bounds = [[0.0; 2]; D];
        for f in 0..D {
            let place = cell / side.pow(f as u32) % side;
            open |= place == 0 || place == side - 1;
            bounds[f] = self.edges[f * side + place];
        }
        let mut set = match open {
            true => [u64::MAX; W],
            false => near::<V, D, W>(token, &bounds, ready.columns, self.least),
        };
        for w in 0..W {
            let bits = ready.k.saturating_sub(w * WORD).min(WORD);
            set[w] &= if bits == 0 { 0 } else { u64::MAX >> (WORD - bits) };
        }
        self.sets.as_chunks_mut().0[cell] = set;
        set
    }
}

/// What is in either set.
#[inline(always)]
fn or<const W: usize>(a: [u64; W], b: [u64; W]) -> [u64; W] {
    core::array::from_fn(|w| a[w] | b[w])
}
