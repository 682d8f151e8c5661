//! Different points are counted as a set of them counts.

use crate::problem::{Case, Problem, Sample, cases};
use proptest::prelude::*;
use std::collections::HashSet;
use tilewise::Matrix;
use tilewise::points::{Error, NotFinite, distinct};

/// The definition. Adding zero makes one zero of both.
fn plain<T: Sample>(rows: Matrix<'_, T>) -> usize {
    let bits = |&x: &T| (x.into() + 0.0).to_bits();
    let point = |row: usize| rows.row(row).iter().map(bits).collect::<Vec<_>>();
    (0..rows.rows()).map(point).collect::<HashSet<_>>().len()
}

fn counts_what_the_definition_does<T: Sample>(case: Case) {
    let mut problem: Problem<T, T::Centre> = case.of();
    // A third of them come again.
    let part = case.shape.n / 3 * problem.stride;
    let end = problem.points.len();
    problem.points.copy_within(..part, end - part);
    assert_eq!(distinct(problem.rows()), Ok(plain(problem.rows())), "{}", T::NAME);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn different_points_are_counted(case in cases()) {
        counts_what_the_definition_does::<f32>(case);
        counts_what_the_definition_does::<f64>(case);
        counts_what_the_definition_does::<u8>(case);
    }
}

#[test]
fn zeros_are_one_and_what_is_no_number_is_refused() {
    let rows = |values: &'static [f32], d| Matrix::new(values, values.len() / d, d).unwrap();
    assert_eq!(distinct(rows(&[0.0, -0.0, 1.0, -1.0], 1)), Ok(3));
    assert_eq!(distinct(rows(&[0.0, -0.0, -0.0, 0.0], 2)), Ok(1));
    assert_eq!(distinct(rows(&[], 2)), Ok(0));
    assert_eq!(distinct(Matrix::<f32>::new(&[], 4, 0).unwrap()), Err(Error::NoFeatures));
    let refused = distinct(rows(&[0.0, 1.0, 2.0, f32::INFINITY], 2)).unwrap_err();
    let bad = NotFinite { row: 1, column: 1, value: f64::INFINITY };
    assert_eq!(refused, Error::NotFinite(bad));
    let all: Vec<u8> =
        (0..=255).flat_map(|a| (0..=255).flat_map(move |b| [a, b, 7, b, a, 7])).collect();
    assert_eq!(distinct(Matrix::new(&all, all.len() / 3, 3).unwrap()), Ok(1 << 16));
}
