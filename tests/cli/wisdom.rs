//! `tilewise wisdom` and the modes: what is printed, what is written, what is refused.

use super::{folder, json, refused, tilewise};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tilewise_tuner::wisdom::{Record, Verdict, Wisdom};

const SHAPE: &str = "--m 24 --k 64 --n 48";

/// Tunes a small product into a file.
fn tuned(file: &Path) -> Value {
    json(&format!("tune gemm {SHAPE} --budget 300ms --wisdom {} --json", file.display()), "tune")
}

#[test]
fn records_are_shown_and_explained() {
    let folder = folder();
    let file = folder.path().join("wisdom.jsonl");
    let record = tuned(&file)["record"].clone();
    let path = file.display();
    let shown = json(&format!("wisdom show --wisdom {path} --json"), "wisdom");
    let records = shown["records"].as_array().expect("records");
    let place = records.iter().position(|shown| *shown == record).expect("it is there");
    assert_eq!(shown["origins"][place], path.to_string());
    let explained = json(&format!("wisdom explain gemm {SHAPE} --wisdom {path} --json"), "wisdom");
    assert_eq!(explained["recipe_source"], "tuned");
    assert_eq!(explained["recipe"], record["recipe"]);
    let first = &explained["considered"][0];
    assert_eq!((&first["record"], first["against"].as_array().map(Vec::len)), (&record, Some(0)));
    let other = format!("wisdom explain gemm --m 25 --wisdom {path}");
    let said = String::from_utf8(tilewise(&other).output().expect("it runs").stdout).expect("text");
    assert!(said.contains("source     estimated") && said.contains("not used"), "{said}");
    assert!(said.contains("away, recipes are not carried over"), "{said}");
    assert!(!said.contains("CPU: "), "records of other CPUs are counted: {said}");

    fs::write(&file, [fs::read(&file).expect("a file"), b"torn\n".to_vec()].concat())
        .expect("a file");
    let output = tilewise(&format!("wisdom show --wisdom {path}")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("1 line(s) not used") && said.contains("recipe"), "{said}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2"));
}

#[test]
fn files_are_merged_in_any_order() {
    let folder = folder();
    let file = |name: &str| folder.path().join(name);
    let (one, other) = (file("one.jsonl"), file("other.jsonl"));
    tuned(&one);
    let arguments = format!(
        "tune gemm --m 25 --k 64 --n 48 --budget 300ms --wisdom {} --json",
        other.display()
    );
    json(&arguments, "tune");
    for (into, first, second) in [("ab", &one, &other), ("ba", &other, &one)] {
        let (first, second, into) = (first.display(), second.display(), file(into));
        let merged = format!("wisdom merge {first} {second} --into {} --json", into.display());
        assert_eq!(json(&merged, "wisdom")["records"], 2);
    }
    assert_eq!(fs::read(file("ab")).expect("a file"), fs::read(file("ba")).expect("a file"));
    let missing = file("missing.jsonl");
    let (missing, into) = (missing.display(), file("ab"));
    let into = into.display();
    refused(
        &format!("wisdom merge {missing} --into {into}"),
        1,
        &["missing.jsonl", "no such file"],
    );
    fs::write(file("picture"), b"\xff\xd8").expect("a file");
    let picture = file("picture");
    let picture = picture.display();
    refused(&format!("wisdom merge {picture} --into {into}"), 1, &["picture", "something else"]);
    refused("wisdom merge", 2, &["FILE"]);
}

#[test]
fn records_are_checked_and_stale_ones_demoted() {
    let folder = folder();
    let file = folder.path().join("wisdom.jsonl");
    let path = file.display();
    // No records are shipped for scalar code: only what is tuned here is checked. On one thread: where two
    // run is worth a third of so small a product, and another process finds it otherwise.
    let rest = format!("--isa scalar --threads 1 --budget 300ms --wisdom {path} --json");
    let tuned = || json(&format!("tune gemm {SHAPE} {rest}"), "tune");
    let check = format!("wisdom check --sample 99 {rest}");
    let outcome = || {
        let mut checked = json(&check, "wisdom");
        // On a machine that does something else meanwhile.
        for _ in 0..50 {
            if checked.to_string().contains("not resolved") {
                checked = json(&check, "wisdom");
            }
        }
        let here = checked["checked"].as_array().expect("a list").iter();
        let of = |one: &&Value| one["record"]["shape"]["m"] == 24 && one["record"]["threads"] != 0;
        let found: Vec<&Value> = here.filter(of).collect();
        let [found] = found[..] else { panic!("{checked}") };
        (found["stale"] == true, found["outcome"].to_string())
    };
    // What is tuned is believed, if not by the first other process.
    let believed = || {
        let mut said = Vec::new();
        for _ in 0..5 {
            tuned();
            let (stale, outcome) = outcome();
            if !stale {
                return;
            }
            said.push(outcome);
        }
        panic!("{said:?}");
    };
    believed();
    // Nobody is nine times as fast as the default, and no tile has 99 rows.
    type Forge = fn(&mut Record);
    let forgeries: [(Forge, &str); 2] = [
        (|r| r.recipe["mc"] = 3.into(), "now"),
        (|r| r.recipe["tile"]["rows"] = 99.into(), "tile"),
    ];
    for (forge, why) in forgeries {
        let mut record: Record = serde_json::from_value(tuned()["record"].clone()).expect("one");
        (record.evidence.ratio, record.evidence.lo, record.evidence.hi) = (9.0, 8.9, 9.1);
        record.evidence.verdict = Verdict::Faster;
        forge(&mut record);
        let revision = Wisdom::default().renew(&file, record).expect("a file").revision;
        let (stale, said) = outcome();
        assert!(stale && said.contains(why), "{said}");
        let held = json(&format!("wisdom show --wisdom {path} --json"), "wisdom");
        let held = held["records"].as_array().expect("records").iter();
        let demoted = |record: &Value| {
            record["revision"] == revision + 1 && record["recipe"] == record["default"]
        };
        assert!(held.clone().any(demoted), "{held:?}");
        assert_eq!(tuned()["record"]["revision"], revision + 2);
        believed();
    }
    refused(&format!("wisdom check --sample 0 --wisdom {path}"), 2, &["--sample 0", "1 or more"]);
}

#[test]
fn samples_are_exported() {
    let folder = folder();
    let file = folder.path().join("space.json.gz");
    let arguments =
        format!("wisdom export gemm {SHAPE} --budget 300ms --out {} --json", file.display());
    let exported = json(&arguments, "wisdom");
    assert_eq!(exported["rejected"].as_array().map(Vec::len), Some(0));
    assert!(fs::metadata(&file).expect("a file").len() > 1000);
    refused("wisdom export gemm", 2, &["--out"]);
    refused("wisdom export gemm --out x.json", 2, &["--out", ".gz"]);
}

#[test]
fn modes_say_what_wisdom_does() {
    let folder = folder();
    let file = folder.path().join("new/wisdom.jsonl");
    let path = file.display();
    let gemm = |mode: &str| {
        json(&format!("gemm {SHAPE} --wisdom {path} --wisdom-mode {mode} --json"), "line")
    };
    assert_eq!(gemm("off")["recipe_source"], "estimated");
    assert!(!file.exists());
    tuned(&file);
    let before = fs::read(&file).expect("a file");
    for mode in ["load", "tune-missing"] {
        assert_eq!(gemm(mode)["recipe_source"], "tuned", "{mode}");
        assert_eq!(fs::read(&file).expect("a file"), before, "{mode}: nothing was missing");
    }
    assert_eq!(gemm("off")["recipe_source"], "estimated");
    let again = format!("tune gemm {SHAPE} --wisdom {path} --wisdom-mode tune-missing");
    let output = tilewise(&again).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not searched; tuned"));
    assert_eq!(json(&format!("{again} --json"), "tune")["searched"], false);
    assert_eq!(fs::read(&file).expect("a file"), before);
    let text = folder.path().join("text");
    fs::write(&text, "root:x:0:0\nno wisdom\n").expect("a file");
    for command in ["gemm", "wisdom show"] {
        let said = ["text", "holds something else than wisdom"];
        refused(&format!("{command} --wisdom {}", text.display()), 1, &said);
    }
    refused("gemm --wisdom-mode often", 2, &["often", "tune-missing"]);
    refused("report --wisdom-mode force", 2, &["only loads", "tune-missing"]);
}

#[test]
fn what_was_explored_is_drawn() {
    let folder = folder();
    let page = folder.path().join("space.html");
    let tune =
        format!("tune gemm {SHAPE} --budget 300ms --wisdom off --plot {} --json", page.display());
    json(&tune, "tune");
    let text = fs::read_to_string(&page).expect("a page");
    assert!(text.contains("<svg") && !text.contains("http") && !text.contains("<script"));
    refused("tune gemm --wisdom off --plot space.png", 2, &["--plot", ".html"]);
    let none = folder.path().join("none.html");
    let file = folder.path().join("wisdom.jsonl");
    let (plot, file) = (none.display(), file.display());
    let load = format!("tune gemm {SHAPE} --wisdom-mode load --plot {plot} --wisdom {file}");
    let output = tilewise(&load).output().expect("it runs");
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing to draw"));
    assert!(output.status.success() && !none.exists());
}
