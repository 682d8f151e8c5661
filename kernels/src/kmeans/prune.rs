//! Centres that cannot be the nearest of any point of a block, left out for the whole block.
//!
//! Points that stand behind each other are often alike: pixels of a picture above all. A block of
//! them is a box, the least and the greatest of every feature, and whatever a box has no point near
//! to need not be scored:
//!
//! ```text
//!               G, to the farthest corner        a centre c is out if its L
//!            .---------.                         is above the least G of all:
//!   c  ------|  block  |                         the centre of that G is nearer
//!       L    '---------'                         to every point of the block
//! ```
//!
//! What is left is gathered into panels of its own and scored by the same kernel. With centres in
//! the lanes the test of 64 centres costs a tenth of scoring 64 points against them; where it
//! leaves more than half of the centres, some blocks behind are not tested.
//!
//! # The bound
//!
//! Box and centres are the numbers of the fast pass, `x'` and `c'` (see `centres`). With
//! `u = 2^-24`, `X` the farthest corner from the origin and `D` the true square of the distance of
//! two such numbers, the root of the distance by the definition differs from `sqrt(D)` by at most
//! `u (|x'| + |c'|) <= u (2X + sqrt(D))`. So a centre with `L` is farther by the definition than one
//! with `U`, from every point, if
//!
//! ```text
//! sqrt(L) (1 - u)  >  sqrt(U) (1 + u) + 4u X
//! ```
//!
//! and as `(a + b)^2 <= a^2 (1 + 2^-12) + b^2 (1 + 2^12)`, that follows from
//! `L > U (1 + 2^-10) + 2^-30 X^2` with room for the rounding of `L` and `U` themselves, which is
//! `(d + 2) u` of each, so `d` is at most [`MOST_FEATURES`]. Rounding below the normal range is
//! covered by an absolute term; what overflows is not above anything.

use super::centres::{RUN, Ready, Trust};
use crate::points::BLOCK;
use crate::vector::{FloatExtra, Vocabulary};
use pulp::Simd;

/// Centres are tested in groups of so many: the most lanes there are.
pub(super) const GROUP: usize = 16;

/// Most features of a point for which the estimate has blocks tested. With more, a box of 64 points
/// that do not stand in order holds nearly all centres.
const FEW: usize = 16;

/// Fewest centres for which testing blocks pays where near points stand together, and most of a
/// block's centres are left out.
const FEW_IN_ORDER: usize = 8;

/// Most features the bound holds for: with more, the rounding of the squares would need more room
/// than `2^-10` leaves.
pub(super) const MOST_FEATURES: usize = 4096;

/// Most blocks that are not tested after one that was in vain.
const MOST: u32 = 15;

/// Whether to test a block: those of one region are alike. One test in vain costs the next block,
/// another in a row three, and so on; waiting always for [`MOST`] made fits of pictures a fifth
/// slower, for their sorted points are worth a test nearly everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// Blocks to pass by.
    wait: u32,
    /// How many were passed by after the last test that was in vain, if nothing came of it since.
    last: u32,
}

impl Patience {
    /// Whether it is time for a test.
    pub(super) fn ends(&mut self) -> bool {
        let now = self.wait == 0;
        self.wait = self.wait.saturating_sub(1);
        now
    }

    /// Whether tests have been in vain here.
    pub(super) fn waits(&self) -> bool {
        self.wait > 0
    }

    /// What has come of a test.
    pub(super) fn learn(&mut self, useful: bool) {
        self.last = if useful { 0 } else { MOST.min(2 * self.last + 1) };
        self.wait = self.last;
    }
}

/// Where centres are kept for the test: feature by feature, filled up to whole groups.
pub(super) fn columns(k: usize, d: usize) -> usize {
    k.next_multiple_of(GROUP).saturating_mul(d)
}

/// Room that a test needs, for a tile of `width` centres.
pub(super) fn room(k: usize, d: usize, width: usize) -> usize {
    let panels = k.next_multiple_of(width).saturating_mul(d + 2);
    (2 * d + 2 * k.next_multiple_of(GROUP)).saturating_add(panels)
}

/// Whether testing blocks promises to be worth its time. A test of one group costs what scoring its
/// centres does: with 10 centres labels of points of which every second stretch is of one colour
/// take 1.17 of the time (50,000 x 2, two Zen 4 cores), with 16 1.1, with 48 and 64 0.98 and 0.97.
pub(super) fn suits(k: usize, d: usize) -> bool {
    d <= FEW && k > GROUP
}

/// The same of points in such an order that near ones stand together.
pub(super) fn suits_in_order(k: usize, d: usize) -> bool {
    d <= FEW && k >= FEW_IN_ORDER
}

/// What is left of the centres.
pub(super) struct Left<'a> {
    /// In the order of their numbers.
    pub(super) ready: Ready<'a>,
    /// Which they are.
    pub(super) centres: &'a [u32],
    /// Where it is one, and slacks are asked for: by how much all others are farther at least from
    /// every point.
    pub(super) alone: f32,
}

/// Tests a block of [`BLOCK`] staged points; nothing where most centres are left. Says how far those
/// that are out are at least if `slack` is asked for.
pub(super) fn prune<'a, V: Vocabulary>(
    token: V,
    staged: &[f32],
    ready: &Ready<'a>,
    (room, slack): (&'a mut [f32], bool),
) -> Option<Left<'a>> {
    if ready.trust.floor == f32::INFINITY {
        return None;
    }
    let (k, d) = (ready.k, ready.d);
    let (bounds, room) = room.split_at_mut(2 * d);
    let (least, room) = room.split_at_mut(k.next_multiple_of(GROUP));
    let (list, panels) = room.split_at_mut(k.next_multiple_of(GROUP));
    let list: &mut [u32] = bytemuck::cast_slice_mut(list);
    let simd = token.floats();
    let (count, beyond, alone) = token.run(
        #[inline(always)]
        || {
            let corner = bounding(simd, staged, bounds)?;
            let nearest = distances(simd, bounds, ready.columns, least);
            let limit = limit(nearest, corner);
            let (beyond, alone) = match slack {
                true => beyond(simd, (least, nearest), (limit, corner)),
                false => (f32::INFINITY, f32::NAN),
            };
            Some((gather(&least[..k], limit, list), beyond, alone))
        },
    )?;
    if 2 * count > k {
        return None;
    }
    let centres = &list[..count];
    let width = ready.tile.centres;
    let panels = &mut panels[..count.next_multiple_of(width) * (d + 2)];
    copy(ready, centres, width, panels);
    // Fewer centres have shorter numbers, and leave more of a score to be trusted.
    let numbers = count.next_multiple_of(width).min(RUN).next_power_of_two();
    let (mask, trust) = (numbers as u32 - 1, Trust::new(d, numbers, 0.0));
    Some(Left { ready: Ready { fast: panels, mask, trust, beyond, ..*ready }, centres, alone })
}

/// The box of a block: the least and the greatest of every feature. Gives the square of its
/// farthest corner's distance to the origin; nothing if a number is not finite.
#[inline(always)]
fn bounding<S: Simd>(simd: S, staged: &[f32], bounds: &mut [f32]) -> Option<f32> {
    let (zero, mut odd, mut corner) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0), 0.0);
    for (column, bounds) in staged.chunks_exact(BLOCK).zip(bounds.as_chunks_mut::<2>().0) {
        let column = S::as_simd_f32s(column).0;
        let (mut least, mut most) = (column[0], column[0]);
        for &x in column {
            least = simd.min_f32s(least, x);
            most = simd.max_f32s(most, x);
            // Zero, or not a number.
            odd = simd.add_f32s(odd, simd.mul_f32s(x, zero));
        }
        *bounds = [simd.reduce_min_f32s(least), simd.reduce_max_f32s(most)];
        corner += f32::max(bounds[0] * bounds[0], bounds[1] * bounds[1]);
    }
    (simd.reduce_sum_f32s(odd) == 0.0).then_some(corner)
}

/// The centres that can be the nearest of a point in a box, a bit for each. `least` is as long as a
/// column; bits beyond the centres mean nothing.
#[inline(always)]
pub(super) fn near<V: Vocabulary, const D: usize, const W: usize>(
    token: V,
    bounds: &[[f32; 2]; D],
    columns: &[f32],
    least: &mut [f32],
) -> [u64; W] {
    let simd = token.floats();
    let lanes = <V::Floats as Simd>::F32_LANES;
    token.run(
        #[inline(always)]
        || {
            let squares = bounds.iter().map(|[low, high]| f32::max(low * low, high * high));
            let nearest = distances(simd, bounds.as_flattened(), columns, least);
            let limit = simd.splat_f32s(limit(nearest, squares.sum()));
            let mut near = [0; W];
            for (group, &least) in <V::Floats as Simd>::as_simd_f32s(least).0.iter().enumerate() {
                let bits = simd.bits(simd.less_than_or_equal_f32s(least, limit));
                let first = group * lanes;
                let bit = u64::BITS as usize;
                near[first / bit] |= u64::from(bits) << (first % bit);
            }
            near
        },
    )
}

/// What the least square of a centre must pass for the centre to be out.
#[inline(always)]
fn limit(nearest: f32, corner: f32) -> f32 {
    nearest * (1.0 + 1.0 / 1024.0) + corner / (1u32 << 30) as f32 + Trust::TINY
}

/// For every centre the least square of its distance to the box, and of all the least of their
/// greatest.
#[inline(always)]
fn distances<S: Simd>(simd: S, bounds: &[f32], columns: &[f32], least: &mut [f32]) -> f32 {
    let bounds = bounds.as_chunks::<2>().0;
    let padded = least.len();
    let mut nearest = simd.splat_f32s(f32::INFINITY);
    for (group, least) in S::as_mut_simd_f32s(least).0.iter_mut().enumerate() {
        let (mut near, mut far) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
        for (column, &[low, high]) in columns.chunks_exact(padded).zip(bounds) {
            let centres = S::as_simd_f32s(column).0[group];
            let below = simd.sub_f32s(simd.splat_f32s(low), centres);
            let above = simd.sub_f32s(centres, simd.splat_f32s(high));
            let beside = simd.max_f32s(simd.max_f32s(below, above), simd.splat_f32s(0.0));
            let across = simd.max_f32s(simd.abs_f32s(below), simd.abs_f32s(above));
            near = super::lanes::multiply_add(simd, beside, beside, near);
            far = super::lanes::multiply_add(simd, across, across, far);
        }
        *least = near;
        nearest = simd.min_f32s(nearest, far);
    }
    simd.reduce_min_f32s(nearest)
}

/// The square of a distance, by the definition, that no centre is nearer than which is above `limit`,
/// and by how much such a one is farther at least than the one whose greatest square is `nearest`. A part
/// in `2^9` and `2^-29 X^2` are more than the bound above asks for.
#[inline(always)]
fn beyond<S: Simd>(
    simd: S,
    (least, nearest): (&[f32], f32),
    (limit, corner): (f32, f32),
) -> (f32, f32) {
    const PART: f32 = 1.0 / 512.0;
    let (limit, all) = (simd.splat_f32s(limit), simd.splat_f32s(f32::INFINITY));
    let mut beyond = all;
    for least in S::as_simd_f32s(least).0 {
        let out = simd.greater_than_f32s(*least, limit);
        beyond = simd.min_f32s(beyond, simd.select_f32s(out, *least, all));
    }
    let more = corner / (1u32 << 29) as f32 + Trust::TINY;
    let far = simd.reduce_min_f32s(beyond) * (1.0 - PART) - more;
    let near = nearest * (1.0 + PART) + more;
    let root = |square| simd.reduce_min_f32s(simd.sqrt_f32s(simd.splat_f32s(square)));
    (far, root(far) - root(near))
}

/// Lists whatever is not above `limit`, and says how much that is.
#[inline(always)]
fn gather(least: &[f32], limit: f32, list: &mut [u32]) -> usize {
    let mut count = 0;
    for (centre, &least) in least.iter().enumerate() {
        // Written in any case, and counted if it stays: there is nothing to predict.
        list[count] = centre as u32;
        count += usize::from(least <= limit);
    }
    count
}

/// Makes panels of the listed centres, in the layout they are copied from.
fn copy(ready: &Ready<'_>, centres: &[u32], width: usize, panels: &mut [f32]) {
    let lines = ready.d + 2;
    for (panel, values) in panels.chunks_exact_mut(width * lines).enumerate() {
        for lane in 0..width {
            let (scored, number) = values.split_at_mut((ready.d + 1) * width);
            number[lane] = f32::from_bits((panel % (RUN / width) * width + lane) as u32);
            let to = scored[lane..].iter_mut().step_by(width);
            match centres.get(panel * width + lane) {
                Some(&centre) => {
                    let centre = centre as usize;
                    let from = &ready.fast[centre / width * width * lines + centre % width..];
                    to.zip(from.iter().step_by(width)).for_each(|(to, from)| *to = *from);
                }
                // Farther than any other.
                None => {
                    to.for_each(|value| *value = 0.0);
                    scored[ready.d * width + lane] = f32::MAX;
                }
            }
        }
    }
}

/// Lays out centres for the test: `fast` are their panels. Those that only fill up are infinitely
/// far.
pub(super) fn fill(fast: &[f32], (k, d): (usize, usize), width: usize, columns: &mut [f32]) {
    let padded = k.next_multiple_of(GROUP);
    for (feature, column) in columns.chunks_exact_mut(padded).enumerate() {
        column.fill(f32::INFINITY);
        for (centre, to) in column[..k].iter_mut().enumerate() {
            let panel = &fast[centre / width * width * (d + 2)..];
            // Twice a number and its half are exact.
            *to = -0.5 * panel[feature * width + centre % width];
        }
    }
}
