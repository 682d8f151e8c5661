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

use super::model::{Cell, Headline, Report};
use super::view::{self, View};
use tilewise_tuner::measure::Ratio;

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

/// The text with every block filled. `path` is where the report lies, as the README links it.
///
/// # Errors
/// [`Error`].
pub fn fill(text: &str, report: &Report, path: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut open: Option<(usize, &str)> = None;
    for (line, content) in text.lines().enumerate().map(|(at, content)| (at + 1, content)) {
        let marker = content.trim();
        let name = marker.strip_prefix("<!-- results:").and_then(|rest| rest.strip_suffix("-->"));
        match (open, name) {
            (Some((line, name)), Some(_)) => return Err(Error::Open { line, name: name.into() }),
            (Some(_), None) if marker != END => continue,
            (Some(_), None) => open = None,
            (None, Some(name)) => {
                let name = name.trim();
                let block = block(name, report, path);
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

fn block(name: &str, report: &Report, path: &str) -> Option<String> {
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

fn ladder(report: &Report, kernel: &str) -> Option<String> {
    let cells = report.cells.iter().filter(|cell| cell.task.kernel == kernel);
    let work = |cell: &&Cell| cell.task.amount.work;
    let cell = cells.max_by(|a, b| work(a).total_cmp(&work(b)))?;
    Some(format!("{} ({}):\n\n{}", cell.task.title, cell.origin, view::rungs(cell).markdown()))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_block_is_filled_and_filling_again_changes_nothing() {
        let names =
            ["picture", "source", "headline", "ladder-gemm", "ladder-kmeans", "ladder-stencil"];
        let names = names.iter().chain(&["single", "all", "roofs"]);
        let text: String =
            names.map(|name| format!("# {name}\n<!-- results:{name} -->\nold\n{END}\n")).collect();
        let once = fill(&text, &sample::report(), "results/x").expect("filled");
        assert!(!once.contains("\nold\n") && once.matches("# ").count() >= 8);
        assert_eq!(fill(&once, &sample::report(), "results/x"), Ok(once));
    }

    #[test]
    fn unknown_and_open_blocks_are_refused() {
        let report = sample::report();
        let fill = |text: &str| fill(text, &report, "x").expect_err("an error");
        let unknown = fill("<!-- results:luck -->\n<!-- /results -->\n");
        assert_eq!(unknown, Error::Unknown { line: 1, name: "luck".into() });
        assert!(matches!(fill("a\n<!-- results:roofs -->\n"), Error::Open { line: 2, .. }));
    }
}
