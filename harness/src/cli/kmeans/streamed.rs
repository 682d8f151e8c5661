//! Points that stay in their file: fitted once, or not at all, and labelled in rounds, a part of the
//! file at a time.

mod labels;
#[cfg(test)]
mod tests;

use super::claims::Claims;
use super::watched::{self, Ended, Left, Run};
use super::{failure, predict, remark_rounding, settings, starts};
use crate::cli::args::KmeansArgs;
use crate::cli::failure::Failure;
use crate::cli::npy::{NpyError, Points};
use crate::cli::output;
use crate::cli::points::{self, Number};
use crate::cli::setup::Setup;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use labels::Labels;
use serde_json::{Map, Value, json};
use std::io;
use std::path::Path;
use std::time::Instant;
use tilewise::Matrix;
use tilewise::kmeans::{
    self, Chunks, Error, KMeans, Plan, ReadError, Reader, Reason, Shape, reference,
};
use tilewise::points::NotFinite;
use tilewise_harness::interrupt;
use tilewise_harness::kmeans::Sample;
use tilewise_harness::report::flatten;
use tilewise_harness::workload::{Cache, Check, RateUnit, Recipe};
use tilewise_tuner::measure::Estimate;
use tilewise_tuner::wisdom::Chosen;

/// Bytes that each thread reads at a time, unless told how many points.
const PART: usize = 1 << 20;

/// Numbers that are searched for a recipe with, at most.
const TUNED: usize = 1 << 26;

/// The points of `--data` where they are, if they are to stay there: asked for, or so many that
/// they, their copies and the reference's would not leave room in memory.
pub(super) fn open<T: Number>(
    args: &KmeansArgs,
    setup: &Setup,
) -> Result<Option<Points<T>>, Failure> {
    let Some(file) = args.shape.data.as_deref().filter(|file| points::is_npy(file)) else {
        if args.chunk.is_some() {
            return Err(Failure::usage("--chunk: expected --data FILE.npy, the file to read from"));
        }
        return Ok(None);
    };
    if args.chunk == Some(0) {
        return Err(Failure::usage("--chunk 0: expected at least 1 point at a time"));
    }
    let large = |bytes: u64| {
        let available = setup.machine.memory_available.known();
        available.is_some_and(|available| bytes > available / 4)
    };
    // Numbers of the file may be wider in memory. What cannot be opened is refused further on.
    let length = || std::fs::metadata(file).map_or(0, |file| file.len());
    let wide = || Points::<T>::open(file).map_or(0, |points| points.wide());
    if args.chunk.is_none() && !large(length().max(wide())) {
        return Ok(None);
    }
    let wrong = |error| Failure::failed(format!("{}: {error}", file.display()));
    Points::open(file).map(Some).map_err(wrong)
}

/// Reads for as long as nobody wants to stop.
struct Interruptible<'a, T> {
    points: &'a Points<T>,
    interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl<T: Number> Reader<T> for Interruptible<'_, T> {
    fn n(&self) -> usize {
        self.points.n()
    }

    fn d(&self) -> usize {
        self.points.d()
    }

    fn read(&self, first: usize, rows: &mut [T]) -> Result<(), Reason> {
        if (self.interrupted)() {
            return Err(io::Error::from(io::ErrorKind::Interrupted).into());
        }
        self.points.read(first, rows)
    }
}

/// A file of points, and how it is gone through.
pub(super) struct Stream<'a, T> {
    args: &'a KmeansArgs,
    setup: &'a Setup,
    file: &'a Path,
    points: &'a Points<T>,
    chosen: Chosen<kmeans::Recipe>,
    plan: Plan,
    /// Points that each thread reads at a time.
    part: usize,
}

/// Fits, finds the labels again, writes if they are the same, and measures how long they take. An
/// interrupted fit leaves the centres of the best start that had ended, or else those of the last whole
/// iteration; one that is interrupted before it is written leaves its centres.
pub(super) fn run<T: Number>(
    args: &KmeansArgs,
    setup: &Setup,
    claims: Claims,
    points: &Points<T>,
) -> Result<(), Failure> {
    let shape = Shape { n: points.n(), d: points.d(), k: args.shape.k };
    let file = args.shape.data.as_deref().unwrap_or(Path::new(""));
    args.shape.check(shape.n, &file.display())?;
    let settings = settings::<T>(args, shape)?;
    let stream = Stream::new(args, setup, (file, points), shape)?;
    let start = Instant::now();
    let fit = match stream.fit(&settings, &interrupt::caught)? {
        Ended::Whole(fit) => fit,
        Ended::Early(left) => return watched::stopped::<T>(left, shape, claims),
    };
    let seconds = start.elapsed().as_secs_f64();
    remark_rounding::<T>("--data", Some(file));
    let check = stream.check(fit.centres(), fit.labels())?;
    let labels = match Labels::find(&stream, fit.centres()) {
        // Labels that were not found again are not written; from the centres a fit can go on.
        Err(Failure::Interrupted(_)) => {
            return watched::stopped::<T>(Some(Left::of(&fit, None)), shape, claims);
        }
        labels => labels?,
    };
    if labels.found() != fit.labels() {
        return Err(Failure::failed("the labels are not those of the fit; none are written"));
    }
    claims.write::<T>(None, fit.centres(), fit.labels())?;
    super::remark_clusters(&fit, shape.k);
    // Who interrupts what follows loses the line that says so.
    let (count, inertia) = (fit.iterations(), fit.inertia());
    output::remark(format_args!("fitted in {count} iterations, inertia {inertia}"));
    let mut line = stream.line(&labels.time()?, &check);
    line.insert("fit_median_s".into(), seconds.into());
    line.insert("fit_rounds".into(), 1.into());
    line.insert("iterations".into(), fit.iterations().into());
    line.insert("converged".into(), fit.converged().into());
    line.insert("inertia".into(), fit.inertia().into());
    line.insert("clusters".into(), fit.clusters().into());
    print(&Value::Object(line), args.common.json)
}

/// Labels by the centres of a file, writes, and measures how long that takes.
pub(super) fn predict<T: Number>(
    args: &KmeansArgs,
    setup: &Setup,
    claims: Claims,
    (points, from): (&Points<T>, &Path),
) -> Result<(), Failure> {
    let centres = predict::centres::<T>(starts::<T>(from)?, from, points.d())?;
    let shape = Shape { n: points.n(), d: points.d(), k: centres.k() };
    let file = args.shape.data.as_deref().unwrap_or(Path::new(""));
    let stream = Stream::new(args, setup, (file, points), shape)?;
    let labels = Labels::find(&stream, centres.rows())?;
    remark_rounding::<T>("--data", Some(file));
    let check = stream.check(centres.rows(), labels.found())?;
    claims.write::<T>(None, centres.rows(), labels.found())?;
    let clusters = predict::clusters(labels.found(), shape.k);
    let mut line = stream.line(&labels.time()?, &check);
    line.insert("centers".into(), from.display().to_string().into());
    line.insert("clusters".into(), clusters.into());
    print(&Value::Object(line), args.common.json)
}

impl<'a, T: Number> Stream<'a, T> {
    pub(super) fn new(
        args: &'a KmeansArgs,
        setup: &'a Setup,
        (file, points): (&'a Path, &'a Points<T>),
        shape: Shape,
    ) -> Result<Self, Failure> {
        // Tuning makes points of its own, in memory.
        let sample = Shape { n: shape.n.min((TUNED / shape.d).max(shape.k)), ..shape };
        let chosen = setup.choose(&sample)?;
        let plan = Plan::new(shape, setup.setting().isa, chosen.recipe);
        let plan = plan.map_err(|error| failure(error.into()))?;
        let part = args.chunk.unwrap_or((PART / (size_of::<T>() * shape.d)).max(1));
        Ok(Stream { args, setup, file, points, chosen, plan, part })
    }

    /// Members that take part.
    fn threads(&self) -> usize {
        self.plan.members(self.setup.setting().threads)
    }

    /// Fits, for as long as nobody wants to stop.
    pub(super) fn fit(
        &self,
        settings: &KMeans,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Ended<T::Centre>, Failure> {
        let reader = Interruptible { points: self.points, interrupted };
        let run = Run { args: self.args, plan: &self.plan, setup: self.setup, interrupted };
        watched::fit(settings, Chunks::new(&reader, self.part), run)
            .map_err(|error| refused(error, self.file))
    }

    /// Labels of points from all over the file, by the definition.
    fn check(&self, centres: Matrix<'_, T::Centre>, labels: &[u32]) -> Result<Check, Failure> {
        // Points are read one by one: never all of them where they are many.
        let sample = Sample::some(self.plan.shape());
        let mut point = vec![T::default(); self.points.d()];
        let mut right = Vec::new();
        for index in sample.points() {
            self.points.read(index, &mut point).map_err(|error| {
                Failure::failed(format_args!("{}: {error}", self.file.display()))
            })?;
            right.push(reference::nearest(&point, centres).0);
        }
        let check = sample.check(labels, &right);
        if check.passed() {
            return Ok(check);
        }
        Err(Failure::failed("the labels are not those of the reference; none are written"))
    }

    /// What is printed of every file, whoever made the centres.
    fn line(&self, predict: &Estimate, check: &Check) -> Map<String, Value> {
        let (shape, setting) = (self.plan.shape(), self.setup.setting());
        let recipe = Recipe::describe(&self.chosen);
        let Value::Object(mut line) = json!({
            "schema": 1,
            "kernel": "kmeans",
            "shape": shape,
            "dtype": T::NAME,
            "isa": setting.isa,
            "threads": self.threads(),
            "threads_allowed": setting.threads,
            "recipe": recipe.value,
            "recipe_source": recipe.source,
            "wisdom_verdict": recipe.verdict,
            "input": self.file.display().to_string(),
            "input_bytes": self.points.bytes(),
            "chunk": self.part,
            "median_s": predict.median,
            "rounds": predict.rounds,
            "rate": shape.n as f64 * shape.k as f64 / predict.median / 1e9,
            "rate_unit": RateUnit::Distances,
            "cache": Cache::Hot,
            "timed": "row-major points in a file in, u32 labels out; reading included",
            "predict_median_s": predict.median,
            "check": {
                "reference": check.reference,
                "compared": check.compared,
                "max_error": check.max_error,
                "output_digest": check.output_digest,
            },
            "checked": true,
        }) else {
            unreachable!("an object was written")
        };
        if predict.rounds > 1 {
            line.insert("lo_s".into(), predict.lo.into());
            line.insert("hi_s".into(), predict.hi.into());
        }
        line
    }
}

/// What was wrong, and of a value where it stands in the file, counted as where files are read whole.
fn refused(error: Error, file: &Path) -> Failure {
    let reason = match error {
        Error::Points(NotFinite { row, column, value }) => {
            let (row, column) = (row + 1, column + 1);
            format!("row {row}, column {column} is {value}; expected a finite number")
        }
        Error::Read(ReadError { first, count, reason }) => {
            match reason.downcast_ref::<NpyError>() {
                Some(value @ NpyError::Value { .. }) => value.to_string(),
                _ => format!("rows {} to {} cannot be read: {reason}", first + 1, first + count),
            }
        }
        Error::TooFar { .. } => error.to_string(),
        other => return failure(other.into()),
    };
    Failure::failed(format_args!("{}: {reason}", file.display()))
}

fn print(line: &Value, json: bool) -> Result<(), Failure> {
    if json {
        return output::print(line);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    for (name, value) in flatten("", line) {
        table.add_row([name, value]);
    }
    output::print(table.trim_fmt())
}
