//! How long steps may be: the Laplacians of the literature say when the worst of all waves begins to
//! grow, and there the limits stand that plans warn of. Nothing is stepped.

use crate::laplacian::{eigenvalue, laplacian};
use crate::{cube, rounding};
use std::f64::consts::PI;
use tilewise::stencil::{Grid, Kind, Stencil};

/// By how much the Laplacian of a kind multiplies waves that turn by some sixteenths of half a turn
/// along each axis; those that change sign from point to point are among them.
fn eigenvalues(kind: Kind) -> Vec<f64> {
    const PARTS: i32 = 16;
    let laplacian = laplacian(kind);
    let most = |axis: usize| if axis < kind.dimensions() { PARTS } else { 0 };
    let angle = |part: i32| PI * f64::from(part) / f64::from(PARTS);
    let mut all = Vec::new();
    for z in 0..=most(2) {
        for y in 0..=most(1) {
            all.extend((0..=most(0)).map(|x| eigenvalue(&laplacian, [x, y, z].map(angle))));
        }
    }
    all
}

/// By how much a step makes a wave larger or smaller: heat by `b` itself, and what keeps two steps by
/// the larger root of `g^2 - 2 b g + 1`, both of which have the size 1 where `b` is from -1 to 1.
fn growth(kind: Kind, b: f64) -> f64 {
    if kind.form().levels == 1 {
        return b.abs();
    }
    let size = b.abs().max(1.0);
    size + (size * size - 1.0).sqrt()
}

/// Whether a run says that the field grows without bound: of no steps, too.
fn warns(kind: Kind, coefficient: f64) -> bool {
    let mut grid = Grid::<f64>::with_fields(cube(kind, 9), kind.form().fields).unwrap();
    let outcome = Stencil::new(kind, coefficient).run(&mut grid, 0).unwrap();
    outcome.warning().is_some()
}

#[test]
fn the_worst_wave_begins_to_grow_at_the_limit() {
    // Of a reaction it is the faster of both substances, which spreads as heat does.
    for kind in Kind::ALL {
        let (eigenvalues, limit) = (eigenvalues(kind), kind.stability_limit());
        // `u' = u + c L u` of heat, and `u' = 2 (u + c L u / 2) - before` of waves.
        let part = if kind.form().levels == 1 { 1.0_f64 } else { 0.5 };
        let worst = |coefficient: f64| {
            let each = eigenvalues.iter().map(|&own| growth(kind, 1.0 + part * coefficient * own));
            each.fold(0.0, f64::max)
        };
        let most = growth(kind, 1.0 + rounding(1));
        let (at, beyond) = (worst(limit), worst(1.001 * limit));
        assert!(at <= most, "{kind} grows by {at} a step at its limit of {limit}");
        assert!(beyond > most, "{kind} grows by {beyond} a step beyond its limit of {limit}");
        assert!(!warns(kind, limit) && warns(kind, 1.001 * limit), "{kind}: {limit}");
    }
}

#[test]
fn a_reaction_has_the_limit_of_what_diffuses_in_it() {
    // Both substances spread as heat does on a plane, the second one half as fast as the first.
    let least = eigenvalues(Kind::Heat5).into_iter().fold(0.0, f64::min);
    assert_eq!(Kind::GrayScott.stability_limit(), -2.0 / least);
}
