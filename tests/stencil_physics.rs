//! What heat does whatever the bits: waves decay as the discrete scheme says, polynomials show the
//! order of a Laplacian, nothing is lost between mirrors, and no new extremes appear. Stars, blocks and
//! a reaction do what their weights and equations say, and steps may be as long as the worst wave lets
//! them.

#[path = "stencil/equations.rs"]
mod equations;
#[path = "stencil/fields.rs"]
mod fields;
#[path = "stencil/laplacian.rs"]
mod laplacian;
#[path = "stencil/stability.rs"]
mod stability;
#[path = "stencil/stars.rs"]
mod stars;
#[path = "stencil/weights.rs"]
mod weights;

use fields::{noise, points};
use laplacian::{eigenvalue, laplacian};
use std::f64::consts::{PI, TAU};
use tilewise::stencil::{self, Boundary, Extent, GrayScott, Grid, Kind, Stencil};

/// A grid of a kind with so many points along each axis it has.
fn with_sides(kind: Kind, [x, y, z]: [usize; 3]) -> Extent {
    match kind.dimensions() {
        1 => Extent::line(x),
        2 => Extent::plane(x, y),
        _ => Extent::space(x, y, z),
    }
}

/// The same with all sides alike.
fn cube(kind: Kind, points: usize) -> Extent {
    with_sides(kind, [points; 3])
}

/// The kinds that spread heat.
fn heats() -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(|kind| kind.form().levels == 1 && kind.form().fields == 1)
}

/// All points of a grid with their values.
fn values(grid: &Grid<f64>) -> impl Iterator<Item = ([usize; 3], f64)> {
    points(grid.extent()).map(|at| (at, grid.row(at[1], at[2])[at[0]]))
}

/// Each of some sixty operations of a step rounds a number below 16, and a step makes no error of
/// an earlier one larger.
fn rounding(steps: usize) -> f64 {
    16.0 * 60.0 * steps as f64 * f64::EPSILON
}

/// The factor by which a step multiplies a product of waves that turn by `angles` from one point
/// to the next.
fn factor(kind: Kind, coefficient: f64, angles: [f64; 3]) -> f64 {
    1.0 + coefficient * eigenvalue(&laplacian(kind), angles)
}

#[test]
fn waves_round_the_end_decay_as_the_discrete_scheme_says() {
    let (side, steps) = (24, 20);
    for kind in heats() {
        let coefficient = kind.stability_limit() * 0.6;
        for waves in
            [[1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 0, 0], [0, 5, 7], [2, 3, 1], [12, 12, 12]]
        {
            let angles = waves.map(|waves| TAU * f64::from(waves) / side as f64);
            let wave = |at: [usize; 3]| -> f64 {
                (0..3).map(|axis| (angles[axis] * at[axis] as f64).cos()).product()
            };
            let mut grid = Grid::from_fn(cube(kind, side), wave).unwrap();
            let stencil = Stencil::new(kind, coefficient).with_boundary([Boundary::Periodic; 3]);
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            // The axes a kind does not have do not turn: there is one point along them.
            let mut turned = angles;
            turned[kind.dimensions()..].fill(0.0);
            let decay = factor(kind, coefficient, turned).powi(steps as i32);
            for (at, found) in values(&grid) {
                let error = (found - decay * wave(at)).abs();
                assert!(error <= rounding(steps), "{kind} {waves:?}: {error} at {at:?}");
            }
        }
    }
}

#[test]
fn waves_between_mirrors_decay_as_the_discrete_scheme_says() {
    // No side is another's, so that no axis is taken for another.
    let (sides, steps) = ([24, 17, 20], 20);
    for kind in heats() {
        let coefficient = kind.stability_limit() * 0.6;
        for halves in
            [[1, 0, 0], [0, 1, 0], [0, 0, 1], [5, 0, 0], [0, 6, 7], [2, 3, 1], [23, 16, 19]]
        {
            // So many half waves end at mirrors, which stand half a point past the last points.
            let mut angles =
                [0, 1, 2].map(|axis| PI * f64::from(halves[axis]) / sides[axis] as f64);
            angles[kind.dimensions()..].fill(0.0);
            let wave = |at: [usize; 3]| -> f64 {
                (0..3).map(|axis| (angles[axis] * (at[axis] as f64 + 0.5)).cos()).product()
            };
            let mut grid = Grid::from_fn(with_sides(kind, sides), wave).unwrap();
            let stencil = Stencil::new(kind, coefficient).with_boundary([Boundary::Mirror; 3]);
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            let decay = factor(kind, coefficient, angles).powi(steps as i32);
            for (at, found) in values(&grid) {
                let error = (found - decay * wave(at)).abs();
                assert!(error <= rounding(steps), "{kind} {halves:?}: {error} at {at:?}");
            }
        }
    }
}

#[test]
fn sines_that_vanish_on_the_rim_decay_as_the_discrete_scheme_says() {
    let (side, waves) = (33, [1.0, 3.0, 2.0]);
    for kind in heats() {
        // Where a stencil looks one away, the fixed rim of zeros is where a sine would go on anyway.
        // Where it looks farther, the rim holds what the sine was before the first step.
        let (radius, steps) = (kind.radius(), if kind.radius() == 1 { 40 } else { 1 });
        let coefficient = kind.stability_limit() * 0.9;
        let mut angles = waves.map(|waves| PI * waves / (side - 1) as f64);
        angles[kind.dimensions()..].fill(0.0);
        let sine = |at: [usize; 3]| -> f64 {
            (0..kind.dimensions()).map(|axis| (angles[axis] * at[axis] as f64).sin()).product()
        };
        let mut grid = Grid::from_fn(cube(kind, side), sine).unwrap();
        Stencil::new(kind, coefficient).run(&mut grid, steps).unwrap().stable().unwrap();
        let decay = factor(kind, coefficient, angles).powi(steps as i32);
        for (at, found) in values(&grid) {
            let outside = |&at: &usize| at < radius || at >= side - radius;
            let rim = at[..kind.dimensions()].iter().any(outside);
            let expected = if rim { sine(at) } else { decay * sine(at) };
            let error = (found - expected).abs();
            assert!(error <= rounding(steps), "{kind}: {error} at {at:?}");
        }
    }
}

#[test]
fn a_laplacian_is_exact_to_its_order_and_no_further() {
    let (side, coefficient) = (13, 0.05);
    for kind in heats() {
        for axis in 0..kind.dimensions() {
            for power in 0..=2 * kind.radius() as i32 + 2 {
                let place = |at: [usize; 3]| at[axis] as f64 - (side / 2) as f64;
                let value = |at: [usize; 3]| place(at).powi(power);
                let mut grid = Grid::from_fn(cube(kind, side), value).unwrap();
                Stencil::new(kind, coefficient).run(&mut grid, 1).unwrap().stable().unwrap();
                let middle =
                    [0, 1, 2].map(|axis| if axis < kind.dimensions() { side / 2 } else { 0 });
                let mut at = middle;
                at[axis] += 1;
                let found = grid.row(at[1], at[2])[at[0]];
                let second = f64::from(power * (power - 1)) * place(at).powi(power - 2);
                let error = (found - (value(at) + coefficient * second)).abs();
                // Of numbers up to five away to the power.
                let bound = 60.0 * 5.0_f64.powi(power) * f64::EPSILON;
                let exact = power <= 2 * kind.radius() as i32 + 1;
                assert_eq!(error <= bound, exact, "{kind} x^{power} along {axis}: {error}");
            }
        }
    }
}

#[test]
fn finer_grids_come_nearer_by_the_order_of_the_laplacian() {
    for kind in heats() {
        // A wave that decays as the equation itself says, but for steps of time as long on both grids:
        // what is left is the error in space.
        let (dimensions, steps) = (kind.dimensions(), 4);
        let dt = 0.05 * (TAU / 16.0).powi(2);
        let error = |side: usize| {
            let h = TAU / side as f64;
            let wave = |at: [usize; 3]| -> f64 {
                at[..dimensions].iter().map(|&at| (at as f64 * h).cos()).product()
            };
            let mut grid = Grid::from_fn(cube(kind, side), wave).unwrap();
            let stencil = Stencil::new(kind, dt / (h * h));
            let stencil = stencil.with_boundary([Boundary::Periodic; 3]);
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            let decayed = (1.0 - dt * dimensions as f64).powi(steps as i32);
            (grid.row(0, 0)[0] - decayed).abs()
        };
        let order = (error(8) / error(16)).log2();
        let expected = 2 * kind.radius();
        assert!((order - expected as f64).abs() < 0.5, "{kind}: of order {order}");
    }
}

#[test]
fn nothing_is_lost_or_invented_between_mirrors_or_round_the_end() {
    for kind in heats() {
        for boundary in [Boundary::Mirror, Boundary::Periodic] {
            let extent = match kind.dimensions() {
                1 => Extent::line(97),
                2 => Extent::plane(19, 23),
                _ => Extent::space(19, 13, 11),
            };
            let (mut grid, steps) = (Grid::from_fn(extent, |at| noise(1, at)).unwrap(), 50);
            let sum = |grid: &Grid<f64>| values(grid).map(|(_, value)| value).sum::<f64>();
            let before = sum(&grid);
            let stencil = Stencil::new(kind, kind.stability_limit()).with_boundary([boundary; 3]);
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            let (after, all) = (sum(&grid), extent.points().unwrap() as f64);
            let lost = (before - after).abs();
            assert!(lost <= rounding(steps) * all, "{kind} {boundary}: {before} became {after}");
        }
    }
}

#[test]
fn no_new_extremes_appear_where_all_weights_are_positive() {
    for kind in heats().filter(|kind| kind.radius() == 1) {
        for boundary in Boundary::ALL {
            // The point's own weight, 1 - c w_0, is not to be negative either.
            let centre = -laplacian(kind).last().unwrap().1;
            let coefficient = kind.stability_limit().min(1.0 / centre);
            let mut grid = Grid::from_fn(cube(kind, 15), |at| noise(1, at)).unwrap();
            let extremes = |grid: &Grid<f64>| {
                values(grid).fold([0.0_f64; 2], |[low, high], (_, u)| [low.min(u), high.max(u)])
            };
            let ([low, high], steps) = (extremes(&grid), 30);
            let stencil = Stencil::new(kind, coefficient).with_boundary([boundary; 3]);
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            let [lowest, highest] = extremes(&grid);
            assert!(
                low - rounding(steps) <= lowest && highest <= high + rounding(steps),
                "{kind} {boundary}: {lowest} to {highest} out of {low} to {high}"
            );
        }
    }
}

#[test]
fn what_one_substance_loses_the_other_gains() {
    // Neither fed nor taken away.
    for boundary in [Boundary::Mirror, Boundary::Periodic] {
        let extent = Extent::plane(37, 23);
        let value = |field: usize, at: [usize; 3]| 0.5 + 0.2 * noise(field as u64, at);
        let (mut grid, steps) = (Grid::from_fields(extent, 2, value).unwrap(), 50);
        let mut all = vec![0.0; 2 * extent.points().unwrap()];
        grid.copy_to_slice(&mut all).unwrap();
        let before = all.iter().sum::<f64>();
        let still = GrayScott::new([0.2, 0.1], 0.0, 0.0);
        stencil::run(still, [boundary; 3], &mut grid, steps).unwrap();
        grid.copy_to_slice(&mut all).unwrap();
        let lost = (before - all.iter().sum::<f64>()).abs();
        assert!(lost <= rounding(steps) * all.len() as f64, "{boundary}: {lost} of {before}");
    }
}
