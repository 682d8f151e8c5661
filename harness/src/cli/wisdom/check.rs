//! `tilewise wisdom check`: some records measured again. One that holds no more is demoted: the
//! default takes its place, as a later revision, so that the old one does not come back when files
//! are merged.

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
use tilewise_tuner::wisdom::{Record, Verdict, Wisdom};

pub(super) fn run(common: &Common, args: &Check) -> Result<(), Failure> {
    let setup = Setup::new(common, false)?;
    if args.sample == 0 {
        return Err(Failure::usage("--sample 0: expected 1 or more"));
    }
    let mut records = records_of_here(&setup);
    records.shuffle(&mut Pcg64::seed_from_u64(common.seed));
    let all = records.len();
    records.truncate(args.sample);
    let mut checked = Vec::new();
    for record in &records {
        let mut again = Again { setup: &setup, record, time: args.budget.budget, found: None };
        let Some(result) = problem::recorded(record, &setup, &mut again) else { continue };
        let outcome = match (result, again.found) {
            (Ok(()), Some(found)) => Outcome::of(record, found),
            (Err(Failure::Usage(why) | Failure::Failed(why)), _) => Outcome::Unmeasured(why),
            _ => continue,
        };
        checked.push((record, outcome));
    }
    let mut demoted = Wisdom::default();
    for (_, outcome) in &checked {
        if let Outcome::Stale(instead) = outcome {
            demoted.add((**instead).clone());
        }
    }
    if let (Some(file), false) = (&setup.wisdom_file, demoted.records().is_empty()) {
        demoted.save(file).map_err(Failure::failed)?;
    }
    print(&checked, all, common.json)
}

/// What became of a record.
enum Outcome {
    /// It is as fast as it was said to be, or not surely slower.
    Holds(f64, f64, f64),
    /// It is not, and this is to take its place.
    Stale(Box<Record>),
    /// It could not be measured.
    Unmeasured(String),
}

impl Outcome {
    /// Whether a record holds, by what was found now. Of one that says "faster", the interval must
    /// reach what it claims to be more than at least; a default that is stored holds as it is.
    fn of(record: &Record, found: Record) -> Outcome {
        let now = &found.evidence;
        let claims = record.evidence.verdict == Verdict::Faster;
        if claims && now.hi < record.evidence.lo {
            let revision = record.revision.saturating_add(1);
            return Outcome::Stale(Box::new(Record { revision, ..found }));
        }
        Outcome::Holds(now.ratio, now.lo, now.hi)
    }

    fn text(&self) -> String {
        match self {
            Outcome::Holds(ratio, lo, hi) => format!("holds: now {ratio:.3}x [{lo:.3}, {hi:.3}]"),
            Outcome::Stale(instead) => format!("stale: now {}", evidence(instead)),
            Outcome::Unmeasured(why) => format!("not measured: {why}"),
        }
    }
}

/// Records that could be used here, for whatever number of threads, by these instructions.
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
    found: Option<Record>,
}

impl Task for Again<'_> {
    fn run<P: Tunable>(&mut self, problem: &P) -> Result<(), Failure> {
        let setting = self.setup.setting();
        if self.record.surface != P::SURFACE {
            return Err(Failure::failed("it is of another version of the kernel"));
        }
        // As any other user of it: what the kernel refuses is not run.
        let recipe: P::Recipe =
            serde_json::from_value(self.record.recipe.clone()).map_err(Failure::failed)?;
        problem.check(setting.isa, &recipe).map_err(Failure::failed)?;
        let clock = self.setup.core_clock(setting.threads)?;
        let search = Search::within(self.time).rule(clock.rule()).clock(clock);
        let found = search.compare(problem, &setting, &recipe).map_err(Failure::failed)?;
        self.found = Some(found.record);
        Ok(())
    }
}

fn print(checked: &[(&Record, Outcome)], all: usize, as_json: bool) -> Result<(), Failure> {
    let stale = checked.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Stale(_))).count();
    if as_json {
        let line = |(record, outcome): &(&Record, Outcome)| {
            let stale = matches!(outcome, Outcome::Stale(_));
            json!({"record": record, "stale": stale, "outcome": outcome.text()})
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
