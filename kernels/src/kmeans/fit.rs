//! The front door: fit centres to points, then label others with them.

use super::lloyd::{Lloyd, tolerance};
use super::{Error, Plan, Recipe, Shape, seed};
use crate::cache::CacheSizes;
use crate::points::Points;
use crate::{Isa, Matrix, Team};
use alloc::{vec, vec::Vec};

/// K-Means with scikit-learn's defaults: greedy k-means++ seeding, at most 300 iterations, a
/// tolerance of 1e-4 of the mean variance of the features.
///
/// The result depends on the points and these settings alone, to the bit: not on the instruction
/// set, the recipe or the number of threads.
///
/// ```
/// use tilewise::kmeans::KMeans;
/// use tilewise::{Matrix, points::Points};
///
/// let rows = [0.0, 0.1, 5.0, 5.1, 0.2, 0.0, 5.2, 4.9];
/// let rows = Matrix::new(&rows, 4, 2)?;
/// let fit = KMeans::new(2).seed(7).fit(&Points::from_rows(rows)?)?;
/// assert_eq!(fit.labels()[0], fit.labels()[2]);
/// assert_eq!(fit.predict(rows)?, fit.labels());
/// assert!(fit.inertia() < 0.1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KMeans {
    k: usize,
    start: Start,
    max_iter: usize,
    tol: f64,
}

/// Where the centres start.
#[derive(Clone, Debug)]
enum Start {
    PlusPlus { seed: u64 },
    Given { centres: Vec<f32>, k: usize, d: usize },
}

impl KMeans {
    /// With `k` clusters.
    pub fn new(k: usize) -> Self {
        KMeans { k, start: Start::PlusPlus { seed: 0 }, max_iter: 300, tol: 1e-4 }
    }

    /// Seeds by greedy k-means++ with the draws of `seed` (0 unless told).
    pub fn seed(mut self, seed: u64) -> Self {
        self.start = Start::PlusPlus { seed };
        self
    }

    /// Starts from these centres instead.
    pub fn centres(mut self, centres: Matrix<'_, f32>) -> Self {
        let (k, d) = (centres.rows(), centres.cols());
        let centres = (0..k).flat_map(|row| centres.row(row)).copied().collect();
        self.start = Start::Given { centres, k, d };
        self
    }

    /// Stops after this many iterations at the latest.
    pub fn max_iter(mut self, most: usize) -> Self {
        self.max_iter = most;
        self
    }

    /// Stops once the squared shifts of all centres together are no more than `tol` times the
    /// mean variance of the features; 0 waits until no label changes.
    pub fn tol(mut self, tol: f64) -> Self {
        self.tol = tol;
        self
    }

    /// Fits on the best instruction set, with an estimated recipe and as many cores as the
    /// problem is worth.
    ///
    /// # Errors
    /// [`Error::NoClusters`], [`Error::TooManyClusters`], [`Error::NoIterations`],
    /// [`Error::Tolerance`]; for given centres [`Error::Shape`] and [`Error::Centres`];
    /// [`Error::OutOfMemory`].
    pub fn fit(&self, points: &Points) -> Result<Fit, Error> {
        let recipe = estimate(self.shape(points));
        let plan = Plan::new(self.shape(points), Isa::best(), recipe)?;
        on_cores(recipe.threads, |team| self.fit_with(points, &plan, team))
    }

    /// Fits with a plan of one's own, which must be for `k` clusters and as many features as the
    /// points have.
    ///
    /// # Errors
    /// As [`KMeans::fit`], and [`Error::Shape`] or [`Error::TooManyPoints`] for another plan.
    pub fn fit_with(&self, points: &Points, plan: &Plan, team: &dyn Team) -> Result<Fit, Error> {
        self.check(points, plan)?;
        let centres = match &self.start {
            Start::Given { centres, .. } => centres.clone(),
            Start::PlusPlus { seed } => {
                seed::plus_plus(plan.engine(), points, self.k, *seed, team)?
            }
        };
        let mut lloyd = Lloyd::new(plan, points, centres, team)?;
        let tolerance = tolerance(points, self.k, self.tol, team);
        let (iterations, settled) = lloyd.run(self.max_iter, tolerance)?;
        if !settled {
            // The centres have moved since the labels were found.
            lloyd.label()?;
        }
        let inertia = lloyd.inertia();
        let Lloyd { centres, labels, .. } = lloyd;
        Ok(Fit { k: self.k, d: points.d(), centres, labels, inertia, iterations })
    }

    fn shape(&self, points: &Points) -> Shape {
        Shape { n: points.n(), d: points.d(), k: self.k }
    }

    fn check(&self, points: &Points, plan: &Plan) -> Result<(), Error> {
        let Shape { n, d, k } = self.shape(points);
        if k == 0 {
            return Err(Error::NoClusters);
        }
        if k > n {
            return Err(Error::TooManyClusters { k, n });
        }
        if n > plan.shape().n {
            return Err(Error::TooManyPoints { given: n, most: plan.shape().n });
        }
        if self.max_iter == 0 {
            return Err(Error::NoIterations);
        }
        if !(self.tol.is_finite() && self.tol >= 0.0) {
            return Err(Error::Tolerance(self.tol));
        }
        let mut counts = vec![
            ("clusters of the plan", plan.shape().k, k),
            ("features of the plan", plan.shape().d, d),
        ];
        if let Start::Given { k: rows, d: cols, .. } = self.start {
            counts.extend([("given centres", rows, k), ("features of the centres", cols, d)]);
        }
        match counts.into_iter().find(|(_, given, expected)| given != expected) {
            Some((what, given, expected)) => Err(Error::Shape { what, given, expected }),
            None => Ok(()),
        }
    }
}

/// What a fit found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    k: usize,
    d: usize,
    centres: Vec<f32>,
    labels: Vec<u32>,
    inertia: f64,
    iterations: usize,
}

impl Fit {
    /// The centres, one a row.
    pub fn centres(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.centres, self.k, self.d).expect("k rows of d features")
    }

    /// The label of each point: the index of its nearest centre.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The sum of the squared distances of the points to the centres of their labels.
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// How many times the centres were moved, the last time included.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Labels row-major points with their nearest centres.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of features, [`Error::Points`] for a NaN or an
    /// infinity, [`Error::OutOfMemory`].
    pub fn predict(&self, rows: Matrix<'_, f32>) -> Result<Vec<u32>, Error> {
        let shape = Shape { n: rows.rows(), d: self.d, k: self.k };
        let recipe = estimate(shape);
        let plan = Plan::new(shape, Isa::best(), recipe)?;
        let mut scratch = plan.scratch(recipe.threads)?;
        let mut labels = vec![0; rows.rows()];
        on_cores(recipe.threads, |team| {
            plan.assign_rows(rows, self.centres(), &mut labels, None, &mut scratch, team)
        })?;
        Ok(labels)
    }
}

fn estimate(shape: Shape) -> Recipe {
    #[cfg(feature = "std")]
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(not(feature = "std"))]
    let cores = 1;
    Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), cores)
}

/// Runs `work` on a team of `threads` where there are threads, else alone.
fn on_cores<R>(threads: usize, work: impl FnOnce(&dyn Team) -> R) -> R {
    #[cfg(feature = "std")]
    if threads > 1
        && let Ok(team) = crate::SpinTeam::new(threads)
    {
        return work(&team);
    }
    let _ = threads;
    work(&crate::Solo)
}
