//! What is stepped, from where, and what must come out.

use serde_json::json;
use std::io::Write;
use tempfile::NamedTempFile;
use tilewise::stencil::{Extent, Kind};
use tilewise_harness::peers::entrant::{Element, Numbers};
use tilewise_harness::peers::options::Options;
use tilewise_harness::stencil::{Field, Workload};
use tilewise_harness::workload::{Check, Task};

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    kind: Kind,
    extent: Extent,
    pub(crate) dtype: Dtype,
    /// In a call.
    pub(crate) steps: usize,
}

/// What fields are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    F32,
    F64,
}

use Dtype::{F32, F64};

const CUBE: Extent = Extent::space(512, 512, 512);
/// No power of two, no multiple of a line.
const AWKWARD: Extent = Extent::space(500, 333, 257);
/// Near the size of a cache that cores share.
const NEAR: Extent = Extent::plane(2048, 2048);
const FAR: Extent = Extent::plane(8192, 8192);

/// Steps of a call that may fuse some: twice as many as are fused at least.
const SPACE_STEPS: usize = 8;
const PLANE_STEPS: usize = 16;

pub(crate) const ALL: [Case; 24] = [
    step(Kind::Heat7, CUBE, F32),
    step(Kind::Heat7, CUBE, F64),
    step(Kind::Heat7, AWKWARD, F32),
    step(Kind::Heat7, AWKWARD, F64),
    step(Kind::Wave25, CUBE, F32),
    step(Kind::Wave25, CUBE, F64),
    step(Kind::Wave25, AWKWARD, F32),
    step(Kind::Wave25, AWKWARD, F64),
    step(Kind::Heat5, NEAR, F32),
    step(Kind::Heat5, NEAR, F64),
    step(Kind::Heat5, FAR, F32),
    step(Kind::Heat5, FAR, F64),
    run(Kind::Heat7, CUBE, F32),
    run(Kind::Heat7, CUBE, F64),
    run(Kind::Heat7, AWKWARD, F32),
    run(Kind::Heat7, AWKWARD, F64),
    run(Kind::Wave25, CUBE, F32),
    run(Kind::Wave25, CUBE, F64),
    run(Kind::Wave25, AWKWARD, F32),
    run(Kind::Wave25, AWKWARD, F64),
    run(Kind::Heat5, NEAR, F32),
    run(Kind::Heat5, NEAR, F64),
    run(Kind::Heat5, FAR, F32),
    run(Kind::Heat5, FAR, F64),
];

const fn step(kind: Kind, extent: Extent, dtype: Dtype) -> Case {
    Case { kind, extent, dtype, steps: 1 }
}

const fn run(kind: Kind, extent: Extent, dtype: Dtype) -> Case {
    let steps = if extent.z == 1 { PLANE_STEPS } else { SPACE_STEPS };
    Case { kind, extent, dtype, steps }
}

impl Case {
    pub(crate) fn kernel(&self) -> &'static str {
        if self.steps == 1 { "stencil-step" } else { "stencil-run" }
    }

    pub(crate) fn wanted(&self, options: &Options) -> bool {
        let Extent { x, y, z } = self.extent;
        let sizes = |sizes: &[usize]| sizes == [x, y, z] || (z == 1 && sizes == [x, y]);
        let shape = options.shapes.is_empty() || options.shapes.iter().any(|each| sizes(&each.0));
        let quick = self.extent == NEAR && self.dtype == F32;
        let stencil = options.wants_stencil(&format!("{}-{}", self.kind, self.dtype.name()));
        shape && stencil && options.wants_kernel(self.kernel()) && (!options.quick || quick)
    }

    /// Of a field, the rim among them.
    pub(crate) fn points(&self) -> usize {
        self.extent.points().unwrap_or(usize::MAX)
    }

    /// Unique within a run.
    pub(crate) fn id(&self, threads: usize) -> String {
        let (Extent { x, y, z }, dtype) = (self.extent, self.dtype.name());
        format!("{}-{}-{dtype}-{x}x{y}x{z}-{threads}", self.kernel(), self.kind)
    }

    /// What is done, whoever does it. The medium of a wave is 1 at every point, and read.
    pub(crate) fn task<T: Values>(&self, inputs: &Inputs<T>) -> Task {
        let Extent { x, y, z } = self.extent;
        let task = inputs.workload.task();
        let many = if self.steps > 1 { format!(", {} steps", self.steps) } else { String::new() };
        Task {
            kernel: self.kernel().into(),
            title: task.title + &many,
            shape: json!({
                "kind": self.kind.to_string(), "x": x, "y": y, "z": z, "steps": self.steps,
                "dtype": T::NAME, "coefficient": inputs.workload.stencil().coefficient,
            }),
            timed: "steps from a field to the next, rim fixed; the fields stay where each library \
                    likes them"
                .into(),
            ..task
        }
    }
}

impl Dtype {
    fn name(self) -> &'static str {
        match self {
            F32 => "f32",
            F64 => "f64",
        }
    }
}

/// Numbers a field is made of here.
pub(crate) trait Values: Field {
    /// As a worker writes them.
    const ELEMENT: Element;
    /// What rounding may do to values up to 1: in a step half a unit in the last place for each of
    /// some fifty operations at most, and 16 steps.
    const TOLERANCE: f64;

    fn numbers(points: Vec<Self>) -> Numbers;

    fn of(numbers: &Numbers) -> Option<&[Self]>;
}

impl Values for f32 {
    const ELEMENT: Element = Element::F32;
    const TOLERANCE: f64 = 16.0 * 50.0 * 0.5 * f32::EPSILON as f64;

    fn numbers(points: Vec<f32>) -> Numbers {
        Numbers::F32(points)
    }

    fn of(numbers: &Numbers) -> Option<&[f32]> {
        if let Numbers::F32(points) = numbers { Some(points) } else { None }
    }
}

impl Values for f64 {
    const ELEMENT: Element = Element::F64;
    const TOLERANCE: f64 = 16.0 * 50.0 * 0.5 * f64::EPSILON;

    fn numbers(points: Vec<f64>) -> Numbers {
        Numbers::F64(points)
    }

    fn of(numbers: &Numbers) -> Option<&[f64]> {
        if let Numbers::F64(points) = numbers { Some(points) } else { None }
    }
}

/// Every so many slices, from the first on, are a result: planes in space, rows of a plane. All of
/// them are gigabytes for each who takes part, and no scheme repeats itself after a prime number.
const THINNED: usize = 7;

/// A start, a file of it for the rivals, and what must come out.
#[derive(Debug)]
pub(crate) struct Inputs<T> {
    pub(crate) workload: Workload<T>,
    pub(crate) file: NamedTempFile,
    slice: usize,
    expected: Vec<T>,
}

impl<T: Values> Inputs<T> {
    pub(crate) fn new(case: &Case, seed: u64) -> Result<Self, String> {
        let Extent { x, y, z } = case.extent;
        let workload = Workload::new(case.kind, case.extent, case.steps, seed)
            .map_err(|error| error.to_string())?;
        let slice = if z == 1 { x } else { x * y };
        let expected = thinned(workload.expected(), slice);
        let file = written(&workload.start())
            .map_err(|error| format!("the start cannot be written for the rivals: {error}"))?;
        Ok(Inputs { workload, file, slice, expected })
    }

    /// The result that all fields make.
    pub(crate) fn result(&self, points: &[T]) -> Numbers {
        T::numbers(thinned(points, self.slice))
    }

    pub(crate) fn judge(&self, numbers: &Numbers) -> Check {
        let given = T::of(numbers).unwrap_or_default();
        Check::compare("plain loop, every seventh slice", given, &self.expected, T::TOLERANCE)
    }
}

fn thinned<T: Copy>(points: &[T], slice: usize) -> Vec<T> {
    points.chunks_exact(slice).step_by(THINNED).flatten().copied().collect()
}

/// A file of little-endian numbers in row-major order.
fn written<T: Values>(points: &[T]) -> std::io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new()?;
    let mut bytes = Vec::new();
    for part in points.chunks(1 << 16) {
        bytes.clear();
        part.iter().for_each(|value| value.push_bytes(&mut bytes));
        file.write_all(&bytes)?;
    }
    Ok(file)
}
