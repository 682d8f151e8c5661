//! `tilewise stencil`: explicit steps in time on one grid.

use super::args::{RealArg, SchemeArg, StencilArgs, StencilShape};
use super::array;
use super::failure::Failure;
use super::npy::{self, Head};
use super::output;
use super::points::Number;
use super::setup::Setup;
use super::single::{self, Line};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tilewise::cache::CacheSizes;
use tilewise::stencil::{self, Extent, Kind, Plan, Recipe, Scheme, Stencil};
use tilewise::{Isa, SpinTeam};
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files::{self, Claim};
use tilewise_harness::roofs::{self, Memory, Pattern, Probe, Quantity};
use tilewise_harness::stencil::{Error, Field, Source, Workload};
use tilewise_tuner::measure::Stopwatch;
use tilewise_tuner::problem::Setting;
use tilewise_tuner::wisdom::Chosen;

/// Time for the rounds that measure the bandwidth of memory.
const BANDWIDTH_BUDGET: Duration = Duration::from_millis(500);

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

fn step<T: Field + Number>(args: &StencilArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, false)?;
    let setting = setup.setting();
    let (kind, extent) = (args.shape.kind, args.shape.extent());
    let files = Files::claim::<T>(args, &setup)?;
    let source = match &args.npy {
        Some(file) => Source::Points(points::<T>(file, kind, extent)?),
        None => Source::Seed(args.common.seed),
    };
    let coefficient = args.coefficient.unwrap_or(kind.stability_limit() / 2.0);
    let stencil = Stencil::new(kind, coefficient);
    let given = args.scheme.map(|scheme| with_scheme::<T>(scheme, (kind, extent), &setting));
    if let (Some(SchemeArg::Streaming), Some(recipe)) = (args.scheme, given) {
        let plan = Plan::<T>::new(stencil, extent, setting.isa, recipe);
        if !plan.map_err(|error| failure(error.into()))?.streams() {
            return Err(Failure::usage(no_streams(kind, setting.isa)));
        }
    }
    let workload = Workload::<T>::of(stencil, extent, args.shape.steps, source, setup.team())
        .map_err(failure)?
        .with_caches(*setting.caches());
    let chosen = match given {
        Some(recipe) => Chosen::given(recipe),
        None => setup.choose(&workload.problem())?,
    };
    let plan = workload.plan(setting.isa, chosen.recipe).map_err(failure)?;
    if let Some(warning) = workload.warning(&plan) {
        output::remark(warning);
    }
    let finite = workload.expected().iter().all(|&value| Into::<f64>::into(value).is_finite());
    if !finite {
        output::remark(format_args!(
            "after {} steps there are values that are infinite or not numbers: a start or a \
             coefficient beyond what {} can hold",
            workload.steps(),
            workload.task().dtype
        ));
    }
    let mut candidate =
        workload.kernel("stencil", setting.isa, &chosen, setup.team()).map_err(failure)?;
    let mut line = single::measure(&setup, &workload.task(), &mut candidate)?;
    name_inputs(&mut line, args, coefficient);
    line.add("finite", finite);
    line.add("predicted", predicted(&workload, &plan, &setup, line.median())?);
    if files.png.is_some() || files.npy.is_some() {
        // Timing went on from where the check stood: begin again for exactly these steps.
        candidate.work.check();
    }
    drop(candidate);
    files.publish(&workload, (kind, extent))?;
    line.print(args.common.json)
}

/// Says what was stepped, so that the same can be stepped again.
fn name_inputs(line: &mut Line, args: &StencilArgs, coefficient: f64) {
    line.add("coefficient", coefficient);
    match &args.npy {
        Some(file) => line.add("input", file.display().to_string()),
        None => {
            line.add("input", "generated");
            line.add("seed", args.common.seed);
        }
    }
}

/// The files that are asked for.
struct Files {
    png: Option<Claim>,
    npy: Option<Claim>,
}

impl Files {
    /// Bytes of a pixel on its way to a file: its value, its colours, and those in the file.
    const PIXEL: usize = size_of::<f64>() + 3 * 3;

    /// Claims them, and asks whether there is memory for all that is to be done.
    fn claim<T: Field>(args: &StencilArgs, setup: &Setup) -> Result<Files, Failure> {
        let png = output::claim("--png", args.png.as_deref(), "png")?;
        output::spare("--npy-out", args.npy_out.as_deref(), &[args.npy.as_deref()])?;
        let npy = output::claim("--npy-out", args.npy_out.as_deref(), "npy")?;
        let (kind, extent) = (args.shape.kind, args.shape.extent());
        let mut bytes = Workload::<T>::bytes_alone(kind, extent);
        if png.is_some() && extent.x > 0 && extent.y > 0 {
            let fits = Picture::check_png(extent.x, extent.y);
            fits.map_err(|error| Failure::usage(format_args!("--png: {error}; see --grid")))?;
            bytes = bytes.saturating_add(extent.x.saturating_mul(extent.y * Self::PIXEL));
        }
        setup.check_memory(format_args!("{kind} on {extent}"), bytes)?;
        Ok(Files { png, npy })
    }

    /// Writes all of them or none.
    fn publish<T: Field>(
        self,
        workload: &Workload<T>,
        (kind, extent): (Kind, Extent),
    ) -> Result<(), Failure> {
        let picture = || Picture::of_field(extent.x, extent.y, &workload.plane(extent.z / 2)).png();
        let array = || {
            // A run of one step at least has what was one step before it, of kinds that keep it.
            let (now, before) = (workload.points(), workload.before().unwrap_or_default());
            let values = now.iter().chain(&before).map(|&value| Into::<f64>::into(value));
            array::of_reals::<T>(&shape(kind, extent, kind.form().levels), values)
        };
        let files = self.png.map(|claim| (claim, picture())).into_iter();
        let files = files.chain(self.npy.map(|claim| (claim, array()))).collect();
        files::publish(files).map_err(Failure::failed)
    }
}

/// The shape of a grid as an array: z, y and x, as many as the kind has, before them how many
/// fields there are, if several, and before those how many steps are kept, if two.
fn shape(kind: Kind, extent: Extent, levels: usize) -> Vec<usize> {
    let (dimensions, fields) = (kind.dimensions(), kind.form().fields);
    let axes = [extent.z, extent.y, extent.x].into_iter().skip(3 - dimensions);
    let several = [levels, fields].into_iter().filter(|&count| count > 1);
    several.chain(axes).collect()
}

/// The points of a file that has the grid's shape and type: of a kind that keeps two steps both of
/// them, or one to start from at rest.
fn points<T: Field + Number>(file: &Path, kind: Kind, extent: Extent) -> Result<Vec<T>, Failure> {
    let levels = kind.form().levels;
    let mut at_rest = false;
    let fits = |head: &Head| {
        let given = &head.shape;
        let is = |levels: usize| {
            given.iter().copied().eq(shape(kind, extent, levels).iter().map(|&along| along as u64))
        };
        if !is(1) && !is(levels) {
            let mut expected = format!("{:?}", shape(kind, extent, 1));
            if levels > 1 {
                let both = shape(kind, extent, levels);
                expected = format!("{both:?} (now and one step before) or {expected} (at rest)");
            }
            return Err(format!(
                "has the shape {given:?}; expected {expected}, the grid of {kind}: see --grid"
            ));
        }
        let size = format!("f{}", size_of::<T>());
        if head.element.get(1..) != Some(&*size) {
            let element = &head.element;
            return Err(format!("has elements of type {element}; expected {size}: see --dtype"));
        }
        at_rest = levels > 1 && is(1);
        Ok(())
    };
    let points = npy::read::<T>(file, fits)
        .map_err(|reason| Failure::failed(format!("{}: {reason}", file.display())))?;
    if at_rest {
        output::remark(format_args!(
            "{}: one step of {kind}, which keeps two: it starts at rest",
            file.display()
        ));
    }
    Ok(points)
}

/// What the plan should cost, what memory allows at the rate of a streaming copy now, and the share
/// of it that calls of so many seconds reached, where memory is what they wait for. The copy is timed
/// after the kernel, not among its rounds as a roof is: the share has no interval.
fn predicted<T: Field>(
    workload: &Workload<T>,
    plan: &Plan<T>,
    setup: &Setup,
    seconds: f64,
) -> Result<Value, Failure> {
    let (setting, threads) = (setup.setting(), plan.recipe().threads);
    let memory = Quantity::Bandwidth { memory: Memory::Dram, pattern: Pattern::StreamingCopy };
    let threads = threads.min(setting.threads);
    let probe = Probe::new(memory, setting.isa, threads, setting.caches());
    let team = SpinTeam::new(threads).map_err(Failure::failed)?;
    let watch = Stopwatch::within(BANDWIDTH_BUDGET);
    let probes = [probe.map_err(Failure::failed)?];
    let roofs = roofs::measure(watch, &probes, &team).map_err(Failure::failed)?;
    let (bandwidth, bytes) =
        (roofs[0].value, plan.bytes_per_update(workload.steps(), setting.caches()));
    let (limit, amount) = (bandwidth / bytes, workload.task().amount);
    let rate = amount.work / seconds / 1e9;
    let share = share(rate / limit, amount.working_set, setting.caches());
    let mut predicted = json!({
        "bytes_per_update": bytes,
        "bandwidth": bandwidth,
        "bandwidth_unit": roofs[0].unit,
        "bandwidth_timed": "a streaming copy on as many threads, after the kernel, not in its rounds",
        "streaming_limit": limit,
        "streaming_limit_unit": "GLUP/s",
        "share_of_streaming_limit": share,
        "single_step_limit": bandwidth / workload.least(),
        "single_step_limit_unit": "GLUP/s",
        "cache_footprint": plan.cache_footprint(workload.steps()),
    });
    if share.is_none() {
        predicted["why_no_share"] =
            "the grid fits half the last cache: memory limits only stores that go past it".into();
    }
    Ok(predicted)
}

/// What of a limit that memory sets was reached; of a working set that stays in half of the last cache,
/// which memory does not limit, there is nothing to say. One that just fills it leaves it in part.
///
/// Half is how far single steps in space are no slower than fused ones, which ask memory for less
/// ([`Recipe::estimate_fused`]: 16 of 32 MiB; 0.75 of their speed with 32). What a recipe chooses its
/// stores by is no measure of it: 31 of 32 on several threads is where those past the caches are no
/// longer slower than ordinary ones, and by then memory is what both wait for.
fn share(of_limit: f64, working_set: f64, caches: &CacheSizes) -> Option<f64> {
    (working_set > caches.l3 as f64 / 2.0).then_some(of_limit)
}

/// Why no store of a stencil goes past the caches.
fn no_streams(kind: Kind, isa: Isa) -> String {
    if kind.form().levels > 1 {
        return format!(
            "{kind} writes where it has just read the values of one step before, so no store can go past the caches; expected --scheme plain, spatial or skewed"
        );
    }
    format!("{isa} has no stores past the caches; expected --scheme plain, spatial or overlapped")
}

/// The estimate, changed to what the user wants to see.
fn with_scheme<T: Field>(
    scheme: SchemeArg,
    (kind, extent): (Kind, Extent),
    setting: &Setting<'_>,
) -> Recipe {
    let estimate = match scheme {
        SchemeArg::Overlapped | SchemeArg::Skewed => Recipe::estimate_fused::<T>,
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
        SchemeArg::Skewed => {
            recipe.scheme = Scheme::Skewed;
            recipe.depth = recipe.depth.max(2);
        }
    }
    // What the scheme does not look at is not shown as if it did.
    recipe.canonical(kind, extent, setting.isa)
}

fn failure(error: Error) -> Failure {
    match error {
        Error::Steps { .. }
        | Error::Kernel(
            stencil::Error::TooSmall { .. }
            | stencil::Error::NotFlat { .. }
            | stencil::Error::Coefficient { .. }
            | stencil::Error::Scheme { .. }
            | stencil::Error::TooLarge { .. },
        ) => Failure::usage(error),
        other => Failure::failed(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_in_the_last_cache_has_no_share_of_what_memory_allows() {
        let caches = CacheSizes { l3: 32 << 20, ..CacheSizes::ASSUMED };
        let mib = |mib: u32| f64::from(mib << 20);
        assert_eq!(share(1.7, mib(1), &caches), None);
        assert_eq!(share(0.9, mib(16), &caches), None);
        assert_eq!(share(0.9, mib(17), &caches), Some(0.9));
    }
}
