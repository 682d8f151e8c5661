//! The definition: plain loops, read top to bottom, that every kernel must agree with to the bit.
//!
//! The distance of a point to a centre is the sum, over the features in order, of the squared
//! difference, each step rounded to `f64`. The label is the lowest index among the nearest. A
//! distance is reported rounded to `f32`, an inertia as the `f64` sum described at
//! [`inertia`].

use super::update::{leaf_points, runs};
use crate::Matrix;
use alloc::{vec, vec::Vec};

/// The squared distance of two points.
#[inline(always)]
pub fn squared_distance(point: &[f32], centre: &[f32]) -> f64 {
    let mut sum = 0.0;
    for (x, c) in point.iter().zip(centre) {
        let difference = f64::from(*x) - f64::from(*c);
        sum += difference * difference;
    }
    sum
}

/// The nearest centre of one point and its squared distance.
pub fn nearest(point: &[f32], centres: Matrix<'_, f32>) -> (u32, f64) {
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
pub fn assign(points: Matrix<'_, f32>, centres: Matrix<'_, f32>) -> (Vec<u32>, Vec<f32>) {
    let nearest = |row| nearest(points.row(row), centres);
    (0..points.rows()).map(nearest).map(|(label, distance)| (label, distance as f32)).unzip()
}

/// Sums and counts of the points of each label: leaves of [`leaf_points`] points, each summed in
/// [`runs`] interleaved runs, which are added in pairs; the leaves then added in pairs, pairs of
/// pairs, and so on.
pub fn sums(points: Matrix<'_, f32>, labels: &[u32], k: usize) -> (Vec<f64>, Vec<u64>) {
    let (n, d) = (points.rows(), points.cols());
    let mut counts = vec![0; k];
    let mut leaves = Vec::new();
    for start in (0..n).step_by(leaf_points(n, k)) {
        let mut leaf = vec![vec![0.0; k * d]; runs(d)];
        for row in start..n.min(start + leaf_points(n, k)) {
            let label = labels[row] as usize;
            counts[label] += 1;
            let run = (row - start) % runs(d);
            for (sum, x) in leaf[run][label * d..][..d].iter_mut().zip(points.row(row)) {
                *sum += f64::from(*x);
            }
        }
        leaves.push(tree(leaf, |left, right| add_all(left, right)));
    }
    (tree(leaves, |left, right| add_all(left, right)), counts)
}

/// Lloyd's iteration from `centres` until no label changes or no centre moves, or `most` times:
/// the labels, the centres, and how many iterations it took.
///
/// Centres without points take the points farthest from their centres, the first among equals,
/// which leave the sums of their old labels; nothing moves if every point sits on its centre. A
/// centre that is still without points goes where the heaviest one goes.
pub fn lloyd(
    points: Matrix<'_, f32>,
    mut centres: Vec<f32>,
    most: usize,
) -> (Vec<u32>, Vec<f32>, usize) {
    let d = points.cols();
    let k = centres.len() / d;
    let mut previous = Vec::new();
    for iteration in 1..=most {
        let view = Matrix::new(&centres, k, d).expect("k rows of d features");
        let (labels, _) = assign(points, view);
        let (mut sums, mut counts) = sums(points, &labels, k);
        relocate(points, &labels, view, &mut sums, &mut counts);
        let before = centres.clone();
        let heaviest = (0..k).rev().max_by_key(|label| counts[*label]).unwrap_or(0);
        for label in 0..k {
            let from = if counts[label] > 0 { label } else { heaviest };
            for feature in 0..d {
                centres[label * d + feature] =
                    (sums[from * d + feature] / counts[from] as f64) as f32;
            }
        }
        if labels == previous || centres == before {
            return (labels, centres, iteration);
        }
        previous = labels;
    }
    let view = Matrix::new(&centres, k, d).expect("k rows of d features");
    (assign(points, view).0, centres, most)
}

fn relocate(
    points: Matrix<'_, f32>,
    labels: &[u32],
    centres: Matrix<'_, f32>,
    sums: &mut [f64],
    counts: &mut [u64],
) {
    let d = points.cols();
    let distance =
        |row: usize| squared_distance(points.row(row), centres.row(labels[row] as usize));
    let mut far: Vec<usize> = (0..points.rows()).collect();
    far.sort_by(|a, b| distance(*b).total_cmp(&distance(*a)));
    let empty: Vec<usize> = (0..counts.len()).filter(|label| counts[*label] == 0).collect();
    if distance(far[0]) == 0.0 {
        return;
    }
    for (label, row) in empty.into_iter().zip(far) {
        let donor = labels[row] as usize;
        for (feature, x) in points.row(row).iter().enumerate() {
            sums[donor * d + feature] -= f64::from(*x);
            sums[label * d + feature] = f64::from(*x);
        }
        counts[donor] -= 1;
        counts[label] = 1;
    }
}

/// The sum of the squared distances of the points to the centres of their labels, over the same
/// leaves as [`sums`].
pub fn inertia(points: Matrix<'_, f32>, labels: &[u32], centres: Matrix<'_, f32>) -> f64 {
    let n = points.rows();
    let leaf = leaf_points(n, centres.rows());
    let leaves = (0..n).step_by(leaf).map(|start| {
        let mut sum = 0.0;
        for row in start..n.min(start + leaf) {
            sum += squared_distance(points.row(row), centres.row(labels[row] as usize));
        }
        sum
    });
    tree(leaves.collect(), |left, right| *left += right)
}

fn add_all(left: &mut [f64], right: &[f64]) {
    left.iter_mut().zip(right).for_each(|(l, r)| *l += r);
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
