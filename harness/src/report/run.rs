//! Measures what a report shows: roofs, then one interleaved session a shape, then roofs again.

mod bert;
mod budget;
mod cell;
mod gemm;
mod kmeans;
mod ladder;
mod planned;
mod roofs;
mod stencil;

use super::model::{
    Environment, Mode, Peers, PictureRecord, RawSession, Report, SCHEMA, Samples, Skipped,
};
use super::rules;
use crate::bert::Synthetic;
use crate::picture::Picture;
use crate::provenance::Provenance;
use budget::{Budget, Need};
use cell::{Draft, Measured};
use planned::{Planned, Turn};
use roofs::Roofs;
use serde::Serialize;
use std::time::Instant;
use tilewise::Team;
use tilewise_tuner::measure::{Stopwatch, stats};
use tilewise_tuner::problem::Setting;
use tilewise_tuner::wisdom::Wisdom;

/// What a report is made of.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    /// How much to measure.
    pub mode: Mode,
    /// What inputs are made from.
    pub seed: u64,
    /// The picture K-Means quantises, and its name.
    pub picture: (&'a Picture, &'a str),
    /// Machine, instruction set, threads.
    pub setting: Setting<'a>,
    /// What was measured beside rivals before.
    pub peers: Option<&'a Peers>,
    /// Recipes that were measured before.
    pub wisdom: &'a Wisdom,
    /// Who runs the kernels: as many members as the setting has threads.
    pub team: &'a dyn Team,
    /// The command that does this again.
    pub command: &'a str,
    /// Told what is being measured, and how many parts of how many are done.
    pub progress: &'a dyn Fn(&str, usize, usize),
}

impl Plan<'_> {
    /// Why so many bytes are too many for this machine, if they are.
    fn lacks(&self, bytes: usize) -> Option<String> {
        let available = *self.setting.machine.memory_available.known()? as f64;
        let (needed, giga) = (bytes as f64, 1e9);
        (needed > available).then(|| {
            format!("needs {:.1} GB; {:.1} GB are available", needed / giga, available / giga)
        })
    }
}

/// A report that could not be measured: something is wrong with this program, not with numbers.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A session without a result.
    #[error("{cell}: {source}")]
    Session {
        /// Where.
        cell: String,
        /// What the stopwatch said.
        #[source]
        source: tilewise_tuner::measure::Error,
    },
    /// A kernel that refused a planned shape.
    #[error("{cell}: {reason}")]
    Refused {
        /// Where.
        cell: String,
        /// What the kernel said.
        reason: String,
    },
}

/// A finished report, what its raw samples are, and the picture K-Means made.
#[derive(Debug)]
pub struct Finished {
    /// The record, its samples empty.
    pub report: Report,
    /// Every session.
    pub sessions: Vec<RawSession>,
    /// The picture in few colours.
    pub quantised: Option<Picture>,
}

/// The shapes a report measures, for those who want to tune all of them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Shapes {
    /// INT8 products.
    pub gemm: Vec<tilewise::gemm::Shape>,
    /// Labelling the pixels of a picture.
    pub kmeans: tilewise::kmeans::Shape,
    /// Stencils on grids of f32.
    pub stencil_f32: Vec<StencilShape>,
    /// Stencils on grids of f64.
    pub stencil_f64: Vec<StencilShape>,
}

/// A stencil, its grid, and the steps of a call.
pub type StencilShape = (tilewise::stencil::Kind, tilewise::stencil::Extent, usize);

impl Shapes {
    /// Those of a mode, for a picture of so many pixels.
    pub fn of(mode: Mode, pixels: usize) -> Shapes {
        let (double, single): (Vec<_>, Vec<_>) =
            stencil::runs(mode).into_iter().partition(|run| run.double);
        let fields = |runs: Vec<stencil::Run>| {
            runs.into_iter().map(|run| (run.kind, run.extent, run.steps)).collect()
        };
        Shapes {
            gemm: gemm::layers(mode).into_iter().map(|layer| layer.shape).collect(),
            kmeans: kmeans::shape(pixels),
            stencil_f32: fields(single),
            stencil_f64: fields(double),
        }
    }
}

/// Measures everything.
///
/// # Errors
/// [`Error`].
pub fn run(plan: &Plan<'_>) -> Result<Finished, Error> {
    let start = Instant::now();
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut run = Run::begin(plan)?;
    for turn in run.planned.turns(plan.mode) {
        match turn {
            Turn::Gemm(index) => run.gemm(index)?,
            Turn::KMeans => run.kmeans()?,
            Turn::Stencil(index) => run.stencil(index)?,
            Turn::Bert(index) => run.bert(index)?,
        }
    }
    run.step("roofs, again");
    let roofs = run.roofs.finish()?;
    run.sessions.append(&mut run.roofs.sessions);
    let mut report = Report {
        schema: SCHEMA,
        mode: plan.mode,
        command: plan.command.into(),
        started,
        seconds: start.elapsed().as_secs_f64(),
        seed: plan.seed,
        environment: environment(plan, &run.sessions),
        roofs,
        cells: run.cells,
        skipped: run.skipped,
        picture: run.picture,
        peers: plan.peers.cloned(),
        failures: Vec::new(),
        cautions: Vec::new(),
        samples: Samples::Inline(Vec::new()),
    };
    report.failures = rules::failures(&report);
    report.cautions = rules::cautions(&report);
    Ok(Finished { report, sessions: run.sessions, quantised: run.quantised })
}

/// A run under way.
struct Run<'p, 'a> {
    plan: &'p Plan<'a>,
    planned: Planned,
    budget: Budget,
    done: usize,
    roofs: Roofs<'a>,
    cells: Vec<super::model::Cell>,
    sessions: Vec<RawSession>,
    skipped: Vec<Skipped>,
    picture: Option<PictureRecord>,
    quantised: Option<Picture>,
}

impl<'p, 'a> Run<'p, 'a> {
    /// Plans all cells before the first is timed, and measures the roofs.
    fn begin(plan: &'p Plan<'a>) -> Result<Self, Error> {
        let planned = Planned::of(plan.mode);
        (plan.progress)("roofs", 0, planned.parts());
        // The clock runs from here: the first roofs are part of the time.
        let budget = Budget::new(plan.mode, &planned.needs(), roofs::time(plan.mode));
        Ok(Run {
            plan,
            planned,
            budget,
            done: 1,
            roofs: Roofs::new(plan)?,
            cells: Vec::new(),
            sessions: Vec::new(),
            skipped: Vec::new(),
            picture: None,
            quantised: None,
        })
    }

    /// Tells what comes next.
    fn step(&mut self, what: &str) {
        (self.plan.progress)(what, self.done, self.planned.parts());
        self.done += 1;
    }

    fn gemm(&mut self, index: usize) -> Result<(), Error> {
        let layer = &self.planned.layers[index];
        let (id, need) = (layer.id(), layer.need());
        if self.must_skip(&id, need, None) {
            return Ok(());
        }
        let layer = &self.planned.layers[index];
        let workload = gemm::workload(layer, self.plan.seed)?;
        let draft = gemm::draft(self.plan, layer, &workload)?;
        self.measure(draft, need)
    }

    fn kmeans(&mut self) -> Result<(), Error> {
        if self.must_skip(kmeans::ID, kmeans::NEED, None) {
            return Ok(());
        }
        let fitted = kmeans::fit(self.plan)?;
        let draft = kmeans::draft(self.plan, &fitted)?;
        self.measure(draft, kmeans::NEED)?;
        self.sessions.push(fitted.session);
        self.picture = Some(fitted.record);
        self.quantised = Some(fitted.quantised);
        Ok(())
    }

    fn stencil(&mut self, index: usize) -> Result<(), Error> {
        let field = self.planned.fields[index];
        if self.must_skip(&field.id(), field.need(), field.too_large(self.plan)) {
            return Ok(());
        }
        if field.double { self.field::<f64>(field) } else { self.field::<f32>(field) }
    }

    fn field<T: crate::stencil::Field>(&mut self, field: stencil::Run) -> Result<(), Error> {
        let workload = stencil::workload::<T>(self.plan, &field)?;
        let draft = stencil::draft(self.plan, &field, &workload)?;
        self.measure(draft, field.need())
    }

    /// The cells of a model, of one workload.
    fn bert(&mut self, index: usize) -> Result<(), Error> {
        let source = Synthetic { seed: self.plan.seed };
        let mut made = None;
        let needs = self.planned.models[index].needs();
        for (precision, need) in bert::PRECISIONS.into_iter().zip(needs) {
            let model = &self.planned.models[index];
            let (id, too_large) = (model.id(precision), model.too_large(self.plan));
            if self.must_skip(&id, need, too_large) {
                continue;
            }
            let model = &self.planned.models[index];
            let workload = match made.take() {
                Some(workload) => workload,
                None => bert::workload(model, &source)?,
            };
            let draft = bert::draft(self.plan, model, &workload, precision)?;
            // Passes are long and their differences large: the fewest rounds will do.
            let mut watch = self.budget.share(need);
            watch.min_rounds = stats::MIN_ROUNDS;
            self.time(draft, watch)?;
            made = Some(workload);
        }
        Ok(())
    }

    /// Tells what comes next, and notes it as skipped if there is a reason.
    fn must_skip(&mut self, id: &str, need: Need, reason: Option<String>) -> bool {
        self.step(id);
        let spent = self.budget.is_spent().then(|| "the time for this report was used up".into());
        let reason = reason.or(spent);
        let skip = reason.is_some();
        if skip {
            self.budget.withdraw(need);
        }
        self.skipped.extend(reason.map(|reason| Skipped { id: id.into(), reason }));
        skip
    }

    fn measure(&mut self, draft: Draft<'_>, need: Need) -> Result<(), Error> {
        let watch = self.budget.share(need);
        self.time(draft, watch)
    }

    fn time(&mut self, draft: Draft<'_>, watch: Stopwatch) -> Result<(), Error> {
        let Measured { cell, sessions } = cell::measure(draft, watch, &self.roofs)?;
        self.cells.push(cell);
        self.sessions.extend(sessions);
        Ok(())
    }
}

fn environment(plan: &Plan<'_>, sessions: &[RawSession]) -> Environment {
    let machine = plan.setting.machine;
    Environment {
        cpu: machine.cpu.known().map_or_else(|| machine.slug(), |cpu| cpu.brand.clone()),
        slug: machine.slug(),
        isas: machine.isas.iter().map(|isa| isa.name().into()).collect(),
        threads_allowed: plan.setting.threads,
        machine: plain(machine),
        build: plain(&Provenance::read()),
        steal_share: steal_share(sessions, plan.setting.machine.cores.allowed),
    }
}

fn plain(data: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(data).expect("it is plain data")
}

/// Stolen time of all rounds, as a share of the core time they had.
fn steal_share(sessions: &[RawSession], cores: usize) -> Option<f64> {
    /// Seconds in a tick of the system's count.
    const TICK: f64 = 0.01;
    let rounds = || sessions.iter().flat_map(|raw| &raw.session.rounds);
    let ticks: u64 = rounds().map(|round| round.steal_ticks).sum::<Option<u64>>()?;
    let seconds: f64 = rounds().map(|round| round.seconds).sum();
    (seconds > 0.0).then(|| ticks as f64 * TICK / (seconds * cores as f64))
}
