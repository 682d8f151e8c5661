//! The nearest centre of every point: squared Euclidean distance, the first of equals.

use crate::abi::{Assign, BLOCK, FEW};
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
    let Assign { points, centres, labels, .. } = assign;
    for (point, label) in rows_of(points.get(), dims).zip(labels.get()) {
        let mut nearest = f32::INFINITY;
        for (index, centre) in (0..).zip(rows_of(centres.get(), dims)) {
            let mut sum = 0.0;
            for (&x, &c) in point.iter().zip(centre) {
                sum = add_square(sum, x, c);
            }
            if sum < nearest {
                (*label, nearest) = (index, sum);
            }
        }
    }
}

/// Array of structures, centres in lanes: for each point, for each feature, for each centre. The
/// centres are stored transposed (dims x centres), so the innermost loop runs along memory.
pub(crate) extern "C" fn rows_lanes(assign: Assign<'_>) {
    let Assign { points, centres, labels, room, dims } = assign;
    let centres = centres.get();
    let Some(sums) = room.get().get_mut(..centres.len() / dims.max(1)) else { return };
    for (point, label) in rows_of(points.get(), dims).zip(labels.get()) {
        sums.fill(0.0);
        for (&x, feature) in point.iter().zip(rows_of(centres, sums.len())) {
            for (sum, &c) in sums.iter_mut().zip(feature) {
                *sum = add_square(*sum, x, c);
            }
        }
        let mut nearest = f32::INFINITY;
        for (index, &sum) in (0..).zip(sums.iter()) {
            if sum < nearest {
                (*label, nearest) = (index, sum);
            }
        }
    }
}

/// Array of structures, a few rows at a time turned to columns, as many as registers hold; then
/// as with blocks. What somebody writes who wants the speed of blocks and is given rows.
pub(crate) extern "C" fn rows_turned(assign: Assign<'_>) {
    match assign.dims {
        3 => turned(assign, 3),
        dims => turned(assign, dims),
    }
}

#[inline(always)]
fn turned(assign: Assign<'_>, dims: usize) {
    let Assign { points, centres, labels, room, .. } = assign;
    let columns = room.get().as_chunks_mut::<FEW>().0.get_mut(..dims).unwrap_or_default();
    for (rows, labels) in points.get().chunks(FEW * dims.max(1)).zip(labels.get().chunks_mut(FEW)) {
        for (at, point) in rows_of(rows, dims).take(FEW).enumerate() {
            for (column, &x) in columns.iter_mut().zip(point) {
                column[at % FEW] = x;
            }
        }
        let nearest = nearest(columns.iter(), centres.get(), dims);
        labels.iter_mut().zip(nearest).for_each(|(to, from)| *to = from);
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
        3 => points_in_lanes::<FEW>(assign, 3),
        dims => points_in_lanes::<FEW>(assign, dims),
    }
}

/// All points, `N` at a time; `N` divides [`BLOCK`].
#[inline(always)]
fn points_in_lanes<const N: usize>(assign: Assign<'_>, dims: usize) {
    let Assign { points, centres, labels, .. } = assign;
    let (features, _) = points.get().as_chunks::<BLOCK>();
    let mut labels = labels.get().chunks_mut(N);
    for block in rows_of(features, dims) {
        for (few, labels) in (0..BLOCK / N).zip(&mut labels) {
            let columns = block.iter().filter_map(|feature| feature.as_chunks::<N>().0.get(few));
            let nearest = nearest(columns, centres.get(), dims);
            // The last block may be padded.
            labels.iter_mut().zip(nearest).for_each(|(to, from)| *to = from);
        }
    }
}

/// The nearest of the centres for `N` points, given feature by feature.
#[inline(always)]
fn nearest<'a, const N: usize>(
    columns: impl Iterator<Item = &'a [f32; N]> + Clone,
    centres: &[f32],
    dims: usize,
) -> [u32; N] {
    let (mut label, mut nearest) = ([0; N], [f32::INFINITY; N]);
    for (index, centre) in (0..).zip(rows_of(centres, dims)) {
        let mut sums = [0.0; N];
        for (column, &c) in columns.clone().zip(centre) {
            for (sum, &x) in sums.iter_mut().zip(column) {
                *sum = add_square(*sum, x, c);
            }
        }
        for ((&sum, label), nearest) in sums.iter().zip(&mut label).zip(&mut nearest) {
            *label = if sum < *nearest { index } else { *label };
            *nearest = if sum < *nearest { sum } else { *nearest };
        }
    }
    label
}
