//! The machine's limits: which are measured, and which of them bounds an arm.

use super::super::model::{Mode, RawSession, Roof};
use super::{Error, Plan};
use crate::roofs::{self, CROWDED, CoreClock, Memory, Pattern, Probe, Quantity, Roof as Limit};
use crate::workload::Amount;
use std::time::Duration;
use tilewise::cache::CacheSizes;
use tilewise::{Isa, Team};
use tilewise_tuner::measure::{Arm, Error as MeasureError, Session, Stopwatch};

/// What measuring all roofs once takes.
pub(super) fn time(mode: Mode) -> Duration {
    match mode {
        Mode::Quick => Duration::from_millis(3500),
        Mode::Full => Duration::from_secs(12),
    }
}

/// Every roof of the machine, ready to be measured: alone, and among the arms of a cell.
pub(super) struct Roofs<'a> {
    probes: Vec<Probe>,
    team: &'a dyn Team,
    clock: CoreClock<'a>,
    watch: Stopwatch,
    caches: CacheSizes,
    /// What was measured at the start.
    before: Vec<Limit>,
    /// The samples behind it.
    pub(super) sessions: Vec<RawSession>,
}

impl<'a> Roofs<'a> {
    /// Prepares them and measures them once.
    pub(super) fn new(plan: &Plan<'a>) -> Result<Self, Error> {
        let Plan { setting, team, mode, .. } = *plan;
        let isas: Vec<Isa> = setting.machine.isas.clone();
        let caches = *setting.caches();
        let refused = |error: roofs::Error| Error::Refused {
            cell: "roofs".into(),
            reason: error.to_string(),
        };
        let probes = roofs::probes(&isas, setting.threads, &caches).map_err(refused)?;
        let clock = CoreClock::new(setting.isa, team, &caches).map_err(refused)?;
        let watch = Stopwatch::within(time(mode));
        let (before, sessions) = (Vec::new(), Vec::new());
        let mut roofs = Roofs { probes, team, clock, watch, caches, before, sessions };
        roofs.before = roofs.measure("roofs before")?;
        let shares = roofs.sessions[0].session.rounds.iter().filter_map(|round| round.core_share);
        roofs.watch.rule.core_share = CROWDED * shares.fold(0.0, f64::max);
        Ok(roofs)
    }

    /// Times `arms`, and those named in `apart` once more on their own. Rounds are marked in which
    /// a thread had clearly less of a core than at best while the first roofs were measured.
    pub(super) fn session(
        &self,
        mut watch: Stopwatch,
        arms: Vec<Arm<'_>>,
        apart: &[&str],
    ) -> Result<(Session, Session), MeasureError> {
        watch.rule = self.watch.rule;
        watch.measure_apart(&self.clock, arms, apart)
    }

    /// Measures them once more, for the record.
    pub(super) fn finish(&mut self) -> Result<Vec<Roof>, Error> {
        let after = self.measure("roofs after")?.into_iter().map(Some);
        let pairs = self.before.iter().cloned().zip(after);
        Ok(pairs.map(|(before, after)| Roof { before, after }).collect())
    }

    fn measure(&mut self, id: &str) -> Result<Vec<Limit>, Error> {
        let failed = |source| Error::Session { cell: id.into(), source };
        let arms = self.probes.iter().map(|probe| self.arm(probe)).collect();
        let session = self.watch.measure_by(&self.clock, arms).map_err(failed)?;
        let limit = |probe: &Probe| Ok(probe.roof(session.time(&probe.name())?));
        let limits: Result<Vec<Limit>, _> = self.probes.iter().map(limit).collect();
        self.sessions.push(RawSession { id: id.into(), session });
        limits.map_err(failed)
    }

    /// A probe as an arm among others, under its own name.
    pub(super) fn arm<'s>(&'s self, probe: &'s Probe) -> Arm<'s> {
        let team = self.team;
        Arm::new(probe.name(), move || probe.run(team).expect("the probe was made for this team"))
    }

    /// The lowest roof over work of this kind on an instruction set and so many threads, with
    /// what a unit of its own is worth in the work's: what the arithmetic allows, or what moving
    /// the compulsory bytes allows at the level of memory they come from.
    pub(super) fn over(&self, amount: &Amount, isa: &str, threads: usize) -> Option<Bounding<'_>> {
        let memory = Memory::holding(amount.working_set, &self.caches);
        let on = self.probes.iter().zip(&self.before);
        let on = on.filter(|(_, limit)| limit.threads == threads);
        let bounds = on.filter_map(|(probe, limit)| {
            let per_unit = match limit.quantity {
                Quantity::Bandwidth { memory: of, pattern } => {
                    let is_it = of == memory && pattern == pattern_at(memory, amount.pattern);
                    is_it.then_some(amount.bytes)?
                }
                arithmetic => {
                    let is_it = amount.arithmetic == Some(arithmetic) && limit.isa.name() == isa;
                    is_it.then_some(amount.operations)?
                }
            };
            let alone = limit.hi / per_unit;
            Some((Bounding { probe, per_unit, alone }, limit.value / per_unit))
        });
        bounds.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(bounding, _)| bounding)
    }
}

/// The roof that bounds an arm.
#[derive(Clone, Copy)]
pub(super) struct Bounding<'r> {
    pub(super) probe: &'r Probe,
    /// Operations or bytes in a unit of the arm's work.
    pub(super) per_unit: f64,
    /// The upper end of the roof as measured on its own, in billions of the arm's work a second.
    pub(super) alone: f64,
}

/// Copies to main memory may stream; copies within caches do not.
fn pattern_at(memory: Memory, pattern: Pattern) -> Pattern {
    match pattern {
        Pattern::StreamingCopy if memory != Memory::Dram => Pattern::Copy,
        other => other,
    }
}
