//! The heat stencils a report measures: a volume and a plane, far beyond the caches and near them.

use super::super::model::Mode;
use super::cell::Draft;
use super::ladder::{Early, Plain, both, ladder};
use super::{Error, Plan};
use crate::baseline::Baseline;
use crate::stencil::{Field, Workload};
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

    /// Time it should get.
    pub(super) fn weight(&self) -> f64 {
        2.0 + (self.steps * self.extent.inner_points(self.kind)) as f64 / 4e7
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
        // Small, but still four times the largest last-level caches that two cores see.
        Mode::Quick => (320, 1024),
        Mode::Full => (512, 2048),
    };
    let mut runs = vec![
        run(Kind::Heat7, Extent::space(volume, volume, volume), false),
        run(Kind::Heat5, Extent::plane(plane, plane), false),
    ];
    if mode == Mode::Full {
        runs.push(run(Kind::Heat7, Extent::space(256, 256, 256), true));
        runs.push(run(Kind::Heat5, Extent::plane(plane, plane), true));
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
    let (early, label) = early(run, single, problem.estimate(&alone));
    let mut plain = both(|build| workload.plain(build));
    let structures = vec![workload.structures(Baseline::scalar())];
    let first = Plain { label: "array of structures", name: "structures", orders: structures };
    plain[0].label = "structure of arrays";
    plain.insert(0, first);
    let ladder = ladder(plan, &problem, plain, (early, label), &make)
        .map_err(|reason| Error::Refused { cell: run.id(), reason })?;
    Ok(Draft {
        id: run.id(),
        origin: "heat equation, explicit steps".into(),
        task: workload.task(),
        ladder,
        comparisons: Vec::new(),
        whole: None,
    })
}

/// What leads up to the recipe for many steps, and what that one adds: rows one by one, tiles,
/// streaming stores, and several steps at a time, as far as it goes.
fn early(run: &Run, single: Recipe, many: Recipe) -> (Vec<Early<Recipe>>, &'static str) {
    let mut simd = single;
    simd.side_by_side = SideBySide::One;
    (simd.streaming, simd.tile_rows) = (false, run.extent.y);
    let title = "by hand, row by row";
    let mut rungs = vec![Early { name: "simd", label: "SIMD by hand", title, recipe: simd }];
    let mut ordinary = single;
    ordinary.streaming = false;
    let title = "by hand, tiled, ordinary stores";
    rungs.push(Early { name: "ordinary", label: "tiled", title, recipe: ordinary });
    if single.streaming {
        let title = "by hand, tiled, streaming stores";
        let label = "streaming stores";
        rungs.push(Early { name: "streaming", label, title, recipe: single });
    }
    if many.scheme.fuses() {
        return (rungs, "temporally blocked");
    }
    // The last of them is what the recipe for many steps is.
    let label = rungs.pop().map_or("tiled", |last| last.label);
    (rungs, label)
}
