//! `tilewise tune`: searches for the best recipe of a shape, or of all of the report's, and
//! remembers it.

mod done;

use super::args::{Common, ModeArg, TuneArgs};
use super::failure::Failure;
use super::output;
use super::problem::{self, Task};
use super::setup::Setup;
use done::Done;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tilewise_harness::interrupt;
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files::{self, Claim};
use tilewise_harness::report::model::Mode;
use tilewise_harness::report::run::Shapes;
use tilewise_harness::report::space;
use tilewise_tuner::problem::Setting;
use tilewise_tuner::search::{Found, Progress, Search, Stage};
use tilewise_tuner::space::Tunable;
use tilewise_tuner::wisdom::{Origin, Record, Source, Verdict, Wisdom};

pub(super) fn run(args: &TuneArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.common, true)?;
    let claim = output::claim("--plot", args.plot.as_deref(), "html")?;
    if setup.wisdom_file.is_some() && setup.mode != Some(ModeArg::Load) {
        interrupt::part_with("what has been measured is kept; the same command goes on from there");
    }
    let setting = setup.setting();
    let mut tuning = Tuning { args, setup: &setup, setting, explored: Vec::new(), all: None };
    match &args.kernel {
        None => tuning.report()?,
        Some(kernel) => problem::typed(kernel, &setup, args.common.seed, &mut tuning)?,
    }
    let Some(claim) = claim else { return Ok(()) };
    if tuning.explored.is_empty() {
        output::remark("nothing was searched, so there is nothing to draw: no --plot was written");
        return Ok(());
    }
    let page = space::page(&tuning.explored);
    files::publish(vec![(claim, page.into_bytes())]).map_err(Failure::failed)
}

/// With ten times the budget, what a candidate may take: far beyond a slow one on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What all searches of a command share.
struct Tuning<'a> {
    args: &'a TuneArgs,
    setup: &'a Setup,
    setting: Setting<'a>,
    explored: Vec<Found>,
    /// The run over all shapes that this is.
    all: Option<All>,
}

/// A run over all shapes: how many searches that is, how far it is, and where that is kept.
struct All {
    searches: usize,
    begun: usize,
    done: Option<Done>,
}

impl Tuning<'_> {
    /// Every shape of the full report, for one thread and for all.
    fn report(&mut self) -> Result<(), Failure> {
        let (width, height) = Picture::DEFAULT_SIZE;
        let shapes = Shapes::of(Mode::Full, width * height);
        let (setup, all) = (self.setup, self.setting.threads);
        let mut counts = vec![1, all];
        counts.dedup();
        let shapes_of_all =
            shapes.gemm.len() + 1 + shapes.stencil_f32.len() + shapes.stencil_f64.len();
        let (searches, budget) = (shapes_of_all * counts.len(), self.args.budget.budget);
        output::remark(format_args!(
            "{searches} searches, every shape of the report on {counts:?} thread(s): up to {budget:?} each, \
             somewhat more where a call is slow"
        ));
        self.all = Some(All { searches, begun: 0, done: self.open_done(budget)? });
        for threads in counts {
            self.setting.threads = threads;
            for &shape in &shapes.gemm {
                problem::product(setup, shape, self)?;
            }
            problem::points(setup, shapes.kmeans, self)?;
            for &grid in &shapes.stencil_f32 {
                problem::field::<f32>(setup, grid, self)?;
            }
            for &grid in &shapes.stencil_f64 {
                problem::field::<f64>(setup, grid, self)?;
            }
        }
        if let Some(All { done: Some(done), .. }) = self.all.take() {
            done.end();
        }
        Ok(())
    }

    /// What an interrupted run over all shapes has done; nothing where nothing is written.
    fn open_done(&self, budget: Duration) -> Result<Option<Done>, Failure> {
        let writes = self.setup.mode != Some(ModeArg::Load);
        let Some(file) = self.setup.wisdom_file.as_deref().filter(|_| writes) else {
            return Ok(None);
        };
        writable(file)?;
        let run = json!({
            "budget_s": budget.as_secs_f64(),
            "commit": env!("TILEWISE_BUILD_COMMIT"),
            "identity": self.setting.identity(),
            "context": self.setting.context(),
        });
        let done = Done::open(file, &run).map_err(|error| {
            Failure::failed(format!("cannot keep what is done beside {}: {error}", file.display()))
        })?;
        if let Some(done) = done.as_ref().filter(|done| !done.is_empty()) {
            let place = done.path().display();
            output::remark(format_args!(
                "goes on where the same was interrupted (remove {place} to begin anew)"
            ));
        }
        Ok(done)
    }

    /// Whether the record of a problem is in the file that is written, not one that was shipped.
    fn is_in_file<P: Tunable>(&self, problem: &P) -> bool {
        let Setup { wisdom, wisdom_file, .. } = self.setup;
        let here = wisdom.at(&self.setting);
        let record = here.lookup(problem).and_then(Result::ok);
        match (record.and_then(|record| wisdom.origin(record)), wisdom_file) {
            (Some(Origin::File(origin)), Some(file)) => **origin == **file,
            _ => false,
        }
    }

    /// Counts and tells the next search of a run over all shapes, and gives its name; `None` if it
    /// is done, and there is a record of it to show for that.
    fn begin<P: Tunable>(&mut self, problem: &P, held: Source) -> Option<String> {
        let name = journal_name(problem, &self.setting);
        let recorded = held == Source::Tuned && self.is_in_file(problem);
        let Some(All { searches, begun, done }) = &mut self.all else { return Some(name) };
        *begun += 1;
        if recorded && done.as_ref().is_some_and(|done| done.has(&name)) {
            return None;
        }
        output::remark(format_args!("{begun} of {searches}: {}, {}", P::KERNEL, problem.shape()));
        Some(name)
    }
}

impl Task for Tuning<'_> {
    /// One shape: searches, writes down, prints.
    fn run<P: Tunable>(&mut self, problem: &P) -> Result<(), Failure> {
        let Tuning { args, setup, setting, .. } = *self;
        let held = setup.wisdom.choose(problem, &setting);
        let Some(name) = self.begin(problem, held.source) else { return Ok(()) };
        let missing_only = setup.mode == Some(ModeArg::TuneMissing);
        let loads_only = setup.mode == Some(ModeArg::Load);
        if loads_only || (missing_only && held.source == Source::Tuned) {
            let (kernel, shape) = (P::KERNEL, problem.shape());
            let (source, recipe) = (held.source, held.recipe);
            output::remark(format_args!("{kernel}, {shape}: not searched; {source}: {recipe}"));
            if args.common.json {
                return output::print(json!({
                    "schema": 1,
                    "searched": false,
                    "kernel": kernel,
                    "shape": shape,
                    "recipe": recipe,
                    "recipe_source": source,
                }));
            }
            return Ok(());
        }
        let found = search(setup, &setting, problem, args.budget.budget)?;
        let estimate = problem.estimate(&setting).to_string();
        let mut wisdom = Wisdom::default();
        wisdom.add(found.record.clone());
        let chosen = wisdom.choose(problem, &setting).recipe.to_string();
        print((&args.common, args.budget.budget), setup, &found, (&estimate, &chosen))?;
        self.explored.push(found);
        if let Some(All { done: Some(done), .. }) = &mut self.all {
            let place = done.path().display().to_string();
            done.add(name).map_err(|error| Failure::failed(format!("{place}: {error}")))?;
        }
        Ok(())
    }
}

/// Searches for the best recipe of a problem and writes it down; an interrupted search for the same
/// goes on where it was.
pub(super) fn search<P: Tunable>(
    setup: &Setup,
    setting: &Setting<'_>,
    problem: &P,
    budget: Duration,
) -> Result<Found, Failure> {
    problem.check(setting.isa, &problem.estimate(setting)).map_err(Failure::usage)?;
    setup.wisdom_file.as_deref().map(writable).transpose()?;
    let bar = ProgressBar::new(100).with_style(style());
    let clock = setup.core_clock(setting.threads)?;
    let mut search =
        Search::within(budget).rule(clock.rule()).clock(clock).knowing(&setup.wisdom).progress(
            |progress| {
                bar.set_position((100.0 * progress.spent_s / progress.budget_s).min(100.0) as u64);
                bar.set_message(message(progress));
            },
        );
    if let Some(file) = &setup.wisdom_file {
        search = search.journal(journal(file, problem, setting));
    }
    let next = match &setup.wisdom_file {
        Some(_) => "start again, and it is tried last, then never",
        None => "with a file of wisdom, the next search tries it last, then never",
    };
    search = search.patience(PATIENCE + 10 * budget, move |recipe| {
        files::abandon();
        output::remark(format_args!("{}: {recipe} did not come back; {next}", P::KERNEL));
        std::process::exit(1);
    });
    let mut found = search.tune(problem, setting).map_err(Failure::failed)?;
    bar.finish_and_clear();
    if found.shared {
        let kernel = P::KERNEL;
        output::remark(format_args!(
            "{kernel}: another process searches for the same; this search kept no progress"
        ));
    }
    if found.resumed > 0 {
        let (resumed, kernel) = (found.resumed, P::KERNEL);
        output::remark(format_args!(
            "{kernel}: went on where a search had been interrupted, {resumed} candidate(s) known"
        ));
    }
    if let Some(file) = &setup.wisdom_file {
        let kept = |error| {
            let kernel = P::KERNEL;
            Failure::failed(format!(
                "{error}; what the search for {kernel} found is kept beside it: start it again"
            ))
        };
        found.record = setup.wisdom.renew(file, found.record).map_err(kept)?;
    }
    found.settled();
    Ok(found)
}

/// Where a search keeps its progress: beside the wisdom, a file for each problem and setting.
fn journal<P: Tunable>(wisdom: &Path, problem: &P, setting: &Setting<'_>) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(wisdom.file_name().unwrap_or_default());
    name.push(format!(".{}.tuning", journal_name(problem, setting)));
    wisdom.with_file_name(name)
}

/// The name of a search: another one's differs.
fn journal_name<P: Tunable>(problem: &P, setting: &Setting<'_>) -> String {
    let sizes: Vec<String> = problem.shape().iter().map(|(_, size)| size.to_string()).collect();
    let (dtype, isa, threads) = (problem.dtype(), setting.isa, setting.threads);
    format!("{}-{}-{dtype}-{isa}-{threads}", P::KERNEL, sizes.join("-"))
}

/// Whether a file can be written, in a folder that may be new. Asked beforehand, and taken back at
/// once: nobody wants to find out after the search.
fn writable(file: &Path) -> Result<(), Failure> {
    Wisdom::check_target(file).map_err(Failure::failed)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let claims = Claim::folder(folder.unwrap_or(Path::new(".")), &[&name]);
    claims.map(drop).map_err(Failure::failed)
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
    (common, budget): (&Common, Duration),
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
            "stopped": found.stopped,
            "resumed": found.resumed,
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
            "verdict    {}, {} rounds{}",
            evidence.summary(),
            evidence.rounds,
            match evidence.marked {
                0 => String::new(),
                marked => format!(", {marked} of them disturbed: the others must say the same"),
            }
        ),
    ];
    let (tried, all) = (evidence.tried, evidence.candidates);
    lines.push(format!("tried      {tried} of {all} candidates ({})", found.stopped));
    let (took, budget) = (evidence.seconds, budget.as_secs_f64());
    if took > 2.0 * budget && found.resumed == 0 && evidence.verdict != Verdict::Faster {
        let why = "longer than --budget, for inputs or a call take long: give it more";
        lines.push(format!("took       {took:.1} s, {why}"));
    }
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
