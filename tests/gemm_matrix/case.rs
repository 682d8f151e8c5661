//! One product and everything that may vary about it, drawn from one number.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::Isa;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{Recipe, Shape, Split, tiles};
use tilewise_tests::teams;

/// A product. `Draw::case(seed)` draws the same one again.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What it and the values of its operands are drawn from: `TILEWISE_SEED` to draw it alone.
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    /// Elements between rows of the left operand, the weights, the output and the residual.
    pub(crate) gaps: [usize; 4],
    pub(crate) lhs: LhsKind,
    /// Whether floats on the left are of all kinds, row by row, or those of bytes.
    pub(crate) wide: bool,
    /// Whether the left operand is given column by column.
    pub(crate) by_columns: bool,
    /// Whether the output is stored column by column.
    pub(crate) out_by_columns: bool,
    pub(crate) zero_point: u8,
    /// Whether each row of bytes has a zero point of its own.
    pub(crate) points_each: bool,
    pub(crate) zeros: Zeros,
    pub(crate) bytes: Bytes,
    /// Whether weights are given column by column.
    pub(crate) transposed: bool,
    /// Whether weights go through bytes.
    pub(crate) stored: bool,
    /// Whether operands end, not begin, at a forbidden page.
    pub(crate) at_end: bool,
    pub(crate) isa: Isa,
    pub(crate) recipe: Recipe,
    /// Which of the teams.
    pub(crate) team: usize,
    /// Threads the scratch is for.
    pub(crate) threads: usize,
    /// Whether scratch is for bytes alone, where the left operand is.
    pub(crate) tight: bool,
    /// Rows that the plan has beside those of the left operand.
    pub(crate) more_rows: usize,
    pub(crate) output: OutputKind,
    /// That of the bytes that are written.
    pub(crate) scale: f32,
    pub(crate) way: Way,
    /// Whether rows and columns have one scale each or one for all.
    pub(crate) scales_each: [bool; 2],
}

/// What the left operand is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LhsKind {
    U8,
    I8,
    F32,
}

/// Zero points of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeros {
    None,
    One(i8),
    Each,
}

/// What bytes are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bytes {
    Any,
    /// The ends of the ranges and zero, with their neighbours.
    Extremes,
    /// One end throughout: 255 and -128, as large as a sum gets.
    Ends,
    /// As large as a sum gets without a pair that saturates: 255 and -64.
    SmallEnds,
    /// Weights of which no pair saturates.
    Small,
    /// As those, but for a few.
    MostlySmall,
}

/// By what call it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plan,
    /// So many times the same in one call.
    Batch(usize),
    /// The front door.
    Layer,
    /// A token handed in from outside.
    Backend,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputKind {
    Sums,
    WholeBiasAdd,
    Real,
    RealBias,
    RealBiasRelu,
    RealBiasGelu,
    RealBiasGeluTanh,
    WholeBiasReluAdd,
    GeluToI8,
    GeluTanhClampToU8,
}

impl LhsKind {
    pub(crate) const ALL: [Self; 3] = [LhsKind::U8, LhsKind::I8, LhsKind::F32];
}

impl OutputKind {
    pub(crate) const ALL: [Self; 10] = [
        OutputKind::Sums,
        OutputKind::WholeBiasAdd,
        OutputKind::Real,
        OutputKind::RealBias,
        OutputKind::RealBiasRelu,
        OutputKind::RealBiasGelu,
        OutputKind::RealBiasGeluTanh,
        OutputKind::WholeBiasReluAdd,
        OutputKind::GeluToI8,
        OutputKind::GeluTanhClampToU8,
    ];

    /// Whether it begins as a layer does: real numbers and a bias.
    pub(crate) fn is_of_layer(self) -> bool {
        !matches!(self, Self::Sums | Self::WholeBiasAdd | Self::Real | Self::WholeBiasReluAdd)
    }
}

impl Case {
    /// The shape the plan is made for.
    pub(crate) fn planned(&self) -> Shape {
        Shape { m: self.shape.m + self.more_rows, ..self.shape }
    }

    /// Bytes into sums, everything else as simple as can be.
    pub(crate) fn plain(shape: Shape, isa: Isa, seed: u64) -> Self {
        Case {
            seed,
            shape,
            gaps: [0; 4],
            lhs: LhsKind::U8,
            wide: false,
            by_columns: false,
            out_by_columns: false,
            zero_point: 3,
            points_each: false,
            zeros: Zeros::None,
            bytes: Bytes::Any,
            transposed: false,
            stored: false,
            at_end: true,
            isa,
            recipe: Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1),
            team: 0,
            threads: 1,
            tight: false,
            more_rows: 0,
            output: OutputKind::Sums,
            scale: 0.07,
            way: Way::Plan,
            scales_each: [false; 2],
        }
    }
}

/// Draws cases.
pub(crate) struct Draw {
    isas: Vec<Isa>,
}

impl Draw {
    pub(crate) fn new() -> Self {
        Draw { isas: Isa::available().collect() }
    }

    pub(crate) fn case(&self, seed: u64) -> Case {
        let rng = &mut Pcg64Mcg::seed_from_u64(seed);
        let isa = self.isas[rng.random_range(0..self.isas.len())];
        let mut case = Case::plain(shape(rng), isa, seed);
        case.gaps = [(); 4].map(|()| if rng.random() { 0 } else { rng.random_range(0..20) });
        case.lhs = LhsKind::ALL[rng.random_range(0..3)];
        (case.wide, case.points_each) = (rng.random(), rng.random());
        case.zero_point = pick(rng, &[0, 1, 127, 128, 255]);
        let zero = pick(rng, &[128u8, 127, 0, 255]).cast_signed();
        case.zeros = pick_of(rng, [Zeros::None, Zeros::None, Zeros::One(zero), Zeros::Each]);
        case.bytes = pick_of(
            rng,
            [Bytes::Any, Bytes::Extremes, Bytes::Ends, Bytes::Small, Bytes::MostlySmall],
        );
        (case.transposed, case.at_end) = (rng.random(), rng.random());
        case.by_columns = rng.random_range(0..3) == 0;
        case.out_by_columns = rng.random_range(0..4) == 0;
        case.stored = rng.random_range(0..4) == 0;
        case.recipe = recipe(rng, case.recipe, isa);
        // Waking others takes longer than most of these products: mostly alone, or two.
        case.team = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3][rng.random_range(0..11)] % teams().len();
        case.threads = rng.random_range(1..5);
        case.output = OutputKind::ALL[rng.random_range(0..OutputKind::ALL.len())];
        let ends = [1e-30, f32::MIN_POSITIVE, f32::MAX];
        case.scale = match rng.random_range(0..4) {
            0 => pick_of(rng, ends),
            _ => pick_of(rng, [0.013, 0.07, 0.5, 1.7, 40.0]),
        };
        case.way = way(rng, &case);
        case.scales_each = [rng.random(), rng.random()];
        case.tight = case.lhs != LhsKind::F32 && rng.random();
        case.more_rows = if rng.random() { 0 } else { rng.random_range(0..40) };
        case
    }
}

/// One of the likely ones, or any byte.
fn pick(rng: &mut Pcg64Mcg, likely: &[u8]) -> u8 {
    if rng.random() { likely[rng.random_range(0..likely.len())] } else { rng.random() }
}

/// A call that can write its output.
fn way(rng: &mut Pcg64Mcg, case: &Case) -> Way {
    let by_rows = !case.out_by_columns;
    match rng.random_range(0..8) {
        0 | 1 => Way::Batch(rng.random_range(1..4)),
        2 | 3 if by_rows && case.output.is_of_layer() => Way::Layer,
        4 | 5 if by_rows && case.isa == Isa::Scalar => Way::Backend,
        _ => Way::Plan,
    }
}

fn pick_of<T: Copy, const N: usize>(rng: &mut Pcg64Mcg, list: [T; N]) -> T {
    list[rng.random_range(0..N)]
}

/// Mostly small, with the neighbours of tiles and panels; some long in one direction.
fn shape(rng: &mut Pcg64Mcg) -> Shape {
    let mut size = |most: usize| match rng.random_range(0..8) {
        0 => rng.random_range(0..3),
        1 => [4, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65][rng.random_range(0..13)].min(most),
        _ => rng.random_range(0..=most),
    };
    // Up to so many rows that weights are widened beforehand where they are.
    let (m, n, k) = (size(32), size(80), size(80));
    match rng.random_range(0..40) {
        0 => Shape { m: rng.random_range(0..300), n: n.min(40), k: k.min(40) },
        1 => Shape { m: m.min(9), n: rng.random_range(0..1200), k: k.min(40) },
        2 => Shape { m: m.min(9), n: n.min(40), k: rng.random_range(0..3000) },
        // Deep enough to go along the rows, and cut where it is just deep enough or just not.
        3 | 4 => {
            let k = if rng.random() { 761..765 } else { 370..1200 };
            Shape { m, n: rng.random_range(48..300), k: rng.random_range(k) }
        }
        _ => Shape { m, n, k },
    }
}

/// Any recipe, mostly with blocks smaller than the product.
fn recipe(rng: &mut Pcg64Mcg, estimate: Recipe, isa: Isa) -> Recipe {
    let tiles = tiles(isa);
    let mut recipe = estimate;
    recipe.tile = tiles[rng.random_range(0..tiles.len())];
    if rng.random() {
        recipe.mc = rng.random_range(1..40);
    }
    if rng.random() {
        recipe.kc = match recipe.kc {
            370.. => rng.random_range(370..800),
            _ => rng.random_range(1..100),
        };
    }
    if rng.random() {
        recipe.nc = rng.random_range(1..100);
    }
    recipe.split = Split { rows: rng.random_range(1..5), columns: rng.random_range(1..5) };
    recipe
}
