//! What cannot be run is refused by name.

use crate::case::recipe;
use tilewise::stencil::{
    Boundary, Error, Extent, Formula, GrayScott, Grid, Plan, Recipe, Scheme, SideBySide, Star,
    Stencil, Varied,
};
use tilewise::vector::Real;
use tilewise::{Isa, Solo};

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
    for coefficient in [f64::NAN, f64::INFINITY] {
        assert!(matches!(
            plan(Stencil::heat7(coefficient), space, fine),
            Err(Error::Coefficient { limit, .. }) if limit == 1.0 / 6.0
        ));
    }
    let field = Grid::zeroed(space).unwrap();
    for coefficient in [-0.1, 0.17] {
        let warning = plan(Stencil::heat7(coefficient), space, fine).unwrap().warning(&field);
        let warning = warning.unwrap().to_string();
        assert!(warning.contains("0 to 0.1666"), "{warning}");
    }
    assert_eq!(plan(Stencil::heat7(0.1), space, fine).unwrap().warning(&field), None);

    let mut waves = Grid::<f64>::zeroed(space).unwrap();
    assert!(refusal(waves.set_media(&[1.0; 126])).contains("125 points"));
    assert!(refusal(waves.set_media(&[f64::NAN; 125])).contains("value 0 of a medium is NaN"));
    waves.set_media(&[1.0; 250]).unwrap();
    let stepped = Stencil::wave7(0.1).run(&mut waves, 1);
    assert!(refusal(stepped.map(drop)).contains("1 media, the grid given has 2; set as many with"));
    let mut alone = Grid::<f64>::zeroed(Extent::plane(5, 5)).unwrap();
    let stepped = Stencil::gray_scott(0.1).run(&mut alone, 1);
    assert!(refusal(stepped.map(drop)).contains("2 fields, the grid given has 1"));
    let none = refusal(Grid::<f64>::with_fields(space, 0).map(drop));
    assert_eq!(none, "a grid of 0 fields; expected at least 1");

    let mut other = Grid::zeroed(Extent::space(5, 5, 6)).unwrap();
    let plan = plan(Stencil::heat7(1.0 / 6.0), space, fine).unwrap();
    assert!(refusal(plan.run(&mut other, 1, &Solo)).contains("5x5x5"));
    assert!(refusal(plan.run(&mut other, 0, &Solo)).contains("5x5x5"));
    assert!(refusal(other.reserve(&plan, &Solo)).contains("5x5x5"));
    assert!(refusal(other.copy_from_slice(&[0.0; 149])).contains("150 points"));
    assert!(refusal(other.copy_to_slice(&mut [0.0; 151])).contains("151"));
}

#[test]
fn a_recipe_that_cannot_be_is_refused_by_name() {
    let (heat, space) = (Stencil::heat7(0.1), Extent::space(5, 5, 5));
    let planned = |stencil, extent, recipe| {
        Plan::<f64>::new(stencil, extent, Isa::Scalar, recipe).map(drop).unwrap_err().to_string()
    };
    let changed = |change: fn(&mut Recipe)| {
        let mut recipe = recipe(1, SideBySide::One, false, 1);
        change(&mut recipe);
        recipe
    };
    type Change = fn(&mut Recipe);
    let zero: [(&str, Change); 4] = [
        ("tile_rows", |recipe| recipe.tile_rows = 0),
        ("tile_points", |recipe| recipe.tile_points = 0),
        ("depth", |recipe| recipe.depth = 0),
        ("threads", |recipe| recipe.threads = 0),
    ];
    for (field, change) in zero {
        let refused = planned(heat, space, changed(change));
        assert_eq!(refused, format!("recipe field {field} is 0; expected at least 1"));
    }
    let deep = changed(|recipe| recipe.depth = 33);
    assert!(planned(heat, space, deep).contains("at most 32"));
    let overlapped = changed(|recipe| recipe.scheme = Scheme::Overlapped);
    assert!(planned(Stencil::wave7(0.1), space, overlapped).contains("wave7 keeps two steps"));
    let planes = changed(|recipe| recipe.side_by_side = SideBySide::TwoPlanes);
    assert!(planned(Stencil::heat5(0.1), Extent::plane(5, 5), planes).contains("two-planes"));
}

#[test]
fn an_axis_that_ends_sooner_than_a_mirror_is_looked_into_is_refused_by_name() {
    let heat = Stencil::heat25(0.01).with_boundary([Boundary::Mirror; 3]);
    let planned = |[x, y, z]: [usize; 3]| {
        let recipe = recipe(1, SideBySide::One, false, 1);
        Plan::<f32>::new(heat, Extent::space(x, y, z), Isa::Scalar, recipe).map(drop)
    };
    for (axis, name) in ["x", "y", "z"].into_iter().enumerate() {
        let mut sides = [4; 3];
        sides[axis] = 3;
        let refused = planned(sides).unwrap_err().to_string();
        let said = format!("3 points along {name}; expected at least 4");
        assert!(refused.contains(&said), "{refused}");
    }
    planned([4; 3]).unwrap();
}

/// What a plan for a plane says of a formula with a number that it does not compute with.
fn complaint<T: Real, F: Formula<T>>(formula: F) -> Option<String> {
    let (boundary, extent) = ([Boundary::Fixed; 3], Extent::plane(9, 9));
    let recipe = recipe(1, SideBySide::One, false, 1);
    match Plan::<T>::of(formula, boundary, extent, Isa::Scalar, recipe) {
        Err(error @ Error::Weights { .. }) => Some(error.to_string()),
        other => other.map(|_| None).unwrap(),
    }
}

#[test]
fn parameters_that_are_no_numbers_to_compute_with_are_refused_by_name() {
    // In single precision and in double.
    let reaction = |[first, second, feed, kill]: [f64; 4]| {
        let single = GrayScott::<f32>::new([first, second], feed, kill);
        let double = GrayScott::<f64>::new([first, second], feed, kill);
        [complaint::<f32, _>(single), complaint::<f64, _>(double)].map(|refused| {
            refused.is_some_and(|said| said.starts_with("gray-scott has a weight or coefficient"))
        })
    };
    let star =
        |centre: f64, arms: [f64; 2]| Star::<f64, 2, 1> { centre, arms: [[[0.1; 2]], [arms]] };
    let fine = [0.16, 0.08, 0.035, 0.06];
    assert_eq!(reaction(fine), [false; 2]);
    for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for index in 0..fine.len() {
            let mut parameters = fine;
            parameters[index] = wrong;
            assert_eq!(reaction(parameters), [true; 2], "{parameters:?}");
        }
        for star in [star(wrong, [0.1; 2]), star(0.6, [wrong, 0.1]), star(0.6, [0.1, wrong])] {
            let refused = complaint::<f64, _>(star).unwrap();
            assert!(refused.starts_with("a star has a weight"), "{refused}");
            let refused = complaint::<f64, _>(Varied(star)).unwrap();
            assert!(refused.starts_with("a varied stencil has a weight"), "{refused}");
        }
    }
    // More than single precision holds, and more than double does once it is summed.
    assert_eq!(reaction([1e39, 0.08, 0.035, 0.06]), [true, false]);
    assert_eq!(reaction([0.16, 0.08, 1e308, 1e308]), [true; 2]);
    assert_eq!(complaint::<f64, _>(star(0.6, [0.1; 2])), None);
    assert_eq!(complaint::<f64, _>(Varied(star(0.6, [0.1; 2]))), None);
}
