//! The nearest centre of every point: squared Euclidean distance, the first of equals.

use crate::abi::{Assign, BLOCK};
use crate::rows as rows_of;

/// `sum + (x - c)^2`, in one rounding where the CPU can: plain code may use the CPU's fused
/// multiply-add, and without it the call to a library function would be a straw man.
#[inline(always)]
fn add_square(sum: f32, x: f32, c: f32) -> f32 {
    let difference = x - c;
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        difference.mul_add(difference, sum)
    } else {
        sum + difference * difference
    }
}

/// Points whose features, sums, labels and distances fit in the registers of a vector unit. On
/// 273,280 pixels and 64 centres with AVX-512, one Zen 5 core: 16 points 0.90 ms, 32 0.82, 64 0.79,
/// 128 1.0; with AVX2 1.5, 1.8, 2.6, 2.9; with 64 dimensions 32 is best on both.
const LANES: usize = 32;

/// Array of structures, point-outer: for each point, for each centre, for each feature.
pub(crate) extern "C" fn rows(assign: Assign<'_>) {
    // Pixels have three features: as a constant it unrolls the innermost loop.
    match assign.dims {
        3 => point_outer(assign, 3),
        dims => point_outer(assign, dims),
    }
}

#[inline(always)]
fn point_outer(assign: Assign<'_>, dims: usize) {
    let Assign { points, centres, labels, distances, .. } = assign;
    let outputs = labels.get().iter_mut().zip(distances.get());
    for (point, (label, distance)) in rows_of(points.get(), dims).zip(outputs) {
        (*label, *distance) = (0, f32::INFINITY);
        for (index, centre) in (0..).zip(rows_of(centres.get(), dims)) {
            let mut sum = 0.0;
            for (&x, &c) in point.iter().zip(centre) {
                sum = add_square(sum, x, c);
            }
            if sum < *distance {
                (*label, *distance) = (index, sum);
            }
        }
    }
}

/// Array of structures, centres in lanes: for each point, for each feature, for each centre. The
/// centres are stored transposed (dims x centres), so the innermost loop runs along memory.
pub(crate) extern "C" fn rows_lanes(assign: Assign<'_>) {
    let Assign { points, centres, labels, distances, sums, dims } = assign;
    let (centres, sums) = (centres.get(), sums.get());
    let outputs = labels.get().iter_mut().zip(distances.get());
    for (point, (label, distance)) in rows_of(points.get(), dims).zip(outputs) {
        sums.fill(0.0);
        for (&x, feature) in point.iter().zip(rows_of(centres, sums.len())) {
            for (sum, &c) in sums.iter_mut().zip(feature) {
                *sum = add_square(*sum, x, c);
            }
        }
        (*label, *distance) = (0, f32::INFINITY);
        for (index, &sum) in (0..).zip(sums.iter()) {
            if sum < *distance {
                (*label, *distance) = (index, sum);
            }
        }
    }
}

/// Structure of arrays in blocks, centre-outer: for each block, for each centre, for each
/// feature, for each point of the block.
pub(crate) extern "C" fn blocks(assign: Assign<'_>) {
    match assign.dims {
        3 => points_in_lanes::<BLOCK>(assign, 3),
        dims => points_in_lanes::<BLOCK>(assign, dims),
    }
}

/// Structure of arrays in blocks, as many points at a time as registers hold: for each few, for
/// each centre, for each feature, for each of the few.
pub(crate) extern "C" fn blocks_lanes(assign: Assign<'_>) {
    match assign.dims {
        3 => points_in_lanes::<LANES>(assign, 3),
        dims => points_in_lanes::<LANES>(assign, dims),
    }
}

/// The nearest of the centres for `N` points at a time; `N` divides [`BLOCK`].
#[inline(always)]
fn points_in_lanes<const N: usize>(assign: Assign<'_>, dims: usize) {
    let Assign { points, centres, labels, distances, .. } = assign;
    let (features, _) = points.get().as_chunks::<BLOCK>();
    let mut labels = labels.get().chunks_mut(N);
    let mut distances = distances.get().chunks_mut(N);
    for block in rows_of(features, dims) {
        for (few, (labels, distances)) in (0..BLOCK / N).zip((&mut labels).zip(&mut distances)) {
            let (mut label, mut nearest) = ([0; N], [f32::INFINITY; N]);
            for (index, centre) in (0..).zip(rows_of(centres.get(), dims)) {
                let mut sums = [0.0; N];
                for (feature, &c) in block.iter().zip(centre) {
                    let Some(feature) = feature.as_chunks::<N>().0.get(few) else { continue };
                    for (sum, &x) in sums.iter_mut().zip(feature) {
                        *sum = add_square(*sum, x, c);
                    }
                }
                for ((&sum, label), nearest) in sums.iter().zip(&mut label).zip(&mut nearest) {
                    *label = if sum < *nearest { index } else { *label };
                    *nearest = if sum < *nearest { sum } else { *nearest };
                }
            }
            // The last block may be padded.
            labels.iter_mut().zip(label).for_each(|(to, from)| *to = from);
            distances.iter_mut().zip(nearest).for_each(|(to, from)| *to = from);
        }
    }
}
