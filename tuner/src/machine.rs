//! Who this machine is, as far as it lets itself be read: never typed in, never guessed.
//!
//! Two uses: reports print all of it, so that a reader knows what a number was measured on; and
//! wisdom keeps the part that decides which recipe is best ([`Identity`], [`Context`]). What could not be
//! read says why. The host's name is nobody's business and is not here.

mod caches;
mod cores;
mod cpu;
mod files;
mod groups;
mod key;
mod memory;
mod reading;

pub use cores::{Cores, Quota};
pub use cpu::Cpu;
pub use key::{Context, Identity, TeamKind};
pub use reading::Reading;

use cpu::{features, hypervisor};
use files::Files;
use serde::{Deserialize, Serialize};
use tilewise::Isa;
use tilewise::cache::CacheSizes;

/// A machine's fingerprint: plain data, no host name.
///
/// ```
/// let machine = tilewise_tuner::machine::Machine::read();
/// println!("{}: {} cores allowed, governor {}", machine.slug(), machine.cores.allowed, machine.governor);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The processor's own name for itself.
    pub cpu: Reading<Cpu>,
    /// The target architecture this program was compiled for.
    pub arch: String,
    /// Those of the CPU's vector features that tilewise has code for or asks about.
    pub features: Vec<String>,
    /// Instruction sets of tilewise this CPU can run, slowest first.
    pub isas: Vec<Isa>,
    /// The one used unless another is asked for.
    pub best_isa: Isa,
    /// Cache sizes of a core, and where they were read.
    pub caches: CacheSizes,
    /// Cores: how many there are and how many we may use.
    pub cores: Cores,
    /// The hypervisor this machine runs under, `None` on bare metal.
    pub hypervisor: Reading<Option<String>>,
    /// The frequency governor of the first core.
    pub governor: Reading<String>,
    /// Whether cores may exceed their base frequency.
    pub turbo: Reading<bool>,
    /// The transparent huge page setting: always, madvise or never.
    pub huge_pages: Reading<String>,
    /// Share of all core time since the machine started that the hypervisor gave to others.
    pub steal_share: Reading<f64>,
    /// Main memory in bytes.
    pub memory_bytes: Reading<u64>,
    /// Bytes this process may still take: what the system has free, within the limits of its
    /// control groups.
    pub memory_available: Reading<u64>,
    /// The operating system.
    pub system: String,
    /// The version of its kernel.
    pub kernel: Reading<String>,
}

impl Machine {
    /// Reads this machine. Takes a few hundred microseconds; never fails.
    pub fn read() -> Machine {
        Self::read_from(&Files::system())
    }

    fn read_from(files: &Files) -> Machine {
        Machine {
            cpu: Cpu::read(),
            arch: std::env::consts::ARCH.to_owned(),
            features: features(),
            isas: Isa::available().collect(),
            best_isa: Isa::best(),
            caches: caches::read(files),
            cores: Cores::read(files),
            hypervisor: hypervisor(),
            governor: files.line("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            turbo: turbo(files),
            huge_pages: chosen(files.line("sys/kernel/mm/transparent_hugepage/enabled")),
            steal_share: files.parse("proc/stat", steal_share),
            memory_bytes: memory::total(files),
            memory_available: memory::available(files),
            system: std::env::consts::OS.to_owned(),
            kernel: files.line("proc/sys/kernel/osrelease"),
        }
    }

    /// A short name for folders of results: vendor, family, model and stepping, as in
    /// `amd-26-2-1`; the architecture where the CPU does not say.
    pub fn slug(&self) -> String {
        match self.cpu.known() {
            Some(cpu) => {
                let Cpu { family, model, stepping, .. } = cpu;
                format!("{}-{family}-{model}-{stepping}", cpu.short_vendor())
            }
            None => format!("{}-unknown", self.arch),
        }
    }
}

/// The word in brackets, as in `always [madvise] never`.
fn chosen(setting: Reading<String>) -> Reading<String> {
    setting.map(|line| {
        let inside = line.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        inside.map_or(line.clone(), |(word, _)| word.to_owned())
    })
}

/// Either of the two switches Linux has for it.
fn turbo(files: &Files) -> Reading<bool> {
    let boost = files.line("sys/devices/system/cpu/cpufreq/boost").map(|line| line == "1");
    let off = files.line("sys/devices/system/cpu/intel_pstate/no_turbo").map(|line| line == "1");
    match (boost, off) {
        (Reading::Known(on), _) => Reading::Known(on),
        (_, Reading::Known(off)) => Reading::Known(!off),
        (missing, _) => missing,
    }
}

fn steal_share(stat: &str) -> Option<f64> {
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<f64> = all.split_whitespace().map_while(|number| number.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is counted in user already.
    let total: f64 = ticks.get(..8)?.iter().sum();
    (total > 0.0).then(|| ticks[7] / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A file system with the given files.
    fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().expect("a folder");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("a file");
        }
        let machine = Machine::read_from(&Files::below(root.path()));
        (root, machine)
    }

    #[test]
    fn reads_what_the_system_tells() {
        let (_root, machine) = system(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("proc/stat", "cpu  50 0 30 10 0 0 0 10 50 0\ncpu0 1 1 1\n"),
            ("proc/meminfo", "MemTotal:       2048 kB\nMemAvailable: 1024 kB\n"),
            ("proc/self/cgroup", "0::/box\n"),
            ("sys/fs/cgroup/memory.max", "max\n"),
            ("sys/fs/cgroup/memory.current", "12345\n"),
            ("sys/fs/cgroup/box/memory.max", "5000\n"),
            ("sys/fs/cgroup/box/memory.current", "3000\n"),
            ("sys/fs/cgroup/box/memory.stat", "anon 1000\ninactive_file 500\n"),
            ("proc/sys/kernel/osrelease", "6.1.0\n"),
        ]);
        assert_eq!(machine.governor, Reading::Known("performance".into()));
        assert_eq!(machine.turbo, Reading::Known(false));
        assert_eq!(machine.huge_pages, Reading::Known("madvise".into()));
        assert_eq!(machine.steal_share, Reading::Known(0.1));
        assert_eq!(machine.memory_bytes, Reading::Known(2 << 20));
        assert_eq!(machine.memory_available, Reading::Known(2500), "what the group leaves");
        assert_eq!(machine.kernel, Reading::Known("6.1.0".into()));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let (_root, machine) = system(&[("proc/meminfo", "nonsense")]);
        let why = machine.governor.to_string();
        assert!(why.starts_with("unreadable because") && why.contains("scaling_governor"), "{why}");
        assert!(machine.memory_bytes.to_string().contains("meminfo"), "{}", machine.memory_bytes);
        let text = serde_json::to_string(&machine).expect("JSON");
        assert!(text.contains(r#""kernel":{"unreadable_because":"#), "{text}");
        assert_eq!(serde_json::from_str::<Machine>(&text).expect("the same"), machine);
    }

    #[test]
    fn slugs_are_short_and_hold_no_host_name() {
        let (_root, mut machine) = system(&[]);
        let cpu = Cpu {
            vendor: "GenuineIntel".into(),
            family: 6,
            model: 143,
            stepping: 8,
            brand: "Some Xeon".into(),
        };
        machine.cpu = Reading::Known(cpu);
        assert_eq!(machine.slug(), "intel-6-143-8");
        machine.cpu = Reading::unreadable("it does not say");
        machine.arch = "riscv64".into();
        assert_eq!(machine.slug(), "riscv64-unknown");
    }
}
