//! `tilewise kmeans` where points lie in fewer places than there are clusters.

use crate::kmeans::npy;
use crate::{folder, tilewise, written};
use serde_json::Value;

#[test]
fn clusters_without_points_are_told() {
    let folder = folder();
    // Three places, in memory and part by part, and as many colours.
    let values: Vec<f32> = (0..60).map(|i| (i / 2 % 3) as f32).collect();
    let data = written(&folder, "data.npy", npy(30, 2, &values));
    let picture = folder.path().join("image.png");
    let colours = image::RgbImage::from_fn(9, 4, |x, _| image::Rgb([(x % 3 * 90) as u8; 3]));
    colours.save(&picture).expect("written");
    for input in [
        format!("--data {}", data.display()),
        format!("--data {} --chunk 7", data.display()),
        format!("--image {}", picture.display()),
    ] {
        for (k, told) in [(5, true), (3, false)] {
            let line = format!("kmeans {input} --k {k} --wisdom off --json");
            let output = tilewise(&line).output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{line}: {said}");
            let words = "only 3 of 5 clusters have points; some may be equal";
            assert_eq!(said.contains(words), told, "{line}: {said}");
            assert_eq!(said.contains("clusters have points"), told, "{line}: {said}");
            let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!((&value["clusters"], &value["inertia"]), (&3.into(), &0.0.into()));
            if input.starts_with("--image") {
                assert_eq!(value["distinct"], 3, "{line}");
            }
        }
    }
}
