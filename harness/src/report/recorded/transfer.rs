//! What a recipe found for one shape is worth for another: how far recipes reach.
//!
//! For every two recorded shapes of a kernel, what searches picked for the one is carried over to
//! the other, as wisdom does it, and its time there is looked up: it was recorded too.

use super::super::Table;
use super::{Findings, Named, percent};
use std::collections::BTreeMap;
use tilewise::{gemm, kmeans};
use tilewise_tuner::measure::stats;
use tilewise_tuner::problem::Problem;
use tilewise_tuner::recording::{Damaged, Recording};
use tilewise_tuner::space::Field;
use tilewise_tuner::wisdom::carried;

/// Factors between shapes by which pairs are grouped.
const FACTORS: [f64; 6] = [1.5, 2.0, 4.0, 8.0, 16.0, f64::INFINITY];

/// Picks carried over from each shape.
const PICKS: usize = 8;

/// So much slower than the default is a loss, if it is also beyond the noise.
const LOSS: f64 = 0.01;

/// A recipe carried from one shape to another.
struct Carried {
    /// The largest factor between their sizes.
    factor: f64,
    /// Speed as a multiple of the default's; `None` if the recipe is no point of the other's space.
    gain: Option<f64>,
    /// Slower, and neither by little nor by noise.
    lost: bool,
}

/// The section of the page.
pub(super) fn section(recordings: &[Named], found: &[Findings]) -> Result<String, Damaged> {
    let mut kernels: BTreeMap<&str, Vec<Carried>> = BTreeMap::new();
    let all = || recordings.iter().map(|(_, recording)| recording).zip(found);
    for from in all() {
        let here = kernels.entry(&from.0.kernel).or_default();
        all().for_each(|to| here.extend(pairs(from, to)));
    }
    let mut rows = Vec::new();
    let mut reaches = Vec::new();
    for (kernel, pairs) in &kernels {
        rows.extend(FACTORS.iter().filter_map(|&most| row(kernel, pairs, most)));
        let (measured, used) = (reach(pairs), in_use(kernel));
        if used > measured {
            let reason = format!("recipes of {kernel} reach {used}, measured was {measured}");
            return Err(Damaged { reason });
        }
        reaches.push(vec![(*kernel).to_owned(), times(measured), times(used)]);
    }
    let head = [
        "kernel",
        "sizes differ by",
        "recipes",
        "mean speed",
        "least",
        "slower",
        "not in the space",
    ];
    let table = Table::new(&head, rows).markdown();
    let head = ["kernel", "measured reach", "in use"];
    let reaches = Table::new(&head, reaches).markdown();
    Ok(format!("{INTRODUCTION}{table}\n{REACH}{reaches}"))
}

const INTRODUCTION: &str = "
## Recipes for shapes nobody has tuned

What searches of 10 s picked for one shape, carried over to another that they never saw: its speed
there as a multiple of the default's, which is what wisdom uses where nothing is near. *Slower* are
those that lose more than 1 % and more than the noise of the space.

";

const REACH: &str = "
The reach is the largest factor up to which no recipe is slower, if the mean is faster; none where
there is no such factor, and then an untuned shape has the default. A factor in use is never larger
than the measured.

";

/// What the picks of one space come to in another of the same kind.
fn pairs(
    (from, found): (&Recording, &Findings),
    (to, there): (&Recording, &Findings),
) -> Vec<Carried> {
    let kind = |r: &Recording| (r.kernel.clone(), r.dtype.clone(), r.identity.clone());
    let distance = from.shape.distance(&to.shape).filter(|distance| *distance > 0.0);
    let (Some(distance), true) = (distance, kind(from) == kind(to)) else {
        return Vec::new();
    };
    let of = |&pick: &usize| {
        let recipe = carried(&from.points[pick], &from.points[0], &to.points[0]);
        let point = to.points.iter().position(|other| *other == recipe);
        let gain = point.map(|point| there.truth[0] / there.truth[point]);
        let lost = gain.is_some_and(|gain| gain < 1.0 - LOSS - there.noise);
        Carried { factor: distance.exp(), gain, lost }
    };
    found.picks.iter().take(PICKS).map(of).collect()
}

/// One line for the pairs that differ by at most `most` and by more than the factor before it.
fn row(kernel: &str, pairs: &[Carried], most: f64) -> Option<Vec<String>> {
    let least = FACTORS.iter().copied().filter(|factor| *factor < most).fold(1.0, f64::max);
    let here: Vec<&Carried> =
        pairs.iter().filter(|pair| pair.factor > least && pair.factor <= most).collect();
    if here.is_empty() {
        return None;
    }
    let gains: Vec<f64> = here.iter().filter_map(|pair| pair.gain).collect();
    let lost = here.iter().filter(|pair| pair.lost).count() as f64 / here.len() as f64;
    let range = if most.is_finite() { format!("up to {most}") } else { format!("over {least}") };
    let worst = gains.iter().copied().fold(f64::INFINITY, f64::min);
    let missing = (here.len() - gains.len()) as f64 / here.len() as f64;
    Some(vec![
        kernel.to_owned(),
        range,
        here.len().to_string(),
        stats::geometric_mean(&gains).map_or("-".into(), |mean| format!("{mean:.3}x")),
        if worst.is_finite() { format!("{worst:.3}x") } else { "-".into() },
        percent(lost),
        percent(missing),
    ])
}

/// The largest factor that was measured to hold, as a distance.
fn reach(pairs: &[Carried]) -> f64 {
    let holds = |most: f64| {
        let here = pairs.iter().filter(|pair| pair.factor <= most);
        let gains: Vec<f64> = here.clone().filter_map(|pair| pair.gain).collect();
        !here.clone().any(|pair| pair.lost)
            && stats::geometric_mean(&gains).is_some_and(|mean| mean > 1.0)
    };
    let factors = pairs.iter().map(|pair| pair.factor).filter(|factor| holds(*factor));
    factors.fold(1.0, f64::max).ln()
}

/// How far recipes of a kernel are carried by wisdom.
fn in_use(kernel: &str) -> f64 {
    match kernel {
        <gemm::Shape as Problem>::KERNEL => gemm::Shape::REACH,
        <kmeans::Shape as Problem>::KERNEL => kmeans::Shape::REACH,
        <Field<f32> as Problem>::KERNEL => Field::<f32>::REACH,
        _ => 0.0,
    }
}

fn times(distance: f64) -> String {
    if distance == 0.0 { "none".into() } else { format!("a factor of {:.2}", distance.exp()) }
}
