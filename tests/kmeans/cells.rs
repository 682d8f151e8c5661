//! A table over space gives the labels of the definition: wherever points fall, whatever the grid.

use crate::problem::Sample;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Error, Form, Plan, Recipe, Scratch, Shape, reference, tiles};
use tilewise::points::Points;
use tilewise::vector::Real;
use tilewise::{Isa, Matrix, Solo};
use tilewise_tests::teams;

/// Where points fall.
#[derive(Clone, Copy, Debug)]
enum Where {
    /// Beside centres, in few cells.
    Near,
    /// All over the grid.
    Inside,
    /// Far around the grid, and in it.
    Around,
    /// On whole numbers, as centres are: ties, and edges of cells.
    Grid,
    /// Half way between centres, but for the last bits.
    Between,
}

const ALL: [Where; 5] = [Where::Near, Where::Inside, Where::Around, Where::Grid, Where::Between];

/// How centres lie: from where, how far apart, and by how much less in the last feature.
const LAYOUTS: [[f64; 3]; 7] = [
    [0.0, 1.0, 1.0],
    [1e6, 1.0, 1.0],
    [-3.0, 1e-30, 1.0],
    [0.0, 1e30, 1.0],
    [10.0, 1.0, 0.0],
    [0.0, 100.0, 1e-6],
    [7.0, 0.0, 1.0],
];

struct Case<T, C> {
    shape: Shape,
    points: Vec<T>,
    centres: Vec<C>,
}

impl<T: Sample, C: Real> Case<T, C> {
    fn new(shape: Shape, place: Where, [from, apart, flat]: [f64; 3], seed: u64) -> Self {
        let Shape { n, d, k } = shape;
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let scale = |feature: usize| if feature + 1 == d && d > 1 { apart * flat } else { apart };
        let mut at = |feature: usize, most: f64| {
            let unit: f64 = rng.random_range(-most..most);
            from + scale(feature) * if let Where::Grid = place { unit.round() } else { unit }
        };
        let centres: Vec<C> = (0..k * d).map(|i| C::from_f64(at(i % d, 4.0))).collect();
        let spread = if let Where::Around = place { 40.0 } else { 5.0 };
        let mut points: Vec<T> = (0..n * d).map(|i| T::of(at(i % d, spread))).collect();
        for (row, point) in points.chunks_mut(d).enumerate() {
            let [one, other] = [row * 7 % k, row * 5 % k].map(|centre| &centres[centre * d..][..d]);
            for (feature, x) in point.iter_mut().enumerate() {
                let near = rng.random_range(-0.01..0.01) * scale(feature);
                let nudge = 1.0 + f64::from(rng.random_range(-2..3)) * f64::from(f32::EPSILON);
                let (one, other): (f64, f64) = (one[feature].into(), other[feature].into());
                match place {
                    Where::Near => *x = T::of(one + near),
                    Where::Between => *x = T::of((one + other) / 2.0 * nudge),
                    _ => {}
                }
            }
        }
        Case { shape, points, centres }
    }

    fn rows(&self) -> Matrix<'_, T> {
        Matrix::new(&self.points, self.shape.n, self.shape.d).unwrap()
    }

    fn centres(&self) -> Matrix<'_, C> {
        Matrix::new(&self.centres, self.shape.k, self.shape.d).unwrap()
    }

    /// With the scratch of whatever was labelled before.
    fn check(&self, plan: &Plan, scratch: &mut Scratch, team: usize) {
        let (name, team) = teams()[team % teams().len()];
        let right = reference::assign(self.rows(), self.centres()).0;
        let context =
            format!("{} {} {} {name} {:?}", T::NAME, plan.isa(), plan.recipe(), self.shape);
        let mut labels = vec![u32::MAX; self.shape.n];
        plan.assign(self.rows(), self.centres(), &mut labels, None, scratch, team).unwrap();
        assert!(labels == right, "rows, {context}");
        labels.fill(u32::MAX);
        let points = Points::from_rows(self.rows()).unwrap();
        plan.assign(&points, self.centres(), &mut labels, None, scratch, team).unwrap();
        assert!(labels == right, "blocks, {context}");
    }
}

fn plans(shape: Shape) -> Vec<Plan> {
    let mut plans = Vec::new();
    for isa in Isa::available() {
        for &tile in tiles(Form::Cells, isa) {
            let mut recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
            (recipe.form, recipe.bounds, recipe.tile) = (Form::Cells, false, tile);
            recipe.threads = plans.len() % 3 + 1;
            plans.push(Plan::new(shape, isa, recipe).unwrap());
        }
    }
    plans
}

#[test]
fn points_anywhere_are_labelled() {
    let sizes = [1, 2, 9, 63, 64, 65, 128, 129, 200, 256];
    for (turn, k) in sizes.into_iter().enumerate() {
        for d in 1..=4 {
            let shape = Shape { n: [777, 64 * 9, 130, 1][(turn + d) % 4], d, k };
            for plan in plans(shape) {
                let mut scratch = plan.scratch(3).unwrap();
                for (seed, place) in ALL.into_iter().enumerate() {
                    let layout = LAYOUTS[(seed + d + turn) % LAYOUTS.len()];
                    let seed = (k * 31 + d * 7 + seed) as u64;
                    let team = turn + d;
                    Case::<f32, f32>::new(shape, place, layout, seed).check(
                        &plan,
                        &mut scratch,
                        team,
                    );
                    Case::<f64, f64>::new(shape, place, layout, seed).check(
                        &plan,
                        &mut scratch,
                        team,
                    );
                    let bytes = [[8.0, 3.0, 1.0], [20.0, 1.0, 0.0]][seed as usize % 2];
                    Case::<u8, f64>::new(shape, place, bytes, seed).check(
                        &plan,
                        &mut scratch,
                        team,
                    );
                }
            }
        }
    }
}

/// Of values no square of which is in the range of `f32`, or of `f64`, and of all layouts.
#[test]
fn values_of_any_size_are_labelled() {
    for (d, k) in [(1, 70), (2, 5), (3, 64)] {
        let shape = Shape { n: 200, d, k };
        for plan in plans(shape) {
            let mut scratch = plan.scratch(3).unwrap();
            let any = [1e-300, 1e-160, 1e-44, 1e-38, 1e19, 1e38, 1e100, 1e153, 1e300];
            for layout in LAYOUTS.into_iter().chain(any.map(|apart| [0.0, apart, 1.0])) {
                Case::<f64, f64>::new(shape, Where::Around, layout, 3).check(
                    &plan,
                    &mut scratch,
                    1,
                );
                Case::<f64, f64>::new(shape, Where::Between, layout, 3).check(
                    &plan,
                    &mut scratch,
                    1,
                );
            }
        }
    }
}

#[test]
fn points_that_are_not_finite_are_named() {
    let shape = Shape { n: 200, d: 3, k: 64 };
    for plan in plans(shape) {
        let mut scratch = plan.scratch(3).unwrap();
        for (at, value) in [(0, f32::NAN), (64 * 3 + 1, f32::INFINITY), (599, f32::NEG_INFINITY)] {
            let mut case = Case::<f32, f32>::new(shape, Where::Inside, LAYOUTS[0], 1);
            case.points[at] = value;
            let mut labels = vec![0; shape.n];
            let found =
                plan.assign(case.rows(), case.centres(), &mut labels, None, &mut scratch, &Solo);
            let Err(Error::Points(bad)) = found else {
                panic!("{value} at {at} was accepted");
            };
            assert_eq!((bad.row, bad.column), (at / 3, at % 3));
        }
    }
}

#[test]
fn what_has_no_table_is_refused() {
    let shape = Shape { n: 10, d: 3, k: 64 };
    let plan = plans(shape).remove(0);
    for shape in [Shape { d: 5, ..shape }, Shape { k: 257, ..shape }] {
        let error = Plan::new(shape, plan.isa(), plan.recipe()).unwrap_err();
        assert!(error.to_string().contains("for a table over space, "), "{error}");
    }
    let mut lanes = plan.recipe();
    lanes.bounds = true;
    let error = Plan::new(shape, plan.isa(), lanes).unwrap_err();
    assert!(error.to_string().contains("not for cells with 3"), "{error}");
    // Two forms may have tiles of the same size, but not the same scratch.
    for tile in tiles(Form::Lanes, plan.isa()) {
        let mut lanes = plan.recipe();
        (lanes.form, lanes.tile) = (Form::Lanes, *tile);
        let mut scratch = Plan::new(shape, plan.isa(), lanes).unwrap().scratch(1).unwrap();
        let case = Case::<f32, f32>::new(shape, Where::Inside, LAYOUTS[0], 1);
        let found =
            plan.assign(case.rows(), case.centres(), &mut [0; 10], None, &mut scratch, &Solo);
        assert_eq!(found, Err(Error::Scratch));
    }
}

/// A table is estimated where it pays, and only there.
#[test]
fn estimates_know_when_a_table_pays() {
    let form = |n, d, k, threads| {
        let shape = Shape { n, d, k };
        Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, threads).form
    };
    assert_eq!(form(273_280, 3, 64, 2), Form::Cells);
    assert_eq!(form(100_000, 2, 256, 1), Form::Cells);
    for (n, d, k) in [(1000, 3, 64), (1_000_000, 2, 10), (1_000_000, 4, 64), (1 << 20, 3, 257)] {
        assert_eq!(form(n, d, k, 1), Form::Lanes, "{n} x {d}, {k}");
    }
}
