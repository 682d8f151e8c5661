//! `tilewise wisdom check`: some records measured again. One that holds no more is demoted: what is
//! found now takes its place, as a later revision, so that the old one does not come back when files
//! are merged. That is final, so it takes two measurements, each with inputs of its own, enough
//! rounds and few of them disturbed; when they differ, the record stays.

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::output;
use super::super::problem::{self, Task};
use super::super::setup::Setup;
use super::args::Check;
use super::{changes, evidence};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use serde_json::{Value, json};
use std::time::Duration;
use tilewise_tuner::search::Search;
use tilewise_tuner::space::Tunable;
use tilewise_tuner::wisdom::{Evidence, Record, Verdict, Wisdom};

pub(super) fn run(common: &Common, args: &Check) -> Result<(), Failure> {
    let setup = Setup::new(common, false)?;
    if args.sample == 0 {
        return Err(Failure::usage("--sample 0: expected 1 or more"));
    }
    let mut records = records_of_here(&setup);
    records.shuffle(&mut Pcg64::seed_from_u64(common.seed));
    let all = records.len();
    // Those that claim something first: of a default there is nothing to be found out.
    records.sort_by_key(|record| record.evidence.verdict != Verdict::Faster);
    records.truncate(args.sample);
    let mut checked = Vec::new();
    for record in &records {
        let mut again = Again { setup: &setup, record, time: args.budget.budget, outcome: None };
        let Some(result) = problem::recorded(record, &setup, &mut again) else { continue };
        let outcome = match (result, again.outcome) {
            (Ok(()), Some(outcome)) => outcome,
            (Err(Failure::Usage(why) | Failure::Failed(why)), _) => Outcome::Unmeasured(why),
            _ => continue,
        };
        // At once: whoever interrupts the rest keeps this.
        if let (Some(file), Outcome::Stale(_, instead)) = (&setup.wisdom_file, &outcome) {
            setup.wisdom.renew(file, (**instead).clone()).map_err(Failure::failed)?;
        }
        checked.push((record, outcome));
    }
    print(&checked, all, common.json)
}

/// What became of a record.
enum Outcome {
    /// It is as fast as it was said to be, or not surely slower.
    Holds(Evidence),
    /// It is what is done anyway.
    Default,
    /// It is not, for this reason, and this is to take its place.
    Stale(String, Box<Record>),
    /// It looks slower, and what was measured does not suffice to say so.
    Unresolved(&'static str, Evidence),
    /// It could not be measured.
    Unmeasured(String),
}

impl Outcome {
    /// Whether a record holds, by what is measured now, again if need be. Of one that says "faster",
    /// the interval must reach what it claims to be more than at least; a default that is stored
    /// holds as it is.
    fn of(
        record: &Record,
        measure: impl Fn() -> Result<Record, Failure>,
    ) -> Result<Outcome, Failure> {
        let reached = |now: &Evidence| {
            record.evidence.verdict != Verdict::Faster || now.hi >= record.evidence.lo
        };
        let first = measure()?;
        let now = &first.evidence;
        if reached(now) {
            return Ok(Outcome::Holds(first.evidence));
        }
        if now.rounds < ENOUGH {
            return Ok(Outcome::Unresolved("too few rounds, give more --budget", first.evidence));
        }
        if now.marked * 2 > now.rounds {
            return Ok(Outcome::Unresolved("the machine was too busy", first.evidence));
        }
        let second = measure()?;
        if reached(&second.evidence) {
            return Ok(Outcome::Unresolved("measured twice, it held once", first.evidence));
        }
        Ok(Outcome::Stale(format!("now {}", evidence(&second)), Box::new(second)))
    }

    fn text(&self) -> String {
        let of = |Evidence { ratio, lo, hi, .. }: &Evidence| {
            format!("now {ratio:.3}x [{lo:.3}, {hi:.3}]")
        };
        match self {
            Outcome::Holds(now) => format!("holds: {}", of(now)),
            Outcome::Default => "is today's default: nothing to measure".into(),
            Outcome::Stale(why, _) => format!("stale: {why}"),
            Outcome::Unresolved(why, now) => format!("not resolved, {why}: {}", of(now)),
            Outcome::Unmeasured(why) => format!("not measured: {why}"),
        }
    }

    /// What was measured last.
    fn now(&self) -> Option<&Evidence> {
        match self {
            Outcome::Holds(now) | Outcome::Unresolved(_, now) => Some(now),
            Outcome::Stale(_, instead) => Some(&instead.evidence),
            Outcome::Default | Outcome::Unmeasured(_) => None,
        }
    }
}

/// Fewest rounds that may speak against a record.
const ENOUGH: usize = 20;

/// Records that could be used here, by these instructions and on as many threads as are allowed.
fn records_of_here(setup: &Setup) -> Vec<Record> {
    let setting = setup.setting();
    let (identity, context) = (setting.identity(), setting.context());
    let mut records: Vec<Record> = setup.wisdom.records().into_iter().cloned().collect();
    records.retain(|record| record.identity == identity && record.context == context);
    records
}

struct Again<'a> {
    setup: &'a Setup,
    record: &'a Record,
    time: Duration,
    outcome: Option<Outcome>,
}

impl Task for Again<'_> {
    fn run<P: Tunable>(&mut self, problem: &P) -> Result<(), Failure> {
        let setting = self.setup.setting();
        if self.record.surface != P::SURFACE {
            return Err(Failure::failed("it is of another version of the kernel"));
        }
        let estimate = problem.estimate(&setting);
        let compare = |recipe: &P::Recipe| {
            let clock = self.setup.core_clock(setting.threads)?;
            let search = Search::within(self.time).rule(clock.rule()).clock(clock);
            let found = search.compare(problem, &setting, recipe).map_err(Failure::failed)?;
            Ok(found.record)
        };
        // As any other user of it: what is not used is not run, and the default takes its place.
        let mut alone = Wisdom::default();
        alone.add(self.record.clone());
        let chosen = alone.choose(problem, &setting);
        self.outcome = Some(match chosen.refused {
            Some(why) => Outcome::Stale(why, Box::new(compare(&estimate)?)),
            None if chosen.recipe == estimate => Outcome::Default,
            None => Outcome::of(self.record, || compare(&chosen.recipe))?,
        });
        Ok(())
    }
}

fn print(checked: &[(&Record, Outcome)], all: usize, as_json: bool) -> Result<(), Failure> {
    let stale = checked.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Stale(..))).count();
    if as_json {
        let line = |(record, outcome): &(&Record, Outcome)| {
            let stale = matches!(outcome, Outcome::Stale(..));
            json!({"record": record, "stale": stale, "outcome": outcome.text(), "now": outcome.now()})
        };
        let checked: Vec<Value> = checked.iter().map(line).collect();
        return output::print(json!({"schema": 1, "records": all, "checked": checked}));
    }
    let mut lines = Vec::new();
    for (record, outcome) in checked {
        let Record { kernel, shape, .. } = record;
        lines.push(format!("{kernel}, {shape}: {}: {}", changes(record), outcome.text()));
    }
    lines.push(format!("{} of {all} record(s) for here checked, {stale} stale", checked.len()));
    output::print(lines.join("\n"))
}
