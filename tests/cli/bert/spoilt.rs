//! Models that look sound until a text comes: one line says what is wrong, and there is no result.

use super::folder::{Folder, WORDS};
use super::{PAIRS, QUESTIONS, model};
use crate::{refused, tilewise};
use serde_json::{Value, json};

/// A model that makes NaN of texts with these words, and remarks nothing.
fn spoilt(words: impl IntoIterator<Item = usize>) -> (Folder, String) {
    let (folder, path) = model();
    folder.tokenizer(|tokenizer| tokenizer["truncation"] = Value::Null);
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": true}"#);
    folder.spoil(words);
    (folder, path)
}

/// "?" is in one pair and in every question.
#[test]
fn what_is_no_number_is_said_of_the_model_and_the_text() {
    let (folder, model) = spoilt([11]);
    folder.write("pairs.csv", PAIRS);
    folder.write("questions.json", QUESTIONS);
    folder.write("text.txt", "the cat sat on the mat");
    let said: [&str; 3] = [&model, "the model makes a NaN or an infinity", "a weight is wrong"];
    for precision in ["fp32", "int8", "both"] {
        let eval = |task: &str, data: &str| {
            format!(
                "bert eval --model {model} --task {task} --data {model}/{data} \
                 --precision {precision}"
            )
        };
        let named = |name| [&said[..], &[name]].concat();
        refused(&eval("sts", "pairs.csv"), 1, &named("pair 2: "));
        refused(&eval("squad", "questions.json"), 1, &named("question \"1\": "));
    }
    for precision in ["fp32", "int8"] {
        let flags = format!("--model {model} --precision {precision}");
        let qa = format!("bert qa {flags} --context {model}/text.txt");
        refused(&format!("{qa} --question ?"), 1, &said);
        let mut embed = tilewise(&format!("bert embed {flags}"));
        let output = embed.write_stdin("the cat\na mat ?\n").output().expect("it runs");
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), words.lines().count()), (Some(1), 1), "{words}");
        assert!(output.stdout.is_empty(), "vectors of a batch that failed");
        for word in said.into_iter().chain(["standard input, line 2: "]) {
            assert!(words.contains(word), "{words}");
        }
        // Sound texts are answered as if nothing were wrong.
        let mut embed = tilewise(&format!("bert embed {flags}"));
        let output = embed.write_stdin("the cat\n").output().expect("it runs");
        assert!(output.status.success() && output.stdout.starts_with(b"["));
    }
}

#[test]
fn no_time_of_what_is_no_number_is_printed() {
    let (_folder, model) = spoilt(0..WORDS.len());
    for precision in ["fp32", "int8", "int8-static", "both"] {
        let bench = format!("bert bench --model {model} --seq 10 --precision {precision}");
        refused(&bench, 1, &[&model, "the model makes a NaN"]);
    }
}

/// Where the tokenizer panics, the last line is the reason.
#[test]
fn a_tokenizer_that_panics_is_told() {
    let (folder, model) = model();
    // A table of characters in base64: its length, then 128 empty places, too few for what is not ASCII.
    let table = format!("AAIA{}", "AAAA".repeat(171));
    folder.tokenizer(|tokenizer| {
        tokenizer["normalizer"] = json!({ "type": "Precompiled", "precompiled_charsmap": table });
    });
    folder.write("pairs.csv", PAIRS.replace("a cat", "a caf\u{e9}"));
    let eval = format!("bert eval --model {model} --task sts --data {model}/pairs.csv");
    let output = tilewise(&eval).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{said}");
    let last = said.lines().last().expect("a line");
    for word in ["pairs.csv", "pair 2", "the tokenizer cannot use it"] {
        assert!(last.contains(word), "{said}");
    }
}
