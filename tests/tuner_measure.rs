//! The stopwatch, by a clock that tests turn: what it finds, how often it is wrong, what it times.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::cell::{Cell, RefCell};
use std::hint::black_box;
use std::time::Duration;
use tilewise_tuner::measure::stats::{CONFIDENCE, Estimate, MIN_ROUNDS};
use tilewise_tuner::measure::{Arm, Clock, Counters, Error, Lost, Session, Stopwatch, Verdict};

/// A machine on which time passes only when an arm says so, with weather: a load that comes and
/// goes and shifts everybody's speed by a fifth, skewed noise on each call, and rare calls that
/// take ten times as long.
struct Machine {
    now: Cell<f64>,
    stolen: Cell<u64>,
    preempted: Cell<u64>,
    /// Nanoseconds, if the system tells.
    waited: Cell<Option<u64>>,
    random: RefCell<Pcg64>,
}

impl Machine {
    fn new(seed: u64) -> Self {
        Machine {
            now: Cell::new(0.0),
            stolen: Cell::new(0),
            preempted: Cell::new(0),
            waited: Cell::new(None),
            random: RefCell::new(Pcg64::seed_from_u64(seed)),
        }
    }

    fn pass(&self, seconds: f64) {
        self.now.set(self.now.get() + seconds);
    }

    /// A call that would take `seconds` in good weather.
    fn call(&self, seconds: f64) {
        let mut random = self.random.borrow_mut();
        let load = 1.0 + 0.2 * (self.now.get() * 5.0).sin().abs();
        let noise = 1.0 - 0.02 * (1.0 - random.random::<f64>()).ln();
        let spike = if random.random_bool(0.002) { 10.0 } else { 1.0 };
        self.pass(seconds * load * noise * spike);
    }

    /// An arm whose calls take `seconds`.
    fn arm(&self, name: &str, seconds: f64) -> Arm<'_> {
        Arm::new(name, move || self.call(seconds))
    }
}

impl Clock for Machine {
    fn now(&self) -> f64 {
        self.now.get()
    }

    fn counters(&self) -> Counters {
        let lost = Lost { preemptions: Some(self.preempted.get()), waited_ns: self.waited.get() };
        Counters { steal_ticks: Some(self.stolen.get()), lost }
    }
}

fn seconds(seconds: f64) -> Stopwatch {
    Stopwatch::within(Duration::from_secs_f64(seconds))
}

#[test]
fn intervals_hold_the_median_as_often_as_they_promise() {
    let mut random = Pcg64::seed_from_u64(1);
    for rounds in [6, 7, 12, 30, 61] {
        let trials = 4000;
        let held = (0..trials).filter(|_| {
            // Exponential: skewed, median ln 2.
            let samples: Vec<f64> =
                (0..rounds).map(|_| -(1.0 - random.random::<f64>()).ln()).collect();
            let estimate = Estimate::of(&samples, CONFIDENCE).unwrap();
            (estimate.lo..=estimate.hi).contains(&std::f64::consts::LN_2)
        });
        // Four standard errors of a proportion of 0.95 over 4000 trials are 0.014.
        let coverage = held.count() as f64 / f64::from(trials);
        assert!(coverage > CONFIDENCE - 0.014, "{rounds} rounds: {coverage}");
    }
}

#[test]
fn a_planted_slowdown_of_three_percent_is_found() {
    let sessions = 100;
    let found = (0..sessions).filter(|&seed| {
        let machine = Machine::new(seed);
        let arms = vec![machine.arm("plain", 50e-6), machine.arm("slower", 51.5e-6)];
        let session = seconds(0.3).measure_by(&machine, arms).unwrap();
        let ratio = session.ratio("slower", "plain").unwrap();
        assert_ne!(ratio.verdict, Verdict::Faster, "seed {seed}: {ratio:?}");
        ratio.verdict == Verdict::Slower
    });
    assert!(found.count() >= 90);
}

#[test]
fn no_difference_is_seldom_taken_for_one() {
    let sessions = 600;
    let wrong = (0..sessions).filter(|&seed| {
        let machine = Machine::new(1000 + seed);
        let arms = vec![machine.arm("plain", 100e-6).with_control()];
        let session = seconds(0.1).measure_by(&machine, arms).unwrap();
        session.control().unwrap().verdict != Verdict::NotResolved
    });
    // 5 % of 600 are 30; three standard errors more are 46.
    assert!(wrong.count() <= 46);
}

#[test]
fn the_noise_floor_is_what_the_control_cannot_exclude() {
    let machine = Machine::new(7);
    let arms = vec![machine.arm("plain", 50e-6).with_control(), machine.arm("other", 60e-6)];
    let session = seconds(0.2).measure_by(&machine, arms).unwrap();
    let control = session.control().unwrap();
    let floor = session.noise_floor().unwrap();
    assert!(floor > 0.0 && floor < 0.1, "{floor}");
    assert!(control.hi <= 1.0 + floor && control.lo >= 1.0 / (1.0 + floor));
    assert_eq!(session.arms[2].control_of.as_deref(), Some("plain"));
    assert_eq!(session.arms[2].calls, session.arms[0].calls, "one batch size for both");
}

#[test]
fn arms_take_turns_in_every_place() {
    let machine = Machine::new(2);
    let arms = (1..=4).map(|i| machine.arm(&i.to_string(), 1e-4 * f64::from(i))).collect();
    let mut stopwatch = seconds(0.0);
    (stopwatch.min_rounds, stopwatch.max_rounds) = (8, 8);
    let session = stopwatch.measure_by(&machine, arms).unwrap();
    let place = |arm: usize, place: usize| {
        session.rounds.iter().filter(|round| round.order[place] == arm).count()
    };
    for (arm, samples) in session.arms.iter().enumerate() {
        assert_eq!(samples.seconds.len(), 8);
        assert!((0..4).all(|p| place(arm, p) == 2), "{:?}", session.rounds);
    }
}

#[test]
fn batches_last_as_long_as_asked_or_one_call() {
    let machine = Machine::new(3);
    let arms = [1e-7, 3e-5, 1.5e-3, 0.5].map(|s| machine.arm(&format!("{s:e}"), s)).into();
    let session = seconds(1.0).measure_by(&machine, arms).unwrap();
    for arm in &session.arms[..3] {
        let batch = session.time(&arm.name).unwrap().median * arm.calls as f64;
        assert!((1e-3..4e-3).contains(&batch), "{}: {batch}", arm.name);
    }
    assert_eq!(session.arms[3].calls, 1);
    assert!(session.arms[3].warm_up_s < 1.5, "one long call is warm-up enough");
}

#[test]
fn a_slow_first_call_does_not_set_the_batch_size() {
    let machine = Machine::new(4);
    let first = Cell::new(true);
    let arm = Arm::new("touches its memory first", || {
        machine.pass(if first.replace(false) { 15e-3 } else { 10e-6 });
    });
    let session = seconds(0.1).measure_by(&machine, vec![arm]).unwrap();
    assert!((100..400).contains(&session.arms[0].calls), "{}", session.arms[0].calls);
}

#[test]
fn a_hook_runs_before_each_timed_call_outside_the_clock() {
    let machine = Machine::new(5);
    let (flushed, dirty_calls) = (Cell::new(false), Cell::new(0));
    let cold = Arm::new("cold", || {
        dirty_calls.set(dirty_calls.get() + u32::from(!flushed.replace(false)));
        machine.pass(1e-5);
    });
    let cold = cold.before(|| {
        flushed.set(true);
        machine.pass(1.0);
    });
    let session = seconds(1.0).measure_by(&machine, vec![cold]).unwrap();
    assert_eq!((session.arms[0].calls, dirty_calls.get()), (1, 0));
    assert!(session.arms[0].seconds.iter().all(|&s| (s - 1e-5).abs() < 1e-9));
}

#[test]
fn rounds_stop_with_the_budget_but_never_too_early() {
    let run = |budget, cost| {
        let machine = Machine::new(6);
        seconds(budget).measure_by(&machine, vec![machine.arm("a", cost)]).unwrap().rounds.len()
    };
    assert_eq!(run(0.0, 1.0), MIN_ROUNDS);
    assert!((15..30).contains(&run(30.0, 1.0)), "about the budget's worth");
    assert_eq!(run(1000.0, 1e-3), 60, "more would not help");
}

/// Two arms of which the second is faster, except in the rounds `spoils` names, in which the
/// machine is taken away from it.
fn disturbed(spoils: impl Fn(usize) -> bool, disturb: impl Fn(&Machine)) -> Session {
    let machine = Machine::new(8);
    let calls = Cell::new(0);
    let faster = Arm::new("faster", || {
        // One call of warm-up, then one a round.
        if calls.get() > 0 && spoils(calls.get() - 1) {
            disturb(&machine);
            machine.pass(2.0);
        }
        calls.set(calls.get() + 1);
        machine.pass(0.9);
    });
    let plain = Arm::new("plain", || machine.pass(1.0));
    let mut stopwatch = seconds(0.0);
    (stopwatch.min_rounds, stopwatch.max_rounds) = (20, 20);
    stopwatch.measure_by(&machine, vec![plain, faster]).unwrap()
}

/// The same, but the disturbance of the first `marked` rounds falls on no arm.
fn disturbed_without_loss(marked: usize) -> Session {
    let mut session = disturbed(|_| false, |_| ());
    for round in session.rounds.iter_mut().take(marked) {
        round.steal_ticks = Some(100);
    }
    session
}

#[test]
fn disturbed_rounds_are_marked_and_kept() {
    let steal = |machine: &Machine| machine.stolen.set(machine.stolen.get() + 100);
    let session = disturbed(|round| round % 5 == 0, steal);
    assert_eq!((session.marked(), session.rounds.len()), (4, 20));
    let ratio = session.ratio("faster", "plain").unwrap();
    assert_eq!((ratio.verdict, ratio.rounds), (Verdict::Faster, 20), "a fifth moves no median");
    let quiet = session.quiet().unwrap();
    assert_eq!((quiet.marked(), quiet.rounds.len()), (0, 16));
    let alone = quiet.ratio("faster", "plain").unwrap();
    assert_eq!(ratio.quiet, Some(Estimate { rounds: 16, ..ratio.quiet.unwrap() }));
    assert_eq!((alone.median, alone.quiet), (ratio.quiet.unwrap().median, None));

    let preempt = |machine: &Machine| machine.preempted.set(machine.preempted.get() + 1000);
    assert_eq!(disturbed(|round| round % 5 == 0, preempt).marked(), 4);
    assert_eq!(disturbed(|round| round % 5 == 0, |_| ()).marked(), 0, "no sign, no mark");
}

#[test]
fn waiting_says_more_than_losing_a_core_often() {
    let waited = |machine: &Machine, ns: u64| {
        machine.waited.set(Some(machine.waited.get().unwrap_or(0) + ns));
        machine.preempted.set(machine.preempted.get() + 1000);
    };
    // The clock tells from the first disturbance on.
    let long = disturbed(|_| true, |machine| waited(machine, 1_000_000_000));
    assert_eq!(long.marked(), long.rounds.len());
    let short = disturbed(|_| true, |machine| waited(machine, 10));
    assert_eq!(short.marked(), 1, "all but the first, of which nothing is known but the switches");
}

#[test]
fn a_verdict_needs_both_with_and_without_the_marked_rounds() {
    let steal = |machine: &Machine| machine.stolen.set(machine.stolen.get() + 100);
    let session = disturbed(|round| round < 14, steal);
    let ratio = session.ratio("faster", "plain").unwrap();
    assert!(ratio.hi < 1.0 || ratio.median < 1.0, "all rounds say slower: {ratio:?}");
    assert!(ratio.quiet.unwrap().lo > 1.0, "the quiet ones say faster: {ratio:?}");
    assert_eq!(ratio.verdict, Verdict::NotResolved);
    let session = disturbed(|round| round < 15, steal);
    assert_eq!(session.quiet(), None, "five rounds give no interval");
    let harmless = disturbed_without_loss(15);
    let ratio = harmless.ratio("faster", "plain").unwrap();
    assert!(ratio.lo > 1.0 && ratio.quiet.is_none(), "all rounds say faster: {ratio:?}");
    assert_eq!(ratio.verdict, Verdict::NotResolved, "but five quiet ones cannot agree");
}

#[test]
fn the_file_holds_every_bit() {
    let machine = Machine::new(9);
    let arms = vec![machine.arm("a", 1e-3).with_control(), machine.arm("b", 1.1e-3)];
    let session = seconds(0.1).measure_by(&machine, arms).unwrap();
    let text = serde_json::to_string(&session).unwrap();
    assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
}

#[test]
fn sessions_without_a_result_are_refused() {
    let machine = Machine::new(10);
    let measure = |arms| seconds(0.1).measure_by(&machine, arms);
    assert_eq!(measure(vec![]), Err(Error::NoArms));
    let twins = vec![machine.arm("a", 1e-3), machine.arm("a", 1e-3)];
    assert_eq!(measure(twins), Err(Error::SameName { name: "a".into() }));
    let nothing = measure(vec![Arm::new("nothing", || ())]).unwrap_err();
    assert!(nothing.to_string().contains("took no time"), "{nothing}");

    let mut few = seconds(1.0);
    few.min_rounds = 5;
    let refused = few.measure_by(&machine, vec![machine.arm("a", 1e-3)]);
    assert_eq!(refused, Err(Error::TooFewRounds { rounds: 5 }));

    let session = measure(vec![machine.arm("a", 1e-3)]).unwrap();
    let unknown = session.ratio("a", "b").unwrap_err().to_string();
    assert!(unknown.contains("\"b\"") && unknown.contains("[\"a\"]"), "{unknown}");
}

#[test]
fn the_real_clock_times_real_work() {
    let numbers: Vec<u64> = (0..10_000).collect();
    let sum = || _ = black_box(black_box(&numbers).iter().sum::<u64>());
    let session = seconds(0.05).measure(vec![Arm::new("sum", sum).with_control()]).unwrap();
    assert!(session.time("sum").unwrap().lo > 0.0);
    assert!(session.rounds.iter().all(|round| round.seconds > 0.0));
}

#[test]
fn an_arm_that_times_itself_is_believed_and_may_fail() {
    let machine = Machine::new(3);
    let calls = Cell::new(0);
    let batch = |count: usize| {
        calls.set(calls.get() + count);
        // Most of what passes here is the way there and back, which is not its time.
        machine.pass(1e-3);
        Ok(2e-4 * count as f64)
    };
    let arms = vec![machine.arm("here", 4e-4), Arm::timing_itself("there", batch)];
    let session = seconds(1.0).measure_by(&machine, arms).unwrap();
    let ratio = session.ratio("there", "here").unwrap();
    assert!((1.9..2.6).contains(&ratio.median), "{ratio:?}");
    let timed: usize = session.arms[1].calls * session.rounds.len();
    assert!(calls.get() >= timed + session.rounds.len(), "a warm-up call ahead of each batch");

    let failing = |_| Err("the other side is gone".to_owned());
    let arms = vec![machine.arm("here", 4e-4), Arm::timing_itself("there", failing)];
    let error = seconds(1.0).measure_by(&machine, arms).unwrap_err();
    assert!(error.to_string().contains("the other side is gone"), "{error}");
}

#[test]
fn long_calls_are_warmed_up_only_if_asked() {
    for (warm_single, call_s, at_least) in [(false, 0.3, 1), (true, 0.3, 2), (false, 0.015, 2)] {
        let machine = Machine::new(5);
        let calls = Cell::new(0);
        let arm = Arm::new("long", || {
            calls.set(calls.get() + 1);
            machine.pass(call_s);
        });
        let mut watch = seconds(1.0);
        watch.warm_single = warm_single;
        let session = watch.measure_by(&machine, vec![arm]).unwrap();
        assert_eq!(session.arms[0].calls, 1);
        let rounds = session.rounds.len();
        assert!((at_least * rounds..=at_least * rounds + 2).contains(&calls.get()));
    }
}

#[test]
fn rounds_that_are_marked_are_made_up_for() {
    // The others alone would be too few for an interval.
    let rounds = |disturbed: usize| {
        let machine = Machine::new(5);
        let calls = Cell::new(0);
        let arm = Arm::new("work", || {
            machine.pass(1e-2);
            calls.set(calls.get() + 1);
            if (5..5 + disturbed).contains(&calls.get()) {
                machine.stolen.set(machine.stolen.get() + 1);
            }
        });
        let session = Stopwatch::within(Duration::ZERO).measure_by(&machine, vec![arm]).unwrap();
        (session.rounds.len(), session.marked())
    };
    let (undisturbed, none) = rounds(0);
    assert_eq!((undisturbed, none), (MIN_ROUNDS, 0));
    let (all, marked) = rounds(6);
    assert!(marked > 0 && all == MIN_ROUNDS + marked, "{all} rounds, {marked} of them marked");
    assert_eq!(rounds(1000).0, 2 * MIN_ROUNDS, "a storm does not end");
}
