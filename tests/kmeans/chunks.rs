//! Points read part by part: the bits of points in memory, and what becomes of reading that fails.

use crate::problem::{Case, Problem, Sample, cases, plan};
use proptest::prelude::*;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{
    Chunks, Error, Fit, KMeans, Plan, Progress, Reader, Reason, Recipe, Seeded, Shape, Source, With,
};
use tilewise::points::{Element, NotFinite, Points};
use tilewise::{Isa, Matrix, Solo, SpinTeam};
use tilewise_tests::teams;

/// Rows of memory, read as if they were elsewhere, until `left` values have been read.
struct Elsewhere<'a, T> {
    rows: Matrix<'a, T>,
    most: usize,
    left: AtomicUsize,
}

impl<'a, T: Element> Elsewhere<'a, T> {
    /// `most` points are read at a time.
    fn new(rows: Matrix<'a, T>, most: usize) -> Self {
        Elsewhere { rows, most, left: AtomicUsize::new(usize::MAX) }
    }

    fn chunks(&self) -> Chunks<'_, T> {
        Chunks::new(self, self.most)
    }
}

impl<T: Element> Reader<T> for Elsewhere<'_, T> {
    fn n(&self) -> usize {
        self.rows.rows()
    }

    fn d(&self) -> usize {
        self.rows.cols()
    }

    fn read(&self, first: usize, to: &mut [T]) -> Result<(), Reason> {
        let most = self.most.next_multiple_of(64).max(64) * self.d();
        assert!(to.len() <= most, "{} values at a time, {most} allowed", to.len());
        let enough = |left: usize| left.checked_sub(to.len());
        self.left
            .fetch_update(Relaxed, Relaxed, enough)
            .map_err(|_| io::Error::new(io::ErrorKind::UnexpectedEof, "the tape is torn"))?;
        for (row, to) in (first..).zip(to.chunks_exact_mut(self.d())) {
            to.copy_from_slice(self.rows.row(row));
        }
        Ok(())
    }
}

/// Every fit, label, distance and score of points in memory, by parts of several sizes.
fn the_same_by_parts<T: Sample>(case: Case, seed: u64) {
    let problem: Problem<T, T::Centre> = case.of();
    let Shape { n, k, .. } = problem.shape;
    if k > n || problem.weights.iter().all(|weight| *weight == 0.0) {
        return;
    }
    let (rows, plan) = (problem.rows(), plan(problem.shape));
    let points = Points::from_rows(rows).unwrap();
    let plain = KMeans::new(k).seed(seed).max_iter(6);
    let settings = [plain.clone(), plain.clone().random(), plain.centres(problem.centres())];
    for (kmeans, weighted) in settings.iter().zip([true, false, true]) {
        let fit = |points: Source<'_, T>, team| {
            let mut with = With::new(&plan, team);
            if weighted {
                with = with.weights(&problem.weights);
            }
            kmeans.fit_with(points, with)
        };
        let Ok(right) = fit((&points).into(), &Solo) else {
            assert!(fit(Elsewhere::new(rows, 70).chunks().into(), &Solo).is_err());
            continue;
        };
        for (most, (name, team)) in [0, 64, 65, 500, n].into_iter().zip(teams().iter().cycle()) {
            let elsewhere = Elsewhere::new(rows, most);
            let found = fit(elsewhere.chunks().into(), *team).unwrap();
            assert_eq!(found, right, "{} {most} {name}", T::NAME);
        }
        let (elsewhere, model) = (Elsewhere::new(rows, 100), right.model());
        assert_eq!(model.predict(elsewhere.chunks()).unwrap(), model.predict(rows).unwrap());
        let score = |source| model.score::<T>(source, None).unwrap();
        assert_eq!(score(elsewhere.chunks().into()), score(Source::Rows(rows)));
        let distances = |source| model.transform::<T, f64>(source).unwrap();
        assert_eq!(distances(elsewhere.chunks().into()), distances(Source::Rows(rows)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn parts_give_the_bits_of_the_whole(case in cases(), seed in any::<u64>()) {
        the_same_by_parts::<f32>(case, seed);
        the_same_by_parts::<f64>(case, seed);
        the_same_by_parts::<u8>(case, seed);
    }
}

/// Enough points for many leaves, bytes that repeat, and clusters that lose all their points.
#[test]
fn parts_cross_leaves() {
    let shape = Shape { n: 40_000, d: 2, k: 12 };
    let case = |kind| Case { kind, shape, pad: 0, seed: 8 };
    let problem: Problem<u8, f64> = case(crate::problem::Kind::Grid).of();
    let kmeans = KMeans::new(12).seed(1).tol(0.0).max_iter(7);
    let right = kmeans.fit(problem.rows()).unwrap();
    let found = kmeans.fit(Elsewhere::new(problem.rows(), 3000).chunks()).unwrap();
    assert_eq!(found, right);
    let problem: Problem<f32, f32> = case(crate::problem::Kind::Uniform).of();
    let far: Vec<f32> = (0..24).map(|i| (i / 4 * 1000) as f32).collect();
    let kmeans = KMeans::new(12).centres(Matrix::new(&far, 12, 2).unwrap()).tol(0.0).max_iter(7);
    let right = kmeans.fit(problem.rows()).unwrap();
    for most in [64, 1000, 30_000] {
        let found = kmeans.fit(Elsewhere::new(problem.rows(), most).chunks()).unwrap();
        assert_eq!(found, right);
    }
}

/// A problem, and what a fit from its centres has come to after each iteration.
fn watched(
    states: &mut Vec<Vec<f64>>,
    left: usize,
) -> (Problem<f64, f64>, Result<Fit<f64>, Error>) {
    let shape = Shape { n: 3000, d: 2, k: 9 };
    let problem: Problem<f64, f64> =
        Case { kind: crate::problem::Kind::Uniform, shape, pad: 0, seed: 11 }.of();
    let elsewhere = Elsewhere::new(problem.rows(), 128);
    elsewhere.left.store(left, Relaxed);
    let mut watch = |progress: Progress<'_, f64>| {
        states.push((0..9).flat_map(|row| progress.centres.row(row).to_vec()).collect());
        ControlFlow::Continue(())
    };
    let plan = plan(shape);
    let kmeans = KMeans::new(9).centres(problem.centres()).tol(0.0).max_iter(20);
    let with = With::new(&plan, &Solo).watch(&mut watch);
    let result = kmeans.fit_with(elsewhere.chunks(), with);
    (problem, result)
}

#[test]
fn what_was_watched_last_outlives_a_fit_that_is_cut_off() {
    let mut all = Vec::new();
    let (problem, whole) = watched(&mut all, usize::MAX);
    assert!(all.len() > 5 && whole.is_ok());
    // One look at the values, then five iterations and a half.
    let (mut states, values) = (Vec::new(), 3000 * 2);
    let (_, result) = watched(&mut states, values * 6 + values / 2);
    let Err(Error::Read(error)) = result else { panic!("{result:?}") };
    assert_eq!((error.first, error.count), (1536 - 128, 128));
    assert_eq!(error.reason.to_string(), "the tape is torn");
    let kind = error.reason.downcast_ref::<io::Error>().map(io::Error::kind);
    assert_eq!(kind, Some(io::ErrorKind::UnexpectedEof));
    assert_eq!(states, all[..5]);
    // From there on it goes where the whole fit went.
    let last = Matrix::new(&states[4], 9, 2).unwrap();
    let rest = KMeans::new(9).centres(last).tol(0.0).max_iter(all.len() - 5);
    assert_eq!(rest.fit(problem.rows()).unwrap().model(), whole.unwrap().model());
}

#[test]
fn reading_that_fails_is_an_error_wherever_it_happens() {
    let values: Vec<f32> = (0..4000).map(|i| (i * i % 97) as f32).collect();
    let rows = Matrix::new(&values, 2000, 2).unwrap();
    let elsewhere = Elsewhere::new(rows, 200);
    for kmeans in [KMeans::new(5), KMeans::new(5).random().n_init(2)] {
        let kmeans = kmeans.max_iter(3);
        let right = kmeans.fit(rows).unwrap();
        for left in (0..100_000).step_by(1777) {
            elsewhere.left.store(left, Relaxed);
            match kmeans.fit(elsewhere.chunks()) {
                Ok(fit) => assert_eq!(fit, right),
                Err(error) => assert!(matches!(error, Error::Read(_)), "{error}"),
            }
            elsewhere.left.store(left, Relaxed);
            let result = right.predict(elsewhere.chunks());
            assert_eq!(result.is_ok(), left >= 4000);
        }
    }
    elsewhere.left.store(1000, Relaxed);
    let plan = plan(Shape { n: 2000, d: 2, k: 5 });
    let (kmeans, mut draws) = (KMeans::new(5), Seeded::new(0));
    let with = With::new(&plan, &Solo).draws(&mut draws);
    let error = kmeans.seeds(elsewhere.chunks(), with).unwrap_err().to_string();
    assert!(error.starts_with("256 points from number 256 on cannot be read: the tape"), "{error}");
}

#[test]
fn values_that_cannot_be_clustered_are_named_by_their_place() {
    let mut values: Vec<f64> = (0..600).map(f64::from).collect();
    values[411] = f64::NAN;
    let fit = |values: &[f64]| {
        let rows = Matrix::new(values, 200, 3).unwrap();
        KMeans::new(4).fit(Elsewhere::new(rows, 64).chunks()).unwrap_err().to_string()
    };
    let expected = "points: row 137, column 0 is NaN; every value must be finite";
    assert_eq!(fit(&values), expected);
    values[411] = 1e200;
    assert!(fit(&values).starts_with("point 137 has the value 1e200"), "{}", fit(&values));
}

/// Members take each other's pieces: whoever comes first, labels and the row that is refused are the same.
#[test]
fn the_first_bad_point_is_named_whoever_finds_it() {
    let shape @ Shape { n, d, k } = Shape { n: 20_000, d: 3, k: 40 };
    let mut recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::ASSUMED, 4);
    recipe.threads = 4;
    let plan = Plan::new(shape, Isa::best(), recipe).unwrap();
    let good: Vec<f32> = (0..n * d).map(|i| (i * 7919 % 10_007) as f32).collect();
    let centres = Matrix::new(&good[..k * d], k, d).unwrap();
    let mut expected = vec![0; n];
    let mut scratch = plan.scratch(1).unwrap();
    let rows = Matrix::new(&good, n, d).unwrap();
    plan.assign(rows, centres, &mut expected, None, &mut scratch, &Solo).unwrap();
    let bad = [&[][..], &[19_999, 6000], &[12_345, 70], &[5000, 4999], &[10_001, 15_000, 19_000]];
    for threads in [1, 2, 3, 5] {
        let team = SpinTeam::new(threads).unwrap();
        let mut scratch = plan.scratch(3).unwrap();
        for bad in bad {
            let mut values = good.clone();
            bad.iter().for_each(|row| values[row * d + 1] = f32::INFINITY);
            let refused = bad
                .iter()
                .min()
                .map(|&row| Error::Points(NotFinite { row, column: 1, value: f64::INFINITY }));
            let rows = Matrix::new(&values, n, d).unwrap();
            let elsewhere = Elsewhere::new(rows, 1000);
            for source in [Source::from(rows), elsewhere.chunks().into()] {
                let mut labels = vec![u32::MAX; n];
                let done = plan.assign(source, centres, &mut labels, None, &mut scratch, &team);
                assert_eq!(done.err(), refused, "{threads} threads, {source:?}");
                assert!(refused.is_some() || labels == expected, "{threads} threads, {source:?}");
            }
        }
    }
}

/// A reader that never says the same size twice.
struct Growing(AtomicUsize);

impl Reader<f32> for Growing {
    fn n(&self) -> usize {
        200 + 100 * self.0.fetch_add(1, Relaxed)
    }

    fn d(&self) -> usize {
        1
    }

    fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), Reason> {
        assert!(first + rows.len() <= 200, "points {first} on");
        (first..).zip(rows).for_each(|(point, x)| *x = (point % 7) as f32);
        Ok(())
    }
}

/// Members share the points by their number: it is asked once.
#[test]
fn a_reader_is_asked_for_its_size_once() {
    let reader = Growing(AtomicUsize::new(0));
    let chunks = Chunks::new(&reader, 64);
    let fit = KMeans::new(3).fit(chunks).unwrap();
    assert_eq!((chunks.n(), fit.labels().len()), (200, 200));
    assert_eq!(reader.0.into_inner(), 1);
}
