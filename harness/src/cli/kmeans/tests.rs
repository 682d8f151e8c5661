//! Fits that are interrupted at every place where they ask, and what is done with what they leave.

use super::claims::Claims;
use super::streamed::Stream;
use super::watched::{self, Ended, Left, Run};
use crate::cli::args::{Cli, Command, KmeansArgs};
use crate::cli::array;
use crate::cli::failure::Failure;
use crate::cli::npy::Points;
use crate::cli::setup::Setup;
use clap::Parser;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tilewise::Matrix;
use tilewise::kmeans::{Centres, Fit, KMeans, Plan, Shape};

const SHAPE: Shape = Shape { n: 300, d: 2, k: 7 };

fn args() -> KmeansArgs {
    let line = "tilewise kmeans --threads 1 --wisdom off --chunk 64";
    let Command::Kmeans(args) = Cli::try_parse_from(line.split(' ')).expect("flags").command else {
        panic!("{line} is another command")
    };
    args
}

/// Whether somebody has had enough: from the time on that it is asked once more than so often.
fn after(times: usize) -> impl Fn() -> bool + Sync {
    let asked = AtomicUsize::new(0);
    move || asked.fetch_add(1, Relaxed) >= times
}

/// A fit that is asked to end by what it is given.
type Fitting<'a> = &'a dyn Fn(&(dyn Fn() -> bool + Sync)) -> Ended<f32>;

fn flat(fit: &Fit<f32>) -> Vec<f64> {
    let rows = (0..fit.centres().rows()).flat_map(|row| fit.centres().row(row));
    rows.map(|&c| f64::from(c)).collect()
}

/// Interrupts a fit ever later, until it goes through. What it leaves is what as many iterations, or as
/// many starts, have come to: nothing, then more and more. An ended start counts as iteration 0 of the
/// next.
fn follow(settings: &KMeans, rows: Matrix<'_, f32>, fit: Fitting<'_>) -> Vec<Option<[usize; 2]>> {
    let starts = |starts: usize| settings.clone().n_init(starts);
    let mut all = Vec::new();
    loop {
        match fit(&after(all.len())) {
            Ended::Early(None) => all.push(None),
            Ended::Early(Some(Left { start, iteration: None, centres })) => {
                let right = starts(start).fit(rows).expect("a fit");
                assert_eq!((right.start(), flat(&right)), (start, centres));
                all.push(Some([start + 1, 0]));
            }
            Ended::Early(Some(Left { start: 1, iteration: Some(iteration), centres })) => {
                let right = starts(1).max_iter(iteration).fit(rows).expect("a fit");
                assert_eq!(flat(&right), centres);
                all.push(Some([1, iteration]));
            }
            Ended::Early(Some(Left { start, iteration: Some(iteration), centres })) => {
                // Kept only because it is better than those before.
                let before = starts(start - 1).fit(rows).expect("a fit").inertia();
                let centres = Matrix::new(&centres, SHAPE.k, SHAPE.d).expect("centres");
                let score = Centres::new(centres).expect("centres").score(rows, None);
                assert!(-score.expect("a score") < before, "iteration {iteration} of {start}");
                all.push(Some([start, iteration]));
            }
            Ended::Whole(fit) => {
                assert_eq!(fit, settings.fit(rows).expect("a fit"));
                return all;
            }
        }
    }
}

#[test]
fn an_interruption_leaves_what_the_fit_had_come_to() {
    let values: Vec<f32> = (0..SHAPE.n * SHAPE.d).map(|i| (i * i % 1709) as f32).collect();
    let rows = Matrix::new(&values, SHAPE.n, SHAPE.d).expect("rows");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("points.npy");
    let numbers = values.iter().map(|&x| f64::from(x));
    let bytes = array::of_reals::<f32>(&[SHAPE.n, SHAPE.d], numbers);
    fs::write(&file, bytes).expect("written");
    let points = Points::<f32>::open(&file).expect("points");
    let args = args();
    let setup = Setup::new(&args.common, false).expect("a setup");
    let stream = Stream::new(&args, &setup, (file.as_path(), &points), SHAPE).expect("a stream");
    let recipe = setup.choose(&SHAPE).expect("a recipe").recipe;
    let plan = Plan::new(SHAPE, setup.setting().isa, recipe).expect("a plan");
    let given = Matrix::new(&values[..SHAPE.k * SHAPE.d], SHAPE.k, SHAPE.d).expect("centres");
    let settings = KMeans::new(SHAPE.k).seed(args.common.seed).tol(0.0);
    let several = settings.clone().random().n_init(3);
    let given = settings.clone().centres(given);
    for (settings, starts, draws) in [(given, 1, false), (settings, 1, true), (several, 3, true)] {
        let in_memory = |interrupted: &(dyn Fn() -> bool + Sync)| {
            let run = Run { args: &args, plan: &plan, setup: &setup, interrupted };
            watched::fit(&settings, rows, run).expect("a fit")
        };
        let in_a_file = |interrupted: &(dyn Fn() -> bool + Sync)| {
            stream.fit(&settings, interrupted).expect("a fit")
        };
        let fittings: [Fitting<'_>; 2] = [&in_memory, &in_a_file];
        for (fitting, reads) in fittings.into_iter().zip([false, true]) {
            let left = follow(&settings, rows, fitting);
            assert!(left.is_sorted(), "{left:?}");
            assert!(left.contains(&Some([1, 1])) && left.contains(&Some([1, 2])), "{left:?}");
            assert_eq!(left.contains(&Some([2, 0])), starts > 1, "{left:?}");
            // From given centres nothing is drawn: who does not read asks after an iteration only.
            assert_eq!(left.contains(&None), draws || reads, "{left:?}");
        }
    }
}

#[test]
fn what_is_left_is_written_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("left.npy");
    let shape = Shape { n: 9, d: 1, k: 2 };
    let left = |iteration| Left { start: 3, iteration, centres: vec![1.5, -2.5] };
    let said = |left: Option<Left>, centres: Option<&Path>| {
        let args = KmeansArgs { centers: centres.map(Path::to_path_buf), ..args() };
        let claims = Claims::new(&args).expect("claims");
        match watched::stopped::<f32>(left, shape, claims) {
            Err(Failure::Interrupted(said)) => said,
            other => panic!("{other:?}"),
        }
    };
    let nothing = "the first iteration had not ended, and nothing is written";
    assert_eq!(said(None, Some(&file)), nothing);
    assert_eq!(said(Some(left(Some(7))), None), "nothing is written without --centers");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    assert_eq!(said(Some(left(Some(7))), Some(&file)), "the result is partial");
    let right = array::of_reals::<f32>(&[2, 1], [1.5, -2.5].into_iter());
    assert_eq!(fs::read(&file).expect("made"), right);
    assert_eq!(left(Some(7)).which(), "iteration 7 of start 3");
    assert_eq!(left(None).which(), "start 3, the best of those that had ended");
}
