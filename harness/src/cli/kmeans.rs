//! `tilewise kmeans`: clusters the colours of a picture, or points from a file.

use super::args::{InitArg, KmeansArgs, KmeansShape};
use super::failure::Failure;
use super::output;
use super::points::{self, Rows};
use super::setup::Setup;
use super::single;
use serde_json::json;
use std::time::Duration;
use tilewise::Matrix;
use tilewise::kmeans::{KMeans, Shape};
use tilewise::points::Points;
use tilewise_harness::kmeans::{self, Error, Layout, Workload};
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files;
use tilewise_tuner::measure::{Arm, Stopwatch};

/// Time for the rounds that measure a fit.
const FIT_BUDGET: Duration = Duration::from_secs(2);

/// What is clustered, and where it is from.
pub(super) struct Input {
    pub(super) rows: Rows,
    pub(super) picture: Option<Picture>,
    pub(super) source: String,
}

impl KmeansShape {
    /// Reads the points, and holds k against their number.
    pub(super) fn read(&self, seed: u64) -> Result<Input, Failure> {
        let from_picture = |picture: Picture, source: String| Input {
            rows: Rows { values: picture.points(), columns: 3 },
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
        let points = input.rows.len();
        if !(1..=points).contains(&self.k) {
            let source = &input.source;
            return Err(Failure::usage(format!(
                "--k {}: expected 1 to {points}, the points there are ({source})",
                self.k
            )));
        }
        Ok(input)
    }
}

pub(super) fn run(args: &KmeansArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let claim = output::claim_png("--out", args.out.as_deref())?;
    let input = args.shape.read(args.common.seed)?;
    let Rows { values, columns } = input.rows;
    let shape = Shape { n: values.len() / columns, d: columns, k: args.shape.k };
    let view = Matrix::new(&values, shape.n, shape.d).expect("whole rows were read");
    let points = Points::from_rows(view)
        .map_err(|error| Failure::failed(format!("{}: {error}", input.source)))?;
    let settings = settings(args, shape)?;
    let setting = setup.setting();
    let chosen = setup.wisdom.choose(&shape, &setting);
    let how = (shape, setting.isa, chosen.recipe);
    let mut fit = kmeans::fit(&points, &settings, how, setup.team()).map_err(failure)?;
    let fit_time = {
        let arm = Arm::new("fit", || {
            fit = kmeans::fit(&points, &settings, how, setup.team())
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
    if let (Some(claim), Some(picture)) = (claim, input.picture) {
        let centres: Vec<f32> = (0..shape.k).flat_map(|k| fit.centres().row(k).to_vec()).collect();
        let quantised = picture.repaint(workload.labels(), &centres);
        files::publish(vec![(claim, quantised.png())]).map_err(Failure::failed)?;
    }
    line.print(args.common.json)
}

fn settings(args: &KmeansArgs, shape: Shape) -> Result<KMeans, Failure> {
    let settings = KMeans::new(shape.k).tol(args.tol).max_iter(args.max_iter);
    match &args.init {
        InitArg::PlusPlus => Ok(settings.seed(args.common.seed)),
        InitArg::File(file) => {
            let Rows { values, columns } = points::read(file)?;
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
        other => Failure::failed(other),
    }
}
