//! Several starts: which one is kept, also of a fit that is broken off or fails in a later one.

use crate::problem::{Case, Kind, Problem, Sample, plan};
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tilewise::kmeans::{
    Chunks, Draws, Error, Fit, KMeans, Progress, Reader, Reason, Seeded, Shape, With,
};
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
    assert!(second.stopped() && second.converged());
    assert_eq!((second.start(), second.labels()), (1, first.labels()));
    assert_eq!((second.inertia(), second.model()), (first.inertia(), first.model()));
    let one = broken(1, 2);
    assert!(one.stopped() && !one.converged());
    assert_eq!((one.start(), one.iterations()), (1, 2));
    // Broken off when it had come to its end anyway.
    let last = broken(1, first.iterations());
    assert!(last.stopped() && last.converged());
    let all = settings().n_init(3).fit(problem.rows()).unwrap();
    assert!(!all.stopped() && (1..=3).contains(&all.start()));
    assert!(all.inertia() <= first.inertia());
}

#[test]
fn random_points_start_ten_times_unless_told() {
    let (problem, plan) = (problem(), plan(SHAPE));
    let starts = |kmeans: KMeans| {
        let mut last = 0;
        let mut watch = |progress: Progress<'_, f64>| {
            last = progress.start;
            ControlFlow::Continue(())
        };
        let with = With::new(&plan, &Solo).watch(&mut watch);
        kmeans.fit_with(problem.rows(), with).unwrap();
        last
    };
    assert_eq!(starts(settings()), 10);
    assert_eq!(starts(settings().n_init(3)), 3);
    assert_eq!(starts(KMeans::new(SHAPE.k)), 1);
    assert_eq!(starts(settings().centres(problem.centres())), 1);
}

#[test]
fn a_fit_says_whether_it_came_to_an_end() {
    let problem = problem();
    let fit = |kmeans: KMeans| kmeans.n_init(1).fit(problem.rows()).unwrap();
    let whole = fit(settings());
    let most = whole.iterations();
    assert!(most > 2 && whole.converged());
    assert!(!fit(settings().max_iter(most - 1)).converged());
    // The last iteration allowed may be the one that changes nothing.
    assert_eq!(fit(settings().max_iter(most)), whole);
    let loose = fit(settings().tol(1e6));
    assert!(loose.iterations() == 1 && loose.converged());
}

#[test]
fn points_in_one_place_have_all_their_centres_there() {
    in_one_place::<f32>();
    in_one_place::<f64>();
    in_one_place::<u8>();
}

/// Few points, and so many that they may be fitted as one. Their sums are exact, so centres are, too.
fn in_one_place<T: Sample>() {
    let place = [3.25, 0.5, 1024.125].map(T::exactly);
    let right: Vec<f64> = place.iter().map(|&x| x.into()).collect();
    for (n, k) in [(50, 4), (17_000, 16)] {
        let rows = place.repeat(n);
        let rows = Matrix::new(&rows, n, 3).unwrap();
        for kmeans in [KMeans::new(k), KMeans::new(k).random(), KMeans::new(k).tol(0.0)] {
            let fit = kmeans.seed(5).fit(rows).unwrap();
            for centre in 0..k {
                let found = fit.centres().row(centre).iter().map(|&c| c.into());
                assert_eq!(found.collect::<Vec<f64>>(), right, "{} {n}", T::NAME);
            }
            assert_eq!((fit.inertia(), fit.clusters(), fit.start()), (0.0, 1, 1), "{}", T::NAME);
            assert!(fit.converged() && fit.labels().iter().all(|&label| label == 0));
        }
    }
}

#[test]
fn the_largest_values_have_means() {
    as_large::<f32>(f32::MAX.into());
    as_large::<f64>(1e115);
}

/// Three places in turn, as far out as values may be.
fn as_large<T: Sample>(most: f64) {
    let (n, d, places) = (90, 5, [most, -most, most / 2.0]);
    let rows: Vec<T> = (0..n * d).map(|at| T::exactly(places[at / d % 3])).collect();
    let rows = Matrix::new(&rows, n, d).unwrap();
    let fit = KMeans::new(3).seed(1).fit(rows).unwrap();
    assert_eq!((fit.clusters(), fit.predict(rows).unwrap()), (3, fit.labels().to_vec()));
    for (row, &label) in fit.labels().iter().enumerate() {
        for &c in fit.centres().row(label as usize) {
            let c: f64 = c.into();
            let off = (c - places[row % 3]).abs();
            assert!(off <= 4.0 * f64::EPSILON * most, "{}: {c:e} in row {row}", T::NAME);
        }
    }
    assert!(fit.inertia() <= (most * 1e-15).powi(2) * (n * d) as f64, "{}", fit.inertia());
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

/// Draws of a seed, as long as there are some.
struct Few {
    draws: Seeded,
    left: usize,
}

impl Draws for Few {
    fn draw(&mut self) -> Option<f64> {
        self.left = self.left.checked_sub(1)?;
        self.draws.draw()
    }
}

#[test]
fn a_fit_whose_draws_come_to_an_end_leaves_it_too() {
    let (problem, plan) = (problem(), plan(SHAPE));
    let first = settings().n_init(1).fit(problem.rows()).unwrap();
    // Enough for the first start, too few for the second.
    for (left, right) in [(5, None), (20, Some(first))] {
        let (mut few, mut kept) = (Few { draws: Seeded::new(3), left }, None);
        let with = With::new(&plan, &Solo).draws(&mut few).keep(&mut kept);
        let result = settings().n_init(3).fit_with(problem.rows(), with);
        assert_eq!((result, kept), (Err(Error::TooFewDraws), right));
    }
}
