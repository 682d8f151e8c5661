//! `tilewise gemm`: one INT8 product.

use super::args::{CacheArg, GemmArgs, GemmShape};
use super::failure::Failure;
use super::setup::Setup;
use super::single;
use tilewise::gemm::Shape;
use tilewise_harness::gemm::{Batch, Error, Workload};
use tilewise_harness::workload::{Cache, Candidate, Sweep, Task};
use tilewise_tuner::problem::Setting;

impl GemmShape {
    pub(super) fn shape(&self) -> Shape {
        Shape { m: self.m, n: self.n, k: self.k }
    }
}

pub(super) fn run(args: &GemmArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let (shape, seed, cache) = (args.shape.shape(), args.common.seed, args.cache.into());
    let setting = setup.setting();
    if args.batch == 1 {
        check(&setup, shape)?;
        let workload = Workload::new(shape, seed).map_err(failure)?;
        let candidate = workload.kernel("gemm", setting.isa, &setup.choose(&shape)?, setup.team());
        return measure(args, &setup, &workload.task(cache), candidate.map_err(failure)?);
    }
    Batch::check(args.batch, shape).map_err(Failure::usage)?;
    let what = format_args!("a batch of {} products of {shape}", args.batch);
    setup.check_memory(what, Batch::bytes(args.batch, shape))?;
    let batch = Batch::new(args.batch, shape, seed).map_err(failure)?;
    // Members take whole products as far as there are enough for all.
    let threads = if args.batch < setting.threads { setting.threads } else { 1 };
    let chosen = setup.choose_in(&shape, &Setting { threads, ..setting })?;
    let candidate = batch.kernel("gemm", setting.isa, &chosen, setup.team()).map_err(failure)?;
    measure(args, &setup, &batch.task(cache), candidate)
}

fn measure(
    args: &GemmArgs,
    setup: &Setup,
    task: &Task,
    mut candidate: Candidate<'_>,
) -> Result<(), Failure> {
    if task.cache == Cache::Hot {
        return single::measure(setup, task, &mut candidate, None)?.print(args.common.json);
    }
    let team = setup.team();
    let sweep = Sweep::new(&setup.machine.caches).map_err(Failure::failed)?;
    let mut before = || sweep.run(team);
    single::measure(setup, task, &mut candidate, Some(&mut before))?.print(args.common.json)
}

impl From<CacheArg> for Cache {
    fn from(cache: CacheArg) -> Cache {
        match cache {
            CacheArg::Hot => Cache::Hot,
            CacheArg::Cold => Cache::Cold,
        }
    }
}

/// Whether a product can be measured here at all.
pub(super) fn check(setup: &Setup, shape: Shape) -> Result<(), Failure> {
    Workload::check(shape).map_err(Failure::usage)?;
    setup.check_memory(format_args!("a product of {shape}"), Workload::bytes(shape))
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Size { .. } | Error::Oversized { .. } | Error::Endless { .. } => {
            Failure::usage(error)
        }
        other => Failure::failed(other),
    }
}
