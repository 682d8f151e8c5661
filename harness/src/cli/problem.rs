//! Which problem is meant: by the flags of a shape, or by a record of wisdom.

use super::args::{RealArg, StencilShape, TuneKernel};
use super::failure::Failure;
use super::setup::Setup;
use tilewise::stencil::{Extent, Kind};
use tilewise::{gemm, kmeans};
use tilewise_harness::stencil;
use tilewise_tuner::problem::Size;
use tilewise_tuner::space::{Field, Tunable};
use tilewise_tuner::wisdom::Record;

/// What is to be done with a problem, whatever its kernel.
pub(super) trait Task {
    fn run<P: Tunable>(&mut self, problem: &P) -> Result<(), Failure>;
}

/// Does `task` with the problem that flags describe.
pub(super) fn typed(
    kernel: &TuneKernel,
    setup: &Setup,
    seed: u64,
    task: &mut impl Task,
) -> Result<(), Failure> {
    match kernel {
        TuneKernel::Gemm(shape) => product(setup, shape.shape(), task),
        TuneKernel::Kmeans(shape) => {
            // Only the sizes matter: how fast points are labelled does not depend on where they
            // are.
            let rows = shape.read::<f32>(seed)?.rows;
            points(setup, kmeans::Shape { n: rows.len(), d: rows.columns, k: shape.k }, task)
        }
        TuneKernel::Stencil(shape) => {
            if shape.steps == 0 {
                return Err(Failure::usage("--steps 0: expected 1 or more"));
            }
            let grid = |shape: &StencilShape| (shape.kind, shape.extent(), shape.steps);
            match shape.dtype {
                RealArg::F32 => field::<f32>(setup, grid(shape), task),
                RealArg::F64 => field::<f64>(setup, grid(shape), task),
            }
        }
    }
}

/// Does `task` with the problem a record is about. `None` if this version knows no such problem.
pub(super) fn recorded(
    record: &Record,
    setup: &Setup,
    task: &mut impl Task,
) -> Option<Result<(), Failure>> {
    let size = |name: &str| record.shape.iter().find(|(known, _)| *known == name).map(|(_, s)| s);
    let number = |name: &str| match size(name) {
        Some(Size::Number(number)) => Some(*number),
        _ => None,
    };
    Some(match record.kernel.as_str() {
        "gemm" => {
            product(setup, gemm::Shape { m: number("m")?, n: number("n")?, k: number("k")? }, task)
        }
        "kmeans" => {
            points(setup, kmeans::Shape { n: number("n")?, d: number("d")?, k: number("k")? }, task)
        }
        "stencil" => {
            let Some(Size::Name(kind)) = size("kind") else { return None };
            let extent = Extent { x: number("x")?, y: number("y")?, z: number("z")? };
            let steps = if size("steps").is_some() { 2 } else { 1 };
            let grid = (kind.parse::<Kind>().ok()?, extent, steps);
            match record.dtype.as_str() {
                "f32" => field::<f32>(setup, grid, task),
                "f64" => field::<f64>(setup, grid, task),
                _ => return None,
            }
        }
        _ => return None,
    })
}

pub(super) fn product(
    setup: &Setup,
    shape: gemm::Shape,
    task: &mut impl Task,
) -> Result<(), Failure> {
    // The same limits as for measuring it.
    super::gemm::check(setup, shape)?;
    checked(setup, &shape, task)
}

pub(super) fn points(
    setup: &Setup,
    shape: kmeans::Shape,
    task: &mut impl Task,
) -> Result<(), Failure> {
    let kmeans::Shape { n, d, k } = shape;
    let bytes = n.saturating_add(k).saturating_mul(d).saturating_mul(size_of::<f32>());
    setup.check_memory(format_args!("labelling {n} points"), bytes)?;
    checked(setup, &shape, task)
}

pub(super) fn field<T: stencil::Field>(
    setup: &Setup,
    (kind, extent, steps): (Kind, Extent, usize),
    task: &mut impl Task,
) -> Result<(), Failure> {
    let bytes = stencil::Workload::<T>::bytes(kind, extent);
    setup.check_memory(format_args!("{kind} on {extent}"), bytes)?;
    checked(setup, &Field::<T>::new(kind, extent).with_steps(steps), task)
}

fn checked<P: Tunable>(setup: &Setup, problem: &P, task: &mut impl Task) -> Result<(), Failure> {
    let setting = setup.setting();
    problem.check(setting.isa, &problem.estimate(&setting)).map_err(Failure::usage)?;
    task.run(problem)
}
