//! Evaluations that are interrupted: what was judged until then is said, timed, and called a part; where
//! nothing was judged nothing is left.
#![cfg(unix)]

use super::folder::{Folder, Tensor};
use super::{PAIRS, model};
use crate::assert_schema;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Pairs that take far longer than anybody waits here.
const PLANNED: u64 = 90_000;

/// Tokens of the sentences of `PAIRS`, special ones included.
const LENGTHS: [u64; 6] = [5, 6, 5, 4, 5, 9];

/// Layers of a model that takes far longer than anybody waits here to run a few thousand pairs.
const DEEP: usize = 400;

/// What an evaluation prints that is interrupted so long after it said these words, and all that it
/// says.
fn interrupted(model: &str, flags: &[&str], (words, wait): (&str, Duration)) -> (String, String) {
    let data = format!("{model}/pairs.csv");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"))
        .args(["bert", "eval", "--model", model, "--task", "sts", "--data", &data])
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    let mut errors = BufReader::new(child.stderr.take().expect("piped"));
    while !said.contains(words) {
        let read = errors.read_line(&mut said).expect("a line");
        assert!(read > 0, "it does not say {words:?}: {said}");
    }
    std::thread::sleep(wait);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    errors.read_to_string(&mut said).expect("UTF-8");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{said}");
    (String::from_utf8(output.stdout).expect("UTF-8"), said)
}

/// The same of many pairs while batches are judged.
fn partial(flags: &[&str]) -> (String, String) {
    let (folder, model) = model();
    folder.write("pairs.csv", PAIRS.repeat(30_000));
    // Pairs whose sentences are of another length each would be whole at the end only.
    let mut all = vec!["--batch", "1", "--order", "arrival"];
    all.extend(flags);
    // The files of the model disagree, which is told once all texts are read. What comes between that
    // and the first batch takes longer on a busy machine.
    for seconds in [0.5, 2.0, 8.0] {
        let when = ("limits disagree", Duration::from_secs_f64(seconds));
        let (text, said) = interrupted(&model, &all, when);
        if !text.is_empty() {
            return (text, said);
        }
        assert!(said.contains("nothing was judged yet"), "{said}");
    }
    panic!("nothing is judged within 8 s");
}

#[test]
fn an_interrupted_evaluation_says_what_part_it_is() {
    let (text, _) = partial(&["--json"]);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_schema("bert", &value);
    let planned = value["planned"].as_u64();
    assert_eq!((value["partial"].as_bool(), planned), (Some(true), Some(PLANNED)));
    let count = value["count"].as_u64().expect("a number");
    assert!((1..PLANNED).contains(&count), "{value}");
    assert!(value["encode_s"].as_f64() > Some(0.0) && value["examples_per_s"].is_f64(), "{value}");
    assert_eq!(value["judged"], "the first");
    // Of the next pair the first sentence may have been run.
    let sequences = value["sequences"].as_u64().expect("a number");
    assert_eq!(sequences / 2, count, "{value}");
    assert_eq!(value["operation_counts"]["linear"]["sequences"], sequences);
    let tokens: u64 = LENGTHS.iter().cycle().take(sequences as usize).sum();
    assert_eq!(value["tokens"], tokens);
}

#[test]
fn people_are_told_that_it_is_a_part() {
    let (text, said) = partial(&["--precision", "both"]);
    assert!(text.trim_start().starts_with("partial result"), "{text}");
    for words in ["the first ", " of 90000", "spearman", "times as fast", "operation type"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    for words in ["interrupted: what was judged until now will be said", "the result is partial"] {
        assert!(said.contains(words), "{said}");
    }
}

/// Gives a model more layers, all like its last.
fn deepen(folder: &Folder) {
    folder.configure("num_hidden_layers", DEEP.into());
    folder.tensors(|mut tensors| {
        for layer in 2..DEEP {
            let last = tensors.iter().filter(|tensor| tensor.name.contains(".layer.1."));
            let copies: Vec<Tensor> = last.map(|tensor| in_layer(tensor, layer)).collect();
            tensors.extend(copies);
        }
        tensors
    });
}

/// A tensor of layer 1 in another one.
fn in_layer(tensor: &Tensor, layer: usize) -> Tensor {
    Tensor {
        name: tensor.name.replace(".layer.1.", &format!(".layer.{layer}.")),
        shape: tensor.shape.clone(),
        bytes: tensor.bytes.clone(),
        dtype: tensor.dtype,
    }
}

fn names(folder: &Folder) -> BTreeSet<OsString> {
    let entries = fs::read_dir(folder.path()).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name()).collect()
}

#[test]
fn an_interruption_before_anything_is_judged_leaves_nothing() {
    let (folder, model) = model();
    deepen(&folder);
    folder.write("pairs.csv", PAIRS.repeat(4000));
    let before = names(&folder);
    let ranges = format!("{model}/ranges.json");
    // Eight batches are all there is: ranges take as long to find as a whole evaluation.
    let flags = ["--precision", "int8-static", "--save-ranges", &ranges, "--batch", "3000"];
    let when = ("ranges of inputs are found on", Duration::ZERO);
    let (text, said) = interrupted(&model, &flags, when);
    assert_eq!(said.lines().last(), Some("interrupted: nothing was judged yet"), "{said}");
    assert!(text.is_empty(), "{text}");
    assert_eq!(names(&folder), before);
}
