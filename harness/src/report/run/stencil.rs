//! The heat stencils a report measures: a volume and a plane, far beyond the caches and near them.

use super::super::model::Mode;
use super::budget::Need;
use super::cell::{Draft, Step};
use super::ladder::{Early, Plain, both, ladder};
use super::{Error, Plan};
use crate::baseline::Baseline;
use crate::stencil::{Field, Workload};
use std::time::Duration;
use tilewise::Isa;
use tilewise::stencil::{Extent, Kind, Recipe, SideBySide};
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::space;
use tilewise_tuner::wisdom::Chosen;

/// A field to be stepped.
#[derive(Clone, Copy)]
pub(super) struct Run {
    pub(super) kind: Kind,
    pub(super) extent: Extent,
    /// Steps of a call: as many as the usual recipe takes together; fewer would not show all that
    /// fusing them saves.
    pub(super) steps: usize,
    /// Whether its numbers are f64 instead of f32.
    pub(super) double: bool,
}

impl Run {
    pub(super) fn id(&self) -> String {
        let Run { kind, extent: Extent { x, y, z }, double, .. } = self;
        format!("stencil-{kind}-{x}x{y}x{z}-{}", if *double { "f64" } else { "f32" })
    }

    /// What it asks for.
    pub(super) fn need(&self) -> Need {
        let updates = (self.steps * self.extent.inner_points(self.kind)) as f64;
        // Half of the least is for the reference and the checks, which begin anew for every arm.
        let least = Duration::from_secs_f64(0.2 + updates / 1.1e7);
        Need { weight: 2.0 + updates / 4e7, least }
    }

    /// Why this machine is too small for it, if it is.
    pub(super) fn too_large(&self, plan: &Plan<'_>) -> Option<String> {
        let needed = if self.double {
            Workload::<f64>::bytes(self.kind, self.extent)
        } else {
            Workload::<f32>::bytes(self.kind, self.extent)
        };
        plan.lacks(needed)
    }
}

/// The fields of a mode.
pub(super) fn runs(mode: Mode) -> Vec<Run> {
    let run = |kind: Kind, extent, double| {
        let steps = if kind.dimensions() == 2 { 16 } else { 8 };
        Run { kind, extent, steps, double }
    };
    let (volume, plane) = match mode {
        // Small, but both fields together are still four times a last-level cache of 32 MiB. With 320
        // planes the cell took 23 s on two Zen 4 cores, and left no time for what came after it.
        Mode::Quick => (Extent::space(320, 320, 168), Extent::plane(1024, 1024)),
        Mode::Full => (Extent::space(512, 512, 512), Extent::plane(2048, 2048)),
    };
    let mut runs = vec![run(Kind::Heat7, volume, false), run(Kind::Heat5, plane, false)];
    if mode == Mode::Full {
        runs.push(run(Kind::Heat7, Extent::space(256, 256, 256), true));
        runs.push(run(Kind::Heat5, plane, true));
    }
    runs
}

/// The field and its reference.
pub(super) fn workload<T: Field>(plan: &Plan<'_>, run: &Run) -> Result<Workload<T>, Error> {
    Workload::new(run.kind, run.extent, run.steps, plan.seed)
        .and_then(Workload::with_plain)
        .map(|workload| workload.with_caches(*plan.setting.caches()))
        .map_err(|error| Error::Refused { cell: run.id(), reason: error.to_string() })
}

/// The ladder of a field.
pub(super) fn draft<'a, T: Field>(
    plan: &Plan<'a>,
    run: &Run,
    workload: &'a Workload<T>,
) -> Result<Draft<'a>, Error> {
    let make = |name: &str, chosen: &Chosen<Recipe>| {
        workload
            .kernel(name, plan.setting.isa, chosen, plan.team)
            .map_err(|error| error.to_string())
    };
    let problem = workload.problem();
    let alone = Setting { threads: 1, ..plan.setting };
    let single = space::Field::<T>::new(run.kind, run.extent).estimate(&alone);
    let (mut early, mut missing) = (Vec::new(), Vec::new());
    let rungs = rungs(run, plan.setting.isa, [single, problem.estimate(&alone)]);
    for (place, rung) in rungs.into_iter().enumerate() {
        match rung {
            Ok(rung) => early.push(rung),
            Err(step) => missing.push((place, step)),
        }
    }
    // The last of them is the recipe for many steps, of which the ladder makes an arm by itself.
    let label = early.pop().map_or("SIMD by hand", |last| last.label);
    let mut plain = both(|build| workload.plain(build));
    let structures = vec![workload.structures(Baseline::scalar())];
    let first = Plain { label: "array of structures", name: "structures", orders: structures };
    plain[0].label = "structure of arrays";
    plain.insert(0, first);
    let below = plain.len();
    let mut ladder = ladder(plan, &problem, plain, (early, label), &make)
        .map_err(|reason| Error::Refused { cell: run.id(), reason })?;
    for (place, step) in missing {
        ladder.steps.insert(below + place, step);
    }
    Ok(Draft {
        id: run.id(),
        origin: "heat equation, explicit steps".into(),
        task: workload.task(),
        ladder,
        comparisons: Vec::new(),
        whole: None,
    })
}

/// What leads from rows one by one to the recipe for many steps, which is the last that is
/// measured: tiles, streaming stores, several steps at a time. What the estimate does without would
/// be the rung before once more: nothing is measured there, and the reason stands in its place.
fn rungs(run: &Run, isa: Isa, [single, many]: [Recipe; 2]) -> Vec<Result<Early<Recipe>, Step>> {
    let canonical = |recipe: Recipe| recipe.canonical(run.kind, run.extent, isa);
    let rung =
        |name, label, title, recipe| Ok(Early { name, label, title, recipe: canonical(recipe) });
    let missing = |label: &str, why: &str| Err(Step::missing(label, why));
    let mut ordinary = single;
    ordinary.streaming = false;
    let mut simd = ordinary;
    simd.side_by_side = SideBySide::One;
    simd.tile_rows = run.extent.y.saturating_sub(2 * run.kind.radius());
    let mut past = ordinary;
    past.streaming = true;
    let [ordinary, simd, past] = [ordinary, simd, past].map(canonical);
    let mut rungs = vec![rung("simd", "SIMD by hand", "by hand, row by row", simd)];
    if ordinary.tile_rows < simd.tile_rows {
        rungs.push(rung("ordinary", "tiled", "by hand, tiled, ordinary stores", ordinary));
    } else {
        rungs.push(missing("tiled", "the estimate cuts nothing here"));
        if ordinary != simd {
            let title = "by hand, rows side by side, ordinary stores";
            rungs.push(rung("ordinary", "side by side", title, ordinary));
        }
    }
    rungs.push(match (single.streaming, past.streaming) {
        (true, _) => rung("streaming", "streaming stores", "by hand, streaming stores", single),
        (_, false) => {
            missing("streaming stores", &format!("with {isa} no store of it goes past the caches"))
        }
        _ => missing(
            "streaming stores",
            "one step at a time the estimate has none: much of the fields stays in cache",
        ),
    });
    rungs.push(match many.scheme.fuses() {
        true => rung("blocked", "temporally blocked", "by hand, several steps at a time", many),
        false => missing(
            "temporally blocked",
            "the estimate takes one step at a time: the fields stay in cache",
        ),
    });
    rungs
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilewise::cache::CacheSizes;

    #[test]
    fn no_recipe_is_measured_twice_and_no_rung_left_out_in_silence() {
        let (isa, l2) = (Isa::best(), 1 << 20);
        // Caches that hold next to nothing, planes, and everything.
        for l3 in [2 << 20, 32 << 20, 4 << 30] {
            let caches = CacheSizes { l2, l3, ..CacheSizes::ASSUMED };
            for run in runs(Mode::Quick).into_iter().chain(runs(Mode::Full)) {
                let Run { kind, extent, .. } = run;
                let single = Recipe::estimate::<f32>(kind, extent, isa, &caches, 1);
                let many = Recipe::estimate_fused::<f32>(kind, extent, isa, &caches, 1);
                let both = [single, many].map(|recipe| recipe.canonical(kind, extent, isa));
                let (mut labels, mut before) = (Vec::<String>::new(), None::<Recipe>);
                for rung in rungs(&run, isa, both) {
                    labels.push(match rung {
                        Ok(Early { label, recipe, .. }) => {
                            assert_ne!(before, Some(recipe), "{}: {label}", run.id());
                            before = Some(recipe);
                            label.to_owned()
                        }
                        Err(Step { label, arm }) => {
                            assert!(arm.is_err_and(|why| !why.is_empty()), "{label}");
                            label
                        }
                    });
                }
                assert_eq!(before, Some(both[1]), "{}: the last is the estimate", run.id());
                labels.retain(|label| label != "side by side");
                let expected = ["SIMD by hand", "tiled", "streaming stores", "temporally blocked"];
                assert_eq!(labels, expected, "{}", run.id());
            }
        }
    }
}
