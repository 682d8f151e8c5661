//! Points that stay in their file: fitted once and labelled once, a part of the file at a time.

use super::{Claims, Run, failure, settings, watched};
use crate::cli::args::KmeansArgs;
use crate::cli::failure::Failure;
use crate::cli::npy::{NpyError, Points};
use crate::cli::output;
use crate::cli::points::{self, Number};
use crate::cli::setup::Setup;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Instant;
use tilewise::Matrix;
use tilewise::kmeans::{
    Chunks, Error, Fit, Plan, Progress, ReadError, Reader, Reason, Shape, reference,
};
use tilewise::points::NotFinite;
use tilewise_harness::interrupt;
use tilewise_harness::report::flatten;
use tilewise_harness::workload::{Check, Recipe};

/// Bytes that each thread reads at a time, unless told how many points.
const PART: usize = 1 << 20;

/// Numbers that are searched for a recipe with, at most.
const TUNED: usize = 1 << 26;

/// Points whose labels are held against the reference.
const CHECKED: usize = 4096;

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

/// Fits and prints. An interruption leaves the centres of the best start that had ended, or else those
/// of the last whole iteration.
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
    // Tuning makes points of its own, in memory.
    let sample = Shape { n: shape.n.min((TUNED / shape.d).max(shape.k)), ..shape };
    let (setting, chosen) = (setup.setting(), setup.choose(&sample)?);
    let plan = Plan::new(shape, setting.isa, chosen.recipe).map_err(|e| failure(e.into()))?;
    interrupt::watch("the centres found so far will be written");
    let reader = Interruptible { points, interrupted: &interrupt::caught };
    let part = args.chunk.unwrap_or((PART / (size_of::<T>() * shape.d)).max(1));
    let chunks = Chunks::new(&reader, part);
    let start = Instant::now();
    let (mut last, mut best) = (None, None);
    let run = Run { args, plan: &plan, setup, keep: &mut best };
    let fit = match watched(&settings, chunks, run, |progress| {
        let Progress { start, iteration, centres, .. } = progress;
        last = Some(Left { start, iteration: Some(iteration), centres: flat(centres) });
    }) {
        Ok(fit) => fit,
        Err(error) if is_interruption(&error) => {
            // A start that had ended is worth more than where a later one is.
            let ended = best.map(|fit| Left {
                start: fit.start(),
                iteration: None,
                centres: flat(fit.centres()),
            });
            return stopped::<T>(ended.or(last), shape, claims);
        }
        Err(error) => return Err(refused(error, file)),
    };
    let seconds = start.elapsed().as_secs_f64();
    let check = check(points, &fit)
        .map_err(|error| Failure::failed(format_args!("{}: {error}", file.display())))?;
    if !check.passed() {
        return Err(Failure::failed("the labels are not those of the reference; none are written"));
    }
    let recipe = Recipe::describe(&chosen);
    let line = json!({
        "schema": 1,
        "kernel": "kmeans",
        "shape": shape,
        "dtype": T::NAME,
        "isa": setting.isa,
        "threads": chosen.recipe.threads.min(setting.threads),
        "threads_allowed": setting.threads,
        "recipe": recipe.value,
        "recipe_source": recipe.source,
        "wisdom_verdict": recipe.verdict,
        "input": file.display().to_string(),
        "input_bytes": points.bytes(),
        "chunk": part,
        "fit_median_s": seconds,
        "fit_rounds": 1,
        "timed": "one fit, seeding and reading included: row-major points in a file in, labels out",
        "iterations": fit.iterations(),
        "inertia": fit.inertia(),
        "clusters": fit.clusters(),
        "check": {
            "reference": check.reference,
            "compared": check.compared,
            "max_error": check.max_error,
            "output_digest": check.output_digest,
        },
        "checked": true,
    });
    claims.write::<T>(None, &fit)?;
    super::remark_clusters(&fit, shape.k);
    print(&line, args.common.json)
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

/// Whether it was us who stopped reading.
fn is_interruption(error: &Error) -> bool {
    let Error::Read(ReadError { reason, .. }) = error else { return false };
    let reason = reason.downcast_ref::<io::Error>();
    reason.is_some_and(|reason| reason.kind() == io::ErrorKind::Interrupted)
}

/// Centres of a fit that was interrupted.
struct Left {
    start: usize,
    /// Of a start that was under way.
    iteration: Option<usize>,
    centres: Vec<f64>,
}

/// Writes what is left of a fit that was interrupted.
fn stopped<T: Number>(left: Option<Left>, shape: Shape, claims: Claims) -> Result<(), Failure> {
    let Some(Left { start, iteration, centres }) = left else {
        let left = "the first iteration had not ended, and nothing is written";
        return Err(Failure::Interrupted(left));
    };
    if !claims.write_centres::<T>(shape, &centres)? {
        return Err(Failure::Interrupted("nothing is written without --centers"));
    }
    let which = match iteration {
        Some(iteration) => format!("iteration {iteration} of start {start}"),
        None => format!("start {start}, the best of those that had ended"),
    };
    output::remark(format_args!("--centers are those of {which}; --init goes on from there"));
    Err(Failure::Interrupted("the result is partial"))
}

fn flat<C: tilewise::vector::Real>(centres: Matrix<'_, C>) -> Vec<f64> {
    (0..centres.rows()).flat_map(|row| centres.row(row)).map(|&c| c.into()).collect()
}

/// Labels of points from all over the file, by the definition.
fn check<T: Number>(points: &Points<T>, fit: &Fit<T::Centre>) -> Result<Check, Reason> {
    let (n, d) = (points.n(), points.d());
    let mut point = vec![T::default(); d];
    let (mut found, mut right) = (Vec::new(), Vec::new());
    for index in (0..n).step_by((n / CHECKED).max(1)) {
        points.read(index, &mut point)?;
        right.push(reference::nearest(&point, fit.centres()).0);
        found.push(fit.labels()[index]);
    }
    Ok(Check::compare("nearest centre by f64 distances of some points", &found, &right, 0.0))
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
