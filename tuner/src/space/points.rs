//! A search space as the search sees it: points by rank, and how far they are from each other.
//!
//! Points are described by the fields of their recipes as they are written, so nothing here knows
//! a kernel, and a space that was recorded is searched as the one it was recorded from.

use super::{Numerics, noise};
use serde_json::Value;
use std::cmp::Ordering;

/// More points than this are not searched: looking at each for a millisecond would take a minute.
pub const MOST_POINTS: usize = 20_000;

/// All recipes worth trying for a problem: the default first, then the seeds, which a model or
/// earlier measurements rank highest, then the others.
#[derive(Clone, Debug)]
pub struct Space<R> {
    points: Vec<R>,
    seeds: usize,
    knobs: Vec<Knob>,
    /// For each point and knob which of the knob's values it has.
    at: Vec<Vec<u16>>,
}

/// One thing that can be decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Knob {
    /// The recipe's field.
    pub name: String,
    /// Its values, numbers in their order.
    pub values: Vec<Value>,
    /// Whether it may be tuned.
    pub numerics: Numerics,
}

/// A space that cannot be searched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{points} points are more than the {MOST_POINTS} that can be searched; give fewer values")]
pub struct TooLarge {
    /// How many points there are.
    pub points: usize,
}

impl<R: Copy + PartialEq> Space<R> {
    /// The space of `points` of which the first is the default and the next `seeds` are the most
    /// promising. `describe` gives the fields of a recipe; those named in `changing` could change
    /// a result, so points that differ from the default in one of them are left out.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn new(
        points: Vec<R>,
        seeds: usize,
        changing: &[&str],
        describe: impl Fn(&R) -> Value,
    ) -> Result<Self, TooLarge> {
        if points.len() > MOST_POINTS {
            return Err(TooLarge { points: points.len() });
        }
        let fields: Vec<Fields> = points.iter().map(|point| fields(describe(point))).collect();
        let names: Vec<String> =
            fields.first().into_iter().flat_map(|f| f.keys().cloned()).collect();
        let value = |point: usize, name: &str| fields[point].get(name).unwrap_or(&Value::Null);
        let legal = |&point: &usize| {
            let mut fixed = names.iter().filter(|name| changing.contains(&name.as_str()));
            fixed.all(|name| value(point, name) == value(0, name))
        };
        let kept: Vec<usize> = (0..points.len()).filter(legal).collect();
        let knob = |name: &String| {
            let mut values: Vec<Value> = kept.iter().map(|&at| value(at, name).clone()).collect();
            values.sort_by(by_size);
            values.dedup();
            let changes = changing.contains(&name.as_str());
            let numerics = if changes { Numerics::Changing } else { Numerics::Preserving };
            Knob { name: name.clone(), values, numerics }
        };
        let knobs: Vec<Knob> = names.iter().map(knob).collect();
        let place = |knob: &Knob, point: usize| {
            let found =
                knob.values.binary_search_by(|known| by_size(known, value(point, &knob.name)));
            found.expect("every value was gathered") as u16
        };
        let at = kept.iter().map(|&point| knobs.iter().map(|knob| place(knob, point)).collect());
        Ok(Space {
            at: at.collect(),
            seeds: kept.iter().filter(|&&at| (1..=seeds).contains(&at)).count(),
            points: kept.iter().map(|&point| points[point]).collect(),
            knobs,
        })
    }

    /// How many points there are: all of them legal, none twice.
    #[expect(clippy::len_without_is_empty, reason = "the default is always there")]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// The points by rank.
    pub fn points(&self) -> &[R] {
        &self.points
    }

    /// How many of the points behind the default are seeds.
    pub fn seeds(&self) -> usize {
        self.seeds
    }

    /// What can be decided, also where there is only one value.
    pub fn knobs(&self) -> &[Knob] {
        &self.knobs
    }

    /// How far two points are from each other: knobs that differ, then steps between their values.
    pub fn distance(&self, one: usize, other: usize) -> (usize, usize) {
        let pairs = self.at[one].iter().zip(&self.at[other]).filter(|(a, b)| a != b);
        pairs
            .fold((0, 0), |(knobs, steps), (a, b)| (knobs + 1, steps + usize::from(a.abs_diff(*b))))
    }

    /// All points but the default in an order that knows nothing of them.
    pub fn shuffled(&self, seed: u64) -> Vec<usize> {
        let mut order: Vec<usize> = (1..self.len()).collect();
        order.sort_by_key(|&point| noise((seed as usize).wrapping_mul(1 << 20) ^ point));
        order
    }
}

type Fields = serde_json::Map<String, Value>;

/// The fields of a recipe, each with its value; of one that has none, itself.
fn fields(recipe: Value) -> Fields {
    match recipe {
        Value::Object(fields) => fields,
        other => Fields::from_iter([("recipe".to_owned(), other)]),
    }
}

/// Numbers by size; others stand together, in any order.
fn by_size(one: &Value, other: &Value) -> Ordering {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (one, None) if one.is_some() => Ordering::Less,
        (None, other) if other.is_some() => Ordering::Greater,
        _ => one.to_string().cmp(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn grid(changing: &[&str]) -> Space<(usize, bool)> {
        let points = [8, 4, 16].into_iter().flat_map(|x| [(x, false), (x, true)]).collect();
        let describe = |&(x, b): &(usize, bool)| json!({"x": x, "b": b});
        Space::new(points, 2, changing, describe).expect("small")
    }

    #[test]
    fn neighbours_are_those_that_differ_least() {
        let space = grid(&[]);
        assert_eq!((space.len(), space.seeds(), space.points()[0]), (6, 2, (8, false)));
        let x = space.knobs().iter().find(|knob| knob.name == "x").expect("a field");
        assert_eq!(x.values, [json!(4), json!(8), json!(16)], "in their order");
        let to = |point| {
            space.distance(0, space.points().iter().position(|&p| p == point).expect("a point"))
        };
        assert_eq!((to((8, true)), to((4, false)), to((16, true))), ((1, 1), (1, 1), (2, 2)));
        let mut order = space.shuffled(3);
        assert_ne!(order, space.shuffled(4));
        order.sort_unstable();
        assert_eq!(order, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_could_change_a_result_is_not_tuned() {
        let space = grid(&["b"]);
        assert_eq!(space.points(), [(8, false), (4, false), (16, false)]);
        assert_eq!(space.seeds(), 1, "the seed that was left out counts no more");
        let tags: Vec<_> =
            space.knobs().iter().map(|k| (&*k.name, k.numerics, k.values.len())).collect();
        assert_eq!(tags, [("b", Numerics::Changing, 1), ("x", Numerics::Preserving, 3)]);
    }

    #[test]
    fn endless_spaces_are_refused() {
        let found = Space::new((0..MOST_POINTS + 1).collect(), 0, &[], |&n: &usize| n.into());
        assert_eq!(found.err(), Some(TooLarge { points: MOST_POINTS + 1 }));
    }
}
