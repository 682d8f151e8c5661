//! `tilewise bert` end to end: a tiny model's folder, its answers, and what is refused.

#[path = "../bert/folder.rs"]
mod folder;

use super::{json, refused, tilewise};
use folder::{Folder, HIDDEN};
use serde_json::Value;
use std::fs;

/// Lines of the STS benchmark over the tiny model's words.
const PAIRS: &str = "g\tf\ty\t1\t4.5\tthe cat sat\tthe cat sat on\n\
                     g\tf\ty\t2\t0.5\tthe mat ?\ta cat\n\
                     g\tf\ty\t3\t2.5\ton the mat\tthe cats on the mat sat\n";

const QUESTIONS: &str = r#"{"version":"1.1","data":[{"title":"t","paragraphs":[{
    "context":"the cat sat on the mat a cat sat on a mat","qas":[
    {"id":"1","question":"the cat ?","answers":[{"answer_start":0,"text":"the cat"}]},
    {"id":"2","question":"a mat ?","answers":[{"answer_start":34,"text":"a mat"}]}]}]}]}"#;

fn model() -> (Folder, String) {
    let folder = Folder::whole();
    let path = folder.path().display().to_string();
    (folder, path)
}

#[test]
fn every_bert_command_shows_an_example() {
    for command in ["bench", "embed", "qa", "eval"] {
        let output = tilewise(&format!("bert {command} --help")).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("tilewise bert {command}")), "{command}: {text}");
    }
}

#[test]
fn lines_become_vectors() {
    let (_folder, model) = model();
    for precision in ["fp32", "int8"] {
        let arguments = format!("bert embed --model {model} --precision {precision} --batch 2");
        let lines = "the cat sat\non the mat\nthe cat sat\n";
        let output = tilewise(&arguments).write_stdin(lines).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let vectors: Vec<Vec<f64>> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(vectors.len(), 3);
        assert_eq!(vectors[0], vectors[2], "the same line in another batch");
        for vector in &vectors {
            assert_eq!(vector.len(), HIDDEN);
            let length: f64 = vector.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }
    let mut command = tilewise(&format!("bert embed --model {model} --json"));
    let output = command.write_stdin("a cat\n").output().expect("it runs");
    let value: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    super::assert_schema("bert", &value);
    assert_eq!((value["line"].as_u64(), value["tokens"].as_u64()), (Some(1), Some(4)));
}

#[test]
fn lines_that_cannot_be_read_are_told() {
    let (_folder, model) = model();
    let run = |input: &[u8]| {
        let command = format!("bert embed --model {model}");
        let output = tilewise(&command).write_stdin(input).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
    };
    let (status, said, out) = run(b"the cat\n\xff\xfe\n");
    assert_eq!(status, Some(1));
    assert!(said.contains("line 2") && said.contains("UTF-8"), "{said}");
    assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1, "line 1 is answered");
    let (status, said, _) = run(b"the cat\n\n");
    assert!(status == Some(1) && said.contains("line 2") && said.contains("empty"), "{said}");
    let (status, said, _) = run("cat ".repeat(100).as_bytes());
    assert!(status == Some(0) && said.contains("78 tokens") && said.contains("24"), "{said}");
}

#[test]
fn pairs_and_questions_are_evaluated() {
    let (folder, model) = model();
    folder.write("pairs.csv", PAIRS);
    folder.write("questions.json", QUESTIONS);
    for precision in ["fp32", "int8", "int8-static", "both"] {
        let sts = format!(
            "bert eval --model {model} --task sts --data {model}/pairs.csv --precision {precision} \
             --batch 2 --json"
        );
        let value = json(&sts, "bert");
        assert_eq!((value["count"].as_u64(), value["partial"].as_bool()), (Some(3), Some(false)));
        assert!(value["metric"].as_f64().is_some_and(|metric| metric.abs() <= 1.0), "{value}");
        assert_eq!(value["fp32"].is_object(), precision == "both");
        let linear = &value["operation_counts"]["linear"];
        let bytes = if precision == "fp32" { 0 } else { 8 };
        assert_eq!((linear["total"].as_u64(), linear["int8"].as_u64()), (Some(8), Some(bytes)));
    }
    for stride in ["overlap:4", "step:5"] {
        let squad = format!(
            "bert eval --model {model} --task squad --data {model}/questions.json --precision fp32 \
             --window 16 --stride {stride} --json"
        );
        let value = json(&squad, "bert");
        assert_eq!(value["count"], 2);
        assert!(value["sequences"].as_u64().is_some_and(|windows| windows > 2), "{value}");
        assert!(
            value["stride"].as_str().is_some_and(|text| text.contains(&stride[stride.len() - 1..]))
        );
    }
    let both =
        format!("bert eval --model {model} --task sts --data {model}/pairs.csv --precision both");
    let output = tilewise(&both).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for word in ["spearman", "relative change", "p99", "INT8", "layer norm"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn questions_are_answered_with_words_of_the_text() {
    let (folder, model) = model();
    folder.write("text.txt", "the cat sat on the mat");
    let text = format!("{model}/text.txt");
    let mut command = tilewise(&format!("bert qa --model {model} --context {text} --json"));
    let output = command.args(["--question", "the cat ?"]).output().expect("it runs");
    let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    super::assert_schema("bert", &value);
    let span = value["start"].as_u64().unwrap() as usize..value["end"].as_u64().unwrap() as usize;
    assert_eq!(value["answer"].as_str(), Some(&"the cat sat on the mat"[span]));

    folder.write("text.txt", " \n");
    refused(&format!("bert qa --model {model} --context {text} --question cat"), 1, &["empty"]);
    fs::write(folder.path().join("text.txt"), [0xff]).expect("a file");
    refused(&format!("bert qa --model {model} --context {text} --question cat"), 1, &["UTF-8"]);
    let absent = format!("bert qa --model {model} --context {model}/none --question cat");
    refused(&absent, 1, &["--context", "No such file"]);
}

#[test]
fn forward_passes_are_measured() {
    let (_folder, model) = model();
    for precision in ["fp32", "int8", "int8-static", "both"] {
        let arguments =
            format!("bert bench --model {model} --batch 2 --seq 10 --precision {precision} --json");
        let value = json(&arguments, "bert");
        assert_eq!(value["fp32"].is_object(), precision == "both");
        let shares = value["operations"].as_object().expect("operations").values();
        let sum: f64 = shares.filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
    #[cfg(target_os = "linux")]
    {
        let arguments = format!(
            "bert bench --model {model} --seq 10 --instances 1 --cores-per-instance 1 --json"
        );
        let value = json(&arguments, "bert");
        assert!(value["latency_s"]["p99"].as_f64() >= value["latency_s"]["p50"].as_f64());
    }
}

#[test]
fn bad_bert_input_is_refused() {
    let (folder, model) = model();
    refused("bert", 2, &["bench", "embed", "qa", "eval"]);
    refused("bert bench --model /no/such", 1, &["/no/such/config.json", "not found"]);
    refused(&format!("bert bench --model {model} --seq 25"), 2, &["--seq 25", "1 to 24"]);
    refused(&format!("bert bench --model {model} --seq 0"), 2, &["--seq 0"]);
    refused("bert bench --batch 0", 2, &["--batch 0"]);
    refused("bert bench --precision int4", 2, &["int4", "int8"]);
    refused(&format!("bert bench --model {model} --shape base"), 2, &["--shape"]);
    let many = format!("bert bench --model {model} --seq 4 --instances 9999");
    refused(&many, 2, &["--instances 9999", "cores"]);
    refused(&format!("bert bench --model {model} --cores-per-instance 1"), 2, &["--instances"]);
    let eval = format!("bert eval --model {model} --task sts --data {model}/config.json");
    refused(&eval, 1, &["config.json, line 1", "fields"]);
    let squad = eval.replace("sts", "squad");
    refused(&squad, 1, &["config.json", "data"]);
    refused(&format!("{squad} --stride 128"), 2, &["overlap:N"]);
    folder.write("questions.json", QUESTIONS);
    let squad = squad.replace("config.json", "questions.json");
    refused(&format!("{squad} --window 25"), 2, &["--window 25", "at most 24"]);
    refused(&format!("{squad} --window 4"), 2, &["4 tokens", "no room"]);
    folder.configure("hidden_act", "swish".into());
    refused(&format!("bert bench --model {model} --seq 4"), 1, &["hidden_act", "swish", "gelu"]);
    folder.configure("intermediate_size", 63.into());
    refused(
        &format!("bert bench --model {model} --seq 4"),
        1,
        &["intermediate", "[64, 32]", "[63, 32]"],
    );
}
