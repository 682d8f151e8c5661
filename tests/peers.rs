//! The runner's end of the worker protocol, against workers that are honest, slow, dying, lying or
//! babbling; and the Python end, where there is a Python.
//!
//! The workers here are a few lines of shell, so that nothing has to be installed.
#![cfg(unix)]

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use tilewise_harness::peers::protocol::{Request, digest, numbers};
use tilewise_harness::peers::{Launch, Patience, Worker};
use tilewise_harness::workload::Cache;
use tilewise_tuner::measure::{Arm, Stopwatch};

/// The bytes that the workers here leave in the output file.
const RESULT: &[u8; 4] = b"\x01\x00\x00\x00";

/// A shell script as a worker; `$1` is the output file, `$ready` the honest answer to a request.
fn launch(script: &str, output: &Path) -> Launch {
    let ready = json!({"ready": {
        "title": "a script", "version": "1", "dtype": "none", "timed": "nothing",
        "digest": digest(RESULT),
    }});
    let result = r"printf '\001\000\000\000' > $out";
    let script = format!("out=$1; ready='{ready}'; result() {{ {result}; }}; {script}");
    Launch {
        name: "script".into(),
        program: "/bin/sh".into(),
        arguments: ["-c", &script, "worker"]
            .map(Into::into)
            .into_iter()
            .chain([output.into()])
            .collect(),
        patience: Patience { prepare: Duration::from_secs(5), batch: Duration::from_millis(500) },
    }
}

/// What an honest worker does with batches: each says so many seconds.
fn batches(seconds: &str) -> String {
    let done = format!(r#"{{"done": {{"seconds": {seconds}, "digest": "{}"}}}}"#, digest(RESULT));
    format!(
        "read line; result; echo \"$ready\"; while read line; do sleep 0.002; echo '{done}'; done"
    )
}

/// Starts it and has it prepare; the error in one line where it fails.
fn prepared(script: &str, output: &Path) -> Result<Worker, String> {
    let mut worker = Worker::start(&launch(script, output)).map_err(|error| error.to_string())?;
    let request = Request {
        kernel: "gemm",
        rival: "script",
        shape: &json!({"m": 1}),
        seed: 1,
        threads: 1,
        cache: Cache::Hot,
        copies: 1,
        output,
        input: None,
    };
    worker.prepare(&request).map_err(|error| error.to_string())?;
    Ok(worker)
}

fn output() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("result");
    (folder, file)
}

#[test]
fn an_honest_worker_takes_part_in_a_session() {
    let (_folder, output) = output();
    let mut worker = prepared(&batches("0.001"), &output).unwrap();
    assert_eq!(numbers::<i32>(&std::fs::read(&output).unwrap()), Some(vec![1]));
    let arms = vec![
        Arm::new("ours", || std::thread::sleep(Duration::from_micros(500))),
        Arm::timing_itself("script", |calls| {
            worker.batch(calls).map(|batch| batch.seconds).map_err(|error| error.to_string())
        }),
    ];
    let session = Stopwatch::within(Duration::from_millis(100)).measure(arms).unwrap();
    // It says a millisecond for whatever it is asked, so each batch is found to need several.
    assert!(session.time("script").unwrap().median <= 0.001);
    assert!(session.ratio("ours", "script").is_ok());
}

/// It may leave out what it took to wake it; that it lost more than is seen from here is not so.
#[test]
fn a_worker_says_what_it_lost_but_no_more_than_is_seen() {
    let (_folder, output) = output();
    let lost = |waited: &str| {
        let said = format!(r#"0.001, "lost": {{"preemptions": {waited}, "waited_ns": {waited}}}"#);
        let mut worker = prepared(&batches(&said), &output).unwrap();
        worker.batch(1).unwrap().lost
    };
    let nothing = lost("0");
    let seen = lost("99000000000");
    // Where the system does not say it, nothing is known, whatever the worker says.
    assert!(nothing.waited_ns.is_none_or(|ns| ns == 0), "{nothing:?}");
    assert!(seen.waited_ns.is_none_or(|ns| ns < 99_000_000_000), "{seen:?}");
    assert_eq!(nothing.waited_ns.is_some(), seen.waited_ns.is_some());
}

#[test]
fn a_worker_stands_still_while_others_run_and_goes_with_its_runner() {
    let (_folder, output) = output();
    let worker = prepared(&batches("0.001"), &output).unwrap();
    let status = format!("/proc/{}/stat", worker.id());
    let Ok(standing) = std::fs::read_to_string(&status) else {
        eprintln!("skipped: this system does not say whether a process is stopped");
        return;
    };
    assert!(standing.contains(") T "), "{standing}");
    drop(worker);
    assert!(!Path::new(&status).exists(), "it is still there");
}

/// Each bad worker, and what its one line must name.
#[test]
fn bad_workers_are_named_in_one_line() {
    let good = "read line; result; echo \"$ready\"; ";
    let cases = [
        (
            "exit 3".to_owned(),
            vec!["ended instead of answering a request", "3", "requirements.txt"],
        ),
        ("echo no such module >&2; exit 1".into(), vec!["no such module"]),
        (
            "read line; echo '{\"error\": \"no numpy; install it\"}'; read line".into(),
            vec!["no numpy; install it"],
        ),
        ("read line; echo hello; read line".into(), vec!["\"hello\"", "README.md"]),
        ("read line; head -c 100000 /dev/zero; read line".into(), vec!["expected a line of JSON"]),
        ("read line; echo \"$ready\"; read line".into(), vec!["cannot be read"]),
        ("read line; echo x > $1; echo \"$ready\"; read line".into(), vec!["digest"]),
        (format!("{good} read line; exit 9"), vec!["answering a batch", "9"]),
        (format!("{good} read line; sleep 9"), vec!["no answer to a batch within 0.5 s"]),
        (batches("-1"), vec!["-1 s", "cannot be believed"]),
        (batches("100"), vec!["took 100 s", "cannot be believed"]),
        (
            batches("0.001").replace("\"digest\": ", "\"digest\": \"f\", \"other\": "),
            vec!["the checked one was"],
        ),
        (format!("{good} read line; echo \"$ready\"; read line"), vec!["answered a batch with"]),
    ];
    for (script, named) in cases {
        let (_folder, output) = output();
        let start = Instant::now();
        let error = prepared(&script, &output)
            .and_then(|mut worker| worker.batch(3).map_err(|error| error.to_string()))
            .expect_err(&script);
        assert!(start.elapsed() < Duration::from_secs(10), "{script}: waited too long");
        assert!(error.starts_with("worker script: ") && !error.contains('\n'), "{error}");
        for part in named {
            assert!(error.contains(part), "{part:?} is missing: {error}");
        }
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let launch = Launch { program: "/no/such/python".into(), ..launch("", Path::new("x")) };
    let error = Worker::start(&launch).unwrap_err().to_string();
    assert!(error.contains("/no/such/python") && error.contains("README.md"), "{error}");
}

/// The Python end without any package: it must say what is missing or unknown.
#[test]
fn python_workers_say_what_they_lack() {
    let found = Command::new("python3").arg("--version").output();
    if !found.is_ok_and(|found| found.status.success()) {
        eprintln!("skipped: there is no python3 here to run benches/peers with");
        return;
    }
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("benches/peers/gemm.py");
    let (_folder, output) = output();
    let ask = |rival: &str, options: &[&str]| {
        let arguments = options.iter().map(Into::into).chain([script.clone().into()]);
        let launch = Launch {
            name: "python".into(),
            program: "python3".into(),
            arguments: arguments.collect(),
            patience: Patience::default(),
        };
        let shape = json!({"m": 1, "k": 4, "n": 16});
        let request = Request {
            kernel: "gemm",
            rival,
            shape: &shape,
            seed: 1,
            threads: 1,
            cache: Cache::Hot,
            copies: 1,
            output: &output,
            input: None,
        };
        let mut worker = Worker::start(&launch).unwrap();
        worker.prepare(&request).map(|ready| ready.title).map_err(|error| error.to_string())
    };
    let unknown = ask("nobody", &[]).unwrap_err();
    assert!(unknown.contains("no rival 'nobody'; there are onnxruntime"), "{unknown}");
    // Isolated and without the folder of packages, as in a fresh installation.
    let missing = ask("onnxruntime", &["-S"]).unwrap_err();
    assert!(missing.contains("pip install -r benches/peers/requirements.txt"), "{missing}");
}
