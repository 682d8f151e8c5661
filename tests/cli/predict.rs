//! `tilewise kmeans --predict`: labels by centres from a file.

use crate::kmeans::{array, doubles, npy};
use crate::{folder, json, refused, tilewise, written};
use std::fs;

#[test]
fn points_are_labelled_by_given_centres() {
    let folder = folder();
    let file = |name: &str| folder.path().join(name);
    let values: Vec<f32> = (0..6000).map(|i| (i * i % 1709) as f32 / 7.0).collect();
    let data = written(&folder, "data.npy", npy(2000, 3, &values));
    let (centres, fitted, labels) = (file("centres.npy"), file("fitted.npy"), file("labels.npy"));
    let line = format!("kmeans --json --data {}", data.display());
    let outputs = format!("--centers {} --labels {}", centres.display(), fitted.display());
    let fit = json(&format!("{line} --k 9 {outputs}"), "line");
    let line = format!("{line} --predict {} --labels {}", centres.display(), labels.display());
    for (chunk, schema) in [("", "line"), ("--chunk 300", "streamed")] {
        let value = json(&format!("{line} {chunk}"), schema);
        for name in ["shape", "dtype", "clusters"] {
            assert_eq!(value[name], fit[name], "{name} {chunk}");
        }
        assert_eq!(value["centers"], centres.display().to_string());
        assert!(value.get("fit_median_s").is_none() && value["predict_median_s"].is_number());
        assert_eq!(fs::read(&labels).expect("made"), fs::read(&fitted).expect("made"), "{chunk}");
        fs::remove_file(&labels).expect("there");
    }
    // More centres than points, and of a type that the points are not.
    let few = written(&folder, "few.csv", "0,0\n9,9\n");
    let many = written(&folder, "many.npy", doubles(3, 2, &[50.0, 50.0, 8.0, 8.0, 1.0, 1.0]));
    let line = format!("kmeans --data {} --predict {}", few.display(), many.display());
    let value = json(&format!("{line} --labels {} --json", labels.display()), "line");
    assert_eq!((&value["shape"]["k"], &value["clusters"]), (&3.into(), &2.into()));
    assert_eq!(fs::read(&labels).expect("made")[128..], [2, 0, 0, 0, 1, 0, 0, 0]);
    let output = tilewise(&line).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--predict are f64 and were rounded to f32"), "{said}");
    // A picture in given colours.
    let colours = written(&folder, "colours.csv", "0,0,0\n1,1,1\n");
    let (colours, out) = (colours.display(), file("out.png"));
    let line = format!("kmeans --predict {colours} --out {} --json", out.display());
    assert_eq!(json(&line, "line")["shape"]["k"], 2);
    let picture = image::open(&out).expect("a picture").into_rgb8();
    let (black, white) = ([0; 3], [255; 3]);
    assert!(picture.pixels().all(|pixel| [black, white].contains(&pixel.0)));
    assert!([black, white].iter().all(|colour| picture.pixels().any(|pixel| pixel.0 == *colour)));
    // Colours of bytes, for pixels of floats and of bytes.
    let bytes = written(&folder, "bytes.csv", "0,0,0\n255,255,255\n");
    let line = format!("kmeans --predict {} --out {} --json", bytes.display(), out.display());
    let output = tilewise(&line).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("numbers up to 255, where colours go from 0 to 1"), "{said}");
    assert_eq!(json(&format!("{line} --dtype u8"), "line")["clusters"], 2);
    assert_eq!(image::open(&out).expect("a picture").into_rgb8(), picture);
}

#[test]
fn centres_that_label_nothing_are_refused() {
    let folder = folder();
    let data = written(&folder, "data.npy", npy(4, 2, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]));
    let line = format!("kmeans --data {}", data.display());
    for (name, bytes, status, words) in [
        (
            "ints.npy",
            array("<i4", "False", "1, 2", &[0; 8]),
            1,
            "elements of type <i4; expected f32",
        ),
        ("flat.npy", array("<f4", "False", "2,", &[0; 8]), 1, "has 1 dimensions; expected 2"),
        ("none.npy", array("<f4", "False", "0, 2", &[]), 1, "there are no numbers in it"),
        ("nan.npy", npy(1, 2, &[0.0, f32::NAN]), 1, "row 1, column 2 is NaN"),
        ("huge.npy", doubles(1, 2, &[0.0, 1e300]), 1, "row 1, column 2 is 1e300"),
        ("three.npy", npy(1, 3, &[0.0; 3]), 2, "rows of 3 numbers; expected 2"),
        ("none.txt", vec![], 2, "ends in .npy or .csv"),
    ] {
        let file = written(&folder, name, bytes);
        for chunk in ["", "--chunk 2"] {
            let line = format!("{line} --predict {} {chunk}", file.display());
            refused(&line, status, &[name, words]);
        }
    }
    let centres = written(&folder, "centres.npy", npy(2, 2, &[1.5; 4]));
    let line = format!("{line} --predict {}", centres.display());
    for flag in
        ["--k 2", "--init random", "--n-init 2", "--tol 0", "--max-iter 9", "--centers x.npy"]
    {
        refused(&format!("{line} {flag}"), 2, &["--predict", flag.split_once(' ').unwrap().0]);
    }
    for input in [&data, &centres] {
        let before = fs::read(input).expect("a file");
        refused(&format!("{line} --labels {}", input.display()), 2, &["--labels", "is read"]);
        assert_eq!(fs::read(input).expect("still there"), before);
    }
}
