//! Fits: the same to the bit on every path, and what the reference makes of the same start.

use crate::problem::{Case, Kind, Problem, Sample, cases, plan, recipes};
use proptest::prelude::*;
use tilewise::kmeans::{Fit, KMeans, Plan, Shape, With, reference};
use tilewise::points::Points;
use tilewise::vector::Real;
use tilewise::{Isa, Matrix};
use tilewise_tests::teams;

/// The first `k` points, which may well be equal, as a start.
fn first_points<T: Sample>(problem: &Problem<T, T::Centre>) -> Vec<T::Centre> {
    let features = (0..problem.shape.k).flat_map(|row| problem.rows().row(row));
    features.map(|&x| T::Centre::from_f64(x.into())).collect()
}

/// Centres as one slice.
fn flat<C: Real>(fit: &Fit<C>) -> Vec<C> {
    (0..fit.centres().rows()).flat_map(|row| fit.centres().row(row).to_vec()).collect()
}

fn same_on_every_path<T: Sample>(case: Case, seed: u64)
where
    T::Centre: Real,
{
    let problem: Problem<T, T::Centre> = case.of();
    let Shape { n, d, k } = problem.shape;
    let weights = &problem.weights[..];
    if k > n || weights.iter().all(|weight| *weight == 0.0) {
        return;
    }
    let points = Points::from_rows(problem.rows()).unwrap();
    let kmeans = KMeans::new(k).seed(seed).max_iter(4);
    let right = kmeans.fit_weighted(&points, weights).unwrap();
    assert_eq!(&right.predict(problem.rows()).unwrap()[..], right.labels());
    assert!(flat(&right).iter().all(|&c| c.into().is_finite()));
    let inertia = reference::inertia(problem.rows(), weights, right.labels(), right.centres());
    assert_eq!(right.inertia(), inertia);
    for isa in Isa::available() {
        for recipe in recipes(problem.shape, isa) {
            let plan = Plan::new(Shape { n, d, k }, isa, recipe).unwrap();
            let (name, team) = teams()[(seed as usize + recipe.threads) % teams().len()];
            let with = || With::new(&plan, team).weights(weights);
            let fits = [
                kmeans.fit_with(&points, with()).unwrap(),
                kmeans.fit_with(problem.rows(), with()).unwrap(),
            ];
            for fit in fits {
                assert_eq!(fit, right, "{} {isa} {recipe} {name}", T::NAME);
            }
        }
    }
}

fn follows_the_reference<T: Sample>(case: Case, most: usize, weighted: bool) {
    let mut problem: Problem<T, T::Centre> = case.of();
    let Shape { d, k, n } = problem.shape;
    if !weighted {
        problem.weights.fill(1.0);
    }
    if k > n || problem.weights.iter().all(|weight| *weight == 0.0) {
        return;
    }
    // Centres of their own, far from some data, and points, of which several may be equal:
    // both leave clusters empty.
    for start in [first_points(&problem), problem.centres.clone()] {
        let (labels, centres, iterations) =
            reference::lloyd(problem.rows(), &problem.weights, start.clone(), most);
        let start = Matrix::new(&start, k, d).unwrap();
        let kmeans = KMeans::new(k).centres(start).tol(0.0).max_iter(most);
        let weights = weighted.then_some(&problem.weights[..]);
        let fit = kmeans.fit_weighted(problem.rows(), weights).unwrap();
        assert_eq!(fit.labels(), labels);
        assert_eq!(fit.iterations(), iterations);
        assert_eq!(flat(&fit), centres);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..Default::default() })]

    #[test]
    fn fits_are_the_same_to_the_bit_on_every_path(case in cases(), seed in any::<u64>()) {
        same_on_every_path::<f32>(case, seed);
        same_on_every_path::<f64>(case, seed);
        same_on_every_path::<u8>(case, seed);
    }

    #[test]
    fn fits_from_given_centres_follow_the_reference(
        case in cases(),
        most in 1..20usize,
        weighted in any::<bool>(),
    ) {
        follows_the_reference::<f32>(case, most, weighted);
        follows_the_reference::<f64>(case, most, weighted);
        follows_the_reference::<u8>(case, most, weighted);
    }

    #[test]
    fn inertia_never_rises(case in cases(), seed in any::<u64>(), weighted in any::<bool>()) {
        never_rises::<f32>(case, seed, weighted);
        never_rises::<f64>(case, seed, weighted);
        never_rises::<u8>(case, seed, weighted);
    }
}

fn never_rises<T: Sample>(case: Case, seed: u64, weighted: bool)
where
    T::Centre: Real,
{
    let mut problem: Problem<T, T::Centre> = case.of();
    let Shape { d, k, n } = problem.shape;
    if !weighted {
        problem.weights.fill(1.0);
    }
    let weight: f64 = problem.weights.iter().sum();
    if k > n || weight == 0.0 {
        return;
    }
    // Centres are rounded, which moves each feature of each point by that much.
    let single = size_of::<T::Centre>() == size_of::<f32>();
    let once = if single { f64::from(f32::EPSILON) } else { f64::EPSILON };
    let size = problem.points.iter().fold(0.0, |size, &x| f64::max(size, x.into().abs()));
    let slack = weight * d as f64 * (size * once).powi(2);
    let mut last = f64::INFINITY;
    for most in 1..6 {
        let kmeans = KMeans::new(k).seed(seed).tol(0.0).max_iter(most);
        let weights = weighted.then_some(&problem.weights[..]);
        let inertia = kmeans.fit_weighted(problem.rows(), weights).unwrap().inertia();
        let name = T::NAME;
        assert!(inertia <= last * (1.0 + 1e-12) + slack, "{name}: {inertia} after {last}");
        last = inertia;
    }
}

/// As many features and centres as the cases above have, and points for all of the centres.
#[test]
fn many_features_and_centres_follow_the_reference() {
    for (kind, n, d, k) in [(Kind::Uniform, 600, 200, 300), (Kind::Offset, 640, 47, 211)] {
        let case = Case { kind, shape: Shape { n, d, k }, pad: 1, seed: 31 };
        follows_the_reference::<f32>(case, 2, true);
        follows_the_reference::<f64>(case, 2, false);
        follows_the_reference::<u8>(case, 2, false);
    }
}

#[test]
fn many_points_are_fitted_as_the_reference_does() {
    many::<f32>();
    many::<f64>();
    many::<u8>();
}

/// More points than one leaf of the inertia has, some of them fitted in sorted copies, with weights
/// and without.
fn many<T: Sample>()
where
    T::Centre: Real,
{
    for (n, d, k) in [(9000, 3, 5), (20_000, 2, 17), (17_000, 3, 20), (5000, 12, 3)] {
        for kind in [Kind::Offset, Kind::Grid] {
            let case = Case { kind, shape: Shape { n, d, k }, pad: 0, seed: 3 };
            let problem: Problem<T, T::Centre> = case.of();
            let start = first_points(&problem);
            let kmeans =
                KMeans::new(k).centres(Matrix::new(&start, k, d).unwrap()).tol(0.0).max_iter(6);
            let plan = plan(problem.shape);
            for weighted in [false, true] {
                let each = if weighted { problem.weights.clone() } else { vec![1.0; n] };
                let (labels, centres, iterations) =
                    reference::lloyd(problem.rows(), &each, start.clone(), 6);
                for (name, team) in teams() {
                    let with = With::new(&plan, *team);
                    let with = if weighted { with.weights(&each) } else { with };
                    let fit = kmeans.fit_with(problem.rows(), with).unwrap();
                    assert_eq!(fit.labels(), labels, "{name}: {case:?}");
                    assert_eq!(flat(&fit), centres, "{name}: {case:?}");
                    assert_eq!(fit.iterations(), iterations, "{name}: {case:?}");
                }
            }
        }
    }
}

/// Sums are whole numbers: points in another order have the same centres, to the bit.
#[test]
fn the_order_of_points_is_no_matter() {
    for (n, d, k) in [(20_000, 3, 30), (3000, 9, 7)] {
        let case = Case { kind: Kind::Offset, shape: Shape { n, d, k }, pad: 0, seed: 5 };
        let problem: Problem<f32, f32> = case.of();
        let start = first_points(&problem);
        let fit = |step: usize| {
            let order = (0..n).map(|i| i * step % n);
            let rows: Vec<f32> =
                order.clone().flat_map(|row| problem.rows().row(row).to_vec()).collect();
            let weights: Vec<f64> = order.map(|row| problem.weights[row]).collect();
            let centres = Matrix::new(&start, k, d).unwrap();
            let kmeans = KMeans::new(k).centres(centres).tol(0.0).max_iter(12);
            let rows = Matrix::new(&rows, n, d).unwrap();
            flat(&kmeans.fit_weighted(rows, &weights[..]).unwrap())
        };
        assert_eq!(fit(1), fit(n - 1));
        assert_eq!(fit(1), fit(7919));
    }
}

#[test]
fn clusters_left_empty_take_the_farthest_points() {
    // Three of four centres start where nobody is.
    let rows = [0.0, 1.0, 2.0, 10.0, 11.0, 20.0f32];
    let points = Points::from_rows(Matrix::new(&rows, 6, 1).unwrap()).unwrap();
    let start = [0.0, 500.0, 600.0, 700.0];
    let start = Matrix::new(&start, 4, 1).unwrap();
    let fit = KMeans::new(4).centres(start).tol(0.0).fit(&points).unwrap();
    // The farthest are 20, 11 and 10, in this order.
    assert_eq!(fit.labels(), [0, 0, 0, 3, 2, 1]);
    // Three equal points, more clusters than places: nothing to move, nothing undefined.
    let points = Points::from_rows(Matrix::new(&[4.0f32; 3], 3, 1).unwrap()).unwrap();
    let fit = KMeans::new(3).fit(&points).unwrap();
    assert_eq!((fit.labels(), fit.inertia()), (&[0, 0, 0][..], 0.0));
    assert_eq!(fit.clusters(), 1);
}

/// More points than are looked at before the farthest are chosen, and those all over.
#[test]
fn the_farthest_of_many_points_are_taken() {
    let values: Vec<f32> = (0..10_000).map(|i| (i * 7919 % 10_007) as f32).collect();
    let rows = Matrix::new(&values, values.len(), 1).unwrap();
    let mut farthest = values.clone();
    farthest.sort_unstable_by(|a, b| b.total_cmp(a));
    for k in [2, 40, 5000] {
        let start: Vec<f32> = (0..k).map(|at| at as f32 * 1e6).collect();
        let start = Matrix::new(&start, k, 1).unwrap();
        let fit = KMeans::new(k).centres(start).max_iter(1).fit(rows).unwrap();
        let centres: Vec<f32> = (1..k).map(|centre| fit.centres().row(centre)[0]).collect();
        assert_eq!(centres, farthest[..k - 1], "{k}");
    }
}

/// Enough points for equal bytes to be fitted as one, and some clusters without any.
#[test]
fn equal_bytes_are_fitted_as_one_and_nothing_shows() {
    for (kind, n, d, k) in [(Kind::Grid, 20_000, 3, 40), (Kind::Grid, 16_384, 1, 9)] {
        let case = Case { kind, shape: Shape { n, d, k }, pad: 1, seed: 5 };
        let problem: Problem<u8, f64> = case.of();
        for settings in [
            KMeans::new(k).seed(2).tol(0.0).max_iter(12),
            KMeans::new(k).centres(problem.centres()).tol(0.0).max_iter(5),
        ] {
            let each = vec![1.0; n];
            let one_by_one = settings.fit_weighted(problem.rows(), &each[..]).unwrap();
            assert_eq!(settings.fit(problem.rows()).unwrap(), one_by_one);
        }
    }
}
