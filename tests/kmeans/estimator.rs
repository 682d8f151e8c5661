//! Settings: starts, draws, weights, watching, storing, and what is refused.

use crate::problem::{Case, Kind, Problem, Sample};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Centres, KMeans, Plan, Recipe, Shape, With};
use tilewise::points::Points;
use tilewise::{Isa, Matrix, Solo};

fn problem(shape: Shape) -> Problem<f64, f64> {
    Case { kind: Kind::Uniform, shape, pad: 0, seed: 11 }.of()
}

fn plan(shape: Shape, isa: Isa) -> Plan {
    Plan::new(shape, isa, Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1)).unwrap()
}

#[test]
fn seeds_are_different_points_while_there_are_any() {
    let shape = Shape { n: 300, d: 2, k: 40 };
    // Each place three times over.
    let rows: Vec<f32> = (0..600).map(|i| ((i * 7919) % 200 / (i % 2 + 1)) as f32).collect();
    let rows = Matrix::new(&rows, 300, 2).unwrap();
    let place = |row: usize| rows.row(row).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for isa in Isa::available() {
        let plan = plan(shape, isa);
        for seed in 0..20 {
            let with = || With::new(&plan, &Solo);
            let chosen = KMeans::new(40).seed(seed).seeds(rows, with()).unwrap();
            let places: BTreeSet<_> = chosen.into_iter().map(place).collect();
            assert_eq!(places.len(), 40);
            let chosen = KMeans::new(40).random().seed(seed).seeds(rows, with()).unwrap();
            assert_eq!(chosen.into_iter().collect::<BTreeSet<_>>().len(), 40);
        }
    }
}

#[test]
fn points_without_weight_are_never_seeds_and_move_no_centre() {
    let shape = Shape { n: 60, d: 2, k: 5 };
    let problem = problem(shape);
    let weights: Vec<f64> = (0..60).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
    let plan = plan(shape, Isa::best());
    for kmeans in [KMeans::new(5), KMeans::new(5).random()] {
        for seed in 0..50 {
            let with = With::new(&plan, &Solo).weights(&weights);
            let chosen = kmeans.clone().seed(seed).seeds(problem.rows(), with).unwrap();
            assert!(chosen.iter().all(|row| row % 3 == 0), "{chosen:?}");
        }
    }
    let few: Vec<f64> = (0..60)
        .filter(|row| row % 3 == 0)
        .flat_map(|row| problem.rows().row(row).to_vec())
        .collect();
    let start = Matrix::new(&few[..10], 5, 2).unwrap();
    let kmeans = KMeans::new(5).centres(start).tol(0.0);
    let all = kmeans.fit_weighted(problem.rows(), &weights[..]).unwrap();
    let some = kmeans.fit(Matrix::new(&few, 20, 2).unwrap()).unwrap();
    for row in 0..5 {
        for (a, b) in all.centres().row(row).iter().zip(some.centres().row(row)) {
            assert!((a - b).abs() < 1e-14, "{a} {b}");
        }
    }
}

#[test]
fn weights_are_repetitions() {
    for shape in [Shape { n: 90, d: 3, k: 4 }, Shape { n: 700, d: 9, k: 6 }] {
        repetitions::<f32>(shape);
        repetitions::<f64>(shape);
        repetitions::<u8>(shape);
    }
}

fn repetitions<T: Sample>(shape: Shape) {
    let Shape { n, d, k } = shape;
    let problem: Problem<T, T::Centre> = Case { kind: Kind::Uniform, shape, pad: 1, seed: 11 }.of();
    let rows = problem.rows();
    let times: Vec<usize> = (0..n).map(|row| row * 7 % 4).collect();
    let weights: Vec<f64> = times.iter().map(|times| *times as f64).collect();
    let all: Vec<usize> = (0..n).flat_map(|row| std::iter::repeat_n(row, times[row])).collect();
    let repeated: Vec<T> = all.iter().flat_map(|row| rows.row(*row).to_vec()).collect();
    // Different points that weigh something: no cluster is left empty, which would take one copy.
    let mut start: Vec<&[T]> = Vec::new();
    for row in (0..n).filter(|row| times[*row] > 0) {
        if start.len() < k && !start.contains(&rows.row(row)) {
            start.push(rows.row(row));
        }
    }
    let start: Vec<T> = start.concat();
    let start: Vec<f64> = start.into_iter().map(Into::into).collect();
    let kmeans = KMeans::new(k).centres(Matrix::new(&start, k, d).unwrap()).tol(0.0);
    let weighted = kmeans.fit_weighted(rows, &weights[..]).unwrap();
    let copies = kmeans.fit(Matrix::new(&repeated, all.len(), d).unwrap()).unwrap();
    let labels: Vec<u32> = all.iter().map(|row| weighted.labels()[*row]).collect();
    assert_eq!(copies.labels(), labels, "{}", T::NAME);
    // A mean is rounded once to what centres are, from sums that differ in bits f64 does not have.
    let once = if T::NAME == "f32" { f64::from(f32::EPSILON) } else { 1e-12 };
    let close = |a: f64, b: f64| (a - b).abs() <= once * a.abs().max(1.0);
    assert!(close(weighted.inertia(), copies.inertia()), "{}", T::NAME);
    for row in 0..k {
        let (a, b) = (weighted.centres().row(row), copies.centres().row(row));
        assert!(a.iter().zip(b).all(|(&a, &b)| close(a.into(), b.into())), "{}", T::NAME);
    }
    // Twice the weights, the same fit.
    let double: Vec<f64> = weights.iter().map(|weight| weight * 2.0).collect();
    let doubled = kmeans.fit_weighted(rows, &double[..]).unwrap();
    assert_eq!(doubled.labels(), weighted.labels(), "{}", T::NAME);
    let score = weighted.model().score(rows, Some(&weights)).unwrap();
    assert!(close(-score, weighted.inertia()), "{}", T::NAME);
}

#[test]
fn the_tolerance_is_a_share_of_the_mean_variance() {
    tolerance::<f32>();
    tolerance::<f64>();
    tolerance::<u8>();
}

/// Far from zero, and whatever points weigh.
fn tolerance<T: Sample>() {
    let shape @ Shape { n, d, k } = Shape { n: 700, d: 3, k: 4 };
    let problem: Problem<T, T::Centre> = Case { kind: Kind::Offset, shape, pad: 1, seed: 4 }.of();
    let variance = |feature: usize| {
        let values: Vec<f64> = (0..n).map(|row| problem.rows().row(row)[feature].into()).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64
    };
    let right = 0.25 * (0..d).map(variance).sum::<f64>() / d as f64;
    let plan = plan(shape, Isa::best());
    for weighted in [false, true] {
        let mut found = f64::NAN;
        let mut watch = |progress: tilewise::kmeans::Progress<'_, T::Centre>| {
            found = progress.tolerance;
            ControlFlow::Continue(())
        };
        let with = With::new(&plan, &Solo).watch(&mut watch);
        let with = if weighted { with.weights(&problem.weights) } else { with };
        KMeans::new(k).tol(0.25).fit_with(problem.rows(), with).unwrap();
        assert!((found - right).abs() <= 1e-9 * right, "{}: {found}, not {right}", T::NAME);
    }
}

#[test]
fn points_in_another_order_make_the_same_clusters() {
    let shape = Shape { n: 200, d: 2, k: 7 };
    let problem = problem(shape);
    let order: Vec<usize> = (0..200).map(|row| row * 77 % 200).collect();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 200);
    let moved: Vec<f64> = order.iter().flat_map(|row| problem.rows().row(*row).to_vec()).collect();
    let kmeans = KMeans::new(7).centres(problem.centres()).tol(0.0);
    let (a, b) = (
        kmeans.fit(problem.rows()).unwrap(),
        kmeans.fit(Matrix::new(&moved, 200, 2).unwrap()).unwrap(),
    );
    let expected: Vec<u32> = order.iter().map(|row| a.labels()[*row]).collect();
    assert_eq!(b.labels(), expected);
}

#[test]
fn the_best_of_several_starts_is_kept() {
    let shape = Shape { n: 300, d: 2, k: 12 };
    let problem = problem(shape);
    let plan = plan(shape, Isa::best());
    for kmeans in [KMeans::new(12).seed(3), KMeans::new(12).random().seed(3)] {
        let mut starts = BTreeSet::new();
        let mut watch = |progress: tilewise::kmeans::Progress<'_, f64>| {
            starts.insert(progress.start);
            ControlFlow::Continue(())
        };
        let with = With::new(&plan, &Solo).watch(&mut watch);
        let best = kmeans.clone().n_init(6).fit_with(problem.rows(), with).unwrap();
        assert_eq!(starts.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        let first = kmeans.n_init(1).fit(problem.rows()).unwrap();
        assert!(best.inertia() <= first.inertia());
    }
    let start = KMeans::new(12).centres(problem.centres());
    assert_eq!(
        start.clone().n_init(4).fit(problem.rows()).unwrap(),
        start.fit(problem.rows()).unwrap()
    );
}

#[test]
fn a_watcher_sees_every_iteration_and_can_stop() {
    let shape = Shape { n: 400, d: 2, k: 9 };
    let problem = problem(shape);
    let plan = plan(shape, Isa::best());
    let kmeans = KMeans::new(9).centres(problem.centres()).tol(0.0);
    let full = kmeans.fit(problem.rows()).unwrap();
    assert!(full.iterations() > 4 && !full.stopped());
    let mut seen = Vec::new();
    let mut watch = |progress: tilewise::kmeans::Progress<'_, f64>| {
        seen.push((progress.iteration, progress.centres.row(0).to_vec()));
        if progress.iteration == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let with = With::new(&plan, &Solo).watch(&mut watch);
    let stopped = kmeans.fit_with(problem.rows(), with).unwrap();
    assert!(stopped.stopped() && seen.len() == 3);
    assert_eq!(seen[2].1, stopped.centres().row(0));
    // Broken off or at the last iteration allowed: the same state, and labels that go with it.
    let short = kmeans.max_iter(3).fit(problem.rows()).unwrap();
    assert_eq!(
        (short.labels(), short.centres().row(8)),
        (stopped.labels(), stopped.centres().row(8))
    );
    assert_eq!(stopped.predict(problem.rows()).unwrap(), stopped.labels());
}

#[test]
fn draws_can_be_given() {
    let shape = Shape { n: 10, d: 1, k: 2 };
    let rows: Vec<f64> = (0..10).map(f64::from).collect();
    let rows = Matrix::new(&rows, 10, 1).unwrap();
    let plan = plan(shape, Isa::best());
    let seeds = |kmeans: KMeans, draws: &[f64]| {
        kmeans.seeds(rows, With::new(&plan, &Solo).draws(&mut draws.iter()))
    };
    // Point 4 first; then squares 16 9 4 1 0 1 4 9 16 25, 85 together: 10 is passed at point 0,
    // 70 at point 9, and of those 9 leaves less.
    assert_eq!(seeds(KMeans::new(2), &[0.45, 0.1, 70.0 / 85.0]), Ok(vec![4, 9]));
    // Without putting back: the second draw of point 3 is drawn anew.
    assert_eq!(seeds(KMeans::new(2).random(), &[0.35, 0.35, 0.99]), Ok(vec![3, 9]));
    let missing = seeds(KMeans::new(2), &[0.45, 0.1]).unwrap_err().to_string();
    assert!(missing.contains("used up"), "{missing}");
    let wrong = seeds(KMeans::new(2), &[1.0]).unwrap_err().to_string();
    assert!(wrong.contains("draw of 1 was given"), "{wrong}");
}

#[test]
fn centres_are_stored_and_checked_when_read() {
    let centres = Centres::new(Matrix::new(&[0.1f32, 2.5, -3e-9, 4.0], 2, 2).unwrap()).unwrap();
    let text = serde_json::to_string(&centres).unwrap();
    assert_eq!(serde_json::from_str::<Centres<f32>>(&text).unwrap(), centres);
    let wide = Centres::new(Matrix::new(&[0.1, 1e300], 1, 2).unwrap()).unwrap();
    let wider = serde_json::to_string(&wide).unwrap();
    assert_eq!(serde_json::from_str::<Centres<f64>>(&wider).unwrap(), wide);
    // No f32 is as large.
    assert!(serde_json::from_str::<Centres<f32>>(&wider).is_err());
    let cut = text.replace("\"k\":2", "\"k\":3");
    let error = serde_json::from_str::<Centres<f32>>(&cut).unwrap_err().to_string();
    assert!(error.contains("values: 4 given, 6 expected"), "{error}");
    let none = serde_json::from_str::<Centres<f32>>(r#"{"k":0,"d":2,"values":[]}"#);
    assert!(none.unwrap_err().to_string().contains("k = 0"));
}

#[test]
fn wrong_fits_are_refused_by_name() {
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let points = Points::from_rows(Matrix::new(&values, 6, 2).unwrap()).unwrap();
    let refused = |kmeans: KMeans| kmeans.fit(&points).unwrap_err().to_string();
    assert!(refused(KMeans::new(0)).contains("k = 0"));
    assert!(
        refused(KMeans::new(7)).contains("k = 7 clusters were asked for, but there are only 6")
    );
    assert!(refused(KMeans::new(2).max_iter(0)).contains("max_iter = 0"));
    assert!(refused(KMeans::new(2).n_init(0)).contains("n_init = 0"));
    assert!(refused(KMeans::new(2).tol(f64::NAN)).contains("tol = NaN"));
    let wide = Matrix::new(&values, 2, 3).unwrap();
    assert!(refused(KMeans::new(2).centres(wide)).contains("features of the centres: 3 given, 2"));
    let fit = KMeans::new(2).fit(&points).unwrap();
    assert!(fit.predict(wide).unwrap_err().to_string().contains("3 given, 2 expected"));
    assert!(
        fit.model()
            .score(&points, Some(&[1.0]))
            .unwrap_err()
            .to_string()
            .contains("weights: 1 given")
    );
    let none = Matrix::new(&values[..0], 0, 2).unwrap();
    assert!(KMeans::new(2).fit(none).unwrap_err().to_string().contains("no points"));
    let weighted =
        |weights: &[f64]| KMeans::new(2).fit_weighted(&points, weights).unwrap_err().to_string();
    assert!(weighted(&[1.0; 5]).contains("weights: 5 given, 6 expected"));
    assert!(weighted(&[1.0, 1.0, -0.5, 1.0, 1.0, 1.0]).contains("weight of point 2 is -0.5"));
    assert!(weighted(&[0.0; 6]).contains("every point weighs 0"));
    let few = KMeans::new(2).random().fit_weighted(&points, &[0.0, 0.0, 1.0, 0.0, 0.0, 0.0][..]);
    assert!(few.unwrap_err().to_string().contains("only 1 weigh more than 0"));
    let mut far = values.clone();
    far[7] = -1e200;
    let far = KMeans::new(2).fit(Matrix::new(&far, 6, 2).unwrap()).unwrap_err().to_string();
    assert!(far.contains("point 3 has the value -1e200"), "{far}");
    far_rows_are_named(&values);
}

fn far_rows_are_named(values: &[f64]) {
    let mut broken = values.to_vec();
    broken[5] = f64::INFINITY;
    let broken = KMeans::new(2).fit(Matrix::new(&broken, 6, 2).unwrap()).unwrap_err().to_string();
    assert_eq!(broken, "points: row 2, column 1 is inf; every value must be finite");
}
