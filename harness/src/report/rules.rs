//! What a report may not claim, checked on the finished record.
//!
//! A failure means that a number is wrong or cannot be believed: the report says so at its top
//! and the command ends with status 1. A caution is something a reader should know first.

use super::model::{Arm, Cell, Report, Roof};
use super::number;

/// Roofs that moved by more than this between start and end are worth a word: the machine's
/// clock or its neighbours changed.
const DRIFT: f64 = 0.03;

/// Share of stolen time above which a virtual machine counts as disturbed.
const STEAL: f64 = 0.01;

/// Broken rules, one line each.
pub fn failures(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in &report.cells {
        lines.extend(cell.arms.iter().filter_map(|arm| wrong(cell, arm)));
        lines.extend(cell.arms.iter().filter_map(|arm| above_roof(cell, arm)));
        if cell.headline.is_none() && cell.arms.iter().all(|arm| arm.check.passed()) {
            lines.push(format!("{}: no plain baseline to hold the result against", cell.id));
        }
    }
    lines
}

/// What weakens the numbers, one line each.
pub fn cautions(report: &Report) -> Vec<String> {
    let mut lines: Vec<_> = drift(&report.roofs).into_iter().collect();
    lines.extend(report.cells.iter().filter_map(noise));
    lines.extend(report.cells.iter().filter_map(disagreement));
    lines.extend(report.skipped.iter().map(|cell| format!("{}: {}", cell.id, cell.reason)));
    if let Some(steal) = report.environment.steal_share.filter(|steal| *steal > STEAL) {
        let share = number::percent(steal);
        lines.push(format!("the hypervisor gave {share} of the core time to others"));
    }
    lines
}

fn wrong(cell: &Cell, arm: &Arm) -> Option<String> {
    (!arm.check.passed()).then(|| {
        format!(
            "{}: {} gives a wrong result (largest error {:e}, allowed {:e}); no time is printed",
            cell.id, arm.title, arm.check.max_error, arm.check.tolerance
        )
    })
}

fn above_roof(cell: &Cell, arm: &Arm) -> Option<String> {
    let (bound, rate) = (arm.bound.as_ref().filter(|bound| bound.exceeded)?, arm.rate?);
    Some(format!(
        "{}: {} reaches {} {}, above its roof {} of {}: count or roof is wrong",
        cell.id,
        arm.title,
        number::plain(&rate),
        cell.task.amount.unit,
        bound.roof,
        number::plain(&bound.limit)
    ))
}

/// Roofs that moved, in one line: they usually all do, with the clock.
fn drift(roofs: &[Roof]) -> Option<String> {
    let moved = roofs.iter().filter_map(|Roof { before, after }| {
        let after = after.as_ref()?;
        let apart = after.lo > before.hi || after.hi < before.lo;
        let change = after.value / before.value - 1.0;
        (apart && change.abs() > DRIFT).then_some((before, after, change))
    });
    let moved: Vec<_> = moved.collect();
    let (before, after, _) = moved.iter().max_by(|a, b| a.2.abs().total_cmp(&b.2.abs()))?;
    Some(format!(
        "{} of {} roofs moved by more than {} during the run, most of all {}: from {} to {} {}",
        moved.len(),
        roofs.len(),
        number::percent(DRIFT),
        before.name,
        number::digits(before.value),
        number::digits(after.value),
        before.unit
    ))
}

fn noise(cell: &Cell) -> Option<String> {
    let control = cell.control.filter(|control| control.lo > 1.0 || control.hi < 1.0)?;
    let ratio = number::ratio(&control);
    Some(format!("{}: an arm against itself came out {ratio}; believe nothing smaller", cell.id))
}

fn disagreement(cell: &Cell) -> Option<String> {
    let total = cell.total.as_ref().filter(|total| !total.agrees)?;
    let (product, measured) = (number::factor(total.product), number::ratio(&total.measured));
    Some(format!("{}: the rungs multiply to {product}, their pair measured {measured}", cell.id))
}
