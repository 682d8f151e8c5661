//! K-Means against its definition: every instruction set, recipe and team must give the labels,
//! distances, centres and inertia of the plain loops, to the bit.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{self, Error, Form, KMeans, Plan, Recipe, Shape, reference, tiles};
use tilewise::points::Points;
use tilewise::{Isa, Matrix, Solo};
use tilewise_tests::{each_isa, guarded, teams};

/// What the values look like; each kind is hard in its own way.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Nothing special.
    Uniform,
    /// Small integers: exact ties, duplicate points, duplicate centres.
    Grid,
    /// A large common offset, where `f32` sums cancel.
    Offset,
    /// Points half way between two centres but for the last bits.
    Bisector,
    /// Squares that leave the range of `f32`, upwards or downwards.
    Extreme,
}

/// Row-major points and centres.
#[derive(Clone, Debug)]
struct Problem {
    shape: Shape,
    stride: usize,
    points: Vec<f32>,
    centres: Vec<f32>,
}

impl Problem {
    fn new(kind: Kind, shape: Shape, pad: usize, seed: u64) -> Self {
        let Shape { n, d, k } = shape;
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let scale = 10f32.powi(rng.random_range(-38..39));
        let offset = rng.random_range(-1e6..1e6f32);
        let mut value = || {
            let unit = rng.random_range(-1.0..1.0f32);
            match kind {
                Kind::Uniform | Kind::Bisector => unit,
                Kind::Grid => (unit * 3.0).round(),
                Kind::Offset => offset + unit,
                Kind::Extreme => unit * scale,
            }
        };
        let centres: Vec<f32> = (0..k * d).map(|_| value()).collect();
        let stride = d + pad;
        let mut points: Vec<f32> = (0..n * stride).map(|_| value()).collect();
        if let Kind::Bisector = kind {
            for point in points.chunks_mut(stride.max(1)) {
                let [a, b] = [(); 2].map(|()| rng.random_range(0..k) * d);
                for f in 0..d {
                    let nudge = 1.0 + rng.random_range(-2..3) as f32 * f32::EPSILON;
                    point[f] = (centres[a + f] + centres[b + f]) / 2.0 * nudge;
                }
            }
        }
        Problem { shape, stride, points, centres }
    }

    fn rows(&self) -> Matrix<'_, f32> {
        Matrix::with_stride(&self.points, self.shape.n, self.shape.d, self.stride).unwrap()
    }

    fn centres(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.centres, self.shape.k, self.shape.d).unwrap()
    }

    /// Compares one plan, on rows and on blocks, with what is right.
    fn check(&self, plan: &Plan, team: usize, right: &(Vec<u32>, Vec<f32>)) {
        let (name, team) = teams()[team % teams().len()];
        let context = format!("{} {} {name} {:?}", plan.isa(), plan.recipe(), self.shape);
        let mut scratch = plan.scratch(team.size()).unwrap();
        let mut labels = guarded(&vec![u32::MAX; self.shape.n]);
        let mut distances = guarded(&vec![f32::NAN; self.shape.n]);
        let (rows, centres) = (self.rows(), self.centres());
        let out = Some(&mut distances[..]);
        plan.assign_rows(rows, centres, &mut labels, out, &mut scratch, team).unwrap();
        assert_eq!(right.0, &labels[..], "labels of rows, {context}");
        assert_eq!(right.1, &distances[..], "distances of rows, {context}");
        labels.fill(u32::MAX);
        distances.fill(f32::NAN);
        let points = Points::from_rows(rows).unwrap();
        let out = Some(&mut distances[..]);
        plan.assign(&points, centres, &mut labels, out, &mut scratch, team).unwrap();
        assert_eq!(right.0, &labels[..], "labels of blocks, {context}");
        assert_eq!(right.1, &distances[..], "distances of blocks, {context}");
    }
}

fn problems() -> impl Strategy<Value = Problem> {
    let kind = prop_oneof![
        Just(Kind::Uniform),
        Just(Kind::Grid),
        Just(Kind::Offset),
        Just(Kind::Bisector),
        Just(Kind::Extreme),
    ];
    let n = prop_oneof![0..70usize, Just(127), Just(128), 129..700usize];
    let d = prop_oneof![1..9usize, Just(17), Just(61)];
    let k = prop_oneof![1..20usize, Just(31), Just(64), Just(67), Just(131)];
    (kind, n, d, k, 0..3usize, any::<u64>())
        .prop_map(|(kind, n, d, k, pad, seed)| Problem::new(kind, Shape { n, d, k }, pad, seed))
}

/// Every recipe the table offers for `isa`.
fn recipes(shape: Shape, isa: Isa) -> Vec<Recipe> {
    let estimate = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let mut recipes = Vec::new();
    for form in Form::ALL {
        for tile in tiles(form, isa) {
            let mut recipe = estimate;
            (recipe.form, recipe.tile) = (form, *tile);
            recipe.threads = recipes.len() % 5 + 1;
            recipes.push(recipe);
        }
    }
    recipes
}

fn plan(shape: Shape) -> Plan {
    let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
    Plan::new(shape, Isa::best(), recipe).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn labels_and_distances_are_those_of_the_definition(problem in problems(), team in 0..4usize) {
        let right = reference::assign(problem.rows(), problem.centres());
        for isa in Isa::available() {
            for recipe in recipes(problem.shape, isa) {
                problem.check(&Plan::new(problem.shape, isa, recipe).unwrap(), team, &right);
            }
        }
    }

    #[test]
    fn points_that_are_not_finite_are_named(
        mut problem in problems(),
        at in any::<prop::sample::Index>(),
        value in prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::NEG_INFINITY)],
        team in 0..4usize,
    ) {
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
            plan.assign_rows(rows, centres, &mut labels, None, &mut scratch, team)
        else {
            panic!("{value} at {row}, {column} was accepted");
        };
        prop_assert_eq!((bad.row, bad.column), (row, column));
        prop_assert!(Points::from_rows(problem.rows()).is_err());
    }
}

/// The first `k` points, which may well be equal, as a start.
fn first_points(problem: &Problem) -> Vec<f32> {
    (0..problem.shape.k).flat_map(|row| problem.rows().row(row)).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn fits_are_the_same_to_the_bit_on_every_path(problem in problems(), start in any::<u64>()) {
        let Shape { n, d, k } = problem.shape;
        prop_assume!(k <= n);
        let points = Points::from_rows(problem.rows()).unwrap();
        let kmeans = KMeans::new(k).seed(start).max_iter(5);
        let right = kmeans.fit(&points).unwrap();
        prop_assert_eq!(&right.predict(problem.rows()).unwrap()[..], right.labels());
        let centres = right.centres();
        prop_assert!((0..k).all(|row| centres.row(row).iter().all(|c| c.is_finite())));
        let inertia = reference::inertia(problem.rows(), right.labels(), centres);
        prop_assert_eq!(right.inertia(), inertia);
        for isa in Isa::available() {
            for recipe in recipes(problem.shape, isa) {
                let plan = Plan::new(Shape { n, d, k }, isa, recipe).unwrap();
                let (name, team) = teams()[(start as usize + recipe.threads) % teams().len()];
                let fit = kmeans.fit_with(&points, &plan, team).unwrap();
                prop_assert_eq!(&fit, &right, "{} {} {}", isa, recipe, name);
            }
        }
    }

    #[test]
    fn fits_from_given_centres_follow_the_reference(problem in problems(), most in 1..20usize) {
        let Shape { d, k, n } = problem.shape;
        prop_assume!(k <= n);
        let points = Points::from_rows(problem.rows()).unwrap();
        // Centres of their own, far from some data, and points, of which several may be equal:
        // both leave clusters empty.
        for start in [first_points(&problem), problem.centres.clone()] {
            let (labels, centres, iterations) = reference::lloyd(problem.rows(), start.clone(), most);
            let start = Matrix::new(&start, k, d).unwrap();
            let kmeans = KMeans::new(k).centres(start).tol(0.0).max_iter(most);
            let fit = kmeans.fit(&points).unwrap();
            prop_assert_eq!(fit.labels(), labels);
            prop_assert_eq!(fit.iterations(), iterations);
            for row in 0..k {
                prop_assert_eq!(fit.centres().row(row), &centres[row * d..][..d]);
            }
        }
    }

    #[test]
    fn inertia_never_rises(problem in problems(), seed in any::<u64>()) {
        let Shape { n, k, .. } = problem.shape;
        prop_assume!(k <= n);
        let points = Points::from_rows(problem.rows()).unwrap();
        let mut last = f64::INFINITY;
        for most in 1..6 {
            let fit = KMeans::new(k).seed(seed).tol(0.0).max_iter(most).fit(&points).unwrap();
            // Centres are rounded to f32, which moves each feature of each point by that much.
            let size = problem.points.iter().fold(0.0, |size, x| f64::max(size, f64::from(x.abs())));
            let slack = n as f64 * problem.shape.d as f64 * (size * f64::from(f32::EPSILON)).powi(2);
            prop_assert!(fit.inertia() <= last * (1.0 + 1e-12) + slack, "{} after {last}", fit.inertia());
            last = fit.inertia();
        }
    }
}

#[test]
fn many_leaves_are_summed_as_the_reference_does() {
    // More points than a leaf has, so that the tree of leaves is more than its root.
    for (n, d, k) in [(9000, 3, 5), (20_000, 2, 17), (5000, 12, 3)] {
        let problem = Problem::new(Kind::Offset, Shape { n, d, k }, 0, 3);
        assert!(kmeans::leaf_points(n, k) < n && kmeans::runs(d) > 0);
        let start = first_points(&problem);
        let (labels, centres, _) = reference::lloyd(problem.rows(), start.clone(), 3);
        let points = Points::from_rows(problem.rows()).unwrap();
        let kmeans =
            KMeans::new(k).centres(Matrix::new(&start, k, d).unwrap()).tol(0.0).max_iter(3);
        let plan = plan(problem.shape);
        for (name, team) in teams() {
            let fit = kmeans.fit_with(&points, &plan, *team).unwrap();
            assert_eq!(fit.labels(), labels, "{name}");
            assert_eq!(
                (0..k).flat_map(|row| fit.centres().row(row).to_vec()).collect::<Vec<_>>(),
                centres
            );
        }
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
    let points = Points::from_rows(Matrix::new(&[4.0; 3], 3, 1).unwrap()).unwrap();
    let fit = KMeans::new(3).fit(&points).unwrap();
    assert_eq!((fit.labels(), fit.inertia()), (&[0, 0, 0][..], 0.0));
}

#[test]
fn nothing_is_read_or_written_past_the_end() {
    each_isa(|isa| {
        for (n, d, k) in [(1, 3, 1), (64, 3, 64), (65, 3, 5), (130, 1, 2), (191, 4, 66), (63, 7, 9)]
        {
            let mut problem = Problem::new(Kind::Uniform, Shape { n, d, k }, 0, 1);
            let right = reference::assign(problem.rows(), problem.centres());
            let (points, centres) = (guarded(&problem.points), guarded(&problem.centres));
            for recipe in recipes(problem.shape, isa) {
                let plan = Plan::new(problem.shape, isa, recipe).unwrap();
                let mut labels = guarded(&vec![0; n]);
                let rows = Matrix::new(&points, n, d).unwrap();
                let centres = Matrix::new(&centres, k, d).unwrap();
                let mut scratch = plan.scratch(1).unwrap();
                plan.assign_rows(rows, centres, &mut labels, None, &mut scratch, &Solo).unwrap();
                assert_eq!(right.0, &labels[..]);
            }
            problem.points.clear();
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
    let rows = Matrix::new(&[], usize::MAX, 0).unwrap();
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

    let plan = Plan::new(shape, Isa::Scalar, recipe).unwrap();
    let mut scratch = plan.scratch(1).unwrap();
    let values = [0.5f32; 40];
    let mut call = |n: usize, d: usize, k: usize, labels: usize| {
        let (rows, centres) =
            (Matrix::new(&values, n, d).unwrap(), Matrix::new(&values, k, d).unwrap());
        plan.assign_rows(rows, centres, &mut vec![0; labels], None, &mut scratch, &Solo)
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
    other.form = Form::Tile;
    other.tile = tiles(Form::Tile, Isa::Scalar)[0];
    let other = Plan::new(shape, Isa::Scalar, other).unwrap();
    let (rows, centres) =
        (Matrix::new(&values, 1, 2).unwrap(), Matrix::new(&values, 3, 2).unwrap());
    let error = other.assign_rows(rows, centres, &mut [0], None, &mut scratch, &Solo).unwrap_err();
    assert_eq!(error, Error::Scratch);
    let broken = [0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY];
    let centres = Matrix::new(&broken, 3, 2).unwrap();
    let rows = Matrix::new(&values, 1, 2).unwrap();
    let error = plan.assign_rows(rows, centres, &mut [0], None, &mut scratch, &Solo).unwrap_err();
    assert_eq!(error.to_string(), "centres: row 2, column 1 is inf; every value must be finite");
}

#[test]
fn wrong_fits_are_refused_by_name() {
    let values: Vec<f32> = (0..12).map(|value| value as f32).collect();
    let points = Points::from_rows(Matrix::new(&values, 6, 2).unwrap()).unwrap();
    let refused = |kmeans: KMeans| kmeans.fit(&points).unwrap_err().to_string();
    assert!(refused(KMeans::new(0)).contains("k = 0"));
    assert!(
        refused(KMeans::new(7)).contains("k = 7 clusters were asked for, but there are only 6")
    );
    assert!(refused(KMeans::new(2).max_iter(0)).contains("max_iter = 0"));
    assert!(refused(KMeans::new(2).tol(f64::NAN)).contains("tol = NaN"));
    let wide = Matrix::new(&values, 2, 3).unwrap();
    assert!(refused(KMeans::new(2).centres(wide)).contains("features of the centres: 3 given, 2"));
    let fit = KMeans::new(2).fit(&points).unwrap();
    assert!(fit.predict(wide).unwrap_err().to_string().contains("3 given, 2 expected"));
}
