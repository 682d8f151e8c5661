//! The plain loop itself, along axes that end sooner than a stencil looks: round their end comes
//! the same field again, and so it must be where the field stands there as often as is looked at.

use crate::fields::{noise, points};
use crate::gives::state;
use tilewise::stencil::reference::State;
use tilewise::stencil::{Boundary, Extent, Form, Kind, PairedStar, Stencil};

const STEPS: usize = 2;

/// Each field of `extent` again and again: `before` times before itself and as often behind.
fn repeated(fields: &[f64], extent: Extent, [x, y, z]: [usize; 3]) -> Vec<f64> {
    let wide = wide(extent, [x, y, z]);
    let one = extent.points().unwrap();
    let index = |at: [usize; 3]| {
        let [x, y, z] = [at[0] % extent.x, at[1] % extent.y, at[2] % extent.z];
        (z * extent.y + y) * extent.x + x
    };
    let each = fields.chunks_exact(one);
    each.flat_map(|field| points(wide).map(|at| field[index(at)])).collect()
}

fn wide(extent: Extent, before: [usize; 3]) -> Extent {
    let along = |points: usize, before: usize| points * (2 * before + 1);
    Extent::space(
        along(extent.x, before[0]),
        along(extent.y, before[1]),
        along(extent.z, before[2]),
    )
}

/// Steps a field round its ends, and the same field repeated within a rim that is so far away that
/// it is not felt.
fn check(form: Form, sides: [usize; 3], run: impl Fn(&mut State<f64>, [Boundary; 3], Extent)) {
    let side = |axis: usize| if axis < form.dimensions { sides[axis] } else { 1 };
    let extent = Extent::space(side(0), side(1), side(2));
    let far = form.radius * STEPS;
    let before =
        [0, 1, 2].map(|axis| if axis < form.dimensions { far.div_ceil(side(axis)) } else { 0 });
    let start = state::<f64>(form, extent, 3);
    let mut many = State {
        now: repeated(&start.now, extent, before),
        before: repeated(&start.before, extent, before),
        media: repeated(&start.media, extent, before),
    };
    let mut found = start;
    run(&mut found, [Boundary::Periodic; 3], extent);
    run(&mut many, [Boundary::Fixed; 3], wide(extent, before));
    let place = [0, 1, 2].map(|axis| side(axis) * before[axis]);
    let all = wide(extent, before);
    for field in 0..form.fields {
        for (index, [x, y, z]) in points(extent).enumerate() {
            let at = [x + place[0], y + place[1], z + place[2]];
            let there = ((field * all.z + at[2]) * all.y + at[1]) * all.x + at[0];
            let found = found.now[field * extent.points().unwrap() + index];
            let name = form.name;
            assert_eq!(found.to_bits(), many.now[there].to_bits(), "{name} on {extent}");
        }
    }
}

fn every_size(form: Form, run: impl Fn(&mut State<f64>, [Boundary; 3], Extent)) {
    for side in 1..=form.radius + 1 {
        for axis in 0..form.dimensions {
            // One short axis, and all of them.
            let long = form.radius + 2;
            let mut sides = [long; 3];
            sides[axis] = side;
            check(form, sides, &run);
        }
        check(form, [side; 3], &run);
    }
}

fn own<const D: usize, const R: usize>() {
    let weight = |axis: usize, k: usize| noise(1, [axis, k, 0]) / (2 * D * R) as f64;
    let arms = std::array::from_fn(|axis| std::array::from_fn(|k| weight(axis, k)));
    let star = PairedStar::<f64, D, R> { centre: 0.4, arms };
    every_size(Form::of::<f64, PairedStar<f64, D, R>>(), |state, boundary, extent| {
        state.run_formula(star, boundary, extent, STEPS);
    });
}

#[test]
fn the_plain_loop_goes_round_axes_shorter_than_a_stencil_looks() {
    for kind in Kind::ALL {
        every_size(kind.form(), |state, boundary, extent| {
            let stencil = Stencil::new(kind, 0.7 * kind.stability_limit());
            state.run(&stencil.with_boundary(boundary), extent, STEPS);
        });
    }
    own::<1, 8>();
    own::<2, 5>();
    own::<3, 3>();
}
