//! Stars of one's own of the radii that no ready-made stencil has: what a step makes of a wave is
//! the wave again, smaller or larger and shifted, as the weights say.
//!
//! A wave `exp(i (a x + b y + c z))` meets itself, turned by so many angles, in each neighbour; so a
//! step multiplies it by the sum of the weights times those turns, and the real part is a field.

use crate::fields::{noise, points};
use std::f64::consts::TAU;
use tilewise::stencil::{self, Boundary, Extent, Formula, Grid, PairedStar, Star};

/// Length and angle of a complex number.
#[derive(Clone, Copy)]
struct Turn {
    length: f64,
    angle: f64,
}

/// What a star does to a wave that turns by `angles` from one point to the next; `arms` has the
/// weights of the neighbours before and behind by axis and distance less 1.
fn factor(centre: f64, arms: &[Vec<[f64; 2]>], angles: [f64; 3]) -> Turn {
    let (mut real, mut imaginary) = (centre, 0.0);
    for (arm, angle) in arms.iter().zip(angles) {
        for (index, [before, behind]) in arm.iter().enumerate() {
            let (sine, cosine) = ((index + 1) as f64 * angle).sin_cos();
            real += (before + behind) * cosine;
            imaginary += (behind - before) * sine;
        }
    }
    Turn { length: real.hypot(imaginary), angle: imaginary.atan2(real) }
}

/// Waves along each axis and across all, round the ends of a grid and, where the rim is not felt,
/// within one.
fn check<F: Formula<f64>>(formula: F, centre: f64, arms: &[Vec<[f64; 2]>]) {
    // No side is another's, so that no axis is taken for another.
    let (sides, steps) = ([24, 20, 22], 4);
    let extent = Extent::space(sides[0], sides[1], sides[2]);
    for waves in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [11, 0, 0], [0, 9, 0], [0, 0, 10], [2, 3, 5]] {
        let angles = [0, 1, 2].map(|axis| TAU * f64::from(waves[axis]) / sides[axis] as f64);
        let phase = |at: [usize; 3]| (0..3).map(|axis| angles[axis] * at[axis] as f64).sum::<f64>();
        let Turn { length, angle } = factor(centre, arms, angles);
        let after = |at: [usize; 3], steps: i32| {
            length.powi(steps) * (phase(at) + f64::from(steps) * angle).cos()
        };
        for (boundary, steps) in [(Boundary::Periodic, steps), (Boundary::Fixed, 1)] {
            let mut grid = Grid::from_fn(extent, |at| after(at, 0)).unwrap();
            stencil::run(formula, [boundary; 3], &mut grid, steps).unwrap();
            // A rim keeps its values, and one step sees no others.
            let rim = |at: [usize; 3]| {
                let outside =
                    |axis: usize| at[axis] < F::RADIUS || at[axis] + F::RADIUS >= sides[axis];
                boundary == Boundary::Fixed && (0..3).any(outside)
            };
            // Each of some hundred operations of a step rounds a number below 1, phases up to 300
            // are rounded too, and weights whose sizes sum to 1 make no error larger.
            let most = (100.0 * steps as f64 + 300.0) * f64::EPSILON;
            for at in points(extent) {
                let expected = after(at, if rim(at) { 0 } else { steps as i32 });
                let error = (grid.row(at[1], at[2])[at[0]] - expected).abs();
                let (name, radius) = (F::NAME, F::RADIUS);
                assert!(
                    error <= most,
                    "{name} of radius {radius}, {boundary} {waves:?}: {error} at {at:?}"
                );
            }
        }
    }
}

/// A weight of its own for every neighbour; their sizes and the centre's sum to 1 at most.
fn weight<const R: usize>(axis: usize, index: usize, side: usize) -> f64 {
    (0.3 + 0.3 * noise(1, [axis, index, side])) / (6 * R) as f64
}

fn of_radius<const R: usize>() {
    let centre = 0.4;
    let arms: [[[f64; 2]; R]; 3] = std::array::from_fn(|axis| {
        std::array::from_fn(|index| [0, 1].map(|side| weight::<R>(axis, index, side)))
    });
    check(Star { centre, arms }, centre, &arms.map(Vec::from));
    let arms = arms.map(|arm| arm.map(|[weight, _]| weight));
    let both = arms.map(|arm| arm.map(|weight| [weight; 2]));
    check(PairedStar { centre, arms }, centre, &both.map(Vec::from));
}

#[test]
fn waves_turn_as_stars_of_every_radius_say() {
    of_radius::<3>();
    of_radius::<5>();
    of_radius::<6>();
    of_radius::<7>();
    of_radius::<8>();
}

/// The bits after some steps of a field, or of its mirror image and looked at in the mirror again.
fn bits<F: Formula<f64>>(formula: F, boundary: Boundary, mirrored: [bool; 3]) -> Vec<u64> {
    let sides = [29, 13, 11];
    let extent = Extent::space(sides[0], sides[1], sides[2]);
    let there = |at: [usize; 3]| {
        [0, 1, 2].map(|axis| if mirrored[axis] { sides[axis] - 1 - at[axis] } else { at[axis] })
    };
    let mut grid = Grid::from_fn(extent, |at| noise(2, there(at))).unwrap();
    stencil::run(formula, [boundary; 3], &mut grid, 3).unwrap();
    let bits = |[x, y, z]: [usize; 3]| grid.row(y, z)[x].to_bits();
    points(extent).map(|at| bits(there(at))).collect()
}

#[test]
fn a_mirrored_field_has_mirrored_bits_where_pairs_are_added_first() {
    let centre = 0.4;
    let arms: [[f64; 3]; 3] =
        std::array::from_fn(|axis| std::array::from_fn(|index| weight::<3>(axis, index, 0)));
    let paired = PairedStar { centre, arms };
    let star = Star { centre, arms: arms.map(|arm| arm.map(|weight| [weight; 2])) };
    let mirrors = [[true, false, false], [false, true, false], [false, false, true], [true; 3]];
    for boundary in Boundary::ALL {
        let plain = bits(paired, boundary, [false; 3]);
        for mirrored in mirrors {
            assert!(bits(paired, boundary, mirrored) == plain, "{boundary}, {mirrored:?}");
        }
        // The same sum, with a product for each neighbour: it rounds otherwise.
        assert!(bits(star, boundary, [false; 3]) != plain, "{boundary}: not a bit is another");
    }
}
