//! `tilewise bert` end to end: a tiny model's folder, its answers, and what is refused.

#[path = "bert/cut.rs"]
mod cut;
#[path = "bert/files.rs"]
mod files;
#[path = "../bert/folder.rs"]
mod folder;
#[path = "bert/interrupted.rs"]
mod interrupted;
#[path = "bert/judged.rs"]
mod judged;
#[path = "bert/ranges.rs"]
mod ranges;
#[path = "bert/spoilt.rs"]
mod spoilt;

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
    let mut command = tilewise(&format!("bert embed --model {model} --json --batch 1000000000"));
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
    assert!(status == Some(0) && said.contains("past the limit of 24: 78"), "{said}");
}

#[test]
fn pairs_are_evaluated() {
    let (folder, model) = model();
    folder.write("pairs.csv", PAIRS);
    for precision in ["fp32", "int8", "int8-static", "both"] {
        let sts = format!(
            "bert eval --model {model} --task sts --data {model}/pairs.csv --precision {precision} \
             --batch 2 --json"
        );
        let value = json(&sts, "bert");
        assert_eq!((value["count"].as_u64(), value["partial"].as_bool()), (Some(3), Some(false)));
        assert!(value["metric"].as_f64().is_some_and(|metric| metric.abs() <= 1.0), "{value}");
        assert_eq!(value["fp32"].is_object(), precision == "both");
        assert_eq!(value["calibrated_on"].is_string(), precision == "int8-static");
        assert!(
            value["rate"].as_f64() > Some(0.0) && value["check"]["max_error"] == 0.0,
            "{value}"
        );
        let linear = &value["operation_counts"]["linear"];
        let bytes = if precision == "fp32" { 0 } else { 8 };
        assert_eq!((linear["total"].as_u64(), linear["int8"].as_u64()), (Some(8), Some(bytes)));
    }
    let both =
        format!("bert eval --model {model} --task sts --data {model}/pairs.csv --precision both");
    let output = tilewise(&both).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for word in ["spearman", "relative change", "p99", "INT8", "layer norm"] {
        assert!(text.contains(word), "{text}");
    }
    assert!(text.contains("too few batches"), "{text}");
    let value = json(&format!("{both} --batch 1 --json"), "bert");
    let by_batch = &value["speed_ratio_by_batch"];
    assert!(
        by_batch["lo"].as_f64() <= by_batch["hi"].as_f64() && by_batch["lo"].is_f64(),
        "{value}"
    );
}

#[test]
fn windows_are_said() {
    let (folder, model) = model();
    folder.write("questions.json", QUESTIONS);
    for (stride, said) in [("overlap:4", "overlap by 4 tokens"), ("step:5", "begin every 5 tokens")]
    {
        let squad = format!(
            "bert eval --model {model} --task squad --data {model}/questions.json --window 16 \
             --stride {stride}"
        );
        let value = json(&format!("{squad} --precision fp32 --json"), "bert");
        assert_eq!(value["count"], 2);
        assert!(value["sequences"].as_u64().is_some_and(|windows| windows > 2), "{value}");
        assert_eq!(value["window"], 16);
        assert_eq!(value["stride"], format!("windows {said}"));
        let output = tilewise(&format!("{squad} --precision both")).output().expect("it runs");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains(&format!("of 16 tokens that {said}")), "{text}");
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
        assert!(value["recipe"]["feed-forward up"]["nc"].as_u64() > Some(0), "{value}");
        let shares = value["operations"].as_object().expect("operations").values();
        let sum: f64 = shares.filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    }
    let one = format!("bert bench --model {model} --seq 10 --threads 1");
    let value = json(&format!("{one} --json"), "bert");
    let threads = ["threads", "threads_allowed"].map(|name| value[name].as_u64());
    assert_eq!(threads, [Some(1), Some(1)]);
    let output = tilewise(&one).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("estimated") && !text.contains("recipe."), "{text}");
}

/// Copies on cores of their own: one, and two where there are two cores.
#[cfg(target_os = "linux")]
#[test]
fn copies_run_beside_each_other() {
    let (_folder, model) = model();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for instances in 1..=cores.min(2) {
        let arguments = format!(
            "bert bench --model {model} --seq 10 --instances {instances} --cores-per-instance 1 --json"
        );
        let value = json(&arguments, "bert");
        assert!(value["latency_s"]["p99"].as_f64() >= value["latency_s"]["p50"].as_f64());
        for name in ["instances", "threads"] {
            assert_eq!(value[name].as_u64(), Some(instances as u64), "{name}");
        }
    }
}

/// What a batch would take is counted before it is made: terabytes.
#[cfg(target_os = "linux")]
#[test]
fn batches_beyond_memory_are_refused() {
    let (folder, model) = model();
    folder.write("pairs.csv", PAIRS);
    folder.configure("max_position_embeddings", (1 << 20).into());
    let huge = format!("bert bench --model {model} --batch 65536 --seq 1048576");
    refused(&huge, 2, &["68719476736 tokens", "GB", "smaller"]);
    folder.configure("hidden_size", (1 << 20).into());
    refused(&format!("bert embed --model {model}"), 2, &["weights needs", "GB in all", "smaller"]);
    let eval = format!("bert eval --model {model} --task sts --data {model}/pairs.csv --batch 2");
    // The longest two sentences.
    refused(&eval, 2, &["15 tokens", "GB", "smaller"]);
}

#[test]
fn operations_are_those_of_the_sequences() {
    let (folder, model) = model();
    // 24 tokens and 4: one is long enough for attention in bytes.
    let long = "the cat ".repeat(11);
    folder.write("pairs.csv", format!("g\tf\ty\t1\t4.5\t{long}\ta cat\n"));
    folder.write("questions.json", QUESTIONS);
    let eval = |task: &str, data: &str, precision: &str| {
        json(
            &format!(
                "bert eval --model {model} --task {task} --data {model}/{data} \
                 --precision {precision} --json"
            ),
            "bert",
        )
    };
    let value = eval("sts", "pairs.csv", "int8");
    assert!(value["metric"].is_null(), "{value}");
    let counts = &value["operation_counts"];
    let count = |name: &str| {
        ["total", "int8", "sequences"].map(|key| counts[name][key].as_u64().unwrap_or(u64::MAX))
    };
    assert_eq!(count("linear"), [8, 8, 2]);
    assert_eq!(count("attention product"), [4, 4, 1]);
    assert_eq!(count("attention product, short sequences"), [4, 0, 1]);
    assert!(counts["answer head"].is_null());
    let value = eval("sts", "pairs.csv", "fp32");
    assert_eq!(value["operation_counts"]["attention product"]["fp32"], 4);
    let value = eval("squad", "questions.json", "int8");
    assert_eq!(value["operation_counts"]["answer head"]["fp32"], 1);
    let one = format!("bert eval --model {model} --task sts --data {model}/pairs.csv");
    let output = tilewise(&one).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("undefined") && !text.contains("NaN"), "{text}");
}

/// Files that others wrote, spoilt where only the tokenizer would notice.
#[test]
fn spoilt_tokenizers_are_refused_where_they_are() {
    let (folder, model) = model();
    folder.tokenizer(|tokenizer| {
        let piece = |name: &str| serde_json::json!({ "SpecialToken": { "id": name, "type_id": 0 } });
        let text = serde_json::json!({ "Sequence": { "id": "A", "type_id": 0 } });
        tokenizer["post_processor"] = serde_json::json!({
            "type": "TemplateProcessing", "single": [piece("[CLS]"), text, piece("[SEP]")],
            "pair": [], "special_tokens": { "[CLS]": { "id": "[CLS]", "ids": [2], "tokens": ["[CLS]"] } },
        });
    });
    let embed = format!("bert embed --model {model}");
    refused(&embed, 1, &["tokenizer.json", "[SEP]", "special_tokens"]);
    // "mat" becomes a token the model does not have.
    folder.tokenizer(|tokenizer| tokenizer["model"]["vocab"]["mat"] = 999_999.into());
    folder.write("pairs.csv", PAIRS);
    let sts = format!("bert eval --model {model} --task sts --data {model}/pairs.csv");
    refused(&sts, 1, &["pairs.csv", "pair 2", "token number 999999"]);
    let output = tilewise(&embed).write_stdin("a cat\nthe mat\n").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("line 2: token number 999999"), "{said}");
    let lines = output.stdout.iter().filter(|&&byte| byte == b'\n').count();
    assert_eq!((output.status.code(), lines), (Some(1), 1), "line 1 is answered");
    folder.tokenizer(|_| {});
    folder.write("pairs.csv", PAIRS.replace("a cat\n", "\n"));
    refused(&sts, 1, &["pairs.csv", "pair 2", "empty"]);
}

/// As sentence encoders of old stand on disk.
#[test]
fn models_inside_their_folder_are_found() {
    let (folder, model) = model();
    let embed = format!("bert embed --model {model}");
    let run = || tilewise(&embed).write_stdin("the cat sat\n").output().expect("it runs");
    let plain = run();
    folder.nest();
    let nested = run();
    assert!(nested.status.success(), "{}", String::from_utf8_lossy(&nested.stderr));
    assert_eq!(nested.stdout, plain.stdout);
    assert_eq!(json(&format!("bert bench --model {model} --seq 4 --json"), "bert")["model"], model);
}

/// Who has read enough ends the work, though more lines may come.
#[cfg(unix)]
#[test]
fn nothing_is_computed_for_a_reader_who_has_left() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let (_folder, model) = model();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"))
        .args(["bert", "embed", "--batch", "1", "--model", &model])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut lines = child.stdin.take().expect("piped");
    let mut answer = String::new();
    lines.write_all(b"the cat\n").expect("it reads");
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut answer).expect("a line");
    assert!(answer.starts_with('['), "{answer}");
    for _ in 0..500 {
        if let Some(status) = child.try_wait().expect("a child") {
            assert_eq!(status.code(), Some(0));
            return;
        }
        // Once it has ended nobody takes the line.
        let _ = lines.write_all(b"a mat\n");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().expect("a child");
    panic!("it went on without a reader");
}

#[test]
fn bad_bert_input_is_refused() {
    let (folder, model) = model();
    refused("bert", 2, &["bench", "embed", "qa", "eval"]);
    refused("bert bench --model /no/such", 1, &["/no/such/config.json", "no such file"]);
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
    refused(&format!("{squad} --window 4"), 2, &["4 tokens", "no room", "question of 3 and 3"]);
    refused(&format!("{squad} --stride step:0"), 2, &["step:0", "step:1 or more"]);
    let far = format!("{squad} --window 12 --stride step:7");
    refused(&far, 2, &["question \"1\"", "every 7 pieces", "1 to 6"]);
    let wide = format!("{squad} --window 12 --stride overlap:6");
    refused(&wide, 2, &["overlap by 6", "fewer than 6"]);
    folder.write("questions.json", QUESTIONS.replace(r#"{"answer_start":34,"text":"a mat"}"#, ""));
    refused(&squad, 1, &["questions.json", "question \"2\" has no answers", "v1.1"]);
    let both = format!("bert bench --model {model} --seq 4 --instances 1 --precision both");
    refused(&both, 2, &["--precision both", "--instances", "int8-static"]);
    let two = format!("bert bench --model {model} --seq 4 --instances 2 --threads 1");
    refused(&two, 2, &["--instances 2", "at most 1"]);
    folder.configure("hidden_act", "swish".into());
    refused(&format!("bert bench --model {model} --seq 4"), 1, &["hidden_act", "swish", "gelu"]);
    folder.configure("intermediate_size", 63.into());
    refused(
        &format!("bert bench --model {model} --seq 4"),
        1,
        &["intermediate", "[64, 32]", "[63, 32]"],
    );
}
