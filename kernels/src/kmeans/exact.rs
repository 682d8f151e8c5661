//! The definition at speed: for the points whose label the fast pass could not be certain of.

use super::centres::{EXACT, Ready};
use crate::points::Element;
use pulp::Simd;

/// Features between two looks at whether a panel can still win.
const LOOK: usize = 16;

/// The nearest centre by the definition. `hint` is the index of a near one.
///
/// Eight centres stand in the lanes; each adds up its own squares feature by feature, in the
/// order of the definition, so the sums are those of the reference to the bit. Sums never fall,
/// so a panel all of whose sums have passed the best is out, most often before its end.
#[inline(always)]
pub(super) fn nearest<T: Element>(point: &[T], ready: &Ready<'_>, hint: u32) -> u32 {
    let mut best = (hint as usize).min(ready.k - 1);
    let near = sums(point, panel(ready, best / EXACT), f64::INFINITY);
    let mut least = near.map_or(f64::INFINITY, |sums| sums[best % EXACT]);
    for index in 0..ready.k.div_ceil(EXACT) {
        let Some(sums) = sums(point, panel(ready, index), least) else {
            continue;
        };
        for (lane, sum) in sums.into_iter().enumerate() {
            let centre = index * EXACT + lane;
            if sum < least || (sum == least && centre < best) {
                (best, least) = (centre, sum);
            }
        }
    }
    best as u32
}

/// The distances of a point to all centres, in whole panels.
#[inline(always)]
pub(super) fn distances<S: Simd, T: Element>(
    simd: S,
    point: &[T],
    ready: &Ready<'_>,
    out: &mut [f64],
) {
    for (index, out) in out.as_chunks_mut::<EXACT>().0.iter_mut().enumerate() {
        if let Some(sums) = sums(point, panel(ready, index), f64::INFINITY) {
            *out = sums;
        }
        for squares in S::as_mut_simd_f64s(out).0 {
            *squares = simd.sqrt_f64s(*squares);
        }
    }
}

#[inline(always)]
fn panel<'a>(ready: &Ready<'a>, index: usize) -> &'a [[f64; EXACT]] {
    let values = &ready.exact[index * EXACT * ready.d..][..EXACT * ready.d];
    values.as_chunks().0
}

/// The squared distances of a point to a panel of centres, unless all of them pass `limit`.
#[inline(always)]
pub(super) fn sums<T: Element>(
    point: &[T],
    panel: &[[f64; EXACT]],
    limit: f64,
) -> Option<[f64; EXACT]> {
    let mut sums = [0.0; EXACT];
    for (point, panel) in point.chunks(LOOK).zip(panel.chunks(LOOK)) {
        for (x, centres) in point.iter().zip(panel) {
            let x: f64 = (*x).into();
            for lane in 0..EXACT {
                let difference = x - centres[lane];
                sums[lane] += difference * difference;
            }
        }
        // All lanes are compared, whatever the first says: that is one instruction.
        if sums.iter().fold(true, |passed, sum| passed & (*sum > limit)) {
            return None;
        }
    }
    Some(sums)
}
