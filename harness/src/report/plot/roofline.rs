//! The roofline: how fast against how often each byte is used, under the limits measured here.
//!
//! Bytes are the compulsory ones (each input read once, each output written once), so a point can
//! only lie too far right, never too far left. Points have numbers; a list below names them.

use super::super::model::{Arm, Cell, Report, Roof};
use super::super::number;
use super::super::svg::{Anchor, Log, Svg, tick_label};
use super::place::Places;
use crate::roofs::{Memory, Pattern, Quantity};
use tilewise_tuner::measure::Estimate;

const WIDTH: f64 = 500.0;
const HEIGHT: f64 = 340.0;
/// Names below the plot: so many side by side, a line each so high.
const NAMES: (usize, f64) = (2, 15.0);
const RADIUS: f64 = 4.5;
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
    let lines = points.len().div_ceil(NAMES.0);
    let mut svg = Svg::new(WIDTH, HEIGHT + (lines as f64 + 0.5) * NAMES.1);
    let mut places = Places::default();
    let place = |point: &Point<'_>| (x.at(point.intensity), y.at(point.rate.median));
    points.iter().for_each(|point| places.dot(place(point), RADIUS));
    axes(&mut svg, (&x, &y), (kind, threads));
    for roof in &bandwidth {
        slope(&mut svg, &mut places, (&x, &y), (roof, highest));
    }
    let fastest = bandwidth.iter().map(|roof| roof.rate().median).fold(0.0, f64::max);
    for (rate, names) in ceilings(&compute) {
        ceiling(&mut svg, &mut places, (&x, &y), (rate, fastest, &names));
    }
    for (index, point) in points.iter().enumerate() {
        let at = place(point);
        svg.whisker_up(at.0, (y.at(point.rate.lo), y.at(point.rate.hi)), 3.0);
        let tip = format!("{}: {}", point.cell.task.title, number::plain(&point.rate));
        svg.dot(&format!("point {}", point.cell.task.kernel), at, RADIUS, &tip);
        name(&mut svg, &mut places, (index, point), at);
    }
    Some(svg.finish(&format!("Roofline, {}", number::threads(threads))))
}

/// A point's number beside it, and its name in the list.
fn name(svg: &mut Svg, places: &mut Places, (index, point): (usize, &Point<'_>), at: (f64, f64)) {
    let number = (index + 1).to_string();
    // Right below, then further down and to the sides: there is room under a roof.
    let rows = (0..6).map(|row| 13.0 + 11.0 * f64::from(row));
    let around = rows
        .flat_map(|down| [0.0, 9.0, -9.0, 18.0, -18.0].map(|aside| (at.0 + aside, at.1 + down)));
    let inside = around.filter(|(x, _)| *x < X.1 + 8.0);
    let (x, y) = places.label(&number, inside);
    svg.line("leader", at, (x, y - 5.0));
    svg.text("point-label", (x, y + 3.5), Anchor::Middle, &number);
    let column = (index % NAMES.0) as f64 * (WIDTH - 24.0) / NAMES.0 as f64;
    let line = HEIGHT + (0.5 + (index / NAMES.0) as f64) * NAMES.1;
    let text = format!("{number}  {}", point.cell.task.title);
    svg.text("point-label", (24.0 + column, line), Anchor::Start, &text);
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
    let of = |cell: &'_ Cell| -> Option<(Estimate, f64)> {
        // What an arm does in other arithmetic is in a cell of its own: here it would be there twice.
        if cell.task.amount.arithmetic != Some(kind) {
            return None;
        }
        let ours = cell.arms.iter().filter(|arm| !arm.kind.is_plain() && arm.threads == threads);
        let ours = ours.filter(|arm| arm.arithmetic.is_none_or(|other| other == kind));
        // Fused steps use a byte more often.
        let bytes = |arm: &Arm| arm.traffic.map_or(cell.task.amount.bytes, |traffic| traffic.least);
        let rates = ours.filter_map(|arm| Some((arm.rate?, bytes(arm))));
        rates.max_by(|(a, _), (b, _)| a.median.total_cmp(&b.median))
    };
    report
        .cells
        .iter()
        .filter_map(|cell| {
            let ((rate, bytes), operations) = (of(cell)?, cell.task.amount.operations);
            let rate = Estimate {
                median: rate.median * operations,
                lo: rate.lo * operations,
                hi: rate.hi * operations,
                rounds: rate.rounds,
            };
            Some(Point { cell, intensity: operations / bytes, rate })
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
fn slope(svg: &mut Svg, places: &mut Places, (x, y): (&Log, &Log), (roof, highest): (&Roof, f64)) {
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
    let text = format!("{} {}", label(roof), number::digits(speed));
    let along = [0.3, 0.45, 0.6, 0.75, 0.9].into_iter();
    let along = along.map(|share| {
        let on = (start.0 + share * (end.0 - start.0), start.1 + share * (end.1 - start.1));
        // Above the line, whichever way it rises.
        let (sin, cos) = degrees.to_radians().sin_cos();
        (on.0 - 7.0 * sin, on.1 - 7.0 * cos)
    });
    let at = places.slanted(&text, degrees, along);
    svg.slanted("roof-label", at, degrees, &text);
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
fn ceiling(
    svg: &mut Svg,
    places: &mut Places,
    (x, y): (&Log, &Log),
    (rate, fastest, names): (f64, f64, &str),
) {
    let (left, right) = x.ends();
    let from = if fastest > 0.0 { (rate / fastest).max(left) } else { left };
    svg.line("ceiling", (x.at(from), y.at(rate)), (x.at(right), y.at(rate)));
    let text = format!("{names} {}", number::digits(rate));
    let half = 2.8 * text.chars().count() as f64;
    // From the right end to where slopes begin to cross.
    let along = (0..6).map(|step| (X.1 - half - 36.0 * f64::from(step), y.at(rate) - 8.0));
    let at = places.label(&text, along);
    svg.text("roof-label", (at.0, at.1 + 4.0), Anchor::Middle, &text);
}
