//! Stencils: every recipe on every instruction set with every team gives the bits of the plain
//! loop, and what cannot be run is refused by name.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use tilewise::cache::CacheSizes;
use tilewise::stencil::reference::{self, State};
use tilewise::stencil::{
    Boundary, Error, Extent, Form, Grid, Kind, Plan, Recipe, Registers, Scheme, SideBySide, Stencil,
};
use tilewise::vector::Real;
use tilewise::{Isa, Solo, Team};
use tilewise_tests::{each_isa, guarded, teams};

/// Bits and randomness of the two kinds of number.
trait Number: Real {
    fn bits(self) -> u64;
}

impl Number for f32 {
    fn bits(self) -> u64 {
        self.to_bits().into()
    }
}

impl Number for f64 {
    fn bits(self) -> u64 {
        self.to_bits()
    }
}

/// Values in -1..1 from a seed; every mantissa bit is in use, so that rounding shows.
fn field<T: Number>(extent: Extent, seed: u64) -> Vec<T> {
    let mut state = seed;
    (0..extent.points().unwrap())
        .map(|_| {
            // SplitMix64 (Steele, Lea, Flood 2014).
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = state;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            T::from_f64((bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// Random fields for a stencil: now, one step before, and media in 0.2..1.
fn state<T: Number>(form: Form, extent: Extent, seed: u64) -> State<T> {
    let of = |count: usize, stream: u64| -> Vec<T> {
        (0..count as u64).flat_map(|index| field(extent, seed ^ (stream + index) << 8)).collect()
    };
    let medium = |value: T| T::from_f64(0.6 + 0.4 * Into::<f64>::into(value));
    State {
        now: of(form.fields, 1),
        before: of(form.fields * (form.levels - 1), 10),
        media: of(form.media, 20).into_iter().map(medium).collect(),
    }
}

/// The same as a grid, its padding full of NaN.
fn grid<T: Number>(form: Form, extent: Extent, state: &State<T>) -> Grid<T> {
    let mut grid = Grid::with_fields(extent, form.fields).unwrap();
    load(&mut grid, state);
    grid
}

fn load<T: Number>(grid: &mut Grid<T>, state: &State<T>) {
    grid.copy_from_slice(&state.now).unwrap();
    if !state.before.is_empty() {
        grid.set_before(&state.before).unwrap();
    }
    if !state.media.is_empty() {
        grid.set_media(&state.media).unwrap();
    }
    grid.fill_padding(T::from_f64(f64::NAN));
}

/// The extent in which a stencil updates `inner` points along each axis, or as few more as its
/// boundaries need.
fn around(stencil: &Stencil, inner: [usize; 3]) -> Extent {
    let radius = stencil.kind.radius();
    let along = |axis: usize| match stencil.boundary[axis] {
        Boundary::Fixed => inner[axis] + 2 * radius,
        _ => inner[axis].max(radius),
    };
    match stencil.kind.dimensions() {
        1 => Extent::line(along(0)),
        2 => Extent::plane(along(0), along(1)),
        _ => Extent::space(along(0), along(1), along(2)),
    }
}

#[derive(Clone, Debug)]
struct Case {
    stencil: Stencil,
    inner: [usize; 3],
    recipe: Recipe,
    steps: usize,
    seed: u64,
}

fn recipe(tile_rows: usize, side_by_side: SideBySide, streaming: bool, threads: usize) -> Recipe {
    let caches = CacheSizes::ASSUMED;
    let extent = Extent::plane(3, 3);
    let mut recipe = Recipe::estimate::<f32>(Kind::Heat5, extent, Isa::Scalar, &caches, threads);
    recipe.scheme = Scheme::Spatial;
    recipe.tile_rows = tile_rows;
    recipe.side_by_side = side_by_side;
    recipe.streaming = streaming;
    recipe.threads = threads;
    recipe
}

fn recipes(kind: Kind) -> impl Strategy<Value = Recipe> {
    // What keeps two steps has no overlapped tiles.
    let keeps_two = kind.form().levels > 1;
    let suits = |scheme: &Scheme| !(keeps_two && *scheme == Scheme::Overlapped);
    let schemes: Vec<Scheme> = Scheme::ALL.into_iter().filter(suits).collect();
    let tile = (1usize..12, 1usize..80, 1usize..9, prop::sample::select(schemes));
    let side = prop::sample::select(SideBySide::choices(kind));
    (tile, side, any::<bool>(), 1usize..6, 0usize..20_000).prop_map(
        |((rows, points, depth, scheme), side_by_side, streaming, threads, prefetch)| {
            let mut recipe = recipe(rows, side_by_side, streaming, threads);
            (recipe.scheme, recipe.depth, recipe.tile_points) = (scheme, depth, points);
            recipe.prefetch = prefetch;
            recipe
        },
    )
}

fn cases() -> impl Strategy<Value = Case> {
    prop::sample::select(&Kind::ALL[..]).prop_flat_map(|kind| {
        // One-wide, prime and register-sized rows, and either side of each.
        let row =
            prop_oneof![1usize..7, Just(13), 14usize..20, 29usize..36, Just(97), 125usize..132];
        // And rows of a page, which stand a few lines apart.
        let row = prop_oneof![12 => row, 1 => 505usize..514, 1 => 1009usize..1026];
        let boundary = prop::array::uniform3(prop::sample::select(&Boundary::ALL[..]));
        let rest = (0usize..12, any::<u64>());
        ((row, 1usize..20, 1usize..17), boundary, recipes(kind), rest).prop_map(
            move |((x, y, z), boundary, recipe, (steps, seed))| {
                let stencil = Stencil::new(kind, kind.stability_limit() * 0.7);
                let stencil = stencil.with_boundary(boundary);
                Case { stencil, inner: [x, y, z], recipe, steps, seed }
            },
        )
    })
}

/// Runs a case on every instruction set, its padding and scratch full of NaN, and compares all
/// bits.
fn matches_reference<T: Number>(case: &Case, team: &dyn Team) -> Result<(), TestCaseError> {
    let Case { stencil, inner, recipe, steps, seed } = *case;
    let (form, extent) = (stencil.kind.form(), around(&stencil, inner));
    let start = state::<T>(form, extent, seed);
    let mut expected = start.clone();
    expected.run(&stencil, extent, steps);
    for isa in Isa::available() {
        let plan = Plan::new(stencil, extent, isa, recipe).unwrap();
        gives(&plan, (&start, steps), &expected.now, team)?;
    }
    Ok(())
}

/// Whether a plan gives these bits.
fn gives<T: Number>(
    plan: &Plan<T>,
    (start, steps): (&State<T>, usize),
    expected: &[T],
    team: &dyn Team,
) -> Result<(), TestCaseError> {
    let mut grid = grid(plan.form(), plan.extent(), start);
    // Once for the room, then again with poison in it.
    plan.run(&mut grid, steps, team).unwrap();
    load(&mut grid, start);
    grid.fill_scratch(T::from_f64(f64::NAN));
    plan.run(&mut grid, steps, team).unwrap();
    let mut found = start.now.clone();
    grid.copy_to_slice(&mut found).unwrap();
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        prop_assert_eq!(found.bits(), expected.bits(), "point {} on {}", at, plan.isa());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_recipe_gives_the_bits_of_the_plain_loop(case in cases()) {
        matches_reference::<f32>(&case, &Solo)?;
        matches_reference::<f64>(&case, &Solo)?;
    }

    #[test]
    fn every_team_gives_the_bits_of_the_plain_loop(case in cases()) {
        for (_, team) in teams() {
            matches_reference::<f32>(&case, *team)?;
            matches_reference::<f64>(&case, *team)?;
        }
    }

    #[test]
    fn estimates_are_accepted_and_exact(case in cases(), l2 in 0usize..1 << 20) {
        let caches = CacheSizes { l1d: l2 / 8, l2, l3: l2, ..CacheSizes::ASSUMED };
        let extent = around(&case.stencil, case.inner);
        let (kind, threads) = (case.stencil.kind, case.recipe.threads);
        for estimate in [Recipe::estimate::<f32>, Recipe::estimate_fused::<f32>] {
            let recipe = estimate(kind, extent, Isa::best(), &caches, threads);
            matches_reference::<f32>(&Case { recipe, ..case.clone() }, &Solo)?;
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
    // Small enough for one core, and large enough for a team.
    for extent in [Extent::space(20, 18, 16), Extent::space(130, 120, 110)] {
        let mut expected = field::<f32>(extent, 1);
        let mut grid = Grid::from_slice(extent, &expected).unwrap();
        reference::run(&Stencil::heat7(0.125), extent, &mut expected, 3);
        Stencil::heat7(0.125).run(&mut grid, 3).unwrap();
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
        Stencil::new(kind, 0.1).run(&mut grid, steps).unwrap();
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

#[test]
fn what_cannot_be_run_is_refused_by_name() {
    let refusal = |result: Result<(), Error>| result.unwrap_err().to_string();
    let grid = |extent| Grid::<f32>::zeroed(extent).map(drop);
    assert!(refusal(grid(Extent::space(0, 5, 5))).contains("0 points along x"));
    assert!(refusal(grid(Extent::space(5, 0, 5))).contains("0 points along y"));
    assert!(refusal(grid(Extent::space(5, 5, 0))).contains("0 points along z"));
    assert!(matches!(grid(Extent::plane(usize::MAX, 3)), Err(Error::TooLarge { .. })));
    assert!(matches!(grid(Extent::space(1 << 21, 1 << 20, 1 << 20)), Err(Error::TooLarge { .. })));
    assert!(matches!(grid(Extent::space(1 << 19, 1 << 19, 1 << 8)), Err(Error::OutOfMemory(_))));

    let plan = |stencil, extent, recipe| Plan::<f64>::new(stencil, extent, Isa::Scalar, recipe);
    let (space, fine) = (Extent::space(5, 5, 5), recipe(1, SideBySide::One, false, 1));
    let planned = |stencil, extent, recipe| refusal(plan(stencil, extent, recipe).map(drop));
    assert!(planned(Stencil::heat5(0.1), space, fine).contains("one plane"));
    assert!(planned(Stencil::heat7(0.1), Extent::plane(5, 5), fine).contains("1 points along z"));
    assert!(planned(Stencil::heat5(0.1), Extent::plane(5, 2), fine).contains("2 points along y"));
    let mut deep = fine;
    deep.depth = 33;
    assert!(planned(Stencil::heat7(0.1), space, deep).contains("at most 32"));
    for coefficient in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            plan(Stencil::heat7(coefficient), space, fine),
            Err(Error::Coefficient { limit, .. }) if limit == 1.0 / 6.0
        ));
    }
    for coefficient in [-0.1, 0.17] {
        let warning = plan(Stencil::heat7(coefficient), space, fine).unwrap().warning().unwrap();
        assert!(warning.to_string().contains("0 to 0.1666"), "{warning}");
    }
    assert_eq!(plan(Stencil::heat7(0.1), space, fine).unwrap().warning(), None);
    let heat = Stencil::heat7(1.0 / 6.0);
    assert!(planned(heat, space, recipe(0, SideBySide::One, false, 1)).contains("tile_rows is 0"));
    assert!(planned(heat, space, recipe(1, SideBySide::One, false, 0)).contains("threads is 0"));

    let mut overlapped = fine;
    overlapped.scheme = Scheme::Overlapped;
    assert!(planned(Stencil::wave7(0.1), space, overlapped).contains("wave7 keeps two steps"));
    let mut waves = Grid::<f64>::zeroed(space).unwrap();
    assert!(refusal(waves.set_media(&[1.0; 126])).contains("125 points"));
    assert!(refusal(waves.set_media(&[f64::NAN; 125])).contains("value 0 of a medium is NaN"));
    waves.set_media(&[1.0; 250]).unwrap();
    let stepped = Stencil::wave7(0.1).run(&mut waves, 1);
    assert!(refusal(stepped).contains("1 media, the grid given has 2"));
    let mut alone = Grid::<f64>::zeroed(Extent::plane(5, 5)).unwrap();
    let stepped = Stencil::gray_scott(0.1).run(&mut alone, 1);
    assert!(refusal(stepped).contains("2 fields, the grid given has 1"));
    assert!(refusal(Grid::<f64>::with_fields(space, 0).map(drop)).contains("1 fields"));

    let planes = recipe(1, SideBySide::TwoPlanes, false, 1);
    assert!(planned(Stencil::heat5(0.1), Extent::plane(5, 5), planes).contains("two-planes"));

    let mut other = Grid::zeroed(Extent::space(5, 5, 6)).unwrap();
    let plan = plan(heat, space, fine).unwrap();
    assert!(refusal(plan.run(&mut other, 1, &Solo)).contains("5x5x5"));
    assert!(refusal(other.copy_from_slice(&[0.0; 149])).contains("150 points"));
    assert!(refusal(other.copy_to_slice(&mut [0.0; 151])).contains("151"));
}
