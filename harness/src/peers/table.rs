//! `peers.md`: the record as people read it, what was lost before what was won.

use super::record::{Cell, Entry, Record};
use crate::report::number;
use crate::report::{Table, flatten};
use crate::workload::Cache;
use std::collections::BTreeMap;
use tilewise_tuner::measure::{Ratio, Verdict, stats};

/// Cells that share a table: one kernel, number of threads and state of the caches.
pub(crate) struct Group<'r> {
    title: String,
    cells: Vec<&'r Cell>,
}

impl Group<'_> {
    /// What its cells have in common.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }
}

/// The whole text.
pub fn page(record: &Record) -> String {
    let run = &record.run;
    let groups = groups(&record.cells);
    let mut text = format!(
        "# tilewise beside rivals, on {}\n\n{}, {}, seed {}. Every row is one session in which all \
         took turns; `[a, b]` is the exact 95 % interval of the median. A factor is how many times \
         as fast tilewise is, taken within each round. Measure the same again: `{}`\n\n",
        run.cpu,
        run.started,
        number::seconds(run.seconds),
        run.seed,
        run.command
    );
    if run.interrupted {
        text += "It was interrupted: cells are missing.\n\n";
    }
    groups.iter().for_each(|group| text += &format!("- {}\n", summary(group)));
    text += &list("Behind", "Nowhere.", lost(&record.cells));
    let ties = tied(&record.cells);
    text += &list("Not resolved: the interval holds 1, or rounds were disturbed", "None.", ties);
    text += &list("Did not take part", "All did.", absent(&record.cells));
    for group in &groups {
        text += &format!("\n## {}\n\n{}\n{}", group.title, best(group).markdown(), all(group));
    }
    text += &format!("\n## Who took part\n\n{}", entrants(&record.cells).markdown());
    let mut facts = flatten("", &run.machine);
    facts.extend(flatten("build", &run.build));
    let rows = facts.into_iter().map(|(name, value)| vec![name, value]).collect();
    text + &format!("\n## Machine and build\n\n{}", Table::new(&["what", "value"], rows).markdown())
}

/// One cell in a line, for whoever waits for the next.
pub fn line(cell: &Cell) -> String {
    let ours = cell.ours().map(|ours| rate(cell, ours)).unwrap_or_default();
    let best = cell.best().map_or_else(
        || "nobody beside it".into(),
        |(entry, factor)| {
            format!("{} {}: {}", entry.facts.title, rate(cell, entry), verdict(factor))
        },
    );
    format!("{}: tilewise {ours}; {best}", label(cell))
}

fn label(cell: &Cell) -> String {
    let Cell { task, threads, .. } = cell;
    format!("{} {}, {}, {}", task.kernel, task.title, number::threads(*threads), cache(cell))
}

fn cache(cell: &Cell) -> &'static str {
    match cell.task.cache {
        Cache::Hot => "hot",
        Cache::Cold => "cold",
    }
}

fn rate(cell: &Cell, entry: &Entry) -> String {
    format!("{} {}", number::plain(&entry.rate), cell.task.amount.unit)
}

fn verdict(factor: &Ratio) -> String {
    format!("{}, {}", number::ratio(factor), factor.verdict)
}

/// Cells by table, in the order of time.
pub(crate) fn groups(cells: &[Cell]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for cell in cells {
        let Cell { task, threads, .. } = cell;
        let title = format!("{}, {}, {}", task.kernel, number::threads(*threads), cache(cell));
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.cells.push(cell),
            None => groups.push(Group { title, cells: vec![cell] }),
        }
    }
    groups
}

/// Counts against the best rival of each shape, and geometric means over them.
pub(crate) fn summary(Group { title, cells }: &Group<'_>) -> String {
    let best: Vec<_> = cells.iter().filter_map(|cell| Some((*cell, cell.best()?.1))).collect();
    let count = |verdict| best.iter().filter(|(_, factor)| factor.verdict == verdict).count();
    let mut parts = vec![format!(
        "against the best rival of each shape: ahead in {}, not resolved in {}, behind in {} of {}",
        count(Verdict::Faster),
        count(Verdict::NotResolved),
        count(Verdict::Slower),
        best.len()
    )];
    let rows = |cell: &Cell| cell.task.shape.get("m").and_then(serde_json::Value::as_u64);
    let ranges = [("M >= 128", 128..=u64::MAX), ("M <= 16", 0..=16)];
    for (name, within) in ranges {
        let factors =
            best.iter().filter(|(cell, _)| rows(cell).is_some_and(|m| within.contains(&m)));
        let factors: Vec<f64> = factors.map(|(_, factor)| factor.median).collect();
        if let Some(mean) = stats::geometric_mean(&factors) {
            let mean = number::factor(mean);
            parts.push(format!("geometric mean {mean} over {} shapes of {name}", factors.len()));
        }
    }
    format!("{title}: {}", parts.join("; "))
}

/// Who was faster than us.
pub(crate) fn lost(cells: &[Cell]) -> Vec<String> {
    against(cells, Verdict::Slower)
}

/// Against whom nothing is resolved.
pub(crate) fn tied(cells: &[Cell]) -> Vec<String> {
    against(cells, Verdict::NotResolved)
}

fn against(cells: &[Cell], verdict: Verdict) -> Vec<String> {
    let line = |cell: &Cell, entry: &Entry, factor: &Ratio| {
        let ours = cell.ours().map(|ours| number::time(&ours.time)).unwrap_or_default();
        let (title, time) = (&entry.facts.title, number::time(&entry.time));
        format!("{}: {} against {title}: {ours} against {time}", label(cell), number::ratio(factor))
    };
    let lines = |cell| {
        let with = Cell::with(cell, verdict);
        with.map(move |(entry, factor)| line(cell, entry, factor))
    };
    cells.iter().flat_map(lines).collect()
}

/// Each reason once, with the number of cells.
pub(crate) fn absent(cells: &[Cell]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for absent in cells.iter().flat_map(|cell| &cell.absent) {
        *counts.entry((&absent.name, &absent.reason)).or_default() += 1;
    }
    let all = cells.len();
    let line = |((name, reason), count)| format!("{name}, in {count} of {all} cells: {reason}");
    counts.into_iter().map(line).collect()
}

fn list(title: &str, none: &str, lines: Vec<String>) -> String {
    let lines: String = lines.iter().map(|line| format!("- {line}\n")).collect();
    let body = if lines.is_empty() { format!("{none}\n") } else { lines };
    format!("\n## {title}\n\n{body}")
}

/// Ourselves beside the best rival of each shape.
pub(crate) fn best(group: &Group<'_>) -> Table {
    let head =
        ["shape", "tilewise", "time", "best rival", "its rate", "its time", "factor", "verdict"];
    let row = |cell: &&Cell| {
        let ours = cell.ours();
        let best = cell.best();
        let entry = best.map(|(entry, _)| entry);
        let text = |value: Option<String>| value.unwrap_or_else(|| "none".into());
        vec![
            cell.task.title.clone(),
            text(ours.map(|ours| rate(cell, ours))),
            text(ours.map(|ours| number::time(&ours.time))),
            text(entry.map(|entry| entry.facts.title.clone())),
            text(entry.map(|entry| rate(cell, entry))),
            text(entry.map(|entry| number::time(&entry.time))),
            text(best.map(|(_, factor)| number::ratio(factor))),
            text(best.map(|(_, factor)| factor.verdict.to_string())),
        ]
    };
    Table::new(&head, group.cells.iter().map(row).collect())
}

/// Everybody's rate and our factor.
fn all(group: &Group<'_>) -> String {
    let entries = group.cells.iter().flat_map(|cell| &cell.entries);
    let mut names: Vec<&str> = Vec::new();
    for entry in entries.filter(|entry| entry.factor.is_some()) {
        if !names.contains(&entry.facts.name.as_str()) {
            names.push(&entry.facts.name);
        }
    }
    let row = |cell: &&Cell| {
        let entry = |name: &&str| {
            let entry = cell.entries.iter().find(|entry| entry.facts.name == **name)?;
            let factor = number::ratio(entry.factor.as_ref()?);
            Some(format!("{}; {factor}", number::digits(entry.rate.median)))
        };
        let others = names.iter().map(|name| entry(name).unwrap_or_else(|| "none".into()));
        let noise = cell.control.as_ref().map(number::ratio).unwrap_or_default();
        let ours = cell.ours().map(|ours| number::digits(ours.rate.median)).unwrap_or_default();
        let first = [cell.task.title.clone(), ours];
        let rounds = format!("{} ({} marked)", cell.rounds, cell.marked);
        first.into_iter().chain(others).chain([noise, rounds]).collect()
    };
    let head = ["shape", "tilewise"].into_iter().chain(names.iter().copied());
    let head: Vec<&str> = head.chain(["A/A", "rounds"]).collect();
    Table::new(&head, group.cells.iter().map(row).collect()).markdown()
}

/// Everybody, with versions and what is inside their clocks.
pub(crate) fn entrants(cells: &[Cell]) -> Table {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for entry in cells.iter().flat_map(|cell| &cell.entries) {
        let facts = &entry.facts;
        let dtype = match facts.other_precision {
            true => format!("{} (another precision)", facts.dtype),
            false => facts.dtype.clone(),
        };
        let (name, title) = (facts.name.clone(), facts.title.clone());
        let row = vec![name, title, facts.version.clone(), dtype, facts.timed.clone()];
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    Table::new(&["name", "what", "version", "numbers", "inside the clock"], rows)
}
