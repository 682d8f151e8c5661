//! The ladder: from plain source to the fastest, one change a rung.
//!
//! The axis is the rate, logarithmic, and each rung's bar reaches from the rate of the rung
//! before to its own. So a bar's length is its factor, bars of the same factor have the same
//! length, and together they are as long as the total, which is drawn below as it was measured
//! on its own. A rung that made things slower goes backwards.

use super::super::model::{Arm, Cell, Rung, Total};
use super::super::number;
use super::super::svg::{Anchor, Log, Svg, tick_label};
use crate::workload::Kind;

const WIDTH: f64 = 1000.0;
const ROW: f64 = 30.0;
const TOP: f64 = 46.0;
/// Left and right ends of the axis; labels stand left of it, numbers right.
const AXIS: (f64, f64) = (206.0, 688.0);
/// Where factors and times begin.
const COLUMNS: (f64, f64) = (702.0, 862.0);

/// Draws the ladder of one cell.
pub(in super::super) fn ladder(cell: &Cell) -> String {
    let rows = cell.rungs.len() + usize::from(cell.total.is_some());
    let bottom = TOP + rows as f64 * ROW;
    let mut svg = Svg::new(WIDTH, bottom + 30.0);
    let axis = axis(cell);
    frame(&mut svg, cell, &axis, bottom);
    let mut before: Option<&Arm> = None;
    for (row, rung) in cell.rungs.iter().enumerate() {
        let y = TOP + (row as f64 + 0.5) * ROW;
        let arm = rung.arm.as_deref().and_then(|name| cell.arm(name));
        svg.text("label", (AXIS.0 - 12.0, y + 4.0), Anchor::End, &rung.label);
        draw_rung(&mut svg, &axis, y, (before, arm), rung);
        before = arm.or(before);
    }
    if let Some(total) = &cell.total {
        draw_total(&mut svg, &axis, bottom - 0.5 * ROW, (cell, total));
    }
    svg.finish(&format!("Ladder of {}: rate of each step from plain source on", cell.task.title))
}

fn axis(cell: &Cell) -> Log {
    let rates = cell.arms.iter().filter(|arm| on_ladder(cell, arm)).filter_map(|arm| arm.rate);
    let bounds =
        cell.arms.iter().filter(|arm| on_ladder(cell, arm)).filter_map(|a| a.bound.as_ref());
    let limits = bounds.map(|bound| bound.limit.median);
    Log::covering(rates.flat_map(|rate| [rate.lo, rate.hi]).chain(limits), AXIS)
}

fn on_ladder(cell: &Cell, arm: &Arm) -> bool {
    cell.rungs.iter().any(|rung| rung.arm.as_deref() == Some(arm.name.as_str()))
}

fn frame(svg: &mut Svg, cell: &Cell, axis: &Log, bottom: f64) {
    for tick in axis.ticks() {
        let x = axis.at(tick);
        svg.line("grid", (x, TOP), (x, bottom));
        svg.text("tick", (x, bottom + 14.0), Anchor::Middle, &tick_label(tick));
    }
    svg.line("axis", (AXIS.0, bottom), (AXIS.1, bottom));
    let unit = format!("{} (logarithmic)", cell.task.amount.unit);
    svg.text("tick", (AXIS.0 - 12.0, bottom + 14.0), Anchor::End, &unit);
    if cell.arms.iter().any(|arm| on_ladder(cell, arm) && arm.bound.is_some()) {
        let text = "dashed: what the roof of a rung allows it";
        svg.text("roof-label", (AXIS.1, TOP - 8.0), Anchor::End, text);
    }
    for (x, name) in [(COLUMNS.0, "factor"), (COLUMNS.1, "time a call")] {
        svg.text("head", (x, TOP - 8.0), Anchor::Start, name);
    }
}

fn draw_rung(svg: &mut Svg, axis: &Log, y: f64, arms: (Option<&Arm>, Option<&Arm>), rung: &Rung) {
    let (before, arm) = arms;
    let Some((arm, rate)) = arm.and_then(|arm| Some((arm, arm.rate?))) else {
        let note = rung.note.as_deref().unwrap_or("not measured");
        svg.text("note", (AXIS.0 + 10.0, y + 4.0), Anchor::Start, note);
        return;
    };
    let end = axis.at(rate.median);
    let tip = format!("{}: {} ", arm.title, number::plain(&rate));
    match before.and_then(|arm| arm.rate) {
        None => svg.dot(colour(arm), (end, y), 5.0, &tip),
        Some(from) => {
            let start = axis.at(from.median);
            let class = if end < start { "bar loss" } else { colour(arm) };
            svg.bar(class, (start, end), (y - 9.0, y + 9.0), &tip);
        }
    }
    svg.whisker_across((axis.at(rate.lo), axis.at(rate.hi)), y, 5.0);
    // Rungs have roofs of their own: other threads, other arithmetic, fewer bytes for each unit.
    if let Some(bound) = &arm.bound {
        let x = axis.at(bound.limit.median);
        svg.line("roof", (x, y - ROW / 2.0), (x, y + ROW / 2.0));
    }
    let factor = match (&rung.factor, &rung.note) {
        (Some(factor), _) => number::ratio(factor),
        (None, Some(note)) => note.clone(),
        (None, None) => "start".into(),
    };
    svg.text("value", (COLUMNS.0, y + 4.0), Anchor::Start, &factor);
    if let Some(time) = &arm.time {
        svg.text("value", (COLUMNS.1, y + 4.0), Anchor::Start, &number::time(time));
    }
}

fn draw_total(svg: &mut Svg, axis: &Log, y: f64, (cell, total): (&Cell, &Total)) {
    svg.text("label strong", (AXIS.0 - 12.0, y + 4.0), Anchor::End, "total, its own pair");
    let amount = cell.task.amount.work / 1e9;
    let start = axis.at(amount / total.from_time.median);
    let end = axis.at(amount / total.to_time.median);
    let tip = format!("measured {}; product {}", number::ratio(&total.measured), total.product);
    svg.bar("bar total", (start, end), (y - 5.0, y + 5.0), &tip);
    let whisker = (axis.at(amount / total.to_time.hi), axis.at(amount / total.to_time.lo));
    svg.whisker_across(whisker, y, 5.0);
    let text = number::ratio(&total.measured);
    svg.text("value strong", (COLUMNS.0, y + 4.0), Anchor::Start, &text);
    let product = format!("product {}", number::factor(total.product));
    svg.text("value", (COLUMNS.1, y + 4.0), Anchor::Start, &product);
}

fn colour(arm: &Arm) -> &'static str {
    match (arm.kind, arm.threads) {
        (Kind::PlainScalar, _) => "bar plain",
        (Kind::PlainVectorised, _) => "bar auto",
        (Kind::HandWritten, 1) => "bar hand",
        (Kind::HandWritten, _) => "bar team",
    }
}
