//! `tilewise kmeans`: pictures, points of every type, and the arrays it writes.

use crate::{folder, json, refused, written};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Quantises a picture and holds the result against what was asked for.
fn quantise(input: &Path, colours: usize) {
    let folder = folder();
    let out = folder.path().join("few.png");
    let arguments =
        format!("kmeans --image {} --k {colours} --out {} --json", input.display(), out.display());
    let value = json(&arguments, "line");
    assert!(value["iterations"].as_u64() >= Some(1));
    let (before, after) = (image::open(input).expect("input"), image::open(&out).expect("output"));
    let (before, after) = (before.into_rgb8(), after.into_rgb8());
    assert_eq!(before.dimensions(), after.dimensions());
    let distinct: std::collections::HashSet<_> = after.pixels().collect();
    assert!(distinct.len() <= colours && distinct.len() > colours / 2, "{}", distinct.len());
    // Nothing else was left beside it.
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
}

#[test]
fn a_picture_is_quantised() {
    let folder = folder();
    let input = folder.path().join("input.png");
    let picture = tilewise_harness::picture::Picture::generate(120, 80, 3);
    fs::write(&input, picture.png()).expect("written");
    quantise(&input, 16);
}

#[test]
fn a_photograph_is_quantised() {
    if let Some(photograph) = photograph() {
        quantise(&photograph, 64);
    }
}

/// The photograph beside the repository. Without it a test is skipped, audibly; where nobody
/// listens (`CI`), it must be there.
fn photograph() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/china.jpg");
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "no photograph at {}", path.display());
    // Straight to standard error: what the macros print is shown of failing tests only.
    let _ = writeln!(std::io::stderr(), "SKIPPED: no photograph at {}", path.display());
    None
}

/// A .npy file of f32, as NumPy writes it.
pub(crate) fn npy(rows: usize, columns: usize, values: &[f32]) -> Vec<u8> {
    let shape =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let mut header = shape.into_bytes();
    while (header.len() + 11) % 64 != 0 {
        header.push(b' ');
    }
    header.push(b'\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header);
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

#[test]
fn points_come_from_files_and_centres_may_be_given() {
    let folder = folder();
    let points = written(&folder, "points.csv", "x,y\n0,0\n0,1\n9,9\n9,8\n0.5,0.5\n9,9.5\n");
    let centres = written(&folder, "centres.csv", "0,0\n9,9\n");
    let arguments =
        format!("kmeans --data {} --k 2 --init {} --json", points.display(), centres.display());
    let value = json(&arguments, "line");
    assert_eq!(value["shape"], serde_json::json!({ "n": 6, "d": 2, "k": 2 }));
    assert!(value["inertia"].as_f64().is_some_and(|inertia| inertia < 3.0));
    let values: Vec<f32> = (0..60).map(|i| (i * i % 17) as f32).collect();
    let array = written(&folder, "points.npy", npy(20, 3, &values));
    json(&format!("kmeans --data {} --k 4 --json", array.display()), "line");
}

#[test]
fn points_may_be_of_every_type_and_results_go_to_arrays() {
    let folder = folder();
    let points = written(&folder, "points.csv", "0,0\n0,1\n9,9\n9,8\n1,1\n9,10\n");
    let file = |name: &str| folder.path().join(name);
    let (centres, labels) = (file("centres.npy"), file("labels.npy"));
    for (dtype, size) in [("f32", 4), ("f64", 8), ("u8", 8)] {
        let arguments = format!(
            "kmeans --data {} --k 2 --init random --n-init 3 --dtype {dtype} --centers {} \
             --labels {} --json",
            points.display(),
            centres.display(),
            labels.display()
        );
        let value = json(&arguments, "line");
        assert_eq!((&value["dtype"], &value["clusters"]), (&dtype.into(), &2.into()));
        let (centres, labels) =
            (fs::read(&centres).expect("made"), fs::read(&labels).expect("made"));
        assert_eq!((centres.len(), labels.len()), (128 + 4 * size, 128 + 6 * 4), "{dtype}");
        let of = |point: usize| labels[128 + 4 * point];
        assert!(of(0) == of(1) && of(0) == of(4) && of(0) != of(2) && of(2) == of(5));
    }
    // Centres that were written can be read again.
    let again = format!(
        "kmeans --data {} --k 2 --init {} --dtype f64 --json",
        points.display(),
        centres.display()
    );
    assert_eq!(json(&again, "line")["iterations"], 1);
}

#[test]
fn a_truncated_photograph_is_refused() {
    let folder = folder();
    let Some(photograph) = photograph() else { return };
    let bytes = fs::read(photograph).expect("readable");
    let cut = written(&folder, "cut.jpg", &bytes[..bytes.len() / 3]);
    refused(&format!("kmeans --image {}", cut.display()), 1, &["cut.jpg", "cut short"]);
}

/// The head of a .npy file, as anyone may have written it, and bytes behind it.
pub(crate) fn array(element: &str, fortran: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let head =
        format!("{{'descr': '{element}', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((head.len() as u16).to_le_bytes());
    file.extend(head.bytes().chain(bytes.iter().copied()));
    file
}

#[test]
fn points_may_stay_in_their_file() {
    let folder = folder();
    let file = |name: &str| folder.path().join(name);
    let values: Vec<f32> = (0..9000).map(|i| (i * i % 1709) as f32 / 7.0).collect();
    let big: Vec<u8> = values.iter().flat_map(|x| f64::from(*x).to_be_bytes()).collect();
    let little = written(&folder, "little.npy", npy(3000, 3, &values));
    let big = written(&folder, "big.npy", array(">f8", "False", "3000, 3", &big));
    let run = |data: &Path, flags: &str, schema: &str| {
        let (centres, labels) = (file("centres.npy"), file("labels.npy"));
        let outputs = format!("--centers {} --labels {}", centres.display(), labels.display());
        let line = format!("kmeans --data {} --k 7 {outputs} --json {flags}", data.display());
        let value = json(&line, schema);
        let kept =
            ["inertia", "iterations", "clusters", "shape", "dtype"].map(|k| value[k].clone());
        (kept, fs::read(centres).expect("made"), fs::read(labels).expect("made"))
    };
    for dtype in ["--dtype f32", "--dtype f64"] {
        let whole = run(&little, dtype, "line");
        for flags in ["--chunk 1", "--chunk 1000 --threads 1", "--chunk 100000"] {
            assert_eq!(run(&little, &format!("{dtype} {flags}"), "streamed"), whole);
            assert_eq!(run(&big, &format!("{dtype} {flags}"), "streamed"), whole);
        }
    }
    let bytes: Vec<u8> = (0..400).map(|i| (i * i % 251) as u8).collect();
    let bytes = written(&folder, "bytes.npy", array("|u1", "False", "200, 2", &bytes));
    assert_eq!(run(&bytes, "--dtype u8 --chunk 64", "streamed"), run(&bytes, "--dtype u8", "line"));
}

#[test]
fn files_that_hold_no_points_are_refused_with_and_without_parts() {
    let folder = folder();
    let zeros = [0; 48];
    for (name, bytes, words) in [
        ("cut.npy", array("<f4", "False", "4, 3", &zeros[..40]), "cut short or too long: 40 bytes"),
        (
            "order.npy",
            array("<f4", "True", "4, 3", &zeros),
            "is in Fortran order; expected C order",
        ),
        (
            "ints.npy",
            array("<i4", "False", "4, 3", &zeros),
            "has elements of type <i4; expected f32",
        ),
        ("flat.npy", array("<f4", "False", "12,", &zeros), "has 1 dimensions; expected 2"),
        ("none.npy", array("<f4", "False", "0, 3", &[]), "there are no points in it"),
        ("noise.npy", b"no array at all".to_vec(), "no .npy array"),
        ("nan.npy", npy(2, 2, &[0.0, 1.0, f32::NAN, 0.0]), "row 2, column 1 is NaN"),
    ] {
        let file = written(&folder, name, bytes);
        for chunk in ["", "--chunk 2"] {
            let line = format!("kmeans --data {} --k 2 {chunk}", file.display());
            refused(&line, 1, &[name, words]);
        }
    }
    let floats = written(&folder, "floats.npy", npy(4, 3, &[0.0; 12]));
    let line = format!("kmeans --data {} --k 2 --chunk 9", floats.display());
    refused(&format!("{line} --dtype u8"), 1, &["<f4; expected u8"]);
    refused(&line.replace("--k 2", "--k 5"), 2, &["--k 5: expected 1 to 4"]);
    refused(&line.replace("--chunk 9", "--chunk 0"), 2, &["--chunk"]);
    refused("kmeans --chunk 9", 2, &["--chunk: expected --data FILE.npy"]);
}
