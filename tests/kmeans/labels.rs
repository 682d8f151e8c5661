//! Labels and distances are those of the definition, from every layout and type.

use crate::problem::{Case, Kind, Problem, Sample, cases, plan, recipes};
use proptest::prelude::*;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Centres, Error, Form, Plan, Recipe, Shape, reference, tiles};
use tilewise::points::Points;
use tilewise::vector::Real;
use tilewise::{Isa, Matrix, Solo};
use tilewise_tests::{each_isa, guarded, teams};

impl<T: Sample, C: Real> Problem<T, C> {
    /// Compares one plan, on rows and on blocks, with what is right.
    fn check(&self, plan: &Plan, team: usize, right: &(Vec<u32>, Vec<f64>)) {
        let (name, team) = teams()[team % teams().len()];
        let context =
            format!("{} {} {} {name} {:?}", T::NAME, plan.isa(), plan.recipe(), self.shape);
        let mut scratch = plan.scratch(team.size()).unwrap();
        let mut labels = guarded(&vec![u32::MAX; self.shape.n]);
        let mut distances = guarded(&vec![f64::NAN; self.shape.n]);
        let (rows, centres) = (self.rows(), self.centres());
        let out = Some(&mut distances[..]);
        plan.assign(rows, centres, &mut labels, out, &mut scratch, team).unwrap();
        assert_eq!(right.0, &labels[..], "labels of rows, {context}");
        assert_eq!(right.1, &distances[..], "distances of rows, {context}");
        labels.fill(u32::MAX);
        distances.fill(f64::NAN);
        let points = Points::from_rows(rows).unwrap();
        let out = Some(&mut distances[..]);
        plan.assign(&points, centres, &mut labels, out, &mut scratch, team).unwrap();
        assert_eq!(right.0, &labels[..], "labels of blocks, {context}");
        assert_eq!(right.1, &distances[..], "distances of blocks, {context}");
    }
}

/// Every path gives the labels of the definition.
fn labels_are_right<T: Sample, C: Real>(case: Case, team: usize) {
    let problem: Problem<T, C> = case.of();
    let right = reference::assign(problem.rows(), problem.centres());
    for isa in Isa::available() {
        for recipe in recipes(problem.shape, isa) {
            problem.check(&Plan::new(problem.shape, isa, recipe).unwrap(), team, &right);
        }
    }
    let model = Centres::new(problem.centres()).unwrap();
    let distances: Vec<f64> = model.transform(problem.rows()).unwrap();
    let rounded: Vec<f32> = model.transform(problem.rows()).unwrap();
    assert_eq!(rounded, distances.iter().map(|&distance| distance as f32).collect::<Vec<_>>());
    for (row, distances) in distances.chunks(problem.shape.k).enumerate() {
        for (centre, distance) in distances.iter().enumerate() {
            let (point, centre) = (problem.rows().row(row), problem.centres().row(centre));
            assert_eq!(*distance, reference::squared_distance(point, centre).sqrt());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..Default::default() })]

    #[test]
    fn labels_and_distances_of_f32_are_those_of_the_definition(case in cases(), team in 0..4usize) {
        labels_are_right::<f32, f32>(case, team);
    }

    #[test]
    fn labels_and_distances_of_f64_are_those_of_the_definition(case in cases(), team in 0..4usize) {
        labels_are_right::<f64, f64>(case, team);
    }

    #[test]
    fn labels_and_distances_of_u8_are_those_of_the_definition(case in cases(), team in 0..4usize) {
        labels_are_right::<u8, f64>(case, team);
    }

    #[test]
    fn points_and_centres_may_differ_in_precision(case in cases(), team in 0..4usize) {
        labels_are_right::<f32, f64>(case, team);
        labels_are_right::<f64, f32>(case, team);
        labels_are_right::<u8, f32>(case, team);
    }

    #[test]
    fn points_that_are_not_finite_are_named(
        case in cases(),
        at in any::<prop::sample::Index>(),
        value in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
        team in 0..4usize,
    ) {
        let mut problem: Problem<f32, f32> = case.of();
        let Shape { n, d, .. } = problem.shape;
        prop_assume!(n > 0);
        let (row, column) = (at.index(n * d) / d, at.index(n * d) % d);
        problem.points[row * problem.stride + column] = value;
        // A second one further on must not be named instead.
        *problem.points.last_mut().unwrap() = value;
        let plan = plan(problem.shape);
        let mut labels = vec![0; n];
        let mut scratch = plan.scratch(4).unwrap();
        let (rows, centres, team) = (problem.rows(), problem.centres(), teams()[team].1);
        let Err(Error::Points(bad)) =
            plan.assign(rows, centres, &mut labels, None, &mut scratch, team)
        else {
            panic!("{value} at {row}, {column} was accepted");
        };
        prop_assert_eq!((bad.row, bad.column), (row, column));
        prop_assert!(Points::from_rows(problem.rows()).is_err());
    }
}

/// Where `f32` has no digits left, `f64` points still have: offsets of 10^9, steps of 10^-6.
#[test]
fn far_from_the_origin_small_differences_count() {
    let (n, d, k) = (500, 3, 40);
    let case = Case { kind: Kind::Uniform, shape: Shape { n, d, k }, pad: 0, seed: 5 };
    let mut problem: Problem<f64, f64> = case.of();
    for values in [&mut problem.points, &mut problem.centres] {
        values.iter_mut().for_each(|value| *value = 1e9 + *value * 1e-6);
    }
    let right = reference::assign(problem.rows(), problem.centres());
    let labels: std::collections::BTreeSet<u32> = right.0.iter().copied().collect();
    assert!(labels.len() > k / 2, "{} of {k} centres are nearest to a point", labels.len());
    for isa in Isa::available() {
        for recipe in recipes(problem.shape, isa) {
            problem.check(&Plan::new(problem.shape, isa, recipe).unwrap(), 1, &right);
        }
    }
}

/// Squares of such values leave even the range of `f64`.
#[test]
fn values_of_any_size_are_labelled() {
    for scale in [1e-300, 1e-160, 1e-40, 1e40, 1e153, 1e200, 1e308] {
        let shape = Shape { n: 70, d: 2, k: 5 };
        let case = Case { kind: Kind::Uniform, shape, pad: 0, seed: 5 };
        let mut problem: Problem<f64, f64> = case.of();
        for values in [&mut problem.points, &mut problem.centres] {
            values.iter_mut().for_each(|value| *value *= scale);
        }
        let right = reference::assign(problem.rows(), problem.centres());
        for isa in Isa::available() {
            for recipe in recipes(shape, isa) {
                problem.check(&Plan::new(shape, isa, recipe).unwrap(), 1, &right);
            }
        }
    }
}

/// Blocks whose points lie close together, of which most centres are too far to be scored.
#[test]
fn near_points_that_stand_together_are_labelled() {
    near_points::<f32>(&[(0.0, 1.0), (1e6, 1.0), (0.0, 1e-30), (0.0, 1e30), (-1e3, 1e-3)]);
    near_points::<f64>(&[(0.0, 1.0), (1e12, 1.0), (0.0, 1e-200), (0.0, 1e100), (1e-3, 1e-9)]);
    near_points::<u8>(&[(100.0, 8.0)]);
}

fn near_points<T: Sample>(offsets: &[(f64, f64)])
where
    T::Centre: Real,
{
    for (&(offset, scale), spread) in offsets.iter().zip([0.1, 0.0, 0.5, 1.5].into_iter().cycle()) {
        for (d, k) in [(1, 8), (2, 23), (3, 64), (3, 129), (4, 300), (7, 50), (16, 40)] {
            let shape = Shape { n: 64 * 12 + 17, d, k };
            let case = Case { kind: Kind::Grid, shape, pad: 0, seed: k as u64 };
            let mut problem: Problem<T, T::Centre> = case.of();
            // Each block around a centre of its own, some half way between two of them.
            let at = |i: usize| ((i * 7919) % 97) as f64 / 97.0 - 0.5;
            for (i, centre) in problem.centres.iter_mut().enumerate() {
                *centre = T::Centre::from_f64(offset + scale * 10.0 * at(i));
            }
            let (centres, stride) = (problem.centres.clone(), problem.stride);
            for (row, point) in problem.points.chunks_mut(stride).enumerate() {
                let of = |block: usize| &centres[block * 5 % k * d..][..d];
                let (one, other) = (of(row / 64), of(row / 64 + row % 2));
                for (feature, x) in point.iter_mut().take(d).enumerate() {
                    let middle = (one[feature].into() + other[feature].into()) / 2.0;
                    *x = T::of(middle + scale * spread * at(row * d + feature));
                }
            }
            let right = reference::assign(problem.rows(), problem.centres());
            for isa in Isa::available() {
                for recipe in recipes(shape, isa) {
                    problem.check(&Plan::new(shape, isa, recipe).unwrap(), 1, &right);
                }
            }
        }
    }
}

#[test]
fn nothing_is_read_or_written_past_the_end() {
    fn check<T: Sample>(isa: Isa, shape: Shape) {
        let Shape { n, d, k } = shape;
        let case = Case { kind: Kind::Uniform, shape, pad: 0, seed: 1 };
        let problem: Problem<T, T::Centre> = case.of();
        let right = reference::assign(problem.rows(), problem.centres());
        let (points, centres) = (guarded(&problem.points), guarded(&problem.centres));
        for recipe in recipes(problem.shape, isa) {
            let plan = Plan::new(problem.shape, isa, recipe).unwrap();
            let mut labels = guarded(&vec![0; n]);
            let rows = Matrix::new(&points, n, d).unwrap();
            let centres = Matrix::new(&centres, k, d).unwrap();
            let mut scratch = plan.scratch(1).unwrap();
            plan.assign(rows, centres, &mut labels, None, &mut scratch, &Solo).unwrap();
            assert_eq!(right.0, &labels[..]);
        }
    }
    each_isa(|isa| {
        for (n, d, k) in [(1, 3, 1), (64, 3, 64), (65, 3, 5), (130, 1, 2), (191, 4, 66), (63, 7, 9)]
        {
            check::<f32>(isa, Shape { n, d, k });
            check::<f64>(isa, Shape { n, d, k });
            check::<u8>(isa, Shape { n, d, k });
        }
    });
}

#[test]
fn wrong_calls_are_refused_by_name() {
    let shape = Shape { n: 10, d: 2, k: 3 };
    let recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 1);
    let none = Plan::new(Shape { k: 0, ..shape }, Isa::Scalar, recipe).unwrap_err();
    assert_eq!(none, Error::NoClusters);
    let flat = Plan::new(Shape { d: 0, ..shape }, Isa::Scalar, recipe).unwrap_err();
    assert_eq!(flat, Error::NoFeatures);
    // However many rows are claimed: there is nothing in them to read.
    let rows = Matrix::new(&[0.0f32; 0], usize::MAX, 0).unwrap();
    assert_eq!(Points::from_rows(rows).unwrap_err(), tilewise::points::Error::NoFeatures);
    let huge = Plan::new(Shape { d: usize::MAX, ..shape }, Isa::Scalar, recipe).unwrap_err();
    assert!(matches!(huge, Error::TooLarge { what: "d", .. }), "{huge}");
    let mut odd = recipe;
    odd.tile.points = 3;
    let odd = Plan::new(shape, Isa::Scalar, odd).unwrap_err();
    assert!(odd.to_string().contains("3x"), "{odd}");
    let mut nobody = recipe;
    nobody.threads = 0;
    assert_eq!(Plan::new(shape, Isa::Scalar, nobody).unwrap_err(), Error::NoThreads);

    let mut bounded = recipe;
    bounded.bounds = true;
    for (d, fits) in [(2, true), (4096, true), (4097, false)] {
        let plan = Plan::new(Shape { d, ..shape }, Isa::Scalar, bounded).map(drop);
        assert_eq!(
            plan.map_err(|error| error.to_string().contains("bounds")),
            fits.then_some(()).ok_or(true)
        );
    }
    (bounded.form, bounded.tile) = (Form::Tile, tiles(Form::Tile, Isa::Scalar)[0]);
    let tile = Plan::new(shape, Isa::Scalar, bounded).unwrap_err();
    assert!(tile.to_string().contains("not for tile with 2; set bounds to false"), "{tile}");

    let plan = Plan::new(shape, Isa::Scalar, recipe).unwrap();
    let mut scratch = plan.scratch(1).unwrap();
    let values = [0.5f32; 40];
    let mut call = |n: usize, d: usize, k: usize, labels: usize| {
        let (rows, centres) =
            (Matrix::new(&values, n, d).unwrap(), Matrix::new(&values, k, d).unwrap());
        plan.assign(rows, centres, &mut vec![0; labels], None, &mut scratch, &Solo)
    };
    assert_eq!(call(10, 2, 3, 10), Ok(()));
    assert_eq!(call(11, 2, 3, 11), Err(Error::TooManyPoints { given: 11, most: 10 }));
    for (wrong, text) in [
        (call(10, 3, 3, 10), "features of the points: 3 given, 2 expected"),
        (call(10, 2, 4, 10), "centres: 4 given, 3 expected"),
        (call(10, 2, 3, 9), "labels: 9 given, 10 expected"),
    ] {
        assert_eq!(wrong.unwrap_err().to_string(), text);
    }
    let mut other = recipe;
    (other.form, other.bounds) = (Form::Tile, false);
    other.tile = tiles(Form::Tile, Isa::Scalar)[0];
    let other = Plan::new(shape, Isa::Scalar, other).unwrap();
    let (rows, centres) =
        (Matrix::new(&values, 1, 2).unwrap(), Matrix::new(&values, 3, 2).unwrap());
    let error = other.assign(rows, centres, &mut [0], None, &mut scratch, &Solo).unwrap_err();
    assert_eq!(error, Error::Scratch);
    let broken = [0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY];
    let centres = Matrix::new(&broken, 3, 2).unwrap();
    let rows = Matrix::new(&values, 1, 2).unwrap();
    let error = plan.assign(rows, centres, &mut [0], None, &mut scratch, &Solo).unwrap_err();
    assert_eq!(error.to_string(), "centres: row 2, column 1 is inf; every value must be finite");
}
