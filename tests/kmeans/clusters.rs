//! Clusters without points: there are some where points lie in fewer places than there are clusters.

use crate::problem::{Case, Problem, Sample, cases};
use proptest::prelude::*;
use std::collections::BTreeSet;
use tilewise::Matrix;
use tilewise::kmeans::{KMeans, Shape};
use tilewise::points::distinct;

/// From every kind of start.
fn clusters_are_those_of_the_labels<T: Sample>(case: Case, seed: u64) {
    let problem: Problem<T, T::Centre> = case.of();
    let Shape { n, k, .. } = problem.shape;
    if k > n {
        return;
    }
    let places = distinct(problem.rows()).unwrap();
    let kmeans = KMeans::new(k).seed(seed).max_iter(3);
    let random = kmeans.clone().random().n_init(1);
    let given = kmeans.clone().centres(problem.centres());
    for kmeans in [kmeans, random, given] {
        let fit = kmeans.fit(problem.rows()).unwrap();
        let labels: BTreeSet<u32> = fit.labels().iter().copied().collect();
        assert_eq!(fit.clusters(), labels.len(), "{}", T::NAME);
        // Points in one place have one label.
        assert!(fit.clusters() <= places, "{} of {places} places", T::NAME);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn clusters_with_points_are_counted(case in cases(), seed in any::<u64>()) {
        clusters_are_those_of_the_labels::<f32>(case, seed);
        clusters_are_those_of_the_labels::<f64>(case, seed);
        clusters_are_those_of_the_labels::<u8>(case, seed);
    }
}

#[test]
fn of_more_clusters_than_places_as_many_have_points_as_there_are_places() {
    more_clusters_than_places::<f32>();
    more_clusters_than_places::<f64>();
    more_clusters_than_places::<u8>();
}

/// Few points, points that are fitted in a sorted copy, and points whose labels are kept. Their sums
/// are exact, so centres are, too.
fn more_clusters_than_places<T: Sample>() {
    for (shape, places) in [
        (Shape { n: 60, d: 1, k: 8 }, 3),
        (Shape { n: 200, d: 3, k: 12 }, 9),
        (Shape { n: 20_000, d: 2, k: 64 }, 30),
        (Shape { n: 3000, d: 12, k: 90 }, 50),
    ] {
        let Shape { n, d, k } = shape;
        // The first feature is another one in each place.
        let value = |place: usize, feature: usize| match feature {
            0 => 2 * place,
            _ => place * feature % 13,
        };
        // All places in turn: their number and 7919 have no divisor in common.
        let at = |at: usize| T::exactly(value(at / d * 7919 % places, at % d) as f64);
        let points: Vec<T> = (0..n * d).map(at).collect();
        let rows = Matrix::new(&points, n, d).unwrap();
        assert_eq!(distinct(rows), Ok(places));
        let weights: Vec<f64> = (0..n).map(|row| (row % 3 + 1) as f64 / 4.0).collect();
        for weights in [None, Some(&weights[..])] {
            let fit = KMeans::new(k).seed(3).fit_weighted(rows, weights).unwrap();
            // No place is a seed again before all of them are.
            assert_eq!((fit.clusters(), fit.inertia()), (places, 0.0), "{} {shape:?}", T::NAME);
            for centre in 0..k {
                let centre: Vec<f64> =
                    fit.centres().row(centre).iter().map(|&c| c.into()).collect();
                let here =
                    |row: usize| rows.row(row).iter().zip(&centre).all(|(&x, c)| x.into() == *c);
                assert!((0..places).any(here), "{} {shape:?}: {centre:?}", T::NAME);
            }
        }
    }
}
