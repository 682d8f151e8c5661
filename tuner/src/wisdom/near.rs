//! Recipes for shapes nobody has tuned: from the nearest that somebody has, as far as that was
//! measured to hold.
//!
//! Not the recipe itself is taken over but what tuning has changed about the default: block sizes
//! that merely span the whole of one shape say nothing of another.

use super::digest::{Fold, site};
use super::{Chosen, Record, Source, Verdict, Wisdom, decode};
use crate::problem::{Problem, Setting};
use serde_json::Value;
use std::collections::BTreeMap;

/// Keys of records that differ in their shapes only, by what they have in common.
pub(super) type Families = BTreeMap<u64, Vec<u64>>;

/// The most candidates other records may add to a search.
const MOST_HINTS: usize = 8;

impl Wisdom {
    /// What the nearest record says, if one is near enough and can be followed.
    pub(super) fn nearest<P: Problem>(
        &self,
        problem: &P,
        setting: &Setting<'_>,
        site: u64,
    ) -> Option<Chosen<P::Recipe>> {
        let (dtype, shape) = (problem.dtype(), problem.shape());
        let family = Fold::new(site).kernel(P::KERNEL, P::SURFACE, dtype).finish();
        let keys = self.families.get_or_init(|| self.families()).get(&family)?;
        // One for this very shape was looked at before, and is not used.
        let reached = |&d: &f64| 0.0 < d && d <= P::REACH;
        let distance = |record: &Record| record.shape.distance(&shape).filter(reached);
        let near = keys.iter().filter_map(|key| {
            let record = self.entries[key].written.record(*key).ok()?;
            Some((distance(record)?, record))
        });
        let (_, record) = near.min_by(|a, b| a.0.total_cmp(&b.0))?;
        let recipe = carry(problem, setting, record)?;
        let (near, verdict) = (Some(record.shape.clone()), Some(record.evidence.verdict));
        Some(Chosen { source: Source::Near, verdict, near, ..Chosen::estimated(recipe) })
    }

    fn families(&self) -> Families {
        let mut families = Families::new();
        for (&key, entry) in &self.entries {
            let Ok(record) = entry.written.record(key) else { continue };
            let fold = Fold::new(site(&record.identity, &record.context));
            let family = fold.kernel(&record.kernel, record.surface, &record.dtype).finish();
            families.entry(family).or_default().push(key);
        }
        families
    }

    /// Recipes of other machines, circumstances and shapes that are legal here: worth a try in a
    /// search, and no more. Those of the same shape come first.
    pub fn hints<P: Problem>(&self, problem: &P, setting: &Setting<'_>) -> Vec<P::Recipe> {
        let (dtype, shape) = (problem.dtype(), problem.shape());
        let alike = |record: &&Record| {
            (record.kernel.as_str(), record.surface) == (P::KERNEL, P::SURFACE)
                && record.dtype == dtype
                && record.evidence.verdict == Verdict::Faster
        };
        let records = self.records().into_iter().filter(alike);
        let mut near: Vec<_> =
            records.filter_map(|record| Some((record.shape.distance(&shape)?, record))).collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut hints = Vec::new();
        for recipe in near.into_iter().filter_map(|(_, record)| carry(problem, setting, record)) {
            if !hints.contains(&recipe) {
                hints.push(recipe);
            }
        }
        hints.truncate(MOST_HINTS);
        hints
    }
}

/// The estimate for this problem, changed as the record has changed its own.
fn carry<P: Problem>(problem: &P, setting: &Setting<'_>, record: &Record) -> Option<P::Recipe> {
    let estimate = serde_json::to_value(problem.estimate(setting)).ok()?;
    decode(problem, setting, &carried(&record.recipe, &record.default, &estimate)).ok()
}

/// What a recipe comes to where the default is `here`, if what counts is where it differs from the
/// default it was found beside.
///
/// ```
/// use serde_json::json;
/// use tilewise_tuner::wisdom::carried;
/// let (found, default) = (json!({"tile": 8, "kc": 256}), json!({"tile": 6, "kc": 256}));
/// assert_eq!(carried(&found, &default, &json!({"tile": 6, "kc": 99})), json!({"tile": 8, "kc": 99}));
/// ```
pub fn carried(found: &Value, default: &Value, here: &Value) -> Value {
    let (Value::Object(fields), Value::Object(estimate)) = (found, here) else {
        return if found == default { here.clone() } else { found.clone() };
    };
    let mut recipe = estimate.clone();
    for (name, value) in fields.iter().filter(|(name, value)| default.get(name) != Some(value)) {
        recipe.insert(name.clone(), value.clone());
    }
    Value::Object(recipe)
}
