//! The command line end to end: results against their JSON Schemas, and every kind of bad input
//! answered by one clear line, never by a panic or half a file.

#[path = "cli/bert.rs"]
mod bert;
#[path = "cli/clusters.rs"]
mod clusters;
#[path = "cli/kmeans.rs"]
mod kmeans;
#[path = "cli/predict.rs"]
mod predict;
#[path = "cli/stencil.rs"]
mod stencil;
#[path = "cli/support.rs"]
mod support;
#[path = "cli/wisdom.rs"]
mod wisdom;

use kmeans::npy;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::{assert_schema, folder, json, refused, tilewise};
use tempfile::TempDir;

#[test]
fn the_machine_is_printed() {
    let value = json("machine --json", "machine");
    assert!(value["machine"]["isas"].as_array().is_some_and(|isas| !isas.is_empty()));
    tilewise("machine").assert().success();
}

#[test]
fn every_command_shows_an_example() {
    for command in ["machine", "report", "gemm", "kmeans", "stencil", "bert", "tune"] {
        let output = tilewise(&format!("{command} --help")).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("Example:"), "{command}: {text}");
        assert!(text.contains(&format!("tilewise {command}")), "{command}: {text}");
    }
}

#[test]
fn products_are_measured_and_checked() {
    let value = json("gemm --m 17 --k 33 --n 40 --wisdom off --json", "line");
    assert_eq!(value["check"]["compared"], 17 * 40);
    assert_eq!(value["recipe_source"], "estimated");
    let cold = json("gemm --m 16 --k 64 --n 64 --cache cold --isa scalar --json", "line");
    assert_eq!((&cold["cache"], &cold["isa"]), (&"cold".into(), &"scalar".into()));
    let one = json("gemm --m 64 --k 64 --n 64 --threads 1 --json", "line");
    assert_eq!(one["threads"], 1);
    // Plain code has no roof of its own.
    assert_eq!(cold.get("roof"), None);
    assert_eq!(one.get("roof").is_some(), one["isa"] != "scalar");

    let batch = json("gemm --batch 3 --m 5 --k 33 --n 40 --json", "line");
    assert_eq!((&batch["shape"]["batch"], &batch["shape"]["m"]), (&3.into(), &5.into()));
    assert_eq!(batch["check"]["compared"], 3 * 5 * 40);
    tilewise("gemm --batch 2 --m 5 --k 33 --n 40 --threads 1").assert().success();
}

#[test]
fn layers_are_measured_beside_their_product() {
    let shape = "gemm --m 17 --k 33 --n 40";
    let mut outputs = BTreeSet::new();
    for activation in ["none", "relu", "gelu", "gelu-tanh"] {
        let value = json(&format!("{shape} --layer {activation} --json"), "line");
        assert_eq!(value["layer"], activation);
        assert_eq!(value["check"]["compared"], 17 * 40);
        assert_eq!(value["recipe_source"], "estimated");
        outputs.insert(value["check"]["output_digest"].to_string());
    }
    assert_eq!(outputs.len(), 4, "every activation is another one");
    let cold = "gemm --m 16 --k 64 --n 64 --layer gelu --cache cold --isa scalar --json";
    let cold = json(cold, "line");
    assert_eq!((&cold["cache"], cold.get("over_product").is_some()), (&"cold".into(), true));
    assert_eq!(json("gemm --m 5 --k 33 --n 40 --json", "line").get("over_product"), None);
    refused("gemm --layer softmax", 2, &["softmax", "gelu-tanh"]);
    refused("gemm --layer gelu --batch 2", 2, &["--layer", "--batch"]);
    refused("gemm --layer gelu --wisdom off", 2, &["--layer", "--wisdom"]);
    refused("gemm --layer gelu --k 0", 2, &["k is 0", "expected 1"]);
}

#[test]
fn the_same_seed_gives_the_same_output_on_every_instruction_set() {
    let machine = json("machine --json", "machine");
    let isas = machine["machine"]["isas"].as_array().expect("a list").clone();
    let digests: Vec<Value> = isas
        .iter()
        .map(|isa| {
            let isa = isa.as_str().expect("a name");
            let arguments = format!("gemm --m 31 --k 77 --n 50 --seed 5 --isa {isa} --json");
            json(&arguments, "line")["check"]["output_digest"].clone()
        })
        .collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{isas:?}: {digests:?}");
}

fn written(folder: &TempDir, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, contents).expect("written");
    path
}

#[test]
fn wrong_values_are_named() {
    refused("gemm --isa sse9", 2, &["sse9", "expected one of scalar"]);
    let foreign = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    refused(&format!("gemm --isa {foreign}"), 2, &[foreign, "it has scalar"]);
    refused("gemm --threads 4097", 2, &["4097", "expected 1 to"]);
    refused("gemm --threads 0", 2, &["--threads 0", "expected 1 to"]);
    refused("gemm --batch 0", 2, &["batch is 0", "expected 1"]);
    let left = ["a batch of 1048576 products", "3298534883328 elements on the left", "1073741824"];
    refused("gemm --batch 1048576 --m 4096", 2, &left);
    refused(
        "gemm --batch 2 --m 1 --k 1024 --n 1048576",
        2,
        &["2147483648 elements in the weights"],
    );
    let long = ["a batch of 64 products", "multiply-adds", "smaller sizes or fewer products"];
    refused("gemm --batch 64 --m 4096 --k 4096 --n 4096", 2, &long);
    refused("gemm --m 0", 2, &["m is 0", "expected 1"]);
    refused("gemm --k 99999999999", 2, &["99999999999", "expected"]);
    refused("gemm --m 1048576 --n 1048576", 2, &["1048576", "smaller"]);
    refused("gemm --k many", 2, &["many", "--k"]);
    refused("kmeans --k 0", 2, &["--k 0", "expected 1 to 273280"]);
    refused("kmeans --k 273281", 2, &["273281", "273280"]);
    refused("kmeans --k 1 --tol -1", 2, &["--tol -1", "0 or more"]);
    refused("kmeans --max-iter 0", 2, &["--max-iter 0", "at least 1"]);
    refused("tune stencil --wisdom off --grid 0,0,0", 2, &["0x0x0", "at least"]);
    refused("tune stencil --wisdom off --grid 4000000,4000000,4000000", 2, &["4000000", "smaller"]);
    refused("tune gemm --budget soon", 2, &["soon", "10s"]);
    refused("tune gemm --budget -5s", 2, &["--budget", "-5s", "positive"]);
    for flag in ["gemm --threads", "gemm --m", "kmeans --k", "kmeans --max-iter", "stencil --steps"]
    {
        let name = flag.split(' ').next_back().expect("a flag");
        refused(&format!("{flag} -1"), 2, &[name, "-1", "1 or more"]);
    }
    refused("gemm --wisdom=", 2, &["--wisdom", "expected a file, or off"]);
    refused("kmeans --out few.jpg", 2, &["--out few.jpg", ".png"]);
    refused("kmeans --centers few.csv", 2, &["--centers few.csv", ".npy"]);
    refused("kmeans --labels few", 2, &["--labels few", ".npy"]);
    refused("kmeans --n-init 0", 2, &["--n-init", "1 or more"]);
    refused("kmeans --dtype f16", 2, &["--dtype", "f16", "u8"]);
    refused(
        "kmeans --init kmeans++",
        2,
        &["--init", "kmeans++", "k-means++, random", ".npy or .csv"],
    );
    refused("", 2, &["expected machine, report"]);
    refused("dance", 2, &["dance"]);
    refused("gemm --wisdom /no/such/file.jsonl", 1, &["/no/such/file.jsonl"]);
}

#[test]
fn flags_of_every_command_say_what_they_take() {
    // What has no code in this build is not offered.
    for arguments in ["gemm --isa sse9", "gemm --help", "bert --help"] {
        let output = tilewise(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let names: Vec<&str> =
            said.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
        for isa in tilewise::Isa::ALL {
            let listed = names.contains(&isa.name());
            assert_eq!(listed, tilewise::Isa::compiled().any(|one| one == isa), "{isa}: {said}");
        }
    }
    for seed in ["-1", "18446744073709551616", "many", ""] {
        for command in ["gemm", "bert bench"] {
            let expected = ["--seed", seed, "expected a whole number, 0 to 18446744073709551615"];
            refused(&format!("{command} --seed={seed}"), 2, &expected);
        }
    }
}

#[test]
fn wrong_files_are_named() {
    let folder = folder();
    let picture = tilewise_harness::picture::Picture::generate(64, 64, 1).png();
    let cut = written(&folder, "cut.png", &picture[..picture.len() / 2]);
    let text = written(&folder, "text.png", "no picture");
    let nan = written(&folder, "nan.csv", "1,2\n3,nan\n");
    let infinite = written(&folder, "infinite.npy", npy(2, 2, &[1.0, 2.0, f32::INFINITY, 4.0]));
    let short = written(&folder, "short.npy", npy(50, 2, &[1.0; 30]));
    let ragged = written(&folder, "ragged.csv", "1,2\n3\n");
    let words = written(&folder, "words.csv", "1,2\n3,four\n");
    let image = |path: &Path| format!("kmeans --image {}", path.display());
    let data = |path: &Path| format!("kmeans --k 1 --data {}", path.display());
    refused("kmeans --image /no/such.png", 1, &["/no/such.png"]);
    refused(&image(&cut), 1, &["cut.png", "cut short"]);
    refused(&image(&text), 1, &["text.png", "PNG or JPEG"]);
    refused(&image(folder.path()), 1, &["cannot read"]);
    refused(&data(&nan), 1, &["nan.csv", "line 2", "column 2", "NaN"]);
    refused(&data(&infinite), 1, &["infinite.npy", "row 2", "column 1", "inf"]);
    refused(&data(&short), 1, &["short.npy", "cut short"]);
    refused(&format!("{} --dtype u8", data(&short)), 1, &["short.npy", "<f4", "--dtype"]);
    refused(&data(&ragged), 1, &["ragged.csv", "line 2"]);
    refused(&data(&words), 1, &["words.csv", "line 2, column 2", "four"]);
    refused(&data(&folder.path().join("points.txt")), 1, &["points.txt"]);
    let init = format!("kmeans --k 3 --init {}", ragged.with_file_name("two.csv").display());
    written(&folder, "two.csv", "1,2,3\n4,5,6\n");
    refused(&init, 2, &["two.csv", "2 rows", "k = 3"]);
}

#[test]
fn places_that_cannot_be_written_are_named_before_any_work() {
    let folder = folder();
    let file = written(&folder, "file", "");
    refused(&format!("report --quick --out {}/below", file.display()), 1, &["file", "folder"]);
    refused("kmeans --out /no/such/folder/few.png", 1, &["/no/such/folder/few.png"]);
    let inside = folder.path().join("folder.png");
    fs::create_dir(&inside).expect("a folder");
    refused(&format!("stencil --png {}", inside.display()), 1, &["cannot write"]);
    // A search of an hour, had it begun.
    let tune = |file: &str| format!("tune gemm --budget 60m --wisdom {file}");
    if cfg!(target_os = "linux") {
        refused(&tune("/proc/none/wisdom.jsonl"), 1, &["/proc/none", "can be written"]);
    }
    let picture = written(&folder, "b.jpg", b"\xff\xd8 no wisdom\n\xff\xd9");
    refused(&tune(&picture.display().to_string()), 1, &["b.jpg", "something else"]);
    assert_eq!(fs::read(&picture).expect("still there"), b"\xff\xd8 no wisdom\n\xff\xd9");
}

/// Standard output that is full, or that nobody reads.
#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_do_not_panic() {
    use std::process::{Command, Stdio};
    let program = assert_cmd::cargo::cargo_bin!("tilewise");
    for arguments in ["machine", "machine --json", "--help"] {
        let run = |out: Stdio| {
            let mut command = Command::new(program);
            let command = command.args(arguments.split(' ')).stdout(out).stderr(Stdio::piped());
            let output = command.spawn().expect("it starts").wait_with_output().expect("it ends");
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let full = fs::File::options().write(true).open("/dev/full").expect("it is there");
        let (status, said) = run(full.into());
        assert_eq!((status, said.lines().count()), (Some(1), 1), "{arguments}: {said}");
        assert!(said.contains("standard output"), "{arguments}: {said}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(run(writer.into()), (Some(0), String::new()), "{arguments}");
    }
}

#[test]
fn wisdom_is_made_and_used() {
    let folder = folder();
    let file = folder.path().join("deep/wisdom.jsonl");
    let shape = "--m 24 --k 64 --n 48";
    let arguments = format!("tune gemm {shape} --budget 300ms --wisdom {} --json", file.display());
    let tuned = json(&arguments, "tune");
    assert_eq!(tuned["record"]["kernel"], "gemm");
    let value = json(&format!("gemm {shape} --wisdom {} --json", file.display()), "line");
    assert_eq!(value["recipe_source"], "tuned");
    assert_eq!(value["recipe"], tuned["record"]["recipe"]);
    let other = json(&format!("gemm --m 25 --wisdom {} --json", file.display()), "line");
    assert_eq!(other["recipe_source"], "estimated", "another shape");
}

/// Ctrl-C, or being asked to end, some time into a report: status 130, and no trace of it.
#[cfg(unix)]
#[test]
fn an_interrupted_report_leaves_nothing() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        interrupt_a_report(signal);
    }
}

#[cfg(unix)]
fn interrupt_a_report(signal: &str) {
    use std::process::{Command, Stdio};
    let folder = folder();
    let out = folder.path().join("new/report");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"))
        .args(["report", "--quick", "--out"])
        .arg(&out)
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    while !out.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
    }
    std::thread::sleep(std::time::Duration::from_millis(700));
    let interrupted = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(interrupted.expect("kill runs").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0, "something was left");
}

/// What a search knows when it is interrupted is kept, and that is said.
#[cfg(unix)]
#[test]
fn an_interrupted_search_says_how_to_go_on() {
    use std::process::{Command, Stdio};
    let folder = folder();
    let file = folder.path().join("wisdom.jsonl");
    let command = |budget: &str| {
        let shape = ["--m", "64", "--k", "256", "--n", "256", "--budget", budget, "--wisdom"];
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"));
        command.args(["tune", "gemm"]).args(shape).arg(&file);
        command
    };
    let mut child = command("60s").stderr(Stdio::piped()).spawn().expect("it starts");
    let has_ended_one = |file: fs::DirEntry| {
        let journal = file.file_name().to_string_lossy().ends_with(".tuning");
        journal && fs::read_to_string(file.path()).is_ok_and(|text| text.contains("\"ended\""))
    };
    while !fs::read_dir(folder.path()).expect("the folder").flatten().any(has_ended_one) {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted") && said.contains("the same command goes on"), "{said}");
    let again = command("500ms").output().expect("it runs");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.success() && said.contains("went on where a search"), "{said}");
}

/// A run over all shapes goes on with those that are not done.
#[cfg(unix)]
#[test]
fn an_interrupted_run_over_all_shapes_goes_on() {
    use std::process::{Command, Stdio};
    let folder = folder();
    let file = folder.path().join("wisdom.jsonl");
    let start = || {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"));
        command.args(["tune", "--budget", "50ms", "--threads", "1", "--wisdom"]).arg(&file);
        command.stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let run = |until: usize| {
        let mut child = start();
        let lines = || fs::read_to_string(&file).unwrap_or_default().lines().count();
        while lines() < until {
            std::thread::sleep(std::time::Duration::from_millis(5));
            assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
        }
        let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(killed.expect("kill runs").success());
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(2);
    assert!(said.contains(" 1 of ") && said.contains("the same command goes on"), "{said}");
    let said = run(4);
    assert!(said.contains("goes on where the same was interrupted"), "{said}");
    assert!(!said.contains(" 1 of "), "{said}");
    // Without its record a shape is not done.
    fs::remove_file(&file).expect("a file");
    assert!(run(1).contains(" 1 of "));
}
