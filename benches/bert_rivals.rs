//! BERT encoders beside everybody else's: one command, one table, ties and losses included.
//!
//! ```text
//! cargo bench -p tilewise-benches --features rivals --bench bert_rivals -- --python target/peers-bert/bin/python
//! ```
//!
//! `benches/peers/README.md` says how that Python comes to be; `--help` how to ask for less:
//! `--kernel bert-int8`, `--shape 768,1,128` (hidden numbers, batch, tokens) or, for real
//! sentences, `--shape 384,32` (hidden numbers, batch). All rivals are in `peers/bert.py`. Models
//! come from a seed and are written to `target/peers/bert` for the workers, which keep there what
//! they make of them.
//!
//! Everybody is given the same token numbers. In f32, results may differ from ours by rounding; in
//! INT8, everybody's hidden states are held against our f32 and the relative error is recorded.

mod bert_rivals {
    pub(crate) mod cases;
    pub(crate) mod judge;
    pub(crate) mod ours;
}

use bert_rivals::cases::{self, Case};
use bert_rivals::judge::Judge;
use bert_rivals::ours::Arm;
use std::process::ExitCode;
use tilewise::SpinTeam;
use tilewise_harness::bert::{Encoder, Precision};
use tilewise_harness::peers::bench::{self, Bench, Wanted};
use tilewise_harness::peers::contest::Contest;
use tilewise_harness::peers::entrant::{Element, Entrant, OURS};
use tilewise_harness::workload::Cache;

/// The kernels, by the precision of their linear layers.
const KERNELS: [&str; 2] = ["bert-fp32", "bert-int8"];

/// Operations of a case that takes seconds: six rounds of it must do.
const LONG: f64 = 100e9;

fn main() -> ExitCode {
    bench::main("bert-rivals", |bench| {
        for case in cases::wanted(&bench.options)? {
            measure(bench, &case)?;
        }
        Ok(())
    })
}

/// All cells of a case.
fn measure(bench: &mut Bench, case: &Case) -> Result<(), String> {
    let failed = |error: tilewise_harness::bert::Error| error.to_string();
    let (config, source) = case.publish(bench.options.seed).map_err(|error| error.to_string())?;
    let float = Encoder::new(&config, &*source, Precision::Fp32).map_err(failed)?;
    let int8 = Encoder::new(&config, &*source, Precision::Int8).map_err(failed)?;
    let float = Arm { name: OURS, encoder: &float, dtype: "f32", other_precision: false };
    let int8 = Arm {
        encoder: &int8,
        dtype: "INT8 linear layers and attention, f32 between them",
        ..float
    };
    let judge = Judge::new(float.states(case)?);
    for kernel in KERNELS {
        if !bench.options.wants_kernel(kernel) {
            continue;
        }
        for threads in bench.threads() {
            cell(bench, case, [float, int8], &judge, (kernel, threads))?;
        }
    }
    Ok(())
}

fn cell(
    bench: &mut Bench,
    case: &Case,
    [float, int8]: [Arm<'_>; 2],
    judge: &Judge,
    (kernel, threads): (&str, usize),
) -> Result<(), String> {
    let team = SpinTeam::new(threads).map_err(|error| error.to_string())?;
    let is_int8 = kernel == "bert-int8";
    let task = case.task(kernel, float.encoder.config());
    let mut entrants: Vec<Box<dyn Entrant + '_>> = Vec::new();
    if is_int8 {
        // Beside it what a user has who has not quantised.
        let float = Arm { name: "tilewise-f32", other_precision: true, ..float };
        entrants.extend([int8.on(case, &team), float.on(case, &team)]);
    } else {
        entrants.push(float.on(case, &team));
    }
    let mut absent = Vec::new();
    for rival in ["torch", "onnxruntime", "openvino"] {
        let wanted = Wanted {
            script: "bert.py",
            rival,
            kernel,
            shape: &task.shape,
            threads,
            cache: Cache::Hot,
            copies: 1,
            input: None,
            element: Element::F32,
        };
        bench.worker(&wanted, &mut entrants, &mut absent);
    }
    let mut watch = bench.watch();
    if task.amount.work > LONG {
        watch.min_rounds = watch.min_rounds.min(6);
        watch.warm_single = false;
    }
    let contest = Contest {
        id: format!("{kernel}-{}-{}-{threads}", case.model, case.name),
        task,
        threads,
        watch,
        judge: &|numbers| judge.judge(numbers, is_int8),
    };
    bench.measure(contest, entrants, absent).map_err(|error| error.to_string())
}
