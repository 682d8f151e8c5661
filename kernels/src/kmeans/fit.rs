//! The front door: settings, and the fit of centres to points by them.

use super::draws::{Draws, Seeded};
use super::found::Fit;
use super::lloyd::{Ended, Lloyd, tolerance};
use super::model::{Centres, estimate, on_cores};
use super::recipe::WORTH_A_FIT;
use super::sorted::Sorted;
use super::source::Source;
use super::task::Task;
use super::with::{Progress, With};
use super::{Error, Plan, Shape, seed};
use crate::points::{Element, NotFinite};
use crate::vector::Real;
use crate::{Isa, Matrix};
use alloc::{vec, vec::Vec};
use core::ops::ControlFlow;

/// K-Means with scikit-learn's defaults: greedy k-means++ seeding, one start (ten where points
/// are drawn at random), at most 300 iterations, a tolerance of 1e-4 of the mean variance of the
/// features.
///
/// The result depends on the points and these settings alone, to the bit: not on the instruction
/// set, the recipe or the number of threads.
///
/// Sums are of whole multiples of a unit that each feature has for itself: they are exact in
/// whatever order, but for what a value is away from such a multiple. The mean of a cluster is
/// therefore off by up to 1e-21 of the largest magnitude that the feature has in any point, of a
/// million points (1e-19 of ten million, 1e-17 of a hundred million), before it is rounded to what
/// centres are. That is less than `f64` shows, but where one feature is of very different size in
/// different clusters: values around 0.1 beside others around 1e15 have a mean of some five digits.
///
/// ```
/// use tilewise::kmeans::KMeans;
/// use tilewise::Matrix;
///
/// let rows = [0.0, 0.1, 5.0, 5.1, 0.2, 0.0, 5.2, 4.9];
/// let rows = Matrix::new(&rows, 4, 2)?;
/// let fit = KMeans::new(2).seed(7).fit(rows)?;
/// assert_eq!(fit.labels()[0], fit.labels()[2]);
/// assert_eq!(fit.predict(rows)?, fit.labels());
/// assert!(fit.inertia() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KMeans {
    k: usize,
    start: Start,
    starts: Option<usize>,
    seed: u64,
    max_iter: usize,
    tol: f64,
}

/// Where the centres start.
#[derive(Clone, Debug)]
enum Start {
    PlusPlus,
    Random,
    Given { centres: Vec<f64>, k: usize, d: usize },
}

impl KMeans {
    /// With `k` clusters.
    pub fn new(k: usize) -> Self {
        KMeans { k, start: Start::PlusPlus, starts: None, seed: 0, max_iter: 300, tol: 1e-4 }
    }

    /// What is drawn, is drawn by this seed (0 unless told).
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts from points drawn at random, by weight, instead of by k-means++.
    pub fn random(mut self) -> Self {
        self.start = Start::Random;
        self
    }

    /// Starts from these centres instead, rounded to what centres of the points are. Then there is
    /// one start, whatever [`KMeans::n_init`] says.
    pub fn centres<C: Real>(mut self, centres: Matrix<'_, C>) -> Self {
        let (k, d) = (centres.rows(), centres.cols());
        let centres = (0..k).flat_map(|row| centres.row(row)).map(|&c| c.into()).collect();
        self.start = Start::Given { centres, k, d };
        self
    }

    /// Starts so often, each time with further draws, and keeps the fit with the least inertia
    /// (the earlier one where clusters differ in nothing but their numbers).
    pub fn n_init(mut self, starts: usize) -> Self {
        self.starts = Some(starts);
        self
    }

    /// Stops after this many iterations at the latest.
    pub fn max_iter(mut self, most: usize) -> Self {
        self.max_iter = most;
        self
    }

    /// Stops once the squared shifts of all centres together are no more than `tol` times the
    /// mean variance of the features; 0 waits until no label changes or no centre moves.
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Fits by an estimated recipe, on as many cores as are worth starting threads for.
    ///
    /// # Memory
    /// Beside the points a fit takes what [`Chunks`](super::Chunks) says for each of them, however many
    /// features they have, and where points in memory have more than 4 features and cost 1024 products
    /// each (features times centres), 4 bytes more if there is room. Points in memory of up to 4 features,
    /// and rows of a file that is mapped are such, may be sorted into a copy: from 16,384 points and 16
    /// centres on, of bytes without weights with any number of centres, if more than 4 iterations are
    /// allowed. It is as large as the points (equal ones are in it once, if they have no weights), twice
    /// that while it is made, and some 30 bytes for each point come with it. Where memory has no room for
    /// it, a fit goes without and finds the same.
    ///
    /// # Errors
    /// As [`KMeans::fit_with`].
    pub fn fit<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
    ) -> Result<Fit<T::Centre>, Error> {
        self.fit_weighted(points, None)
    }

    /// The labels of [`KMeans::fit`], under the name scikit-learn has for it. With weights they are
    /// those of [`KMeans::fit_weighted`].
    ///
    /// ```
    /// use tilewise::{Matrix, kmeans::KMeans};
    /// let rows = [0.0, 9.0, 0.5, 8.5];
    /// let labels = KMeans::new(2).fit_predict(Matrix::new(&rows, 4, 1)?)?;
    /// assert!(labels[0] == labels[2] && labels[0] != labels[1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`KMeans::fit_with`].
    pub fn fit_predict<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
    ) -> Result<Vec<u32>, Error> {
        Ok(self.fit(points)?.labels)
    }

    /// [`KMeans::fit`] with a weight for each point: a point that weighs 2 counts like two of it,
    /// one that weighs 0 only gets a label.
    ///
    /// Weights are summed as features are. Of a million points, those that weigh less than some 1e-11
    /// of all together lose bits, those below some 1e-28 count as 0; and the mean of a cluster may be
    /// off by the more, the less its points weigh: by what [`KMeans`] says, times its share of the
    /// points, divided by its share of the weight.
    ///
    /// # Errors
    /// As [`KMeans::fit_with`].
    pub fn fit_weighted<'a, 'w, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
        weights: impl Into<Option<&'w [f64]>>,
    ) -> Result<Fit<T::Centre>, Error> {
        let (source, weights) = (points.into(), weights.into());
        let shape = Shape { n: source.n(), d: source.d(), k: self.k };
        let recipe = estimate(shape, WORTH_A_FIT);
        let plan = Plan::new(shape, Isa::best(), recipe)?;
        on_cores(recipe.threads, |team| {
            self.fit_with(source, With { weights, ..With::new(&plan, team) })
        })
    }

    /// Fits by a plan, with a team, and whatever else there is.
    ///
    /// # Errors
    /// [`Error::NoPoints`], [`Error::TooManyClusters`], [`Error::NoClusters`],
    /// [`Error::NoIterations`], [`Error::NoStarts`], [`Error::Tolerance`]; [`Error::Points`] and
    /// [`Error::TooFar`] for values; [`Error::Weight`], [`Error::NoWeight`], [`Error::TooLight`] and
    /// [`Error::TooFewWeighted`] for weights; [`Error::CentreTooFar`] for given centres that `f32` does
    /// not hold, [`Error::Centres`] for those that are not finite, and where a mean of values near the
    /// largest `f32` came out larger, because its points weigh next to nothing beside all others;
    /// [`Error::Draw`] and [`Error::TooFewDraws`]; [`Error::Shape`] and [`Error::TooManyPoints`] where
    /// plan, weights or given centres do not go with the points; [`Error::Read`] from
    /// [`Chunks`](super::Chunks); [`Error::OutOfMemory`].
    pub fn fit_with<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
        with: With<'_, T::Centre>,
    ) -> Result<Fit<T::Centre>, Error> {
        let With { plan, team, weights, draws, mut watch, keep } = with;
        let mut nowhere = None;
        let best = keep.unwrap_or(&mut nowhere);
        *best = None;
        let task = Task { source: points.into(), weights, plan, team: plan.team_of_fit(team) };
        let largest = task.check(self.k)?;
        self.check::<T>(task.shape())?;
        let mut seeded = Seeded::new(self.seed);
        let draws = draws.unwrap_or(&mut seeded);
        let tolerance = tolerance(&task, self.tol)?;
        let sorted = Sorted::make(&task, self.max_iter);
        let in_order = plan.in_order()?;
        let sorted = sorted.as_ref().map(|sorted| (sorted, &in_order));
        let mut lloyd = Lloyd::new(task, sorted, &largest)?;
        let mut stopped = false;
        for start in 1..=self.starts() {
            lloyd.start(self.first(&task, draws)?);
            let ended = lloyd.run((self.max_iter, tolerance), |iteration, shift, centres| {
                let centres = Matrix::new(centres, self.k, task.source.d()).expect("k rows");
                let progress = Progress { start, iteration, shift, tolerance, centres };
                watch.as_mut().map_or(ControlFlow::Continue(()), |watch| watch(progress))
            })?;
            let fit = self.ended(&mut lloyd, &ended, (start, task.source.d()))?;
            if best.as_ref().is_none_or(|best| fit.betters(best, self.k)) {
                *best = Some(fit);
            }
            stopped = ended.stopped;
            if stopped {
                break;
            }
        }
        Ok(Fit { stopped, ..best.take().expect("at least one start") })
    }

    /// The points the first start of such a fit begins with, in the order they are chosen; none if
    /// centres are given.
    ///
    /// # Errors
    /// As [`KMeans::fit_with`].
    pub fn seeds<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
        with: With<'_, T::Centre>,
    ) -> Result<Vec<usize>, Error> {
        let With { plan, team, weights, draws, .. } = with;
        let task = Task { source: points.into(), weights, plan, team: plan.team_of_fit(team) };
        task.check(self.k)?;
        self.check::<T>(task.shape())?;
        self.choose(&task, draws.unwrap_or(&mut Seeded::new(self.seed)))
    }

    /// What a start came to.
    fn ended<T: Element>(
        &self,
        lloyd: &mut Lloyd<'_, T>,
        ended: &Ended,
        (start, d): (usize, usize),
    ) -> Result<Fit<T::Centre>, Error> {
        if !ended.settled {
            // The centres have moved since the labels were found.
            lloyd.label()?;
        }
        let labels = lloyd.labels()?;
        Ok(Fit {
            inertia: lloyd.inertia(&labels)?,
            centres: Centres::of(self.k, d, lloyd.centres.clone()),
            labels,
            start,
            iterations: ended.iterations,
            converged: ended.converged,
            stopped: ended.stopped,
        })
    }

    fn starts(&self) -> usize {
        match (&self.start, self.starts) {
            (Start::Given { .. }, _) | (Start::PlusPlus, None) => 1,
            (Start::Random, None) => 10,
            (_, Some(starts)) => starts,
        }
    }

    /// The points to start from.
    fn choose<T: Element>(
        &self,
        task: &Task<'_, T>,
        draws: &mut dyn Draws,
    ) -> Result<Vec<usize>, Error> {
        match &self.start {
            Start::PlusPlus => seed::plus_plus(task, self.k, draws),
            Start::Random => seed::random(task, self.k, draws),
            Start::Given { .. } => Ok(Vec::new()),
        }
    }

    /// The centres to start from.
    fn first<T: Element>(
        &self,
        task: &Task<'_, T>,
        draws: &mut dyn Draws,
    ) -> Result<Vec<T::Centre>, Error> {
        if let Start::Given { centres, .. } = &self.start {
            return Ok(centres.iter().map(|&c| T::Centre::from_f64(c)).collect());
        }
        let mut centres = Vec::with_capacity(self.k * task.source.d());
        let mut space = vec![T::default(); task.source.d()];
        for point in self.choose(task, draws)? {
            let features = task.source.point(point, &mut space)?;
            centres.extend(features.iter().map(|&x| T::Centre::from_f64(x.into())));
        }
        Ok(centres)
    }

    fn check<T: Element>(&self, shape: Shape) -> Result<(), Error> {
        if self.max_iter == 0 {
            return Err(Error::NoIterations);
        }
        if self.starts() == 0 {
            return Err(Error::NoStarts);
        }
        if !(self.tol.is_finite() && self.tol >= 0.0) {
            return Err(Error::Tolerance(self.tol));
        }
        if let Start::Given { centres, k, d } = &self.start {
            let (k, d) = (*k, *d);
            for (what, given, expected) in
                [("given centres", k, self.k), ("features of the centres", d, shape.d)]
            {
                if given != expected {
                    return Err(Error::Shape { what, given, expected });
                }
            }
            return check_given::<T>(centres, d);
        }
        Ok(())
    }
}

/// Refuses centres that are no numbers, or none any more once they are what centres of `T` are.
fn check_given<T: Element>(centres: &[f64], d: usize) -> Result<(), Error> {
    for (at, &value) in centres.iter().enumerate() {
        let (row, column) = (at / d, at % d);
        if !value.is_finite() {
            return Err(Error::Centres(NotFinite { row, column, value }));
        }
        if !T::Centre::from_f64(value).into().is_finite() {
            return Err(Error::CentreTooFar { centre: row, value, most: f32::MAX.into() });
        }
    }
    Ok(())
}
