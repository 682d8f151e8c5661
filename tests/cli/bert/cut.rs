//! What becomes of texts that are longer than a model reads, and that it is told.

use super::folder::{Folder, HIDDEN};
use super::{QUESTIONS, model};
use crate::{assert_schema, refused, tilewise};
use serde_json::Value;

/// A model of 128 positions.
fn long() -> (Folder, String) {
    let (folder, path) = model();
    folder.configure("max_position_embeddings", 128.into());
    folder.tensors(|mut tensors| {
        let positions = tensors.iter_mut().find(|tensor| tensor.name.contains("position"));
        let positions = positions.expect("every model has them");
        positions.shape = vec![128, HIDDEN];
        positions.bytes = positions.bytes.repeat(6);
        positions.bytes.truncate(128 * HIDDEN * size_of::<f32>());
        tensors
    });
    (folder, path)
}

/// Runs a command that must succeed; its JSON and what it says.
fn told(arguments: &str) -> (Value, String) {
    let output = tilewise(arguments).arg("--json").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments}: {said}");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_schema("bert", &value);
    (value, said)
}

fn cut(value: &Value) -> [Option<u64>; 2] {
    ["truncated", "dropped"].map(|name| value[name].as_u64())
}

/// Windows follow the limit that is documented, and what is said of it is so.
#[test]
fn windows_follow_the_limit_of_the_model() {
    let (folder, model) = model();
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": 12}"#);
    folder.write("questions.json", QUESTIONS);
    let eval = format!(
        "bert eval --model {model} --task squad --data {model}/questions.json --stride overlap:2"
    );
    let output = tilewise(&format!("{eval} --json")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("in windows of 12") && !said.contains("cut"), "{said}");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    // Twelve pieces beside a question of three: 6, by steps of 4.
    assert_eq!(value["sequences"], 6);
    assert_eq!((value["truncated"].as_u64(), value["dropped"].as_u64()), (Some(0), Some(0)));
    refused(&format!("{eval} --window 13"), 2, &["--window 13", "at most 12", "limit"]);
}

#[test]
fn an_answer_says_how_its_text_was_read() {
    let (folder, model) = model();
    folder.write("text.txt", "the cat sat on the mat a cat sat on a mat a cat");
    let qa = format!("bert qa --model {model} --context {model}/text.txt --question cat");
    for (flags, window, said) in [
        ("--window 16 --stride overlap:4", 16, "overlap by 4 tokens"),
        ("--window 16 --stride step:5", 16, "begin every 5 tokens"),
        ("--stride overlap:9", 24, "overlap by 9 tokens"),
        ("", 24, "overlap by 128 tokens"),
    ] {
        let (value, _) = told(&format!("{qa} {flags}"));
        assert_eq!(value["window"], window, "{value}");
        assert_eq!(value["stride"], format!("windows {said}"));
        let output = tilewise(&format!("{qa} {flags}")).output().expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(words.contains(&format!("windows of {window} tokens that {said}")), "{words}");
    }
}

#[test]
fn what_is_cut_from_a_question_is_told() {
    let (folder, model) = model();
    folder.write("text.txt", "the cat sat on the mat");
    let question = "the cat ".repeat(40);
    let mut command = tilewise(&format!("bert qa --model {model} --context {model}/text.txt"));
    let output = command.args(["--question", &question]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // 64 pieces are what a question is cut to, and more than a window of 24 has room for.
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("question of 64 and 3"), "{said}");
    let mut command =
        tilewise(&format!("bert qa --model {model} --context {model}/text.txt --question ?"));
    let output = command.arg("--json").output().expect("it runs");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_schema("bert", &value);
    assert_eq!(value["dropped"], 0);
}

#[test]
fn what_is_cut_from_sentences_is_told() {
    let (folder, model) = model();
    folder.write("pairs.csv", format!("g\tf\ty\t1\t4.5\t{}\ta cat\n", "the cat ".repeat(20)));
    let eval = format!("bert eval --model {model} --task sts --data {model}/pairs.csv");
    let (value, said) = told(&eval);
    // Forty pieces and two special tokens.
    assert!(said.contains("texts cut at the limit of 24 tokens: 1"), "{said}");
    assert_eq!(cut(&value), [Some(1), Some(18)]);
}

#[test]
fn sentences_have_no_windows() {
    let (folder, model) = model();
    folder.write("pairs.csv", "g\tf\ty\t1\t4.5\tthe cat\ta cat\n");
    for flag in ["--window 9999", "--stride step:128"] {
        let eval = format!("bert eval --model {model} --task sts --data {model}/pairs.csv {flag}");
        let output = tilewise(&eval).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        let name = flag.split(' ').next().expect("a word");
        assert!(said.contains(name) && said.contains("--task squad"), "{said}");
    }
}

/// Where windows step, as BERT's own script does.
#[test]
fn what_is_cut_from_long_questions_is_told() {
    let (folder, model) = long();
    let question = "the cat ".repeat(35);
    folder.write("questions.json", QUESTIONS.replace("the cat ?", &question));
    folder.write("text.txt", "the cat sat on the mat");
    let windows = "--window 100 --stride step:4";
    let eval = format!("bert eval --model {model} --task squad --data {model}/questions.json");
    let (value, said) = told(&format!("{eval} {windows}"));
    assert!(said.contains("questions cut to 64 pieces: 1"), "{said}");
    assert_eq!(cut(&value), [Some(1), Some(6)]);
    let qa = format!("bert qa --model {model} --context {model}/text.txt {windows}");
    // Whether so strange a question has an answer does not matter.
    let output = tilewise(&qa).args(["--question", &question]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("--question: pieces cut off past the first 64: 6"), "{said}");
}
