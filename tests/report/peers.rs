//! `report --peers`: a record that is shown, and those that are refused.

use super::{folder, json, refused};
use std::fs;
use std::path::Path;
use tilewise::gemm::Shape;
use tilewise_harness::gemm::task;
use tilewise_harness::peers::entrant::{Facts, OURS};
use tilewise_harness::peers::record::{Absent, Cell, Entry, Record, Run, SCHEMA};
use tilewise_harness::workload::{Cache, Check};
use tilewise_tuner::measure::{Estimate, Ratio};

fn entry(name: &str, seconds: f64, factor: Option<f64>) -> Entry {
    let estimate =
        |median: f64| Estimate { median, lo: median * 0.99, hi: median * 1.01, rounds: 12 };
    Entry {
        facts: Facts {
            name: name.into(),
            title: format!("{name} the library"),
            version: "1.2.3".into(),
            dtype: "u8 x i8 -> i32".into(),
            other_precision: false,
            timed: "calls".into(),
            recipe: None,
        },
        check: Check::compare("three loops", &[1i32], &[1], 0.0),
        time: estimate(seconds),
        rate: estimate(0.15 / seconds),
        factor: factor.map(|factor| Ratio::new(estimate(factor), None)),
    }
}

/// A made-up record of a machine of that kind: one rival behind us, one ahead, one away, and an
/// interruption before the next cell.
pub(super) fn record(slug: &str) -> Record {
    let run = Run {
        schema: SCHEMA,
        command: "cargo bench".into(),
        started: "2026-01-01T00:00:00Z".into(),
        seconds: 1.0,
        interrupted: true,
        seed: 1,
        cpu: "a made-up CPU".into(),
        slug: slug.into(),
        threads_allowed: 1,
        machine: serde_json::json!({}),
        build: serde_json::json!({"commit": "0123abc", "state": "clean"}),
    };
    let cell = Cell {
        id: "gemm-1".into(),
        task: task(Shape { m: 128, n: 768, k: 768 }, Cache::Hot),
        threads: 1,
        entries: vec![
            entry(OURS, 1e-4, None),
            entry("slower", 2e-4, Some(2.0)),
            entry("faster", 0.9e-4, Some(0.9)),
        ],
        absent: vec![Absent { name: "away".into(), reason: "not installed".into() }],
        rounds: 12,
        marked: 0,
        control: None,
    };
    Record { run, cells: vec![cell] }
}

/// Writes one of this machine's kind.
pub(super) fn write(file: &Path) {
    let machine = json("machine --json", "machine");
    let slug = machine["slug"].as_str().expect("a machine has a slug");
    fs::write(file, record(slug).lines()).expect("written");
}

/// What a report with that record must say.
pub(super) fn shown(page: &str) {
    let absent = "away, in 1 of 1 cells: not installed";
    let part = "It was interrupted: cells are missing.";
    for part in ["Beside rivals", "faster the library", absent, "1.2.3", part] {
        assert!(page.contains(part), "{part:?} is missing");
    }
    assert!(!page.contains("no external alternative"), "there was one");
}

#[test]
fn records_survive_the_file() {
    let folder = folder();
    let file = folder.path().join("peers.jsonl");
    let written = record("somewhere");
    fs::write(&file, written.lines()).expect("written");
    assert_eq!(Record::read(&file).expect("it was just written"), written);
}

#[test]
fn records_that_cannot_be_shown_are_refused() {
    let folder = folder();
    let file = folder.path().join("peers.jsonl");
    let arguments = format!("report --quick --wisdom off --peers {}", file.display());
    refused(&arguments, 1, &["peers.jsonl", "cannot be read"]);
    let good = record("another-machine").lines();
    let run = good.lines().next().expect("the run");
    let newer = run.replace("\"schema\":1", "\"schema\":2");
    let cases: [(&str, &[&str]); 6] = [
        (&good, &["another-machine", "this machine is"]),
        ("", &["line 1", "it is empty"]),
        ("hello", &["line 1", "expected a peers.jsonl"]),
        (&newer, &["line 1", "schema 2"]),
        (&format!("{run}\n{run}"), &["line 2", "a second run"]),
        (&format!("{run}\n{{\"line\":\"cell\"}}"), &["line 2", "missing field"]),
    ];
    for (text, words) in cases {
        fs::write(&file, text).expect("written");
        refused(&arguments, 1, words);
    }
}
