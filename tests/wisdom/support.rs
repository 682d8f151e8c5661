//! A small problem, and records about it.

use serde::{Deserialize, Serialize};
use tilewise::Isa;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::problem::{Problem, Setting, Shape, shape};
use tilewise_tuner::search::Stopped;
use tilewise_tuner::wisdom::{Evidence, Record, Verdict, Wisdom};

/// A problem whose recipe is a number that must divide its size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles {
    pub(crate) n: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tile {
    pub(crate) size: usize,
    pub(crate) threads: usize,
}

impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tile {}, threads {}", self.size, self.threads)
    }
}

impl Problem for Tiles {
    type Recipe = Tile;
    const KERNEL: &'static str = "tiles";
    const SURFACE: u32 = 3;
    const REACH: f64 = 0.5;

    fn shape(&self) -> Shape {
        shape([("n", self.n.into())])
    }

    fn dtype(&self) -> &'static str {
        "f32"
    }

    fn estimate(&self, setting: &Setting<'_>) -> Tile {
        Tile { size: 1, threads: setting.threads }
    }

    fn check(&self, _: Isa, recipe: &Tile) -> Result<(), String> {
        let legal = recipe.size > 0 && self.n.is_multiple_of(recipe.size);
        legal.then_some(()).ok_or_else(|| format!("tile size {} does not divide", recipe.size))
    }

    fn threads(recipe: &Tile) -> usize {
        recipe.threads
    }
}

/// Evidence of so many rounds.
pub(crate) fn evidence(rounds: usize) -> Evidence {
    Evidence {
        verdict: Verdict::Faster,
        ratio: 1.25,
        lo: 1.2,
        hi: 1.3,
        rounds,
        marked: 0,
        tried: 7,
        candidates: 9,
        stopped: Stopped::Budget,
        seconds: 1.5,
        date: jiff::Timestamp::from_second(1).unwrap(),
        version: "0.1.0".into(),
    }
}

/// Two threads at most, on the best instruction set.
pub(crate) fn two(machine: &Machine) -> Setting<'_> {
    Setting { threads: 2, ..Setting::best(machine) }
}

pub(crate) fn record(machine: &Machine, n: usize, size: usize, rounds: usize) -> Record {
    let mut evidence = evidence(rounds);
    if size == 1 {
        // The default.
        evidence.verdict = Verdict::NotSeparable;
    }
    Record::new(&Tiles { n }, &two(machine), &Tile { size, threads: 2 }, evidence)
}

pub(crate) fn wisdom(records: impl IntoIterator<Item = Record>) -> Wisdom {
    let mut wisdom = Wisdom::default();
    records.into_iter().for_each(|record| wisdom.add(record));
    wisdom
}

/// The lines of a file of these records.
pub(crate) fn bytes(records: impl IntoIterator<Item = Record>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    wisdom(records).save(&path).unwrap();
    std::fs::read(&path).unwrap()
}

/// Another CPU than this one.
pub(crate) fn elsewhere() -> Machine {
    let mut machine = Machine::read();
    machine.caches.l2 += 1 << 20;
    machine
}
