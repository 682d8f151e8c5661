//! Ranges of int8-static: found and written by an evaluation, read by every command, and refused where
//! they are none or another model's.

use super::folder::Folder;
use super::{PAIRS, model};
use crate::{assert_schema, json, refused, tilewise};
use serde_json::Value;
use std::fs;

/// An evaluation in int8-static on pairs that are written for it.
fn eval(folder: &Folder, model: &str) -> String {
    folder.write("pairs.csv", PAIRS);
    format!("bert eval --model {model} --task sts --data {model}/pairs.csv --precision int8-static")
}

fn written(folder: &Folder) -> Value {
    let text = fs::read_to_string(folder.path().join("ranges.json")).expect("a file");
    serde_json::from_str(&text).expect("JSON")
}

/// A model whose ranges stand in its folder; and the evaluation that wrote them.
fn calibrated() -> (Folder, String, Value) {
    let (folder, model) = model();
    let save = format!("{} --save-ranges {model}/ranges.json --json", eval(&folder, &model));
    let value = json(&save, "bert");
    (folder, model, value)
}

#[test]
fn ranges_that_were_written_are_used() {
    let (folder, model, found) = calibrated();
    assert_eq!(found["calibrated_on"], "the first 1 batches of the data itself");
    let layers = written(&folder)["layers"].clone();
    assert_eq!(layers.as_array().map(Vec::len), Some(2));
    let ranges = format!("--ranges {model}/ranges.json");
    let output = tilewise(&format!("{} {ranges} --json", eval(&folder, &model))).output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !said.contains("data itself"), "{said}");
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_schema("bert", &read);
    assert_eq!(read["calibrated_on"], format!("{model}/ranges.json"));
    for name in ["metric", "check"] {
        assert_eq!(read[name], found[name], "{name}");
    }

    let embed = format!("bert embed --model {model} --precision int8-static {ranges}");
    let output = tilewise(&embed).write_stdin("the cat sat\n").output().expect("it runs");
    let fixed = String::from_utf8(output.stdout).expect("UTF-8");
    let output =
        tilewise(&format!("bert embed --model {model}")).write_stdin("the cat sat\n").output();
    let each = String::from_utf8(output.expect("it runs").stdout).expect("UTF-8");
    assert!(fixed.starts_with('[') && fixed != each, "{fixed}");
    folder.write("text.txt", "the cat sat on the mat");
    let qa = format!("bert qa --model {model} --context {model}/text.txt --question cat");
    let value = json(&format!("{qa} --precision int8-static {ranges} --json"), "bert");
    assert_eq!(value["dtype"], "int8-static");
}

#[test]
fn files_that_are_no_ranges_are_refused() {
    let (folder, model, _) = calibrated();
    let right = written(&folder);
    let embed =
        format!("bert embed --model {model} --precision int8-static --ranges {model}/ranges.json");
    let named = |word| ["--ranges", "ranges.json", "--save-ranges", word];
    let spoilt = |text: String, word| {
        folder.write("ranges.json", text);
        refused(&embed, 1, &named(word));
    };
    let text = right.to_string();
    spoilt(text[..text.len() / 2].into(), "EOF");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = right.clone();
        change(&mut changed);
        changed.to_string()
    };
    let end = |end: f64| with(&|ranges| ranges["layers"][1]["feed-forward-up"][0] = end.into());
    spoilt(end(-98765.5).replace("-98765.5", "NaN"), "line 1");
    spoilt(end(-98765.5).replace("-98765.5", "null"), "null");
    spoilt(end(-98765.5).replace("-98765.5", "-1e39"), "out of range");
    spoilt(end(1e9), "feed-forward-up of layer 1 is [1000000000.0, ");
    spoilt(with(&|ranges| ranges["schema"] = 2.into()), "schema is 2; expected 1");
    spoilt(with(&|ranges| ranges["layers"][0] = serde_json::json!({})), "query-key-value");
    spoilt("[]".into(), "invalid");
    fs::remove_file(folder.path().join("ranges.json")).expect("it was there");
    refused(&embed, 1, &named("no such file"));
}

#[test]
fn ranges_of_another_model_are_refused() {
    let (folder, model, _) = calibrated();
    let embed =
        format!("bert embed --model {model} --precision int8-static --ranges {model}/ranges.json");
    folder.tensors(|mut tensors| {
        let bias = tensors.iter_mut().find(|tensor| tensor.name.ends_with("1.output.dense.bias"));
        bias.expect("a bias").bytes[..4].copy_from_slice(&0.25f32.to_le_bytes());
        tensors
    });
    refused(&embed, 1, &["--ranges", "ranges of the model", "this one", "--save-ranges"]);
    folder.configure("num_hidden_layers", 1.into());
    refused(&embed, 1, &["--ranges", "8 linear layers; expected 4", "--save-ranges"]);
}

#[test]
fn flags_of_ranges_go_with_their_precision() {
    let (folder, model) = model();
    let eval = eval(&folder, &model);
    let embed = format!("bert embed --model {model}");
    let needs = ["--precision int8-static", "--ranges FILE", "--save-ranges"];
    refused(&format!("{embed} --precision int8-static"), 2, &needs);
    refused(&format!("{embed} --ranges ranges.json"), 2, &["--ranges", "int8-static"]);
    let floats = eval.replace("int8-static", "fp32");
    refused(&format!("{floats} --save-ranges r.json"), 2, &["--save-ranges", "int8-static"]);
    refused(
        &format!("{eval} --save-ranges r.json --ranges r.json"),
        2,
        &["--save-ranges", "--ranges"],
    );
    refused(&format!("{eval} --save-ranges {model}/r.txt"), 2, &["--save-ranges", ".json"]);
    refused(&format!("{eval} --save-ranges /no/such/r.json"), 1, &["/no/such/r.json"]);
}

#[test]
fn only_ranges_are_replaced() {
    let (folder, model, _) = calibrated();
    let first = written(&folder);
    folder.nest();
    let save = |name: &str| format!("{} --save-ranges {model}/{name}", eval(&folder, &model));
    folder.write("1_Pooling/config.json", "{}");
    folder.write("mine.json", "[1, 2");
    for name in [
        "modules.json",
        "0_Transformer/config.json",
        "0_Transformer/tokenizer.json",
        "1_Pooling/config.json",
        "mine.json",
    ] {
        let read = || fs::read(folder.path().join(name)).expect("a file");
        let before = read();
        refused(&save(name), 2, &["--save-ranges", name, "holds no ranges", "another file"]);
        assert!(read() == before, "{name} is another");
    }
    fs::remove_dir_all(folder.path().join("1_Pooling")).expect("it was there");
    let changed = first.to_string().replace("\"model\":\"", "\"model\":\"another ");
    folder.write("ranges.json", changed);
    json(&format!("{} --json", save("ranges.json")), "bert");
    assert_eq!(written(&folder), first);
}
