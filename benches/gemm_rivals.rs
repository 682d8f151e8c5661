//! INT8 products beside everybody else's: one command, one table, ties and losses included.
//!
//! ```text
//! cargo bench -p tilewise-benches --features rivals --bench gemm_rivals -- --python target/peers/bin/python
//! ```
//!
//! `benches/peers/README.md` says how that Python comes to be; `--help` how to ask for less.
//! Records go to `results/`. A rival is one small function: in `gemm_rivals/libraries.rs` if it is
//! written in Rust, in `peers/gemm.py` if not.

mod gemm_rivals {
    pub(crate) mod libraries;
    pub(crate) mod operands;
    pub(crate) mod ours;
}

use gemm_rivals::operands::Operands;
use gemm_rivals::{libraries, ours};
use std::process::ExitCode;
use tilewise::SpinTeam;
use tilewise::gemm::Shape;
use tilewise_harness::gemm::task;
use tilewise_harness::peers::bench::{self, Bench, Wanted};
use tilewise_harness::peers::contest::Contest;
use tilewise_harness::peers::entrant::Element;
use tilewise_harness::workload::Cache;

/// As `[m, k, n]`: layers of BERT, one token and a few, cubes.
const LAYERS: [[usize; 3]; 10] = [
    [128, 768, 768],
    [128, 768, 3072],
    [128, 3072, 768],
    [384, 1024, 4096],
    [1, 768, 768],
    [1, 4096, 4096],
    [8, 1024, 4096],
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
];

/// What fits no tile: primes, one more or less than a multiple, depths that are no multiple of
/// four, and the rows between one and sixteen.
const AWKWARD: [[usize; 3]; 10] = [
    [127, 769, 773],
    [129, 767, 769],
    [128, 768, 3073],
    [383, 1021, 4093],
    [511, 513, 509],
    [2, 4096, 4096],
    [4, 4096, 4096],
    [16, 4096, 4096],
    [7, 1023, 4097],
    [13, 769, 3079],
];

/// For `--quick`.
const FEW: [[usize; 3]; 4] = [[128, 768, 768], [1, 768, 768], [8, 1024, 4096], [127, 769, 773]];

/// Above this, a call is bound by arithmetic wherever the weights come from.
const MOST_ROWS_COLD: usize = 384;

fn main() -> ExitCode {
    bench::main("gemm-rivals", |bench| {
        for shape in shapes(bench)? {
            measure(bench, shape)?;
        }
        Ok(())
    })
}

fn shapes(bench: &Bench) -> Result<Vec<Shape>, String> {
    let given = bench.options.shapes.iter().map(|sizes| match *sizes.0 {
        [m, k, n] => Ok(Shape { m, k, n }),
        _ => Err(format!("--shape {:?}: expected three numbers, M,K,N", sizes.0)),
    });
    let given: Vec<Shape> = given.collect::<Result<_, _>>()?;
    if !given.is_empty() {
        return Ok(given);
    }
    let all = LAYERS.iter().chain(&AWKWARD);
    let of = |&[m, k, n]: &[usize; 3]| Shape { m, k, n };
    Ok(if bench.options.quick { FEW.iter().map(of).collect() } else { all.map(of).collect() })
}

/// All cells of a shape.
fn measure(bench: &mut Bench, shape: Shape) -> Result<(), String> {
    let cold = bench.options.wants_cache(Cache::Cold) && shape.m <= MOST_ROWS_COLD;
    let copies = if cold { copies(bench, shape) } else { 1 };
    let operands = Operands::new(shape, bench.options.seed, copies)?;
    for threads in bench.threads() {
        for cache in [Cache::Hot, Cache::Cold] {
            if bench.options.wants_cache(cache) && (cache == Cache::Hot || cold) {
                cell(bench, &operands, threads, cache)?;
            }
        }
    }
    Ok(())
}

/// So many sets of weights that each has left every cache before its turn comes again.
fn copies(bench: &Bench, Shape { k, n, .. }: Shape) -> usize {
    (4 * bench.machine.caches.l3).div_ceil(k * n).max(2)
}

fn cell(
    bench: &mut Bench,
    operands: &Operands,
    threads: usize,
    cache: Cache,
) -> Result<(), String> {
    let shape @ Shape { m, k, n } = operands.shape;
    let mut task = task(shape, cache);
    let copies = if cache == Cache::Cold { operands.weights.len() } else { 1 };
    if copies > 1 {
        task.timed += &format!("; {copies} sets of weights take turns, one a call");
    }
    let team = SpinTeam::new(threads).map_err(|error| error.to_string())?;
    let pool = libraries::pool(threads)?;
    let chosen = bench.wisdom.choose(&shape, &bench.setting(threads));
    let mut entrants = vec![ours::entrant(operands, copies, chosen, &team)?];
    for (name, library) in libraries::ALL {
        if bench.options.wants_rival(name) {
            entrants.push(library(operands, copies, &pool));
        }
    }
    let mut absent = Vec::new();
    for rival in ["onnxruntime", "onednn"] {
        let (script, kernel, element) = ("gemm.py", "gemm", Element::I32);
        let shape = &task.shape;
        let wanted = Wanted { script, rival, kernel, shape, threads, cache, copies, element };
        bench.worker(&wanted, &mut entrants, &mut absent);
    }
    let contest = Contest {
        id: format!("gemm-{m}x{k}x{n}-{threads}-{cache:?}").to_lowercase(),
        task,
        threads,
        watch: bench.watch(),
        judge: &|numbers| operands.judge(numbers),
    };
    bench.measure(contest, entrants, absent).map_err(|error| error.to_string())
}
