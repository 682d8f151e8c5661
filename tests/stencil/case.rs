//! What is drawn for a random test: a ready-made stencil, where it runs, and how.

use proptest::prelude::*;
use tilewise::Isa;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{Boundary, Extent, Kind, Recipe, Registers, Scheme, SideBySide, Stencil};

/// Steps of a deep case, at least: more than any other has.
pub(crate) const DEEP: usize = 12;

/// The most steps at a time that a recipe may have.
const DEEPEST: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) stencil: Stencil,
    /// Points that are updated along each axis, or as few more as the boundaries need.
    pub(crate) inner: [usize; 3],
    pub(crate) recipe: Recipe,
    pub(crate) steps: usize,
    pub(crate) seed: u64,
}

impl Case {
    pub(crate) fn extent(&self) -> Extent {
        around(&self.stencil, self.inner)
    }

    /// Steps that a recipe makes at a time here.
    pub(crate) fn levels(&self, recipe: &Recipe) -> usize {
        let Case { stencil: Stencil { kind, boundary, .. }, inner, steps, .. } = *self;
        let last = kind.dimensions() - 1;
        let most = match recipe.scheme {
            Scheme::Plain | Scheme::Spatial => 1,
            // Tiles that lean are not to meet themselves.
            Scheme::Skewed if last > 0 && boundary[last] == Boundary::Periodic => {
                (inner[last] / (2 * kind.radius())).max(1)
            }
            _ => recipe.depth,
        };
        recipe.depth.min(most).min(steps)
    }
}

/// The extent in which a stencil updates `inner` points along each axis, or as few more as its
/// boundaries need.
pub(crate) fn around(stencil: &Stencil, inner: [usize; 3]) -> Extent {
    let radius = stencil.kind.radius();
    let along = |axis: usize| match stencil.boundary[axis] {
        Boundary::Fixed => inner[axis] + 2 * radius,
        Boundary::Mirror => inner[axis].max(radius),
        _ => inner[axis],
    };
    match stencil.kind.dimensions() {
        1 => Extent::line(along(0)),
        2 => Extent::plane(along(0), along(1)),
        _ => Extent::space(along(0), along(1), along(2)),
    }
}

pub(crate) fn recipe(
    tile_rows: usize,
    side_by_side: SideBySide,
    streaming: bool,
    threads: usize,
) -> Recipe {
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

fn recipes(kind: Kind, deep: bool) -> impl Strategy<Value = Recipe> {
    let suits = |scheme: &Scheme| scheme.suits(kind);
    let schemes: Vec<Scheme> = Scheme::ALL.into_iter().filter(suits).collect();
    // Overlapped tiles step everything so far around them again: no farther than needs be.
    let depths = if deep { DEEP..(DEEPEST / kind.radius()).max(DEEP) + 1 } else { 1..9 };
    let tile = (1usize..12, 1usize..80, depths, prop::sample::select(schemes));
    let side = prop::sample::select(SideBySide::choices(kind));
    // Half of them where there are halves.
    let widths = prop::sample::select(&[Registers::Whole, Registers::Half][..]);
    let rest = (any::<bool>(), 1usize..6, 0usize..20_000);
    (tile, side, widths, rest).prop_map(
        |((rows, points, depth, scheme), side_by_side, registers, rest)| {
            let (streaming, threads, prefetch) = rest;
            let mut recipe = recipe(rows, side_by_side, streaming, threads);
            (recipe.scheme, recipe.depth, recipe.tile_points) = (scheme, depth, points);
            (recipe.registers, recipe.prefetch) = (registers, prefetch);
            recipe
        },
    )
}

/// Points that are updated along each axis.
fn sizes(kind: Kind, deep: bool) -> BoxedStrategy<[usize; 3]> {
    if deep {
        // Few, but for the axis along which levels follow each other.
        let last = kind.dimensions() - 1;
        return (1usize..24, 1usize..8, 1usize..60)
            .prop_map(move |(x, few, many)| if last == 1 { [x, many, 1] } else { [x, few, many] })
            .boxed();
    }
    // One-wide, prime and register-sized rows, and either side of each.
    let row = prop_oneof![
        1usize..4,
        1usize..7,
        7usize..13,
        Just(13),
        14usize..20,
        29usize..36,
        Just(97),
        125usize..132
    ];
    // And rows of a page, which stand a few lines apart.
    let row = prop_oneof![12 => row, 1 => 505usize..514, 1 => 1009usize..1026];
    // Fewer than a stencil looks far among them.
    let [rows, planes] = [20usize, 17].map(|end| prop_oneof![1 => 1..4usize, 3 => 1..end]);
    (row, rows, planes).prop_map(<[usize; 3]>::from).boxed()
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let kinds = (prop::sample::select(&Kind::ALL[..]), prop::bool::weighted(0.3));
    kinds.prop_flat_map(|(kind, deep)| {
        let boundary = prop::array::uniform3(prop::sample::select(&Boundary::ALL[..]));
        let steps = if deep { DEEP..DEEPEST + 4 } else { 0..DEEP };
        let rest = (steps, any::<u64>());
        (sizes(kind, deep), boundary, recipes(kind, deep), rest).prop_map(
            move |(inner, boundary, recipe, (steps, seed))| {
                let stencil = Stencil::new(kind, kind.stability_limit() * 0.7);
                let stencil = stencil.with_boundary(boundary);
                Case { stencil, inner, recipe, steps, seed }
            },
        )
    })
}

/// A case and the caches to estimate a recipe from, of which many are too small for its grid.
pub(crate) fn estimated() -> impl Strategy<Value = (Case, CacheSizes)> {
    (cases(), 0usize..9, 0u32..4).prop_map(|(case, quarters, halvings)| {
        let grid = case.extent().points().unwrap() * 2 * size_of::<f32>();
        let l3 = grid * quarters / 4;
        let l2 = l3 >> halvings;
        (case, CacheSizes { l1d: l2 / 8, l2, l3, ..CacheSizes::ASSUMED })
    })
}
