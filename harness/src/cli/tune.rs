//! `tilewise tune`: searches for the best recipe of a shape, or of all of the report's, and
//! remembers it.

use super::args::{Common, RealArg, StencilShape, TuneArgs, TuneKernel};
use super::failure::Failure;
use super::output;
use super::setup::Setup;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::Path;
use tilewise::kmeans::Shape;
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files::Claim;
use tilewise_harness::report::model::Mode;
use tilewise_harness::report::run::Shapes;
use tilewise_harness::stencil;
use tilewise_tuner::problem::Setting;
use tilewise_tuner::search::{Found, Progress, Search, Stage};
use tilewise_tuner::space::{Field, Tunable};
use tilewise_tuner::wisdom::{Record, Wisdom};

pub(super) fn run(args: &TuneArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, true)?;
    let tuning = Tuning { args, setup: &setup, setting: setup.setting() };
    match &args.kernel {
        None => tuning.report(),
        Some(TuneKernel::Gemm(shape)) => {
            // The same limits as for measuring it.
            super::gemm::check(&setup, shape.shape())?;
            tuning.tune(&shape.shape())
        }
        Some(TuneKernel::Kmeans(shape)) => {
            // Only the sizes matter: how fast points are labelled does not depend on where they
            // are.
            let rows = shape.read::<f32>(args.common.seed)?.rows;
            tuning.tune(&Shape { n: rows.len(), d: rows.columns, k: shape.k })
        }
        Some(TuneKernel::Stencil(shape)) => match shape.dtype {
            RealArg::F32 => tuning.stencil::<f32>(shape),
            RealArg::F64 => tuning.stencil::<f64>(shape),
        },
    }
}

/// What all searches of a command share.
struct Tuning<'a> {
    args: &'a TuneArgs,
    setup: &'a Setup,
    setting: Setting<'a>,
}

impl Tuning<'_> {
    /// Every shape of the full report, for one thread and for all.
    fn report(&self) -> Result<(), Failure> {
        let (width, height) = Picture::DEFAULT_SIZE;
        let shapes = Shapes::of(Mode::Full, width * height);
        let mut counts = vec![1, self.setting.threads];
        counts.dedup();
        for threads in counts {
            let tuning = Tuning { setting: Setting { threads, ..self.setting }, ..*self };
            shapes.gemm.iter().try_for_each(|shape| tuning.tune(shape))?;
            tuning.tune(&shapes.kmeans)?;
            for &(kind, extent) in &shapes.stencil_f32 {
                tuning.tune(&Field::<f32>::new(kind, extent))?;
            }
            for &(kind, extent) in &shapes.stencil_f64 {
                tuning.tune(&Field::<f64>::new(kind, extent))?;
            }
        }
        Ok(())
    }

    fn stencil<T: stencil::Field>(&self, shape: &StencilShape) -> Result<(), Failure> {
        let (kind, extent) = (shape.kind, shape.extent());
        self.setup.check_memory(
            format_args!("{kind} on {extent}"),
            stencil::Workload::<T>::bytes(extent),
        )?;
        self.tune(&Field::<T>::new(kind, extent))
    }

    /// One shape: searches, writes down, prints.
    fn tune<P: Tunable>(&self, problem: &P) -> Result<(), Failure> {
        let Tuning { args, setup, setting } = self;
        problem.check(setting.isa, &problem.estimate(setting)).map_err(Failure::usage)?;
        // Asked now: nobody wants to find out after the search. It is taken back when this ends.
        let _claim = setup.wisdom_file.as_deref().map(claim).transpose()?;
        let bar = ProgressBar::new(100).with_style(style());
        let search = Search::within(args.budget.budget).progress(|progress| {
            bar.set_position((100.0 * progress.spent_s / progress.budget_s).min(100.0) as u64);
            bar.set_message(message(progress));
        });
        let found = search.tune(problem, setting).map_err(Failure::failed)?;
        bar.finish_and_clear();
        let mut wisdom = Wisdom::default();
        wisdom.add(found.record.clone());
        if let Some(file) = &setup.wisdom_file {
            wisdom.save(file).map_err(Failure::failed)?;
        }
        let estimate = problem.estimate(setting).to_string();
        let chosen = wisdom.choose(problem, setting).recipe.to_string();
        print(&args.common, setup, &found, (&estimate, &chosen))
    }
}

/// The right to write a file in a folder that may be new.
fn claim(file: &Path) -> Result<Vec<Claim>, Failure> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    Claim::folder(folder.unwrap_or(Path::new(".")), &[&name]).map_err(Failure::failed)
}

fn message(progress: &Progress) -> String {
    let stage = match progress.stage {
        Stage::Screening => "screening",
        Stage::Race => "race",
        Stage::Confirmation => "confirmation",
    };
    let (recipe, ratio) = &progress.best;
    let (tried, all) = (progress.tried, progress.candidates);
    format!("{stage}, {tried} of {all}; best {ratio:.2}x: {recipe}")
}

fn print(
    common: &Common,
    setup: &Setup,
    found: &Found,
    (estimate, chosen): (&str, &str),
) -> Result<(), Failure> {
    let file = setup.wisdom_file.as_ref().map(|file| file.display().to_string());
    if common.json {
        let line = json!({
            "schema": 1,
            "record": found.record,
            "rejected": found.rejected,
            "stopped": found.stopped.to_string(),
            "wisdom_file": file,
        });
        return output::print(line);
    }
    let Record { kernel, shape, dtype, evidence, context, .. } = &found.record;
    let threads = context.threads;
    let mut lines = vec![
        format!("{kernel}, {shape}, {dtype}, at most {threads} thread(s)"),
        format!("recipe     {chosen}"),
        format!("default    {estimate}"),
        format!(
            "verdict    {}: {:.3}x [{:.3}, {:.3}] against the default, {} rounds",
            evidence.verdict, evidence.ratio, evidence.lo, evidence.hi, evidence.rounds
        ),
    ];
    let (tried, all) = (evidence.tried, evidence.candidates);
    lines.push(format!("tried      {tried} of {all} candidates ({})", found.stopped));
    for (recipe, reason) in &found.rejected {
        lines.push(format!("rejected   {recipe}: {reason}"));
    }
    lines.push(format!("written    {}\n", file.as_deref().unwrap_or("nowhere: wisdom is off")));
    output::print(lines.join("\n"))
}

/// A bar on a terminal, nothing elsewhere.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("{bar:30} {msg}").expect("the template is fine")
}
