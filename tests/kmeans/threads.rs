//! Any number of threads gives the bits of one.

use crate::problem::{Case, Kind, Problem, Sample};
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Form, KMeans, Plan, Recipe, Shape, With, reference, tiles};
use tilewise::{Isa, Matrix, SpinTeam, Team};

/// A fit and labels of other points, by teams of 1 to 8 threads that all have work.
fn threads_change_nothing<T: Sample>(shape: Shape, weighted: bool) {
    let problem: Problem<T, T::Centre> = Case { kind: Kind::Offset, shape, pad: 1, seed: 21 }.of();
    let other: Problem<T, T::Centre> = Case { kind: Kind::Offset, shape, pad: 0, seed: 22 }.of();
    let mut recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::ASSUMED, 8);
    recipe.threads = 8;
    let plan = Plan::new(shape, Isa::best(), recipe).unwrap();
    let kmeans = KMeans::new(shape.k).seed(4).tol(0.0).max_iter(6);
    let run = |threads: usize| {
        let team = SpinTeam::new(threads).unwrap();
        let with = With::new(&plan, &team);
        let with = if weighted { with.weights(&problem.weights) } else { with };
        let fit = kmeans.fit_with(problem.rows(), with).unwrap();
        let (mut labels, mut distances) = (vec![u32::MAX; shape.n], vec![f64::NAN; shape.n]);
        let (mut scratch, out) = (plan.scratch(team.size()).unwrap(), Some(&mut distances[..]));
        plan.assign(other.rows(), fit.centres(), &mut labels, out, &mut scratch, &team).unwrap();
        (fit, labels, distances)
    };
    let alone = run(1);
    assert!(alone.0.iterations() > 2, "a fit of some iterations");
    for threads in 2..=8 {
        assert!(run(threads) == alone, "{threads} threads, {} of {shape:?}", T::NAME);
    }
}

#[test]
fn one_to_eight_threads_give_the_same_bits() {
    // Sorted on the way, and as they are.
    for shape in [Shape { n: 20_000, d: 3, k: 40 }, Shape { n: 8000, d: 9, k: 50 }] {
        threads_change_nothing::<f32>(shape, false);
        threads_change_nothing::<f64>(shape, true);
        threads_change_nothing::<u8>(shape, false);
    }
}

/// The calls without a plan take as many threads as there are cores.
#[test]
fn a_fit_without_a_plan_gives_the_bits_of_one_with() {
    let shape = Shape { n: 20_000, d: 3, k: 40 };
    let problem: Problem<f32, f32> = Case { kind: Kind::Uniform, shape, pad: 0, seed: 3 }.of();
    let recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 1);
    let plan = Plan::new(shape, Isa::Scalar, recipe).unwrap();
    let (kmeans, team) = (KMeans::new(40).max_iter(6), SpinTeam::new(1).unwrap());
    let alone = kmeans.fit_with(problem.rows(), With::new(&plan, &team)).unwrap();
    assert_eq!(kmeans.fit(problem.rows()).unwrap(), alone);
    assert_eq!(kmeans.fit_predict(problem.rows()).unwrap(), alone.labels());
}

/// A member takes blocks of 64 points; no plan has work for nobody.
#[test]
fn members_are_those_that_have_points() {
    let members = |n, threads| {
        let shape = Shape { n, d: 3, k: 2 };
        let mut recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 1);
        recipe.threads = 4;
        Plan::new(shape, Isa::Scalar, recipe).unwrap().members(threads)
    };
    assert_eq!([members(64, 9), members(65, 9), members(5000, 9)], [1, 2, 4]);
    assert_eq!([members(5000, 3), members(5000, 0)], [3, 1]);
}

/// By every kernel there is. Points stand around places, two centres to each: some labels stay, and
/// who keeps that in mind leaves their points out (see `kept` of the kernel).
#[test]
fn one_to_eight_threads_fit_as_the_reference_by_every_kernel() {
    let wide = Shape { n: 6000, d: 16, k: 64 };
    let flat = Shape { n: 12_000, d: 3, k: 64 };
    for (shape, forms) in
        [(wide, &[Form::Lanes, Form::Tile, Form::Bytes][..]), (flat, &[Form::Cells][..])]
    {
        let Shape { n, d, k } = shape;
        let problem: Problem<f32, f32> = Case { kind: Kind::Uniform, shape, pad: 0, seed: 9 }.of();
        let mut points = problem.points.clone();
        for (row, point) in points.chunks_mut(d).enumerate() {
            let place = &problem.centres[row % (k / 2) * d..][..d];
            point.iter_mut().zip(place).for_each(|(x, &place)| *x = 10.0 * place + 0.3 * *x);
        }
        let (rows, start) = (Matrix::new(&points, n, d).unwrap(), points[..k * d].to_vec());
        let (labels, centres, iterations) = reference::lloyd(rows, &vec![1.0; n], start.clone(), 9);
        assert!(iterations > 3, "a fit of some iterations");
        let start = Matrix::new(&start, k, d).unwrap();
        let kmeans = KMeans::new(k).centres(start).tol(0.0).max_iter(9);
        for &form in forms {
            let mut recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::ASSUMED, 8);
            (recipe.form, recipe.tile) = (form, tiles(form, Isa::best())[0]);
            (recipe.bounds, recipe.threads) = (false, 8);
            let plan = Plan::new(shape, Isa::best(), recipe).unwrap();
            for threads in 1..=8 {
                let team = SpinTeam::new(threads).unwrap();
                let fit = kmeans.fit_with(rows, With::new(&plan, &team)).unwrap();
                assert_eq!(fit.labels(), labels, "{form}, {threads} threads");
                assert_eq!(fit.model().rows().data(), centres, "{form}, {threads} threads");
                assert_eq!(fit.iterations(), iterations, "{form}, {threads} threads");
            }
        }
    }
}
