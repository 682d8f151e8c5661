//! A quick report, whole. A program of its own, for it has so many seconds and fills them: beside
//! other tests it would leave out what there is no time for.

#[path = "report/peers.rs"]
mod peers;
#[path = "cli/support.rs"]
mod support;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{assert_schema, folder, json, refused, tilewise};

#[test]
fn a_quick_report_is_whole() {
    let folder = folder();
    let out = folder.path().join("new/report");
    let record = folder.path().join("peers.jsonl");
    peers::write(&record);
    let start = std::time::Instant::now();
    let (to, beside) = (out.display(), record.display());
    let output =
        tilewise(&format!("report --quick --json --wisdom off --out {to} --peers {beside}"))
            .output()
            .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let took = start.elapsed().as_secs_f64();
    eprintln!("a quick report took {took:.0} s: {said}");
    let read = |name: &str| fs::read_to_string(out.join(name)).expect(name);
    let report: Value = serde_json::from_str(&read("report.json")).expect("JSON");
    assert_schema("report", &report);
    assert!(output.status.success(), "{said}");
    let cells = report["cells"].as_array().expect("cells");
    // The first of every section come before any second: there are all, but where a machine is too small,
    // or so slow that none has a second.
    let skipped = report["skipped"].to_string();
    let kernels = ["gemm", "kmeans", "stencil", "bert"];
    let measured =
        kernels.map(|kernel| cells.iter().filter(|cell| cell["kernel"] == kernel).count());
    let is_slow = measured.iter().all(|&cells| cells <= 1);
    for (kernel, cells) in kernels.iter().zip(measured) {
        let told = skipped.contains(&format!("\"{kernel}-"));
        let excused = told && (is_slow || skipped.contains("available"));
        assert!(cells > 0 || excused, "nothing of {kernel} in {took:.0} s: {skipped}");
    }
    for cell in cells {
        // There is nothing to tune.
        if cell["kernel"] == "bert" {
            is_whole_pass(cell);
            continue;
        }
        // A rung nobody measured has no factor.
        let last = cell["rungs"].as_array().and_then(|rungs| rungs.last()).expect("rungs");
        assert_eq!((&last["arm"], &last["factor"]), (&Value::Null, &Value::Null), "{last}");
        assert!(last["note"].as_str().is_some_and(|note| note.contains("not tuned")));
        if cell["kernel"] == "stencil" {
            is_whole_ladder(cell);
        }
    }
    let page = read("report.html");
    assert!(page.contains("<svg") && page.contains("data:image/png;base64,"));
    assert!(!page.contains("http://") && !page.contains("https://"), "the page fetches something");
    assert!(read("report.md").contains("# tilewise"));
    [page, read("report.md")].iter().for_each(|text| peers::shown(text));
    let names: Vec<_> = fs::read_dir(&out).expect("the folder").flatten().collect();
    assert!(names.iter().all(|entry| !entry.file_name().to_string_lossy().contains("tmp")));
}

/// A ladder of a stencil has all its rungs, of which some may say why they were not measured, none
/// is the one before under another name, and each says how many bytes an update moves.
fn is_whole_ladder(cell: &Value) {
    let rungs = cell["rungs"].as_array().expect("rungs");
    let labels = rungs.iter().map(|rung| rung["label"].as_str().expect("a label"));
    // Planes are not cut, but may be stepped two rows at a time; threads are as many as there are.
    let always = |label: &&str| *label != "side by side" && !label.ends_with(" threads");
    let expected = [
        "array of structures",
        "structure of arrays",
        "vectorised by compiler",
        "SIMD by hand",
        "tiled",
        "streaming stores",
        "temporally blocked",
        "tuned",
    ];
    assert_eq!(labels.filter(always).collect::<Vec<_>>(), expected, "{}", cell["id"]);
    let arms = cell["arms"].as_array().expect("arms");
    let mut before = &Value::Null;
    for rung in rungs {
        if rung["arm"].is_null() {
            assert!(rung["note"].as_str().is_some_and(|note| !note.is_empty()), "{rung}");
            continue;
        }
        let arm = arms.iter().find(|arm| arm["name"] == rung["arm"]).expect("its arm");
        assert!(arm["traffic"]["expected"].as_f64().is_some_and(|bytes| bytes > 0.0), "{rung}");
        let recipe = &arm["recipe"]["value"];
        assert!(recipe.is_null() || recipe != before, "{rung}");
        before = recipe;
    }
}

/// A ladder of a forward pass has all its rungs, each says where its time went, and one of bytes begins
/// with plain code that multiplies bytes, too.
fn is_whole_pass(cell: &Value) {
    let rungs = cell["rungs"].as_array().expect("rungs");
    let labels = rungs.iter().map(|rung| rung["label"].as_str().expect("a label"));
    let labels: Vec<&str> = labels.filter(|label| !label.ends_with(" threads")).collect();
    let in_bytes = cell["amount"]["arithmetic"] == "int8-compute";
    let plain = ["plain, scalar", "vectorised by compiler"];
    let ours: &[&str] = if in_bytes { &["by hand, bytes"] } else { &["by hand, floats", "INT8"] };
    assert_eq!(labels, [&plain[..], ours].concat(), "{}", cell["id"]);
    let arms = cell["arms"].as_array().expect("arms");
    for rung in rungs {
        let arm = arms.iter().find(|arm| arm["name"] == rung["arm"]).expect("its arm");
        assert_eq!(arm["parts"][0]["name"], "linear layers", "{rung}");
        let title = arm["title"].as_str().expect("a title");
        assert!(!in_bytes || title.contains("products of bytes"), "{title}");
    }
    assert!(cell["total"].is_object() && cell["headline"].is_object(), "{}", cell["id"]);
}

/// They hold what a quick one may have no time for.
#[test]
fn published_records_are_as_their_schemas_say() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).expect("a folder").flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    let runs = folders(&results).iter().flat_map(|cpu| folders(cpu)).collect::<Vec<_>>();
    for schema in ["report", "accuracy"] {
        let records = runs.iter().map(|run| run.join(schema).with_extension("json"));
        let records: Vec<_> = records.filter(|path| path.exists()).collect();
        assert!(!records.is_empty(), "no {schema} under {}", results.display());
        for path in records {
            let record = serde_json::from_str(&fs::read_to_string(path).expect("a record"));
            assert_schema(schema, &record.expect("JSON"));
        }
    }
}
