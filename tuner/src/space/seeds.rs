//! Which points are worth trying first: what the model would say if it were wrong about the
//! machine in the ways models are, and one turn of every knob.

use super::Tunable;
use crate::problem::Setting;
use serde_json::Value;

/// The fewest and the most seeds. Of published models the best of 8 to 16 candidates is within a
/// few percent of the best there is; more would only delay the climb.
const SEEDS: std::ops::RangeInclusive<usize> = 8..=16;

/// How much of a cache a kernel may really have: a neighbour takes half, or lines are shared.
const SHARES: [(usize, usize); 3] = [(1, 2), (2, 1), (1, 4)];

/// Points by rank, without repeats: the default, `hints`, what the model says of other caches and
/// fewer threads, turns of single knobs, and then the others. Also how many of them are seeds.
pub(super) fn ranked<P: Tunable + ?Sized>(
    problem: &P,
    setting: &Setting<'_>,
    hints: &[P::Recipe],
) -> (Vec<P::Recipe>, usize) {
    let candidates = problem.candidates(setting);
    let mut points = vec![candidates[0]];
    let add = |points: &mut Vec<P::Recipe>, recipe: &P::Recipe| {
        let legal = P::threads(recipe) <= setting.threads;
        if legal && !points.contains(recipe) && problem.check(setting.isa, recipe).is_ok() {
            points.push(*recipe);
        }
    };
    // Estimates and candidates are canonical; hints come from other sizes and machines.
    let hints = hints.iter().map(|hint| problem.canonical(setting.isa, *hint));
    let models = hints.chain(other_beliefs(problem, setting));
    models.for_each(|recipe| add(&mut points, &recipe));
    for turn in turns(&candidates) {
        if points.len() > *SEEDS.start() {
            break;
        }
        add(&mut points, &candidates[turn]);
    }
    // Where there are fewer turns, what is nearest to the default makes up for them.
    for recipe in &candidates {
        if points.len() > *SEEDS.start() {
            break;
        }
        add(&mut points, recipe);
    }
    points.truncate(1 + SEEDS.end());
    let seeds = points.len() - 1;
    candidates.iter().for_each(|recipe| add(&mut points, recipe));
    (points, seeds)
}

/// The model's estimates for other threads and caches than the machine says it has.
fn other_beliefs<P: Tunable + ?Sized>(problem: &P, setting: &Setting<'_>) -> Vec<P::Recipe> {
    let counts = super::thread_counts(setting.threads);
    let fewer =
        counts.iter().rev().map(|&threads| problem.estimate(&Setting { threads, ..*setting }));
    let mut found: Vec<_> = fewer.collect();
    for (part, of) in SHARES {
        let mut machine = setting.machine.clone();
        let caches = &mut machine.caches;
        for bytes in [&mut caches.l1d, &mut caches.l2, &mut caches.l3] {
            *bytes = *bytes * part / of;
        }
        found.push(problem.estimate(&Setting { machine: &machine, ..*setting }));
    }
    found
}

/// Candidates that differ from the first in one field: the first value of every field, then the
/// second, and so on.
fn turns<R: serde::Serialize>(candidates: &[R]) -> Vec<usize> {
    let fields = |recipe: &R| serde_json::to_value(recipe).expect("a recipe is plain data");
    let default = fields(&candidates[0]);
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    let mut found = Vec::new();
    for (index, recipe) in candidates.iter().enumerate().skip(1) {
        if let [field] = &differing(&default, &fields(recipe))[..] {
            let turn = seen.entry(field.clone()).or_default();
            found.push((*turn, index));
            *turn += 1;
        }
    }
    found.sort_unstable();
    found.into_iter().map(|(_, index)| index).collect()
}

fn differing(one: &Value, other: &Value) -> Vec<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let differ = one.iter().filter(|(name, value)| other.get(*name) != Some(value));
            differ.map(|(name, _)| name.clone()).collect()
        }
        _ => vec![String::new()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use tilewise::gemm::Shape;

    #[test]
    fn eight_to_sixteen_seeds_come_first_and_nothing_is_lost() {
        let machine = Machine::read();
        let setting = Setting { threads: 2, ..Setting::best(&machine) };
        let shape = Shape { m: 128, n: 768, k: 768 };
        let candidates = shape.candidates(&setting);
        let (points, seeds) = ranked(&shape, &setting, &candidates[20..22]);
        assert!(SEEDS.contains(&seeds), "{seeds}");
        assert_eq!(points[1..3], candidates[20..22], "hints lead");
        assert!(points[0] == candidates[0] && candidates.iter().all(|c| points.contains(c)));
    }

    #[test]
    fn every_knob_is_turned_once_before_any_is_turned_twice() {
        let points: Vec<_> = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
            .map(|(x, y)| serde_json::json!({"x": x, "y": y}))
            .into();
        assert_eq!(turns(&points), [1, 3, 2]);
    }
}
