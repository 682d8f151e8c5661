//! Stencils beside everybody else's: one command, one table, ties and losses included.
//!
//! ```text
//! cargo bench -p tilewise-benches --features rivals --bench stencil_rivals -- --python target/stencil/bin/python
//! ```
//!
//! `benches/peers/README.md` says how that Python comes to be; `--help` how to ask for less: a
//! `--kernel` is `stencil-step` (one step, so that nothing can be fused) or `stencil-run` (several),
//! a `--shape` the points along x, y and z, a `--stencil` a stencil and its type of number
//! (`wave25-f64`): some take ten minutes a cell. Records go to `results/`. Rivals are in
//! `peers/stencil.py`.
//!
//! All start from the same field and keep the same rim. Results may differ by rounding: each
//! library adds in its own order.

mod stencil_rivals {
    pub(crate) mod cases;
    pub(crate) mod ours;
}

use std::process::ExitCode;
use stencil_rivals::cases::{self, Case, Dtype, Inputs, Values};
use stencil_rivals::ours;
use tilewise::SpinTeam;
use tilewise_harness::peers::bench::{self, Bench, Wanted};
use tilewise_harness::peers::contest::Contest;
use tilewise_harness::workload::Cache;

/// Updates that take a good part of a second: six rounds of them must do.
const LONG: f64 = 0.5e9;

/// Fields that all who take part have in memory together: each its levels and the medium, one the
/// copies that it tunes on, ourselves the expected one.
const FIELDS: usize = 20;

fn main() -> ExitCode {
    bench::main("stencil-rivals", |bench| {
        for case in cases::ALL {
            if !case.wanted(&bench.options) {
                continue;
            }
            match case.dtype {
                Dtype::F32 => measure::<f32>(bench, &case)?,
                Dtype::F64 => measure::<f64>(bench, &case)?,
            }
        }
        Ok(())
    })
}

/// The cells of a case.
fn measure<T: Values>(bench: &mut Bench, case: &Case) -> Result<(), String> {
    let needed = (FIELDS * case.points() * size_of::<T>()) as u64;
    if bench.machine.memory_available.known().is_some_and(|&available| available < needed) {
        eprintln!("{} is left out: all who take part need {} MiB", case.id(0), needed >> 20);
        return Ok(());
    }
    let inputs = Inputs::<T>::new(case, bench.options.seed)?;
    for threads in bench.threads() {
        cell(bench, case, &inputs, threads)?;
    }
    Ok(())
}

fn cell<T: Values>(
    bench: &mut Bench,
    case: &Case,
    inputs: &Inputs<T>,
    threads: usize,
) -> Result<(), String> {
    let team = SpinTeam::new(threads).map_err(|error| error.to_string())?;
    let chosen = bench.wisdom.choose(&inputs.workload.problem(), &bench.setting(threads));
    let mut entrants = vec![ours::entrant(inputs, &chosen, &team)?];
    let mut absent = Vec::new();
    let task = case.task(inputs);
    for rival in ["numba", "pystencils", "halide", "halide-fused", "devito"] {
        if rival == "halide-fused" && case.steps == 1 {
            continue;
        }
        let wanted = Wanted {
            script: "stencil.py",
            rival,
            kernel: case.kernel(),
            shape: &task.shape,
            threads,
            cache: Cache::Hot,
            copies: 1,
            input: Some(inputs.file.path()),
            element: T::ELEMENT,
        };
        bench.worker(&wanted, &mut entrants, &mut absent);
    }
    let mut watch = bench.watch();
    if task.amount.work > LONG {
        watch.min_rounds = watch.min_rounds.min(6);
    }
    let contest = Contest {
        id: case.id(threads),
        task,
        threads,
        watch,
        judge: &|numbers| inputs.judge(numbers),
    };
    bench.measure(contest, entrants, absent).map_err(|error| error.to_string())
}
