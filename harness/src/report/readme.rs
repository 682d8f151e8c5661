//! Fills the marked blocks of a README from a report, so that no number in it is ever typed.
//!
//! A block stands between `<!-- results:NAME -->` and `<!-- /results -->`, each on a line of its
//! own. Names:
//!
//! | name | what is written |
//! |---|---|
//! | `picture` | the picture of the report that lies beside it as `report.png` |
//! | `source` | machine, date, commit, where the report lies, how to measure it again |
//! | `headline` | one line a kernel: its factors over the fastest plain code, with times |
//! | `ladder-gemm`, `ladder-kmeans`, `ladder-stencil` | the rungs of that kernel's largest shape |
//! | `single`, `all` | every shape on one thread, and on all |
//! | `roofs` | the machine's limits |
//! | `rivals-gemm`, ... | that kernel beside other libraries: counts, and every cell that was lost |
//! | `accuracy-bert` | how good real models are in each precision |

use super::accuracy::Accuracy;
use super::model::{Cell, Headline, Report};
use super::view::{self, View};
use crate::peers::record::Record;
use crate::peers::table;
use std::collections::BTreeMap;
use tilewise_tuner::measure::Ratio;

/// What the blocks are filled from. Paths are as the README links them.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The report.
    pub report: Report,
    /// Where it lies.
    pub path: String,
    /// Records beside rivals and where they lie, by kernel.
    pub rivals: BTreeMap<String, (Record, String)>,
    /// How good models are, and where that lies, if the text asks for it.
    pub accuracy: Option<(Accuracy, String)>,
}

/// A README whose blocks cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name nobody knows.
    #[error("line {line}: no results are called {name:?}; see harness/src/report/readme.rs")]
    Unknown {
        /// Where.
        line: usize,
        /// The name.
        name: String,
    },
    /// A block that does not end before the next begins or the text ends.
    #[error("line {line}: the block {name:?} is not ended by <!-- /results -->")]
    Open {
        /// Where it begins.
        line: usize,
        /// The name.
        name: String,
    },
}

const END: &str = "<!-- /results -->";

const ACCURACY: &str = "accuracy-bert";

/// The name of the block that begins on this line.
fn opening(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("<!-- results:")?.strip_suffix("-->")?;
    Some(name.trim())
}

/// The kernels whose records beside rivals the text asks for.
pub fn rivals_wanted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(opening).filter_map(|name| name.strip_prefix("rivals-"))
}

/// Whether the text asks how good models are.
pub fn accuracy_is_wanted(text: &str) -> bool {
    text.lines().filter_map(opening).any(|name| name == ACCURACY)
}

/// The text with every block filled.
///
/// # Errors
/// [`Error`].
pub fn fill(text: &str, sources: &Sources) -> Result<String, Error> {
    let mut out = String::new();
    let mut open: Option<(usize, &str)> = None;
    for (line, content) in text.lines().enumerate().map(|(at, content)| (at + 1, content)) {
        match (open, opening(content)) {
            (Some((line, name)), Some(_)) => return Err(Error::Open { line, name: name.into() }),
            (Some(_), None) if content.trim() != END => continue,
            (Some(_), None) => open = None,
            (None, Some(name)) => {
                let block = block(name, sources);
                let block = block.ok_or_else(|| Error::Unknown { line, name: name.into() })?;
                out += &format!("{content}\n\n{}\n\n", block.trim_end());
                open = Some((line, name));
                continue;
            }
            (None, None) => {}
        }
        out += content;
        out.push('\n');
    }
    match open {
        Some((line, name)) => Err(Error::Open { line, name: name.into() }),
        None => Ok(out),
    }
}

fn block(name: &str, Sources { report, path, rivals, accuracy }: &Sources) -> Option<String> {
    if name == ACCURACY {
        let (record, path) = accuracy.as_ref()?;
        return Some(good(record, path));
    }
    if let Some(kernel) = name.strip_prefix("rivals-") {
        let (record, path) = rivals.get(kernel)?;
        return Some(beside(record, path));
    }
    Some(match name {
        "picture" => format!("![The report, its first page]({path}/report.png)"),
        "source" => View::of(report).source(path),
        "headline" => {
            let cards = view::summary(report, true);
            cards.iter().map(|card| format!("- {card}\n")).collect()
        }
        "single" => results(report, |headline| (&headline.single_arm, &headline.single)),
        "all" => results(report, |headline| (&headline.arm, &headline.factor)),
        "roofs" => view::roofs(&report.roofs).markdown(),
        _ => ladder(report, name.strip_prefix("ladder-")?)?,
    })
}

fn results<'r>(
    report: &'r Report,
    side: impl Fn(&'r Headline) -> (&'r String, &'r Ratio),
) -> String {
    let cells: Vec<&Cell> =
        view::kernels(report).flat_map(|kernel| report.cells_of(kernel)).collect();
    view::results(&cells, side).markdown()
}

/// A record beside rivals in short: where from, the counts, and what was lost, every cell of it.
fn beside(record: &Record, path: &str) -> String {
    let run = &record.run;
    let mut text = format!(
        "Measured on {} ({} threads), {}; every shape and everybody who took part: \
         [{path}/peers.md]({path}/peers.md). Measure the same again with `{}`.\n\n",
        run.cpu, run.threads_allowed, run.started, run.command
    );
    table::groups(&record.cells)
        .iter()
        .for_each(|group| text += &format!("- {}\n", table::summary(group)));
    for line in table::lost(&record.cells) {
        text += &format!("- Behind: {line}\n");
    }
    text
}

/// How good models are, and where that is from.
fn good(record: &Accuracy, path: &str) -> String {
    let Accuracy { cpu, isa, started, command, .. } = record;
    format!(
        "Measured on {cpu} ({isa}), {started}: [{path}/accuracy.json]({path}/accuracy.json). Measure \
         the same again with `{command}`.\n\n{}",
        record.markdown()
    )
}

fn ladder(report: &Report, kernel: &str) -> Option<String> {
    let cells = report.cells.iter().filter(|cell| cell.task.kernel == kernel);
    // The first of equals: a model's floats come before its bytes.
    let cell = cells.reduce(|most, cell| {
        let work = |cell: &Cell| cell.task.amount.work;
        if work(cell) > work(most) { cell } else { most }
    })?;
    Some(format!("{} ({}):\n\n{}", cell.task.title, cell.origin, view::rungs(cell).markdown()))
}

#[cfg(test)]
mod tests {
    use super::super::{accuracy, sample};
    use super::*;
    use crate::peers::entrant::Facts;
    use crate::peers::record;

    /// A record of one cell in which a rival was ahead.
    fn rivals(report: &Report) -> Record {
        let entry = |name: &str, factor: Option<f64>| record::Entry {
            facts: Facts {
                name: name.into(),
                title: name.into(),
                version: "1".into(),
                dtype: "u8 x i8 -> i32".into(),
                other_precision: false,
                timed: "calls".into(),
                recipe: None,
            },
            check: report.cells[0].arms[0].check.clone(),
            time: sample::estimate(1e-3),
            rate: sample::estimate(100.0),
            factor: factor.map(sample::ratio),
        };
        let cell = record::Cell {
            id: "gemm-1".into(),
            task: report.cells[0].task.clone(),
            threads: 1,
            entries: vec![entry("tilewise", None), entry("rival", Some(0.9))],
            absent: Vec::new(),
            rounds: 20,
            marked: 0,
            control: None,
        };
        let run = record::Run {
            schema: record::SCHEMA,
            command: "cargo bench".into(),
            started: report.started.clone(),
            seconds: 1.0,
            interrupted: false,
            seed: 1,
            cpu: report.environment.cpu.clone(),
            slug: report.environment.slug.clone(),
            threads_allowed: 2,
            machine: report.environment.machine.clone(),
            build: report.environment.build.clone(),
        };
        Record { run, cells: vec![cell] }
    }

    fn sources() -> Sources {
        let (report, path) = (sample::report(), "results/x".to_owned());
        let rivals = [("gemm".to_owned(), (rivals(&report), "results/y".to_owned()))];
        let accuracy = Some((accuracy::sample(), "results/z".to_owned()));
        Sources { report, path, rivals: rivals.into(), accuracy }
    }

    #[test]
    fn every_block_is_filled_and_filling_again_changes_nothing() {
        let names =
            ["picture", "source", "headline", "ladder-gemm", "ladder-kmeans", "ladder-stencil"];
        let names = names.iter().chain(&["single", "all", "roofs", "rivals-gemm", "accuracy-bert"]);
        let text: String =
            names.map(|name| format!("# {name}\n<!-- results:{name} -->\nold\n{END}\n")).collect();
        assert_eq!(rivals_wanted(&text).collect::<Vec<_>>(), ["gemm"]);
        assert!(accuracy_is_wanted(&text) && !accuracy_is_wanted("accuracy-bert"));
        let once = fill(&text, &sources()).expect("filled");
        assert!(!once.contains("\nold\n") && once.matches("# ").count() >= 9);
        assert!(once.contains("results/y/peers.md") && once.contains("- Behind: "), "{once}");
        assert!(once.contains("results/z/accuracy.json") && once.contains("| 79.6000 (-0.50 %)"));
        assert_eq!(fill(&once, &sources()), Ok(once));
    }

    #[test]
    fn unknown_and_open_blocks_are_refused() {
        let sources = sources();
        let fill = |text: &str| fill(text, &sources).expect_err("an error");
        let unknown = fill("<!-- results:luck -->\n<!-- /results -->\n");
        assert_eq!(unknown, Error::Unknown { line: 1, name: "luck".into() });
        assert!(matches!(fill("a\n<!-- results:roofs -->\n"), Error::Open { line: 2, .. }));
    }
}
