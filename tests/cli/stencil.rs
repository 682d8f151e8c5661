//! `tilewise stencil`: fields stepped, painted, read and written, and what is refused.

use crate::kmeans::array;
use crate::{folder, json, refused, written};
use std::fs;
use tilewise_harness::picture::Picture;

#[test]
fn fields_are_stepped_and_painted() {
    let folder = folder();
    let png = folder.path().join("field.png");
    let arguments = format!(
        "stencil --kind heat5 --grid 60,40 --steps 7 --dtype f64 --seed 5 --png {} --json",
        png.display()
    );
    let value = json(&arguments, "line");
    assert_eq!(value["rate_unit"], "GLUP/s");
    assert_eq!(value["input"], "generated");
    assert_eq!(value["seed"], 5);
    // Half of what is stable, unless told.
    assert_eq!(value["coefficient"], 0.125);
    let told = "stencil --kind heat3 --grid 2000 --coefficient 0.3 --json";
    assert_eq!(json(told, "line")["coefficient"], 0.3);
    let picture = image::open(&png).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (60, 40));
    json("stencil --kind heat9 --grid 40,30 --steps 3 --json", "line");
    json("stencil --kind gray-scott --grid 40,30 --steps 3 --json", "line");
    for kind in ["heat7", "heat13", "heat25", "heat27", "wave7", "wave13", "wave25"] {
        json(&format!("stencil --kind {kind} --grid 20,21,22 --steps 3 --json"), "line");
    }
    for scheme in ["plain", "spatial", "streaming", "overlapped", "skewed"] {
        if scheme == "streaming" && !cfg!(target_arch = "x86_64") {
            continue; // No such stores.
        }
        let line = format!("stencil --grid 40,30,20 --steps 9 --scheme {scheme} --json");
        let value = json(&line, "line");
        let predicted = &value["predicted"];
        let number = |name: &str| predicted[name].as_f64().expect(name);
        let limit = number("bandwidth") / number("bytes_per_update");
        assert!((number("streaming_limit") / limit - 1.0).abs() < 1e-9, "{predicted}");
        let single = number("bandwidth") / 8.0;
        assert!((number("single_step_limit") / single - 1.0).abs() < 1e-9, "{predicted}");
        // Memory is no limit to what no cache has to give back.
        assert!(predicted["share_of_streaming_limit"].is_null(), "{value}");
        assert!(predicted["why_no_share"].as_str().is_some_and(|why| why.contains("last cache")));
    }
    let output = crate::tilewise("stencil --grid 40,30,20").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("fits half the last cache") && !said.contains("share_of_streaming"),
        "{said}"
    );
}

/// The numbers of a `.npy` file of little-endian `f32`.
fn singles(file: &[u8]) -> Vec<f64> {
    let start = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
    let (numbers, rest) = file[start..].as_chunks::<4>();
    assert!(rest.is_empty());
    numbers.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect()
}

#[test]
fn a_picture_of_a_field_in_space_is_its_middle_slice() {
    let folder = folder();
    let [png, npy] = ["slice.png", "field.npy"].map(|name| folder.path().join(name));
    let line = format!(
        "stencil --kind heat7 --grid 20,21,22 --steps 3 --png {} --npy-out {} --json",
        png.display(),
        npy.display()
    );
    json(&line, "line");
    let picture = image::open(&png).expect("a picture").into_rgb8();
    assert_eq!(picture.dimensions(), (20, 21));
    let field = singles(&fs::read(&npy).expect("an array"));
    let slice = |z: usize| Picture::of_field(20, 21, &field[z * 20 * 21..][..20 * 21]);
    assert_eq!(field.len(), 20 * 21 * 22);
    assert!(picture.as_raw() == slice(11).rgb(), "not the middle slice");
    // No other slice looks the same.
    assert!((0..22).all(|z| z == 11 || slice(z) != slice(11)));
}

#[test]
fn fields_are_read_from_arrays_and_written_to_them() {
    let folder = folder();
    let [middle, end, whole] = ["middle.npy", "end.npy", "whole.npy"].map(|name| {
        let file = folder.path().join(name);
        file.to_str().expect("a name in UTF-8").to_owned()
    });
    // Three steps and four from where they led are seven: also of waves, which need two steps to go
    // on from.
    let seven = |kind: &str, grid: &str| {
        let line = |rest: &str| {
            json(&format!("stencil --kind {kind} --grid {grid} --json {rest}"), "line");
        };
        line(&format!("--steps 3 --npy-out {middle}"));
        line(&format!("--steps 4 --npy {middle} --npy-out {end}"));
        line(&format!("--steps 7 --npy-out {whole}"));
        let [middle, end, whole] =
            [&middle, &end, &whole].map(|file| fs::read(file).expect("an array"));
        assert!(end == whole && middle != whole, "{kind}");
    };
    let of = |rest: &str| format!("stencil --npy {middle} {rest}");
    // Of two substances both go out and in.
    seven("gray-scott", "12,11");
    let wrong = "[2, 11, 12]; expected [11, 12], the grid of heat5";
    refused(&of("--kind heat5 --grid 12,11"), 1, &["middle.npy", wrong, "--grid"]);
    seven("wave13", "12,11,10");
    let wrong = "[2, 10, 11, 12]; expected [10, 11, 12], the grid of heat7";
    refused(&of("--grid 12,11,10"), 1, &["middle.npy", wrong, "--grid"]);
    let both = "expected [2, 3, 11, 12] (now and one step before) or [3, 11, 12] (at rest)";
    refused(&of("--kind wave7 --grid 12,11,3"), 1, &["middle.npy", both]);
    seven("heat7", "12,11,10");
    let value = json(&of("--grid 12,11,10 --json"), "line");
    assert_eq!(value["input"], middle);
    assert_eq!(value.get("seed"), None);
    // A wave from a single field.
    let mut command = crate::tilewise(&of("--kind wave7 --grid 12,11,10 --steps 2"));
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("starts at rest"), "{said}");
    refused(&of("--grid 10,11,12"), 1, &["middle.npy", "[10, 11, 12]", "[12, 11, 10]", "--grid"]);
    refused(&of("--grid 12,11,10 --dtype f64"), 1, &["middle.npy", "<f4", "f8", "--dtype"]);
    refused("stencil --npy missing.npy", 1, &["missing.npy"]);
}

#[test]
fn arrays_that_are_no_field_of_the_grid_are_refused() {
    let folder = folder();
    let zeros = [0; 4 * 3 * 4 * 5];
    let mut nan = zeros;
    nan[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
    let mut infinite = zeros;
    infinite[32..36].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    for (name, bytes, words) in [
        ("cut.npy", array("<f4", "False", "3, 4, 5", &zeros[..200]), "cut short"),
        ("order.npy", array("<f4", "True", "3, 4, 5", &zeros), "Fortran order"),
        ("ints.npy", array("<i4", "False", "3, 4, 5", &zeros), "<i4; expected f32"),
        ("flat.npy", array("<f4", "False", "60,", &zeros), "[60]; expected [3, 4, 5]"),
        ("noise.npy", b"no array at all".to_vec(), "no .npy array"),
        ("nan.npy", array("<f4", "False", "3, 4, 5", &nan), "row 1, column 2 is NaN"),
        ("inf.npy", array("<f4", "False", "3, 4, 5", &infinite), "row 2, column 4 is -inf"),
    ] {
        let file = written(&folder, name, bytes);
        let out = folder.path().join("out.npy");
        let arguments = format!(
            "stencil --kind heat7 --grid 5,4,3 --npy {} --npy-out {}",
            file.display(),
            out.display()
        );
        refused(&arguments, 1, &[name, words]);
        assert!(!out.exists(), "{name} left a file");
    }
    if cfg!(unix) {
        refused("stencil --grid 5,4,3 --npy /dev/zero", 1, &["/dev/zero", "no .npy array"]);
    }
    // So long that nobody should read it to find that its shape is another; where files without
    // anything in them take no room.
    if cfg!(unix) {
        let long = written(&folder, "long.npy", array("<f4", "False", "17179869184,", &[]));
        let head = fs::metadata(&long).expect("a file").len();
        let file = fs::OpenOptions::new().write(true).open(&long).expect("a file");
        file.set_len(head + (1 << 36)).expect("a file full of nothing");
        let arguments = format!("stencil --grid 5,4,3 --npy {}", long.display());
        refused(&arguments, 1, &["long.npy", "[17179869184]; expected [3, 4, 5]"]);
    }
    for flag in ["--png /no/such/folder/a.png", "--npy-out /no/such/folder/a.npy"] {
        refused(&format!("stencil --grid 9,9,9 {flag}"), 1, &["/no/such/folder"]);
    }
}

#[test]
fn recipes_show_nothing_that_is_not_felt() {
    let recipe = |scheme: &str| {
        let line = format!("stencil --grid 40,30,20 --steps 9 --scheme {scheme} --json");
        json(&line, "line")["recipe"].clone()
    };
    let skewed = recipe("skewed");
    assert!(skewed["streaming"] == false && skewed["tile_points"] == 40, "{skewed}");
    let plain = recipe("plain");
    assert!(plain["depth"] == 1 && plain["tile_rows"] == 28, "{plain}");
}

#[test]
fn what_no_stencil_can_do_is_refused() {
    refused("stencil --grid 5", 2, &["1 points along y", "at least 3"]);
    refused("stencil --grid 5,5,5,5", 2, &["5,5,5,5", "one to three"]);
    refused("stencil --kind heat3 --grid 9,9", 2, &["9x9", "one row"]);
    refused("stencil --kind heat25 --grid 9,8,9", 2, &["8 points along y", "at least 9"]);
    refused("stencil --grid 2,2,2", 2, &["2", "at least 3"]);
    refused("stencil --grid 0,0,0", 2, &["0x0x0", "at least"]);
    refused("stencil --grid 3,3", 2, &["3x3", "at least 3"]);
    refused("stencil --grid -3,3", 2, &["--grid", "-3,3", "one to three"]);
    refused("stencil --kind heat5 --grid 9,9,9", 2, &["9x9x9", "one plane"]);
    refused("stencil --grid 4000000,4000000,4000000", 2, &["4000000", "smaller"]);
    refused("stencil --steps 0", 2, &["0", "expected 1"]);
    refused("stencil --kind cold", 2, &["cold", "heat13, heat25"]);
    refused("stencil --png field.jpg", 2, &["--png field.jpg", ".png"]);
    refused("stencil --grid 4,99999999999999999999,3", 2, &["--grid", "at most"]);
    refused("stencil --grid 9999999999999,9999999999999,1000", 2, &["can address"]);
    let folder = folder();
    let wide = folder.path().join("wide.png");
    let wide = format!("stencil --kind heat3 --grid 3000000000 --png {}", wide.display());
    refused(&wide, 2, &["--png", "3000000000 by 1 pixels", "2147483647", "--grid"]);
    refused("stencil --npy-out field.png", 2, &["--npy-out field.png", ".npy"]);
    refused("stencil --coefficient abc", 2, &["abc", "--coefficient", "expected a number"]);
    refused("stencil --coefficient nan", 2, &["nan", "expected a number"]);
    refused("stencil --coefficient 1e300 --grid 9,9,9", 2, &["1e300", "heat7", "f32 can hold"]);
    refused("stencil --kind wave7 --grid 9,9,9 --scheme overlapped", 2, &["wave7", "skewed"]);
    refused("stencil --kind wave7 --grid 9,9,9 --scheme streaming", 2, &["wave7", "spatial"]);
    refused("stencil --grid 9,9,9 --scheme streaming --isa scalar", 2, &["scalar", "spatial"]);
    refused("stencil --grid 9,9,9 --scheme sideways", 2, &["sideways", "overlapped"]);
}

#[test]
fn steps_beyond_the_limit_are_warned_of() {
    let mut command = crate::tilewise("stencil --kind heat3 --grid 99 --coefficient 0.75");
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("0.75 of heat3") && said.contains("0 to 0.5"), "{said}");
    assert!(!said.contains("infinite"), "{said}");
}

#[test]
fn fields_that_leave_the_numbers_are_marked() {
    // Twice as large with every step.
    let line = "stencil --kind heat3 --grid 99 --coefficient 0.75 --json --steps";
    let output = crate::tilewise(&format!("{line} 2000")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("after 2000 steps there are values that are infinite"), "{said}");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(value["finite"], false);
    assert_eq!(json(&format!("{line} 2"), "line")["finite"], true);
}
