//! What has no waves to be known by: a reaction and blocks of weights, beside their definitions
//! written a second time, number by number, in `f64` and in another order.

use crate::fields::{noise, points};
use std::array;
use tilewise::stencil::{self, Block, Boundary, Extent, GrayScott, Grid};
use tilewise::vector::Real;

/// A step of random fields round the ends of a plane, beside Pearson's equations (1993) stepped by 1
/// in time: `du/dt = d_u lap(u) - u v^2 + f (1 - u)` and `dv/dt = d_v lap(v) + u v^2 - (f + k) v`.
fn reacts<T: Real>(epsilon: f64) {
    let (diffusion, feed, kill) = ([0.16, 0.07], 0.035, 0.065);
    let (row, rows): (usize, usize) = (19, 13);
    let start = |field: usize, at: [usize; 3]| T::from_f64(0.5 + 0.4 * noise(field as u64, at));
    let value =
        |field: usize, x: usize, y: usize| -> f64 { start(field, [x % row, y % rows, 0]).into() };
    let extent = Extent::plane(row, rows);
    let mut grid = Grid::from_fields(extent, 2, start).unwrap();
    let formula = GrayScott::<T>::new(diffusion, feed, kill);
    stencil::run(formula, [Boundary::Periodic; 3], &mut grid, 1).unwrap();
    // Each of some twenty operations, and of the parameters, rounds a number below 4, on both sides.
    let most = 20.0 * 4.0 * epsilon;
    for [x, y, _] in points(extent) {
        let spread = |field: usize| {
            let beside = value(field, x + 1, y) + value(field, x + row - 1, y);
            let across = value(field, x, y + 1) + value(field, x, y + rows - 1);
            diffusion[field] * (beside + across - 4.0 * value(field, x, y))
        };
        let (u, v) = (value(0, x, y), value(1, x, y));
        let reacted = u * v.powi(2);
        let changes =
            [spread(0) - reacted + feed * (1.0 - u), spread(1) + reacted - feed * v - kill * v];
        for (field, old) in [u, v].into_iter().enumerate() {
            let found: f64 = grid.field_row(field, y, 0)[x].into();
            let error = (found - (old + changes[field])).abs();
            assert!(error <= most, "{}, field {field}: {error} at {x}, {y}", T::NAME);
        }
    }
}

#[test]
fn a_reaction_is_that_of_its_equations() {
    reacts::<f32>(f32::EPSILON.into());
    reacts::<f64>(f64::EPSILON);
}

/// A step of a block round the ends of a grid, beside a loop over offsets; every weight is another,
/// so that no axis is taken for another, nor what is before a point for what is behind it.
fn sums<const D: usize, const W: usize>(extent: Extent) {
    let (sides, radius) = ([extent.x, extent.y, extent.z], (W / 2) as isize);
    let weight = |off: [isize; 3]| noise(3, off.map(|along| (along + 8) as usize));
    let start = |at: [usize; 3]| noise(1, at);
    // Along an axis there is not, the first weight counts.
    let first = |axis: usize| if axis < D { radius } else { 0 };
    let weights: [[[f64; W]; W]; W] = array::from_fn(|z| {
        array::from_fn(|y| {
            array::from_fn(|x| {
                weight([x as isize - first(0), y as isize - first(1), z as isize - first(2)])
            })
        })
    });
    // Sums of so many products below 1 are off by half as many roundings of as much, on both sides.
    let most = (W.pow(D as u32) as f64).powi(2) * f64::EPSILON;
    for block in [Block::<f64, D, W>::new(weight), Block { weights }] {
        let mut grid = Grid::from_fn(extent, start).unwrap();
        stencil::run(block, [Boundary::Periodic; 3], &mut grid, 1).unwrap();
        for at in points(extent) {
            let there = |axis: usize, off: isize| {
                (at[axis] as isize + off).rem_euclid(sides[axis] as isize) as usize
            };
            let mut expected = 0.0;
            for z in -first(2)..=first(2) {
                for y in -first(1)..=first(1) {
                    for x in -first(0)..=first(0) {
                        let place = [there(0, x), there(1, y), there(2, z)];
                        expected += weight([x, y, z]) * start(place);
                    }
                }
            }
            let error = (grid.row(at[1], at[2])[at[0]] - expected).abs();
            assert!(error <= most, "{W} wide in {D} dimensions: {error} at {at:?}");
        }
    }
}

#[test]
fn blocks_sum_what_stands_where_their_weights_say() {
    sums::<1, 7>(Extent::line(23));
    sums::<2, 5>(Extent::plane(21, 14));
    sums::<3, 5>(Extent::space(19, 11, 8));
    // Too large to be written out.
    sums::<2, 9>(Extent::plane(23, 14));
    sums::<3, 7>(Extent::space(19, 11, 8));
}
