//! Points in a file that is mapped into memory: fitted and labelled where they lie.

#[path = "../../kernels/examples/mapped_points.rs"]
mod mapped_points;

use crate::problem::{Case, Kind, Problem};
use std::fs;
use tilewise::Matrix;
use tilewise::kmeans::{KMeans, Shape};

/// A file as numpy writes it: numbers begin at a multiple of 64 bytes.
fn npy(Shape { n, d, .. }: Shape, values: &[f32]) -> Vec<u8> {
    let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({n}, {d}), }}");
    let mut file = b"\x93NUMPY\x01\0\x76\0".to_vec();
    file.extend(format!("{head:117}\n").bytes());
    file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    file
}

#[test]
fn a_mapped_file_is_fitted_and_labelled_as_memory_is() {
    // Sorted on the way, and where they lie.
    for shape in [Shape { n: 20_000, d: 3, k: 20 }, Shape { n: 3001, d: 7, k: 5 }] {
        let Shape { n, d, k } = shape;
        let problem: Problem<f32, f32> = Case { kind: Kind::Offset, shape, pad: 0, seed: 6 }.of();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("points.npy");
        fs::write(&path, npy(shape, &problem.points)).unwrap();
        let map = mapped_points::map(&path).unwrap();
        let rows = mapped_points::rows(&map).unwrap();
        assert_eq!((rows.rows(), rows.cols()), (n, d));
        let kmeans = KMeans::new(k).seed(2).max_iter(8);
        let fit = kmeans.fit(rows).unwrap();
        assert_eq!(fit, kmeans.fit(problem.rows()).unwrap());
        assert_eq!(fit.predict(rows).unwrap(), fit.labels());
        // Some rows of it, and some columns.
        let wide = Matrix::with_stride(rows.data(), n, d - 1, d).unwrap();
        let copied: Vec<f32> = (0..n).flat_map(|row| wide.row(row).to_vec()).collect();
        let copied = Matrix::new(&copied, n, d - 1).unwrap();
        assert_eq!(kmeans.fit(wide).unwrap(), kmeans.fit(copied).unwrap());
    }
    mapped_points::main().unwrap();
}

#[test]
fn what_is_no_array_is_no_matrix() {
    let file = npy(Shape { n: 4, d: 2, k: 1 }, &[1.0; 8]);
    assert!(mapped_points::rows(&file).is_ok());
    for len in [0, 7, 9, 60, 127, 130, file.len() - 4] {
        assert!(mapped_points::rows(&file[..len]).is_err(), "{len} bytes");
    }
    for (right, wrong) in [
        ("'<f4'", "'<f8'"),
        ("'<f4'", "'>f4'"),
        ("False", "True "),
        ("(4, 2)", "(4, 3)"),
        ("(4, 2)", "(8,  )"),
        ("(4, 2)", "(-4,2)"),
    ] {
        let at = file.windows(right.len()).position(|part| part == right.as_bytes()).unwrap();
        let mut other = file.clone();
        other[at..at + right.len()].copy_from_slice(wrong.as_bytes());
        assert!(mapped_points::rows(&other).is_err(), "{wrong}");
    }
}
