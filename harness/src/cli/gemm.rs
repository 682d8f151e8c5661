//! `tilewise gemm`: one INT8 product.

use super::args::{CacheArg, GemmArgs, GemmShape};
use super::failure::Failure;
use super::setup::Setup;
use super::single;
use std::hint::black_box;
use tilewise::gemm::Shape;
use tilewise_harness::gemm::{Error, Workload};
use tilewise_harness::workload::Cache;

impl GemmShape {
    pub(super) fn shape(&self) -> Shape {
        Shape { m: self.m, n: self.n, k: self.k }
    }
}

pub(super) fn run(args: &GemmArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let shape = args.shape.shape();
    check(&setup, shape)?;
    let workload = Workload::new(shape, args.common.seed).map_err(failure)?;
    let setting = setup.setting();
    let chosen = setup.choose(&shape)?;
    let mut candidate =
        workload.kernel("gemm", setting.isa, &chosen, setup.team()).map_err(failure)?;
    let line = match args.cache {
        CacheArg::Hot => single::measure(&setup, &workload.task(Cache::Hot), &mut candidate, None),
        CacheArg::Cold => {
            // Twice the last cache, written: nothing of ours is left in any.
            let mut other = vec![0u8; 2 * setup.machine.caches.l3];
            let mut flush = || {
                other.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1));
                black_box(&mut other);
            };
            let task = workload.task(Cache::Cold);
            single::measure(&setup, &task, &mut candidate, Some(&mut flush))
        }
    };
    line?.print(args.common.json)
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
