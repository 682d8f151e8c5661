//! Times batches of calls, arm by arm; knows nothing of what the numbers will mean.

use super::{Arm, Clock, Counters, Error, Round, Run, Samples, Stopwatch, control_name};
use std::collections::HashSet;

/// More calls than this in a batch, and still no time on the clock: there is nothing to time.
const MOST_CALLS: usize = 1 << 24;

/// A call shorter than so many batches is made once untimed ahead of its turn, alone in its batch
/// or not. If only batches of several calls were warmed up, arms of about a batch's length would be
/// treated by what their first calls happened to take: a stencil of 8 MiB, called once, was found
/// 11 % slower than the same called twice. Filling 32 MiB of cache anew takes 1 or 2 ms, which is
/// little of 20.
const SHORT: f64 = 10.0;

/// The arms of a session, warmed up and with their batch sizes found, ready to run rounds.
///
/// [`Stopwatch::measure`] is the usual way; a runner is for those who decide from round to round
/// which arms go on, as the search does.
pub struct Runner<'c, 'a> {
    stopwatch: Stopwatch,
    clock: &'c dyn Clock,
    arms: Vec<Arm<'a>>,
    turns: Vec<Turn>,
}

/// What takes its turn in a round: an arm, or an arm once more as its own control.
#[derive(Clone, Copy, Debug)]
struct Turn {
    arm: usize,
    control: bool,
    /// Calls in a batch.
    calls: usize,
    /// Whether an untimed call comes first.
    warmed: bool,
    /// Seconds spent on warming up and on finding `calls`.
    warm_up_s: f64,
}

/// The seconds of one round.
#[derive(Clone, Debug, PartialEq)]
pub struct Lap {
    /// Seconds per call, in the order of the round.
    pub seconds: Vec<f64>,
    /// What else there is to say about the round.
    pub round: Round,
}

impl<'c, 'a> Runner<'c, 'a> {
    /// Warms up every arm and finds out how many of its calls make a batch.
    ///
    /// # Errors
    /// [`Error::NoArms`], [`Error::SameName`], [`Error::TooFast`], [`Error::Stopped`].
    pub fn new(
        stopwatch: Stopwatch,
        clock: &'c dyn Clock,
        arms: Vec<Arm<'a>>,
    ) -> Result<Self, Error> {
        let mut runner = Runner { stopwatch, clock, arms, turns: Vec::new() };
        for arm in 0..runner.arms.len() {
            let turn = runner.prepare(arm)?;
            runner.turns.push(turn);
        }
        // Controls share their arm's batch size: a batch size of their own would be a difference.
        let again = runner.turns.iter().filter(|turn| runner.arms[turn.arm].control);
        let again: Vec<_> = again.map(|turn| Turn { control: true, ..*turn }).collect();
        runner.turns.extend(again);
        runner.check_names()?;
        Ok(runner)
    }

    /// How many take turns: the arms in the order given, then the controls.
    #[expect(clippy::len_without_is_empty, reason = "a runner without arms cannot be made")]
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Lets another arm in, behind all others, and finds out how many of its calls make a batch.
    ///
    /// # Errors
    /// Those of [`Runner::new`]; then the arm has not entered.
    pub fn enter(&mut self, arm: Arm<'a>) -> Result<usize, Error> {
        self.arms.push(arm);
        let arm = self.arms.len() - 1;
        let entered = self.prepare(arm).and_then(|turn| {
            self.turns.push(turn);
            self.check_names()
        });
        match entered {
            Ok(()) => Ok(self.turns.len() - 1),
            Err(error) => {
                self.arms.truncate(arm);
                self.turns.retain(|turn| turn.arm < arm);
                Err(error)
            }
        }
    }

    /// Sends all arms but the first so many away.
    pub fn keep(&mut self, arms: usize) {
        self.arms.truncate(arms);
        self.turns.retain(|turn| turn.arm < arms);
    }

    /// Times one batch each of those in `order`, one after the other.
    ///
    /// # Errors
    /// [`Error::TooFast`] for a batch that took no time, [`Error::Stopped`] for an arm that times
    /// itself and could not.
    ///
    /// # Panics
    /// When `order` names one that is not there.
    pub fn round(&mut self, order: &[usize]) -> Result<Lap, Error> {
        let core_share = self.clock.core_share();
        let counters = self.clock.counters();
        let start = self.clock.now();
        let mut seconds = Vec::with_capacity(order.len());
        for &turn in order {
            let Turn { arm, calls, warmed, .. } = self.turns[turn];
            if warmed {
                // The arm before this one has left its own data in the caches.
                self.calls(arm, 1)?;
            }
            seconds.push(self.batch(arm, calls)? / calls as f64);
        }
        let mut round =
            Round::new(order.to_vec(), self.clock.now() - start, counters, self.clock.counters());
        round.core_share = core_share;
        Ok(Lap { seconds, round })
    }

    /// Which of those who take turns are an arm of these names, or the control of one.
    pub(super) fn turns_of(&self, names: &[&str]) -> Vec<usize> {
        let is_one = |&turn: &usize| names.contains(&&*self.arms[self.turns[turn].arm].name);
        (0..self.turns.len()).filter(is_one).collect()
    }

    /// Those who take turns, without samples yet.
    pub fn samples(&self) -> Vec<Samples> {
        let samples = |turn: &Turn| Samples {
            name: self.name(turn),
            control_of: turn.control.then(|| self.arms[turn.arm].name.clone()),
            calls: turn.calls,
            warm_up_s: turn.warm_up_s,
            seconds: Vec::new(),
        };
        self.turns.iter().map(samples).collect()
    }

    fn name(&self, turn: &Turn) -> String {
        let name = &self.arms[turn.arm].name;
        if turn.control { control_name(name) } else { name.clone() }
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut seen = HashSet::new();
        match self.turns.iter().map(|turn| self.name(turn)).find(|name| !seen.insert(name.clone()))
        {
            Some(name) => Err(Error::SameName { name }),
            None if self.turns.is_empty() => Err(Error::NoArms),
            None => Ok(()),
        }
    }

    /// Warms an arm up and finds out how it is to be timed.
    fn prepare(&mut self, arm: usize) -> Result<Turn, Error> {
        let Stopwatch { batch_s, warm_single, .. } = self.stopwatch;
        let start = self.clock.now();
        let (calls, warmed) = if self.arms[arm].before.is_some() {
            self.batch(arm, 1)?;
            (1, false)
        } else {
            let (calls, call_s) = self.find_calls(arm)?;
            (calls, warm_single || call_s < SHORT * batch_s)
        };
        Ok(Turn { arm, control: false, calls, warmed, warm_up_s: self.clock.now() - start })
    }

    /// Calls the arm for at least the warm-up time, in batches that double until one is long
    /// enough to tell how many calls make the batch asked for. Gives that number and the seconds
    /// of a call.
    fn find_calls(&mut self, arm: usize) -> Result<(usize, f64), Error> {
        let Stopwatch { batch_s, warm_up_s, .. } = self.stopwatch;
        let start = self.clock.now();
        let mut calls = 1;
        loop {
            let took = self.untested_batch(arm, calls)?;
            let spent = self.clock.now() - start;
            // A first call may be slow because it touches its memory first: believe it only if
            // it is far longer than that.
            let believable = calls > 1 || spent > took || took >= 10.0 * warm_up_s.max(batch_s);
            if took >= batch_s / 2.0 {
                let call_s = took / calls as f64;
                calls = ((batch_s / call_s).round() as usize).max(1);
                if spent >= warm_up_s && believable {
                    return Ok((calls, call_s));
                }
            } else if calls >= MOST_CALLS {
                return Err(Error::TooFast { arm: self.arms[arm].name.clone(), calls });
            } else {
                calls *= 2;
            }
        }
    }

    /// Seconds for a batch, which must be some.
    fn batch(&mut self, arm: usize, calls: usize) -> Result<f64, Error> {
        let took = self.untested_batch(arm, calls)?;
        let arm = || self.arms[arm].name.clone();
        if took > 0.0 { Ok(took) } else { Err(Error::TooFast { arm: arm(), calls }) }
    }

    fn untested_batch(&mut self, arm: usize, calls: usize) -> Result<f64, Error> {
        if let Some(before) = &mut self.arms[arm].before {
            before();
        }
        self.calls(arm, calls)
    }

    /// Makes so many calls and says how long they took.
    fn calls(&mut self, arm: usize, calls: usize) -> Result<f64, Error> {
        let arm = &mut self.arms[arm];
        match &mut arm.run {
            Run::Call(call) => {
                let start = self.clock.now();
                for _ in 0..calls {
                    call();
                }
                Ok(self.clock.now() - start)
            }
            Run::Batch(batch) => {
                batch(calls).map_err(|reason| Error::Stopped { arm: arm.name.clone(), reason })
            }
        }
    }
}

impl Round {
    fn new(order: Vec<usize>, seconds: f64, before: Counters, after: Counters) -> Self {
        let stolen = after.steal_ticks.zip(before.steal_ticks);
        let lost = after.lost.since(&before.lost);
        Round {
            order,
            seconds,
            steal_ticks: stolen.map(|(after, before)| after.saturating_sub(before)),
            preemptions: lost.preemptions,
            waited_s: lost.waited_ns.map(|ns| ns as f64 * 1e-9),
            core_share: None,
        }
    }
}
