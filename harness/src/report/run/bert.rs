//! The forward passes a report measures: a small model and, in a full report, a middle one.

use super::super::model::Mode;
use super::super::number::threads as count;
use super::cell::{Draft, Pair, Step};
use super::ladder::{Ladder, both};
use super::{Error, Plan};
use crate::bert::{Config, Precision, Synthetic, Workload};
use tilewise::{Solo, Team};

/// A model with weights from a seed, and a batch.
pub(super) struct Model {
    name: &'static str,
    config: Config,
    /// Sequences, and tokens of each.
    sizes: (usize, usize),
    /// Time it should get.
    pub(super) weight: f64,
}

impl Model {
    pub(super) fn id(&self) -> String {
        let (batch, seq) = self.sizes;
        format!("bert-{}-{batch}x{seq}", self.name)
    }

    /// Why this machine is too small for it, if it is.
    pub(super) fn too_large(&self, plan: &Plan<'_>) -> Option<String> {
        plan.lacks(Workload::<Synthetic>::bytes(&self.config))
    }
}

/// The models of a mode. Passes of plain code take long: a middle-sized model by scalar code a
/// second or two for 64 tokens.
pub(super) fn models(mode: Mode) -> Vec<Model> {
    let model = |name, config, sizes, weight| Model { name, config, sizes, weight };
    match mode {
        Mode::Quick => vec![model("minilm", Config::minilm(), (1, 32), 3.0)],
        Mode::Full => vec![
            model("minilm", Config::minilm(), (1, 128), 10.0),
            model("base", Config::base(), (1, 64), 20.0),
        ],
    }
}

/// The pass and its reference.
pub(super) fn workload<'s>(
    model: &Model,
    source: &'s Synthetic,
) -> Result<Workload<'s, Synthetic>, Error> {
    let named = (model.name, model.config.clone());
    Workload::new(named, source, model.sizes, source.seed).map_err(|error| refused(model, &error))
}

/// The ladder of a forward pass. What a user quotes against plain code of floats are our floats;
/// bytes are other numbers, so they are a rung of their own, the last.
pub(super) fn draft<'a>(
    plan: &Plan<'a>,
    model: &Model,
    workload: &'a Workload<'a, Synthetic>,
) -> Result<Draft<'a>, Error> {
    let most = plan.setting.threads;
    let mut ladder = Ladder::plain(both(|build| workload.plain(build)));
    let mut add = |name: &str, precision, team: &'a dyn Team| {
        let candidate = workload
            .kernel(name, plan.setting.isa, precision, team)
            .map_err(|error| refused(model, &error))?;
        let products = match precision {
            Precision::Fp32 => "products of floats",
            _ => "products of bytes",
        };
        let title = format!("by hand, {products}, {}", count(team.size()));
        ladder.candidates.push(candidate.titled(&title));
        Ok::<_, Error>(name.to_owned())
    };
    let mut comparisons = Vec::new();
    let (fp32, int8) = (Precision::Fp32, Precision::Int8);
    let one = add("fp32", fp32, &Solo)?;
    let mut all = one.clone();
    let mut bytes = add("int8", int8, &Solo)?;
    comparisons.push(pair("INT8 against floats, 1 thread", &one, &bytes));
    if most > 1 {
        all = add(&format!("fp32-{most}"), fp32, plan.team)?;
        bytes = add(&format!("int8-{most}"), int8, plan.team)?;
    }
    ladder.steps.push(Step::new("by hand, floats", &one));
    if most > 1 {
        ladder.steps.push(Step::new(&count(most), &all));
    }
    ladder.steps.push(Step::new("INT8", &bytes));
    ladder.scaling = vec![one.clone(), all.clone()];
    ladder.scaling.dedup();
    (ladder.offers.one.default, ladder.offers.all.default) = (one, all);
    Ok(Draft {
        id: model.id(),
        origin: "a whole forward pass; random weights, a sequence without padding".into(),
        task: workload.task(),
        ladder,
        comparisons,
        whole: None,
    })
}

fn pair(label: &str, from: &str, to: &str) -> Pair {
    Pair { label: label.into(), from: from.into(), to: to.into() }
}

fn refused(model: &Model, error: &crate::bert::Error) -> Error {
    Error::Refused { cell: model.id(), reason: error.to_string() }
}
