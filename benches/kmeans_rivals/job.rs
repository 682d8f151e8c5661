//! What is measured: the rows of the table.

use serde_json::json;
use tilewise::kmeans::Shape;
use tilewise_harness::roofs::{Pattern, Quantity};
use tilewise_harness::workload::{Amount, Cache, RateUnit, Task};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) kernel: &'static str,
    pub(crate) points: Kind,
    /// Whether points are the pixels of a picture; else they are drawn evenly from a cube.
    pub(crate) pixels: bool,
    pub(crate) shape: Shape,
    /// Of a fit: how many; of one that ends by itself, the most.
    pub(crate) iterations: usize,
    pub(crate) quick: bool,
}

/// What our points are; those of the rivals are `f32` instead of `u8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    F32,
    F64,
    U8,
}

use Kind::{F32, F64, U8};

/// The photograph that the articles about scikit-learn quantise has so many pixels.
const PIXELS: usize = 273_280;

pub(crate) const ALL: [Job; 15] = [
    pixels("kmeans-predict", F32, PIXELS, 0),
    pixels("kmeans-predict", F64, PIXELS, 0),
    pixels("kmeans-predict", U8, PIXELS, 0),
    pixels("kmeans-fit", F32, 1000, 300),
    pixels("kmeans-fit", F64, 1000, 300),
    pixels("kmeans-argmin", F32, PIXELS, 0),
    pixels("kmeans-argmin", F64, PIXELS, 0),
    pixels("kmeans-lloyd", F32, PIXELS, 50),
    pixels("kmeans-lloyd", U8, PIXELS, 50),
    cube("kmeans-lloyd", [1_000_000, 2, 10], 10),
    cube("kmeans-lloyd", [1_000_000, 16, 64], 10),
    cube("kmeans-lloyd", [200_000, 64, 256], 5),
    cube("kmeans-lloyd", [100_000, 128, 1024], 3),
    cube("kmeans-lloyd", [1_000_000, 8, 1000], 3),
    cube("kmeans-seed", [100_000, 128, 1024], 0),
];

const fn pixels(kernel: &'static str, points: Kind, n: usize, iterations: usize) -> Job {
    let shape = Shape { n, d: 3, k: 64 };
    Job { kernel, points, pixels: true, shape, iterations, quick: iterations < 50 }
}

const fn cube(kernel: &'static str, [n, d, k]: [usize; 3], iterations: usize) -> Job {
    let shape = Shape { n, d, k };
    Job { kernel, points: F32, pixels: false, shape, iterations, quick: d == 2 }
}

impl Job {
    /// Whether labels come out, not centres.
    pub(crate) fn labels(&self) -> bool {
        matches!(self.kernel, "kmeans-predict" | "kmeans-argmin")
    }

    /// Unique within a run.
    pub(crate) fn id(&self, threads: usize) -> String {
        let Shape { n, d, k } = self.shape;
        format!("{}-{}-{n}x{d}x{k}-{threads}", self.kernel, self.dtype())
    }

    fn dtype(&self) -> &'static str {
        match self.points {
            F32 => "f32",
            F64 => "f64",
            U8 => "u8",
        }
    }

    /// What is done. Distances are counted as if all were taken, once for each iteration: who
    /// takes fewer is faster. Of seeding, one look at every candidate is counted.
    pub(crate) fn task(&self) -> Task {
        let Shape { n, d, k } = self.shape;
        let times = match self.kernel {
            "kmeans-lloyd" => self.iterations,
            "kmeans-seed" => 2 + (k as f64).ln() as usize,
            _ => 1,
        };
        let work = (n * k * times) as f64;
        let each = if self.points == F64 { 8 } else { 4 };
        let bytes = (each * (n * d + k * d) + 4 * n) as f64;
        let what = if self.pixels { "pixels" } else { "points" };
        let more = match self.kernel {
            "kmeans-lloyd" => format!(", {} iterations", self.iterations),
            "kmeans-predict" => ", centres fitted to some of them".into(),
            "kmeans-argmin" => ", centres drawn from them".into(),
            _ => String::new(),
        };
        let dtype = self.dtype();
        Task {
            kernel: self.kernel.into(),
            title: format!("{n} {what}, d = {d}, k = {k}, {dtype}{more}"),
            shape: json!({
                "n": n, "d": d, "k": k, "iterations": self.iterations, "dtype": dtype,
                "points": what,
            }),
            dtype: dtype.into(),
            amount: Amount {
                formula: if times == 1 { "n k".into() } else { format!("{times} n k") },
                work,
                unit: RateUnit::Distances,
                operations: 2.0 * d as f64,
                bytes: bytes / work,
                working_set: bytes,
                pattern: Pattern::Read,
                arithmetic: Some(Quantity::F32Compute),
            },
            cache: Cache::Hot,
            timed: "row-major points in; labels, or labels and centres, or seeds out".into(),
        }
    }
}
