//! `tilewise kmeans`: clusters the colours of a picture, or points from a file.

mod streamed;

use super::args::{DtypeArg, InitArg, KmeansArgs, KmeansShape};
use super::array;
use super::failure::Failure;
use super::output;
use super::points::{self, Number, Rows};
use super::setup::Setup;
use super::single;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::time::Duration;
use tilewise::Matrix;
use tilewise::kmeans::{Fit, KMeans, Plan, Progress, Shape, Source, With};
use tilewise::vector::Real;
use tilewise_harness::kmeans::{self, Error, Layout, Workload};
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files::{self, Claim};
use tilewise_tuner::measure::{Arm, Stopwatch};

/// Time for the rounds that measure a fit.
const FIT_BUDGET: Duration = Duration::from_secs(2);

/// What is clustered, and where it is from.
pub(super) struct Input<T> {
    pub(super) rows: Rows<T>,
    pub(super) picture: Option<Picture>,
    pub(super) source: String,
}

impl KmeansShape {
    /// Reads the points, and holds k against their number.
    pub(super) fn read<T: Number>(&self, seed: u64) -> Result<Input<T>, Failure> {
        let from_picture = |picture: Picture, source: String| Input {
            rows: Rows {
                values: picture.rgb().iter().map(|&byte| T::of_byte(byte)).collect(),
                columns: 3,
            },
            picture: Some(picture),
            source,
        };
        let input = match (&self.data, &self.image) {
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
        };
        self.check(input.rows.len(), &input.source)?;
        Ok(input)
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

pub(super) fn run(args: &KmeansArgs) -> Result<(), Failure> {
    match args.dtype {
        DtypeArg::F32 => run_as::<f32>(args),
        DtypeArg::F64 => run_as::<f64>(args),
        DtypeArg::U8 => run_as::<u8>(args),
    }
}

/// Files to be written, claimed before any work is done.
struct Claims {
    picture: Option<Claim>,
    centres: Option<Claim>,
    labels: Option<Claim>,
}

fn run_as<T: Number>(args: &KmeansArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let claims = Claims {
        picture: output::claim("--out", args.out.as_deref(), "png")?,
        centres: output::claim("--centers", args.centers.as_deref(), "npy")?,
        labels: output::claim("--labels", args.labels.as_deref(), "npy")?,
    };
    if let Some(points) = streamed::open::<T>(args, &setup)? {
        return streamed::run(args, &setup, claims, &points);
    }
    let input = args.shape.read::<T>(args.common.seed)?;
    let Rows { values, columns } = input.rows;
    let shape = Shape { n: values.len() / columns, d: columns, k: args.shape.k };
    let view = Matrix::new(&values, shape.n, shape.d).expect("whole rows were read");
    let settings = settings(args, shape)?;
    let setting = setup.setting();
    let chosen = setup.choose(&shape)?;
    let how = (shape, setting.isa, chosen.recipe);
    let plan = Plan::new(shape, setting.isa, chosen.recipe).map_err(|e| failure(e.into()))?;
    let fit = watched(&settings, view, &plan, (&setup, args.max_iter), |_| ())
        .map_err(|error| failure(error.into()))?;
    let fit_time = {
        let arm = Arm::new("fit", || {
            kmeans::fit(view, &settings, how, setup.team())
                .expect("the same fit was possible a moment ago");
        });
        let session = Stopwatch::within(FIT_BUDGET).measure(vec![arm]).map_err(Failure::failed)?;
        session.time("fit").map_err(Failure::failed)?
    };
    let workload = Workload::new(values, fit.centres()).map_err(failure)?;
    let mut candidate = workload
        .kernel("kmeans", setting.isa, (&chosen, Layout::Rows), setup.team())
        .map_err(failure)?;
    let mut line = single::measure(&setup, &workload.task(), &mut candidate, None)?;
    line.add("input", input.source);
    line.add("predict_median_s", line.median());
    line.add("fit_median_s", fit_time.median);
    line.add("fit_lo_s", fit_time.lo);
    line.add("fit_hi_s", fit_time.hi);
    line.add("iterations", fit.iterations());
    line.add("inertia", json!(fit.inertia()));
    line.add("clusters", fit.clusters());
    claims.write::<T>(input.picture.as_ref(), &fit)?;
    remark_clusters(&fit, shape.k);
    line.print(args.common.json)
}

fn remark_clusters<C: Real>(fit: &Fit<C>, k: usize) {
    let found = fit.clusters();
    if found < k {
        output::remark(format!("only {found} of {k} clusters have points; some may be equal"));
    }
}

/// The fit, with a bar that shows itself on a terminal if it takes long. `see` is shown every
/// iteration.
fn watched<'a, T: Number>(
    settings: &KMeans,
    points: impl Into<Source<'a, T>>,
    plan: &Plan,
    (setup, most): (&Setup, usize),
    mut see: impl FnMut(Progress<'_, T::Centre>),
) -> Result<Fit<T::Centre>, tilewise::kmeans::Error> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let style = ProgressStyle::with_template("{bar:30} {msg}").expect("the template is fine");
    let bar = ProgressBar::new(most as u64).with_style(style);
    let mut watch = |progress: Progress<'_, T::Centre>| {
        see(progress);
        if bar.elapsed() > PATIENCE {
            bar.set_position(progress.iteration as u64);
            let Progress { start, iteration, shift, tolerance, .. } = progress;
            bar.set_message(format!(
                "start {start}, iteration {iteration}: centres moved {shift:.2e}, to end {tolerance:.2e}"
            ));
        }
        ControlFlow::Continue(())
    };
    let fit = settings.fit_with(points, With::new(plan, setup.team()).watch(&mut watch));
    bar.finish_and_clear();
    fit
}

impl Claims {
    /// Writes what was asked for.
    fn write<T: Number>(
        self,
        picture: Option<&Picture>,
        fit: &Fit<T::Centre>,
    ) -> Result<(), Failure> {
        let rows = fit.centres();
        let values = (0..rows.rows()).flat_map(|row| rows.row(row).iter().map(|&c| c.into()));
        let centres: Vec<f64> = values.collect();
        let mut contents = Vec::new();
        if let (Some(claim), Some(picture)) = (self.picture, picture) {
            let white: f64 = T::of_byte(u8::MAX).into();
            let colours: Vec<f32> = centres.iter().map(|c| (c / white) as f32).collect();
            contents.push((claim, picture.repaint(fit.labels(), &colours).png()));
        }
        if let Some(claim) = self.centres {
            let shape = [rows.rows(), rows.cols()];
            contents.push((claim, array::of_reals::<T::Centre>(&shape, centres.iter().copied())));
        }
        if let Some(claim) = self.labels {
            contents.push((claim, array::of_labels(fit.labels())));
        }
        files::publish(contents).map_err(Failure::failed)
    }

    /// Writes the centres alone; whether they were asked for.
    fn write_centres<T: Number>(self, shape: Shape, centres: &[f64]) -> Result<bool, Failure> {
        let Some(claim) = self.centres else { return Ok(false) };
        let bytes = array::of_reals::<T::Centre>(&[shape.k, shape.d], centres.iter().copied());
        files::publish(vec![(claim, bytes)]).map_err(Failure::failed)?;
        Ok(true)
    }
}

fn settings(args: &KmeansArgs, shape: Shape) -> Result<KMeans, Failure> {
    let mut settings = KMeans::new(shape.k).tol(args.tol).max_iter(args.max_iter);
    settings = settings.seed(args.common.seed);
    if let Some(starts) = args.n_init {
        settings = settings.n_init(starts);
    }
    match &args.init {
        InitArg::PlusPlus => Ok(settings),
        InitArg::Random => Ok(settings.random()),
        InitArg::File(file) => {
            let Rows { values, columns } = points::read::<f64>(file)?;
            let rows = values.len() / columns;
            if (rows, columns) != (shape.k, shape.d) {
                let Shape { k, d, .. } = shape;
                return Err(Failure::usage(format!(
                    "--init {}: {rows} rows of {columns} numbers; expected k = {k} rows of {d}",
                    file.display()
                )));
            }
            let centres = Matrix::new(&values, rows, columns).expect("whole rows were read");
            Ok(settings.centres(centres))
        }
    }
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
