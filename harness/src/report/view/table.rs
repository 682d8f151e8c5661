//! Tables as rows of text, drawn alike in HTML and Markdown.

use super::super::model::{Cell, Headline, Roof};
use super::super::number;
use super::title;
use crate::roofs::Roof as Limit;
use crate::workload::{Check, Recipe};
use serde::Serialize;
use tilewise_tuner::measure::Ratio;

/// A heading and rows of equal length.
#[derive(Serialize)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Of rows as long as the head.
    pub(crate) fn new(head: &[&str], rows: Vec<Vec<String>>) -> Table {
        Table { head: head.iter().map(ToString::to_string).collect(), rows }
    }

    /// As Markdown.
    pub(crate) fn markdown(&self) -> String {
        let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
        let rule = line(vec!["---"; self.head.len()]);
        let rows = self.rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
        let head = line(self.head.iter().map(String::as_str).collect());
        format!("{head}{rule}{}", rows.collect::<String>())
    }
}

/// One row a cell: ours against the fastest plain arm, both absolute times beside the ratio.
pub(in super::super) fn results<'c>(
    cells: &[&'c Cell],
    side: impl Fn(&'c Headline) -> (&'c String, &'c Ratio),
) -> Table {
    let head = [
        "shape",
        "fastest plain",
        "its time",
        "tilewise",
        "rate",
        "factor",
        "verdict",
        "share of roof",
        "recipe",
    ];
    let head = head.map(String::from);
    let rows = cells.iter().map(|cell| {
        let missing = || vec![cell.task.title.clone(), "no result".into()];
        let mut row = result(cell, &side).unwrap_or_else(missing);
        row.resize(head.len(), String::new());
        row
    });
    Table { rows: rows.collect(), head: head.into() }
}

fn result<'c>(
    cell: &'c Cell,
    side: &impl Fn(&'c Headline) -> (&'c String, &'c Ratio),
) -> Option<Vec<String>> {
    let headline = cell.headline.as_ref()?;
    let (name, ratio) = side(headline);
    let (arm, base) = (cell.arm(name)?, cell.arm(&headline.baseline)?);
    Some(vec![
        cell.task.title.clone(),
        base.title.clone(),
        number::time(base.time.as_ref()?),
        number::time(arm.time.as_ref()?),
        format!("{} {}", number::plain(arm.rate.as_ref()?), cell.task.amount.unit),
        number::with_quiet(ratio),
        ratio.verdict.to_string(),
        arm.bound.as_ref().map_or_else(
            || "not bounded".into(),
            |bound| {
                // Instruction set and threads are those of the row.
                let roof = bound.roof.split(',').next().unwrap_or(&bound.roof);
                format!("{} of {roof}", number::share(&bound.share))
            },
        ),
        recipe(arm.recipe.as_ref()),
    ])
}

/// One row a rung.
pub(in super::super) fn rungs(cell: &Cell) -> Table {
    let rate = format!("rate, {}", cell.task.amount.unit);
    let head = ["rung", "what runs", "time", &rate, "factor", "verdict", "recipe", "check"];
    let mut head: Vec<String> = head.map(String::from).into();
    let moving = cell.arms.iter().any(|arm| arm.traffic.is_some());
    if moving {
        head.push("bytes an update".into());
    }
    let rows = cell.rungs.iter().map(|rung| {
        let mut row = vec![rung.label.clone()];
        if let Some(arm) = rung.arm.as_deref().and_then(|name| cell.arm(name)) {
            let factor = rung.factor.as_ref();
            row.extend([
                format!("{}, {}, {} thr.", title(cell, &arm.name), arm.isa, arm.threads),
                arm.time.as_ref().map_or_else(|| "none".into(), number::time),
                arm.rate.as_ref().map_or_else(|| "none".into(), number::plain),
                factor.map_or_else(|| rung.note.clone().unwrap_or_default(), number::with_quiet),
                factor.map(|factor| factor.verdict.to_string()).unwrap_or_default(),
                recipe(arm.recipe.as_ref()),
                check(&arm.check),
            ]);
            row.extend(arm.traffic.map(|traffic| number::digits(traffic.expected)));
        } else {
            row.push(rung.note.clone().unwrap_or_default());
        }
        row.resize(head.len(), String::new());
        row
    });
    Table { rows: rows.collect(), head }
}

/// Whether a result was right, and how right it had to be where it need not be equal to the bit.
fn check(check: &Check) -> String {
    let Check { compared, max_error, tolerance, ref output_digest, .. } = *check;
    let verdict = if check.passed() { "right" } else { "WRONG" };
    let near = match tolerance {
        0.0 => String::new(),
        _ => format!(" within {}, off by {}", number::digits(tolerance), number::digits(max_error)),
    };
    format!("{verdict}: {compared} values{near}, digest {output_digest}")
}

/// One row a roof.
pub(in super::super) fn roofs(roofs: &[Roof]) -> Table {
    let head = ["roof", "before", "after", "unit"].map(String::from);
    let rate = |limit: &Limit| {
        let [value, lo, hi] = [limit.value, limit.lo, limit.hi].map(number::digits);
        format!("{value} [{lo}, {hi}]")
    };
    let rows = roofs.iter().map(|Roof { before, after }| {
        vec![
            before.name.clone(),
            rate(before),
            after.as_ref().map_or_else(|| "not measured".into(), rate),
            before.unit.clone(),
        ]
    });
    Table { rows: rows.collect(), head: head.into() }
}

/// What the numbers of roofs cannot separate: each remark once, behind what it is about.
pub(in super::super) fn roof_notes(roofs: &[Roof]) -> Vec<String> {
    let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
    for Roof { before, .. } in roofs {
        let Some(note) = before.note.as_deref() else { continue };
        let name = before.quantity.to_string();
        match lines.iter_mut().find(|(other, _)| *other == note) {
            Some((_, names)) if names.contains(&name) => {}
            Some((_, names)) => names.push(name),
            None => lines.push((note, vec![name])),
        }
    }
    lines.into_iter().map(|(note, names)| format!("{}: {note}", names.join(", "))).collect()
}

fn recipe(recipe: Option<&Recipe>) -> String {
    recipe.map(|recipe| format!("{} ({})", recipe.text, recipe.source)).unwrap_or_default()
}
