//! What a reader sees, as text: the one place where the record's numbers become strings.
//!
//! The page and the Markdown file are templates over this.

use super::model::{Arm, Cell, Headline, Mode, Report, Skipped, Total, Whole};
use super::number;
use crate::roofs::Quantity;
use crate::workload::Cache;
use serde::Serialize;
use serde_json::Value;
use tilewise_tuner::measure::{Ratio, Verdict};

mod facts;
mod losses;
mod parts;
mod peers;
mod table;

pub use facts::flatten;
use losses::losses;
use peers::PeersView;
pub(crate) use table::Table;
pub(super) use table::{results, roof_notes, roofs, rungs};

/// Everything on the page but the drawings.
#[derive(Serialize)]
pub(super) struct View<'a> {
    started: &'a str,
    duration: String,
    mode: &'static str,
    command: &'a str,
    seed: u64,
    cpu: &'a str,
    isas: String,
    threads: String,
    commit: String,
    planned: String,
    failures: &'a [String],
    cautions: &'a [String],
    cards: Vec<Card>,
    /// What all factors are against.
    against: &'static str,
    losses: Vec<String>,
    peers: Option<PeersView>,
    kernels: Vec<KernelView<'a>>,
    roofs: Table,
    roof_notes: Vec<String>,
    skipped: &'a [Skipped],
    picture: Option<String>,
    facts: Vec<(String, String)>,
    samples: String,
}

/// A kernel's result in one sentence.
#[derive(Serialize)]
struct Card {
    kernel: String,
    number: String,
    unit: String,
    detail: String,
}

#[derive(Serialize)]
struct KernelView<'a> {
    id: &'a str,
    title: &'static str,
    /// Whether a whole application was measured with it.
    has_whole: bool,
    single: Table,
    all: Table,
    cells: Vec<CellView<'a>>,
}

#[derive(Serialize)]
struct CellView<'a> {
    id: &'a str,
    title: &'a str,
    origin: &'a str,
    dtype: &'a str,
    timed: &'a str,
    memory: &'static str,
    work: String,
    rungs: Table,
    total: Option<String>,
    comparisons: Vec<String>,
    session: String,
    whole: Option<String>,
    /// Where the time went, if that was noted.
    parts: Option<Table>,
    shares: Vec<String>,
    tried: Vec<(&'a str, String)>,
}

/// Names of the kernels in the order they are shown.
pub(super) fn kernels(report: &Report) -> impl Iterator<Item = &'static str> {
    let there = |kernel: &&str| report.cells.iter().any(|cell| cell.task.kernel == *kernel);
    ["gemm", "kmeans", "stencil", "bert"].into_iter().filter(there)
}

pub(super) fn kernel_title(kernel: &str) -> &'static str {
    match kernel {
        "gemm" => "INT8 matrix product",
        "kmeans" => "K-Means",
        "bert" => "BERT, forward pass",
        _ => "Heat stencils",
    }
}

/// A report in a line a kernel and a line a loss; with both absolute times if wanted.
pub fn summary(report: &Report, with_times: bool) -> Vec<String> {
    let line = |Card { kernel, number, unit, detail }: Card| {
        let detail = if with_times { format!(". {detail}.") } else { String::new() };
        format!("{kernel}: {number} {unit}{detail}")
    };
    let mut lines: Vec<_> = cards(report).into_iter().map(line).collect();
    lines.extend(report.cells.iter().flat_map(losses).map(|line| format!("Lost: {line}")));
    lines
}

impl<'a> View<'a> {
    pub(super) fn of(report: &'a Report) -> View<'a> {
        let environment = &report.environment;
        let mut facts = flatten("", &environment.machine);
        facts.extend(flatten("build", &environment.build));
        View {
            started: &report.started,
            duration: number::seconds(report.seconds),
            mode: match report.mode {
                Mode::Quick => "quick",
                Mode::Full => "full",
            },
            command: &report.command,
            seed: report.seed,
            cpu: &environment.cpu,
            isas: environment.isas.join(", "),
            threads: number::threads(environment.threads_allowed),
            commit: facts::commit(&environment.build),
            planned: format!(
                "{} cells planned, {} measured, {} not",
                report.cells.len() + report.skipped.len(),
                report.cells.len(),
                report.skipped.len()
            ),
            failures: &report.failures,
            cautions: &report.cautions,
            cards: cards(report),
            against: match &report.peers {
                None => {
                    "Against the fastest plain code here; no external alternative was measured."
                }
                Some(_) => {
                    "Against the fastest plain code here; external alternatives were measured in a \
                     run of their own and stand under Beside rivals."
                }
            },
            losses: report.cells.iter().flat_map(losses).chain(peers::losses(report)).collect(),
            peers: report.peers.as_ref().map(|peers| PeersView::of(report, peers)),
            kernels: kernels(report).map(|kernel| KernelView::of(report, kernel)).collect(),
            roofs: roofs(&report.roofs),
            roof_notes: roof_notes(&report.roofs),
            skipped: &report.skipped,
            picture: report.picture.as_ref().map(|picture| {
                format!(
                    "{}, {} x {}: {} colours before, {} after; error {} of 255 (root mean square)",
                    picture.source,
                    picture.width,
                    picture.height,
                    picture.colours,
                    picture.centres,
                    number::digits(picture.rms_error)
                )
            }),
            facts,
            samples: match &report.samples {
                super::model::Samples::Inline(_) => "report.json".into(),
                super::model::Samples::File(name) => name.clone(),
            },
        }
    }
}

impl View<'_> {
    /// Where the numbers come from, in a few sentences of Markdown.
    pub(super) fn source(&self, path: &str) -> String {
        let View { cpu, isas, threads, started, mode, duration, commit, command, .. } = self;
        format!(
            "Measured on {cpu} ({isas}; {threads}), {started}, {mode} run of {duration}, \
             built from {commit}: [{path}]({path}). Measure the same again with `{command}`."
        )
    }
}

impl<'a> KernelView<'a> {
    fn of(report: &'a Report, kernel: &'static str) -> KernelView<'a> {
        let cells = report.cells_of(kernel);
        KernelView {
            id: kernel,
            title: kernel_title(kernel),
            has_whole: kernel == "bert" || cells.iter().any(|cell| cell.whole.is_some()),
            single: results(&cells, |headline| (&headline.single_arm, &headline.single)),
            all: results(&cells, |headline| (&headline.arm, &headline.factor)),
            cells: cells.into_iter().map(|cell| CellView::of(report, cell)).collect(),
        }
    }
}

impl<'a> CellView<'a> {
    fn of(report: &'a Report, cell: &'a Cell) -> CellView<'a> {
        let floor = cell.control.map(|control| format!("; A/A {}", number::ratio(&control)));
        CellView {
            id: &cell.id,
            title: &cell.task.title,
            origin: &cell.origin,
            dtype: &cell.task.dtype,
            timed: &cell.task.timed,
            memory: memory(report, cell),
            work: format!(
                "{} = {}",
                cell.task.amount.formula,
                number::amount(cell.task.amount.work)
            ),
            rungs: rungs(cell),
            total: cell.total.as_ref().map(|total| self::total(cell, total)),
            comparisons: cell
                .comparisons
                .iter()
                .filter_map(|pair| comparison(cell, pair))
                .collect(),
            session: format!(
                "{} rounds, {} marked as disturbed{}{}",
                cell.rounds,
                cell.marked,
                match cell.crowded {
                    0 => String::new(),
                    crowded => format!(" ({crowded} by crowded cores)"),
                },
                floor.unwrap_or_default()
            ),
            whole: cell.whole.as_ref().map(|whole| {
                let Whole { label, time, threads, outcome } = whole;
                let (time, threads) = (number::time(time), number::threads(*threads));
                format!("{label}: {time} on {threads}; {outcome}")
            }),
            parts: parts::table(cell),
            shares: parts::shares(cell),
            tried: cell
                .tried
                .iter()
                .map(|(title, seconds)| (title.as_str(), number::milliseconds(*seconds)))
                .collect(),
        }
    }
}

/// Where a call finds its inputs: caches cannot be hot with what they cannot hold.
fn memory(report: &Report, cell: &Cell) -> &'static str {
    let last = report.environment.machine.pointer("/caches/l3").and_then(Value::as_f64);
    match cell.task.cache {
        _ if last.is_some_and(|last| cell.task.amount.working_set > last) => "from memory",
        Cache::Hot => "caches hot",
        Cache::Cold => "caches cold",
    }
}

/// Title of the arm with that name.
fn title<'c>(cell: &'c Cell, name: &'c str) -> &'c str {
    cell.arm(name).map_or(name, |arm| &arm.title)
}

/// A ratio with both absolute times.
fn against(ratio: &Ratio, arm: &Arm, base: &Arm) -> Option<String> {
    let (time, base_time) = (arm.time.as_ref()?, base.time.as_ref()?);
    let (time, base_time) = (number::time(time), number::time(base_time));
    Some(format!("{}: {time} against {base_time}", number::verdict(ratio)))
}

/// The total as it was measured apart, within the ladder, and as the product of the rungs.
fn total(cell: &Cell, total: &Total) -> String {
    let ladder = total.ladder.as_ref().map(number::with_quiet);
    let ladder = ladder.map(|ladder| format!("within the ladder {ladder}; "));
    format!(
        "{} against {}, in rounds of their own: {} ({} against {}); {}the rungs multiply to {}",
        title(cell, &total.to),
        title(cell, &total.from),
        number::with_quiet(&total.measured),
        number::time(&total.to_time),
        number::time(&total.from_time),
        ladder.unwrap_or_default(),
        number::factor(total.product)
    )
}

fn comparison(cell: &Cell, pair: &super::model::Comparison) -> Option<String> {
    let (to, from) = (cell.arm(&pair.to)?, cell.arm(&pair.from)?);
    Some(format!("{}: {}", pair.label, against(&pair.factor, to, from)?))
}

/// A card for each kernel, two where some of its cells are of bytes and some of floats: a span from
/// one to the other would say of neither how much faster it is.
fn cards(report: &Report) -> Vec<Card> {
    let in_bytes = |cell: &&Cell| cell.task.amount.arithmetic == Some(Quantity::Int8Compute);
    let of_kernel = |kernel: &'static str| {
        let (cells, title) = (report.cells_of(kernel), kernel_title(kernel));
        let (bytes, floats): (Vec<&Cell>, Vec<&Cell>) = cells.iter().copied().partition(in_bytes);
        if bytes.is_empty() || floats.is_empty() {
            return vec![card(report, title.into(), &cells)];
        }
        let floats = card(report, format!("{title}, floats"), &floats);
        vec![floats, card(report, format!("{title}, INT8"), &bytes)]
    };
    kernels(report).flat_map(of_kernel).collect()
}

/// One cell is quoted with its interval, several with the span of their factors and no average.
fn card(report: &Report, title: String, cells: &[&Cell]) -> Card {
    let mut pairs: Vec<(&Cell, &Headline)> =
        cells.iter().filter_map(|cell| Some((*cell, cell.headline.as_ref()?))).collect();
    pairs.sort_by(|a, b| a.1.factor.median.total_cmp(&b.1.factor.median));
    let (Some(first), Some(last)) = (pairs.first(), pairs.last()) else {
        let detail = "no result: see the failures above".into();
        return Card { kernel: title, number: "none".into(), unit: String::new(), detail };
    };
    let number = match pairs.len() {
        1 => number::factor(first.1.factor.median),
        _ => format!(
            "{}–{}",
            number::digits(first.1.factor.median),
            number::factor(last.1.factor.median)
        ),
    };
    let faster =
        pairs.iter().filter(|(_, headline)| headline.factor.verdict == Verdict::Faster).count();
    let threads = report.environment.threads_allowed;
    let line = |(cell, headline): &(&Cell, &Headline)| {
        let pair = (cell.arm(&headline.arm), cell.arm(&headline.baseline));
        let times = pair.0.zip(pair.1).and_then(|(arm, base)| against(&headline.factor, arm, base));
        format!("{}: {}", cell.task.title, times.unwrap_or_default())
    };
    let detail = match pairs.len() {
        1 => line(first),
        _ => format!("least: {}; most: {}", line(first), line(last)),
    };
    let unit = format!(
        "on {}, against the fastest plain code on one; faster in {faster} of {}",
        number::threads(threads),
        cells.len()
    );
    Card { kernel: title, number, unit, detail }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_working_set_beyond_the_caches_comes_from_memory() {
        let mut report = sample::report();
        report.environment.machine = serde_json::json!({ "caches": { "l3": 32_000_000 } });
        assert_eq!(memory(&report, &report.cells[0]), "caches hot");
        assert_eq!(memory(&report, &report.cells[2]), "from memory");
    }

    #[test]
    fn floats_and_bytes_of_a_kernel_have_a_card_each() {
        let mut report = sample::report();
        let before = cards(&report).len();
        let mut floats = report.cells[0].clone();
        floats.task.amount.arithmetic = Some(Quantity::F32Compute);
        report.cells.push(floats);
        let titles: Vec<String> = cards(&report).into_iter().map(|card| card.kernel).collect();
        assert_eq!(titles.len(), before + 1, "{titles:?}");
        assert_eq!(titles[..2], ["INT8 matrix product, floats", "INT8 matrix product, INT8"]);
    }
}
