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
