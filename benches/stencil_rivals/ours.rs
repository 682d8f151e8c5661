//! Ourselves.

use super::cases::{Inputs, Values};
use tilewise::stencil::Recipe;
use tilewise::{Isa, Team};
use tilewise_harness::peers::entrant::{Batch, Entrant, Facts, Numbers, OURS};
use tilewise_harness::workload::Candidate;
use tilewise_tuner::wisdom::Chosen;

struct Ours<'a, T> {
    facts: Facts,
    inputs: &'a Inputs<T>,
    candidate: Candidate<'a>,
}

/// The library by a plan, with a team of threads that lasts.
pub(crate) fn entrant<'a, T: Values>(
    inputs: &'a Inputs<T>,
    chosen: &Chosen<Recipe>,
    team: &'a dyn Team,
) -> Result<Box<dyn Entrant + 'a>, String> {
    let isa = Isa::best();
    let candidate = inputs.workload.kernel(OURS, isa, chosen, team);
    let candidate = candidate.map_err(|error| error.to_string())?;
    let facts = Facts {
        name: OURS.into(),
        title: format!("tilewise, {isa}"),
        version: env!("CARGO_PKG_VERSION").into(),
        dtype: T::NAME.into(),
        other_precision: false,
        timed: "steps over a grid of ours".into(),
        recipe: candidate.recipe.clone(),
    };
    Ok(Box::new(Ours { facts, inputs, candidate }))
}

impl<T: Values> Entrant for Ours<'_, T> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Ours must be the plain loop's to the bit, at every point.
    fn result(&mut self) -> Result<Numbers, String> {
        let check = self.candidate.work.check();
        if !check.passed() {
            return Err(format!("it differs from the plain loop by {:e}", check.max_error));
        }
        Ok(self.inputs.result(&self.inputs.workload.points()))
    }

    fn batch(&mut self, calls: usize) -> Result<Batch, String> {
        Ok(Batch::run(calls, || self.candidate.work.run()))
    }
}
