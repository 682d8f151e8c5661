//! The rules of CONTRIBUTING.md that a program can check.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST_FILE: usize = 400;

/// Where unsafe code may stand, as path prefixes, with the reason.
const UNSAFE_PLACES: &[(&str, &str)] = &[
    ("kernels/src/vector", "intrinsics"),
    ("kernels/src/isa.rs", "entering code compiled for the features a token proves"),
    ("kernels/src/buffer.rs", "asking the system for large pages, memory nobody has touched yet"),
    ("kernels/src/team", "a job on the caller's stack, and the promise kernels split output by"),
    ("kernels/src/matrix/disjoint.rs", "splitting a mutable slice among members"),
    ("kernels/examples/packed_file.rs", "mapping a file into memory"),
    ("kernels/examples/mapped_points.rs", "mapping a file into memory"),
    ("tests/allocations.rs", "an allocator that counts"),
    ("tests/guard.rs", "guard pages"),
    ("benches/gemm_rivals/libraries.rs", "a rival without a safe door"),
    ("harness/src/bert/weights.rs", "mapping a file into memory"),
    ("harness/src/baseline/abi.rs", "slices cross the C calling convention"),
    ("harness/src/baseline/builds.rs", "the door to the separately compiled plain code"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every Rust source of the workspace, as path from its root and text.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            if entry.is_dir() && name != "target" && !name.starts_with('.') {
                walk(&entry, found);
            } else if name.ends_with(".rs") {
                found.push(entry);
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text)
        })
        .collect()
}

fn complain(rule: &str, offenders: Vec<String>) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn files_hold_one_concept() {
    let long = sources().into_iter().filter_map(|(path, text)| {
        let lines = text.lines().count();
        (lines > LONGEST_FILE).then(|| format!("{path}: {lines} lines"))
    });
    complain("files past 400 lines are two concepts", long.collect());
}

#[test]
fn files_say_what_they_are() {
    let silent = sources().into_iter().filter_map(|(path, text)| {
        let head = text.lines().find(|line| !line.is_empty()).unwrap_or("").to_owned();
        (!head.starts_with("//!")).then_some(path)
    });
    complain("a file's first paragraph says what it is", silent.collect());
}

#[test]
fn unsafe_stays_in_its_places() {
    let mut offenders = Vec::new();
    for (path, text) in sources() {
        if UNSAFE_PLACES.iter().any(|(place, _)| path.starts_with(place)) {
            continue;
        }
        // Each allowance reaches to its closing bracket and must give the one reason there is.
        let marker = ["allow(", "unsafe_code"].concat();
        for allowance in text.split(&marker).skip(1) {
            let reason = allowance.split(")]").next().unwrap_or("");
            if !reason.contains("disjoint output views") {
                offenders.push(format!("{path}: {}", reason.trim()));
            }
        }
    }
    complain("unsafe outside its places (see UNSAFE_PLACES)", offenders);
}

#[test]
fn intrinsics_live_in_vector() {
    let stray = sources().into_iter().filter_map(|(path, text)| {
        let inside = path.starts_with("kernels/src/vector");
        let marker = ["arch::", "x86_64::"].concat();
        (!inside && path.starts_with("kernels/") && text.contains(&marker)).then_some(path)
    });
    complain("intrinsics outside vector/", stray.collect());
}

/// Every operation has its page, reference, table, test and bench.
#[test]
fn operations_are_complete() {
    let mut missing = Vec::new();
    for operation in ["gemm", "kmeans", "stencil"] {
        for file in [
            format!("kernels/src/{operation}.rs"),
            format!("kernels/src/{operation}/recipe.rs"),
            format!("kernels/src/{operation}/reference.rs"),
            format!("kernels/src/{operation}/table.rs"),
            format!("tests/{operation}.rs"),
            format!("benches/{operation}.rs"),
        ] {
            if !root().join(&file).is_file() {
                missing.push(file);
            }
        }
    }
    complain("an operation lacks a file", missing);
}

/// The examples in the README are the ones that are compiled.
#[test]
fn the_readme_shows_compiled_examples() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let absent = ["linear", "kmeans", "heat"].into_iter().filter(|name| {
        let path = root().join(format!("kernels/examples/{name}.rs"));
        let example = fs::read_to_string(path).unwrap();
        let (_head, code) = example.split_once("\n\n").unwrap();
        !readme.contains(code.trim())
    });
    complain("the README's copy of an example differs", absent.map(String::from).collect());
}

#[test]
fn no_test_is_ignored() {
    let marker = ["#[ign", "ore"].concat();
    let ignored = sources().into_iter().filter(|(_, text)| text.contains(&marker));
    complain("ignored tests", ignored.map(|(path, _)| path).collect());
}
