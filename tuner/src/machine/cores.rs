//! How many cores there are, and how many of them this process may use.

use super::files::{Files, parse_list};
use super::{Reading, groups};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::thread::available_parallelism;

/// Logical cores, and what limits us to fewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cores {
    /// Logical cores the system has.
    pub present: Reading<usize>,
    /// Logical cores the scheduler may put this process on (its affinity mask).
    pub affinity: Reading<usize>,
    /// Core time the control group may use.
    pub quota: Reading<Quota>,
    /// Physical cores behind those of the affinity mask. Hypervisors may hide that two are one;
    /// the ratio of two-thread to one-thread speed in a report is the truth.
    pub physical: Reading<usize>,
    /// Logical cores that share one physical core.
    pub threads_per_core: Reading<usize>,
    /// Memory nodes.
    pub numa_nodes: Reading<usize>,
    /// How many threads to use at most: the affinity mask within the quota.
    pub allowed: usize,
}

/// What a control group allows: that many cores' worth of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Cores' worth of time, possibly a fraction; `None` without a limit.
    pub cores: Option<f64>,
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cores {
            Some(cores) => write!(f, "{cores} cores"),
            None => f.write_str("none"),
        }
    }
}

impl Cores {
    pub(super) fn read(files: &Files) -> Cores {
        let present = files.parse("sys/devices/system/cpu/present", count);
        let mask = files.parse("proc/thread-self/status", allowed_list);
        let quota = quota(files);
        let siblings = mask.known().map_or(Vec::new(), |mask| siblings(files, mask));
        let topology = |value: Option<usize>| {
            let why = "/sys/devices/system/cpu/cpu*/topology does not say";
            value.map_or(Reading::unreadable(why), Reading::Known)
        };
        let affinity = mask.map(|mask| mask.len());
        let physical = siblings.iter().collect::<HashSet<_>>().len();
        Cores {
            allowed: allowed(&affinity, &quota),
            physical: topology((physical > 0).then_some(physical)),
            threads_per_core: topology(siblings.iter().map(Vec::len).max()),
            numa_nodes: files.parse("sys/devices/system/node/online", count),
            present,
            affinity,
            quota,
        }
    }
}

fn count(list: &str) -> Option<usize> {
    parse_list(list).map(|members| members.len()).filter(|&members| members > 0)
}

fn allowed_list(status: &str) -> Option<Vec<usize>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    parse_list(list).filter(|members| !members.is_empty())
}

/// For each of `cores`, who shares its physical core; none at all if any does not say.
fn siblings(files: &Files, cores: &[usize]) -> Vec<Vec<usize>> {
    let path =
        |core: usize| format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
    let list = |&core: &usize| files.parse(&path(core), parse_list).known().cloned();
    cores.iter().map(list).collect::<Option<_>>().unwrap_or_default()
}

/// The mask within the quota; where the system has no such files, what the standard library
/// makes of it.
fn allowed(affinity: &Reading<usize>, quota: &Reading<Quota>) -> usize {
    let quota = quota.known().and_then(|quota| quota.cores);
    // A part of a core is not worth a thread: it would be throttled while the others wait.
    let whole = quota.map_or(usize::MAX, |cores| (cores.floor() as usize).max(1));
    let mask = affinity.known().copied();
    mask.unwrap_or_else(|| available_parallelism().map_or(1, usize::from)).min(whole)
}

/// The tightest limit of the groups this process is in, up to their root.
fn quota(files: &Files) -> Reading<Quota> {
    groups::least(files, "cpu", |folder| limit(files, folder)).map(|cores| Quota { cores })
}

/// The limit one group sets, in cores.
fn limit(files: &Files, folder: &str) -> Option<f64> {
    let line = |name: &str| files.line(&format!("{folder}/{name}")).known().cloned();
    let (quota, period) = match line("cpu.max") {
        Some(both) => both.split_once(' ').map(|(q, p)| (q.to_owned(), p.to_owned()))?,
        None => (line("cpu.cfs_quota_us")?, line("cpu.cfs_period_us")?),
    };
    // "max" in version 2 and -1 in version 1 mean none.
    let (quota, period): (f64, f64) = (quota.parse().ok()?, period.parse().ok()?);
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn cores(files: &[(&str, &str)]) -> Cores {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
        }
        Cores::read(&Files::below(root.path()))
    }

    const FOUR: (&str, &str) = ("proc/thread-self/status", "Name:\tx\nCpus_allowed_list:\t0-3\n");

    #[test]
    fn the_second_version_of_control_groups_limits_from_any_level() {
        let found = cores(&[
            FOUR,
            ("proc/self/cgroup", "0::/outer/inner\n"),
            ("sys/fs/cgroup/outer/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n"),
        ]);
        assert_eq!(found.quota, Reading::Known(Quota { cores: Some(1.5) }));
        assert_eq!((found.affinity, found.allowed), (Reading::Known(4), 1));
    }

    #[test]
    fn the_first_version_limits_too() {
        let found = cores(&[
            FOUR,
            ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,cpuacct:/box\n3:cpuset:/box\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "300000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(found.quota, Reading::Known(Quota { cores: Some(3.0) }));
        assert_eq!(found.allowed, 3);
    }

    #[test]
    fn no_limit_is_not_the_same_as_not_knowing() {
        let found = cores(&[FOUR, ("proc/self/cgroup", "0::/\n")]);
        assert_eq!(found.quota, Reading::Known(Quota { cores: None }));
        assert_eq!(found.allowed, 4);
        let found = cores(&[]);
        assert!(found.quota.known().is_none() && found.affinity.known().is_none());
        assert!(found.allowed >= 1);
    }

    #[test]
    fn siblings_are_counted_among_the_cores_we_may_use() {
        let list = "sys/devices/system/cpu/cpu";
        let files: Vec<(String, &str)> = [(0, "0,4"), (1, "1,5"), (4, "0,4")]
            .map(|(core, text)| (format!("{list}{core}/topology/thread_siblings_list"), text))
            .into();
        let mut files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), *t)).collect();
        files.push(("proc/thread-self/status", "Cpus_allowed_list:\t0-1,4\n"));
        files.push(("sys/devices/system/cpu/present", "0-7\n"));
        files.push(("sys/devices/system/node/online", "0\n"));
        let found = cores(&files);
        assert_eq!(found.physical, Reading::Known(2));
        assert_eq!(found.threads_per_core, Reading::Known(2));
        assert_eq!((found.present, found.numa_nodes), (Reading::Known(8), Reading::Known(1)));
    }
}
