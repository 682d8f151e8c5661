//! `tilewise gemm`: one INT8 product, a batch of them, or a layer.

use super::args::{CacheArg, GemmArgs, GemmShape, LayerArg};
use super::failure::Failure;
use super::setup::Setup;
use super::single::{self, Line, Others};
use tilewise::gemm::Shape;
use tilewise_harness::gemm::{Activation, Batch, Error, Layer, Workload};
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
        if let Some(activation) = args.layer {
            let what = format_args!("a layer of {shape}");
            setup.check_memory(what, Workload::bytes(shape) + Layer::bytes(shape))?;
            return layer(args, &setup, activation.into());
        }
        let workload = Workload::new(shape, seed).map_err(failure)?;
        let candidate = workload.kernel("gemm", setting.isa, &setup.choose(&shape)?, setup.team());
        let candidate = candidate.map_err(failure)?;
        return measure(&setup, &workload.task(cache), candidate, None)?.print(args.common.json);
    }
    Batch::check(args.batch, shape).map_err(Failure::usage)?;
    let what = format_args!("a batch of {} products of {shape}", args.batch);
    setup.check_memory(what, Batch::bytes(args.batch, shape))?;
    let batch = Batch::new(args.batch, shape, seed).map_err(failure)?;
    // Members take whole products as far as there are enough for all.
    let threads = if args.batch < setting.threads { setting.threads } else { 1 };
    let chosen = setup.choose_in(&shape, &Setting { threads, ..setting })?;
    let candidate = batch.kernel("gemm", setting.isa, &chosen, setup.team()).map_err(failure)?;
    measure(&setup, &batch.task(cache), candidate, None)?.print(args.common.json)
}

/// A whole layer, beside the product in it.
fn layer(args: &GemmArgs, setup: &Setup, activation: Activation) -> Result<(), Failure> {
    let (isa, team) = (setup.setting().isa, setup.team());
    let product = Workload::new(args.shape.shape(), args.common.seed).map_err(failure)?;
    let layer = Layer::new(&product, activation, isa).map_err(failure)?;
    let recipe = layer.recipe(team);
    let mut alone = product.kernel("product", isa, &recipe, team).map_err(failure)?;
    let whole = layer.kernel("gemm", team).map_err(failure)?;
    single::check(&mut alone)?;
    let task = layer.task(args.cache.into());
    let mut line = measure(setup, &task, whole, Some(alone))?;
    line.add("layer", activation.name());
    line.print(args.common.json)
}

fn measure(
    setup: &Setup,
    task: &Task,
    mut candidate: Candidate<'_>,
    mut product: Option<Candidate<'_>>,
) -> Result<Line, Failure> {
    let team = setup.team();
    let sweep = match task.cache {
        Cache::Hot => None,
        Cache::Cold => Some(Sweep::new(&setup.machine.caches).map_err(Failure::failed)?),
    };
    let before = sweep.as_ref().map(|sweep| || sweep.run(team));
    let before = before.as_ref().map(|before| before as &dyn Fn());
    let check = single::check(&mut candidate)?;
    let others = Others { before, product: product.as_mut() };
    single::time(setup, task, (&mut candidate, check), others)
}

impl From<LayerArg> for Activation {
    fn from(layer: LayerArg) -> Activation {
        match layer {
            LayerArg::None => Activation::None,
            LayerArg::Relu => Activation::Relu,
            LayerArg::Gelu => Activation::Gelu,
            LayerArg::GeluTanh => Activation::GeluTanh,
        }
    }
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
