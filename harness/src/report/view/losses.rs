//! Results that went against us: they are shown before the others, each once.

use super::super::model::{Cell, Comparison, Headline};
use super::super::number;
use super::{against, comparison, title};
use std::collections::HashSet;
use tilewise_tuner::measure::{Ratio, Verdict};

/// Slower arm and its base: a pair may be headline, comparison and rung at once.
type Pair<'c> = (&'c str, &'c str);

/// One line a loss; what is not resolved against plain code counts as one.
pub(super) fn losses(cell: &Cell) -> Vec<String> {
    let wrong = cell.arms.iter().filter(|arm| !arm.check.passed());
    let mut lines: Vec<_> =
        wrong.map(|arm| format!("{} is wrong, so it has no time", arm.title)).collect();
    let all = cell.headline.iter().flat_map(|headline| against_plain(cell, headline));
    let all = all.chain(cell.comparisons.iter().filter_map(|pair| beside(cell, pair)));
    let mut said = HashSet::new();
    let first = all.chain(slower_rungs(cell)).filter(|(pair, _)| said.insert(*pair));
    lines.extend(first.map(|(_, line)| line));
    lines.into_iter().map(|line| format!("{}: {line}", cell.task.title)).collect()
}

fn against_plain<'c>(cell: &'c Cell, headline: &'c Headline) -> Vec<(Pair<'c>, String)> {
    let Headline { baseline, arm, factor, single_arm, single } = headline;
    let sides = [(arm, factor), (single_arm, single)].into_iter();
    let lost = sides.filter(|(_, ratio)| ratio.verdict != Verdict::Faster);
    let line = |(name, ratio): (&'c String, _)| {
        let (arm, base) = (title(cell, name), title(cell, baseline));
        let line = format!("{arm} against {base}: {}", times(cell, ratio, (name, baseline)));
        ((name.as_str(), baseline.as_str()), line)
    };
    lost.map(line).collect()
}

fn beside<'c>(cell: &Cell, pair: &'c Comparison) -> Option<(Pair<'c>, String)> {
    let line = cell.lost_beside(pair).then(|| comparison(cell, pair))??;
    Some(((&pair.to, &pair.from), line))
}

/// A ratio with both absolute times.
fn times(cell: &Cell, ratio: &Ratio, (arm, base): Pair<'_>) -> String {
    let arms = cell.arm(arm).zip(cell.arm(base));
    let text = arms.and_then(|(arm, base)| against(ratio, arm, base));
    text.unwrap_or_else(|| number::verdict(ratio))
}

fn slower_rungs(cell: &Cell) -> Vec<(Pair<'_>, String)> {
    let mut before = "";
    let mut lines = Vec::new();
    for rung in &cell.rungs {
        let Some(arm) = rung.arm.as_deref() else { continue };
        if let Some(factor) = rung.factor.filter(|factor| factor.hi < 1.0) {
            let (label, times) = (&rung.label, times(cell, &factor, (arm, before)));
            let line = format!("the rung \"{label}\" made it slower: {times}");
            lines.push(((arm, before), line));
        }
        before = arm;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;
    use tilewise_tuner::measure::{Estimate, Ratio};

    #[test]
    fn what_is_not_surely_faster_is_a_loss_and_told_once() {
        let mut cell = sample::report().cells.swap_remove(0);
        assert_eq!(losses(&cell), Vec::<String>::new());
        // All rounds say faster, and too few quiet ones are left to agree.
        let all = Estimate { median: 1.2, lo: 1.1, hi: 1.3, rounds: 20 };
        let ratio = Ratio::new(all, Some(None));
        let headline = cell.headline.as_mut().expect("the sample has one");
        headline.arm.clone_from(&headline.single_arm);
        (headline.factor, headline.single) = (ratio, ratio);
        let lines = losses(&cell);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("not resolved") && cell.lost());
    }
}
