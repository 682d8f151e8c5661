//! What a session leaves behind: every sample, and the few questions worth asking of them.

use super::clock::TICK_S;
use super::stats::{CONFIDENCE, MIN_ROUNDS};
use super::{Error, Estimate, Lap, Stopwatch};
use serde::{Deserialize, Serialize};
use std::fmt;

/// All that was measured, as plain data: results are derived from it whenever they are asked
/// for, so a reader of the file can derive them too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// How it was timed.
    pub stopwatch: Stopwatch,
    /// The arms in the order given, then the controls.
    pub arms: Vec<Samples>,
    /// One entry a round, in the order of time.
    pub rounds: Vec<Round>,
}

/// The samples of one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Its name.
    pub name: String,
    /// The arm it is the second appearance of, if it is a control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_of: Option<String>,
    /// Calls in each timed batch.
    pub calls: usize,
    /// Seconds of untimed calls before the first round.
    pub warm_up_s: f64,
    /// Seconds per call, one number a round.
    pub seconds: Vec<f64>,
}

/// One turn of every arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Who came when: indices into [`Session::arms`].
    pub order: Vec<usize>,
    /// From the first batch to the last, with all that lies between.
    pub seconds: f64,
    /// Time the hypervisor gave to others meanwhile, in ticks of 10 ms; `None` if not told.
    pub steal_ticks: Option<u64>,
    /// Times a thread of ours had to leave its core meanwhile; `None` if not told.
    pub preemptions: Option<u64>,
    /// Seconds that threads of ours could have run and had no core, all together; `None` if not
    /// told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_s: Option<f64>,
    /// How much of a core each thread had as the round began ([`Clock::core_share`]).
    ///
    /// [`Clock::core_share`]: super::Clock::core_share
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_share: Option<f64>,
}

/// Which rounds are marked as disturbed: those in which more of the machine was taken away than
/// this. Marked rounds stay; results are there with and without them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rule {
    /// Stolen core time, as a share of the round's duration.
    pub steal_share: f64,
    /// Time that threads waited for a core, as a share of the round's duration.
    #[serde(default)]
    pub waited_share: f64,
    /// Where that is not told: involuntary context switches in a second of the round (the first is
    /// free: the system's own housekeeping).
    pub preemptions_per_s: f64,
    /// The least share of a core a thread should have had. A hypervisor may put two virtual cores
    /// on one real core for seconds, and nothing of it is counted as stolen.
    #[serde(default)]
    pub core_share: f64,
}

impl Default for Rule {
    /// 1 % of the time stolen, 2 % waited, by all threads together; 100 switches a second, which at
    /// about 10 us each is 0.1 % if the core comes straight back, and a third of the time if a busy
    /// neighbour has it for its slice. Only waiting tells those apart: of a library that hands over
    /// between two threads with every call there are 400 switches a second and 0.3 % of waiting while
    /// nobody disturbs it, and 50 % while a compiler runs.
    /// No least share of a core: what is usual depends on the machine, whose threads may share
    /// cores by design.
    fn default() -> Self {
        Rule { steal_share: 0.01, waited_share: 0.02, preemptions_per_s: 100.0, core_share: 0.0 }
    }
}

impl Rule {
    /// Whether `round` is to be marked.
    pub fn marks(&self, round: &Round) -> bool {
        let stolen = round.steal_ticks.unwrap_or(0) as f64 * TICK_S;
        let preempted = round.preemptions.unwrap_or(0).saturating_sub(1) as f64;
        let taken = match round.waited_s {
            Some(waited) => waited > self.waited_share * round.seconds,
            None => preempted > self.preemptions_per_s * round.seconds,
        };
        stolen > self.steal_share * round.seconds || taken || self.finds_crowded(round)
    }

    /// Whether a thread had too little of a core in `round`.
    pub fn finds_crowded(&self, round: &Round) -> bool {
        round.core_share.is_some_and(|share| share < self.core_share)
    }
}

/// What an interval says about a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The whole interval is above 1.
    Faster,
    /// The whole interval is below 1.
    Slower,
    /// The interval holds 1, or the rounds without disturbance say something else than all, or
    /// rounds were disturbed and too few others are left to say anything.
    NotResolved,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::NotResolved => "not resolved",
        })
    }
}

/// How many times as fast one arm is as another: the median over rounds, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    /// The middle of the per-round ratios.
    pub median: f64,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
    /// Rounds it rests on: all of them.
    pub rounds: usize,
    /// What that says.
    pub verdict: Verdict,
    /// The same without the marked rounds; `None` if none was marked or too few are left.
    pub quiet: Option<Estimate>,
}

impl Session {
    /// Seconds per call of `arm` over all rounds.
    ///
    /// # Errors
    /// [`Error::UnknownArm`].
    pub fn time(&self, arm: &str) -> Result<Estimate, Error> {
        let seconds = &self.arm(arm)?.seconds;
        Estimate::of(seconds, CONFIDENCE).ok_or(Error::TooFewRounds { rounds: seconds.len() })
    }

    /// How many times as fast `arm` is as `baseline`: seconds of the baseline over seconds of
    /// the arm, within each round. Above 1 the arm is faster.
    ///
    /// # Errors
    /// [`Error::UnknownArm`].
    pub fn ratio(&self, arm: &str, baseline: &str) -> Result<Ratio, Error> {
        self.ratio_at(CONFIDENCE, arm, baseline)
    }

    /// [`Session::ratio`] with an interval of another confidence than [`CONFIDENCE`]: of several
    /// sessions that may decide, each must be surer.
    ///
    /// # Errors
    /// As there.
    pub fn ratio_at(&self, confidence: f64, arm: &str, baseline: &str) -> Result<Ratio, Error> {
        let (arm, baseline) = (self.arm(arm)?, self.arm(baseline)?);
        let ratios: Vec<f64> =
            baseline.seconds.iter().zip(&arm.seconds).map(|(base, arm)| base / arm).collect();
        let all = Estimate::of_ratios(&ratios, confidence)
            .ok_or(Error::TooFewRounds { rounds: ratios.len() })?;
        let quiet: Vec<f64> = self.unmarked().map(|round| ratios[round]).collect();
        let without = || Estimate::of_ratios(&quiet, confidence);
        Ok(Ratio::new(all, (quiet.len() < all.rounds).then(without)))
    }

    /// The control's ratio to its arm: what this session makes of no difference at all.
    pub fn control(&self) -> Option<Ratio> {
        let control = self.arms.iter().find(|arm| arm.control_of.is_some())?;
        self.ratio(&control.name, control.control_of.as_deref()?).ok()
    }

    /// The relative difference up to which the control's interval reaches: claim nothing smaller.
    pub fn noise_floor(&self) -> Option<f64> {
        self.control().map(|ratio| ratio.hi.max(1.0 / ratio.lo) - 1.0)
    }

    /// This session without its marked rounds; `None` when too few are left for an interval.
    pub fn quiet(&self) -> Option<Session> {
        let keep: Vec<usize> = self.unmarked().collect();
        let samples = |arm: &Samples| Samples {
            seconds: keep.iter().map(|&round| arm.seconds[round]).collect(),
            ..arm.clone()
        };
        (keep.len() >= MIN_ROUNDS).then(|| Session {
            stopwatch: self.stopwatch,
            arms: self.arms.iter().map(samples).collect(),
            rounds: keep.iter().map(|&round| self.rounds[round].clone()).collect(),
        })
    }

    /// How many rounds the rule marks.
    pub fn marked(&self) -> usize {
        self.rounds.len() - self.unmarked().count()
    }

    /// How many rounds are marked because a thread had too little of a core.
    pub fn crowded(&self) -> usize {
        let rule = &self.stopwatch.rule;
        self.rounds.iter().filter(|round| rule.finds_crowded(round)).count()
    }

    /// Adds a round of arms in `order`, which the runner may know by other numbers.
    pub(super) fn push(&mut self, order: &[usize], lap: Lap) {
        for (&arm, seconds) in order.iter().zip(lap.seconds) {
            self.arms[arm].seconds.push(seconds);
        }
        self.rounds.push(Round { order: order.to_vec(), ..lap.round });
    }

    pub(super) fn unmarked(&self) -> impl Iterator<Item = usize> {
        let quiet = |&round: &usize| !self.stopwatch.rule.marks(&self.rounds[round]);
        (0..self.rounds.len()).filter(quiet)
    }

    fn arm(&self, name: &str) -> Result<&Samples, Error> {
        self.arms.iter().find(|arm| arm.name == name).ok_or_else(|| Error::UnknownArm {
            name: name.to_owned(),
            known: self.arms.iter().map(|arm| arm.name.clone()).collect(),
        })
    }
}

impl Ratio {
    /// A ratio over all rounds and, if any was marked, over the others: both must agree.
    /// `unmarked` is `None` if none was marked, and holds `None` if too few others are left for
    /// an interval: then nothing is resolved.
    pub fn new(all: Estimate, unmarked: Option<Option<Estimate>>) -> Self {
        let said = Verdict::of(&all);
        let agrees = |quiet: Option<Estimate>| quiet.is_some_and(|q| Verdict::of(&q) == said);
        let verdict = if unmarked.is_none_or(agrees) { said } else { Verdict::NotResolved };
        let quiet = unmarked.flatten();
        let Estimate { median, lo, hi, rounds } = all;
        Ratio { median, lo, hi, rounds, verdict, quiet }
    }
}

impl Verdict {
    fn of(ratio: &Estimate) -> Self {
        match ratio {
            Estimate { lo, .. } if *lo > 1.0 => Verdict::Faster,
            Estimate { hi, .. } if *hi < 1.0 => Verdict::Slower,
            _ => Verdict::NotResolved,
        }
    }
}
