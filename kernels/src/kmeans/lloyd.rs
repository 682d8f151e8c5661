//! Lloyd's iteration: label all points, move each centre to the mean of its points, again.

use super::held::Piece;
use super::kept::{self, Kept};
use super::leaves::over_leaves;
use super::plan::{Plan, Scratch};
use super::reference::squared_distance;
use super::relabel::{Relabelled, relabel};
use super::relocate::relocate;
use super::sorted::Sorted;
use super::source::{PIECE, attempt};
use super::task::Task;
use super::update::{Labelled, NONE, Sums, scales};
use super::{Error, Shape};
use crate::Matrix;
use crate::buffer::vector;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use crate::vector::Real;
use alloc::{vec, vec::Vec};
use core::iter::repeat_n;
use core::ops::ControlFlow;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A fit under way.
pub(super) struct Lloyd<'a, T: Element> {
    /// All points.
    whole: Task<'a, T>,
    /// What is iterated over: all points, or a sorted copy.
    task: Task<'a, T>,
    /// Which of those each point is.
    of: Option<&'a [u32]>,
    /// How many points each stands for, if not for one.
    times: Option<&'a [u32]>,
    scratch: Scratch,
    sums: Sums,
    /// Until when labels stay, if that is worth keeping.
    pub(super) kept: Option<Kept>,
    pub(super) centres: Vec<T::Centre>,
    labels: Vec<u32>,
    previous: Vec<u32>,
}

/// How a run went.
pub(super) struct Ended {
    pub(super) iterations: usize,
    /// No label changed in the last one, and no centre moved: labels and centres agree.
    ///
    /// scikit-learn does not ask for the second, and leaves labels behind that its centres do not
    /// give where a centre took a point over in the last iteration (its issue 34074).
    pub(super) settled: bool,
    /// No label changed in the last one, or the centres moved no further than the tolerance.
    pub(super) converged: bool,
    /// The watcher asked to stop.
    pub(super) stopped: bool,
}

impl<'a, T: Element> Lloyd<'a, T> {
    /// Of all points, whose features are no larger than `largest`, or a sorted copy in their place
    /// and the plan for it.
    pub(super) fn new(
        whole: Task<'a, T>,
        sorted: Option<(&'a Sorted<T>, &'a Plan)>,
        largest: &[f64],
    ) -> Result<Self, Error> {
        let task = sorted.map_or(whole, |(sorted, plan)| Task {
            plan,
            source: sorted.source(),
            weights: sorted.weights.as_deref(),
            ..whole
        });
        let Shape { n, d, k } = task.shape();
        // Of all points, so that it makes no difference which are iterated over.
        let scales = scales(largest, whole.weights_together(), whole.shape().n);
        let members = task.plan.members_of_fit(task.team);
        let mut scratch = task.plan.scratch(members)?;
        scratch.observe(&task.source)?;
        // Points that are read part by part are to take no more memory.
        let keeps = task.source.held().is_some() && kept::suits(task.shape());
        Ok(Lloyd {
            whole,
            task,
            of: sorted.map(|(sorted, _)| &sorted.of[..]),
            times: sorted.and_then(|(sorted, _)| sorted.times.as_deref()),
            scratch,
            sums: Sums::new(scales, (k, d), members)?,
            // Who has no room for bounds goes without, and finds the same.
            kept: keeps.then(|| Kept::new(task.shape()).ok()).flatten(),
            centres: Vec::new(),
            labels: vector(repeat_n(NONE, n))?,
            previous: vector(repeat_n(NONE, n))?,
        })
    }

    /// Starts over from `centres`, row by row.
    pub(super) fn start(&mut self, centres: Vec<T::Centre>) {
        self.centres = centres;
        self.labels.fill(NONE);
        self.sums.clear();
        if let Some(kept) = &mut self.kept {
            kept.clear();
        }
    }

    /// Iterates at most `most` times; `tolerance` is the sum of squared shifts of the centres that
    /// counts as none. `watch` hears of each iteration and its shift.
    pub(super) fn run(
        &mut self,
        (most, tolerance): (usize, f64),
        mut watch: impl FnMut(usize, f64, &[T::Centre]) -> ControlFlow<()>,
    ) -> Result<Ended, Error> {
        let mut ended = Ended { iterations: 0, settled: false, converged: false, stopped: false };
        while ended.iterations < most {
            ended.iterations += 1;
            let changed = self.label()?;
            let (moved, shift) = self.move_centres()?;
            ended.settled = !changed && !moved;
            ended.converged = !changed || shift <= tolerance;
            ended.stopped = watch(ended.iterations, shift, &self.centres).is_break();
            if ended.converged || ended.stopped {
                break;
            }
        }
        Ok(ended)
    }

    /// The labels of all points.
    pub(super) fn labels(&self) -> Result<Vec<u32>, Error> {
        Ok(match self.of {
            Some(of) => vector(of.iter().map(|&index| self.labels[index as usize]))?,
            None => vector(self.labels.iter().copied())?,
        })
    }

    fn centres(&self) -> Matrix<'_, T::Centre> {
        let Shape { d, k, .. } = self.task.shape();
        Matrix::new(&self.centres, k, d).expect("as many as the plan has")
    }

    /// Labels all points and sums them by label; whether any label changed.
    pub(super) fn label(&mut self) -> Result<bool, Error> {
        core::mem::swap(&mut self.labels, &mut self.previous);
        let Shape { d, k, .. } = self.task.shape();
        let Task { plan, source, weights, team } = self.task;
        let loops = plan.engine().over::<T>();
        let centres = Matrix::new(&self.centres, k, d).expect("as many as the plan has");
        let (ready, desks) = self.scratch.prepare::<T, _>(&source, centres)?;
        let room = self.sums.len();
        let ((moved, scales), labels) = (self.sums.moved(), Disjoint::new(&mut self.labels));
        let (previous, times) = (&self.previous, self.times);
        let kept = self.kept.as_mut().map(Kept::split);
        let changed = AtomicBool::new(false);
        attempt(team, &|member| {
            let Some(mut desk) = desks.desk::<T>(member) else {
                return Ok(());
            };
            let start = member.index() * room;
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has sums of its own, and takes them once.
            let moved = unsafe { moved.part(start..start + room) };
            let mut piece = |Piece { held, blocks, points }: Piece<'_, T>| {
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every block is visited once, and blocks share no points.
                let labels = unsafe { labels.part(points.clone()) };
                match &kept {
                    None => {
                        let labelled = (blocks.clone(), &mut *labels);
                        loops.label(held, &ready, labelled, &mut desk, &mut []);
                    }
                    Some((until, moved)) => {
                        #[allow(unsafe_code, reason = "disjoint output views")]
                        // SAFETY: as for the labels.
                        let until = unsafe { until.part(points.clone()) };
                        let (blocks, previous) = (blocks.clone(), &previous[points.clone()]);
                        let labels = &mut *labels;
                        let first = points.start;
                        let work = Relabelled { blocks, first, labels, previous, until, moved };
                        relabel(plan.engine(), held, &ready, work, &mut desk);
                    }
                }
                let weights = weights.map(|weights| &weights[points.clone()]);
                let times = times.map(|times| &times[points.clone()]);
                let previous = &previous[points];
                let labelled = Labelled { blocks, labels, previous, weights, times, scales };
                if loops.shift(held, &labelled, desk.space, moved) {
                    changed.store(true, Relaxed);
                }
            };
            desks.each(member, |blocks| {
                source.each(blocks, |all| {
                    all.parts(PIECE).for_each(&mut piece);
                    Ok(())
                })
            })
        })?;
        Ok(changed.into_inner())
    }

    /// Moves each centre to the mean of its points; whether one moved, and the sum of squared
    /// shifts.
    pub(super) fn move_centres(&mut self) -> Result<(bool, f64), Error> {
        let Shape { d, k, .. } = self.task.shape();
        let (whole, of, labels) = (&self.whole, self.of, &self.labels);
        let sums = self.sums.total(whole.team);
        let old = Matrix::new(&self.centres, k, d).expect("as many as the plan has");
        let label = |point: usize| labels[of.map_or(point, |of| of[point] as usize)];
        relocate(whole, &label, old, sums)?;
        let weight = |label: usize| sums[label * (d + 1) + d];
        // The first of the heaviest, where a centre that is still without points is put.
        let heavier = |best, label| if weight(label) > weight(best) { label } else { best };
        let heaviest = (0..k).fold(0, heavier);
        let (mut any, mut shift) = (false, 0.0);
        // How far each moves is of interest to bounds alone.
        let mut squares = self.kept.is_some().then(|| vec![0.0; k]);
        for label in 0..k {
            let from = if weight(label) > 0.0 { label } else { heaviest };
            if weight(from) <= 0.0 {
                // Nothing weighs anything: there is no mean to go to.
                continue;
            }
            for feature in 0..d {
                let mean = T::Centre::from_f64(sums[from * (d + 1) + feature] / weight(from));
                let centre = &mut self.centres[label * d + feature];
                let moved = mean.into() - (*centre).into();
                any |= mean != *centre;
                shift += moved * moved;
                if let Some(squares) = &mut squares {
                    squares[label] += moved * moved;
                }
                *centre = mean;
            }
        }
        if let Some((kept, squares)) = self.kept.as_mut().zip(squares) {
            kept.moved(squares.into_iter());
        }
        Ok((any, shift))
    }

    /// The sum of squared distances of the points to the centres of their labels, each times the
    /// weight of its point.
    pub(super) fn inertia(&self, labels: &[u32]) -> Result<f64, Error> {
        let Task { source, team, .. } = self.whole;
        let (k, d) = (self.task.shape().k, source.d());
        let centres = self.centres();
        let of_leaf = |leaf: &mut [f64], piece: Piece<'_, T>| {
            let mut space = vec![T::default(); d];
            for (index, here) in piece.indices() {
                let point = piece.held.point(here, &mut space);
                let distance = squared_distance(point, centres.row(labels[index] as usize));
                leaf[0] += distance * self.whole.weight(index);
            }
        };
        Ok(over_leaves(source, (k, 1), team, &of_leaf)?[0])
    }
}

/// `factor` times the mean of the features' variances, weights aside: the shift that counts as
/// none.
pub(super) fn tolerance<T: Element>(task: &Task<'_, T>, factor: f64) -> Result<f64, Error> {
    let Shape { n, d, k } = task.shape();
    if factor == 0.0 {
        return Ok(0.0);
    }
    let n = n as f64;
    let means: Vec<f64> =
        column_sums(task, (k, d), |_, x| x)?.into_iter().map(|sum| sum / n).collect();
    let squares = column_sums(task, (k, d), |feature, x| {
        let difference = x - means[feature];
        difference * difference
    })?;
    Ok(factor * squares.into_iter().map(|sum| sum / n).sum::<f64>() / d as f64)
}

/// The sum over all points of what `of` makes of a feature and its value, for each feature: in a block
/// every eighth value, then the eight sums, then the blocks.
fn column_sums<T: Element>(
    task: &Task<'_, T>,
    (k, d): (usize, usize),
    of: impl Fn(usize, f64) -> f64 + Sync,
) -> Result<Vec<f64>, Error> {
    over_leaves(task.source, (k, d), task.team, &|leaf, Piece { held, blocks, .. }| {
        let mut space = vec![T::default(); d * BLOCK];
        for block in blocks {
            let lanes = held.in_block(block).len();
            let columns = held.columns(block, &mut space).chunks_exact(BLOCK);
            for (feature, column) in columns.enumerate() {
                let mut sums = [0.0; 8];
                for eight in column[..lanes].chunks(sums.len()) {
                    for (sum, &x) in sums.iter_mut().zip(eight) {
                        *sum += of(feature, x.into());
                    }
                }
                leaf[feature] += sums.iter().sum::<f64>();
            }
        }
    })
}
