//! What the random tests draw is what they claim: no choice goes out of the draw unseen.

use crate::case::{Case, DEEP, cases, estimated};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tilewise::Isa;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{Boundary, Kind, Recipe, Registers, Scheme, SideBySide, Stencil};

/// How many are drawn, always the same ones.
const DRAWN: usize = 20_000;

fn drawn<T>(strategy: impl Strategy<Value = T>) -> Vec<T> {
    let mut runner = TestRunner::deterministic();
    (0..DRAWN).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// One in two hundred, about as many as the matrix runs.
fn often(drawn: usize) -> bool {
    drawn * 200 >= DRAWN
}

#[test]
fn drawn_cases_cover_every_choice() {
    let cases = drawn(cases());
    let some = |what: &str, test: &dyn Fn(&Case) -> bool| {
        let with = cases.iter().filter(|case| test(case)).count();
        assert!(often(with), "{with} of {DRAWN} cases with {what}");
    };
    // Boundaries of axes that the stencil has.
    let ends = |case: &Case, axis: usize, boundary: Boundary| {
        let Stencil { kind, boundary: each, .. } = case.stencil;
        axis < kind.dimensions() && each[axis] == boundary
    };
    let last = |case: &Case| case.stencil.kind.dimensions() - 1;
    for kind in Kind::ALL {
        let of = |case: &Case| case.stencil.kind == kind;
        some(kind.name(), &of);
        for &side in SideBySide::choices(kind) {
            some(&format!("{kind}, {side}"), &|case| of(case) && case.recipe.side_by_side == side);
        }
        for scheme in Scheme::ALL {
            let with = |case: &Case| of(case) && case.recipe.scheme == scheme;
            // By a rule of its own: draws ask the library what suits a kind, and what that said no to
            // by mistake would never be drawn, nor missed.
            if kind.form().levels == 1 || scheme != Scheme::Overlapped {
                some(&format!("{kind}, {scheme}"), &with);
            }
        }
    }
    for scheme in Scheme::ALL {
        let with = |case: &Case| case.recipe.scheme == scheme;
        for boundary in Boundary::ALL {
            for axis in 0..3 {
                let what = format!("{scheme}, {boundary} along axis {axis}, several threads");
                some(&what, &|case| {
                    with(case) && ends(case, axis, boundary) && case.recipe.threads > 1
                });
            }
            if scheme.fuses() {
                some(&format!("{scheme}, {boundary} where many levels follow"), &|case| {
                    with(case)
                        && ends(case, last(case), boundary)
                        && case.levels(&case.recipe) >= DEEP
                });
            }
        }
        some(&format!("{scheme}, an axis shorter than the radius"), &|case| {
            let Case { stencil: Stencil { kind, .. }, inner, .. } = *case;
            let short = |axis: usize| inner[axis] < kind.radius();
            with(case) && (0..3).any(|axis| ends(case, axis, Boundary::Periodic) && short(axis))
        });
        some(&format!("{scheme}, no steps"), &|case| with(case) && case.steps == 0);
    }
    some("rows of a page", &|case| case.inner[0] > 500);
    some("rows of a register or a little less", &|case| (7..13).contains(&case.inner[0]));
    some("stores past the caches", &|case| case.recipe.streaming);
    for scheme in Scheme::ALL {
        some(&format!("{scheme}, half registers"), &|case| {
            case.recipe.scheme == scheme && case.recipe.registers == Registers::Half
        });
    }
}

#[test]
fn drawn_estimates_make_many_steps_at_a_time() {
    let cases = drawn(estimated());
    // Tiles that lean are deep where a grid has more slices than are drawn.
    for (scheme, least) in [(Scheme::Overlapped, DEEP), (Scheme::Skewed, 4)] {
        let fused = |(case, caches): &&(Case, CacheSizes)| {
            let (kind, threads) = (case.stencil.kind, case.recipe.threads);
            let (extent, isa) = (case.extent(), Isa::best());
            let recipe = Recipe::estimate_fused::<f32>(kind, extent, isa, caches, threads);
            recipe.scheme == scheme && case.levels(&recipe) >= least
        };
        let with = cases.iter().filter(fused).count();
        assert!(often(with), "{with} of {DRAWN} cases with {scheme}, {least} levels");
    }
}
