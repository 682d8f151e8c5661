//! `tilewise wisdom check`: some records measured again. One that holds no more is demoted: what is
//! found now takes its place, as a later revision, so that the old one does not come back when files
//! are merged. That is final, so it takes two measurements, each with inputs of its own, enough rounds
//! and most of them undisturbed; when they differ, the record stays. What another process would find
//! may differ by more: to be sure, check again.

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::output;
use super::super::problem::{self, Task};
use super::super::setup::Setup;
use super::args::Check;
use super::changes;
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
    /// It is not, or cannot be followed, and this is to take its place.
    Stale(String, Box<Record>),
    /// Its recipe can be followed, but it is not used, for this reason: only a search can tell.
    Unused(String),
    /// It looks slower, and what was measured does not suffice to say so.
    Unresolved(&'static str, Evidence),
    /// It could not be measured.
    Unmeasured(String),
}

impl Outcome {
    /// Whether a record that says "faster" holds, by what is measured now, twice if need be: the
    /// interval must reach what it claims to be more than at least.
    fn of(
        record: &Record,
        mut measure: impl FnMut() -> Result<Record, Failure>,
    ) -> Result<Outcome, Failure> {
        let first = measure()?;
        if first.evidence.hi >= record.evidence.lo {
            return Ok(Outcome::Holds(first.evidence));
        }
        if let Some(why) = weakness(&first.evidence) {
            return Ok(Outcome::Unresolved(why, first.evidence));
        }
        let second = measure()?;
        if second.evidence.hi >= record.evidence.lo {
            return Ok(Outcome::Unresolved("measured twice, it held once", second.evidence));
        }
        if let Some(why) = weakness(&second.evidence) {
            return Ok(Outcome::Unresolved(why, second.evidence));
        }
        Ok(Outcome::Stale(now(&second.evidence), Box::new(second)))
    }

    fn text(&self) -> String {
        match self {
            Outcome::Holds(found) => format!("holds: {}", now(found)),
            Outcome::Default => "is today's default: nothing to measure".into(),
            Outcome::Stale(why, _) => format!("stale: {why}"),
            Outcome::Unused(why) => format!("not used: {why}; tune it again"),
            Outcome::Unresolved(why, found) => format!("not resolved, {why}: {}", now(found)),
            Outcome::Unmeasured(why) => format!("not measured: {why}"),
        }
    }

    /// What was measured last.
    fn now(&self) -> Option<&Evidence> {
        match self {
            Outcome::Holds(now) | Outcome::Unresolved(_, now) => Some(now),
            Outcome::Stale(_, instead) => Some(&instead.evidence),
            Outcome::Default | Outcome::Unused(_) | Outcome::Unmeasured(_) => None,
        }
    }
}

fn now(Evidence { ratio, lo, hi, .. }: &Evidence) -> String {
    format!("now {ratio:.3}x [{lo:.3}, {hi:.3}]")
}

/// Why what was measured may not speak against a record, if so.
fn weakness(found: &Evidence) -> Option<&'static str> {
    const ENOUGH: usize = 20;
    if found.rounds < ENOUGH {
        return Some("too few rounds, give more --budget");
    }
    (found.marked * 2 > found.rounds).then_some("the machine was too busy")
}

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
        // As any other user of it: what is not used is not run. What nobody could follow, the default
        // takes the place of.
        let mut alone = Wisdom::default();
        alone.add(self.record.clone());
        let chosen = alone.choose(problem, &setting);
        let followed = serde_json::from_value(self.record.recipe.clone())
            .is_ok_and(|recipe| problem.check(setting.isa, &recipe).is_ok());
        self.outcome = Some(match chosen.refused {
            Some(why) if followed => Outcome::Unused(why),
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

#[cfg(test)]
mod tests {
    use super::*;
    use tilewise::gemm::Shape;
    use tilewise_tuner::machine::Machine;
    use tilewise_tuner::problem::Setting;

    /// A record of some ratio, its interval, rounds and how many of them were disturbed.
    fn record(ratio: f64, rounds: usize, marked: usize) -> Record {
        let machine = Machine::read();
        let search = Search::within(Duration::from_millis(1));
        let shape = Shape { m: 4, n: 16, k: 8 };
        let mut record = search.tune(&shape, &Setting::best(&machine)).expect("a result").record;
        let evidence = &mut record.evidence;
        (evidence.verdict, evidence.rounds, evidence.marked) = (Verdict::Faster, rounds, marked);
        (evidence.lo, evidence.ratio, evidence.hi) = (ratio - 0.01, ratio, ratio + 0.01);
        record
    }

    #[test]
    fn two_good_measurements_speak_against_a_record_and_nothing_less() {
        let held = record(1.2, 60, 0);
        let outcome = |found: [(f64, usize, usize); 2]| {
            let mut found = found.into_iter();
            let next = || {
                let (ratio, rounds, marked) = found.next().expect("two at most");
                Ok(record(ratio, rounds, marked))
            };
            Outcome::of(&held, next).unwrap_or_else(|_| panic!("measured")).text()
        };
        let low = (1.1, 60, 0);
        assert!(outcome([(1.19, 60, 0), low]).starts_with("holds: now 1.190x"));
        assert!(outcome([low, low]).starts_with("stale: now 1.100x"));
        assert!(outcome([low, (1.21, 60, 0)]).contains("it held once: now 1.210x"));
        for weak in [(1.1, 19, 0), (1.1, 60, 31)] {
            assert!(outcome([weak, low]).starts_with("not resolved"), "{weak:?}");
            assert!(outcome([low, weak]).starts_with("not resolved"), "{weak:?}");
        }
    }
}
