//! The roof over a single measurement, measured among its rounds: what the arithmetic of the
//! instruction set allows, or what reading the operands once from where they lie allows.

use super::failure::Failure;
use super::setup::Setup;
use serde_json::{Value, json};
use tilewise::{Isa, Team};
use tilewise_harness::roofs::{Memory, Pattern, Probe, Quantity};
use tilewise_harness::workload::{Cache, Candidate, Task};
use tilewise_tuner::measure::{Arm, Session};

/// Probes of what may bound a candidate.
pub(super) struct Bounds<'a> {
    probes: Vec<(Probe, f64)>,
    task: &'a Task,
    team: &'a dyn Team,
}

impl<'a> Bounds<'a> {
    /// Those of a product of bytes; none for plain code, which has no roof of its own, or for
    /// fewer threads than the team has, which cannot be probed with it.
    pub(super) fn new(
        setup: &'a Setup,
        task: &'a Task,
        candidate: &Candidate<'_>,
    ) -> Result<Self, Failure> {
        let (amount, caches) = (&task.amount, &setup.machine.caches);
        let mut bounds = Bounds { probes: Vec::new(), task, team: setup.team() };
        let isa = candidate.isa.parse().unwrap_or(Isa::Scalar);
        let threads = candidate.threads;
        let probed = threads == 1 || threads == bounds.team.size();
        if amount.arithmetic != Some(Quantity::Int8Compute) || isa == Isa::Scalar || !probed {
            return Ok(bounds);
        }
        let memory = match task.cache {
            Cache::Hot => Memory::holding(amount.working_set, caches),
            Cache::Cold => Memory::Dram,
        };
        let read = Quantity::Bandwidth { memory, pattern: Pattern::Read };
        let of = [(Quantity::Int8Compute, amount.operations), (read, amount.bytes)];
        for (quantity, per_unit) in of {
            let probe = Probe::new(quantity, isa, threads, caches).map_err(Failure::failed)?;
            probe.run(bounds.team).map_err(Failure::failed)?;
            bounds.probes.push((probe, per_unit));
        }
        Ok(bounds)
    }

    /// The probes, to be timed.
    pub(super) fn arms(&self) -> impl Iterator<Item = Arm<'_>> {
        let team = self.team;
        self.probes.iter().map(move |(probe, _)| {
            Arm::new(probe.name(), move || probe.run(team).expect("it ran before the session"))
        })
    }

    /// The lowest of the roofs in the unit of the task, and the share of it that `arm` reached,
    /// taken within each round.
    pub(super) fn share(&self, session: &Session, arm: &str) -> Result<[Value; 2], Failure> {
        let work = self.task.amount.work;
        let mut lowest: Option<(f64, [Value; 2])> = None;
        for (probe, per_unit) in &self.probes {
            let roof = probe.roof(session.time(&probe.name()).map_err(Failure::failed)?);
            let ratio = session.ratio(arm, &probe.name()).map_err(Failure::failed)?;
            let unit = work * per_unit / probe.work();
            let value = roof.value / per_unit;
            if lowest.as_ref().is_none_or(|(least, _)| value < *least) {
                let [lo, hi] = [roof.lo, roof.hi].map(|end| end / per_unit);
                let roof = json!({ "name": roof.name, "value": value, "lo": lo, "hi": hi });
                let [median, lo, hi] = [ratio.median, ratio.lo, ratio.hi].map(|r| r * unit);
                let share = json!({ "median": median, "lo": lo, "hi": hi });
                lowest = Some((value, [roof, share]));
            }
        }
        Ok(lowest.map_or([Value::Null, Value::Null], |(_, pair)| pair))
    }
}
