//! Wisdom: recipes that were measured to be best, with the evidence, kept between runs.
//!
//! A file of JSON lines, one [`Record`] each with its own checksum. Loading never panics: a line
//! that cannot be used is counted and named, and the others hold. A recipe from a file is only
//! ever a proposal: the kernel checks it, and if it is illegal the estimate is used and the reason
//! told. So bad wisdom can cost speed, never correctness.
//!
//! What decides whether a record holds here is split by what its failing means:
//!
//! * *validity*, the format's version and the kernel's ([`Problem::SURFACE`]): else it is ignored;
//! * *identity*, who the machine is: else it is a candidate for the search and no more;
//! * *context*, the cores and threads we were let have: likewise;
//! * *problem*, types and sizes: else it holds as far as the kernel's recipes were measured to
//!   reach ([`Problem::REACH`]), and is a candidate beyond.
//!
//! ```
//! use tilewise::{cache::CacheSizes, gemm::{Plan, Shape}};
//! use tilewise_tuner::{machine::Machine, wisdom::Wisdom};
//! let machine = Machine::read();
//! let shape = Shape { m: 128, n: 768, k: 768 };
//! let chosen = Wisdom::load_default()?.gemm(shape, &machine);
//! println!("{} ({})", chosen.recipe, chosen.source);
//! let plan = Plan::new(shape, machine.best_isa, chosen.recipe)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod digest;
mod explain;
mod file;
mod layers;
mod line;
mod near;
mod record;

pub use explain::{Considered, Explanation};
pub use file::{BadLine, Error};
pub use layers::Origin;
pub use line::SCHEMA;
pub use near::carried;
pub use record::{Evidence, Record, Verdict};

use crate::machine::Machine;
use crate::problem::{Problem, Setting, Shape};
use digest::Fold;
use line::Written;
use near::Families;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;
use tilewise::{gemm, kmeans};

/// Records by what they are about, at most one each.
#[derive(Clone, Debug, Default)]
pub struct Wisdom {
    entries: BTreeMap<u64, Entry>,
    /// What records of a later layer replaced, for those who ask why.
    overridden: Vec<(u64, Entry)>,
    /// Lines of another schema, kept as they are for the version that understands them.
    foreign_lines: Vec<String>,
    /// Lines of the file that are no record at all: not ours to throw away.
    broken_lines: Vec<Vec<u8>>,
    bad_lines: Vec<BadLine>,
    /// How many there are, named or not.
    unused: usize,
    /// Found out when the first untuned shape asks.
    families: OnceLock<Families>,
}

/// A record and where it was read.
#[derive(Clone, Debug)]
struct Entry {
    written: Written,
    origin: Origin,
}

/// What is known counts, not where it was read.
impl PartialEq for Wisdom {
    fn eq(&self, other: &Wisdom) -> bool {
        let text = |(key, entry): (&u64, &Entry)| (*key, entry.written.text().to_owned());
        self.entries.iter().map(text).eq(other.entries.iter().map(text))
            && self.foreign_lines == other.foreign_lines
    }
}

/// Where a recipe comes from; every printed number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Measured on this machine for this shape.
    Tuned,
    /// Measured on this machine for a shape close by.
    Near,
    /// Derived from cache sizes.
    Estimated,
    /// The caller's own.
    Given,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Source::Tuned => "tuned",
            Source::Near => "near",
            Source::Estimated => "estimated",
            Source::Given => "given",
        })
    }
}

/// The recipe to use for a problem, and why this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen<R> {
    /// What to use.
    pub recipe: R,
    /// Where it is from.
    pub source: Source,
    /// What the measurement said, if it is tuned. A stored default counts as tuned.
    pub verdict: Option<Verdict>,
    /// The shape it was measured for, if that is another one close by.
    pub near: Option<Shape>,
    /// Why a record for exactly this problem was not used, if there was one.
    pub refused: Option<String>,
}

impl<R> Chosen<R> {
    /// A recipe of the caller's.
    pub fn given(recipe: R) -> Self {
        Chosen { recipe, source: Source::Given, verdict: None, near: None, refused: None }
    }

    /// A recipe nobody has measured.
    pub fn estimated(recipe: R) -> Self {
        Chosen { recipe, source: Source::Estimated, verdict: None, near: None, refused: None }
    }
}

/// Wisdom at one place: a machine, an instruction set, a number of threads. Made once, asked often.
#[derive(Clone, Copy, Debug)]
pub struct Here<'w, 's> {
    wisdom: &'w Wisdom,
    setting: Setting<'s>,
    site: u64,
}

impl Wisdom {
    /// The same wisdom, asked from one place.
    pub fn at<'s>(&self, setting: &Setting<'s>) -> Here<'_, 's> {
        let site = digest::site(&setting.identity(), &setting.context());
        Here { wisdom: self, setting: *setting, site }
    }

    /// The recorded recipe for exactly this problem and setting, else that of a shape close by,
    /// else the estimate.
    pub fn choose<P: Problem>(&self, problem: &P, setting: &Setting<'_>) -> Chosen<P::Recipe> {
        self.at(setting).choose(problem)
    }

    /// The recipe for an INT8 product on all that `machine` has. A call takes about a microsecond,
    /// most of it for who the machine is; [`Wisdom::at`] finds that out once for many calls.
    pub fn gemm(&self, shape: gemm::Shape, machine: &Machine) -> Chosen<gemm::Recipe> {
        self.choose(&shape, &Setting::best(machine))
    }

    /// The recipe for labelling points on all that `machine` has; see [`Wisdom::gemm`].
    pub fn kmeans(&self, shape: kmeans::Shape, machine: &Machine) -> Chosen<kmeans::Recipe> {
        self.choose(&shape, &Setting::best(machine))
    }

    /// Adds a record. Of two about the same, that with the later revision stays, then that with
    /// more evidence: the order of adding does not matter.
    pub fn add(&mut self, record: Record) {
        let (key, written) = Written::of(record);
        self.insert(key, Entry { written, origin: Origin::Here });
    }

    fn insert(&mut self, key: u64, entry: Entry) {
        self.families = OnceLock::new();
        match self.entries.get(&key) {
            Some(held) if !entry.written.outranks(&held.written, key) => {}
            _ => _ = self.entries.insert(key, entry),
        }
    }

    /// Adds all that `other` knows: in whatever order and however often, the result is the same.
    pub fn merge(&mut self, other: Wisdom) {
        other.entries.into_iter().for_each(|(key, entry)| self.insert(key, entry));
        self.foreign_lines.extend(other.foreign_lines);
        self.foreign_lines.sort_unstable();
        self.foreign_lines.dedup();
    }

    /// All records that can be read, ordered by kernel, types, shape and threads.
    pub fn records(&self) -> Vec<&Record> {
        let readable = self.entries.iter().filter_map(|(key, e)| e.written.record(*key).ok());
        let mut records: Vec<&Record> = readable.collect();
        let order = |record: &&Record| {
            let Record { kernel, dtype, shape, context, identity, .. } = *record;
            (kernel.clone(), dtype.clone(), shape.clone(), context.threads, identity.clone())
        };
        records.sort_by_cached_key(order);
        records
    }

    /// Where a record of this wisdom was read.
    pub fn origin(&self, record: &Record) -> Option<&Origin> {
        self.entries.get(&record.key()).map(|entry| &entry.origin)
    }

    /// Records whose checksum is right and that are no records all the same: what was read where,
    /// and what is wrong with it.
    pub fn forged(&self) -> impl Iterator<Item = (&Origin, &str)> {
        self.entries.iter().filter_map(|(key, entry)| {
            let reason = entry.written.record(*key).err()?;
            Some((&entry.origin, reason))
        })
    }

    /// How many records are of other CPUs than this machine's and so are never used on it.
    pub fn foreign(&self, machine: &Machine) -> usize {
        let here = |record: &&&Record| record.identity == machine.identity(record.identity.isa);
        let records = self.records();
        records.len() - records.iter().filter(here).count()
    }

    /// Lines that are no records at all: they stay in their file, and are not merged.
    pub fn broken(&self) -> usize {
        self.broken_lines.len()
    }

    /// Lines that another version of the format wrote: kept and merged as they are.
    pub fn of_other_versions(&self) -> usize {
        self.foreign_lines.len()
    }

    /// How many lines of the files could not be used.
    pub fn unused(&self) -> usize {
        self.unused
    }

    /// Lines of the files that could not be used: of each file the first thousand.
    pub fn bad_lines(&self) -> &[BadLine] {
        &self.bad_lines
    }
}

impl Here<'_, '_> {
    /// The recorded recipe for exactly this problem, else that of a shape close by, else the
    /// estimate.
    pub fn choose<P: Problem>(&self, problem: &P) -> Chosen<P::Recipe> {
        let Here { wisdom, setting, .. } = self;
        let exact = self.lookup(problem).map(|found| {
            let record = found?;
            Ok::<_, String>((usable(problem, setting, record)?, record.evidence.verdict))
        });
        let refused = match exact {
            Some(Ok((recipe, verdict))) => {
                return Chosen {
                    source: Source::Tuned,
                    verdict: Some(verdict),
                    ..Chosen::estimated(recipe)
                };
            }
            Some(Err(reason)) => Some(reason),
            None => None,
        };
        let near = wisdom.nearest(problem, setting, self.site);
        Chosen { refused, ..near.unwrap_or_else(|| Chosen::estimated(problem.estimate(setting))) }
    }

    /// The record for exactly this problem, if there is one; or why it cannot be read. The recipe
    /// is unchecked.
    pub fn lookup<P: Problem>(&self, problem: &P) -> Option<Result<&Record, &str>> {
        let fold = Fold::new(self.site).kernel(P::KERNEL, P::SURFACE, problem.dtype());
        let shape = problem.shape();
        let key = fold.shape(&shape).finish();
        let record = self.wisdom.entries.get(&key)?.written.record(key);
        // Numbers can be made to agree; what they stand for cannot.
        let about = |record: &Record| record.kernel == P::KERNEL && record.shape == shape;
        record.map_or(true, about).then_some(record)
    }
}

/// The recipe of a record about exactly this problem, if it can be used.
fn usable<P: Problem>(
    problem: &P,
    setting: &Setting<'_>,
    record: &Record,
) -> Result<P::Recipe, String> {
    let recipe = decode(problem, setting, &record.recipe)?;
    let (says, uses) = (record.threads, P::threads(&recipe));
    if says != uses {
        return Err(format!("it claims to use {says} threads, and its recipe uses {uses}"));
    }
    // Faster than a former default, or as fast: that says nothing of today's.
    let default = P::Recipe::deserialize(&record.default).ok();
    if default != Some(problem.estimate(setting)) {
        return Err("it was compared with a default that is no longer the default".into());
    }
    Ok(recipe)
}

/// A recipe as it was recorded, if it is one and can be followed here.
fn decode<P: Problem>(
    problem: &P,
    setting: &Setting<'_>,
    recipe: &serde_json::Value,
) -> Result<P::Recipe, String> {
    let recipe = P::Recipe::deserialize(recipe)
        .map_err(|error| format!("its recipe cannot be read: {error}"))?;
    let (uses, allowed) = (P::threads(&recipe), setting.threads);
    if uses > allowed {
        return Err(format!("it uses {uses} threads where {allowed} are allowed"));
    }
    problem.check(setting.isa, &recipe).map(|()| recipe)
}
