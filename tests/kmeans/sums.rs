//! Means are as exact as is promised, held against plain sums in `f64`: every feature by its own size,
//! whatever others are.

use crate::problem::{Case, Problem, Sample, cases};
use proptest::prelude::*;
use tilewise::Matrix;
use tilewise::kmeans::{Chunks, Error, KMeans, Reader, Reason, Shape, reference};
use tilewise::points::Points;
use tilewise::vector::Real;

/// What plain sums make of one label: its weight, and for each feature the sum and that of magnitudes.
struct Plain {
    count: f64,
    weight: f64,
    sums: Vec<[f64; 2]>,
}

/// Sums of the points of each label, one after the other.
fn plain<T: Sample>(problem: &Problem<T, T::Centre>, labels: &[u32]) -> Vec<Plain> {
    let Shape { d, k, .. } = problem.shape;
    let empty = || Plain { count: 0.0, weight: 0.0, sums: vec![[0.0; 2]; d] };
    let mut all: Vec<Plain> = (0..k).map(|_| empty()).collect();
    for (row, (&label, &weight)) in labels.iter().zip(&problem.weights).enumerate() {
        let of = &mut all[label as usize];
        of.count += 1.0;
        of.weight += weight;
        for (sums, &x) in of.sums.iter_mut().zip(problem.rows().row(row)) {
            let product = x.into() * weight;
            *sums = [sums[0] + product, sums[1] + product.abs()];
        }
    }
    all
}

/// One iteration from some of the points, each with some weight.
fn means_are_those_of_plain_sums<T: Sample>(case: Case)
where
    T::Centre: Real,
{
    let mut problem: Problem<T, T::Centre> = case.of();
    let Shape { n, d, k } = problem.shape;
    if k > n {
        return;
    }
    problem.weights.iter_mut().for_each(|weight| *weight += 0.1);
    let start = (0..k).flat_map(|row| problem.rows().row(row));
    let start: Vec<T::Centre> = start.map(|&x| T::Centre::from_f64(x.into())).collect();
    let start = Matrix::new(&start, k, d).unwrap();
    let plain = plain(&problem, &reference::assign(problem.rows(), start).0);
    if plain.iter().any(|of| of.count == 0.0) {
        // Points would move to where there are none.
        return;
    }
    let kmeans = KMeans::new(k).centres(start).tol(0.0).max_iter(1);
    let fit = kmeans.fit_weighted(problem.rows(), &problem.weights[..]).unwrap();
    let total: f64 = problem.weights.iter().sum();
    // A centre is rounded once; plain sums of values and of weights round with every addition.
    let single = size_of::<T::Centre>() == size_of::<f32>();
    let (once, least) = if single { (2f64.powi(-24), 2e-45) } else { (2f64.powi(-53), 5e-324) };
    for (label, of) in plain.iter().enumerate() {
        for (feature, (&centre, &[sum, size])) in
            fit.centres().row(label).iter().zip(&of.sums).enumerate()
        {
            let column = (0..n).map(|row| problem.rows().row(row)[feature].into().abs());
            let largest = column.fold(0.0, f64::max);
            let mean = sum / of.weight;
            let rounding = (2.0 * of.count + 3.0) * 2f64.powi(-53) * size / of.weight;
            let left_out = of.count * 2f64.powi(-100) * largest * total / of.weight;
            let off = (centre.into() - mean).abs();
            let most = rounding + left_out + once * mean.abs() + least;
            assert!(off <= most, "{label}, {feature}: {centre} for {mean:e}, {off:e} > {most:e}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn means_are_those_of_plain_sums_whatever_the_features_are(case in cases()) {
        means_are_those_of_plain_sums::<f32>(case);
        means_are_those_of_plain_sums::<f64>(case);
        means_are_those_of_plain_sums::<u8>(case);
    }
}

/// Rows, to be read part by part.
struct Rows<'a>(Matrix<'a, f64>);

impl Reader<f64> for Rows<'_> {
    fn n(&self) -> usize {
        self.0.rows()
    }

    fn d(&self) -> usize {
        self.0.cols()
    }

    fn read(&self, first: usize, rows: &mut [f64]) -> Result<(), Reason> {
        for (row, to) in (first..).zip(rows.chunks_exact_mut(self.0.cols())) {
            to.copy_from_slice(self.0.row(row));
        }
        Ok(())
    }
}

/// Times of day beside tenths, and 10^30: however points come, and sorted on the way or not.
#[test]
fn small_features_keep_their_bits_beside_large_ones() {
    for (n, large, k) in
        [(1000, 1e30, 2), (1000, 1.7e18, 2), (20_000, 1e30, 16), (20_000, 1e110, 2)]
    {
        // Column 1 is a tenth everywhere; in column 2 there are two values, by the parity.
        let row = |i: usize| {
            let place = (i % k) as f64 - (k / 2) as f64 + 0.5;
            [large * place, 0.1, if i.is_multiple_of(2) { 3e-9 } else { 7e-9 }]
        };
        let values: Vec<f64> = (0..n).flat_map(row).collect();
        let start: Vec<f64> = (0..k).flat_map(row).collect();
        let (rows, start) =
            (Matrix::new(&values, n, 3).unwrap(), Matrix::new(&start, k, 3).unwrap());
        let (points, reader) = (Points::from_rows(rows).unwrap(), Rows(rows));
        let kmeans = KMeans::new(k).centres(start).max_iter(9).tol(0.0);
        let weights = vec![0.25; n];
        let fits = [
            kmeans.fit(rows).unwrap(),
            kmeans.fit(&points).unwrap(),
            kmeans.fit(Chunks::new(&reader, 100)).unwrap(),
            kmeans.fit_weighted(rows, &weights[..]).unwrap(),
        ];
        for fit in &fits {
            for label in 0..k {
                let (centre, right) = (fit.centres().row(label), row(label));
                for (feature, (mean, right)) in centre.iter().zip(right).enumerate() {
                    let off = (mean - right).abs() / right.abs();
                    assert!(off <= 4.0 * f64::EPSILON, "{n} {large:e} {feature}: {mean:e}");
                }
            }
        }
        assert_eq!(fits[0], fits[1]);
        assert_eq!(fits[0], fits[2]);
    }
}

/// What the documentation says of weights: of 1e-11 of all they are whole, of 1e-30 they are none.
#[test]
fn weights_that_are_small_beside_all_others_lose_bits_and_nothing_else() {
    let values = [0.0f64, 0.5, 40.0, 41.0, 90.0];
    let rows = Matrix::new(&values, 5, 1).unwrap();
    let start = [0.25, 40.5, 90.0];
    let start = Matrix::new(&start, 3, 1).unwrap();
    let kmeans = KMeans::new(3).centres(start).tol(0.0);
    let centres = |light: f64| {
        let weights = [1.0, 1.0, light, 3.0 * light, 1.0];
        let fit = kmeans.fit_weighted(rows, &weights[..]).unwrap();
        assert_eq!(fit.labels(), [0, 0, 1, 1, 2]);
        fit.centres().row(1)[0]
    };
    assert!((centres(1e-11) - 40.75).abs() < 1e-13);
    assert!((centres(1e-20) - 40.75).abs() < 1e-5);
    for none in [1e-32, 1e-200, 5e-324] {
        let centre = centres(none);
        assert!((40.0..=41.0).contains(&centre), "{none:e}: {centre}");
    }
}

/// No weights are so small that centres are no numbers.
#[test]
fn weights_too_small_to_be_summed_are_refused_by_their_sum() {
    let values = [0.0f64, 1.0, 9.0, 10.0];
    let rows = Matrix::new(&values, 4, 1).unwrap();
    let start = [0.2, 9.7];
    let kmeans = KMeans::new(2).centres(Matrix::new(&start, 2, 1).unwrap());
    for each in [1e-100, 1e-99, 1e-30, 1.0, 1e30] {
        let fit = kmeans.fit_weighted(rows, &[each; 4][..]).unwrap();
        assert_eq!(fit.labels(), [0, 0, 1, 1], "{each:e}");
        for (row, mean) in [0.5, 9.5].into_iter().enumerate() {
            assert!((fit.centres().row(row)[0] - mean).abs() < 1e-14, "{each:e}");
        }
    }
    for each in [5e-324, 1e-300, 1e-101] {
        let error = kmeans.fit_weighted(rows, &[each; 4][..]).unwrap_err().to_string();
        let words = ["together; expected 1e-100 or more", "multiply every weight"];
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    let error = kmeans.fit_weighted(rows, &[5e-324, 0.0, 0.0, 0.0][..]).unwrap_err().to_string();
    assert!(error.contains("the points weigh 5e-324 together"), "{error}");
}

/// Where weights lose their bits, a mean of values near the largest `f32` may come out larger than
/// that. Centres of `f64` go further than points may.
#[test]
fn means_of_the_largest_values_are_numbers_or_refused_whatever_weighs_next_to_nothing() {
    let [fitted, refused] = next_to_nothing::<f32>(f32::MAX.into());
    assert!(fitted > 0 && refused > 0, "{fitted} fitted, {refused} refused");
    assert_eq!(next_to_nothing::<f64>(1e115)[1], 0);
}

/// How many fits of values up to `largest` end in centres, all of them numbers, and how many in the
/// error that says of a centre that it is none.
fn next_to_nothing<T: Sample>(largest: f64) -> [usize; 2] {
    let near = largest * 127.0 / 128.0;
    let cases = [
        // All points of a label weigh next to nothing.
        (vec![0.0, largest, largest, -largest, 1.0], vec![0.5, largest, -largest], 92..106),
        // So do those that are left once a label without points has taken the heavy one.
        (vec![largest, near], vec![near, -largest], 46..58),
    ];
    let mut ended = [0; 2];
    for (values, start, exponents) in cases {
        let points: Vec<T> = values.iter().map(|&x| T::exactly(x)).collect();
        let rows = Matrix::new(&points, points.len(), 1).unwrap();
        let start = Matrix::new(&start, start.len(), 1).unwrap();
        for (exponent, eighths) in
            exponents.flat_map(|at| (8..16).map(move |eighths| (at, eighths)))
        {
            let light = f64::from(eighths) / 8.0 * 2f64.powi(-exponent);
            let weights = [1.0, light, 3.0 * light, light, 0.25];
            for most in [1, 300] {
                let kmeans = KMeans::new(start.rows()).centres(start).tol(0.0).max_iter(most);
                match kmeans.fit_weighted(rows, &weights[..points.len()]) {
                    Ok(fit) => {
                        let mut centres = (0..start.rows()).flat_map(|row| fit.centres().row(row));
                        assert!(centres.all(|&c| f64::is_finite(c.into())), "{light:e}");
                        assert!(fit.inertia().is_finite(), "{light:e}: {}", fit.inertia());
                        assert_eq!(fit.predict(rows).unwrap(), fit.labels(), "{light:e}");
                        ended[0] += 1;
                    }
                    Err(Error::Centres(bad)) => {
                        assert!(bad.value.is_infinite(), "{light:e}: {bad}");
                        ended[1] += 1;
                    }
                    Err(other) => panic!("{light:e}: {other}"),
                }
            }
        }
    }
    ended
}

/// Storage may go on behind the rows, and rows may have gaps: what stands there is not the points'.
#[test]
fn what_is_beside_the_points_changes_nothing() {
    for (n, d) in [(200, 1), (200, 3), (200, 9)] {
        let value = |row: usize, column: usize| ((row * 31 + column * 17) % 53) as f64 / 7.0;
        let rows: Vec<f64> = (0..n).flat_map(|row| (0..d).map(move |f| value(row, f))).collect();
        let right = KMeans::new(4).seed(5).fit(Matrix::new(&rows, n, d).unwrap()).unwrap();
        for beside in [1e100, 1e300, f64::INFINITY, f64::NAN] {
            let longer = [&rows[..], &[beside; 99]].concat();
            let longer = Matrix::new(&longer, n, d).unwrap();
            assert_eq!(KMeans::new(4).seed(5).fit(longer).unwrap(), right, "{n} x {d}, {beside}");
            let gaps = rows.chunks(d).flat_map(|row| row.iter().copied().chain([beside; 2]));
            let gaps: Vec<f64> = gaps.collect();
            let gaps = Matrix::with_stride(&gaps, n, d, d + 2).unwrap();
            assert_eq!(KMeans::new(4).seed(5).fit(gaps).unwrap(), right, "{n} x {d}, {beside}");
        }
    }
}
