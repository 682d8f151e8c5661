//! What a fit is run with, besides settings and points: a plan and a team, and on request
//! weights, draws, and someone who watches.

use super::draws::Draws;
use super::found::Fit;
use super::plan::Plan;
use crate::{Matrix, Team};
use core::ops::ControlFlow;

/// What a fit is run with, besides settings and points.
pub struct With<'a, C> {
    pub(super) plan: &'a Plan,
    pub(super) team: &'a dyn Team,
    pub(super) weights: Option<&'a [f64]>,
    pub(super) draws: Option<&'a mut dyn Draws>,
    pub(super) watch: Option<Watch<'a, C>>,
    pub(super) keep: Option<&'a mut Option<Fit<C>>>,
}

/// Hears of every iteration, and may break off.
pub(super) type Watch<'a, C> = &'a mut dyn FnMut(Progress<'_, C>) -> ControlFlow<()>;

impl<'a, C> With<'a, C> {
    /// A plan for at least as many points, and a team.
    pub fn new(plan: &'a Plan, team: &'a dyn Team) -> Self {
        With { plan, team, weights: None, draws: None, watch: None, keep: None }
    }

    /// A weight for each point: 0 to 1e30, together 1e-100 or more. What is exact of their sums,
    /// [`KMeans::fit_weighted`](super::KMeans::fit_weighted) says.
    pub fn weights(mut self, weights: &'a [f64]) -> Self {
        self.weights = Some(weights);
        self
    }

    /// Draws instead of those of [`KMeans::seed`](super::KMeans::seed).
    pub fn draws(mut self, draws: &'a mut dyn Draws) -> Self {
        self.draws = Some(draws);
        self
    }

    /// Calls `watch` after each iteration. If it breaks, the fit ends there as it would at the
    /// last iteration allowed, with labels that belong to the centres, and no further start is
    /// made.
    pub fn watch(mut self, watch: Watch<'a, C>) -> Self {
        self.watch = Some(watch);
        self
    }

    /// Where a fit that fails, because points cannot be read any longer or draws have come to an end,
    /// leaves the best of the starts that had ended; nothing if none had. A fit that does not fail
    /// leaves nothing there.
    pub fn keep(mut self, best: &'a mut Option<Fit<C>>) -> Self {
        self.keep = Some(best);
        self
    }
}

/// How far a fit has come.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress<'a, C> {
    /// Which start, from 1.
    pub start: usize,
    /// How many iterations it has taken.
    pub iteration: usize,
    /// The sum of the squared shifts of the centres in the last one.
    pub shift: f64,
    /// The shift that counts as none.
    pub tolerance: f64,
    /// The centres as they are now, one a row.
    pub centres: Matrix<'a, C>,
}
