//! What random draws may miss: every scheme on grids so small that all that is special about them is
//! there at once, always the same ones.

use crate::case::{around, recipe};
use crate::gives::{gives_on, state};
use tilewise::stencil::{
    Boundary, Error, Extent, Grid, Kind, Plan, Recipe, Scheme, SideBySide, Stencil,
};
use tilewise::{Isa, Solo, SpinTeam, Team};

/// In a plane and in space, of every radius there is, of one step and two, of one field and two.
const KINDS: [Kind; 5] = [Kind::Heat5, Kind::Heat7, Kind::Heat25, Kind::Wave13, Kind::GrayScott];

/// Steps at a time.
static DEPTHS: [usize; 4] = [1, 2, 3, 8];

/// Points of a row: one, a rim and nothing in it, a rim and a point, a register of numbers that is
/// not full, full, and one more.
fn rows(kind: Kind, isa: Isa) -> Vec<usize> {
    let (radius, lanes) = (kind.radius(), isa.lanes());
    let mut rows = vec![1, 2 * radius, 2 * radius + 1, 13, lanes - 1, lanes, lanes + 1];
    rows.retain(|&row| row > 0);
    rows.sort_unstable();
    rows.dedup();
    rows
}

/// The schemes that a kind has, by how many steps at a time.
fn ways(kind: Kind) -> Vec<(Scheme, usize)> {
    let mut schemes = Scheme::ALL.to_vec();
    schemes.retain(|scheme| scheme.suits(kind));
    // Last, for a grid keeps the room for its tiles, which is filled anew before every run.
    schemes.sort_by_key(|&scheme| scheme == Scheme::Overlapped);
    let depths = |scheme: Scheme| if scheme.fuses() { &DEPTHS[..] } else { &DEPTHS[..1] };
    let each = |scheme| depths(scheme).iter().map(move |&depth| (scheme, depth));
    schemes.into_iter().flat_map(each).collect()
}

/// Tiles as small as can be, so that even such grids are cut.
fn small((scheme, depth): (Scheme, usize), streaming: bool) -> Recipe {
    let mut recipe = recipe(2, SideBySide::One, streaming, 2);
    (recipe.scheme, recipe.depth, recipe.tile_points) = (scheme, depth, 1);
    recipe
}

/// Few points along the other axes; but as many slices where they begin anew at their end as let
/// tiles lean by several steps.
fn extent(stencil: &Stencil, row: usize) -> Extent {
    let last = stencil.kind.dimensions() - 1;
    let mut inner = [1, 3, 3];
    if stencil.boundary[last] == Boundary::Periodic {
        inner[last] = 17;
    }
    Extent { x: row, ..around(stencil, inner) }
}

/// The fewest points of a row.
fn least(kind: Kind, boundary: Boundary) -> usize {
    match boundary {
        Boundary::Fixed => 2 * kind.radius() + 1,
        Boundary::Mirror => kind.radius(),
        _ => 1,
    }
}

/// Rows that are too short are refused, whatever the scheme, and by what is wrong with them.
fn is_refused(stencil: Stencil, row: usize, isa: Isa) {
    let (extent, fewest) = (extent(&stencil, row), least(stencil.kind, stencil.boundary[0]));
    for way in ways(stencil.kind) {
        let plan = Plan::<f32>::new(stencil, extent, isa, small(way, false)).map(drop);
        let is_told = matches!(
            plan,
            Err(Error::TooSmall { axis: 'x', points, least, .. }) if (points, least) == (row, fewest)
        );
        assert!(is_told, "{} on {extent}, {way:?}: {plan:?}", stencil.kind);
    }
}

fn gives_the_bits(stencil: Stencil, row: usize, isa: Isa, teams: &[&dyn Team]) {
    let (form, extent) = (stencil.kind.form(), extent(&stencil, row));
    let start = state::<f32>(form, extent, row as u64);
    // As many steps as are taken at a time, and one that is left over.
    let most = DEPTHS[DEPTHS.len() - 1] + 1;
    let mut now = start.clone();
    let mut step = || {
        now.run(&stencil, extent, 1);
        now.now.clone()
    };
    let after: Vec<Vec<f32>> = (0..most).map(|_| step()).collect();
    let mut grid = Grid::with_fields(extent, form.fields).unwrap();
    for (scheme, depth) in ways(stencil.kind) {
        for streaming in [false, true] {
            let recipe = small((scheme, depth), streaming);
            let plan = Plan::<f32>::new(stencil, extent, isa, recipe).unwrap();
            if streaming && !plan.streams() {
                continue;
            }
            for team in teams {
                let expected = &after[depth];
                let given = gives_on(&mut grid, &plan, (&start, depth + 1), expected, *team);
                if let Err(wrong) = given {
                    let (Stencil { kind, boundary, .. }, members) = (stencil, team.size());
                    panic!(
                        "{kind} on {extent}, {}, {scheme}, {depth} steps at a time, streaming \
                         {streaming}, {members} members: {wrong}",
                        boundary[0]
                    );
                }
            }
        }
    }
}

#[test]
fn every_scheme_gives_the_bits_of_the_plain_loop_on_tiny_grids() {
    // One of its own: whoever shares a team waits for others' regions.
    let pair = SpinTeam::new(2).unwrap();
    let teams: [&dyn Team; 2] = [&Solo, &pair];
    let mut isas = vec![Isa::Scalar, Isa::best()];
    isas.dedup();
    for isa in isas {
        for kind in KINDS {
            for boundary in Boundary::ALL {
                let stencil = Stencil::new(kind, 0.7 * kind.stability_limit());
                let stencil = stencil.with_boundary([boundary; 3]);
                for row in rows(kind, isa) {
                    if row < least(kind, boundary) {
                        is_refused(stencil, row, isa);
                    } else {
                        gives_the_bits(stencil, row, isa, &teams);
                    }
                }
            }
        }
    }
}
