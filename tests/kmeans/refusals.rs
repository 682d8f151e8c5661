//! What cannot be: sizes nobody has, weights that are none, centres that are no numbers.

use proptest::prelude::*;
use tilewise::kmeans::{Centres, Chunks, Error, KMeans, Reader, Reason, With};
use tilewise::points::{Element, Points};
use tilewise::{Matrix, Solo};

fn centres() -> Centres<f32> {
    Centres::new(Matrix::new(&[0.0f32, 10.0], 2, 1).unwrap()).unwrap()
}

/// Rows without columns may be as many as can be counted: nothing is made for each of them.
#[test]
fn rows_without_columns_are_refused_however_many_they_are() {
    let rows = Matrix::new(&[0f32; 0], usize::MAX, 0).unwrap();
    let wrong = Error::Shape { what: "features of the points", given: 0, expected: 1 };
    assert_eq!(centres().predict(rows), Err(wrong.clone()));
    assert_eq!(centres().transform::<f32, f64>(rows), Err(wrong.clone()));
    assert_eq!(centres().score(rows, None), Err(wrong));
    assert_eq!(KMeans::new(2).fit(rows), Err(Error::NoFeatures));
    assert_eq!(KMeans::new(2).fit_predict(rows), Err(Error::NoFeatures));
}

/// More points than any memory has labels for.
struct Endless;

impl Reader<f32> for Endless {
    fn n(&self) -> usize {
        usize::MAX / 8
    }

    fn d(&self) -> usize {
        1
    }

    fn read(&self, _: usize, rows: &mut [f32]) -> Result<(), Reason> {
        rows.fill(1.0);
        Ok(())
    }
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let endless = || Chunks::new(&Endless, 64);
    let memory = |result: Result<(), Error>| matches!(result, Err(Error::OutOfMemory(_)));
    assert!(memory(centres().predict(endless()).map(drop)));
    assert!(memory(centres().transform::<f32, f32>(endless()).map(drop)));
    assert!(memory(centres().score(endless(), None).map(drop)));
}

#[test]
fn scores_take_the_weights_that_fits_take() {
    let rows = [0.0f32, 1.0, 9.0];
    let rows = Matrix::new(&rows, 3, 1).unwrap();
    let score = |weights: &[f64]| centres().score(rows, Some(weights));
    assert_eq!(score(&[1.0, 2.0, 0.5]), Ok(-2.5));
    assert_eq!(score(&[0.0; 3]), Ok(0.0));
    for wrong in [f64::NAN, -1.0, f64::INFINITY, 2e30] {
        let error = score(&[1.0, wrong, 1.0]).unwrap_err();
        assert!(matches!(error, Error::Weight { point: 1, .. }), "{error}");
        let fit = KMeans::new(2).fit_weighted(rows, &[1.0, wrong, 1.0][..]).unwrap_err();
        assert_eq!(fit.to_string(), error.to_string());
    }
    let wrong = Error::Shape { what: "weights", given: 2, expected: 3 };
    assert_eq!(score(&[1.0, 1.0]), Err(wrong));
}

#[test]
fn given_centres_are_held_against_what_centres_can_be() {
    let single = [0.0f32, 1.0, 2.0];
    let double = single.map(f64::from);
    let start = |values: &[f64]| KMeans::new(2).centres(Matrix::new(values, 2, 1).unwrap());
    let (single, double) =
        (Matrix::new(&single, 3, 1).unwrap(), Matrix::new(&double, 3, 1).unwrap());
    // As large as is said, and the value given, not what it was rounded to.
    let error = start(&[0.0, 1e300]).fit(single).unwrap_err();
    let far = Error::CentreTooFar { centre: 1, value: 1e300, most: f64::from(f32::MAX) };
    assert_eq!(error, far);
    assert!(error.to_string().starts_with("given centre 1 has the value 1e300; at most 3.4"));
    assert_eq!(start(&[0.0, 1e300]).fit(double).map(drop), Ok(()));
    for value in [f64::NAN, f64::INFINITY] {
        for error in
            [start(&[value, 0.0]).fit(single).map(drop), start(&[value, 0.0]).fit(double).map(drop)]
        {
            let Err(Error::Centres(bad)) = error else { panic!("{value} was accepted") };
            assert_eq!((bad.row, bad.column), (0, 0));
        }
    }
}

#[test]
fn more_clusters_than_there_can_be_are_refused() {
    let rows = [0.0f32, 1.0];
    let rows = Matrix::new(&rows, 2, 1).unwrap();
    let fit = |k: usize| KMeans::new(k).fit(rows);
    for k in [3, 1 << 20, (1 << 31) - 1] {
        assert_eq!(fit(k), Err(Error::TooManyClusters { k, n: 2 }));
    }
    for k in [1 << 31, usize::MAX] {
        assert_eq!(fit(k), Err(Error::TooLarge { what: "k", value: k, most: i32::MAX as usize }));
    }
}

/// A fit needs points; centres that are there have labels for none.
#[test]
fn no_points_have_no_labels() {
    let none = Matrix::new(&[0.0f32; 0], 0, 1).unwrap();
    assert_eq!(centres().predict(none), Ok(Vec::new()));
    assert_eq!(centres().transform::<f32, f64>(none), Ok(Vec::new()));
    assert_eq!(centres().score(none, Some(&[])), Ok(0.0));
    assert_eq!(KMeans::new(2).fit(none), Err(Error::NoPoints));
    assert_eq!(KMeans::new(2).fit_predict(none), Err(Error::NoPoints));
}

/// Numbers of all sizes, some of which are none.
fn a_number() -> impl Strategy<Value = f32> {
    prop_oneof![4 => -9.0..9.0f32, 1 => any::<u32>().prop_map(f32::from_bits)]
}

/// Weights, among them those that no sum shows.
fn a_weight() -> impl Strategy<Value = f64> {
    prop_oneof![6 => 0.1..3.0f64, 3 => Just(0.0), 1 => prop::sample::select(vec![5e-324, 1e-40])]
}

/// What is no weight.
fn no_weight() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![-1.0, f64::NAN, f64::INFINITY, 2e30])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_is_given_is_fitted_or_refused_by_name(
        (n, d, k) in (0..40usize, 1..4usize, 0..9usize),
        values in prop::collection::vec(a_number(), 120),
        weights in prop::collection::vec(a_weight(), 40),
        wrong in prop::option::weighted(0.2, (any::<prop::sample::Index>(), no_weight())),
    ) {
        let mut weights = weights[..n].to_vec();
        if let Some((at, weight)) = wrong.filter(|_| n > 0) {
            weights[at.index(n)] = weight;
        }
        let wide: Vec<f64> = values.iter().map(|&x| x.into()).collect();
        fitted_or_refused(Matrix::new(&values, n, d).unwrap(), &weights, k);
        fitted_or_refused(Matrix::new(&wide, n, d).unwrap(), &weights, k);
    }
}

/// A fit of what can be fitted, all of it numbers, or the error that says why not.
fn fitted_or_refused<T: Element>(rows: Matrix<'_, T>, weights: &[f64], k: usize) {
    let n = rows.rows();
    let mut places = (0..n).flat_map(|row| (0..rows.cols()).map(move |column| (row, column)));
    let bad = places.find(|&(row, column)| !f64::is_finite(rows.row(row)[column].into()));
    let is_weight = |weight: &f64| (0.0..=1e30).contains(weight);
    match KMeans::new(k).max_iter(20).fit_weighted(rows, weights) {
        Ok(fit) => {
            assert!((1..=n).contains(&k) && bad.is_none() && weights.iter().all(is_weight));
            let mut centres = (0..k).flat_map(|row| fit.centres().row(row));
            assert!(centres.all(|&c| f64::is_finite(c.into())) && fit.inertia().is_finite());
            assert_eq!(fit.predict(rows).unwrap(), fit.labels());
        }
        Err(Error::NoClusters) => assert_eq!(k, 0),
        Err(Error::NoPoints) => assert_eq!(n, 0),
        Err(Error::TooManyClusters { .. }) => assert!(k > n),
        Err(Error::Weight { point, .. }) => assert!(!is_weight(&weights[point])),
        Err(Error::NoWeight) => assert!(weights.iter().all(|weight| *weight == 0.0)),
        Err(Error::TooLight { together, .. }) => assert!(together < 1e-100),
        Err(Error::Points(found)) => assert_eq!(Some((found.row, found.column)), bad),
        Err(other) => panic!("{other}"),
    }
}

/// Seeds are chosen by the settings of a fit, so wrong ones are refused there too.
#[test]
fn wrong_settings_are_refused_where_seeds_are_asked_for() {
    let values = [0.0, 1.0, 5.0, 6.0];
    let points = Points::from_rows(Matrix::new(&values, 4, 1).unwrap()).unwrap();
    let plan = crate::problem::plan(tilewise::kmeans::Shape { n: 4, d: 1, k: 2 });
    let seeds = |kmeans: KMeans| kmeans.seeds(&points, With::new(&plan, &Solo));
    assert_eq!(seeds(KMeans::new(2)).map(|seeds| seeds.len()), Ok(2));
    assert_eq!(seeds(KMeans::new(2).max_iter(0)), Err(Error::NoIterations));
    assert_eq!(seeds(KMeans::new(2).n_init(0)), Err(Error::NoStarts));
    assert_eq!(seeds(KMeans::new(2).tol(-1.0)), Err(Error::Tolerance(-1.0)));
}
