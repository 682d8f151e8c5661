//! What cannot be run is refused by name.

use crate::case::recipe;
use tilewise::stencil::{Error, Extent, Grid, Plan, Scheme, SideBySide, Stencil};
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
    let mut deep = fine;
    deep.depth = 33;
    assert!(planned(Stencil::heat7(0.1), space, deep).contains("at most 32"));
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
    assert!(refusal(stepped.map(drop)).contains("1 media, the grid given has 2; set as many with"));
    let mut alone = Grid::<f64>::zeroed(Extent::plane(5, 5)).unwrap();
    let stepped = Stencil::gray_scott(0.1).run(&mut alone, 1);
    assert!(refusal(stepped.map(drop)).contains("2 fields, the grid given has 1"));
    let none = refusal(Grid::<f64>::with_fields(space, 0).map(drop));
    assert_eq!(none, "a grid of 0 fields; expected at least 1");

    let planes = recipe(1, SideBySide::TwoPlanes, false, 1);
    assert!(planned(Stencil::heat5(0.1), Extent::plane(5, 5), planes).contains("two-planes"));

    let mut other = Grid::zeroed(Extent::space(5, 5, 6)).unwrap();
    let plan = plan(heat, space, fine).unwrap();
    assert!(refusal(plan.run(&mut other, 1, &Solo)).contains("5x5x5"));
    assert!(refusal(plan.run(&mut other, 0, &Solo)).contains("5x5x5"));
    assert!(refusal(other.reserve(&plan, &Solo)).contains("5x5x5"));
    assert!(refusal(other.copy_from_slice(&[0.0; 149])).contains("150 points"));
    assert!(refusal(other.copy_to_slice(&mut [0.0; 151])).contains("151"));
}
