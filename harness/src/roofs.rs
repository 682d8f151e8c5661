//! What this machine can do at most: arithmetic per instruction set, bandwidth per memory level.
//!
//! A kernel's share of a roof means something only if both were measured in the same session: a
//! [`Probe`] is therefore an arm like any other, to be timed among the kernels
//! ([`Probe::run`] and [`Probe::roof`]), and [`measure`] times a set of them on their own.
//!
//! ```
//! use std::time::Duration;
//! use tilewise::{Solo, cache::CacheSizes};
//! use tilewise_harness::roofs::{self, Memory, Pattern, Probe, Quantity};
//! use tilewise_tuner::measure::Stopwatch;
//!
//! let reads = Quantity::Bandwidth { memory: Memory::L1, pattern: Pattern::Read };
//! let probe = Probe::new(reads, tilewise::Isa::best(), 1, &CacheSizes::detect())?;
//! let roofs = roofs::measure(Stopwatch::within(Duration::from_millis(50)), &[probe], &Solo)?;
//! println!("{}: {:.0} {}", roofs[0].name, roofs[0].value, roofs[0].unit);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bandwidth;
mod compute;
mod cores;

use serde::{Deserialize, Serialize};
use std::fmt;
use tilewise::buffer::OutOfMemory;
use tilewise::cache::CacheSizes;
use tilewise::isa::MissingIsa;
use tilewise::{Isa, Solo, Team};
use tilewise_tuner::measure::{Arm, Error as MeasureError, Estimate, Stopwatch};

pub use bandwidth::{Arena, working_set};
pub use cores::{CROWDED, CoreClock};

/// What a roof limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Quantity {
    /// Products and sums of bytes, two operations each, with the instructions the GEMM driver
    /// uses.
    Int8Compute,
    /// Fused multiply-adds of f32, two operations each.
    F32Compute,
    /// Bytes moved.
    Bandwidth {
        /// Where they come from.
        memory: Memory,
        /// What is done with them.
        pattern: Pattern,
    },
}

/// A level of the memory hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Memory {
    /// First-level data cache.
    L1,
    /// Second-level cache.
    L2,
    /// Last-level cache.
    L3,
    /// Main memory.
    #[serde(rename = "DRAM")]
    Dram,
}

/// What is done with memory. Copies count bytes read and bytes written; the line an ordinary
/// store reads before it writes is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Pattern {
    /// Reading.
    Read,
    /// Copying with ordinary stores.
    Copy,
    /// Copying with stores past the caches.
    StreamingCopy,
    /// Writing past the caches.
    StreamingFill,
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Int8Compute => f.write_str("int8 compute"),
            Quantity::F32Compute => f.write_str("f32 compute"),
            Quantity::Bandwidth { memory, pattern } => write!(f, "{memory} {pattern}"),
        }
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Memory::L1 => "L1",
            Memory::L2 => "L2",
            Memory::L3 => "L3",
            Memory::Dram => "DRAM",
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Pattern::Read => "read",
            Pattern::Copy => "copy",
            Pattern::StreamingCopy => "streaming copy",
            Pattern::StreamingFill => "streaming fill",
        })
    }
}

/// A measured limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Roof {
    /// Its probe's name, as the session knows it.
    pub name: String,
    /// Of what.
    pub quantity: Quantity,
    /// With which instruction set.
    pub isa: Isa,
    /// On how many threads at once.
    pub threads: usize,
    /// Median.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub lo: f64,
    /// Upper end of the 95 % interval.
    pub hi: f64,
    /// `GOP/s`, `GFLOP/s` or `GB/s` (10^9 bytes).
    pub unit: String,
    /// Bytes all threads touch together; 0 for arithmetic.
    pub working_set: usize,
    /// What the number cannot separate.
    pub note: Option<String>,
}

/// One way to run into a roof.
#[derive(Debug)]
pub struct Probe {
    quantity: Quantity,
    isa: Isa,
    threads: usize,
    load: Load,
}

#[derive(Debug)]
enum Load {
    Compute,
    Bandwidth(Arena),
}

/// A roof that cannot be measured here.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The CPU cannot run the probe.
    #[error(transparent)]
    Isa(#[from] MissingIsa),
    /// Plain arrays are whatever the compiler makes of them.
    #[error("plain code has no compute roof of its own; ask for a vector instruction set")]
    Plain,
    /// A probe for more threads than there are members.
    #[error("a probe for {threads} threads was given a team of {size}; use a team of that size")]
    Team {
        /// What the probe was made for.
        threads: usize,
        /// What it got.
        size: usize,
    },
    /// A thread count of 0.
    #[error("a probe for 0 threads was asked for; the caller alone makes 1")]
    NoThreads,
    /// Not even once through the caches.
    #[error(transparent)]
    Memory(#[from] OutOfMemory),
    /// The session had no result.
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

impl Probe {
    /// Prepares a probe for `threads` threads; memory is allocated and touched here.
    ///
    /// # Errors
    /// [`Error::Isa`], [`Error::Plain`], [`Error::NoThreads`], [`Error::Memory`].
    pub fn new(
        quantity: Quantity,
        isa: Isa,
        threads: usize,
        caches: &CacheSizes,
    ) -> Result<Self, Error> {
        let load = match quantity {
            Quantity::Int8Compute | Quantity::F32Compute => Load::Compute,
            Quantity::Bandwidth { memory, .. } => {
                Load::Bandwidth(Arena::new(working_set(memory, threads, caches))?)
            }
        };
        Self::with(quantity, isa, threads, load)
    }

    fn with(quantity: Quantity, isa: Isa, threads: usize, load: Load) -> Result<Self, Error> {
        if threads == 0 {
            return Err(Error::NoThreads);
        }
        if !isa.is_available() {
            return Err(MissingIsa(isa).into());
        }
        if isa == Isa::Scalar && matches!(load, Load::Compute) {
            return Err(Error::Plain);
        }
        Ok(Probe { quantity, isa, threads, load })
    }

    /// What it runs into.
    pub fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// A name no other probe has.
    pub fn name(&self) -> String {
        let plural = if self.threads == 1 { "" } else { "s" };
        format!("{}, {}, {} thread{plural}", self.quantity, self.isa, self.threads)
    }

    /// Operations or bytes of one [`Probe::run`].
    pub fn work(&self) -> f64 {
        match (&self.load, self.quantity) {
            (Load::Bandwidth(arena), Quantity::Bandwidth { pattern, .. }) => {
                arena.work(pattern, self.threads)
            }
            (_, quantity) => compute::work(quantity, self.isa) * self.threads as f64,
        }
    }

    /// Runs once: on the caller for a probe for one thread, else on all of `team`.
    ///
    /// # Errors
    /// [`Error::Team`] when the team has another size.
    pub fn run(&self, team: &dyn Team) -> Result<(), Error> {
        let team = if self.threads == 1 { &Solo } else { team };
        if team.size() != self.threads {
            return Err(Error::Team { threads: self.threads, size: team.size() });
        }
        match (&self.load, self.quantity) {
            (Load::Bandwidth(arena), Quantity::Bandwidth { pattern, .. }) => {
                arena.run(pattern, self.isa, team)?;
            }
            (_, quantity) => compute::run(quantity, self.isa, team)?,
        }
        Ok(())
    }

    /// The roof that follows from what one [`Probe::run`] takes.
    pub fn roof(&self, seconds: Estimate) -> Roof {
        let rate = |seconds: f64| self.work() / seconds / 1e9;
        let (unit, working_set) = match &self.load {
            Load::Bandwidth(arena) => ("GB/s", arena.bytes()),
            Load::Compute if self.quantity == Quantity::Int8Compute => ("GOP/s", 0),
            Load::Compute => ("GFLOP/s", 0),
        };
        Roof {
            name: self.name(),
            quantity: self.quantity,
            isa: self.isa,
            threads: self.threads,
            value: rate(seconds.median),
            lo: rate(seconds.hi),
            hi: rate(seconds.lo),
            unit: unit.to_owned(),
            working_set,
            note: self.note(),
        }
    }

    fn note(&self) -> Option<String> {
        let Quantity::Bandwidth { memory, pattern } = self.quantity else { return None };
        let notes = [
            (memory == Memory::L3).then_some(
                "the last-level cache is shared with other cores and, on a virtual machine, with \
                 neighbours nobody can see",
            ),
            (memory == Memory::Dram)
                .then_some("memory bandwidth is shared with everything else on the machine"),
            (pattern == Pattern::Copy).then_some(
                "bytes read and written; the line read before an ordinary store is not counted",
            ),
        ];
        let notes: Vec<&str> = notes.into_iter().flatten().collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// Every roof of this machine: arithmetic for each of `isas` but plain code, bandwidth with the
/// last of them, each on one thread and, if that is another number, on `threads`. The third-level
/// cache is left out where there is none.
///
/// # Errors
/// As [`Probe::new`].
pub fn probes(isas: &[Isa], threads: usize, caches: &CacheSizes) -> Result<Vec<Probe>, Error> {
    let mut probes = Vec::new();
    let mut counts = vec![1, threads];
    counts.dedup();
    for &threads in &counts {
        for &isa in isas.iter().filter(|&&isa| isa != Isa::Scalar) {
            for quantity in [Quantity::Int8Compute, Quantity::F32Compute] {
                probes.push(Probe::new(quantity, isa, threads, caches)?);
            }
        }
        let isa = isas.last().copied().unwrap_or(Isa::Scalar);
        for memory in [Memory::L1, Memory::L2, Memory::L3, Memory::Dram] {
            if memory == Memory::L3 && caches.l3 <= caches.l2 {
                continue;
            }
            // All patterns of a level share its memory: they never run at the same time.
            let arena = Arena::new(working_set(memory, threads, caches))?;
            for &pattern in memory.patterns() {
                let quantity = Quantity::Bandwidth { memory, pattern };
                let load = Load::Bandwidth(arena.share());
                probes.push(Probe::with(quantity, isa, threads, load)?);
            }
        }
    }
    Ok(probes)
}

impl Memory {
    /// The smallest level that holds a working set of so many bytes. Near the size of the last
    /// cache part of it may still come from there, so main memory counts only from four times that
    /// size on.
    pub fn holding(working_set: f64, caches: &CacheSizes) -> Memory {
        match working_set {
            bytes if bytes <= caches.l1d as f64 => Memory::L1,
            bytes if bytes <= caches.l2 as f64 => Memory::L2,
            bytes if bytes < 4.0 * caches.l3 as f64 => Memory::L3,
            _ => Memory::Dram,
        }
    }

    /// What is worth knowing of it: stores past the caches concern main memory alone.
    pub const fn patterns(self) -> &'static [Pattern] {
        match self {
            Memory::Dram => {
                &[Pattern::Read, Pattern::Copy, Pattern::StreamingCopy, Pattern::StreamingFill]
            }
            _ => &[Pattern::Read, Pattern::Copy],
        }
    }
}

/// Times `probes` against each other, in interleaved rounds, and gives their roofs in order.
///
/// # Errors
/// [`Error::Team`] before anything is timed, [`Error::Measure`].
pub fn measure(
    stopwatch: Stopwatch,
    probes: &[Probe],
    team: &dyn Team,
) -> Result<Vec<Roof>, Error> {
    for probe in probes {
        probe.run(team)?;
    }
    let arms = probes.iter().map(|probe| {
        Arm::new(probe.name(), || probe.run(team).expect("it ran before the session began"))
    });
    let session = stopwatch.measure(arms.collect())?;
    probes.iter().map(|probe| Ok(probe.roof(session.time(&probe.name())?))).collect()
}
