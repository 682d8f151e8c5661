//! Ourselves.

use super::inputs::{Inputs, Point};
use super::job::Job;
use tilewise::kmeans::{KMeans, Plan, Recipe, Scratch, With};
use tilewise::{Isa, Team};
use tilewise_harness::peers::entrant::{Batch, Entrant, Facts, Numbers, OURS};
use tilewise_harness::workload;
use tilewise_tuner::wisdom::Chosen;

struct Ours<'a, T: Point> {
    facts: Facts,
    job: &'a Job,
    inputs: &'a Inputs<T>,
    settings: KMeans,
    plan: Plan,
    scratch: Scratch,
    labels: Vec<u32>,
    /// The centres of a fit, or those chosen.
    centres: Vec<f32>,
    team: &'a dyn Team,
}

/// The library by a plan, with a team of threads that lasts.
pub(crate) fn entrant<'a, T: Point>(
    job: &'a Job,
    inputs: &'a Inputs<T>,
    chosen: &Chosen<Recipe>,
    team: &'a dyn Team,
) -> Result<Box<dyn Entrant + 'a>, String> {
    let failed = |error: tilewise::kmeans::Error| error.to_string();
    let isa = Isa::best();
    let plan = Plan::new(inputs.shape, isa, chosen.recipe).map_err(failed)?;
    let timed = match job.kernel {
        "kmeans-predict" | "kmeans-argmin" => "row-major points in, checked; labels out",
        "kmeans-lloyd" => "a fit from given centres, tol 0: row-major points in, labels out",
        "kmeans-seed" => "greedy k-means++: row-major points in, indices out",
        _ => "a fit, greedy k-means++ included: row-major points in, labels out",
    };
    Ok(Box::new(Ours {
        facts: Facts {
            name: OURS.into(),
            title: format!("tilewise, {isa}"),
            version: env!("CARGO_PKG_VERSION").into(),
            dtype: T::NAME.into(),
            other_precision: false,
            timed: timed.into(),
            recipe: Some(workload::Recipe::describe(chosen)),
        },
        scratch: plan.scratch(team.size()).map_err(failed)?,
        settings: inputs.settings(job),
        labels: vec![0; inputs.shape.n],
        centres: Vec::new(),
        job,
        inputs,
        plan,
        team,
    }))
}

impl<T: Point> Ours<'_, T> {
    fn call(&mut self) -> Result<(), tilewise::kmeans::Error> {
        let Ours { inputs, plan, settings, team, .. } = self;
        let rows = inputs.rows();
        if self.job.labels() {
            let scratch = &mut self.scratch;
            return plan.assign(rows, inputs.start(), &mut self.labels, None, scratch, *team);
        }
        let mut draws = inputs.draws.iter();
        let with = With::new(plan, *team).draws(&mut draws);
        if self.job.kernel == "kmeans-seed" {
            let chosen = settings.seeds(rows, with)?;
            let features = chosen.into_iter().flat_map(|row| rows.row(row));
            self.centres = features.map(|&x| x.into() as f32).collect();
        } else {
            let fit = settings.fit_with(rows, with)?;
            let centres = fit.centres();
            let rows = (0..centres.rows()).flat_map(|row| centres.row(row));
            self.centres = rows.map(|&c| c.into() as f32).collect();
        }
        Ok(())
    }
}

impl<T: Point> Entrant for Ours<'_, T> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn result(&mut self) -> Result<Numbers, String> {
        self.labels.fill(u32::MAX);
        self.call().map_err(|error| error.to_string())?;
        Ok(if self.job.labels() {
            Numbers::I32(self.labels.iter().map(|label| label.cast_signed()).collect())
        } else {
            Numbers::F32(self.centres.clone())
        })
    }

    fn batch(&mut self, calls: usize) -> Result<Batch, String> {
        let mut failed = None;
        let batch = Batch::run(calls, || failed = self.call().err());
        failed.map_or(Ok(batch), |error| Err(error.to_string()))
    }
}
