//! Several copies of a model at once, each on cores of its own, with one set of weights.

use super::open::failure;
use crate::cli::failure::Failure;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tilewise::SpinTeam;
use tilewise_harness::bert::{Batch, Encoder, Room};
use tilewise_tuner::measure::stats::MIN_ROUNDS;

/// How long each copy runs beside the others once they are warm, at least.
const WINDOW: Duration = Duration::from_secs(3);

/// Passes of each copy before the clock starts.
const WARM_UP: usize = 2;

/// What the combination did.
pub(super) struct Combined {
    /// Passes of all copies in a second.
    pub(super) passes_per_s: f64,
    /// Seconds of each pass, sorted.
    pub(super) latencies: Vec<f64>,
}

/// The cores of each copy, of the first `most` that this process may use.
pub(super) fn cores(
    (instances, each): (usize, Option<usize>),
    most: usize,
) -> Result<Vec<Vec<usize>>, Failure> {
    let cores = usable(most);
    let all = cores.len();
    if instances == 0 || each == Some(0) {
        let name = if instances == 0 { "--instances" } else { "--cores-per-instance" };
        return Err(Failure::usage(format!("{name} 0: expected 1 or more")));
    }
    let each = match each {
        None if instances > all => {
            return Err(Failure::usage(format!(
                "--instances {instances}: expected at most {all}, the cores that may be used"
            )));
        }
        Some(each) if instances.saturating_mul(each) > all => {
            return Err(Failure::usage(format!(
                "--instances {instances} with --cores-per-instance {each}: expected no more than \
                 {all} cores in all"
            )));
        }
        given => given.unwrap_or(all / instances),
    };
    Ok(cores.chunks(each).take(instances).map(<[usize]>::to_vec).collect())
}

/// Runs a copy on each set of cores, until each has made as many passes as an interval needs.
pub(super) fn run(
    encoder: &Encoder,
    batch: &Batch,
    cores: &[Vec<usize>],
) -> Result<Combined, Failure> {
    let start = Barrier::new(cores.len());
    let outcomes = std::thread::scope(|scope| {
        let copies = cores.iter().map(|own| scope.spawn(|| copy(encoder, batch, own, &start)));
        let copies: Vec<_> = copies.collect();
        copies.into_iter().map(|copy| copy.join().expect("no copy panics")).collect::<Vec<_>>()
    });
    Ok(Combined::of(outcomes.into_iter().collect::<Result<_, _>>()?))
}

impl Combined {
    /// Of the seconds of each copy's passes.
    fn of(copies: Vec<Vec<f64>>) -> Combined {
        let rate = |own: &Vec<f64>| own.len() as f64 / own.iter().sum::<f64>();
        let passes_per_s = copies.iter().map(rate).sum();
        let mut latencies = copies.concat();
        latencies.sort_by(f64::total_cmp);
        Combined { passes_per_s, latencies }
    }
}

/// One copy, which starts with the others: the seconds of its passes.
fn copy(
    encoder: &Encoder,
    batch: &Batch,
    cores: &[usize],
    start: &Barrier,
) -> Result<Vec<f64>, Failure> {
    // Threads begin on the cores of the one that makes them, so the whole team is pinned.
    let pinned = pin(cores);
    let team = SpinTeam::new(cores.len()).map_err(Failure::failed);
    let mut room = Room::default();
    let warm = (0..WARM_UP).try_for_each(|_| {
        let team = team.as_ref().map_err(|_| Failure::failed("no team"))?;
        encoder.encode(batch, &mut room, team).map(|_| ()).map_err(failure)
    });
    // Nobody waits for a copy that failed.
    start.wait();
    pinned?;
    let team = team?;
    warm?;
    let (begin, mut seconds) = (Instant::now(), Vec::new());
    while !enough(begin.elapsed(), seconds.len()) {
        let pass = Instant::now();
        encoder.encode(batch, &mut room, &team).map_err(failure)?;
        seconds.push(pass.elapsed().as_secs_f64());
    }
    Ok(seconds)
}

/// Whether a copy may end after so many passes of its own. Those of others do not count for it: copies
/// run at once, so that what disturbs a pass disturbs those beside it.
fn enough(elapsed: Duration, passes: usize) -> bool {
    elapsed >= WINDOW && passes >= MIN_ROUNDS
}

#[cfg(target_os = "linux")]
fn usable(allowed: usize) -> Vec<usize> {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let known = sched_getaffinity(None)
        .map(|mask| (0..CpuSet::MAX_CPU).filter(|&core| mask.is_set(core)).take(allowed).collect());
    known.unwrap_or_else(|_| (0..allowed).collect())
}

#[cfg(not(target_os = "linux"))]
fn usable(allowed: usize) -> Vec<usize> {
    (0..allowed).collect()
}

#[cfg(target_os = "linux")]
fn pin(cores: &[usize]) -> Result<(), Failure> {
    use rustix::thread::{CpuSet, sched_setaffinity};
    let mut mask = CpuSet::new();
    cores.iter().for_each(|&core| mask.set(core));
    sched_setaffinity(None, &mask)
        .map_err(|error| Failure::failed(format!("cannot pin to cores {cores:?}: {error}")))
}

#[cfg(not(target_os = "linux"))]
fn pin(_cores: &[usize]) -> Result<(), Failure> {
    Err(Failure::failed("copies are pinned on Linux only; leave --instances out"))
}

#[cfg(test)]
mod tests {
    use super::{Combined, MIN_ROUNDS, WINDOW, cores, enough};

    /// However slow they are, there is an interval at the end.
    #[test]
    fn copies_go_on_until_each_has_enough_passes() {
        assert!(enough(WINDOW, MIN_ROUNDS));
        assert!(!enough(WINDOW / 2, 1000));
        assert!(!enough(10 * WINDOW, MIN_ROUNDS - 1));
    }

    #[test]
    fn cores_are_shared_out_or_refused_by_what_was_typed() {
        assert_eq!(cores((1, None), 1).expect("a core").len(), 1);
        assert!(cores((1, None), 1).is_ok_and(|cores| cores[0].len() == 1));
        for (given, words, not) in [
            ((2, None), "--instances 2: expected at most 1", "cores-per-instance"),
            ((1, Some(2)), "--instances 1 with --cores-per-instance 2", "0 cores"),
            ((0, None), "--instances 0", "cores-per-instance"),
            ((1, Some(0)), "--cores-per-instance 0", "--instances"),
        ] {
            let text = format!("{:?}", cores(given, 1).expect_err("one core"));
            assert!(text.contains(words) && !text.contains(not), "{text}");
        }
    }

    #[test]
    fn copies_add_up() {
        let Combined { passes_per_s, latencies } =
            Combined::of(vec![vec![0.5, 0.5], vec![0.25, 0.125, 0.375, 0.25]]);
        assert_eq!(passes_per_s, 2.0 + 4.0);
        assert_eq!(latencies, [0.125, 0.25, 0.25, 0.375, 0.5, 0.5]);
    }

    /// Copies share no core, and none of a copy's threads leaves its own.
    #[cfg(target_os = "linux")]
    #[test]
    fn copies_stay_on_cores_of_their_own() {
        use super::{pin, usable};
        use std::sync::Mutex;
        use tilewise::{SpinTeam, Team};
        let all = usable(usize::MAX);
        let each = cores((all.len(), Some(1)), all.len()).expect("a core each");
        assert_eq!(each.concat(), all);
        let last = all[all.len() - 1];
        let copy = std::thread::spawn(move || {
            pin(&[last]).expect("a core that may be used");
            let (team, seen) = (SpinTeam::new(2).expect("threads"), Mutex::new(Vec::new()));
            team.run(&|_| seen.lock().expect("no panic").push(usable(usize::MAX)));
            seen.into_inner().expect("no panic")
        });
        assert_eq!(copy.join().expect("no panic"), [[last], [last]]);
    }
}
