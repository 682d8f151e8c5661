//! What waves do whatever the bits: modes swing as the discrete scheme says, nothing is lost, time
//! can be turned round, and finer grids come nearer to the equation by the order of the Laplacian.

#[path = "stencil/fields.rs"]
mod fields;
#[path = "stencil/weights.rs"]
mod weights;

use fields::{noise, points};
use std::f64::consts::TAU;
use tilewise::stencil::{Boundary, Extent, Grid, Kind, Stencil};
use weights::second_difference;

const WAVES: [Kind; 3] = [Kind::Wave7, Kind::Wave13, Kind::Wave25];

/// The second difference of a wave that turns by `angle` from one point to the next.
fn eigenvalue(kind: Kind, angle: f64) -> f64 {
    let weights = second_difference(kind.radius());
    let pairs = weights.iter().enumerate().skip(1);
    weights[0] + pairs.map(|(k, weight)| 2.0 * weight * (k as f64 * angle).cos()).sum::<f64>()
}

/// A step rounds some sixty times by numbers below 16, and what one step adds grows at most as
/// the steps after it.
fn rounding(steps: usize) -> f64 {
    16.0 * 60.0 * (steps * steps) as f64 * f64::EPSILON
}

fn values(extent: Extent, value: impl Fn([usize; 3]) -> f64) -> Vec<f64> {
    points(extent).map(value).collect()
}

fn periodic(kind: Kind, coefficient: f64) -> Stencil {
    Stencil::new(kind, coefficient).with_boundary([Boundary::Periodic; 3])
}

#[test]
fn modes_swing_as_the_discrete_scheme_says() {
    let (side, steps) = (24, 30);
    let extent = Extent::space(side, side, side);
    for kind in WAVES {
        let coefficient = 0.7 * kind.stability_limit();
        for waves in [[1, 0, 0], [0, 5, 0], [0, 0, 12], [2, 3, 1], [12, 12, 12]] {
            let angles = waves.map(|waves| TAU * f64::from(waves) / side as f64);
            let mode = |at: [usize; 3]| -> f64 {
                (0..3).map(|axis| (angles[axis] * at[axis] as f64).cos()).product()
            };
            let laplacian = angles.map(|angle| eigenvalue(kind, angle)).iter().sum::<f64>();
            let turn = (1.0 + coefficient * laplacian / 2.0).acos();
            let mut grid = Grid::from_fn(extent, mode).unwrap();
            grid.set_before(&values(extent, |at| turn.cos() * mode(at))).unwrap();
            periodic(kind, coefficient).run(&mut grid, steps).unwrap().stable().unwrap();
            let swung = (steps as f64 * turn).cos();
            for at in points(extent) {
                let error = (grid.row(at[1], at[2])[at[0]] - swung * mode(at)).abs();
                assert!(error <= rounding(steps), "{kind} {waves:?}: {error} at {at:?}");
            }
        }
    }
}

#[test]
fn time_turned_round_leads_back_to_the_start() {
    let (extent, steps) = (Extent::space(21, 19, 17), 40);
    for kind in WAVES {
        for boundary in Boundary::ALL {
            let start = values(extent, |at| noise(1, at));
            let medium = values(extent, |at| 0.6 + 0.4 * noise(2, at).abs());
            let mut grid = Grid::from_slice(extent, &start).unwrap();
            grid.set_media(&medium).unwrap();
            let stencil = Stencil::new(kind, 0.5 * kind.stability_limit());
            let stencil = stencil.with_boundary([boundary; 3]);
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            grid.reverse();
            stencil.run(&mut grid, steps).unwrap().stable().unwrap();
            grid.reverse();
            for ([x, y, z], start) in points(extent).zip(&start) {
                let error = (grid.row(y, z)[x] - start).abs();
                assert!(error <= rounding(2 * steps), "{kind} {boundary}: {error}");
            }
        }
    }
}

/// The point that stands for a place past the end of an axis.
fn found(boundary: Boundary, at: isize, points: usize) -> usize {
    let points = points as isize;
    let found = match boundary {
        Boundary::Periodic => at.rem_euclid(points),
        Boundary::Mirror if at < 0 => -1 - at,
        Boundary::Mirror if at >= points => 2 * points - 1 - at,
        _ => at,
    };
    found as usize
}

#[test]
fn energy_is_kept() {
    for kind in WAVES {
        Boundary::ALL.into_iter().for_each(|boundary| keeps_energy(kind, boundary));
    }
}

fn keeps_energy(kind: Kind, boundary: Boundary) {
    let extent = Extent::space(18, 17, 16);
    let sides = [extent.x, extent.y, extent.z];
    let inside = |at: [usize; 3]| {
        let rim = if boundary == Boundary::Fixed { kind.radius() } else { 0 };
        (0..3).all(|axis| (rim..sides[axis] - rim).contains(&at[axis]))
    };
    let weights = second_difference(kind.radius());
    let coefficient = 0.8 * kind.stability_limit();
    let medium = |at: [usize; 3]| 0.6 + 0.4 * noise(2, at).abs();
    // The kinetic part and the potential between two steps: what leapfrog keeps.
    let energy = |now: &[f64], before: &[f64]| -> f64 {
        let at = |[x, y, z]: [usize; 3]| (z * extent.y + y) * extent.x + x;
        let laplacian = |here: [usize; 3]| -> f64 {
            (0..3)
                .map(|axis| {
                    let beside = |off: isize| {
                        let mut place = here;
                        let there = here[axis] as isize + off;
                        place[axis] = found(boundary, there, sides[axis]);
                        now[at(place)]
                    };
                    let pairs = weights.iter().enumerate().skip(1);
                    let pair =
                        |(k, w): (usize, &f64)| w * (beside(-(k as isize)) + beside(k as isize));
                    weights[0] * beside(0) + pairs.map(pair).sum::<f64>()
                })
                .sum()
        };
        let each = |here: [usize; 3]| {
            let change = now[at(here)] - before[at(here)];
            let kinetic = change * change / (coefficient * medium(here));
            kinetic - before[at(here)] * laplacian(here)
        };
        points(extent).filter(|&at| inside(at)).map(each).sum()
    };
    // A rim of zeros does no work on what is inside.
    let start = values(extent, |at| if inside(at) { noise(1, at) } else { 0.0 });
    let mut grid = Grid::from_slice(extent, &start).unwrap();
    grid.set_media(&values(extent, medium)).unwrap();
    let first = energy(&start, &start);
    let (mut now, mut before) = (start.clone(), start);
    for steps in [1, 7, 12] {
        let stencil = Stencil::new(kind, coefficient).with_boundary([boundary; 3]);
        stencil.run(&mut grid, steps).unwrap().stable().unwrap();
        grid.copy_to_slice(&mut now).unwrap();
        grid.reverse();
        grid.copy_to_slice(&mut before).unwrap();
        grid.reverse();
        let error = (energy(&now, &before) / first - 1.0).abs();
        // A point's share of the energy rounds as its value does.
        assert!(error <= rounding(20), "{kind}, {boundary}: off by {error}");
    }
}

#[test]
fn no_steps_change_nothing() {
    let extent = Extent::space(9, 9, 9);
    let (start, before) = (values(extent, |at| noise(1, at)), values(extent, |at| noise(2, at)));
    let mut grid = Grid::from_slice(extent, &start).unwrap();
    let row = |grid: &Grid<f64>| grid.row_before(0, 4, 4).map(<[f64]>::to_vec);
    // A wave does not begin yet,
    Stencil::wave7(0.1).run(&mut grid, 0).unwrap().stable().unwrap();
    assert_eq!(row(&grid), None);
    // and what was before is not forgotten for a stencil that does not ask.
    grid.set_before(&before).unwrap();
    Stencil::heat7(0.1).run(&mut grid, 0).unwrap().stable().unwrap();
    assert_eq!(row(&grid).as_deref(), Some(&before[(4 * 9 + 4) * 9..][..9]));
    let mut found = vec![0.0; start.len()];
    grid.copy_to_slice(&mut found).unwrap();
    assert_eq!(found, start);
}

#[test]
fn finer_grids_come_nearer_by_the_order_of_the_laplacian() {
    for kind in WAVES {
        let radius = kind.radius() as i32;
        // A standing wave of the equation itself after half a second, the step of time as fine as
        // the order of the Laplacian deserves.
        let error = |side: usize| {
            let (h, end) = (TAU / side as f64, 0.5);
            let steps = 16 * kind.radius() * (side / 8).pow(radius as u32);
            let dt = end / steps as f64;
            let extent = Extent::space(side, side, side);
            let swing = 3.0_f64.sqrt();
            let mode = |at: [usize; 3]| at.map(|at| (at as f64 * h).cos()).iter().product::<f64>();
            let mut grid = Grid::from_fn(extent, mode).unwrap();
            grid.set_before(&values(extent, |at| (swing * dt).cos() * mode(at))).unwrap();
            periodic(kind, (dt / h).powi(2)).run(&mut grid, steps).unwrap().stable().unwrap();
            (grid.row(0, 0)[0] - (swing * end).cos()).abs()
        };
        let order = (error(8) / error(16)).log2();
        assert!((order - f64::from(2 * radius)).abs() < 0.5, "{kind}: of order {order}");
    }
}
