//! The INT8 products a report measures: the linear layers of BERT, and a cube.

use super::super::model::Mode;
use super::budget::Need;
use super::cell::Draft;
use super::ladder::{Early, both, ladder};
use super::{Error, Plan};
use crate::gemm::Workload;
use crate::workload::Cache;
use std::time::Duration;
use tilewise::Isa;
use tilewise::gemm::{Recipe, Shape, tiles};
use tilewise::vector::PANEL;
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::wisdom::Chosen;

/// A shape and where it is from.
pub(super) struct Layer {
    pub(super) shape: Shape,
    origin: String,
}

impl Layer {
    pub(super) fn id(&self) -> String {
        let Shape { m, n, k } = self.shape;
        format!("gemm-{m}x{k}x{n}")
    }

    /// What it asks for: larger ones have longer calls, but should not get time in proportion.
    pub(super) fn need(&self) -> Need {
        let Shape { m, n, k } = self.shape;
        let billions = (m as f64 * n as f64 * k as f64) / 1e9;
        Need { weight: 1.0 + billions, least: Duration::from_secs_f64(0.6 + 5.6 * billions) }
    }
}

/// The shapes of a mode.
pub(super) fn layers(mode: Mode) -> Vec<Layer> {
    let mut layers = Vec::new();
    let models = [("BERT-base", 768, 3072), ("BERT-large", 1024, 4096)];
    for (model, hidden, wide) in models {
        let parts = [
            ("attention", hidden, hidden),
            ("widening", hidden, wide),
            ("narrowing", wide, hidden),
        ];
        for tokens in [128, 384] {
            for (part, k, n) in parts {
                let origin = format!("{model}, {part} layer, {tokens} tokens");
                layers.push(Layer { shape: Shape { m: tokens, n, k }, origin });
            }
        }
    }
    if mode == Mode::Quick {
        layers.retain(|layer| layer.shape.m == 128 && layer.origin.contains("BERT-base"));
    }
    let cube = Shape { m: 1024, n: 1024, k: 1024 };
    layers
        .push(Layer { shape: cube, origin: "a cube, for comparison with other libraries".into() });
    layers
}

/// Inputs of a layer and its reference.
pub(super) fn workload(layer: &Layer, seed: u64) -> Result<Workload, Error> {
    Workload::new(layer.shape, seed)
        .map_err(|error| Error::Refused { cell: layer.id(), reason: error.to_string() })
}

/// The ladder of a layer.
pub(super) fn draft<'a>(
    plan: &Plan<'a>,
    layer: &Layer,
    workload: &'a Workload,
) -> Result<Draft<'a>, Error> {
    let make = |name: &str, chosen: &Chosen<Recipe>| {
        workload
            .kernel(name, plan.setting.isa, chosen, plan.team)
            .map_err(|error| error.to_string())
    };
    let single = Setting { threads: 1, ..plan.setting };
    let early = vec![Early {
        name: "simd",
        label: "SIMD by hand",
        title: "by hand, a row at a time",
        recipe: untiled(layer.shape, layer.shape.estimate(&single), plan.setting.isa),
    }];
    let plain = both(|build| workload.plain(build));
    let ladder = ladder(plan, &layer.shape, plain, (early, "tiled"), &make)
        .map_err(|reason| Error::Refused { cell: layer.id(), reason })?;
    Ok(Draft {
        id: layer.id(),
        origin: layer.origin.clone(),
        task: workload.task(Cache::Hot),
        ladder,
        comparisons: Vec::new(),
        whole: None,
    })
}

/// One row of registers over the whole product: vector instructions, and nothing else.
fn untiled(Shape { m, n, k }: Shape, estimate: Recipe, isa: Isa) -> Recipe {
    let row = tiles(isa).iter().filter(|tile| tile.rows == 1).max_by_key(|tile| tile.panels);
    let mut recipe = estimate;
    recipe.tile = row.copied().unwrap_or(estimate.tile);
    // All rows pass by the columns of a tile, whose weights stay near. With all columns at a time all
    // weights would be read anew for every row, and the next rung would look better for it.
    (recipe.mc, recipe.kc) = (m, k);
    recipe.nc = n.min(recipe.tile.panels * PANEL);
    recipe
}
