//! Labels by products of bytes are those of the definition wherever a lattice could mislead.

use crate::problem::recipes;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Error, Form, KMeans, Plan, Recipe, Shape, With, reference, tiles};
use tilewise::points::Element;
use tilewise::{Isa, Matrix, Solo, SpinTeam, Team};

/// The plans by products of bytes, on all instruction sets.
fn plans(shape: Shape) -> Vec<Plan> {
    let mut plans = Vec::new();
    for isa in Isa::available() {
        for &tile in tiles(Form::Bytes, isa) {
            let mut recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 3);
            (recipe.form, recipe.tile, recipe.bounds) = (Form::Bytes, tile, false);
            plans.push(Plan::new(shape, isa, recipe).unwrap());
        }
    }
    plans
}

/// Compares labels with those of the definition.
fn check<T: Element>(points: &[T], centres: &[f64], d: usize, what: &str) {
    let shape = Shape { n: points.len() / d, d, k: centres.len() / d };
    let rows = Matrix::new(points, shape.n, d).unwrap();
    let centres = Matrix::new(centres, shape.k, d).unwrap();
    let (right, _) = reference::assign(rows, centres);
    let team = SpinTeam::new(3).unwrap();
    for plan in plans(shape) {
        let mut labels = vec![u32::MAX; shape.n];
        let mut scratch = plan.scratch(team.size()).unwrap();
        plan.assign(rows, centres, &mut labels, None, &mut scratch, &team).unwrap();
        let wrong = labels.iter().zip(&right).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "{what}, {} {} {}", T::NAME, plan.isa(), plan.recipe());
    }
}

/// The same for all kinds of points, where `values` are whole numbers up to 255.
fn check_all(values: &[f64], centres: &[f64], d: usize, what: &str) {
    check(&values.iter().map(|&x| x as f32).collect::<Vec<_>>(), centres, d, what);
    check(values, centres, d, what);
    check(&values.iter().map(|&x| x as u8).collect::<Vec<_>>(), centres, d, what);
}

#[test]
fn points_on_the_lattice_that_are_as_near_to_two_centres_go_to_the_first() {
    let mut rng = Pcg64Mcg::seed_from_u64(1);
    for (d, k) in [(1, 40), (3, 100), (17, 33), (64, 130)] {
        // Every centre twice, and points that are centres or half way between two.
        let half: Vec<f64> =
            (0..k * d).map(|_| f64::from(rng.random_range(0..128)) * 2.0).collect();
        let centres = [&half[..], &half].concat();
        let points: Vec<f64> = (0..300)
            .flat_map(|_| {
                let [a, b] = [(); 2].map(|()| rng.random_range(0..k) * d);
                (0..d).map(|f| (half[a + f] + half[b + f]) / 2.0).collect::<Vec<_>>()
            })
            .collect();
        check_all(&points, &centres, d, "ties");
    }
}

#[test]
fn what_the_lattice_cannot_tell_apart_is_told_apart() {
    let mut rng = Pcg64Mcg::seed_from_u64(2);
    for (d, k, near) in [(2, 20, 20), (16, 64, 3), (16, 64, 40), (130, 200, 100)] {
        // Some centres within a thousandth of a step of each other, points around them.
        let mut centres: Vec<f64> = (0..k * d).map(|_| rng.random_range(0.0..1.0)).collect();
        for centre in 1..near {
            for f in 0..d {
                centres[centre * d + f] = centres[f] + rng.random_range(-1.0..1.0) * 1e-6;
            }
        }
        let point = |rng: &mut Pcg64Mcg, f: usize| centres[f] + rng.random_range(-1.0..1.0) * 1e-3;
        let points: Vec<f64> = (0..5000)
            .flat_map(|i| (0..d).map(move |f| (i, f)))
            .map(|(i, f)| if i % 5 == 0 { rng.random_range(0.0..1.0) } else { point(&mut rng, f) })
            .collect();
        check(&points, &centres, d, "near centres");
        let rounded: Vec<f32> = points.iter().map(|&x| x as f32).collect();
        check(&rounded, &centres, d, "near centres");
    }
}

#[test]
fn points_outside_the_sample_are_labelled() {
    let mut rng = Pcg64Mcg::seed_from_u64(3);
    let (n, d, k) = (64 * 130, 20, 50);
    let mut points: Vec<f32> = (0..n * d).map(|_| rng.random_range(0.0..1.0)).collect();
    let mut centres: Vec<f64> = (0..k * d).map(|_| rng.random_range(0.0..1.0)).collect();
    // Of 130 blocks the second is not looked at: its points are outside the lattice, some near.
    for i in 64..128 {
        let scale = [1.1, 2.0, 5.0, 100.0, 1e9, 1e30][i % 6];
        points[i * d..][..d].iter_mut().for_each(|x| *x = (*x - 0.5) * scale);
    }
    check(&points, &centres, d, "outliers among the points");
    centres[7 * d..8 * d].fill(3.0);
    check(&points, &centres, d, "a centre outside");
    centres[8 * d..9 * d].fill(-1e25);
    check(&points, &centres, d, "a centre far outside");
}

/// Centres that are nearer on the lattice than in truth, and farther: every error counts in full.
#[test]
fn rounding_misleads_nobody_at_any_scale() {
    for levels in [127.0, 255.0] {
        for d in [1, 8, 9, 64] {
            for scale in (-30..18).map(|power| 10f64.powi(power)) {
                for [point, near, far] in [[0.49, -0.45, -0.45], [-0.49, 0.45, 0.45]] {
                    let row = |at: f64| vec![at * scale; d];
                    let (a, b) = (row(100.0 + near), row(121.0 + far));
                    let centres = [a, b, row(0.0), row(levels)].concat();
                    // Half way but for the rounding, and a little to either side of that.
                    let points: Vec<f64> =
                        [110.0, 110.4, 110.5, 110.6, 111.0].map(|x| row(x + point)).concat();
                    check(&points, &centres, d, &format!("{scale:e} times"));
                    let single: Vec<f32> = points.iter().map(|&x| x as f32).collect();
                    check(&single, &centres, d, &format!("{scale:e} times"));
                }
            }
        }
    }
}

/// Of whatever form, tile and instruction set.
#[test]
fn scratch_of_another_plan_is_refused_or_right() {
    for (n, d, k) in [(64, 3, 64), (70, 4, 200)] {
        let shape = Shape { n, d, k };
        let points = vec![7u8; n * d];
        let centres: Vec<f64> = (0..k * d).map(|i| f64::from(i as u32 % 251)).collect();
        let (rows, centres) =
            (Matrix::new(&points, n, d).unwrap(), Matrix::new(&centres, k, d).unwrap());
        let (right, _) = reference::assign(rows, centres);
        let of = |isa| recipes(shape, isa).into_iter().map(move |recipe| (isa, recipe));
        let plans = Isa::available().flat_map(of);
        let plans: Vec<Plan> =
            plans.map(|(isa, recipe)| Plan::new(shape, isa, recipe).unwrap()).collect();
        let pairs = plans.iter().flat_map(|made| plans.iter().map(move |used| (made, used)));
        let mut refused = 0;
        for (made, used) in pairs {
            let (mut labels, mut scratch) = (vec![0; n], made.scratch(1).unwrap());
            match used.assign(rows, centres, &mut labels, None, &mut scratch, &Solo) {
                Ok(()) => assert_eq!(labels, right, "{} for {}", made.recipe(), used.recipe()),
                Err(error) => {
                    assert!(matches!(error, Error::Scratch), "{error}");
                    refused += 1;
                }
            }
        }
        assert!(refused > plans.len(), "most are of another kind");
    }
}

#[test]
fn scratch_serves_other_points_and_centres() {
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    let (n, d, k) = (200, 6, 60);
    for plan in plans(Shape { n, d, k }) {
        let mut scratch = plan.scratch(1).unwrap();
        // In vain, then not, then in vain: what one call leaves means nothing to the next.
        for scale in [0.0, 1.0, 1e-9, 1e6, 0.0, 3.0] {
            let mut values = |n: usize| -> Vec<f32> {
                (0..n * d).map(|_| 5.0 + scale * rng.random_range(0.0..1.0f32)).collect()
            };
            let (points, centres) = (values(n), values(k));
            let (rows, centres) =
                (Matrix::new(&points, n, d).unwrap(), Matrix::new(&centres, k, d).unwrap());
            let mut labels = vec![0; n];
            plan.assign(rows, centres, &mut labels, None, &mut scratch, &Solo).unwrap();
            let right = reference::assign(rows, centres).0;
            assert_eq!(labels, right, "{} {} {scale}", plan.isa(), plan.recipe());
        }
    }
}

#[test]
fn alike_tiny_and_huge_points_are_labelled() {
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    let (d, k) = (12, 40);
    for scale in [0.0, 1e-300, 1e-42, 1e-20, 1e15, 1e37, 1e300] {
        for offset in [0.0, 1.0, -1e9, 1e30] {
            let mut value = || offset + scale * rng.random_range(-1.0..1.0);
            let centres: Vec<f64> = (0..k * d).map(|_| value()).collect();
            let points: Vec<f64> = (0..200 * d).map(|_| value()).collect();
            check(&points, &centres, d, &format!("{scale} around {offset}"));
        }
    }
    // One feature is all that counts, and others decide nothing but ties.
    let uneven = |i: usize, x: f64| if i % d == 3 { 1e5 * x } else { x };
    let mut values = |n: usize| -> Vec<f64> {
        (0..n * d).map(|i| uneven(i, rng.random_range(0.0..1.0))).collect()
    };
    let (points, centres) = (values(3000), values(k));
    check(&points, &centres, d, "one large feature");
}

#[test]
fn a_point_that_is_not_finite_is_named_wherever_it_is() {
    let (n, d, k) = (64 * 70 + 5, 9, 70);
    let mut rng = Pcg64Mcg::seed_from_u64(5);
    let mut points: Vec<f32> = (0..n * d).map(|_| rng.random_range(0.0..1.0)).collect();
    let centres: Vec<f64> = (0..k * d).map(|_| rng.random_range(0.0..1.0)).collect();
    let centres = Matrix::new(&centres, k, d).unwrap();
    for (row, bad) in
        [(0, f32::NAN), (70, f32::INFINITY), (4100, f32::NEG_INFINITY), (n - 1, f32::NAN)]
    {
        let kept = points[row * d + 8];
        points[row * d + 8] = bad;
        for plan in plans(Shape { n, d, k }) {
            let (mut labels, mut scratch) = (vec![0; n], plan.scratch(1).unwrap());
            let rows = Matrix::new(&points, n, d).unwrap();
            let result = plan.assign(rows, centres, &mut labels, None, &mut scratch, &Solo);
            let Err(Error::Points(found)) = result else { panic!("{result:?}") };
            assert_eq!((found.row, found.column), (row, 8), "{} {}", plan.isa(), plan.recipe());
        }
        points[row * d + 8] = kept;
    }
}

#[test]
fn fits_come_out_as_those_of_points_in_lanes() {
    let (n, d, k) = (9000, 24, 120);
    let mut rng = Pcg64Mcg::seed_from_u64(6);
    let points: Vec<f32> = (0..n * d).map(|_| rng.random_range(0.0..1.0)).collect();
    let rows = Matrix::new(&points, n, d).unwrap();
    let first = rows.slice_rows(0..k);
    let fit = |plan: &Plan| {
        let team = SpinTeam::new(2).unwrap();
        KMeans::new(k).centres(first).max_iter(9).fit_with(rows, With::new(plan, &team)).unwrap()
    };
    let shape = Shape { n, d, k };
    let mut recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 2);
    (recipe.form, recipe.tile) = (Form::Lanes, tiles(Form::Lanes, Isa::Scalar)[0]);
    let right = fit(&Plan::new(shape, Isa::Scalar, recipe).unwrap());
    for plan in plans(shape) {
        let found = fit(&plan);
        assert_eq!(right.labels(), found.labels(), "{} {}", plan.isa(), plan.recipe());
        assert_eq!(right.inertia().to_bits(), found.inertia().to_bits());
    }
}

#[test]
fn too_many_features_for_bytes_are_refused() {
    let shape = Shape { n: 100, d: 5000, k: 100 };
    let mut recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 1);
    (recipe.form, recipe.tile) = (Form::Bytes, tiles(Form::Bytes, Isa::Scalar)[0]);
    recipe.bounds = false;
    let error = Plan::new(shape, Isa::Scalar, recipe).unwrap_err();
    let many = Shape { n: 100, d: 1, k: (1 << 21) + 1 };
    assert!(matches!(Plan::new(many, Isa::Scalar, recipe), Err(Error::TooLarge { most: 0, .. })));
    let expected = "for products of bytes, d = 5000 is too large; at most 4096 is supported";
    assert_eq!(error.to_string(), expected);
}
