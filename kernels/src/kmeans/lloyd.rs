//! Lloyd's iteration: label all points, move each centre to the mean of its points, again.

use super::plan::{Plan, Scratch};
use super::reference::squared_distance;
use super::source::Source;
use super::update::{Sums, over_leaves};
use super::{Error, Shape};
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Points};
use crate::{Matrix, Team};
use alloc::{vec, vec::Vec};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A fit under way.
pub(super) struct Lloyd<'a> {
    plan: &'a Plan,
    points: &'a Points,
    team: &'a dyn Team,
    scratch: Scratch,
    sums: Sums,
    pub(super) centres: Vec<f32>,
    pub(super) labels: Vec<u32>,
    previous: Vec<u32>,
}

impl<'a> Lloyd<'a> {
    /// Starts from `centres`, row by row.
    pub(super) fn new(
        plan: &'a Plan,
        points: &'a Points,
        centres: Vec<f32>,
        team: &'a dyn Team,
    ) -> Result<Self, Error> {
        let Shape { d, k, .. } = plan.shape();
        Ok(Lloyd {
            plan,
            points,
            team,
            scratch: plan.scratch(team.size())?,
            sums: Sums::new(points.n(), d, k, team.size())?,
            centres,
            labels: vec![u32::MAX; points.n()],
            previous: vec![u32::MAX; points.n()],
        })
    }

    /// Iterates at most `most` times; gives how many it took, and whether the labels have come to
    /// rest. `tolerance` is the sum of squared shifts of the centres that counts as none.
    pub(super) fn run(&mut self, most: usize, tolerance: f64) -> Result<(usize, bool), Error> {
        for iteration in 1..=most {
            let changed = self.label()?;
            let shift = self.move_centres();
            if !changed {
                return Ok((iteration, true));
            }
            if shift <= tolerance {
                return Ok((iteration, false));
            }
        }
        Ok((most, false))
    }

    /// Labels all points and sums them by label; whether any label changed.
    pub(super) fn label(&mut self) -> Result<bool, Error> {
        core::mem::swap(&mut self.labels, &mut self.previous);
        let Shape { d, k, .. } = self.plan.shape();
        let centres = Matrix::new(&self.centres, k, d).expect("as many as the plan has");
        let (plan, points, source) = (self.plan, self.points, Source::Blocks(self.points));
        let (leaves, leaf_blocks) = (self.sums.leaves(), self.sums.leaf_blocks());
        let (ready, desks) = self.scratch.prepare(centres)?;
        let (sums, labels) = (self.sums.shared(), Disjoint::new(&mut self.labels));
        let (previous, changed) = (&self.previous, AtomicBool::new(false));
        self.team.run(&|member| {
            let Some((mine, mut desk)) = desks.share(member, leaves) else {
                return;
            };
            for leaf in mine {
                let blocks = leaf * leaf_blocks..points.blocks().min((leaf + 1) * leaf_blocks);
                let range = blocks.start * BLOCK..points.n().min(blocks.end * BLOCK);
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every leaf is one member's, and leaves share no points.
                let labels = unsafe { labels.part(range.clone()) };
                plan.engine().label(source, &ready, blocks.clone(), labels, &mut desk);
                sums.sum((member.index(), leaf), points, blocks, labels);
                if *labels != previous[range] {
                    changed.store(true, Relaxed);
                }
            }
        });
        Ok(changed.into_inner())
    }

    /// Moves each centre to the mean of its points; gives the sum of squared shifts.
    fn move_centres(&mut self) -> f64 {
        let Shape { d, k, .. } = self.plan.shape();
        let sums = self.sums.total(self.team);
        let old = Matrix::new(&self.centres, k, d).expect("as many as the plan has");
        relocate(self.points, &self.labels, old, sums);
        let count = |label: usize| sums[label * (d + 1) + d];
        // The first of the heaviest, where a centre that is still without points is put.
        let heavier = |best, label| if count(label) > count(best) { label } else { best };
        let heaviest = (0..k).fold(0, heavier);
        let mut shift = 0.0;
        for label in 0..k {
            let from = if count(label) > 0.0 { label } else { heaviest };
            for feature in 0..d {
                let mean = (sums[from * (d + 1) + feature] / count(from)) as f32;
                let centre = &mut self.centres[label * d + feature];
                let moved = f64::from(mean) - f64::from(*centre);
                shift += moved * moved;
                *centre = mean;
            }
        }
        shift
    }

    /// The sum of squared distances of the points to the centres of their labels.
    pub(super) fn inertia(&self) -> f64 {
        let Shape { d, k, .. } = self.plan.shape();
        let centres = Matrix::new(&self.centres, k, d).expect("as many as the plan has");
        let labels = &self.labels;
        let of_leaf = |leaf: &mut [f64], blocks: Range<usize>| {
            let mut point = vec![0.0; d];
            for index in blocks.flat_map(|block| self.points.in_block(block)) {
                self.points.copy_point(index, &mut point);
                leaf[0] += squared_distance(&point, centres.row(labels[index] as usize));
            }
        };
        over_leaves(self.points, k, 1, self.team, &of_leaf)[0]
    }
}

/// Gives the points farthest from their centres, one each, to the centres without any: the sums
/// then read as if those points had been labelled so. Labels stay as they are, and nothing
/// happens when every point sits on its centre. Among equally far points the first is taken.
fn relocate(points: &Points, labels: &[u32], centres: Matrix<'_, f32>, sums: &mut [f64]) {
    let d = points.d();
    let empty: Vec<usize> =
        (0..centres.rows()).filter(|label| sums[label * (d + 1) + d] == 0.0).collect();
    if empty.is_empty() {
        return;
    }
    let mut point = vec![0.0; d];
    let mut far: Vec<(f64, usize)> = Vec::with_capacity(points.n());
    for index in 0..points.n() {
        points.copy_point(index, &mut point);
        far.push((squared_distance(&point, centres.row(labels[index] as usize)), index));
    }
    let farther = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
    if empty.len() < far.len() {
        far.select_nth_unstable_by(empty.len(), farther);
    }
    far.truncate(empty.len());
    far.sort_unstable_by(farther);
    if far.first().is_none_or(|(distance, _)| *distance == 0.0) {
        return;
    }
    for (label, (_, index)) in empty.into_iter().zip(far) {
        let donor = labels[index] as usize * (d + 1);
        for feature in 0..d {
            let x = f64::from(points.get(index, feature));
            sums[donor + feature] -= x;
            sums[label * (d + 1) + feature] = x;
        }
        sums[donor + d] -= 1.0;
        sums[label * (d + 1) + d] = 1.0;
    }
}

/// `factor` times the mean of the features' variances: the shift that counts as none.
pub(super) fn tolerance(points: &Points, k: usize, factor: f64, team: &dyn Team) -> f64 {
    let (n, d) = (points.n() as f64, points.d());
    if factor == 0.0 || d == 0 {
        return 0.0;
    }
    let sums = |of: &(dyn Fn(usize, f32) -> f64 + Sync)| {
        over_leaves(points, k, d, team, &|leaf, blocks| {
            for block in blocks {
                let lanes = points.in_block(block).len();
                for (feature, column) in points.block(block).chunks_exact(BLOCK).enumerate() {
                    leaf[feature] += column[..lanes].iter().map(|x| of(feature, *x)).sum::<f64>();
                }
            }
        })
    };
    let means: Vec<f64> = sums(&|_, x| f64::from(x)).into_iter().map(|sum| sum / n).collect();
    let squares =
        sums(&|feature, x| (f64::from(x) - means[feature]) * (f64::from(x) - means[feature]));
    factor * squares.into_iter().map(|sum| sum / n).sum::<f64>() / d as f64
}
