//! The definition: plain loops over plain arrays, which every recipe on every instruction set
//! must match bit for bit.

use super::{Extent, Kind};
use crate::vector::Real;

/// One step of a field in row-major order, rim included, from `source` into `target`. The rim is
/// copied.
///
/// # Panics
/// When a slice is shorter than the extent has points.
pub fn step<T: Real>(kind: Kind, coefficient: T, extent: Extent, source: &[T], target: &mut [T]) {
    let (row, plane) = (extent.x, extent.x * extent.y);
    let twice_dimensions = T::from_f64((2 * kind.dimensions()) as f64);
    let is_inside = |at: usize, points: usize| at > 0 && at + 1 < points;
    for z in 0..extent.z {
        for y in 0..extent.y {
            for x in 0..extent.x {
                let at = z * plane + y * row + x;
                let inside = is_inside(x, extent.x)
                    && is_inside(y, extent.y)
                    && (kind.dimensions() == 2 || is_inside(z, extent.z));
                if !inside {
                    target[at] = source[at];
                    continue;
                }
                let mut sum =
                    (source[at - 1] + source[at + 1]) + (source[at - row] + source[at + row]);
                if kind.dimensions() == 3 {
                    sum = sum + (source[at - plane] + source[at + plane]);
                }
                target[at] = source[at] + coefficient * (sum - twice_dimensions * source[at]);
            }
        }
    }
}

/// `steps` steps in place.
///
/// # Panics
/// When `points` is shorter than the extent has points.
pub fn run<T: Real>(kind: Kind, coefficient: T, extent: Extent, points: &mut [T], steps: usize) {
    let mut next = points.to_vec();
    for _ in 0..steps {
        step(kind, coefficient, extent, points, &mut next);
        points.copy_from_slice(&next);
    }
}
