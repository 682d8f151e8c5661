//! A machine as wisdom knows it: who it is, and under what circumstances it was measured.

use super::Machine;
use serde::{Deserialize, Serialize};
use std::fmt;
use tilewise::Isa;
use tilewise::cache::CacheSizes;

/// Who a machine is, as far as that decides which recipe is best. Another one's recipes are worth
/// trying and never used unmeasured: elsewhere they may be 20 times as slow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Vendor, family, model, stepping: [`Machine::slug`].
    pub cpu: String,
    /// The instruction set the kernel used.
    pub isa: Isa,
    /// Vector features the CPU has.
    pub features: Vec<String>,
    /// First-level data cache of a core in bytes.
    pub l1d: usize,
    /// Second-level cache of a core in bytes.
    pub l2: usize,
    /// Last-level cache in bytes.
    pub l3: usize,
}

/// What the machine let us have. With fewer cores another split of the work is best, so a recipe
/// is used where all of this is equal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Context {
    /// The most threads the kernel was allowed: the cores, and the caller's wish.
    pub threads: usize,
    /// Cores the process may use: the affinity mask within the quota.
    pub cores: usize,
    /// Core time the control group grants, in cores; `None` without a limit.
    pub quota: Option<f64>,
    /// Logical cores that share a physical one; `None` where that cannot be read.
    pub threads_per_core: Option<usize>,
    /// Whose threads they are.
    pub team: TeamKind,
}

/// Who runs the parts of a kernel's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TeamKind {
    /// Threads that spin while they wait: entering costs under a microsecond.
    Spin,
    /// A rayon pool: entering costs tens of microseconds.
    Rayon,
}

impl Machine {
    /// What of this machine decides whether a recipe found on it holds elsewhere.
    pub fn identity(&self, isa: Isa) -> Identity {
        let CacheSizes { l1d, l2, l3, .. } = self.caches;
        Identity { cpu: self.slug(), isa, features: self.features.clone(), l1d, l2, l3 }
    }

    /// The circumstances in which at most so many threads run on this machine.
    pub fn context(&self, threads: usize) -> Context {
        Context {
            threads,
            cores: self.cores.allowed,
            quota: self.cores.quota.known().and_then(|quota| quota.cores),
            threads_per_core: self.cores.threads_per_core.known().copied(),
            team: TeamKind::Spin,
        }
    }
}

impl Identity {
    /// What differs, as `field: there, here`; empty between equals.
    pub fn differences(&self, here: &Identity) -> Vec<String> {
        let mut found = Vec::new();
        differ(&mut found, "CPU", &self.cpu, &here.cpu);
        differ(&mut found, "instruction set", &self.isa, &here.isa);
        differ(&mut found, "features", &self.features.join(" "), &here.features.join(" "));
        let caches = [("L1", self.l1d, here.l1d), ("L2", self.l2, here.l2)];
        for (name, there, here) in caches.into_iter().chain([("L3", self.l3, here.l3)]) {
            differ(&mut found, name, &there, &here);
        }
        found
    }
}

impl Context {
    /// What differs, as `field: there, here`; empty between equals.
    pub fn differences(&self, here: &Context) -> Vec<String> {
        let or_none = |number: Option<f64>| number.map_or("none".into(), |n| n.to_string());
        let mut found = Vec::new();
        differ(&mut found, "threads allowed", &self.threads, &here.threads);
        differ(&mut found, "cores", &self.cores, &here.cores);
        differ(&mut found, "quota", &or_none(self.quota), &or_none(here.quota));
        let smt = |context: &Context| or_none(context.threads_per_core.map(|n| n as f64));
        differ(&mut found, "threads per core", &smt(self), &smt(here));
        differ(&mut found, "team", &self.team, &here.team);
        found
    }
}

fn differ<T: PartialEq + fmt::Display>(found: &mut Vec<String>, name: &str, there: &T, here: &T) {
    if there != here {
        found.push(format!("{name}: {there} there, {here} here"));
    }
}

impl fmt::Display for TeamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TeamKind::Spin => "spin",
            TeamKind::Rayon => "rayon",
        })
    }
}
