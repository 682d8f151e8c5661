//! Ourselves.

use super::operands::Operands;
use tilewise::gemm::{Lhs, PackedWeights, Plan, Recipe, Scratch, Store};
use tilewise::{Isa, MatrixMut, Team};
use tilewise_harness::peers::entrant::{Batch, Entrant, Facts, Numbers, OURS};
use tilewise_harness::workload;
use tilewise_tuner::wisdom::Chosen;

struct Ours<'a> {
    facts: Facts,
    operands: &'a Operands,
    plan: Plan,
    weights: Vec<PackedWeights>,
    out: Vec<i32>,
    scratch: Scratch,
    team: &'a dyn Team,
    next: usize,
}

/// The kernel with weights packed beforehand.
pub(crate) fn entrant<'a>(
    operands: &'a Operands,
    copies: usize,
    chosen: Chosen<Recipe>,
    team: &'a dyn Team,
) -> Result<Box<dyn Entrant + 'a>, String> {
    let failed = |error: tilewise::gemm::Error| error.to_string();
    let isa = Isa::best();
    let plan = Plan::new(operands.shape, isa, chosen.recipe).map_err(failed)?;
    let weights = (0..copies).map(|copy| PackedWeights::pack(operands.set(copy)));
    Ok(Box::new(Ours {
        facts: Facts {
            name: OURS.into(),
            title: format!("tilewise, {isa}"),
            version: env!("CARGO_PKG_VERSION").into(),
            dtype: "u8 x i8 -> i32".into(),
            other_precision: false,
            timed: "calls on row-major arrays; weights packed beforehand".into(),
            recipe: Some(workload::Recipe::describe(&chosen)),
        },
        weights: weights.collect::<Result<_, _>>().map_err(failed)?,
        out: vec![0; operands.shape.m * operands.shape.n],
        scratch: plan.scratch(team.size()).map_err(failed)?,
        operands,
        plan,
        team,
        next: 0,
    }))
}

impl Ours<'_> {
    fn multiply(&mut self, copy: usize) {
        let lhs = Lhs::u8(self.operands.rows(), 0);
        let (m, n) = (self.operands.shape.m, self.operands.shape.n);
        let out = MatrixMut::new(&mut self.out, m, n).expect("m x n sums were made");
        self.plan
            .run(lhs, &self.weights[copy], &Store, out, &mut self.scratch, self.team)
            .expect("operands were made for this plan");
    }
}

impl Entrant for Ours<'_> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn result(&mut self) -> Result<Numbers, String> {
        self.multiply(0);
        Ok(Numbers::I32(self.out.clone()))
    }

    fn batch(&mut self, calls: usize) -> Result<Batch, String> {
        Ok(Batch::run(calls, || {
            self.multiply(self.next);
            self.next = (self.next + 1) % self.weights.len();
        }))
    }
}
