//! K-Means as a workload: centres are fitted once, then every point is labelled with its nearest.

mod sample;

pub use sample::Sample;

use crate::baseline::{self, Baseline};
use crate::roofs::{Pattern, Quantity};
use crate::workload::{Amount, Cache, Candidate, Check, RateUnit, Recipe, Task, Work, digest};
use serde_json::json;
use std::cell::{OnceCell, Ref, RefCell};
use tilewise::kmeans::{self, Fit, KMeans, Plan, Scratch, Shape, Source, With, reference};
use tilewise::points::{Element, Points};
use tilewise::{Isa, Matrix, Team};
use tilewise_tuner::wisdom::Chosen;

/// Points, the centres fitted to them, and the labels they must get, or those that some of them must.
#[derive(Debug)]
pub struct Workload<T: Element = f32> {
    shape: Shape,
    rows: Vec<T>,
    points: Points<T>,
    centres: Vec<T::Centre>,
    /// Made when the plain code is asked for, of which there is only `f32`.
    plain: OnceCell<baseline::kmeans::Operands>,
    sample: Sample,
    /// Of the points of the sample.
    expected: Vec<u32>,
    /// Of all points, from the last run; zeros before the first.
    labels: RefCell<Vec<u32>>,
}

/// A workload that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused: too few points, a NaN, and the like.
    #[error(transparent)]
    Kernel(#[from] kmeans::Error),
    /// The points cannot be clustered.
    #[error(transparent)]
    Points(#[from] tilewise::points::Error),
    /// The plain code refused.
    #[error(transparent)]
    Baseline(#[from] baseline::Error),
}

/// Fits centres to points.
///
/// # Errors
/// [`Error::Kernel`] for points and settings that do not suit.
pub fn fit<'a, T: Element>(
    points: impl Into<Source<'a, T>>,
    settings: &KMeans,
    (shape, isa, recipe): (Shape, Isa, kmeans::Recipe),
    team: &dyn Team,
) -> Result<Fit<T::Centre>, Error> {
    let plan = Plan::new(shape, isa, recipe)?;
    Ok(settings.fit_with(points, With::new(&plan, team))?)
}

impl<T: Element> Workload<T> {
    /// Takes row-major points and the centres of a fit; the reference labels them.
    ///
    /// # Errors
    /// [`Error::Points`], [`Error::Kernel`].
    pub fn new(rows: Vec<T>, centres: Matrix<'_, T::Centre>) -> Result<Workload<T>, Error> {
        Self::checked(rows, centres, Sample::all)
    }

    /// The same, but where it would take the reference long, it labels some of the points alone.
    ///
    /// # Errors
    /// As [`Workload::new`].
    pub fn sampled(rows: Vec<T>, centres: Matrix<'_, T::Centre>) -> Result<Workload<T>, Error> {
        Self::checked(rows, centres, Sample::affordable)
    }

    fn checked(
        rows: Vec<T>,
        centres: Matrix<'_, T::Centre>,
        sample: fn(Shape) -> Sample,
    ) -> Result<Workload<T>, Error> {
        let (k, d) = (centres.rows(), centres.cols());
        let shape = Shape { n: rows.len() / d.max(1), d, k };
        let view = Matrix::new(&rows, shape.n, d).expect("n rows of d features");
        let points = Points::from_rows(view)?;
        let sample = sample(shape);
        Ok(Workload {
            shape,
            points,
            centres: (0..k).flat_map(|row| centres.row(row)).copied().collect(),
            plain: OnceCell::new(),
            sample,
            expected: sample.labels(view, centres),
            labels: RefCell::new(vec![0; shape.n]),
            rows,
        })
    }

    /// The sizes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The labels of all points that the last run found; zeros before the first.
    pub fn found(&self) -> Ref<'_, [u32]> {
        Ref::map(self.labels.borrow(), Vec::as_slice)
    }

    /// Holds labels of all points against the reference, or as many of them as are checked.
    ///
    /// # Panics
    /// When there are fewer labels than points.
    pub fn check(&self, labels: &[u32]) -> Check {
        self.sample.check(labels, &self.expected)
    }

    /// What is done.
    pub fn task(&self) -> Task {
        let Shape { n, d, k } = self.shape;
        let (point, centre) = (size_of::<T>(), size_of::<T::Centre>());
        let bytes = (point * n * d + 4 * n + centre * k * d) as f64;
        let work = n as f64 * k as f64;
        Task {
            kernel: "kmeans".into(),
            title: format!("{n} points, d = {d}, k = {k}"),
            shape: json!({ "n": n, "d": d, "k": k }),
            dtype: T::NAME.into(),
            amount: Amount {
                formula: "n k".into(),
                work,
                unit: RateUnit::Distances,
                // A product and a sum for each feature: what cannot be done without.
                operations: 2.0 * d as f64,
                bytes: bytes / work,
                working_set: bytes,
                pattern: Pattern::Read,
                arithmetic: Some(Quantity::F32Compute),
            },
            cache: Cache::Hot,
            timed: format!("row-major {} in, u32 labels out", T::NAME),
        }
    }

    /// The kernel, following a recipe, from row-major points or from blocks.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn kernel<'a>(
        &'a self,
        name: &str,
        isa: Isa,
        (chosen, layout): (&Chosen<kmeans::Recipe>, Layout),
        team: &'a dyn Team,
    ) -> Result<Candidate<'a>, Error> {
        let plan = Plan::new(self.shape, isa, chosen.recipe)?;
        let threads = plan.members(team.size());
        let work = Ours { workload: self, layout, scratch: plan.scratch(threads)?, plan, team };
        Ok(Candidate::kernel(name, isa, threads, Recipe::describe(chosen), work))
    }

    /// The points, one a row.
    pub fn rows(&self) -> Matrix<'_, T> {
        let Shape { n, d, .. } = self.shape;
        Matrix::new(&self.rows, n, d).expect("n rows of d features")
    }

    fn centres(&self) -> Matrix<'_, T::Centre> {
        let Shape { d, k, .. } = self.shape;
        Matrix::new(&self.centres, k, d).expect("k rows of d features")
    }
}

impl Workload {
    /// The plain source in these loop orders.
    ///
    /// # Errors
    /// [`Error::Baseline`] when the plain code cannot take the points.
    pub fn plain(
        &self,
        build: Baseline,
        orders: &[baseline::kmeans::Order],
    ) -> Result<Vec<Candidate<'_>>, Error> {
        let made = baseline::kmeans::Operands::new(self.rows(), self.centres())?;
        let operands = self.plain.get_or_init(|| made);
        let candidate = |order: &baseline::kmeans::Order| {
            let plain = Plain { workload: self, operands, build, order: *order };
            Candidate::plain(build, order, plain)
        };
        Ok(orders.iter().map(candidate).collect())
    }
}

/// How points lie in memory when the clock starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// An array of structures: one row a point.
    Rows,
    /// A blocked structure of arrays.
    Blocks,
}

struct Plain<'a> {
    workload: &'a Workload,
    operands: &'a baseline::kmeans::Operands,
    build: Baseline,
    order: baseline::kmeans::Order,
}

impl Work for Plain<'_> {
    fn run(&mut self) {
        let mut labels = self.workload.labels.borrow_mut();
        self.build
            .assign(self.order, self.operands, &mut labels)
            .expect("there is a label for each point");
    }

    /// Plain sums of f32 may take the other of two centres that are almost equally near. So its
    /// labels may differ where the distances, taken exactly, do not by more than their rounding.
    fn check(&mut self) -> Check {
        self.workload.labels.borrow_mut().fill(u32::MAX);
        self.run();
        let Workload { sample, expected, labels, shape: Shape { d, k, .. }, .. } = self.workload;
        let (rows, centres, labels) =
            (self.workload.rows(), self.workload.centres(), labels.borrow());
        let (mut max_error, mut longest) = (0.0f64, 0.0f64);
        for (row, &nearest) in sample.points().zip(expected) {
            let label = labels[row];
            if label as usize >= *k {
                max_error = f64::MAX;
                break;
            }
            let to = |label: u32| {
                reference::squared_distance(rows.row(row), centres.row(label as usize))
            };
            let (least, taken) = (to(nearest), to(label));
            max_error = max_error.max(taken - least);
            longest = longest.max(taken);
        }
        // Each distance has d differences, squares and sums, so at most d + 2 roundings of its
        // own size; two distances are compared.
        let tolerance = 2.0 * (*d as f64 + 2.0) * f64::from(f32::EPSILON) * longest;
        Check {
            reference: "nearest centre by f64 distances; near-ties within f32 rounding".into(),
            compared: expected.len() as u64,
            max_error,
            tolerance,
            output_digest: digest(&labels),
        }
    }
}

struct Ours<'a, T: Element> {
    workload: &'a Workload<T>,
    layout: Layout,
    plan: Plan,
    scratch: Scratch,
    team: &'a dyn Team,
}

impl<T: Element> Work for Ours<'_, T> {
    fn run(&mut self) {
        let Workload { points, labels, .. } = self.workload;
        let (rows, centres) = (self.workload.rows(), self.workload.centres());
        let mut labels = labels.borrow_mut();
        let (plan, scratch, team) = (&self.plan, &mut self.scratch, self.team);
        let done = match self.layout {
            Layout::Rows => plan.assign(rows, centres, &mut labels, None, scratch, team),
            Layout::Blocks => plan.assign(points, centres, &mut labels, None, scratch, team),
        };
        done.expect("points and centres were made for this plan");
    }

    fn check(&mut self) -> Check {
        self.workload.labels.borrow_mut().fill(u32::MAX);
        self.run();
        self.workload.check(&self.workload.found())
    }
}
