//! What evaluations find is what the other commands' vectors and answers come to.

use super::model;
use crate::{json, refused, tilewise};
use serde_json::Value;

/// The vectors of some lines.
fn embedded(model: &str, precision: &str, lines: &[&str]) -> Vec<Vec<f64>> {
    let mut command = tilewise(&format!("bert embed --model {model} --precision {precision}"));
    let output = command.write_stdin(lines.join("\n")).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Scores that go with the cosines, and against them.
#[test]
fn correlations_are_those_of_the_vectors() {
    let (folder, model) = model();
    let sentences =
        ["the cat sat", "the cat sat on", "the mat ?", "a cat", "on a mat", "the cats", "a", "?"];
    let cosine =
        |pair: &[Vec<f64>]| -> f64 { pair[0].iter().zip(&pair[1]).map(|(a, b)| a * b).sum() };
    let eval = format!("bert eval --model {model} --task sts --data {model}/pairs.csv --json");
    for (precision, sign) in [("fp32", 1.0f64), ("fp32", -1.0), ("int8", 1.0), ("int8", -1.0)] {
        let vectors = embedded(&model, precision, &sentences);
        let line = |(pair, vectors): (&[&str], &[Vec<f64>])| {
            let score = 2.5 + 2.0 * sign * cosine(vectors);
            format!("g\tf\ty\t1\t{score}\t{}\t{}\n", pair[0], pair[1])
        };
        let pairs = sentences.chunks(2).zip(vectors.chunks(2));
        folder.write("pairs.csv", pairs.map(line).collect::<String>());
        for flags in ["--order sorted --batch 3", "--order arrival"] {
            let value = json(&format!("{eval} --precision {precision} {flags}"), "bert");
            assert_eq!(value["metric_name"], "spearman");
            // Cosines of so small a model are nearly the same, and rounded products add up to them.
            for name in ["metric", "pearson"] {
                let found = value[name].as_f64().expect("a number");
                assert!((found - sign).abs() < 1e-2, "{name}, {flags}: {value}");
            }
        }
    }
    let value = json(&format!("{eval} --precision both"), "bert");
    let [fp32, int8] = [&value["fp32"], &value].map(|side| side["metric"].as_f64().expect("one"));
    let change = value["relative_change"].as_f64().expect("a number");
    assert!((change - (int8 / fp32 - 1.0)).abs() < 1e-12, "{value}");
}

/// The answer that `bert qa` gives, held against right, nearly right and wrong ones.
#[test]
fn answers_are_judged_by_the_official_rules() {
    let (folder, model) = model();
    // Without articles, which do not count.
    let context = "cat sat on mat cat sat on mat";
    folder.write("text.txt", context);
    let qa = format!("bert qa --model {model} --context {model}/text.txt --question cat --json");
    let answer = json(&qa, "bert")["answer"].as_str().expect("words").to_owned();
    let asked = |id: &str, answers: &[&str]| {
        let answer = |text: &&str| serde_json::json!({ "text": text, "answer_start": 0 });
        let answers: Vec<Value> = answers.iter().map(answer).collect();
        serde_json::json!({ "id": id, "question": "cat", "answers": answers })
    };
    let questions = [
        asked("right", &["mouse", &format!("The {}!", answer.to_uppercase())]),
        asked("nearly", &[&format!("{answer} mouse")]),
        asked("wrong", &["mouse"]),
    ];
    let paragraph = serde_json::json!({ "context": context, "qas": questions });
    let file = serde_json::json!({ "data": [{ "paragraphs": [paragraph] }] });
    folder.write("questions.json", file.to_string());
    let eval = format!("bert eval --model {model} --task squad --data {model}/questions.json");
    let value = json(&format!("{eval} --json"), "bert");
    assert_eq!((&value["metric_name"], value["count"].as_u64()), (&"f1".into(), Some(3)));
    // Of the nearly right one all words are in the other, which has one more.
    let words = answer.split_whitespace().count() as f64;
    let f1 = 100.0 * (1.0 + 2.0 * words / (2.0 * words + 1.0)) / 3.0;
    for (name, expected) in [("metric", f1), ("exact_match", 100.0 / 3.0)] {
        let found = value[name].as_f64().expect("a number");
        assert!((found - expected).abs() < 1e-9, "{name} is not {expected}: {value}");
    }
    let value = json(&format!("{eval} --limit 1 --json"), "bert");
    let first = (value["count"].as_u64(), value["exact_match"].as_f64());
    assert_eq!(first, (Some(1), Some(100.0)), "the first is right");
    refused(&format!("{eval} --limit 0"), 2, &["--limit 0", "1 or more"]);
}

/// Where all scores are alike, the first twenty tokens are the best: the question and what is around it.
#[test]
fn why_there_is_no_answer_is_said() {
    let (folder, model) = model();
    folder.tensors(|mut tensors| {
        let head = tensors.iter_mut().find(|tensor| tensor.name == "qa_outputs.weight");
        head.expect("every model has it").bytes.fill(0);
        tensors
    });
    folder.write("text.txt", "the cat sat");
    let ask = |words: usize| {
        let mut qa = tilewise(&format!("bert qa --model {model} --context {model}/text.txt"));
        let output = qa.args(["--question", &"cat ".repeat(words)]).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (status, said) = ask(18);
    assert_eq!(status, Some(1), "{said}");
    for words in ["no part of the text is an answer", "20 best starts", "lie in the question"] {
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(ask(17).0, Some(0));
}

/// A row of numbers for each thing that is compared, one of them in each precision.
#[test]
fn precisions_stand_side_by_side() {
    let (folder, model) = model();
    folder.write("pairs.csv", super::PAIRS);
    let eval = format!("bert eval --model {model} --task sts --data {model}/pairs.csv");
    let output = tilewise(&format!("{eval} --precision both")).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let head = text.lines().next().expect("a line").split_whitespace();
    assert_eq!(head.collect::<Vec<_>>(), ["sts", "fp32", "int8"]);
    for (row, numbers) in [
        ("spearman", 2),
        ("pearson", 2),
        ("relative change", 1),
        ("pairs", 2),
        ("encoding", 2),
        ("duration", 2),
        ("pairs a second", 2),
        ("batch latency p50", 2),
        ("batch latency p90", 2),
        ("batch latency p99", 2),
        ("linear", 3),
        ("layer norm", 3),
    ] {
        let is_row = |line: &&str| {
            line.trim_start().strip_prefix(row).is_some_and(|rest| rest.starts_with("  "))
        };
        let line = text.lines().find(is_row).unwrap_or_else(|| panic!("no {row}: {text}"));
        let found = line.split_whitespace().filter(|word| word.parse::<f64>().is_ok()).count();
        assert!(found >= numbers, "{line:?} in {text}");
    }
}
