//! What a report may not claim, checked on the finished record.
//!
//! A failure means that a number is wrong or cannot be believed: the report says so at its top
//! and the command ends with status 1. A caution is something a reader should know first.

use super::model::{Arm, Cell, Report, Roof};
use super::number;
use tilewise_tuner::measure::stats::MIN_ROUNDS;

/// Roofs that moved by more than this between start and end are worth a word: the machine's
/// clock or its neighbours changed.
const DRIFT: f64 = 0.03;

/// An A/A interval wider than this hides differences that a reader would take for real.
const NOISE: f64 = 0.05;

/// Share of stolen time above which a virtual machine counts as disturbed.
const STEAL: f64 = 0.01;

/// Broken rules, one line each.
pub fn failures(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for cell in &report.cells {
        lines.extend(cell.arms.iter().filter_map(|arm| wrong(cell, arm)));
        let above = cell.arms.iter().filter(|arm| !disturbed(report, cell, arm));
        lines.extend(above.filter_map(|arm| above_roof(cell, arm, "count or roof is wrong")));
        if cell.headline.is_none() && cell.arms.iter().all(|arm| arm.check.passed()) {
            lines.push(format!("{}: no plain baseline to hold the result against", cell.id));
        }
    }
    lines
}

/// What weakens the numbers, one line each.
pub fn cautions(report: &Report) -> Vec<String> {
    let mut lines: Vec<_> = drift(&report.roofs).into_iter().collect();
    lines.extend(inverted(&report.roofs));
    for cell in &report.cells {
        let above = cell.arms.iter().filter(|arm| disturbed(report, cell, arm));
        lines.extend(above.filter_map(|arm| above_roof(cell, arm, "the roof was disturbed")));
    }
    lines.extend(crowded(&report.cells));
    lines.extend(report.cells.iter().filter_map(unresolved));
    lines.extend(report.cells.iter().filter_map(noise));
    lines.extend(report.cells.iter().filter_map(disagreement));
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

fn above_roof(cell: &Cell, arm: &Arm, why: &str) -> Option<String> {
    let (bound, rate) = (arm.bound.as_ref().filter(|bound| bound.exceeded)?, arm.rate?);
    Some(format!(
        "{}: {} reaches {} {}, above its roof {} of {}: {why}",
        cell.id,
        arm.title,
        number::plain(&rate),
        cell.task.amount.unit,
        bound.roof,
        number::plain(&bound.limit)
    ))
}

/// Whether an arm's roof cannot be held against it: the roof itself moved, or most rounds of the
/// cell were taken away from it.
fn disturbed(report: &Report, cell: &Cell, arm: &Arm) -> bool {
    let is_its = |roof: &&Roof| arm.bound.as_ref().is_some_and(|b| b.roof == roof.before.name);
    let change = report.roofs.iter().find(is_its).and_then(Roof::change);
    2 * cell.marked > cell.rounds || change.is_some_and(|change| change.abs() > DRIFT)
}

/// Roofs that moved, in one line: they usually all do, with the clock.
fn drift(roofs: &[Roof]) -> Option<String> {
    let moved = roofs.iter().filter_map(|roof| {
        let change = roof.change().filter(|change| change.abs() > DRIFT)?;
        Some((&roof.before, roof.after.as_ref()?, change))
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

/// Roofs that more threads lower, in one line: an idle machine hardly does that, a neighbour can.
fn inverted(roofs: &[Roof]) -> Option<String> {
    let lower = roofs.iter().filter_map(|many| {
        let is_one = |one: &&Roof| {
            let (one, many) = (&one.before, &many.before);
            one.threads == 1 && (one.quantity, one.isa) == (many.quantity, many.isa)
        };
        let one = roofs.iter().find(is_one)?;
        let share = many.rate().median / one.rate().median;
        (share < 1.0 - DRIFT).then_some((many, one, share))
    });
    let lower: Vec<_> = lower.collect();
    let (many, one, _) = lower.iter().min_by(|a, b| a.2.total_cmp(&b.2))?;
    Some(format!(
        "{} of {} roofs are lower on more threads than on one, most of all {}: {} against {} {}; \
         a neighbour may have had a core",
        lower.len(),
        roofs.len(),
        many.before.name,
        number::digits(many.rate().median),
        number::digits(one.rate().median),
        many.before.unit
    ))
}

/// Rounds in which threads shared a core, in one line: they come and go for all cells alike.
fn crowded(cells: &[Cell]) -> Option<String> {
    let sum = |count: fn(&Cell) -> usize| cells.iter().map(count).sum::<usize>();
    let (crowded, rounds) = (sum(|cell| cell.crowded), sum(|cell| cell.rounds));
    (crowded > 0).then(|| {
        format!(
            "in {crowded} of {rounds} rounds the threads had clearly less than a core each, which \
             no count of stolen time shows; those rounds are marked as disturbed"
        )
    })
}

/// A cell with marked rounds and too few others: none of its factors is resolved.
fn unresolved(cell: &Cell) -> Option<String> {
    let Cell { id, marked, rounds, .. } = cell;
    (*marked > 0 && rounds.saturating_sub(*marked) < MIN_ROUNDS).then(|| {
        format!(
            "{id}: {marked} of {rounds} rounds were disturbed, too few are left to resolve anything"
        )
    })
}

fn noise(cell: &Cell) -> Option<String> {
    let control = cell.control.as_ref()?;
    let ratio = number::ratio(control);
    let shifted = control.lo > 1.0 || control.hi < 1.0;
    (shifted || control.hi / control.lo > 1.0 + NOISE).then(|| {
        format!("{}: an arm against itself came out {ratio}; believe nothing smaller", cell.id)
    })
}

fn disagreement(cell: &Cell) -> Option<String> {
    let total = cell.total.as_ref().filter(|total| !total.agrees)?;
    let (product, measured) = (number::factor(total.product), number::ratio(&total.measured));
    let ladder = total.ladder.as_ref().map(number::ratio);
    let ladder = ladder.map(|ladder| format!(", within the ladder {ladder}"));
    Some(format!(
        "{}: the rungs multiply to {product}, their pair measured {measured}{}",
        cell.id,
        ladder.unwrap_or_default()
    ))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use tilewise_tuner::measure::{Estimate, Ratio};

    /// A report in which one arm lies above its own roof.
    fn above() -> Report {
        let mut report = sample::report();
        let roof = report.roofs[0].before.name.clone();
        let bound = report.cells[0].arms.last_mut().and_then(|arm| arm.bound.as_mut());
        let bound = bound.expect("ours is bounded");
        (bound.roof, bound.exceeded) = (roof, true);
        report
    }

    #[test]
    fn a_rate_above_its_roof_fails_a_quiet_report_only() {
        let named =
            |lines: Vec<String>| lines.iter().filter(|l| l.contains("above its roof")).count();
        let judged = |report: &Report| (named(failures(report)), named(cautions(report)));
        let quiet = above();
        assert_eq!(judged(&quiet), (1, 0));
        let mut drifted = above();
        drifted.roofs[0].after.as_mut().expect("measured twice").value *= 1.2;
        assert_eq!(judged(&drifted), (0, 1));
        let mut marked = above();
        marked.cells[0].marked = marked.cells[0].rounds;
        assert_eq!(judged(&marked), (0, 1));
    }

    #[test]
    fn wide_controls_and_disturbed_cells_are_named() {
        let mut report = sample::report();
        let before = cautions(&report).len();
        let wide = Estimate { median: 1.0, lo: 0.15, hi: 4.55, rounds: 20 };
        report.cells[0].control = Some(Ratio::new(wide, None));
        report.cells[1].marked = report.cells[1].rounds - 5;
        let after = cautions(&report);
        assert_eq!(after.len(), before + 2);
        assert!(after.iter().any(|line| line.contains("15 of 20 rounds were disturbed")));
    }

    #[test]
    fn every_moved_roof_counts_and_more_threads_must_not_be_slower() {
        let mut report = sample::report();
        let roof = report.roofs.last_mut().expect("roofs");
        // An interval as wide as the change hides nothing.
        let after = roof.after.as_mut().expect("measured twice");
        (after.value, after.lo) = (roof.before.value * 1.05, roof.before.lo);
        assert!(drift(&report.roofs).is_some_and(|line| line.starts_with("1 of 16")));
        let (higher, before) = (report.roofs[15].rate().median, report.roofs[15].before.value);
        assert_eq!(higher, before * 1.05, "the higher end, not the mean");
        assert_eq!(inverted(&report.roofs), None);
        let one = report.roofs[7].rate().median;
        report.roofs[15].after = None;
        report.roofs[15].before.value = one * 0.9;
        assert!(inverted(&report.roofs).is_some_and(|line| line.starts_with("1 of 16")));
    }
}
