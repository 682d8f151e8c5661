//! Evaluations that are interrupted: what was judged until then is said, timed, and called a part.
#![cfg(unix)]

use super::{PAIRS, model};
use crate::assert_schema;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Pairs that take far longer than anybody waits here.
const PLANNED: u64 = 90_000;

/// What an evaluation prints that is interrupted half a second after all texts are read, and what it
/// says.
fn interrupted(flags: &[&str]) -> (String, String) {
    let (folder, model) = model();
    folder.write("pairs.csv", PAIRS.repeat(30_000));
    let data = format!("{model}/pairs.csv");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"))
        .args(["bert", "eval", "--model", &model, "--task", "sts", "--data", &data])
        // Pairs whose sentences are of another length each would be whole at the end only.
        .args(["--batch", "1", "--order", "arrival"])
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    // The files of the model disagree, which is told once all texts are read.
    let mut said = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    errors.read_line(&mut said).expect("a line");
    assert!(said.contains("limits disagree"), "{said}");
    std::thread::sleep(Duration::from_millis(500));
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    errors.read_to_string(&mut said).expect("UTF-8");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{said}");
    (String::from_utf8(output.stdout).expect("UTF-8"), said)
}

#[test]
fn an_interrupted_evaluation_says_what_part_it_is() {
    let (text, _) = interrupted(&["--json"]);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_schema("bert", &value);
    let planned = value["planned"].as_u64();
    assert_eq!((value["partial"].as_bool(), planned), (Some(true), Some(PLANNED)));
    let count = value["count"].as_u64().expect("a number");
    assert!((1..PLANNED).contains(&count), "{value}");
    assert!(value["encode_s"].as_f64() > Some(0.0) && value["examples_per_s"].is_f64(), "{value}");
}

#[test]
fn people_are_told_that_it_is_a_part() {
    let (text, said) = interrupted(&["--precision", "both"]);
    assert!(text.trim_start().starts_with("partial result"), "{text}");
    for words in ["the first ", " of 90000", "spearman", "times as fast", "operation type"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for words in ["interrupted: what was judged until now will be said", "the result is partial"] {
        assert!(said.contains(words), "{said}");
    }
}
