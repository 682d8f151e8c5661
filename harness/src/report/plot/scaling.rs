//! Thread scaling: how many times as fast on more threads, beside what would be ideal.

use super::super::model::Cell;
use super::super::number;
use super::super::svg::{Anchor, Svg};
use tilewise_tuner::measure::Estimate;

const WIDTH: f64 = 320.0;
const HEIGHT: f64 = 260.0;
const X: (f64, f64) = (44.0, 300.0);
const Y: (f64, f64) = (220.0, 34.0);

/// Draws the cells of one kernel; nothing where all ran on one thread only.
pub(in super::super) fn scaling(title: &str, cells: &[&Cell]) -> Option<String> {
    let curves: Vec<Vec<(usize, Estimate)>> = cells.iter().map(|cell| curve(cell)).collect();
    let most = curves.iter().flatten().map(|(threads, _)| *threads).max()?;
    if most < 2 {
        return None;
    }
    let mut svg = Svg::new(WIDTH, HEIGHT);
    svg.text("head", (X.0, 18.0), Anchor::Start, title);
    let top = curves.iter().flatten().map(|(_, e)| e.hi).fold(most as f64, f64::max);
    let place = |threads: f64, speed: f64| {
        let x = X.0 + 16.0 + (threads - 1.0) / (most as f64 - 1.0) * (X.1 - X.0 - 40.0);
        (x, Y.0 + speed / (top * 1.06) * (Y.1 - Y.0))
    };
    axes(&mut svg, most, top, &place);
    for (index, (cell, points)) in cells.iter().zip(&curves).enumerate() {
        // Cells stand side by side, or their whiskers would cover each other.
        let shift = (index as f64 - (cells.len() as f64 - 1.0) / 2.0) * (26.0 / cells.len() as f64);
        let at = |threads: usize, speed: f64| {
            let (x, y) = place(threads as f64, speed);
            (x + shift, y)
        };
        let dots: Vec<_> = points.iter().map(|(threads, e)| at(*threads, e.median)).collect();
        // Two points make no curve: what lies between them means nothing.
        if dots.len() > 2 {
            svg.polyline("curve", &dots);
        }
        for ((threads, e), dot) in points.iter().zip(dots) {
            let tip = format!("{}, {threads} threads: {}", cell.task.title, number::plain(e));
            svg.whisker_up(dot.0, (at(*threads, e.lo).1, at(*threads, e.hi).1), 3.0);
            svg.dot("point", dot, 3.5, &tip);
        }
    }
    Some(svg.finish(&format!("Thread scaling of {title}")))
}

/// Speed relative to one thread, by threads.
fn curve(cell: &Cell) -> Vec<(usize, Estimate)> {
    let arms: Vec<_> = cell.scaling.iter().filter_map(|name| cell.arm(name)).collect();
    let Some(one) = arms.iter().find(|arm| arm.threads == 1).and_then(|arm| arm.rate) else {
        return Vec::new();
    };
    let over = |rate: Estimate| Estimate {
        median: rate.median / one.median,
        lo: rate.lo / one.median,
        hi: rate.hi / one.median,
        rounds: rate.rounds,
    };
    arms.iter().filter_map(|arm| Some((arm.threads, over(arm.rate?)))).collect()
}

fn axes(svg: &mut Svg, most: usize, top: f64, place: &dyn Fn(f64, f64) -> (f64, f64)) {
    let step = (top / 4.0).ceil().max(1.0);
    let mut speed = 0.0;
    while speed <= top {
        let (_, y) = place(1.0, speed);
        svg.line("grid", (X.0, y), (X.1, y));
        svg.text("tick", (X.0 - 6.0, y + 4.0), Anchor::End, &format!("{speed}×"));
        speed += step;
    }
    let marks = (most as f64 / 8.0).ceil() as usize;
    for threads in (1..=most).filter(|threads| *threads == 1 || threads % marks.max(1) == 0) {
        let (x, _) = place(threads as f64, 0.0);
        svg.text("tick", (x, Y.0 + 16.0), Anchor::Middle, &threads.to_string());
    }
    svg.line("axis", (X.0, Y.0), (X.1, Y.0));
    svg.text("tick", ((X.0 + X.1) / 2.0, Y.0 + 32.0), Anchor::Middle, "threads");
    svg.line("ideal", place(1.0, 1.0), place(most as f64, most as f64));
}
