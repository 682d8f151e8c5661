//! The big matrix: products of every kind, on every instruction set, drawn at random or counted
//! through, equal to plain loops bit for bit, with forbidden memory around every operand.
//!
//! An ordinary test run takes a few thousand random cases and each small shape a few times. All of
//! them, with the checks of overflow that
//! tests have:
//!
//! ```sh
//! TILEWISE_CASES=1000000 cargo test -p tilewise-tests --test gemm_matrix -- --nocapture
//! ```
//!
//! `TILEWISE_SEED` begins elsewhere. A case that fails prints itself and the seed that alone
//! draws it again.

mod arena;
mod case;
mod operands;
mod plain;
mod run;

use case::{Bytes, Case, Draw, LhsKind, OutputKind, Way, Zeros};
use std::env;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tilewise::Isa;
use tilewise::gemm::{EXACT_DEPTH, Recipe, Shape, Tile, tiles};
use tilewise_tests::{GuardedLines, each_isa};

#[global_allocator]
static ALLOCATOR: GuardedLines = GuardedLines;

/// Cases of an ordinary run.
const ORDINARY: usize = 3000;

/// Sizes up to which every shape is tried.
const EXHAUSTIVE: usize = 20;

/// A number from the environment: only tests read it, never the library.
fn number(name: &str, otherwise: usize) -> usize {
    env::var(name).map_or(otherwise, |value| {
        value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}; give a whole number"))
    })
}

fn cases() -> usize {
    number("TILEWISE_CASES", ORDINARY)
}

/// Runs the cases `case` gives for `0..count` on the cores there are, and says how many there were.
fn run_all(what: &str, count: usize, case: impl Fn(usize) -> Case + Sync) {
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut arenas = arena::Arenas::new();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let case = case(index);
                    let run = AssertUnwindSafe(|| case.run(&mut arenas));
                    if let Err(panic) = catch_unwind(run) {
                        next.store(count, Ordering::Relaxed);
                        say(&format!("{what} {index} failed: {case:#?}"));
                        resume_unwind(panic);
                    }
                }
            });
        }
    });
    say(&format!("{what}: {count} cases, {:.1} s", start.elapsed().as_secs_f64()));
}

/// Straight to standard error: what the macros print is shown of failing tests only.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[test]
fn random_products_equal_plain_loops() {
    let (cases, seed) = (cases(), number("TILEWISE_SEED", 1) as u64);
    let draw = Draw::new();
    run_all(&format!("random products from seed {seed}"), cases, |index| {
        draw.case(seed.wrapping_add(index as u64))
    });
}

/// Every shape up to 20 x 20 x 20, with every width around the ends of further panels too, so that
/// all tiles are filled and just missed, and with so many rows that words are multiplied; with
/// weights of which pairs saturate and of which none does, without and with zero points of them. An
/// ordinary run tries each with one of the tiles of all instruction sets, a full run with every one.
#[test]
fn every_small_shape_with_every_tile() {
    let full = cases() > ORDINARY;
    let tiles: Vec<(Isa, Tile)> =
        Isa::available().flat_map(|isa| tiles(isa).iter().map(move |&tile| (isa, tile))).collect();
    let depths: Vec<usize> = (0..=EXHAUSTIVE).collect();
    let heights = [&depths[..], &[25, 26, 30]].concat();
    let widths = [&depths[..], &[31, 32, 33, 47, 48, 49, 63, 64, 65]].concat();
    let slice = heights.len() * depths.len();
    let all = [Zeros::None, Zeros::Each].map(|zeros| [(zeros, Bytes::Any), (zeros, Bytes::Small)]);
    let (all, shapes) = (all.as_flattened(), slice * widths.len());
    let rounds = all.len() * if full { tiles.len() } else { 1 };
    run_all("every small shape", shapes * rounds, |index| {
        let (shape, round) = (index % shapes, index / shapes);
        let (m, n) = (heights[shape % heights.len()], widths[shape / slice]);
        let k = depths[shape / heights.len() % depths.len()];
        let (zeros, bytes) = all[round % all.len()];
        // Neighbours along each side meet different tiles.
        let turn = m + 2 * k + shape / slice + round;
        let (isa, tile) = tiles[if full { round / all.len() } else { turn % tiles.len() }];
        let shape = Shape { m, n, k };
        let mut case = Case::plain(shape, isa, index as u64);
        case.recipe.tile = tile;
        // Every kind of rows meets every size of each side.
        case.lhs = LhsKind::ALL[(shape.m + shape.n + shape.k) % 3];
        case.points_each = shape.m % 2 == 1;
        (case.zeros, case.bytes) = (zeros, bytes);
        case.by_columns = (shape.m + 2 * shape.n + shape.k).is_multiple_of(4);
        case.out_by_columns = (2 * shape.m + shape.n + shape.k).is_multiple_of(4);
        case
    });
}

/// Depths at which sums nearly, just and often wrap, with bytes that make them.
#[test]
fn deep_products_wrap_as_documented() {
    let depths = [EXACT_DEPTH, EXACT_DEPTH + 1, 65_793, 65_794, 66_000, 70_001, 140_003];
    let mut list = Vec::new();
    each_isa(|isa| {
        for (index, k) in depths.into_iter().enumerate() {
            let zeros = [(0, Zeros::None), (0, Zeros::One(127)), (1, Zeros::One(126))];
            let all = zeros.into_iter().flat_map(|zeros| LhsKind::ALL.map(|lhs| (zeros, lhs)));
            // Bytes widened in registers or multiplied in pairs; with more rows, as words.
            let forms = [(2, Bytes::Ends), (2, Bytes::SmallEnds), (26, Bytes::Ends)];
            let forms = if k % 3 == 0 { &forms[..] } else { &forms[..2] };
            for ((zero_point, zeros), lhs) in all {
                for &(m, bytes) in forms {
                    let mut case = Case::plain(Shape { m, n: 17, k }, isa, index as u64);
                    (case.zero_point, case.zeros, case.lhs) = (zero_point, zeros, lhs);
                    case.bytes = bytes;
                    case.output = OutputKind::ALL[list.len() % OutputKind::ALL.len()];
                    list.push(case);
                }
            }
        }
    });
    run_all("deep products", list.len(), |index| list[index].clone());
}

/// What a case is made of is what it says: the lists above cover what they claim.
#[test]
fn drawn_cases_cover_every_choice() {
    let draw = Draw::new();
    let cases: Vec<Case> = (0..100_000).map(|seed| draw.case(seed)).collect();
    let some = |what: &str, test: &dyn Fn(&Case) -> bool| {
        assert!(cases.iter().any(test), "no case with {what}");
    };
    for isa in Isa::available() {
        for tile in tiles(isa) {
            some(&format!("{tile} on {isa}"), &|case| case.isa == isa && case.recipe.tile == *tile);
        }
    }
    // Words need many rows and weights of which pairs saturate, pairs weights of which none does.
    for isa in Isa::available() {
        let wide = |case: &Case| case.isa == isa && case.shape.n > 16 && case.shape.k > 16;
        for tile in tiles(isa) {
            let with = |case: &Case| wide(case) && case.recipe.tile == *tile;
            some(&format!("pairs, {tile} on {isa}"), &|case| {
                with(case) && case.bytes == Bytes::Small && case.shape.m >= tile.rows
            });
        }
        some(&format!("words on {isa}"), &|case| {
            let rows = case.shape.m / case.recipe.split.rows;
            wide(case) && case.bytes == Bytes::Any && rows > 25
        });
    }
    // Waiting sums of tiles that go along the rows, of several tiles each way; and of cuts of which
    // some would go along by themselves and others not.
    for isa in Isa::available() {
        let cut = |case: &Case, cuts: usize| {
            let Recipe { tile, kc, mc, nc, split, .. } = case.recipe;
            let (steps, columns) = (case.shape.k.div_ceil(4), tile.panels * 16);
            case.isa == isa
                && steps.div_ceil(kc.div_ceil(4)) == cuts
                && mc.min(case.shape.m / split.rows) > tile.rows
                && nc.min(case.shape.n / split.columns) >= 2 * columns
        };
        some(&format!("cuts along the rows on {isa}"), &|case| cut(case, 2) && case.shape.k > 800);
        some(&format!("cuts of 96 and 95 steps on {isa}"), &|case| {
            cut(case, 2) && case.shape.k.div_ceil(4) == 191
        });
    }
    for output in OutputKind::ALL {
        some(&format!("{output:?}"), &|case| case.output == output);
    }
    for lhs in LhsKind::ALL {
        some(&format!("{lhs:?}"), &|case| case.lhs == lhs);
    }
    some("no rows", &|case| case.shape.m == 0);
    some("no columns", &|case| case.shape.n == 0);
    some("no depth", &|case| case.shape.k == 0);
    some("weights from a file", &|case| case.stored);
    some("weights by column", &|case| case.transposed);
    some("floats on the left by column", &|case| case.by_columns && case.lhs == LhsKind::F32);
    some("signed bytes on the left by column", &|case| case.by_columns && case.lhs == LhsKind::I8);
    for output in OutputKind::ALL {
        let what = format!("{output:?} by column");
        some(&what, &|case| case.out_by_columns && case.output == output);
    }
    some("threads", &|case| case.team > 0);
}

/// Every call there is, with every kind of left operand and of what is written.
#[test]
fn drawn_cases_cover_every_call() {
    let draw = Draw::new();
    let cases: Vec<Case> = (0..10_000).map(|seed| draw.case(seed)).collect();
    let some = |what: &str, test: &dyn Fn(&Case) -> bool| {
        assert!(cases.iter().any(test), "no case with {what}");
    };
    for lhs in LhsKind::ALL {
        some(&format!("a batch of {lhs:?}"), &|case| {
            matches!(case.way, Way::Batch(2..)) && case.team > 0 && case.lhs == lhs
        });
        some(&format!("a layer of {lhs:?}"), &|case| case.way == Way::Layer && case.lhs == lhs);
        some(&format!("a back-end of {lhs:?}"), &|case| {
            case.way == Way::Backend && case.lhs == lhs
        });
    }
    for output in OutputKind::ALL.into_iter().filter(|output| output.is_of_layer()) {
        some(&format!("a layer's {output:?}"), &|case| {
            case.way == Way::Layer && case.output == output
        });
    }
    for lhs in [LhsKind::U8, LhsKind::I8] {
        some(&format!("a zero point for each row of {lhs:?}"), &|case| {
            case.points_each && case.lhs == lhs && case.zeros != Zeros::None
        });
    }
    some("floats of all kinds", &|case| case.wide && case.lhs == LhsKind::F32);
    for (what, scale) in [("the least", f32::MIN_POSITIVE), ("a large", 40.0)] {
        some(&format!("bytes of {what} scale"), &|case| {
            case.scale == scale && case.output == OutputKind::GeluToI8
        });
    }
}

/// The allocator is in use: what the library allocates ends where a forbidden page begins, also
/// what is large enough to begin on a large page.
#[cfg(unix)]
#[test]
fn scratch_and_packed_weights_are_guarded() {
    for lines in [1, 3, 64, 1000, 65_536, 100_032] {
        let buffer = tilewise::buffer::Buffer::<[i32; 16]>::zeroed(lines).unwrap();
        assert_eq!(buffer.as_ptr_range().end.addr() % 4096, 0, "{lines} lines");
    }
}
