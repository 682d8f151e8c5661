//! The few centres that products of bytes left, compared one by one.

use super::bytes::{Room, Runs};
use super::centres::{Ready, Trust};
use super::exact;
use super::lanes::multiply_add;
use crate::points::Element;
use pulp::Simd;

/// The nearest of the few centres that may be, if it is certain that there are no others.
///
/// Their distances are taken in `f32` first, as squares of differences of what `Ready` has moved by
/// the offset. With `u = 2^-24`, `D` such a distance and `X = |x'|`, moving puts its root off by at
/// most `u (2 X + sqrt(D))`, and summing in `l` lanes the rest by `(d / l + l + 7) u`: together
/// less than `(d / l + l + 16) u D + 8 u X^2`, which leaves room for the rounding of the test.
#[inline(always)]
pub(super) fn nearest<S: Simd, T: Element>(
    simd: S,
    point: &[T],
    ready: &Ready<'_>,
    (staged, room): (&mut [f32], &mut [f32]),
    lane: usize,
) -> Option<u32> {
    let centres = ready.bytes.as_ref()?;
    let (room, d) = (Room::new(room, ready), point.len());
    if room.unknown(lane) {
        return None;
    }
    // Behind the panels of the block.
    let at = staged.len() - d;
    let moved = &mut staged[at..];
    for ((to, x), o) in moved.iter_mut().zip(point).zip(ready.offset) {
        *to = x.less(T::offset(*o));
    }
    let runs = Runs::new(ready.k, ready.tile);
    let (mut best, mut second, mut nearest) = (f32::INFINITY, f32::INFINITY, 0);
    for run in 0..runs.count {
        for centre in room.candidates(run, (runs, ready.k), lane) {
            let distance = squares(simd, moved, Some(&centres.rows[centre * d..][..d]));
            second = second.min(best.max(distance));
            nearest = if distance < best { centre } else { nearest };
            best = best.min(distance);
        }
    }
    const U: f32 = 1.0 / (1 << 24) as f32;
    let lanes = S::F32_LANES;
    let each = (d / lanes + lanes + 16) as f32;
    let needed = U * (each * (best + second) + 16.0 * squares(simd, moved, None)) + Trust::TINY;
    if second - best > needed {
        return Some(nearest as u32);
    }
    Some(exact::nearest(point, ready, nearest as u32))
}

/// The sum of the squares of some numbers, less those of `from` if there are any.
#[inline(always)]
fn squares<S: Simd>(simd: S, numbers: &[f32], from: Option<&[f32]>) -> f32 {
    let zero = simd.splat_f32s(0.0);
    let (mut sum, mut rest) = (zero, 0.0);
    let (whole, tail) = S::as_simd_f32s(numbers);
    match from {
        None => {
            for x in whole {
                sum = multiply_add(simd, *x, *x, sum);
            }
            for x in tail {
                rest += x * x;
            }
        }
        Some(from) => {
            let (from, behind) = S::as_simd_f32s(from);
            for (x, c) in whole.iter().zip(from) {
                let difference = simd.sub_f32s(*x, *c);
                sum = multiply_add(simd, difference, difference, sum);
            }
            for (x, c) in tail.iter().zip(behind) {
                rest += (x - c) * (x - c);
            }
        }
    }
    simd.reduce_sum_f32s(sum) + rest
}
