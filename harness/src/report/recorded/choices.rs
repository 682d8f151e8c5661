//! What single choices are worth: threads, schemes, forms of kernels.

use super::super::Table;
use super::{Findings, Named};
use serde_json::Value;

/// The fields of recipes that are choices, not sizes.
const CHOICES: [&str; 9] = [
    "form",
    "bounds",
    "split",
    "scheme",
    "depth",
    "side_by_side",
    "registers",
    "streaming",
    "threads",
];

const INTRODUCTION: &str = "
## What choices are worth

The fastest point with each value of a choice, as a multiple of the default's speed: what is lost by
who may not or does not make it. Each is the best of many, and so a little flattered. Choices with
one value are left out. A split is rows by columns.

";

/// The section of the page.
pub(super) fn section(recordings: &[Named], found: &[Findings]) -> String {
    let rows = recordings.iter().zip(found).flat_map(|((title, recording), findings)| {
        let worth = |field| (field, worth(field, &recording.points, &findings.truth));
        let choices = CHOICES.into_iter().map(worth).filter(|(_, worth)| worth.len() > 1);
        choices.map(|(field, worth)| {
            let speeds = worth.iter().map(|(name, speed)| format!("{name}: {speed:.2}x"));
            vec![title.clone(), field.to_owned(), speeds.collect::<Vec<_>>().join(", ")]
        })
    });
    let table = Table::new(&["space", "choice", "fastest with each value"], rows.collect());
    format!("{INTRODUCTION}{}", table.markdown())
}

/// The values of a field, in the order they come, with the speed of the fastest point that has each;
/// `seconds` are those of the points.
fn worth(field: &str, points: &[Value], seconds: &[f64]) -> Vec<(String, f64)> {
    let mut found: Vec<(String, f64)> = Vec::new();
    for (point, time) in points.iter().zip(seconds) {
        let Some(value) = point.get(field) else { continue };
        let (name, speed) = (name(value), seconds[0] / time);
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, best)) => *best = best.max(speed),
            None => found.push((name, speed)),
        }
    }
    found
}

/// A value as a reader wants it.
fn name(value: &Value) -> String {
    match (value, value.get("rows"), value.get("columns")) {
        (_, Some(rows), Some(columns)) => format!("{rows}x{columns}"),
        (Value::String(text), ..) => text.clone(),
        (other, ..) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_worth_its_fastest_point() {
        let point = |threads: usize, tile: usize| json!({"threads": threads, "tile": tile});
        let points = [point(2, 1), point(1, 1), point(1, 2), point(2, 2)];
        let found = worth("threads", &points, &[1.0, 4.0, 2.0, 0.5]);
        assert_eq!(found, [("2".to_owned(), 2.0), ("1".to_owned(), 0.5)]);
        assert_eq!(worth("scheme", &points, &[1.0; 4]), []);
    }

    #[test]
    fn values_have_names_a_reader_knows() {
        assert_eq!(name(&json!({"columns": 1, "rows": 4})), "4x1");
        assert_eq!(name(&json!("skewed")), "skewed");
        assert_eq!(name(&json!(true)), "true");
    }
}
