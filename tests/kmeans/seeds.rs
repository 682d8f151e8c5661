//! Seeding looks at few distances in full; the points it chooses are those of all of them.

use crate::problem::{Case, Kind, Problem, Sample, cases, recipes};
use proptest::prelude::*;
use tilewise::kmeans::{Draws, KMeans, Plan, Seeded, Shape, With, reference};
use tilewise::points::Points;
use tilewise::{Isa, Matrix, Solo};
use tilewise_tests::teams;

/// Sums are taken over so many points in eight lanes, which are added in pairs.
const BLOCK: usize = 64;

/// Greedy k-means++ by the definition, every distance taken.
fn plain<T: Sample>(problem: &Problem<T, T::Centre>, weights: &[f64], seed: u64) -> Vec<usize> {
    let (rows, n, k) = (problem.rows(), problem.shape.n, problem.shape.k);
    let trials = 2 + (k as f64).ln() as usize;
    let mut draws = Seeded::new(seed);
    let mut draw = || draws.draw().unwrap();
    let features = |point: usize| rows.row(point).iter().map(|&x| x.into()).collect::<Vec<f64>>();
    let distances = |centre: usize| -> Vec<f64> {
        let centre = features(centre);
        (0..n).map(|point| reference::squared_distance(rows.row(point), &centre)).collect()
    };
    let lowered = |closest: &[f64], centre: usize| -> Vec<f64> {
        closest.iter().zip(distances(centre)).map(|(&a, b)| if b < a { b } else { a }).collect()
    };
    let sums = |closest: &[f64]| -> Vec<f64> {
        let shares: Vec<f64> = closest.iter().zip(weights).map(|(a, w)| a * w).collect();
        let of_block = |block: &[f64]| {
            let mut lanes = [0.0; 8];
            block.iter().enumerate().for_each(|(at, share)| lanes[at % 8] += share);
            let [a, b, c, d, e, f, g, h] = lanes;
            ((a + e) + (c + g)) + ((b + f) + (d + h))
        };
        shares.chunks(BLOCK).map(of_block).collect()
    };
    let total: f64 = weights.iter().sum();
    let target = draw() * total;
    let mut running = 0.0;
    let first = (0..n).find(|&point| {
        running += weights[point];
        weights[point] > 0.0 && running > target
    });
    let heavy = (0..n).rfind(|&point| weights[point] > 0.0).unwrap();
    let mut chosen = vec![first.unwrap_or(heavy)];
    let mut closest = distances(chosen[0]);
    while chosen.len() < k {
        let shares = sums(&closest);
        let all: f64 = shares.iter().sum();
        let targets: Vec<f64> = (0..trials).map(|_| draw() * all).collect();
        let candidates: Vec<usize> =
            targets.into_iter().map(|target| find(&closest, weights, &shares, target)).collect();
        let mut best = (candidates[0], f64::INFINITY);
        for candidate in candidates {
            let left = sums(&lowered(&closest, candidate)).iter().sum();
            if left < best.1 {
                best = (candidate, left);
            }
        }
        closest = lowered(&closest, best.0);
        chosen.push(best.0);
    }
    chosen
}

/// The first point at which the running sum reaches the target, blocks first.
fn find(closest: &[f64], weights: &[f64], shares: &[f64], target: f64) -> usize {
    let (mut before, mut block) = (0.0, 0);
    while block + 1 < shares.len() && before + shares[block] < target {
        before += shares[block];
        block += 1;
    }
    let here = block * BLOCK..closest.len().min((block + 1) * BLOCK);
    let mut last = here.start;
    for point in here {
        let share = closest[point] * weights[point];
        before += share;
        if share > 0.0 || point % BLOCK == 0 {
            last = point;
        }
        if before >= target {
            return point;
        }
    }
    last
}

fn chooses_what_the_definition_does<T: Sample>(case: Case, seed: u64) {
    let problem: Problem<T, T::Centre> = case.of();
    if problem.shape.k > problem.shape.n {
        return;
    }
    chooses_of(&problem, None, seed);
    if problem.weights.iter().any(|weight| *weight > 0.0) {
        chooses_of(&problem, Some(&problem.weights), seed);
    }
}

fn chooses_of<T: Sample>(problem: &Problem<T, T::Centre>, weights: Option<&[f64]>, seed: u64) {
    let shape = problem.shape;
    let expected = plain(problem, weights.unwrap_or(&vec![1.0; shape.n]), seed);
    let points = Points::from_rows(problem.rows()).unwrap();
    let settings = KMeans::new(shape.k).seed(seed);
    for isa in Isa::available() {
        let recipe = recipes(shape, isa)[0];
        let plan = Plan::new(shape, isa, recipe).unwrap();
        let (name, team) = teams()[seed as usize % teams().len()];
        let with = || match weights {
            Some(weights) => With::new(&plan, team).weights(weights),
            None => With::new(&plan, team),
        };
        let rows = settings.seeds(problem.rows(), with()).unwrap();
        assert_eq!(rows, expected, "rows of {}, {isa}, {name}", T::NAME);
        let blocks = settings.seeds(&points, with()).unwrap();
        assert_eq!(blocks, expected, "blocks of {}, {isa}, {name}", T::NAME);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn seeds_are_those_of_all_distances(case in cases(), seed in any::<u64>()) {
        chooses_what_the_definition_does::<f32>(case, seed);
        chooses_what_the_definition_does::<f64>(case, seed);
        chooses_what_the_definition_does::<u8>(case, seed);
    }

    #[test]
    fn seeds_of_few_features_are_those_of_all_distances(case in cases(), seed in any::<u64>()) {
        let mut case = case;
        case.shape.d = 1 + case.shape.d % 4;
        chooses_what_the_definition_does::<f32>(case, seed);
        chooses_what_the_definition_does::<f64>(case, seed);
        chooses_what_the_definition_does::<u8>(case, seed);
    }
}

/// Candidates that leave the same but for the last bits, which sums in `f32` do not show: points on a
/// grid, all somewhat off.
#[test]
fn candidates_that_leave_nearly_the_same_are_told_apart() {
    let shape = Shape { n: 600, d: 2, k: 24 };
    for seed in 0..60u64 {
        let case = Case { kind: Kind::Uniform, shape, pad: 0, seed };
        let mut problem: Problem<f64, f64> = case.of();
        let off = [0.0, 1e-13, 1e-9, 1e-6][seed as usize % 4];
        for (at, value) in problem.points.iter_mut().enumerate() {
            let noise = (at as u64 * 2654435761 + seed) % 1009;
            *value = (at * 7 % 23 % 5) as f64 + off * noise as f64;
        }
        chooses_of(&problem, None, seed);
    }
}

/// Squares whose sum passes the greatest `f32` in one block, beside a greater sum that passes it in none.
#[test]
fn sums_beyond_floats_are_not_taken_for_the_greater_ones() {
    let mut values = [0.0f32; 3 * BLOCK];
    for (block, count, value) in [(0, 3, 1e19), (1, 3, 1e19), (2, 4, -1e19)] {
        values[block * BLOCK + 1..][..count].fill(value);
    }
    let shape = Shape { n: values.len(), d: 1, k: 2 };
    let wide = values.map(f64::from);
    for isa in Isa::available() {
        let plan = Plan::new(shape, isa, recipes(shape, isa)[0]).unwrap();
        // The first point, then one of the positive and one of the negative ones: it leaves 6e38, the other
        // 4e38.
        let draws = [0.0, 0.05, 0.85];
        let (settings, mut first, mut second) = (KMeans::new(2), draws.iter(), draws.iter());
        let rows = Matrix::new(&values, shape.n, 1).unwrap();
        let seeds = settings.seeds(rows, With::new(&plan, &Solo).draws(&mut first)).unwrap();
        assert_eq!(seeds, [0, 1], "{isa}");
        let rows = Matrix::new(&wide, shape.n, 1).unwrap();
        let seeds = settings.seeds(rows, With::new(&plan, &Solo).draws(&mut second)).unwrap();
        assert_eq!(seeds, [0, 1], "f64, {isa}");
    }
}

/// Few features and twice as many values as are turned beforehand (`TURNED` of the kernel).
#[test]
fn seeds_of_many_points_of_few_features_are_those_of_all_distances() {
    for (d, kind) in [(1, Kind::Uniform), (2, Kind::Grid), (3, Kind::Offset), (4, Kind::Uniform)] {
        let shape = Shape { n: (1 << 18) / d + 77, d, k: 5 };
        let case = Case { kind, shape, pad: d % 2, seed: d as u64 };
        chooses_what_the_definition_does::<f32>(case, 11);
        chooses_what_the_definition_does::<f64>(case, 12);
        chooses_what_the_definition_does::<u8>(case, 13);
    }
}
