//! `tilewise kmeans`: pictures, points of every type, and the arrays it writes.

use crate::{folder, json, refused, tilewise, written};
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

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
    let distinct = |picture: &image::RgbImage| picture.pixels().collect::<HashSet<_>>().len();
    let few = distinct(&after);
    assert!(few <= colours && few > colours / 2, "{few}");
    assert_eq!(value["distinct"], distinct(&before));
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
    let output = tilewise(&format!("{arguments} --n-init 5")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("--n-init 5 is not followed"), "{said}");
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
        let kept = ["inertia", "iterations", "converged", "clusters", "shape", "dtype"];
        let kept = (kept.map(|k| value[k].clone()), value["check"]["output_digest"].clone());
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
        ("none.npy", array("<f4", "False", "0, 3", &[]), "there are no numbers in it"),
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

/// A file of f64, as NumPy writes it.
pub(crate) fn doubles(rows: usize, columns: usize, values: &[f64]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    array("<f8", "False", &format!("{rows}, {columns}"), &bytes)
}

/// Times in nanoseconds, which f32 does not tell apart.
#[test]
fn points_are_what_the_file_says_unless_told() {
    let folder = folder();
    let values: Vec<f64> = (0..40).map(|i| 1.7e18 + f64::from(i / 20) * 4096.0).collect();
    let wide = written(&folder, "wide.npy", doubles(40, 1, &values));
    let bytes = written(&folder, "bytes.npy", array("|u1", "False", "40, 1", &[7; 40]));
    let (centres, line) = (folder.path().join("centres.npy"), "kmeans --k 2 --json --data");
    for (chunk, schema) in [("", "line"), ("--chunk 16", "streamed")] {
        let own = json(&format!("{line} {} {chunk}", wide.display()), schema);
        assert_eq!((&own["dtype"], &own["clusters"]), (&"f64".into(), &2.into()));
        assert_eq!(json(&format!("{line} {} {chunk}", bytes.display()), schema)["dtype"], "u8");
        let narrow = format!("{line} {} {chunk} --dtype f32 --centers", wide.display());
        let output =
            tilewise(&format!("{narrow} {}", centres.display())).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("rounded to f32; --dtype f64"), "{said}");
    }
    let single = written(&folder, "single.npy", npy(20, 2, &[1.5; 40]));
    let output = tilewise(&format!("{line} {}", single.display())).output().expect("it runs");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("rounded"));
}

#[test]
fn nothing_is_written_over_what_is_read_or_written() {
    let folder = folder();
    let data = written(&folder, "in.npy", npy(20, 2, &[1.5; 40]));
    let start = written(&folder, "start.npy", npy(2, 2, &[1.5; 4]));
    let before = fs::read(&data).expect("a file");
    let (data, start) = (data.display(), start.display());
    let line = format!("kmeans --k 2 --data {data} --init {start}");
    let inside = folder.path().join("sub");
    fs::create_dir(&inside).expect("a folder");
    let around = format!("{}/../in.npy", inside.display());
    refused(&format!("{line} --labels {data}"), 2, &["--labels", "in.npy", "is read"]);
    refused(&format!("{line} --centers {around}"), 2, &["--centers", "in.npy", "is read"]);
    refused(&format!("{line} --centers {start}"), 2, &["--centers", "start.npy", "is read"]);
    let same = folder.path().join("same.npy");
    let both = format!("{line} --centers {0} --labels {0}", same.display());
    refused(&both, 2, &["--labels", "same.npy", "two results"]);
    assert!(!same.exists());
    assert_eq!(fs::read(folder.path().join("in.npy")).expect("still there"), before);
    let picture = tilewise_harness::picture::Picture::generate(32, 32, 1).png();
    let picture = written(&folder, "in.png", picture);
    let line = format!("kmeans --k 2 --image {0} --out {0}", picture.display());
    refused(&line, 2, &["--out", "in.png", "is read"]);
    let grid = written(&folder, "grid.npy", npy(8, 8, &[0.5; 64]));
    let line = format!("stencil --kind heat5 --grid 8,8 --npy {0} --npy-out {0}", grid.display());
    refused(&line, 2, &["--npy-out", "grid.npy", "is read"]);
}

#[test]
fn values_that_do_not_fit_are_named_by_their_place_in_the_file() {
    let folder = folder();
    let data = written(&folder, "data.npy", npy(4, 2, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
    let huge = written(&folder, "huge.csv", "0,0\n1,1e300\n");
    let line = format!("kmeans --k 2 --data {} --init {}", data.display(), huge.display());
    for chunk in ["", "--chunk 2"] {
        let words = ["huge.csv", "line 2, column 2 is 1e300", "the largest f32"];
        refused(&format!("{line} {chunk}"), 1, &words);
    }
    // Numbers that are narrowed on the way are counted as those that are not.
    let values = [0.0, 1.0, 2.0, 3.0, 4.0, f64::NEG_INFINITY, 6.0, 7.0];
    let wide = written(&folder, "wide.npy", doubles(4, 2, &values));
    for dtype in ["f32", "f64"] {
        for chunk in ["", "--chunk 4"] {
            let line = format!("kmeans --k 2 --data {} --dtype {dtype} {chunk}", wide.display());
            refused(&line, 1, &["wide.npy: row 3, column 2 is -inf; expected a finite number"]);
        }
    }
}

#[test]
fn a_short_fit_is_measured_in_rounds() {
    let folder = folder();
    let values: Vec<f32> = (0..600).map(|i| (i * i % 83) as f32).collect();
    let data = written(&folder, "data.npy", npy(300, 2, &values));
    let value = json(&format!("kmeans --k 3 --json --data {}", data.display()), "line");
    assert!(value["fit_rounds"].as_u64() >= Some(6), "{}", value["fit_rounds"]);
    assert_eq!(value["converged"], true);
    let [lo, median, hi] =
        ["fit_lo_s", "fit_median_s", "fit_hi_s"].map(|name| value[name].as_f64());
    assert!(lo <= median && median <= hi);
}

#[test]
fn labels_of_a_file_are_timed_as_those_in_memory_are() {
    let folder = folder();
    let values: Vec<f32> = (0..6000).map(|i| (i * i % 1709) as f32).collect();
    let data = written(&folder, "data.npy", npy(3000, 2, &values));
    let line = format!("kmeans --k 5 --max-iter 1 --json --data {}", data.display());
    let whole = json(&line, "line");
    let parts = json(&format!("{line} --chunk 700"), "streamed");
    for value in [&whole, &parts] {
        let number = |name: &str| value[name].as_f64().expect(name);
        let [lo, median, hi] = ["lo_s", "median_s", "hi_s"].map(number);
        assert!(lo <= median && median <= hi && number("rounds") >= 6.0, "{value}");
        assert_eq!((number("predict_median_s"), &value["rate_unit"]), (median, &"Gdist/s".into()));
        let distances = number("rate") * 1e9 * median;
        assert!((distances / 15_000.0 - 1.0).abs() < 1e-6, "{distances}");
        assert_eq!((&value["cache"], &value["converged"]), (&"hot".into(), &false.into()));
    }
}

/// Points whose distances the reference would take longer for than all the rest.
fn many_distances(folder: &TempDir) -> String {
    let values: Vec<f32> = (0..16_384 * 8).map(|i| (i * i % 1_000_003_u64) as f32).collect();
    let data = written(folder, "data.npy", npy(16_384, 8, &values));
    let flags = "--k 8192 --init random --n-init 1 --max-iter 1 --wisdom off --json";
    format!("kmeans {flags} --data {}", data.display())
}

#[test]
fn of_many_distances_those_of_some_points_are_checked() {
    let folder = folder();
    let value = json(&many_distances(&folder), "line");
    assert_eq!(value["check"]["compared"], 16_384_u64.div_ceil(3));
    let reference = value["check"]["reference"].as_str();
    assert!(reference.is_some_and(|reference| reference.contains("of some points")), "{value}");
}

/// What a command says that is interrupted so many milliseconds after it is ready for that.
#[cfg(unix)]
fn interrupted(line: &str, ready: impl Fn() -> bool, later: u64) -> String {
    use std::process::{Command, Stdio};
    let pause = |time| std::thread::sleep(std::time::Duration::from_millis(time));
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"))
        .args(line.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    while !ready() {
        pause(5);
        assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
    }
    pause(later);
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.expect("kill runs").success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), &*output.stdout), (Some(130), &b""[..]), "{line}: {said}");
    said
}

/// Fits take long enough to be measured for a while after their results are there.
#[cfg(unix)]
#[test]
fn measuring_that_is_interrupted_has_written_everything() {
    let folder = folder();
    let [labels, centres] = ["labels.npy", "centres.npy"].map(|name| folder.path().join(name));
    let line = format!("{} --labels {}", many_distances(&folder), labels.display());
    for line in [format!("{line} --centers {}", centres.display()), line] {
        let said = interrupted(&line, || labels.exists(), 100);
        assert!(said.contains("what was asked for is written"), "{said}");
        assert_eq!(fs::metadata(&labels).expect("made").len(), 128 + 4 * 16_384);
        fs::remove_file(&labels).expect("there");
    }
}

/// Of starts without end the best one is written: as of so many that end, or the one under way.
#[cfg(unix)]
#[test]
fn an_interrupted_fit_leaves_the_best_start() {
    let folder = folder();
    let values: Vec<f32> = (0..2000).map(|i| ((i * i + 7 * i) % 1709) as f32).collect();
    let data = written(&folder, "data.npy", npy(1000, 2, &values));
    let [left, right] = ["left.npy", "right.npy"].map(|name| folder.path().join(name));
    // A claim to a file is laid before the fit begins.
    let files = || fs::read_dir(folder.path()).expect("the folder").count();
    for chunk in ["--chunk 500", ""] {
        let line = |starts: &str, flag: &str, file: &Path| {
            let flags = format!("--k 6 --init random --n-init {starts} --wisdom off {chunk}");
            format!("kmeans {flags} --data {} {flag} {}", data.display(), file.display())
        };
        let said = interrupted(&line("100000000", "--centers", &left), || files() > 1, 500);
        let bytes = fs::read(&left).expect(&said);
        fs::remove_file(&left).expect("there");
        if let Some((_, start)) = said.split_once("--centers are those of start ") {
            let (start, _) = start.split_once(", the best of those that had ended").expect(&said);
            tilewise(&line(start, "--centers", &right)).assert().success();
            assert_eq!(bytes, fs::read(&right).expect("made"), "{said}");
            fs::remove_file(&right).expect("there");
        }
        // Nothing would be left: there is nothing to wait for.
        let said = interrupted(&line("100000000", "--labels", &left), || files() > 1, 500);
        assert!(!said.contains("again to end") && files() == 1, "{said}");
    }
}
