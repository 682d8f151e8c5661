//! What becomes of centres without points: they take the points farthest from their centres.

use super::Error;
use super::reference::squared_distance;
use super::task::Task;
use crate::Matrix;
use crate::buffer::room;
use crate::points::{BLOCK, Element};
use alloc::{vec, vec::Vec};

/// Points that are looked at before the farthest of them are chosen, or as many as are asked for if
/// those are more: choosing then costs no more than looking.
const PART: usize = 1 << 12;

/// Gives the points farthest from their centres, one each, to the centres without weight: the
/// sums then read as if those points had been labelled so. Labels stay as they are, and nothing
/// happens when every point sits on its centre. Among equally far points the first is taken.
///
/// `sums` holds for each label its features' sums, then its weight.
pub(super) fn relocate<T: Element>(
    task: &Task<'_, T>,
    labels: &dyn Fn(usize) -> u32,
    centres: Matrix<'_, T::Centre>,
    sums: &mut [f64],
) -> Result<(), Error> {
    let d = task.source.d();
    let weightless = |label: &usize| sums[label * (d + 1) + d] == 0.0;
    let empty: Vec<usize> = (0..centres.rows()).filter(weightless).collect();
    if empty.is_empty() {
        return Ok(());
    }
    let far = farthest(task, labels, centres, empty.len())?;
    if far.first().is_none_or(|(distance, _)| *distance == 0.0) {
        return Ok(());
    }
    let mut donors = Vec::new();
    let mut point = vec![T::default(); d];
    for (label, (_, index)) in empty.into_iter().zip(far) {
        let (donor, weight) = (labels(index) as usize, task.weight(index));
        let point = task.source.point(index, &mut point)?;
        for (feature, &x) in point.iter().enumerate() {
            sums[donor * (d + 1) + feature] -= x.into() * weight;
            sums[label * (d + 1) + feature] = x.into() * weight;
        }
        sums[donor * (d + 1) + d] -= weight;
        sums[label * (d + 1) + d] = weight;
        donors.push((donor, weight));
    }
    settle(task, labels, &donors, sums);
    Ok(())
}

/// The points farthest from their centres, as many as asked for, with their distances.
fn farthest<T: Element>(
    task: &Task<'_, T>,
    labels: &dyn Fn(usize) -> u32,
    centres: Matrix<'_, T::Centre>,
    count: usize,
) -> Result<Vec<(f64, usize)>, Error> {
    let mut space = vec![T::default(); task.source.d()];
    let farther = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    let keep = |far: &mut Vec<(f64, usize)>| {
        if count < far.len() {
            far.select_nth_unstable_by(count, farther);
        }
        far.truncate(count);
    };
    // Not one for each point: there may be no room for that.
    let part = count.max(PART).min(task.source.n()).div_ceil(BLOCK);
    let mut far = room(count + part * BLOCK)?;
    task.source.each(0..task.source.blocks(), |piece| {
        for piece in piece.parts(part) {
            far.extend(piece.indices().map(|(index, here)| {
                let point = piece.held.point(here, &mut space);
                (squared_distance(point, centres.row(labels(index) as usize)), index)
            }));
            keep(&mut far);
        }
        Ok(())
    })?;
    far.sort_unstable_by(farther);
    Ok(far)
}

/// Weights do not always subtract to nothing: a label that has given all its points away has no
/// weight, however the last bits fell.
fn settle<T: Element>(
    task: &Task<'_, T>,
    labels: &dyn Fn(usize) -> u32,
    donors: &[(usize, f64)],
    sums: &mut [f64],
) {
    if task.weights.is_none() {
        return;
    }
    let d = task.source.d();
    for (donor, _) in donors {
        let given = donors.iter().filter(|(label, weight)| label == donor && *weight > 0.0).count();
        let of_donor = |index: &usize| labels(*index) as usize == *donor;
        let had = (0..task.source.n()).filter(of_donor).filter(|index| task.weight(*index) > 0.0);
        if given > 0 && had.count() <= given {
            sums[donor * (d + 1) + d] = 0.0;
        }
    }
}
