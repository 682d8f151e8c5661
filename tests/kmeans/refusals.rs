//! What cannot be: sizes nobody has, weights that are none, centres that are no numbers.

use tilewise::Matrix;
use tilewise::kmeans::{Centres, Chunks, Error, KMeans, Reader, Reason, With};
use tilewise::{Solo, points::Points};

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
