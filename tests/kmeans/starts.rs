//! Several starts: which one is kept, also of a fit that is broken off or fails in a later one.

use crate::problem::{Case, Kind, Problem, plan};
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tilewise::kmeans::{Chunks, Error, Fit, KMeans, Progress, Reader, Reason, Shape, With};
use tilewise::{Matrix, Solo};

const SHAPE: Shape = Shape { n: 600, d: 2, k: 12 };

fn problem() -> Problem<f64, f64> {
    Case { kind: Kind::Uniform, shape: SHAPE, pad: 0, seed: 11 }.of()
}

/// Three starts from random points.
fn settings() -> KMeans {
    KMeans::new(SHAPE.k).random().seed(3).tol(0.0)
}

#[test]
fn a_fit_that_is_broken_off_says_so_whichever_start_is_kept() {
    let (problem, plan) = (problem(), plan(SHAPE));
    let first = settings().n_init(1).fit(problem.rows()).unwrap();
    let broken = |start: usize, iteration: usize| {
        let mut watch = |progress: Progress<'_, f64>| {
            let there = (progress.start, progress.iteration) == (start, iteration);
            if there { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let with = With::new(&plan, &Solo).watch(&mut watch);
        settings().n_init(3).fit_with(problem.rows(), with).unwrap()
    };
    assert!(first.iterations() > 2 && !first.stopped() && first.start() == 1);
    // After one iteration the second start is not as good as the first was at its end.
    let second = broken(2, 1);
    assert!(second.stopped());
    assert_eq!((second.start(), second.labels()), (1, first.labels()));
    assert_eq!((second.inertia(), second.model()), (first.inertia(), first.model()));
    let one = broken(1, 2);
    assert!(one.stopped());
    assert_eq!((one.start(), one.iterations()), (1, 2));
    let all = settings().n_init(3).fit(problem.rows()).unwrap();
    assert!(!all.stopped() && (1..=3).contains(&all.start()));
    assert!(all.inertia() <= first.inertia());
}

/// Rows that can be read until they cannot.
struct Torn<'a> {
    rows: Matrix<'a, f64>,
    torn: AtomicBool,
}

impl Reader<f64> for Torn<'_> {
    fn n(&self) -> usize {
        self.rows.rows()
    }

    fn d(&self) -> usize {
        self.rows.cols()
    }

    fn read(&self, first: usize, rows: &mut [f64]) -> Result<(), Reason> {
        if self.torn.load(Relaxed) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        for (row, to) in (first..).zip(rows.chunks_exact_mut(self.rows.cols())) {
            to.copy_from_slice(self.rows.row(row));
        }
        Ok(())
    }
}

/// What is kept of three starts, if reading ends after some iteration of some start.
fn kept(problem: &Problem<f64, f64>, start: usize, iteration: usize) -> Option<Fit<f64>> {
    let (plan, reader) = (plan(SHAPE), Torn { rows: problem.rows(), torn: false.into() });
    // What was kept of another fit is not taken for this one's.
    let mut kept = Some(settings().n_init(1).seed(99).fit(problem.rows()).unwrap());
    let mut watch = |progress: Progress<'_, f64>| {
        if (progress.start, progress.iteration) == (start, iteration) {
            reader.torn.store(true, Relaxed);
        }
        ControlFlow::Continue(())
    };
    let with = With::new(&plan, &Solo).watch(&mut watch).keep(&mut kept);
    let result = settings().n_init(3).fit_with(Chunks::new(&reader, 64), with);
    let torn = reader.torn.into_inner();
    assert_eq!(matches!(result, Err(Error::Read(_))), torn, "{result:?}");
    assert!(torn || result.is_ok());
    kept
}

#[test]
fn a_fit_that_fails_leaves_the_best_start_that_had_ended() {
    let problem = problem();
    let fits = [1, 2].map(|starts| settings().n_init(starts).fit(problem.rows()).unwrap());
    assert_eq!(kept(&problem, 1, 2), None);
    assert_eq!(kept(&problem, 2, 1).as_ref(), Some(&fits[0]));
    assert_eq!(kept(&problem, 3, 1).as_ref(), Some(&fits[1]));
    // A fit that goes through is the caller's, and nothing is left.
    assert_eq!(kept(&problem, 4, 1), None);
}
