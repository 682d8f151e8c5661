//! The record of a run beside rivals, as a section of the report.

use super::super::model::{Peers, Report};
use super::super::number;
use super::Table;
use super::facts::commit;
use crate::peers::table;
use jiff::Timestamp;
use serde::Serialize;

/// The section.
#[derive(Serialize)]
pub(super) struct PeersView {
    source: String,
    summaries: Vec<String>,
    lost: Vec<String>,
    tied: Vec<String>,
    absent: Vec<String>,
    groups: Vec<Group>,
    entrants: Table,
}

/// Cells with one number of threads and one state of the caches.
#[derive(Serialize)]
struct Group {
    title: String,
    best: Table,
}

impl PeersView {
    pub(super) fn of(report: &Report, peers: &Peers) -> PeersView {
        let cells = &peers.record.cells;
        let groups = table::groups(cells);
        let group = |group: &table::Group<'_>| Group {
            title: group.title().into(),
            best: table::best(group),
        };
        PeersView {
            source: source(report, peers),
            summaries: groups.iter().map(table::summary).collect(),
            lost: table::lost(cells),
            tied: table::tied(cells),
            absent: table::absent(cells),
            groups: groups.iter().map(group).collect(),
            entrants: table::entrants(cells),
        }
    }
}

/// Where the numbers are from, how old they are, and whether they are of this source.
fn source(report: &Report, Peers { file, record }: &Peers) -> String {
    let run = &record.run;
    let (then, now) = (commit(&run.build), commit(&report.environment.build));
    let same = if then == now { "as this report" } else { "which is not this report's source" };
    let part = if run.interrupted { " It was interrupted: cells are missing." } else { "" };
    format!(
        "Measured on {}, a machine of the same kind, {}, {}; built from {then}, {same}; record \
         {file}.{part} Measure the same again: {}",
        run.cpu,
        run.started,
        age(&run.started, &report.started),
        run.command
    )
}

/// How long before this report.
fn age(then: &str, now: &str) -> String {
    let time = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_second);
    let Some(seconds) = time(then).zip(time(now)).map(|(then, now)| now - then) else {
        return "at an unreadable time".into();
    };
    let hours = seconds as f64 / 3600.0;
    match hours {
        hours if hours < 0.0 => "after this report began".into(),
        hours if hours < 48.0 => format!("{} hours before this report", number::digits(hours)),
        hours => format!("{} days before this report", number::digits(hours / 24.0)),
    }
}

/// One line, because the section has them all.
pub(super) fn losses(report: &Report) -> Option<String> {
    let cells = &report.peers.as_ref()?.record.cells;
    let (lost, tied) = (table::lost(cells).len(), table::tied(cells).len());
    (lost + tied > 0).then(|| {
        format!(
            "Beside rivals: behind one of them {lost} times, not resolved {tied} times; see there"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_hours_or_days() {
        let age = |then| age(then, "2026-01-03T00:00:00Z");
        assert_eq!(age("2026-01-02T12:00:00Z"), "12.0 hours before this report");
        assert_eq!(age("2025-12-24T00:00:00Z"), "10.0 days before this report");
        assert_eq!(age("2026-01-04T00:00:00Z"), "after this report began");
        assert_eq!(age("yesterday"), "at an unreadable time");
    }
}
