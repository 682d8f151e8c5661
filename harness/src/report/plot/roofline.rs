//! The roofline: how fast against how often each byte is used, under the limits measured here.
//!
//! Bytes are the compulsory ones (each input read once, each output written once), so a point can
//! only lie too far right, never too far left.

use super::super::model::{Cell, Report, Roof};
use super::super::number;
use super::super::svg::{Anchor, Log, Svg, tick_label};
use crate::roofs::{Memory, Pattern, Quantity};
use tilewise_tuner::measure::Estimate;

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 340.0;
const X: (f64, f64) = (56.0, 484.0);
const Y: (f64, f64) = (292.0, 34.0);

/// A kernel's best result on a number of threads, in operations.
struct Point<'a> {
    cell: &'a Cell,
    intensity: f64,
    rate: Estimate,
}

/// Draws all cells under one compute roof, on one number of threads.
pub(in super::super) fn roofline(
    report: &Report,
    kind: Quantity,
    threads: usize,
) -> Option<String> {
    let points = points(report, kind, threads);
    let on = |roof: &&Roof| roof.before.threads == threads;
    let compute: Vec<_> =
        report.roofs.iter().filter(on).filter(|r| r.before.quantity == kind).collect();
    let bandwidth: Vec<_> = report.roofs.iter().filter(on).filter(|r| moves(r, kind)).collect();
    if points.is_empty() || compute.is_empty() {
        return None;
    }
    let highest = compute.iter().map(|roof| roof.rate().median).fold(0.0, f64::max);
    let intensities = points.iter().map(|point| point.intensity);
    let ridges = bandwidth.iter().map(|roof| highest / roof.rate().median);
    let x = Log::covering(intensities.chain(ridges).chain([0.25]), X);
    // Room below the lowest point, for the slopes to be told apart in.
    let rates = points.iter().map(|point| point.rate.lo / 3.0);
    let y = Log::covering(rates.chain(compute.iter().map(|r| r.rate().median)), Y);
    let mut svg = Svg::new(WIDTH, HEIGHT);
    axes(&mut svg, (&x, &y), (kind, threads));
    bandwidth.iter().for_each(|roof| slope(&mut svg, (&x, &y), roof, highest));
    let fastest = bandwidth.iter().map(|roof| roof.rate().median).fold(0.0, f64::max);
    for (rate, names) in ceilings(&compute) {
        ceiling(&mut svg, (&x, &y), (rate, fastest), &names);
    }
    for point in &points {
        let at = (x.at(point.intensity), y.at(point.rate.median));
        svg.whisker_up(at.0, (y.at(point.rate.lo), y.at(point.rate.hi)), 3.0);
        let tip = format!("{}: {}", point.cell.task.title, number::plain(&point.rate));
        svg.dot(&format!("point {}", point.cell.task.kernel), at, 4.5, &tip);
    }
    Some(svg.finish(&format!("Roofline, {threads} threads")))
}

/// Bandwidths drawn: reads of every cache, and of main memory what the kernels here do with it:
/// products read it, stencils copy it.
fn moves(roof: &Roof, kind: Quantity) -> bool {
    let of_memory = match kind {
        Quantity::Int8Compute => Pattern::Read,
        _ => Pattern::StreamingCopy,
    };
    match roof.before.quantity {
        Quantity::Bandwidth { memory: Memory::Dram, pattern } => pattern == of_memory,
        Quantity::Bandwidth { pattern, .. } => pattern == Pattern::Read,
        _ => false,
    }
}

fn points(report: &Report, kind: Quantity, threads: usize) -> Vec<Point<'_>> {
    let of = |cell: &'_ Cell| -> Option<Estimate> {
        let ours = cell.arms.iter().filter(|arm| !arm.kind.is_plain() && arm.threads == threads);
        let rates = ours.filter_map(|arm| arm.rate);
        rates.max_by(|a, b| a.median.total_cmp(&b.median))
    };
    let cells = report.cells.iter().filter(|cell| cell.task.amount.arithmetic == Some(kind));
    cells
        .filter_map(|cell| {
            let (rate, operations) = (of(cell)?, cell.task.amount.operations);
            let rate = Estimate {
                median: rate.median * operations,
                lo: rate.lo * operations,
                hi: rate.hi * operations,
                rounds: rate.rounds,
            };
            Some(Point { cell, intensity: operations / cell.task.amount.bytes, rate })
        })
        .collect()
}

fn axes(svg: &mut Svg, (x, y): (&Log, &Log), (kind, threads): (Quantity, usize)) {
    for tick in x.ticks() {
        svg.line("grid", (x.at(tick), Y.0), (x.at(tick), Y.1));
        svg.text("tick", (x.at(tick), Y.0 + 15.0), Anchor::Middle, &tick_label(tick));
    }
    for tick in y.ticks() {
        svg.line("grid", (X.0, y.at(tick)), (X.1, y.at(tick)));
        svg.text("tick", (X.0 - 6.0, y.at(tick) + 4.0), Anchor::End, &tick_label(tick));
    }
    let (type_name, unit) = match kind {
        Quantity::Int8Compute => ("int8", "GOP/s"),
        _ => ("f32", "GFLOP/s"),
    };
    let threads = number::threads(threads);
    let title = format!("{type_name}, {threads}: {unit} against operations per byte");
    svg.text("head", (X.0, 18.0), Anchor::Start, &title);
    let caption = "operations per compulsory byte (both axes logarithmic)";
    svg.text("tick", ((X.0 + X.1) / 2.0, HEIGHT - 8.0), Anchor::Middle, caption);
}

/// What a roof is, without the threads that the title of the plot names.
fn label(roof: &Roof) -> String {
    match roof.before.quantity {
        Quantity::Bandwidth { .. } => roof.before.quantity.to_string(),
        _ => roof.before.isa.to_string(),
    }
}

/// A bandwidth: rate rises with use per byte until the highest compute roof.
fn slope(svg: &mut Svg, (x, y): (&Log, &Log), roof: &Roof, highest: f64) {
    let speed = roof.rate().median;
    let ((left, right), (lowest, _)) = (x.ends(), y.ends());
    let from = left.max(lowest / speed);
    let to = right.min(highest / speed);
    if from >= to {
        return;
    }
    let place = |intensity: f64| (x.at(intensity), y.at(intensity * speed));
    svg.line("slope", place(from), place(to));
    let (start, end) = (place(from), place(to));
    let degrees = (start.1 - end.1).atan2(end.0 - start.0).to_degrees();
    let at = (start.0 + 0.12 * (end.0 - start.0), start.1 + 0.12 * (end.1 - start.1));
    let text = format!("{} {}", label(roof), number::digits(speed));
    svg.slanted("roof-label", (at.0 - 4.0, at.1 - 4.0), degrees, &text);
}

/// Compute roofs from the lowest; those within 3 % of each other are one line with both names.
fn ceilings(compute: &[&Roof]) -> Vec<(f64, String)> {
    let mut rates: Vec<(f64, String)> =
        compute.iter().map(|roof| (roof.rate().median, label(roof))).collect();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut joined: Vec<(f64, String)> = Vec::new();
    for (rate, name) in rates {
        match joined.last_mut() {
            Some((last, names)) if rate < *last * 1.03 => *names = format!("{names}, {name}"),
            _ => joined.push((rate, name)),
        }
    }
    joined
}

/// A compute roof: flat, from where the fastest memory can feed it.
fn ceiling(svg: &mut Svg, (x, y): (&Log, &Log), (rate, fastest): (f64, f64), names: &str) {
    let (left, right) = x.ends();
    let from = if fastest > 0.0 { (rate / fastest).max(left) } else { left };
    svg.line("ceiling", (x.at(from), y.at(rate)), (x.at(right), y.at(rate)));
    let text = format!("{names} {}", number::digits(rate));
    svg.text("roof-label", (X.1, y.at(rate) - 4.0), Anchor::End, &text);
}
