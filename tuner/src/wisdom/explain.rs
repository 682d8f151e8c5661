//! Why this recipe: every record that could have been meant, and what spoke against it.

use super::{Chosen, Entry, Origin, Record, Wisdom, usable};
use crate::problem::{Problem, Setting};

/// What wisdom says of a problem, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation<R> {
    /// What is used.
    pub chosen: Chosen<R>,
    /// The records of this kernel, the nearest to being used first.
    pub considered: Vec<Considered>,
}

/// A record, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Considered {
    /// The record.
    pub record: Record,
    /// Where it was read.
    pub origin: Origin,
    /// Why it is not used; empty for the one that is.
    pub against: Vec<String>,
}

impl Wisdom {
    /// Which record is used for a problem, which were rejected and why.
    pub fn explain<P: Problem>(
        &self,
        problem: &P,
        setting: &Setting<'_>,
    ) -> Explanation<P::Recipe> {
        let chosen = self.choose(problem, setting);
        let held = self.entries.iter().map(|(key, entry)| (*key, entry, false));
        let below = self.overridden.iter().map(|(key, entry)| (*key, entry, true));
        let consider = |(key, entry, below): (u64, &Entry, bool)| {
            let record = entry.written.record(key).ok().filter(|r| r.kernel == P::KERNEL)?;
            let mut against = against(problem, setting, record);
            if against.is_empty() && below {
                against.push("another file has a record about the same, and holds".into());
            }
            if chosen.near.as_ref() == Some(&record.shape) && against.len() == 1 && !below {
                against.clear();
            }
            let origin = entry.origin.clone();
            Some(Considered { record: record.clone(), origin, against })
        };
        let mut considered: Vec<_> = held.chain(below).filter_map(consider).collect();
        let shape = problem.shape();
        considered.sort_by_key(|Considered { record, against, .. }| {
            // Positive floats are ordered as their bits are.
            let distance = record.shape.distance(&shape).unwrap_or(f64::INFINITY);
            (against.len(), distance.to_bits())
        });
        Explanation { chosen, considered }
    }
}

/// What keeps a record from holding exactly here.
fn against<P: Problem>(problem: &P, setting: &Setting<'_>, record: &Record) -> Vec<String> {
    let mut against = Vec::new();
    if record.surface != P::SURFACE {
        let (there, here) = (record.surface, P::SURFACE);
        against.push(format!("version {there} of the kernel, which is at {here}"));
    }
    against.extend(record.identity.differences(&setting.identity()));
    against.extend(record.context.differences(&setting.context()));
    if record.dtype != problem.dtype() {
        against.push(format!("{}, not {}", record.dtype, problem.dtype()));
    }
    let shape = problem.shape();
    match record.shape.distance(&shape) {
        Some(0.0) => {}
        Some(distance) => {
            let reach = match P::REACH {
                0.0 => "recipes are not carried over".into(),
                reach => format!("recipes reach {:.2}", reach.exp()),
            };
            let (there, factor) = (&record.shape, distance.exp());
            against.push(format!("shape {there}: a factor of {factor:.2} away, {reach}"));
        }
        None => against.push(format!("shape {}: another kind", record.shape)),
    }
    if against.is_empty() {
        against.extend(usable(problem, setting, record).err());
    }
    against
}
