//! `tilewise stencil`: explicit heat steps on one field.

use super::args::{RealArg, SchemeArg, StencilArgs, StencilShape};
use super::failure::Failure;
use super::output;
use super::setup::Setup;
use super::single;
use tilewise::stencil::{self, Extent, Kind, Recipe, Scheme};
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files;
use tilewise_harness::stencil::{Error, Field, Workload};
use tilewise_tuner::problem::Setting;
use tilewise_tuner::wisdom::Chosen;

impl StencilShape {
    /// The grid given, or 256 points along each axis the kind has, or a line as long as a few caches.
    pub(super) fn extent(&self) -> Extent {
        const SIDE: usize = 256;
        self.grid.unwrap_or(match self.kind.dimensions() {
            1 => Extent::line(1 << 20),
            2 => Extent::plane(SIDE, SIDE),
            _ => Extent::space(SIDE, SIDE, SIDE),
        })
    }
}

pub(super) fn run(args: &StencilArgs) -> Result<(), Failure> {
    match args.shape.dtype {
        RealArg::F32 => step::<f32>(args),
        RealArg::F64 => step::<f64>(args),
    }
}

fn step<T: Field>(args: &StencilArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let claim = output::claim("--png", args.png.as_deref(), "png")?;
    let (kind, extent) = (args.shape.kind, args.shape.extent());
    setup.check_memory(format_args!("{kind} on {extent}"), Workload::<T>::bytes(extent))?;
    let workload =
        Workload::<T>::new(kind, extent, args.shape.steps, args.common.seed).map_err(failure)?;
    let setting = setup.setting();
    let mut chosen = setup.choose(&workload.problem())?;
    if let Some(scheme) = args.scheme {
        chosen = Chosen::given(with_scheme::<T>(scheme, (kind, extent), &setting));
    }
    let mut candidate =
        workload.kernel("stencil", setting.isa, &chosen, setup.team()).map_err(failure)?;
    let line = single::measure(&setup, &workload.task(), &mut candidate, None)?;
    if let Some(claim) = claim {
        // Timing went on from where the check stood: begin again for exactly these steps.
        candidate.work.check();
        drop(candidate);
        let picture = Picture::of_field(extent.x, extent.y, &workload.plane(extent.z / 2));
        files::publish(vec![(claim, picture.png())]).map_err(Failure::failed)?;
    }
    line.print(args.common.json)
}

/// The estimate, changed to what the user wants to see.
fn with_scheme<T: Field>(
    scheme: SchemeArg,
    (kind, extent): (Kind, Extent),
    setting: &Setting<'_>,
) -> Recipe {
    let estimate = match scheme {
        SchemeArg::Overlapped => Recipe::estimate_fused::<T>,
        _ => Recipe::estimate::<T>,
    };
    let mut recipe = estimate(kind, extent, setting.isa, setting.caches(), setting.threads);
    match scheme {
        SchemeArg::Plain => (recipe.scheme, recipe.streaming) = (Scheme::Plain, false),
        SchemeArg::Spatial => recipe.streaming = false,
        SchemeArg::Streaming => recipe.streaming = true,
        SchemeArg::Overlapped => {
            recipe.scheme = Scheme::Overlapped;
            recipe.depth = recipe.depth.max(2);
        }
    }
    recipe
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Steps { .. }
        | Error::Kernel(
            stencil::Error::TooSmall { .. }
            | stencil::Error::NotFlat { .. }
            | stencil::Error::TooLarge { .. },
        ) => Failure::usage(error),
        other => Failure::failed(other),
    }
}
