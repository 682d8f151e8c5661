//! The forward passes a report measures: a small model and, in a full report, a middle one, each in
//! floats and in bytes.

use super::super::model::Mode;
use super::super::number::threads as count;
use super::budget::Need;
use super::cell::{Draft, Pair, Step};
use super::ladder::{Ladder, both};
use super::{Error, Plan};
use crate::bert::{Config, Precision, Synthetic, Workload};
use std::time::Duration;
use tilewise::{Solo, Team};

/// What the linear layers of a model's cells multiply, cell by cell.
pub(super) const PRECISIONS: [Precision<'static>; 2] = [Precision::Fp32, Precision::Int8];

/// A model with weights from a seed, and a batch.
pub(super) struct Model {
    name: &'static str,
    config: Config,
    /// Sequences, and tokens of each.
    sizes: (usize, usize),
    /// Parts of the time, one for each of its cells.
    weights: [f64; PRECISIONS.len()],
}

impl Model {
    /// That of its cell in a precision.
    pub(super) fn id(&self, precision: Precision<'_>) -> String {
        let (batch, seq) = self.sizes;
        format!("bert-{}-{}-{batch}x{seq}", self.name, precision.name())
    }

    /// What its cells ask for.
    pub(super) fn needs(&self) -> [Need; PRECISIONS.len()] {
        let Config { layers, hidden, intermediate, .. } = self.config;
        let (batch, seq) = self.sizes;
        let in_layers = layers * (4 * hidden * hidden + 2 * hidden * intermediate);
        let products = (batch * seq * in_layers) as f64;
        // A scalar pass takes a third of a nanosecond for each (minilm 1x128 in a full report) and
        // is made 16 times; the other arms and the reference take about half as much again. Weights
        // are made anew for every form they are laid out in: what that takes is an estimate.
        let least = 5e-8 * self.config.weights() as f64 + 8e-9 * products;
        self.weights.map(|weight| Need { weight, least: Duration::from_secs_f64(least) })
    }

    /// Why this machine is too small for it, if it is.
    pub(super) fn too_large(&self, plan: &Plan<'_>) -> Option<String> {
        plan.lacks(Workload::<Synthetic>::bytes(&self.config))
    }
}

/// The models of a mode, whole. Passes of plain code take long, of bytes as of floats: a middle-sized
/// model by scalar code a second or two for 64 tokens.
pub(super) fn models(mode: Mode) -> Vec<Model> {
    let model = |name, config, sizes, weights| Model { name, config, sizes, weights };
    match mode {
        Mode::Quick => vec![model("minilm", Config::minilm(), (1, 32), [2.0, 1.5])],
        Mode::Full => vec![
            model("minilm", Config::minilm(), (1, 128), [6.0, 5.0]),
            model("base", Config::base(), (1, 64), [13.0, 10.0]),
        ],
    }
}

/// The pass and its reference, the same for all cells of a model.
pub(super) fn workload<'s>(
    model: &Model,
    source: &'s Synthetic,
) -> Result<Workload<'s, Synthetic>, Error> {
    let named = (model.name, model.config.clone());
    let workload = Workload::new(named, source, model.sizes, source.seed);
    workload.map_err(|error| refused(model, Precision::Fp32, &error))
}

/// The ladder of a forward pass.
pub(super) fn draft<'a>(
    plan: &Plan<'a>,
    model: &Model,
    workload: &'a Workload<'a, Synthetic>,
    precision: Precision<'a>,
) -> Result<Draft<'a>, Error> {
    let pass = Pass { plan, model, workload, precision };
    match precision {
        Precision::Fp32 => pass.in_floats(),
        Precision::Int8 | Precision::Int8Static(_) => pass.in_bytes(),
    }
}

/// What a cell is made from.
struct Pass<'p, 'a> {
    plan: &'p Plan<'a>,
    model: &'p Model,
    workload: &'a Workload<'a, Synthetic>,
    precision: Precision<'a>,
}

impl<'a> Pass<'_, 'a> {
    /// What a user quotes against plain code of floats are our floats; bytes are other numbers, so
    /// they are a rung of their own, the last.
    fn in_floats(&self) -> Result<Draft<'a>, Error> {
        let Pass { plan, workload, .. } = *self;
        let (most, team) = (plan.setting.threads, plan.team);
        let mut ladder = Ladder::plain(both(|build| workload.plain(build)));
        let (fp32, int8) = (Precision::Fp32, Precision::Int8);
        let one = self.add(&mut ladder, fp32, &Solo)?;
        let mut all = one.clone();
        let mut bytes = self.add(&mut ladder, int8, &Solo)?;
        let comparisons = vec![pair("INT8 against floats, 1 thread", &one, &bytes)];
        if most > 1 {
            all = self.add(&mut ladder, fp32, team)?;
            bytes = self.add(&mut ladder, int8, team)?;
        }
        self.climb(&mut ladder, "by hand, floats", (one, all));
        ladder.steps.push(Step::new("INT8", &bytes));
        Ok(self.finish(ladder, comparisons))
    }

    /// Bytes against plain code of bytes: the same weights and the same rule for rows on both sides.
    /// Attention is not: ours multiplies bytes there too, plain code floats, which the cell says.
    fn in_bytes(&self) -> Result<Draft<'a>, Error> {
        let Pass { plan, workload, precision, .. } = *self;
        let mut ladder = Ladder::plain(both(|build| workload.plain_in_bytes(build)));
        let one = self.add(&mut ladder, precision, &Solo)?;
        let all = match plan.setting.threads {
            1 => one.clone(),
            _ => self.add(&mut ladder, precision, plan.team)?,
        };
        // Bytes are the cell's own arithmetic here.
        ladder.candidates.iter_mut().for_each(|candidate| candidate.arithmetic = None);
        self.climb(&mut ladder, "by hand, bytes", (one, all));
        Ok(self.finish(ladder, Vec::new()))
    }

    /// Puts our encoder among the candidates, and gives its name.
    fn add(
        &self,
        ladder: &mut Ladder<'a>,
        precision: Precision<'a>,
        team: &'a dyn Team,
    ) -> Result<String, Error> {
        let name = match team.size() {
            1 => precision.name().to_owned(),
            threads => format!("{}-{threads}", precision.name()),
        };
        let candidate = self
            .workload
            .kernel(&name, self.plan.setting.isa, precision, team)
            .map_err(|error| refused(self.model, self.precision, &error))?;
        let products = match precision {
            Precision::Fp32 => "products of floats",
            _ => "products of bytes",
        };
        let title = format!("by hand, {products}, {}", count(team.size()));
        ladder.candidates.push(candidate.titled(&title));
        Ok(name)
    }

    /// The rungs of ours, on one thread and on all.
    fn climb(&self, ladder: &mut Ladder<'a>, label: &str, (one, all): (String, String)) {
        ladder.steps.push(Step::new(label, &one));
        if all != one {
            ladder.steps.push(Step::new(&count(self.plan.setting.threads), &all));
        }
        ladder.scaling = vec![one.clone(), all.clone()];
        ladder.scaling.dedup();
        (ladder.offers.one.default, ladder.offers.all.default) = (one, all);
    }

    fn finish(&self, ladder: Ladder<'a>, comparisons: Vec<Pair>) -> Draft<'a> {
        let bytes = match self.precision {
            Precision::Fp32 => "",
            _ => "; our attention multiplies bytes too, that of plain code floats",
        };
        Draft {
            id: self.model.id(self.precision),
            origin: format!(
                "a whole forward pass; random weights, a sequence without padding{bytes}"
            ),
            task: self.workload.task(self.precision),
            ladder,
            comparisons,
            whole: None,
        }
    }
}

fn pair(label: &str, from: &str, to: &str) -> Pair {
    Pair { label: label.into(), from: from.into(), to: to.into() }
}

fn refused(model: &Model, precision: Precision<'_>, error: &crate::bert::Error) -> Error {
    Error::Refused { cell: model.id(precision), reason: error.to_string() }
}
