//! What a plan says it costs, what it warns of, how grids are made and looked into, and sums that are
//! fused by choice.

use tilewise::stencil::reference::State;
use tilewise::stencil::{
    self, Block, Boundary, Extent, Formula, Fused, Grid, Kind, PairedStar, Plan, Recipe, Scheme,
    SideBySide, Star, Stencil, Weighted,
};
use tilewise::vector::Real;
use tilewise::{Isa, Solo, SpinTeam, cache::CacheSizes};
use tilewise_harness::stencil::{Field, Workload};
use tilewise_tuner::wisdom::Chosen;

const CUBE: Extent = Extent::space(320, 320, 320);

/// In whose half nine planes of the cube stay.
const LARGE: CacheSizes = CacheSizes { l2: 1 << 20, l3: 32 << 20, ..CacheSizes::ASSUMED };

/// Whole rows and planes by one member.
fn recipe<T: Real>(kind: Kind, extent: Extent, scheme: Scheme, depth: usize) -> Recipe {
    let (isa, caches) = (Isa::best(), CacheSizes::ASSUMED);
    let mut recipe = Recipe::estimate::<T>(kind, extent, isa, &caches, 1);
    (recipe.scheme, recipe.depth, recipe.streaming) = (scheme, depth, false);
    (recipe.tile_rows, recipe.tile_points, recipe.threads) = (extent.y, extent.x, 1);
    recipe
}

fn plan<T: Real>(kind: Kind, isa: Isa, recipe: Recipe) -> Plan<T> {
    let extent = if kind.dimensions() == 2 { Extent::plane(2048, 2048) } else { CUBE };
    Plan::new(Stencil::new(kind, kind.stability_limit() / 2.0), extent, isa, recipe).unwrap()
}

#[test]
fn a_step_moves_every_field_once_and_what_is_written_twice() {
    fn bytes<T: Real>(kind: Kind, isa: Isa, streaming: bool) -> (bool, f64) {
        let mut recipe = recipe::<T>(kind, CUBE, Scheme::Plain, 1);
        recipe.streaming = streaming;
        let plan = plan::<T>(kind, isa, recipe);
        (plan.streams(), plan.bytes_per_update(5, &LARGE))
    }
    for isa in Isa::available() {
        assert_eq!(bytes::<f32>(Kind::Heat7, isa, false), (false, 12.0));
        assert_eq!(bytes::<f64>(Kind::Heat7, isa, false), (false, 24.0));
        // The field, what it was one step before and is going to be, and the medium.
        assert_eq!(bytes::<f32>(Kind::Wave25, isa, true), (false, 16.0));
    }
    assert_eq!(bytes::<f32>(Kind::Heat7, Isa::Scalar, true), (false, 12.0));
    if cfg!(target_arch = "x86_64") && Isa::best() != Isa::Scalar {
        assert_eq!(bytes::<f32>(Kind::Heat7, Isa::best(), true), (true, 8.0));
        assert_eq!(bytes::<f64>(Kind::Heat7, Isa::best(), true), (true, 16.0));
    }
}

#[test]
fn fused_steps_share_what_is_moved_as_far_as_there_are_steps() {
    let of = |scheme, steps| {
        let plan =
            plan::<f32>(Kind::Heat7, Isa::best(), recipe::<f32>(Kind::Heat7, CUBE, scheme, 8));
        plan.bytes_per_update(steps, &LARGE)
    };
    let expected = [(8, 12.0 / 8.0), (16, 12.0 / 8.0), (4, 12.0 / 4.0), (1, 12.0)];
    for (steps, bytes) in expected.into_iter().chain([(10, 2.0 * 12.0 / 10.0)]) {
        assert_eq!(of(Scheme::Overlapped, steps), bytes, "{steps} steps");
    }
    // Skewed tiles read and write both buffers, but the last of one step alone.
    for (steps, bytes) in [(8, 16.0 / 8.0), (1, 12.0), (9, (16.0 + 12.0) / 9.0)] {
        assert_eq!(of(Scheme::Skewed, steps), bytes, "{steps} steps");
    }
}

#[test]
fn what_tiles_and_members_overlap_is_read_again() {
    let mut recipe = recipe::<f32>(Kind::Heat7, CUBE, Scheme::Overlapped, 4);
    recipe.tile_rows = 32;
    let of = |recipe| plan::<f32>(Kind::Heat7, Isa::best(), recipe).bytes_per_update(4, &LARGE);
    // Four rows more on either side where one of ten tiles ends and the next one begins.
    assert!((of(recipe) - (3.0 + 9.0 * 8.0 / 318.0) * 4.0 / 4.0).abs() < 1e-12);
    recipe.tile_rows = 320;
    recipe.threads = 2;
    // Four slices more where one member ends and where the other one begins.
    assert!((of(recipe) - (3.0 + 8.0 / 318.0) * 4.0 / 4.0).abs() < 1e-12);
    let mut recipe = self::recipe::<f32>(Kind::Wave25, CUBE, Scheme::Spatial, 1);
    recipe.tile_rows = 64;
    let bytes = plan::<f32>(Kind::Wave25, Isa::best(), recipe).bytes_per_update(1, &LARGE);
    // Four rows on either side of four edges.
    assert!((bytes - (4.0 + 4.0 * 8.0 / 312.0) * 4.0).abs() < 1e-12);
}

#[test]
fn what_leaves_the_cache_before_the_next_slice_comes_is_read_again() {
    let small = CacheSizes { l2: 256 << 10, l3: 2 << 20, ..CacheSizes::ASSUMED };
    // Planes of four MiB, and rows of as much; one more read for what is written, and one write.
    let space = Extent::space(1024, 1024, 64);
    let plane = Extent::plane(1 << 20, 64);
    for (kind, extent) in [
        (Kind::Heat7, space),
        (Kind::Heat13, space),
        (Kind::Heat25, space),
        (Kind::Heat27, space),
        (Kind::Heat5, plane),
        (Kind::Heat9, plane),
    ] {
        let stencil = Stencil::new(kind, kind.stability_limit() / 2.0);
        let mut recipe = recipe::<f32>(kind, extent, Scheme::Plain, 1);
        let of = |recipe, caches| {
            let plan = Plan::<f32>::new(stencil, extent, Isa::best(), recipe).unwrap();
            plan.bytes_per_update(3, caches)
        };
        recipe.side_by_side = SideBySide::One;
        let reads = 2 * kind.radius() + 1;
        assert_eq!(of(recipe, &small), 4.0 * (reads + 2) as f64, "{kind}");
        let huge = CacheSizes { l3: 128 << 20, ..small };
        assert_eq!(of(recipe, &huge), 12.0, "{kind}");
        // Members have a share of the last cache each.
        recipe.threads = 16;
        assert_eq!(of(recipe, &huge), 4.0 * (reads + 2) as f64, "{kind} on many cores");
    }
    // Two planes side by side read two radii and themselves for two; tiles whose planes stay read
    // once, but for the rows between them.
    let mut recipe = recipe::<f32>(Kind::Heat7, space, Scheme::Plain, 1);
    recipe.side_by_side = SideBySide::TwoPlanes;
    let of = |recipe: Recipe| {
        let plan = Plan::<f32>::new(Stencil::heat7(0.1), space, Isa::best(), recipe).unwrap();
        plan.bytes_per_update(3, &small)
    };
    assert_eq!(of(recipe), 4.0 * (2.0 + 2.0));
    (recipe.scheme, recipe.side_by_side) = (Scheme::Spatial, SideBySide::One);
    recipe.tile_rows = 73;
    // Of 73 rows and the two beside them, 4.25 KiB each, three planes are 0.93 MiB.
    assert!((of(recipe) - 4.0 * (3.0 + 13.0 * 2.0 / 1022.0)).abs() < 1e-12);
    recipe.tile_rows = 146;
    assert!((of(recipe) - 4.0 * (2.0 + 3.0 * (1.0 + 6.0 * 2.0 / 1022.0))).abs() < 1e-12);
}

#[test]
fn what_cannot_be_counted_is_predicted_all_the_same() {
    let extent = Extent::space(1 << 58, 1, 1);
    let stencil = Stencil::heat13(0.01).with_boundary([Boundary::Periodic; 3]);
    for scheme in Scheme::ALL {
        let recipe = recipe::<f64>(Kind::Heat13, extent, scheme, 32);
        let plan = Plan::<f64>::new(stencil, extent, Isa::best(), recipe).unwrap();
        assert!(plan.bytes_per_update(32, &LARGE).is_finite(), "{scheme}");
        assert!(plan.cache_footprint(32) > 1 << 58, "{scheme}");
    }
}

#[test]
fn what_a_scheme_does_not_look_at_makes_no_other_recipe() {
    type Change = fn(&mut Recipe);
    let isa = Isa::best();
    let fields: [(&str, Change); 5] = [
        ("depth", |recipe| recipe.depth = 5),
        ("tile_rows", |recipe| recipe.tile_rows = 3),
        ("tile_points", |recipe| recipe.tile_points = 16),
        ("streaming", |recipe| recipe.streaming = true),
        ("prefetch", |recipe| recipe.prefetch = 77),
    ];
    let check = |kind: Kind, scheme, felt: &[&str]| {
        let extent = if kind.dimensions() == 2 { Extent::plane(90, 80) } else { CUBE };
        let start = recipe::<f32>(kind, extent, scheme, 3);
        let canonical = |recipe: Recipe| recipe.canonical(kind, extent, isa);
        assert_eq!(canonical(canonical(start)), canonical(start), "{kind}, {scheme}");
        let costs = |recipe| {
            let stencil = Stencil::new(kind, kind.stability_limit() / 2.0);
            let plan = Plan::<f32>::new(stencil, extent, isa, recipe).unwrap();
            (plan.streams(), plan.bytes_per_update(9, &LARGE), plan.cache_footprint(9))
        };
        for (name, change) in fields {
            let mut other = start;
            change(&mut other);
            let same = canonical(other) == canonical(start);
            // Nothing streams past the caches where there are no such stores.
            let streams = cfg!(target_arch = "x86_64") && isa != Isa::Scalar;
            let expected = felt.contains(&name) && (name != "streaming" || streams);
            assert_eq!(!same, expected, "{name} of {kind}, {scheme}");
            assert_eq!(costs(canonical(other)), costs(other), "{name} of {kind}, {scheme}");
        }
    };
    let all = ["depth", "tile_rows", "tile_points", "streaming", "prefetch"];
    for kind in [Kind::Heat5, Kind::Heat7] {
        check(kind, Scheme::Plain, &["streaming", "prefetch"]);
        check(kind, Scheme::Skewed, &["depth", "tile_rows", "prefetch"]);
    }
    check(Kind::Heat7, Scheme::Spatial, &["tile_rows", "streaming", "prefetch"]);
    check(Kind::Heat7, Scheme::Overlapped, &all);
    check(Kind::Heat5, Scheme::Spatial, &["streaming", "prefetch"]);
    check(Kind::Heat5, Scheme::Overlapped, &["depth", "tile_points", "streaming", "prefetch"]);
    check(Kind::Wave25, Scheme::Spatial, &["tile_rows", "prefetch"]);
    check(Kind::Wave25, Scheme::Skewed, &["depth", "tile_rows", "prefetch"]);
}

#[test]
fn no_recipe_is_predicted_to_move_less_than_it_has_to() {
    fn check<T: Field>(kind: Kind) {
        let extent = match kind.dimensions() {
            1 => Extent::line(300),
            2 => Extent::plane(60, 50),
            _ => Extent::space(30, 24, 20),
        };
        for steps in [1, 4, 7] {
            let workload = Workload::<T>::new(kind, extent, steps, 1).unwrap();
            for scheme in Scheme::ALL.into_iter().filter(|scheme| scheme.suits(kind)) {
                for (rows, streaming) in [(7, true), (50, false)] {
                    let mut recipe = recipe::<T>(kind, extent, scheme, 3);
                    (recipe.tile_rows, recipe.tile_points) = (rows, 16);
                    recipe.streaming = streaming;
                    let chosen = Chosen::given(recipe);
                    let candidate = workload.kernel("ours", Isa::best(), &chosen, &Solo).unwrap();
                    let traffic = candidate.traffic.unwrap();
                    assert!(traffic.expected >= traffic.least, "{kind} {recipe} {traffic:?}");
                    let plan = workload.plan(Isa::best(), recipe).unwrap();
                    assert!(plan.cache_footprint(steps) > 0);
                }
            }
        }
    }
    Kind::ALL.into_iter().for_each(check::<f32>);
    Kind::ALL.into_iter().for_each(check::<f64>);
}

#[test]
fn unstable_steps_are_warned_of_wherever_they_come_from() {
    let limit = Kind::Wave7.stability_limit();
    let step = |medium: f32| {
        let extent = Extent::space(5, 5, 5);
        let mut grid = Grid::<f32>::zeroed(extent).unwrap();
        let mut media = vec![0.5; 125];
        media[60] = medium;
        grid.set_media(&media).unwrap();
        Stencil::wave7(0.9 * limit).run(&mut grid, 1).unwrap()
    };
    assert_eq!(step(1.0).stable(), Ok(()));
    assert_eq!(step(1.0).warning(), None);
    assert_eq!(step(1.5).stable().err(), step(1.5).warning());
    let warning = step(1.5).warning().unwrap();
    assert_eq!((warning.medium, warning.limit), (1.5, limit));
    assert!(
        warning.to_string().contains("of wave7, times a medium of 1.5, is beyond"),
        "{warning}"
    );
    assert!(step(-0.5).stable().is_err());
    let mut heat = Grid::<f64>::zeroed(Extent::line(9)).unwrap();
    let warning = Stencil::heat3(0.6).run(&mut heat, 1).unwrap().warning().unwrap();
    assert!(warning.to_string().contains("coefficient 0.6 of heat3"), "{warning}");
    // What f64 holds and f32 does not.
    let mut heat = Grid::<f32>::zeroed(Extent::line(9)).unwrap();
    let refused = Stencil::heat3(1e300).run(&mut heat, 1).unwrap_err().to_string();
    assert!(refused.contains("coefficient 1e300") && refused.contains("f32 can hold"), "{refused}");
}

#[test]
fn grids_made_by_a_team_are_the_same_and_rows_are_written_and_looked_back_at() {
    let extent = Extent::space(21, 11, 9);
    for members in [1, 2, 3] {
        let team = SpinTeam::new(members).unwrap();
        let mut grid = Grid::<f32>::with_fields_by(extent, 2, &team).unwrap();
        let mut points = vec![1.0; 2 * 21 * 11 * 9];
        grid.copy_to_slice(&mut points).unwrap();
        assert!(points.iter().all(|&point| point == 0.0));
        grid.fill(|field, [x, y, z]| (field + 10 * x + 1000 * y + 100_000 * z) as f32);
        assert_eq!(grid.field_row(1, 2, 3)[4], 302_041.0);
    }
    let start = |[x, y, z]: [usize; 3]| ((x * 7 + y * 3 + z) % 11) as f32;
    let mut wave = Grid::from_fn(extent, start).unwrap();
    assert_eq!(wave.row_before(0, 0, 0), None);
    Stencil::wave7(0.1).run(&mut wave, 1).unwrap().stable().unwrap();
    let before: Vec<f32> = (0..21).map(|x| start([x, 4, 5])).collect();
    assert_eq!(wave.row_before(0, 4, 5), Some(&before[..]));
    // A rim that is written between two runs is the rim of both buffers in the next.
    let mut heat = Grid::from_fn(extent, start).unwrap();
    Stencil::heat7(0.1).run(&mut heat, 3).unwrap().stable().unwrap();
    heat.field_row_mut(0, 0, 4).fill(50.0);
    let mut points = vec![0.0; 21 * 11 * 9];
    heat.copy_to_slice(&mut points).unwrap();
    Stencil::heat7(0.1).run(&mut heat, 3).unwrap().stable().unwrap();
    stencil::reference::run(&Stencil::heat7(0.1), extent, &mut points, 3);
    let mut found = points.clone();
    heat.copy_to_slice(&mut found).unwrap();
    assert_eq!(found, points);
}

#[test]
fn every_row_begins_on_a_cache_line() {
    fn check<T: Real>(extent: Extent, fields: usize) {
        let mut grid = Grid::<T>::with_fields(extent, fields).unwrap();
        // What was one step before stands in the other buffer.
        let before = vec![T::from_f64(0.0); fields * extent.points().unwrap()];
        grid.set_before(&before).unwrap();
        let on_a_line = |row: &[T]| row.as_ptr().addr().is_multiple_of(64);
        for field in 0..fields {
            for z in 0..extent.z {
                for y in 0..extent.y {
                    let both = [
                        on_a_line(grid.field_row(field, y, z)),
                        on_a_line(grid.row_before(field, y, z).unwrap()),
                    ];
                    let of = T::NAME;
                    assert_eq!(both, [true; 2], "{of} {extent}, {y} {z}, {field} of {fields}");
                }
            }
        }
    }
    // Rows of a number, of lines and not of lines, and of a page, which stand a few lines apart.
    let lines = [1, 17].map(Extent::line);
    let planes = [(33, 5), (64, 4), (1024, 3)].map(|(x, y)| Extent::plane(x, y));
    let spaces = [(19, 4, 3), (513, 3, 2)].map(|(x, y, z)| Extent::space(x, y, z));
    for extent in lines.into_iter().chain(planes).chain(spaces) {
        for fields in 1..=4 {
            check::<f32>(extent, fields);
            check::<f64>(extent, fields);
        }
    }
}

/// Every scheme of a fused sum on every instruction set gives the bits of the plain loop, which are
/// not those of the sum that is rounded twice.
fn fused<T: Real, F: Weighted<T>>(formula: F, extent: Extent) {
    let noise = |i: usize| T::from_f64(((i as f64 + 0.5) * 0.754_877_666_246_692_7).fract() - 0.5);
    let start: Vec<T> = (0..extent.points().unwrap()).map(noise).collect();
    let plain = |formula: &dyn Fn(&mut State<T>)| {
        let mut state = State::at_rest(start.clone());
        formula(&mut state);
        state.now
    };
    let boundary = [Boundary::Mirror, Boundary::Fixed, Boundary::Periodic];
    let expected = plain(&|state| state.run_formula(Fused(formula), boundary, extent, 4));
    assert_ne!(expected, plain(&|state| state.run_formula(formula, boundary, extent, 4)));
    for isa in Isa::available() {
        for scheme in Scheme::ALL {
            let form = stencil::Form::of::<T, F>();
            let caches = CacheSizes::ASSUMED;
            let mut recipe = Recipe::estimate::<T>(form, extent, isa, &caches, 1);
            (recipe.scheme, recipe.depth) = (scheme, 3);
            (recipe.tile_rows, recipe.tile_points) = (5, 16);
            let plan = Plan::of(Fused(formula), boundary, extent, isa, recipe).unwrap();
            let mut grid = Grid::from_slice(extent, &start).unwrap();
            plan.run(&mut grid, 4, &Solo).unwrap();
            let mut found = start.clone();
            grid.copy_to_slice(&mut found).unwrap();
            assert_eq!(found, expected, "{} {scheme} on {isa}", F::NAME);
        }
    }
}

#[test]
fn sums_are_fused_where_that_is_chosen_and_nowhere_else() {
    let space = Extent::space(37, 13, 12);
    fused(PairedStar { centre: 0.4_f32, arms: [[0.11, -0.02], [0.07, 0.01], [0.09, 0.03]] }, space);
    fused(Star { centre: 0.4_f64, arms: [[[0.1, 0.13]], [[0.2, 0.11]]] }, Extent::plane(37, 29));
    let block = Block::<f32, 3, 3>::new(|[x, y, z]| 0.037 + 0.001 * (x + 2 * y + 3 * z) as f32);
    fused(block, space);
}

#[test]
fn a_fused_sum_rounds_once_for_a_product_and_its_sum() {
    let (centre, arm) = (0.4_f32, 0.3_f32);
    let formula = PairedStar { centre, arms: [[arm]] };
    let values = [0.1_f32, 0.7, 0.2];
    let mut grid = Grid::from_slice(Extent::line(3), &values).unwrap();
    stencil::run(Fused(formula), [Boundary::Fixed; 3], &mut grid, 1).unwrap();
    // 24 bits times 24 bits and a sum of 24 are exact in 53: one rounding is left.
    let pair = f64::from(values[0] + values[2]);
    let exact = f64::from(centre * values[1]) + f64::from(arm) * pair;
    assert_eq!(grid.row(0, 0)[1], exact as f32);
    assert!(<Fused<PairedStar<f32, 1, 1>> as Formula<f32>>::is_finite(&Fused(formula)));
    let wrong = Fused(PairedStar { centre: f32::NAN, arms: [[arm]] });
    let refused = stencil::run(wrong, [Boundary::Fixed; 3], &mut grid, 1).unwrap_err();
    assert!(refused.to_string().contains("a paired star has a weight"), "{refused}");
}

#[test]
fn a_run_says_what_its_plan_does() {
    let heat = Stencil::heat7(0.1);
    for (side, steps) in [(8, 0), (8, 1), (40, 7), (120, 4)] {
        let extent = Extent::space(side, side, side);
        let mut grid = Grid::from_fn(extent, |[x, _, _]| x as f32).unwrap();
        let run = heat.run(&mut grid, steps).unwrap();
        let plan = Plan::<f32>::new(heat, extent, Isa::best(), run.recipe()).unwrap();
        assert_eq!(run.bytes_per_update(), plan.bytes_per_update(steps, &CacheSizes::detect()));
        assert_eq!(run.cache_footprint(), plan.cache_footprint(steps));
        assert!(run.bytes_per_update() > 0.0 && run.cache_footprint() > 0);
    }
}
