//! Stencils: every recipe on every instruction set with every team gives the bits of the plain
//! loop, the plain loop goes round the shortest axes, and what cannot be run is refused by name.

#[path = "stencil/case.rs"]
mod case;
#[path = "stencil/cover.rs"]
mod cover;
#[path = "stencil/fields.rs"]
mod fields;
#[path = "stencil/gives.rs"]
mod gives;
#[path = "stencil/matrix.rs"]
mod matrix;
#[path = "stencil/refused.rs"]
mod refused;
#[path = "stencil/short.rs"]
mod short;

use case::{Case, around, cases, estimated, recipe};
use gives::{Number, field, gives, state};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{
    Error, Extent, Grid, Kind, Plan, Recipe, Registers, SideBySide, Stencil, reference,
};
use tilewise::{Isa, Solo};
use tilewise_tests::{NamedTeam, each_isa, guarded, teams};

const ALONE: &[NamedTeam] = &[("solo", &Solo)];

/// Runs a case on every instruction set with every one of some teams and compares all bits.
fn matches_reference<T: Number>(case: &Case, teams: &[NamedTeam]) -> Result<(), TestCaseError> {
    let Case { stencil, recipe, steps, seed, .. } = *case;
    let (form, extent) = (stencil.kind.form(), case.extent());
    let start = state::<T>(form, extent, seed);
    let mut expected = start.clone();
    expected.run(&stencil, extent, steps);
    for isa in Isa::available() {
        let mut recipe = recipe;
        if !Registers::choices(isa).contains(&recipe.registers) {
            recipe.registers = Registers::Whole;
        }
        let plan = Plan::new(stencil, extent, isa, recipe).unwrap();
        for (_, team) in teams {
            gives(&plan, (&start, steps), &expected.now, *team)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_recipe_gives_the_bits_of_the_plain_loop(case in cases()) {
        matches_reference::<f32>(&case, ALONE)?;
        matches_reference::<f64>(&case, ALONE)?;
    }

    #[test]
    fn every_team_gives_the_bits_of_the_plain_loop(case in cases()) {
        matches_reference::<f32>(&case, teams())?;
        matches_reference::<f64>(&case, teams())?;
    }

    #[test]
    fn estimates_are_accepted_and_exact((case, caches) in estimated()) {
        let (kind, extent) = (case.stencil.kind, case.extent());
        let threads = case.recipe.threads;
        for estimate in [Recipe::estimate::<f32>, Recipe::estimate_fused::<f32>] {
            let recipe = estimate(kind, extent, Isa::best(), &caches, threads);
            matches_reference::<f32>(&Case { recipe, ..case.clone() }, ALONE)?;
        }
    }
}

#[test]
fn half_registers_give_the_bits_of_whole_ones_where_there_are_halves() {
    for isa in Isa::ALL {
        for kind in Kind::ALL {
            let stencil = Stencil::new(kind, kind.stability_limit() * 0.7);
            let (form, extent) = (kind.form(), around(&stencil, [53, 7, 5]));
            let caches = CacheSizes::ASSUMED;
            let mut recipe = Recipe::estimate::<f32>(kind, extent, isa, &caches, 1);
            recipe.registers = Registers::Half;
            let plan = match Plan::<f32>::new(stencil, extent, isa, recipe) {
                Ok(plan) => plan,
                Err(Error::MissingIsa(missing)) => {
                    assert!(missing.0 == isa && !isa.is_available(), "{missing}");
                    continue;
                }
                Err(error) => {
                    assert!(error.to_string().contains("registers is half"), "{error}");
                    assert!(isa.is_available() && Registers::choices(isa).len() == 1, "{isa}");
                    continue;
                }
            };
            assert_eq!((plan.isa(), Registers::choices(isa).len()), (isa, 2));
            let start = state::<f32>(form, extent, 5);
            let mut expected = start.clone();
            expected.run(&stencil, extent, 3);
            gives(&plan, (&start, 3), &expected.now, &Solo).unwrap();
        }
    }
}

#[test]
fn the_front_door_gives_the_bits_of_the_plain_loop() {
    // Small enough for one core, large enough for a team, and a line that no team could share.
    for (stencil, extent) in [
        (Stencil::heat7(0.125), Extent::space(20, 18, 16)),
        (Stencil::heat7(0.125), Extent::space(130, 120, 110)),
        (Stencil::heat3(0.125), Extent::line(1 << 20)),
    ] {
        let mut expected = field::<f32>(extent, 1);
        let mut grid = Grid::from_slice(extent, &expected).unwrap();
        reference::run(&stencil, extent, &mut expected, 3);
        stencil.run(&mut grid, 3).unwrap().stable().unwrap();
        let mut found = expected.clone();
        grid.copy_to_slice(&mut found).unwrap();
        assert!(found == expected, "{extent}");
    }
}

#[test]
fn points_go_in_and_out_unchanged() {
    for extent in [Extent::plane(3, 3), Extent::plane(17, 5), Extent::space(16, 4, 3)] {
        let points = field::<f64>(extent, 7);
        let mut grid = Grid::from_slice(extent, &guarded(&points)).unwrap();
        let mut out = guarded(&vec![0.0; points.len()]);
        grid.copy_to_slice(&mut out).unwrap();
        assert_eq!(*out, *points);
        // New values, the rim's too: after a step both buffers must know them.
        let (again, steps) = (field::<f64>(extent, 8), 3);
        grid.copy_from_slice(&guarded(&again)).unwrap();
        let kind = if extent.z == 1 { Kind::Heat5 } else { Kind::Heat7 };
        Stencil::new(kind, 0.1).run(&mut grid, steps).unwrap().stable().unwrap();
        let mut expected = again;
        reference::run(&Stencil::new(kind, 0.1), extent, &mut expected, steps);
        grid.copy_to_slice(&mut out).unwrap();
        assert_eq!(*out, *expected);
        for y in 0..extent.y {
            assert_eq!(grid.row(y, 0), &expected[y * extent.x..][..extent.x]);
        }
    }
}

#[test]
fn an_infinite_point_stays_where_the_stencil_carries_it() {
    // One step reaches the neighbours and nobody else, whatever shares their registers.
    each_isa(|isa| {
        let extent = Extent::plane(70, 9);
        let at = [33, 4];
        let hot = |[x, y, _]: [usize; 3]| if [x, y] == at { f32::INFINITY } else { 1.0 };
        let mut grid = Grid::from_fn(extent, hot).unwrap();
        let recipe = recipe(4, SideBySide::TwoRows, true, 1);
        let plan = Plan::new(Stencil::heat5(0.2), extent, isa, recipe).unwrap();
        plan.run(&mut grid, 1, &Solo).unwrap();
        for y in 0..extent.y {
            for (x, value) in grid.row(y, 0).iter().enumerate() {
                let near = x.abs_diff(at[0]) + y.abs_diff(at[1]) <= 1;
                assert_eq!(*value != 1.0, near, "{x} {y} on {isa}");
            }
        }
    });
}
