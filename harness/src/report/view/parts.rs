//! Where the time of a call goes, and how much of a kernel's factor is left of the whole.

use super::super::model::{Arm, Cell, PartTime, Rung};
use super::super::number;
use super::{Table, title};
use tilewise_tuner::measure::Estimate;

/// One row a part, one column an arm of the ladder; none where no arm noted any.
pub(super) fn table(cell: &Cell) -> Option<Table> {
    let arms: Vec<&Arm> = on_ladder(cell).map(|(_, arm)| arm).collect();
    let parts = &arms.first()?.parts;
    let mut head = vec!["part"];
    head.extend(arms.iter().map(|arm| title(cell, &arm.name)));
    let row = |name: &str, time: &dyn Fn(&Arm) -> Option<Estimate>| -> Vec<String> {
        let times = arms.iter().map(|arm| time(arm).as_ref().map_or("none".into(), number::time));
        [name.to_owned()].into_iter().chain(times).collect()
    };
    let mut rows = vec![row("everything, as timed", &|arm| arm.time)];
    let of = |part: &PartTime| row(&part.name, &|arm| Some(part_of(arm, &part.name)?.time));
    rows.extend(parts.iter().map(of));
    Some(Table::new(&head, rows))
}

/// For every step of the ladder, the factor of its largest part beside that of the whole.
pub(super) fn shares(cell: &Cell) -> Vec<String> {
    let arms: Vec<(&Rung, &Arm)> = on_ladder(cell).collect();
    let line = |pair: &[(&Rung, &Arm)]| {
        let [(_, from), (rung, to)] = pair else { return None };
        let whole = rung.factor.as_ref()?;
        let kernel = to.parts.first()?;
        let factor = quotient(&part_of(from, &kernel.name)?.time, &kernel.time);
        Some(format!(
            "{}: {} alone {} [{}, {}], the whole pass {}",
            rung.label,
            kernel.name,
            number::factor(factor.median),
            number::digits(factor.lo),
            number::digits(factor.hi),
            number::with_quiet(whole),
        ))
    };
    arms.windows(2).filter_map(line).collect()
}

/// The arms of the ladder that noted where their time went.
fn on_ladder(cell: &Cell) -> impl Iterator<Item = (&Rung, &Arm)> {
    let arms = cell.rungs.iter().filter_map(|rung| Some((rung, cell.arm(rung.arm.as_deref()?)?)));
    arms.filter(|(_, arm)| !arm.parts.is_empty())
}

fn part_of<'a>(arm: &'a Arm, name: &str) -> Option<&'a PartTime> {
    arm.parts.iter().find(|part| part.name == name)
}

/// How many times as long one takes as the other. They were not taken in pairs, so each may lie
/// anywhere in its interval.
fn quotient(slow: &Estimate, fast: &Estimate) -> Estimate {
    Estimate {
        median: slow.median / fast.median,
        lo: slow.lo / fast.hi,
        hi: slow.hi / fast.lo,
        rounds: slow.rounds.min(fast.rounds),
    }
}
