//! `tilewise kmeans`: clusters the colours of a picture, or points from a file.

mod claims;
mod predict;
mod streamed;
#[cfg(test)]
mod tests;
mod watched;

use super::args::{DtypeArg, InitArg, KmeansArgs, KmeansShape};
use super::failure::Failure;
use super::npy;
use super::output;
use super::points::{self, Number, Rows};
use super::setup::Setup;
use super::single::{self, Line, Others};
use claims::Claims;
use serde_json::json;
use std::fmt::Display;
use std::path::Path;
use std::time::{Duration, Instant};
use tilewise::Matrix;
use tilewise::kmeans::{Fit, KMeans, Plan, Shape};
use tilewise::vector::Real;
use tilewise_harness::interrupt;
use tilewise_harness::kmeans::{self, Error, Layout, Workload};
use tilewise_harness::picture::Picture;
use tilewise_tuner::measure::{Arm, Estimate, Stopwatch};
use watched::{Ended, Run};

/// Time for the rounds that measure a fit, or labels of a file, and most that one may take to be made
/// again for them.
const BUDGET: Duration = Duration::from_secs(2);

/// What is clustered, and where it is from.
pub(super) struct Input<T> {
    pub(super) rows: Rows<T>,
    pub(super) picture: Option<Picture>,
    pub(super) source: String,
}

impl KmeansShape {
    /// Reads the points, and holds k against their number.
    pub(super) fn read<T: Number>(&self, seed: u64) -> Result<Input<T>, Failure> {
        let input = self.points(seed)?;
        self.check(input.rows.len(), &input.source)?;
        Ok(input)
    }

    /// Reads the points.
    fn points<T: Number>(&self, seed: u64) -> Result<Input<T>, Failure> {
        let from_picture = |picture: Picture, source: String| Input {
            rows: Rows {
                values: picture.rgb().iter().map(|&byte| T::of_byte(byte)).collect(),
                columns: 3,
            },
            picture: Some(picture),
            source,
        };
        Ok(match (&self.data, &self.image) {
            (Some(file), _) => Input {
                rows: points::read(file)?,
                picture: None,
                source: file.display().to_string(),
            },
            (None, Some(file)) => from_picture(
                Picture::open(file).map_err(Failure::failed)?,
                file.display().to_string(),
            ),
            (None, None) => {
                let (width, height) = Picture::DEFAULT_SIZE;
                from_picture(Picture::generate(width, height, seed), "generated".into())
            }
        })
    }

    /// Holds k against the number of points.
    fn check(&self, points: usize, source: &dyn Display) -> Result<(), Failure> {
        if (1..=points).contains(&self.k) {
            return Ok(());
        }
        let k = self.k;
        Err(Failure::usage(format!(
            "--k {k}: expected 1 to {points}, the points there are ({source})"
        )))
    }
}

/// What the numbers of a .npy file are; of one that cannot be read, nothing.
fn dtype(file: &Path) -> Option<DtypeArg> {
    // What is no file can be read once.
    let is_array = points::is_npy(file) && file.is_file();
    let points = is_array.then(|| npy::Points::<f64>::open(file).ok()).flatten()?;
    Some(points.dtype())
}

pub(super) fn run(args: &KmeansArgs) -> Result<(), Failure> {
    let own = args.shape.data.as_deref().and_then(dtype);
    match args.dtype.or(own).unwrap_or(DtypeArg::F32) {
        DtypeArg::F32 => run_as::<f32>(args),
        DtypeArg::F64 => run_as::<f64>(args),
        DtypeArg::U8 => run_as::<u8>(args),
    }
}

fn run_as<T: Number>(args: &KmeansArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let claims = Claims::new(args)?;
    let points = streamed::open::<T>(args, &setup)?;
    match (&args.predict, points) {
        (Some(centres), Some(points)) => {
            streamed::predict(args, &setup, claims, (&points, centres))
        }
        (Some(centres), None) => predict::run::<T>(args, &setup, claims, centres),
        (None, Some(points)) => streamed::run(args, &setup, claims, &points),
        (None, None) => fit::<T>(args, &setup, claims),
    }
}

/// Fits points that are in memory, writes, and measures how long fit and labels take. An interrupted
/// fit leaves what one of points in a file does.
fn fit<T: Number>(args: &KmeansArgs, setup: &Setup, claims: Claims) -> Result<(), Failure> {
    let Input { rows: Rows { values, columns }, picture, source } =
        args.shape.read::<T>(args.common.seed)?;
    remark_rounding::<T>("--data", args.shape.data.as_deref());
    let shape = Shape { n: values.len() / columns, d: columns, k: args.shape.k };
    let view = Matrix::new(&values, shape.n, shape.d).expect("whole rows were read");
    let settings = settings::<T>(args, shape)?;
    let chosen = setup.choose(&shape)?;
    let (isa, recipe) = (setup.setting().isa, chosen.recipe);
    let plan = Plan::new(shape, isa, recipe).map_err(|error| failure(error.into()))?;
    let run = Run { args, plan: &plan, setup, interrupted: &interrupt::caught };
    let start = Instant::now();
    let ended = watched::fit(&settings, view, run).map_err(|error| failure(error.into()))?;
    let once = start.elapsed();
    let fit = match ended {
        Ended::Whole(fit) => fit,
        Ended::Early(left) => return watched::stopped::<T>(left, shape, claims),
    };
    let workload = Workload::sampled(values, fit.centres()).map_err(failure)?;
    let mut candidate =
        workload.kernel("kmeans", isa, (&chosen, Layout::Rows), setup.team()).map_err(failure)?;
    // The labels it finds are held against the reference, and those of the fit against them.
    let check = single::check(&mut candidate)?;
    if *workload.found() != *fit.labels() {
        return Err(Failure::failed("the labels are not those of the fit; none are written"));
    }
    // Measuring may take longer than the fit: who has had enough of it loses no result.
    claims.write::<T>(picture.as_ref(), fit.centres(), fit.labels())?;
    remark_clusters(&fit, shape.k);
    watched::go_on()?;
    let fit_time = in_rounds("fit", once, || {
        watched::go_on()?;
        let how = (shape, isa, recipe);
        kmeans::fit(workload.rows(), &settings, how, setup.team()).map(drop).map_err(failure)
    })?;
    let mut candidate = watched::until_interrupted(candidate);
    let line = single::time(setup, &workload.task(), (&mut candidate, check), Others::default());
    watched::go_on()?;
    let mut line = line?;
    line.add("input", source);
    if let Some(picture) = &picture {
        line.add("distinct", picture.colours());
    }
    line.add("predict_median_s", line.median());
    add_fit(&mut line, &fit, &fit_time);
    line.print(args.common.json)
}

/// Adds what a fit found, and how long it took.
fn add_fit<C: Real>(line: &mut Line, fit: &Fit<C>, time: &Estimate) {
    line.add("fit_median_s", time.median);
    if time.rounds > 1 {
        line.add("fit_lo_s", time.lo);
        line.add("fit_hi_s", time.hi);
    }
    line.add("fit_rounds", time.rounds);
    line.add("iterations", fit.iterations());
    line.add("converged", fit.converged());
    line.add("inertia", json!(fit.inertia()));
    line.add("clusters", fit.clusters());
}

/// How long something takes that has taken `once`, in rounds. What takes longer than all rounds should
/// is not made six times more for an interval: there is one round, the one that was made.
fn in_rounds(
    name: &str,
    once: Duration,
    mut run: impl FnMut() -> Result<(), Failure>,
) -> Result<Estimate, Failure> {
    if once > BUDGET {
        let once = once.as_secs_f64();
        return Ok(Estimate { median: once, lo: once, hi: once, rounds: 1 });
    }
    let mut failed = None;
    let arm = Arm::new(name, || {
        // After a failure there is nothing to measure.
        if failed.is_none() {
            failed = run().err();
        }
    });
    let session = Stopwatch::within(BUDGET).measure(vec![arm]);
    // First, for rounds of nothing may be too short for the clock.
    if let Some(failure) = failed {
        return Err(failure);
    }
    session.map_err(Failure::failed)?.time(name).map_err(Failure::failed)
}

/// Tells that the numbers of a flag's file have lost digits.
fn remark_rounding<T: Number>(flag: &str, file: Option<&Path>) {
    if T::NAME == "f32" && file.and_then(dtype) == Some(DtypeArg::F64) {
        output::remark(format_args!(
            "the numbers of {flag} are f64 and were rounded to f32; --dtype f64 takes them whole"
        ));
    }
}

fn remark_clusters<C: Real>(fit: &Fit<C>, k: usize) {
    let found = fit.clusters();
    if found < k {
        output::remark(format!("only {found} of {k} clusters have points; some may be equal"));
    }
}

fn settings<T: Number>(args: &KmeansArgs, shape: Shape) -> Result<KMeans, Failure> {
    let mut settings = KMeans::new(shape.k).tol(args.tol).max_iter(args.max_iter);
    settings = settings.seed(args.common.seed);
    if let Some(starts) = args.n_init {
        settings = settings.n_init(starts);
    }
    match &args.init {
        InitArg::PlusPlus => Ok(settings),
        InitArg::Random => Ok(settings.random()),
        InitArg::File(file) => {
            let Rows { values, columns } = starts::<T>(file)?;
            remark_rounding::<T>("--init", Some(file));
            let rows = values.len() / columns;
            if (rows, columns) != (shape.k, shape.d) {
                let Shape { k, d, .. } = shape;
                return Err(Failure::usage(format!(
                    "--init {}: {rows} rows of {columns} numbers; expected k = {k} rows of {d}",
                    file.display()
                )));
            }
            if let Some(starts @ 2..) = args.n_init {
                output::remark(format_args!(
                    "--n-init {starts} is not followed: from the centres of --init there is one start"
                ));
            }
            let centres = Matrix::new(&values, rows, columns).expect("whole rows were read");
            Ok(settings.centres(centres))
        }
    }
}

/// Centres from a file, each of them a number that centres can be.
fn starts<T: Number>(file: &Path) -> Result<Rows<f64>, Failure> {
    if T::NAME != "f32" {
        return points::read(file);
    }
    let Rows { values, columns } = points::read::<f32>(file)?;
    Ok(Rows { values: values.into_iter().map(f64::from).collect(), columns })
}

fn failure(error: Error) -> Failure {
    use tilewise::kmeans::Error as Kernel;
    match error {
        Error::Kernel(Kernel::Tolerance(tol)) => {
            Failure::usage(format!("--tol {tol}: expected a finite number, 0 or more"))
        }
        Error::Kernel(Kernel::NoIterations) => {
            Failure::usage("--max-iter 0: expected at least 1 iteration")
        }
        Error::Kernel(Kernel::NoStarts) => Failure::usage("--n-init 0: expected 1 or more"),
        other => Failure::failed(other),
    }
}
