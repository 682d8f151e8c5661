//! INT8 products beside everybody else's: one command, one table, ties and losses included.
//!
//! ```text
//! cargo bench -p tilewise-benches --features rivals --bench gemm_rivals -- --python target/peers/bin/python
//! ```
//!
//! `benches/peers/README.md` says how that Python comes to be; `--help` how to ask for less.
//! Records go to `results/`. A rival is one small function: in `gemm_rivals/libraries.rs` if it is
//! written in Rust, in `peers/gemm.py` if not. Four kernels: `gemm`, products of bytes by weights of
//! seven bits; `gemm-8bit`, some of them by weights of eight, which libraries get wrong on CPUs
//! without a dot product of bytes; `linear`, a layer from floats to floats; `gemm-f32`, products of
//! floats beside the gemm crate.

mod gemm_rivals {
    pub(crate) mod call;
    pub(crate) mod floats;
    pub(crate) mod libraries;
    pub(crate) mod linear;
    pub(crate) mod operands;
    pub(crate) mod ours;
}

use gemm_rivals::floats::Floats;
use gemm_rivals::linear::Layer;
use gemm_rivals::operands::{EIGHT_BITS, Operands};
use gemm_rivals::{floats, libraries, linear, ours};
use std::process::ExitCode;
use tilewise::SpinTeam;
use tilewise::gemm::Shape;
use tilewise_harness::gemm::task;
use tilewise_harness::peers::bench::{self, Bench, Wanted};
use tilewise_harness::peers::contest::Contest;
use tilewise_harness::peers::entrant::{Element, Numbers};
use tilewise_harness::workload::{Cache, Check, Task};

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

/// For `--quick`, and by weights of eight bits.
const FEW: [[usize; 3]; 4] = [[128, 768, 768], [1, 768, 768], [8, 1024, 4096], [127, 769, 773]];

/// Above this, a call is bound by arithmetic wherever the weights come from.
const MOST_ROWS_COLD: usize = 384;

fn main() -> ExitCode {
    bench::main("gemm-rivals", |bench| {
        for (kernel, otherwise) in [("gemm", None), (EIGHT_BITS, Some(&FEW[..]))] {
            for shape in shapes(bench, kernel, otherwise)? {
                measure(bench, kernel, shape)?;
            }
        }
        for shape in shapes(bench, linear::KERNEL, Some(&LAYERS[..9]))? {
            layer(bench, shape)?;
        }
        for shape in shapes(bench, floats::KERNEL, Some(&LAYERS[..9]))? {
            product_of_floats(bench, shape)?;
        }
        Ok(())
    })
}

/// The shapes a kernel is measured with: those given, or all, or the `fewer` it has.
fn shapes(bench: &Bench, kernel: &str, fewer: Option<&[[usize; 3]]>) -> Result<Vec<Shape>, String> {
    if !bench.options.wants_kernel(kernel) {
        return Ok(Vec::new());
    }
    let given = bench.options.shapes.iter().map(|sizes| match *sizes.0 {
        [m, k, n] => Ok(Shape { m, k, n }),
        _ => Err(format!("--shape {:?}: expected three numbers, M,K,N", sizes.0)),
    });
    let given: Vec<Shape> = given.collect::<Result<_, _>>()?;
    if !given.is_empty() {
        return Ok(given);
    }
    let all: Vec<[usize; 3]> = match fewer {
        _ if bench.options.quick => FEW.into(),
        Some(fewer) => fewer.into(),
        None => LAYERS.into_iter().chain(AWKWARD).collect(),
    };
    Ok(all.into_iter().map(|[m, k, n]| Shape { m, k, n }).collect())
}

/// All cells of a shape.
fn measure(bench: &mut Bench, kernel: &str, shape: Shape) -> Result<(), String> {
    let may_be_cold = shape.m <= MOST_ROWS_COLD && kernel != EIGHT_BITS;
    let cold = bench.options.wants_cache(Cache::Cold) && may_be_cold;
    let copies = if cold { copies(bench, shape) } else { 1 };
    let operands = Operands::new(kernel, shape, bench.options.seed, copies)?;
    for threads in bench.threads() {
        for cache in [Cache::Hot, Cache::Cold] {
            if bench.options.wants_cache(cache) && (cache == Cache::Hot || cold) {
                cell(bench, (kernel, &operands), threads, cache)?;
            }
        }
    }
    Ok(())
}

/// The cells of a layer, hot.
fn layer(bench: &mut Bench, shape: Shape) -> Result<(), String> {
    if !bench.options.wants_cache(Cache::Hot) {
        return Ok(());
    }
    let layer = Layer::new(shape, bench.options.seed);
    for threads in bench.threads() {
        let cache = Cache::Hot;
        let mut task = task(shape, cache);
        task.kernel = linear::KERNEL.into();
        task.dtype = "f32 -> f32, products of bytes".into();
        task.timed = "row-major f32 in, row-major f32 out, a bias included; weights laid out \
                      beforehand on all sides"
            .into();
        let team = SpinTeam::new(threads).map_err(|error| error.to_string())?;
        let mut entrants = vec![linear::entrant(&layer, &team)?];
        let mut absent = Vec::new();
        let wanted = Wanted {
            script: "gemm.py",
            rival: "onnxruntime-linear",
            kernel: linear::KERNEL,
            shape: &task.shape,
            threads,
            cache,
            copies: 1,
            input: None,
            element: Element::F32,
        };
        bench.worker(&wanted, &mut entrants, &mut absent);
        let judge = |numbers: &Numbers| layer.judge(numbers);
        let contest = contest(bench, task, threads, &judge);
        bench.measure(contest, entrants, absent).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The cells of a product of floats, hot.
fn product_of_floats(bench: &mut Bench, shape: Shape) -> Result<(), String> {
    if !bench.options.wants_cache(Cache::Hot) {
        return Ok(());
    }
    let operands = Floats::new(shape, bench.options.seed);
    for threads in bench.threads() {
        let team = SpinTeam::new(threads).map_err(|error| error.to_string())?;
        let pool = libraries::pool(threads)?;
        let mut entrants = vec![floats::entrant(&operands, &team)?];
        if bench.options.wants_rival(libraries::FLOAT) {
            entrants.push(libraries::floats(&operands, &pool));
        }
        let judge = |numbers: &Numbers| operands.judge(numbers);
        let contest = contest(bench, operands.task(), threads, &judge);
        bench.measure(contest, entrants, Vec::new()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What is to be done in a cell.
fn contest<'j>(
    bench: &Bench,
    task: Task,
    threads: usize,
    judge: &'j dyn Fn(&Numbers) -> Check,
) -> Contest<'j> {
    let size = |name: &str| task.shape[name].as_u64().unwrap_or_default();
    let [m, k, n] = ["m", "k", "n"].map(size);
    let id = format!("{}-{m}x{k}x{n}-{threads}-{:?}", task.kernel, task.cache).to_lowercase();
    Contest { id, task, threads, watch: bench.watch(), judge }
}

/// So many sets of weights that each has left every cache before its turn comes again.
fn copies(bench: &Bench, Shape { k, n, .. }: Shape) -> usize {
    (4 * bench.machine.caches.l3).div_ceil(k * n).max(2)
}

fn cell(
    bench: &mut Bench,
    (kernel, operands): (&str, &Operands),
    threads: usize,
    cache: Cache,
) -> Result<(), String> {
    let shape = operands.shape;
    let mut task = task(shape, cache);
    task.kernel = kernel.into();
    let bits = if kernel == EIGHT_BITS { "eight" } else { "seven" };
    task.timed += &format!("; weights of {bits} bits");
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
        let (script, element) = ("gemm.py", Element::I32);
        let shape = &task.shape;
        let input = None;
        let wanted =
            Wanted { script, rival, kernel, shape, threads, cache, copies, element, input };
        bench.worker(&wanted, &mut entrants, &mut absent);
    }
    let judge = |numbers: &Numbers| operands.judge(numbers);
    let contest = contest(bench, task, threads, &judge);
    bench.measure(contest, entrants, absent).map_err(|error| error.to_string())
}
