//! The definition: plain loops, read top to bottom, that every kernel must agree with to the bit.
//!
//! The distance of a point to a centre is the sum, over the features in order, of the squared
//! difference, each step rounded to `f64`. The label is the lowest index among the nearest.
//! Points may be `f32`, `f64` or `u8`, and centres `f32` or `f64`, in any pairing: all are `f64`
//! first, exactly.

use super::fixed::split;
use super::leaves::leaf_points;
use super::update::scales;
use crate::Matrix;
use crate::points::Element;
use crate::vector::Real;
use alloc::{vec, vec::Vec};

/// The squared distance of two points.
#[inline(always)]
pub fn squared_distance<T: Element, C: Real>(point: &[T], centre: &[C]) -> f64 {
    let mut sum = 0.0;
    for (&x, &c) in point.iter().zip(centre) {
        let difference = x.into() - c.into();
        sum += difference * difference;
    }
    sum
}

/// The nearest centre of one point and its squared distance.
pub fn nearest<T: Element, C: Real>(point: &[T], centres: Matrix<'_, C>) -> (u32, f64) {
    let mut best = (0, f64::INFINITY);
    for index in 0..centres.rows() {
        let distance = squared_distance(point, centres.row(index));
        if distance < best.1 {
            best = (index as u32, distance);
        }
    }
    best
}

/// Labels and squared distances of all points.
pub fn assign<T: Element, C: Real>(
    points: Matrix<'_, T>,
    centres: Matrix<'_, C>,
) -> (Vec<u32>, Vec<f64>) {
    (0..points.rows()).map(|row| nearest(points.row(row), centres)).unzip()
}

/// Sums and weights of the points of each label, added as whole numbers (see `fixed`): the order is
/// no matter. Behind the sums of a label stands its weight.
pub fn sums<T: Element>(
    points: Matrix<'_, T>,
    weights: &[f64],
    labels: &[u32],
    k: usize,
) -> Vec<f64> {
    let (n, d) = (points.rows(), points.cols());
    let mut largest = vec![0.0; d];
    for row in 0..n {
        for (largest, &x) in largest.iter_mut().zip(points.row(row)) {
            *largest = f64::max(*largest, x.into().abs());
        }
    }
    let scales = scales(&largest, weights.iter().sum(), n);
    let (powers, small) = scales.powers();
    let width = d + 1;
    let mut sums = vec![0; k * 2 * width];
    for row in 0..n {
        let (high, low) = sums[labels[row] as usize * 2 * width..][..2 * width].split_at_mut(width);
        let values = points.row(row).iter().map(|&x| x.into() * weights[row]).chain([weights[row]]);
        let parts = values.zip(powers).map(|(value, &power)| split(value, (power, small)));
        for ((high, low), parts) in high.iter_mut().zip(low).zip(parts) {
            (*high, *low) = (*high + parts[0], *low + parts[1]);
        }
    }
    let mut numbers = vec![0.0; k * width];
    for (numbers, sums) in numbers.chunks_exact_mut(width).zip(sums.chunks_exact(2 * width)) {
        scales.join(sums, numbers);
    }
    numbers
}

/// Lloyd's iteration from `centres` until no label changes or no centre moves, or `most` times:
/// the labels, the centres, and how many iterations it took.
///
/// Centres without weight take the points farthest from their centres, the first among equals,
/// which leave the sums of their old labels; nothing moves if every point sits on its centre. A
/// centre that is still without weight goes where the heaviest one goes.
pub fn lloyd<T: Element>(
    points: Matrix<'_, T>,
    weights: &[f64],
    mut centres: Vec<T::Centre>,
    most: usize,
) -> (Vec<u32>, Vec<T::Centre>, usize) {
    let d = points.cols();
    let k = centres.len() / d;
    let mut previous = Vec::new();
    for iteration in 1..=most {
        let view = Matrix::new(&centres, k, d).expect("k rows of d features");
        let (labels, _) = assign(points, view);
        let mut sums = sums(points, weights, &labels, k);
        relocate(points, weights, &labels, view, &mut sums);
        let before = centres.clone();
        let weight = |label: usize| sums[label * (d + 1) + d];
        let heavier = |a: &usize, b: &usize| weight(*a).total_cmp(&weight(*b));
        let heaviest = (0..k).rev().max_by(heavier).unwrap_or(0);
        for label in 0..k {
            let from = if weight(label) > 0.0 { label } else { heaviest };
            if weight(from) <= 0.0 {
                continue;
            }
            for feature in 0..d {
                let mean = sums[from * (d + 1) + feature] / weight(from);
                centres[label * d + feature] = T::Centre::from_f64(mean);
            }
        }
        if labels == previous || centres == before || iteration == most {
            let view = Matrix::new(&centres, k, d).expect("k rows of d features");
            return (assign(points, view).0, centres, iteration);
        }
        previous = labels;
    }
    (previous, centres, 0)
}

fn relocate<T: Element>(
    points: Matrix<'_, T>,
    weights: &[f64],
    labels: &[u32],
    centres: Matrix<'_, T::Centre>,
    sums: &mut [f64],
) {
    let d = points.cols();
    let distance =
        |row: usize| squared_distance(points.row(row), centres.row(labels[row] as usize));
    let mut far: Vec<usize> = (0..points.rows()).collect();
    far.sort_by(|a, b| distance(*b).total_cmp(&distance(*a)));
    let empty: Vec<usize> =
        (0..centres.rows()).filter(|label| sums[label * (d + 1) + d] == 0.0).collect();
    if distance(far[0]) == 0.0 {
        return;
    }
    let mut left: Vec<usize> = vec![0; centres.rows()];
    (0..points.rows())
        .for_each(|row| left[labels[row] as usize] += usize::from(weights[row] > 0.0));
    for (label, row) in empty.into_iter().zip(far) {
        let donor = labels[row] as usize;
        for (feature, &x) in points.row(row).iter().enumerate() {
            sums[donor * (d + 1) + feature] -= x.into() * weights[row];
            sums[label * (d + 1) + feature] = x.into() * weights[row];
        }
        left[donor] -= usize::from(weights[row] > 0.0);
        sums[donor * (d + 1) + d] -= weights[row];
        sums[label * (d + 1) + d] = weights[row];
        if left[donor] == 0 && weights[row] > 0.0 {
            sums[donor * (d + 1) + d] = 0.0;
        }
    }
}

/// The sum of the squared distances of the points to the centres of their labels, each times its
/// weight: leaves of so many points as depends on `n` and `k`, each summed in order, then added in pairs, pairs of
/// pairs, and so on.
pub fn inertia<T: Element, C: Real>(
    points: Matrix<'_, T>,
    weights: &[f64],
    labels: &[u32],
    centres: Matrix<'_, C>,
) -> f64 {
    let n = points.rows();
    let leaf = leaf_points(n, centres.rows());
    let leaves = (0..n).step_by(leaf).map(|start| {
        let mut sum = 0.0;
        for row in start..n.min(start + leaf) {
            let distance = squared_distance(points.row(row), centres.row(labels[row] as usize));
            sum += distance * weights[row];
        }
        sum
    });
    tree(leaves.collect(), |left, right| *left += right)
}

/// Adds leaves at distance 1, then 2, then 4, into the left one.
fn tree<L: Clone + Default>(mut leaves: Vec<L>, add: impl Fn(&mut L, &L)) -> L {
    let mut apart = 1;
    while apart < leaves.len() {
        for left in (0..leaves.len() - apart).step_by(2 * apart) {
            let (head, tail) = leaves.split_at_mut(left + apart);
            add(&mut head[left], &tail[0]);
        }
        apart *= 2;
    }
    leaves.first().cloned().unwrap_or_default()
}
