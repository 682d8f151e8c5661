//! A made-up report, for testing how reports are drawn and judged. It never leaves the tests.

use super::model::*;
use crate::roofs::{Pattern, Quantity};
use crate::workload::{Amount, Cache, Check, Kind, RateUnit, Recipe, Source, Task};
use serde_json::json;
use tilewise_tuner::measure::{Estimate, Ratio};

pub(super) fn estimate(median: f64) -> Estimate {
    Estimate { median, lo: median * 0.985, hi: median * 1.02, rounds: 20 }
}

pub(super) fn ratio(median: f64) -> Ratio {
    Ratio::new(estimate(median), None)
}

/// Seconds of plain scalar, auto-vectorised, by hand, tiled, on two threads.
type Times = [f64; 5];

fn arm(cell: (&Amount, Option<f64>), name: &str, threads: usize, seconds: f64) -> Arm {
    let (work, limit) = cell;
    let (kind, isa) = match name {
        "plain" => (Kind::PlainScalar, "x86-64"),
        "auto" => (Kind::PlainVectorised, "x86-64-v4"),
        _ => (Kind::HandWritten, "avx512-vnni"),
    };
    let rate = estimate(work.work / seconds / 1e9);
    let bound = limit.filter(|_| kind == Kind::HandWritten).map(|limit| {
        let limit = estimate(limit * threads as f64);
        let share = estimate(rate.median / limit.median);
        let exceeded = rate.lo > limit.hi;
        Bound { roof: "int8-avx512-vnni".into(), limit, share, exceeded }
    });
    Arm {
        arithmetic: None,
        traffic: None,
        parts: Vec::new(),
        name: name.into(),
        title: format!("{name} code"),
        kind,
        isa: isa.into(),
        threads,
        recipe: (kind == Kind::HandWritten).then(|| Recipe {
            text: "6x4, mc 96, kc 512, nc 256".into(),
            value: json!({ "mc": 96 }),
            source: Source::Estimated,
            verdict: None,
        }),
        check: Check {
            reference: "three loops".into(),
            compared: 1 << 20,
            max_error: 0.0,
            tolerance: 0.0,
            output_digest: "0123456789abcdef".into(),
        },
        time: Some(estimate(seconds)),
        rate: Some(rate),
        bound,
    }
}

fn cell(kernel: &str, title: &str, work: Amount, times: Times, limit: Option<f64>) -> Cell {
    let names = ["plain", "auto", "simd", "tiled", "threaded"];
    let arms: Vec<Arm> = names
        .iter()
        .zip(times)
        .map(|(name, seconds)| {
            arm((&work, limit), name, 1 + usize::from(*name == "threaded"), seconds)
        })
        .collect();
    let labels = ["plain, scalar", "vectorised by compiler", "by hand", "tiled", "2 threads"];
    let mut rungs: Vec<Rung> = (0..5)
        .map(|i| Rung {
            label: labels[i].into(),
            arm: Some(names[i].into()),
            factor: (i > 0).then(|| ratio(times[i.saturating_sub(1)] / times[i])),
            note: None,
        })
        .collect();
    let note = Some("not tuned".into());
    rungs.push(Rung { label: "tuned".into(), arm: None, factor: None, note });
    Cell {
        id: format!("{kernel}-{}", title.replace(' ', "-")),
        origin: "made up".into(),
        task: Task {
            kernel: kernel.into(),
            title: title.into(),
            shape: json!({ "n": 1 }),
            dtype: "u8 x i8 -> i32".into(),
            amount: work,
            cache: Cache::Hot,
            timed: "rows in, rows out".into(),
        },
        rungs,
        total: Some(Total {
            from: "plain".into(),
            to: "threaded".into(),
            from_time: estimate(times[0]),
            to_time: estimate(times[4]),
            measured: ratio(times[0] / times[4]),
            ladder: Some(ratio(times[0] / times[4])),
            product: times[0] / times[4] * 1.01,
            agrees: true,
        }),
        headline: Some(Headline {
            baseline: "auto".into(),
            arm: "threaded".into(),
            factor: ratio(times[1] / times[4]),
            single_arm: "tiled".into(),
            single: ratio(times[1] / times[3]),
        }),
        comparisons: vec![Comparison {
            label: "structure of arrays against array of structures".into(),
            from: "simd".into(),
            to: "tiled".into(),
            factor: ratio(times[2] / times[3]),
        }],
        scaling: vec!["tiled".into(), "threaded".into()],
        control: Some(Ratio::new(Estimate { median: 1.0, lo: 0.99, hi: 1.01, rounds: 20 }, None)),
        rounds: 20,
        marked: 1,
        crowded: 1,
        arms,
        whole: Some(Whole {
            label: "All of it".into(),
            time: estimate(0.1),
            threads: 2,
            outcome: "12 iterations".into(),
        }),
        tried: [("plain, one way".into(), times[0]), ("plain, another".into(), 2.0 * times[0])]
            .into(),
    }
}

fn roofs() -> Vec<Roof> {
    let read = |memory| (json!({ "bandwidth": { "memory": memory, "pattern": "read" } }), "GB/s");
    let kinds = [
        ((json!("int8-compute"), "GOP/s"), "avx512-vnni", 985.0),
        ((json!("int8-compute"), "GOP/s"), "avx-vnni", 500.0),
        ((json!("f32-compute"), "GFLOP/s"), "avx512-vnni", 244.0),
        ((json!("f32-compute"), "GFLOP/s"), "avx2", 124.0),
        (read("L1"), "avx512-vnni", 390.0),
        (read("L2"), "avx512-vnni", 200.0),
        (read("L3"), "avx512-vnni", 100.0),
        (read("DRAM"), "avx512-vnni", 34.0),
    ];
    let one = |threads: usize| {
        kinds.clone().map(|((quantity, unit), isa, rate)| {
            let limit = |rate: f64| {
                serde_json::from_value(json!({
                    "name": format!("{quantity} {isa} {threads}"),
                    "quantity": quantity, "isa": isa, "threads": threads, "unit": unit,
                    "value": rate, "lo": rate * 0.99, "hi": rate * 1.01,
                    "working_set": 0, "note": null,
                }))
                .expect("it is a roof")
            };
            let rate = rate * threads as f64;
            Roof { before: limit(rate), after: Some(limit(rate * 1.004)) }
        })
    };
    [one(1), one(2)].concat()
}

/// A report with a win, a loss and a tie.
pub(super) fn report() -> Report {
    let product = |m: f64, k: f64, n: f64| Amount {
        formula: "2 m k n".into(),
        work: 2.0 * m * k * n,
        unit: RateUnit::Operations,
        operations: 1.0,
        bytes: (m * k + k * n + 4.0 * m * n) / (2.0 * m * k * n),
        working_set: 1e6,
        pattern: Pattern::Read,
        arithmetic: Some(Quantity::Int8Compute),
    };
    let (cube, flat) = (product(1024., 1024., 1024.), product(128., 768., 3072.));
    let distances = Amount {
        formula: "n k".into(),
        work: 273_280.0 * 64.0,
        unit: RateUnit::Distances,
        operations: 6.0,
        bytes: 16.0 / 64.0,
        working_set: 1e9,
        pattern: Pattern::StreamingCopy,
        arithmetic: Some(Quantity::F32Compute),
    };
    let updates = Amount {
        formula: "points x steps".into(),
        work: 512f64.powi(3),
        unit: RateUnit::Updates,
        operations: 8.0,
        bytes: 8.0,
        working_set: 1e9,
        pattern: Pattern::StreamingCopy,
        arithmetic: Some(Quantity::F32Compute),
    };
    let times = [0.61, 0.071, 0.0031, 0.00253, 0.00131];
    Report {
        schema: SCHEMA,
        mode: Mode::Quick,
        command: "tilewise report --quick --seed 1".into(),
        started: "2026-01-01T00:00:00Z".into(),
        seconds: 41.5,
        seed: 1,
        environment: Environment {
            cpu: "Made-up CPU <9000>".into(),
            slug: "made-up".into(),
            isas: vec!["scalar".into(), "avx512-vnni".into()],
            threads_allowed: 2,
            machine: json!({ "caches": { "l2": 1_048_576 }, "governor": "unreadable because" }),
            build: json!({ "commit": "0123abc", "flags": ["a", "b"] }),
            steal_share: Some(0.001),
        },
        roofs: roofs(),
        cells: vec![
            cell("gemm", "1024 x 1024 x 1024", cube, times, Some(985.0)),
            cell("gemm", "128 x 768 x 3072", flat, times.map(|t| t * 0.28), Some(985.0)),
            cell("kmeans", "pixels", distances, [0.03, 0.004, 0.001, 0.0006, 0.0003], Some(40.6)),
            cell("stencil", "heat7 512", updates, [0.2, 0.05, 0.052, 0.04, 0.03], Some(6.6)),
        ],
        skipped: vec![Skipped { id: "stencil-huge".into(), reason: "not enough memory".into() }],
        picture: None,
        peers: None,
        failures: Vec::new(),
        cautions: Vec::new(),
        samples: Samples::Inline(Vec::new()),
    }
}
