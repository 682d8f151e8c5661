//! What a model's own files say is followed by every command, and what is not there is named.

use super::folder::HIDDEN;
use super::{PAIRS, model};
use crate::{json, refused, tilewise};
use serde_json::Value;
use std::fs;
use tilewise::Solo;
use tilewise_harness::bert::{Batch, Checkpoint, Config, Encoder, Pooling, Precision, Room};

/// The vector of a sentence, by the command.
fn embedded(model: &str) -> Vec<f32> {
    let mut command = tilewise(&format!("bert embed --model {model} --precision fp32"));
    let output = command.write_stdin("the cat sat\n").output().expect("it runs");
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

#[test]
fn sentences_are_pooled_as_the_model_says() {
    let (folder, model) = model();
    let config = Config::read(folder.path()).expect("a configuration");
    let source = Checkpoint::open(folder.path()).expect("a checkpoint");
    let encoder = Encoder::new(&config, &source, Precision::Fp32).expect("a model");
    let mut batch = Batch::default();
    batch.push(&[2, 4, 5, 6, 3]);
    let mut room = Room::default();
    let states = encoder.encode(&batch, &mut room, &Solo).expect("states");
    let pooled = |pooling: Pooling| {
        let mut sentence = vec![0.0; HIDDEN];
        pooling.pool(states.data(), &mut sentence);
        sentence
    };
    assert_eq!(embedded(&model), pooled(Pooling::Mean));
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    assert_eq!(embedded(&model), pooled(Pooling::Cls));
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_max_tokens": true}"#);
    refused(&format!("bert embed --model {model}"), 1, &["1_Pooling", "max_tokens", "mean or cls"]);
}

#[test]
fn what_files_disagree_about_or_leave_out_is_told_once() {
    let (folder, model) = model();
    folder.write("text.txt", "the cat sat");
    folder.write("pairs.csv", PAIRS);
    let commands = [
        format!("bert embed --model {model} --batch 1"),
        format!("bert qa --model {model} --context {model}/text.txt --question cat"),
        format!("bert eval --model {model} --task sts --data {model}/pairs.csv --precision both"),
    ];
    let told = |words: &str| {
        commands.each_ref().map(|arguments| {
            let mut command = tilewise(arguments);
            if arguments.starts_with("bert embed") {
                command.write_stdin("the cat\na cat\non the mat\n");
            }
            let output = command.output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{said}");
            said.matches(words).count()
        })
    };
    assert_eq!(told("limits disagree"), [1, 1, 1]);
    folder.tokenizer(|tokenizer| tokenizer["truncation"] = Value::Null);
    assert_eq!(told("limits disagree"), [0, 0, 0]);
    // Answers are not pooled.
    assert_eq!(told("no pooling file"), [1, 0, 1]);
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": true}"#);
    assert_eq!(told("no pooling file"), [0, 0, 0]);
}

/// Weights come from the seed then, and token numbers too: there is no tokenizer.
#[test]
fn a_model_of_a_published_size_needs_no_files() {
    let output = tilewise("bert bench --help").output().expect("it runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for word in ["[default: base]", "large", "minilm"] {
        assert!(help.contains(word), "{help}");
    }
    let bench = |seed: usize| {
        json(&format!("bert bench --shape minilm --seq 2 --seed {seed} --json"), "bert")
    };
    let (one, two) = (bench(1), bench(2));
    assert_eq!(one["model"], "minilm, random weights");
    for (name, size) in [("layers", 6), ("hidden", 384), ("heads", 12), ("intermediate", 1536)] {
        assert_eq!(one["shape"][name], size, "{name}");
    }
    assert_ne!(one["check"]["output_digest"], two["check"]["output_digest"]);
}

#[test]
fn what_is_not_there_is_named() {
    let (folder, model) = model();
    folder.write("text.txt", "the cat sat");
    let qa = format!("bert qa --model {model} --context {model}/text.txt");
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        let (here, away) = (folder.path().join(name), folder.path().join("away"));
        fs::rename(&here, &away).expect("it was there");
        refused(&format!("bert embed --model {model}"), 1, &[name, "no such file"]);
        fs::rename(&away, &here).expect("it is there");
    }
    let file = format!("bert embed --model {model}/config.json");
    refused(&file, 1, &["config.json: it is a file; expected a model's folder"]);
    for (task, words) in [("sts", "no pairs"), ("squad", "no questions")] {
        let eval = format!("bert eval --model {model} --task {task} --data {model}/data");
        refused(&eval, 1, &["data", "o such file"]);
        folder.write("data", if task == "sts" { "\n" } else { r#"{"data": []}"# });
        refused(&eval, 1, &["data", words]);
        fs::remove_file(folder.path().join("data")).expect("it was there");
    }
    let output = tilewise(&qa).args(["--question", " "]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--question: the text is empty"), "{said}");
    assert_eq!(output.status.code(), Some(2));
    folder.configure("type_vocab_size", 1.into());
    refused(&format!("{qa} --question cat"), 1, &["segment number 1", "below 1"]);
    folder.configure("type_vocab_size", 2.into());
    folder.tensors(|mut tensors| {
        tensors.retain(|tensor| tensor.name != "qa_outputs.weight");
        tensors
    });
    refused(&format!("{qa} --question cat"), 1, &["no tensor", "qa_outputs.weight"]);
}
