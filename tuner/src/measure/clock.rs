//! Where time and signs of disturbance come from: the machine, or a test.

use serde::Deserialize;
use std::fs;
use std::time::Instant;

/// Time, and counters of what else happened on the machine.
pub trait Clock {
    /// Seconds since some fixed moment; never goes backwards.
    fn now(&self) -> f64;

    /// Running totals of disturbances, read outside timed batches.
    fn counters(&self) -> Counters {
        Counters::default()
    }

    /// How much of a core each thread of a session has at this moment: 1 where all are as fast
    /// together as one is alone, a half where two share one. `None` if nobody has looked.
    fn core_share(&self) -> Option<f64> {
        None
    }
}

impl<C: Clock + ?Sized> Clock for &C {
    fn now(&self) -> f64 {
        (**self).now()
    }

    fn counters(&self) -> Counters {
        (**self).counters()
    }

    fn core_share(&self) -> Option<f64> {
        (**self).core_share()
    }
}

/// Running totals of what takes a core away from us. `None` where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Time the hypervisor gave to others, all cores together, in ticks of 10 ms.
    pub steal_ticks: Option<u64>,
    /// What this process lost to others.
    pub lost: Lost,
}

/// Running totals of what the threads of a process lost to others that ran on their cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Lost {
    /// Times the scheduler took a core from a thread that wanted to go on.
    pub preemptions: Option<u64>,
    /// Nanoseconds that threads could have run and had no core, all threads together.
    pub waited_ns: Option<u64>,
}

impl Lost {
    /// By the threads of a process that live now; nothing where the system does not tell.
    pub fn by(process: u32) -> Lost {
        Lost::of(&process.to_string())
    }

    fn of(process: &str) -> Lost {
        let of_tasks = |file: &str, parse: fn(&str) -> Option<u64>| {
            let mut total = 0;
            for task in fs::read_dir(format!("/proc/{process}/task")).ok()?.flatten() {
                // A thread may end between the listing and the reading; it then counts for nothing.
                match fs::read_to_string(task.path().join(file)) {
                    Ok(text) => total += parse(&text)?,
                    Err(_) if task.path().exists() => return None,
                    Err(_) => {}
                }
            }
            Some(total)
        };
        Lost {
            preemptions: of_tasks("status", parse_preemptions),
            waited_ns: of_tasks("schedstat", parse_waited),
        }
    }

    /// What came on since. Totals can shrink: a thread that ended takes its count along.
    pub fn since(&self, before: &Lost) -> Lost {
        let since = |after: Option<u64>, before: Option<u64>| {
            after.zip(before).map(|(after, before)| after.saturating_sub(before))
        };
        Lost {
            preemptions: since(self.preemptions, before.preemptions),
            waited_ns: since(self.waited_ns, before.waited_ns),
        }
    }

    /// This, but no more than another count of the same says, if it says anything.
    pub fn at_most(&self, other: &Lost) -> Lost {
        let least = |own: Option<u64>, other: Option<u64>| {
            own.map(|own| other.map_or(own, |other| own.min(other)))
        };
        Lost {
            preemptions: least(self.preemptions, other.preemptions),
            waited_ns: least(self.waited_ns, other.waited_ns),
        }
    }

    /// Both together; what either does not know, both do not.
    pub fn and(&self, more: &Lost) -> Lost {
        let and = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b);
        Lost {
            preemptions: and(self.preemptions, more.preemptions),
            waited_ns: and(self.waited_ns, more.waited_ns),
        }
    }
}

/// Seconds in a tick of `/proc/stat`: `USER_HZ`, which is 100 in every Linux binary interface.
pub(super) const TICK_S: f64 = 0.01;

/// The operating system's monotonic clock; on Linux with counters from `/proc`.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock that starts at zero.
    #[expect(clippy::new_without_default, reason = "a default that reads the clock would surprise")]
    pub fn new() -> Self {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    fn counters(&self) -> Counters {
        Counters { steal_ticks: steal_ticks(), lost: Lost::of("self") }
    }
}

/// Stolen ticks of all cores since the machine started.
pub(crate) fn steal_ticks() -> Option<u64> {
    parse_steal(&fs::read_to_string("/proc/stat").ok()?)
}

/// The eighth number after the label of the line that sums all cores.
fn parse_steal(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("cpu "))?.split_whitespace().nth(7)?.parse().ok()
}

/// The second number of a thread's `schedstat`.
fn parse_waited(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

fn parse_preemptions(status: &str) -> Option<u64> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_number_of_the_summed_line() {
        let stat = "cpu  1 2 3 4 5 6 7 88 9 10\ncpu0 1 1 1 1 1 1 1 44 1 1\n";
        assert_eq!(parse_steal(stat), Some(88));
        assert_eq!(parse_steal("cpu  1 2 3 4 5 6 7\n"), None, "kernels before 2.6.11");
        assert_eq!(parse_steal(""), None);
    }

    #[test]
    fn preemptions_are_the_involuntary_switches() {
        let status = "Threads:\t1\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7\n";
        assert_eq!(parse_preemptions(status), Some(7));
        assert_eq!(parse_preemptions("Threads:\t1\n"), None);
    }

    #[test]
    fn waiting_is_the_second_number() {
        assert_eq!(parse_waited("98887 3452302 2\n"), Some(3_452_302));
        assert_eq!(parse_waited(""), None);
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        let known = |n| Lost { preemptions: Some(n), waited_ns: Some(10 * n) };
        assert_eq!(known(7).since(&known(4)), known(3));
        assert_eq!(known(4).since(&known(7)), known(0));
        assert_eq!(known(4).and(&known(7)), known(11));
        let half = Lost { preemptions: Some(1), waited_ns: None };
        assert_eq!(known(4).and(&half), Lost { preemptions: Some(5), waited_ns: None });
        assert_eq!(half.since(&known(1)).waited_ns, None);
        assert_eq!(known(4).at_most(&known(7)), known(4));
        assert_eq!(known(4).at_most(&half), Lost { preemptions: Some(1), waited_ns: Some(40) });
        assert_eq!(half.at_most(&known(0)), Lost { preemptions: Some(0), waited_ns: None });
        assert_eq!(known(4).at_most(&Lost::default()), known(4));
    }
}
