//! One cell: everybody's result is checked, those who were right take turns, and what came out is
//! written down, whoever won.

use super::entrant::{Batch, Entrant, Facts, Numbers, OURS};
use super::ledger::LedgerClock;
use super::record::{Absent, Cell, Entry};
use crate::interrupt;
use crate::report::model::RawSession;
use crate::workload::{Check, Task};
use tilewise_tuner::measure::{self, Arm, Estimate, Session, Stopwatch};

/// What is to be done, and how it is judged.
pub struct Contest<'a> {
    /// Unique within the run.
    pub id: String,
    /// What is done.
    pub task: Task,
    /// Threads everybody has.
    pub threads: usize,
    /// How it is timed.
    pub watch: Stopwatch,
    /// Holds a result against the reference.
    pub judge: &'a dyn Fn(&Numbers) -> Check,
}

/// A cell without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// We gave a wrong result ourselves: a bug, and no time is printed.
    #[error("{id}: our own result is wrong: {reason}")]
    Ours {
        /// The cell.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The bench is to end.
    #[error("{id}: interrupted")]
    Interrupted {
        /// The cell.
        id: String,
    },
    /// A session without a result.
    #[error("{id}: {source}")]
    Session {
        /// The cell.
        id: String,
        /// What the stopwatch said.
        #[source]
        source: measure::Error,
    },
}

/// Somebody whose result was right.
struct Checked<'e> {
    entrant: Box<dyn Entrant + 'e>,
    check: Check,
}

impl Contest<'_> {
    /// Measures `entrants`, ourselves among them under the name [`OURS`]. Those who are wrong, or
    /// fail under way, are noted in `absent`.
    ///
    /// # Errors
    /// [`Error`].
    pub fn measure<'e>(
        self,
        entrants: Vec<Box<dyn Entrant + 'e>>,
        mut absent: Vec<Absent>,
    ) -> Result<(Cell, RawSession), Error> {
        let mut checked = Vec::new();
        for mut entrant in entrants {
            match self.check(&mut *entrant) {
                Ok(check) => checked.push(Checked { entrant, check }),
                Err(reason) if entrant.facts().name == OURS => {
                    return Err(Error::Ours { id: self.id, reason });
                }
                Err(reason) => absent.push(Absent { name: entrant.facts().name.clone(), reason }),
            }
        }
        loop {
            let clock = LedgerClock::new();
            let arms = checked.iter_mut().map(|each| arm(each, &clock)).collect();
            match self.watch.measure_by(&clock, arms) {
                // Workers may have been ended with it, and their cell is not what it was to be.
                _ if interrupt::caught() => return Err(Error::Interrupted { id: self.id }),
                Ok(session) => return self.conclude(checked, absent, session),
                // The others did nothing wrong: once more without whoever stopped.
                Err(measure::Error::Stopped { arm, reason }) if arm != OURS => {
                    checked.retain(|each| each.entrant.facts().name != arm);
                    absent.push(Absent { name: arm, reason });
                }
                Err(source) => return Err(Error::Session { id: self.id, source }),
            }
        }
    }

    fn check(&self, entrant: &mut dyn Entrant) -> Result<Check, String> {
        let check = (self.judge)(&entrant.result()?);
        if check.passed() {
            return Ok(check);
        }
        let Check { max_error, tolerance, .. } = check;
        Err(format!("a wrong result: largest error {max_error:e}, allowed {tolerance:e}"))
    }

    fn conclude(
        self,
        checked: Vec<Checked<'_>>,
        absent: Vec<Absent>,
        session: Session,
    ) -> Result<(Cell, RawSession), Error> {
        let failed = |source| Error::Session { id: self.id.clone(), source };
        let mut entries = Vec::new();
        for Checked { entrant, check } in checked {
            let facts: Facts = entrant.facts().clone();
            let time = session.time(&facts.name).map_err(failed)?;
            let is_ours = facts.name == OURS;
            let factor = (!is_ours).then(|| session.ratio(OURS, &facts.name)).transpose();
            let factor = factor.map_err(failed)?;
            entries.push(Entry { facts, check, time, rate: self.rate(&time), factor });
        }
        let cell = Cell {
            id: self.id.clone(),
            task: self.task,
            threads: self.threads,
            entries,
            absent,
            rounds: session.rounds.len(),
            marked: session.marked(),
            control: session.control(),
        };
        Ok((cell, RawSession { id: self.id, session }))
    }

    /// Work a second; the slow end of the time is the low end of the rate.
    fn rate(&self, time: &Estimate) -> Estimate {
        let rate = |seconds: f64| self.task.amount.work / seconds / 1e9;
        let [median, lo, hi] = [time.median, time.hi, time.lo].map(rate);
        Estimate { median, lo, hi, rounds: time.rounds }
    }
}

/// Ready to be timed; we are our own control.
fn arm<'c>(checked: &'c mut Checked<'_>, clock: &'c LedgerClock) -> Arm<'c> {
    let name = checked.entrant.facts().name.clone();
    let is_ours = name == OURS;
    let arm = Arm::timing_itself(name, |calls| {
        if interrupt::caught() {
            return Err("interrupted".into());
        }
        let Batch { seconds, lost } = checked.entrant.batch(calls)?;
        clock.add(lost);
        Ok(seconds)
    });
    if is_ours { arm.with_control() } else { arm }
}
