//! Where the centres start: greedy k-means++ (Arthur and Vassilvitskii 2007, section 5; the form
//! scikit-learn uses), or points drawn at random.
//!
//! The first centre of k-means++ is a point drawn by weight. Each further one is the best of
//! `2 + floor(ln k)` points drawn with probability proportional to their weight times their
//! squared distance from the nearest centre so far: the one that leaves the least sum of such
//! products, the first among equals.

use super::Error;
use super::draws::Draws;
use super::held::Held;
use super::search::{Search, worth_turning};
use super::source::Source;
use super::task::Task;
use crate::buffer::vector;
use crate::points::Element;
use crate::{Solo, Team};
use alloc::{vec, vec::Vec};

/// Fewest points of few features that a team looks at, of those that are turned: two looks a centre are 10 us of one Zen 4 core
/// then. A fit of 1000 points to 256 centres took 1.1 to 1.3 of the time where a team was asked.
const ALONE: usize = 1 << 13;

/// Chooses `k` points by greedy k-means++.
pub(super) fn plus_plus<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let Task { source, weights, plan, team } = *task;
    // Points that are such already need no copy.
    let wide = T::NAME == <f64 as Element>::NAME;
    let turn =
        |held: &Held<'_, T>| worth_turning(held) && !(wide && matches!(held, Held::Blocks(_)));
    match source.held().filter(turn) {
        Some(held) => {
            let source = Source::Blocks(&held.widened()?);
            let team: &dyn Team = if held.n() < ALONE { &Solo } else { team };
            greedy(&Task { source, weights, plan, team }, k, draws)
        }
        None => greedy(task, k, draws),
    }
}

/// The choice, from points as they are.
fn greedy<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let trials = trials(k);
    let first = by_weight(task, draw(draws)?);
    let mut search = Search::new(task, trials, first)?;
    let (mut chosen, mut candidates) = (vec![first], Vec::with_capacity(trials));
    while chosen.len() < k {
        let total = search.left();
        candidates.clear();
        for _ in 0..trials {
            candidates.push(search.find(draw(draws)? * total)?);
        }
        chosen.push(candidates[search.choose(&candidates)?]);
    }
    Ok(chosen)
}

/// Draws `k` different points by weight, as numpy's `choice` does: as many at once as are
/// missing, those drawn before having no weight.
pub(super) fn random<T: Element>(
    task: &Task<'_, T>,
    k: usize,
    draws: &mut dyn Draws,
) -> Result<Vec<usize>, Error> {
    let n = task.source.n();
    let mut weights = vector((0..n).map(|point| task.weight(point)))?;
    let positive = weights.iter().filter(|weight| **weight > 0.0).count();
    if positive < k {
        return Err(Error::TooFewWeighted { k, positive });
    }
    let mut chosen: Vec<usize> = Vec::with_capacity(k);
    while chosen.len() < k {
        let mut sum = 0.0;
        let running = weights.iter().map(|weight| {
            sum += weight;
            sum
        });
        let running = vector(running)?;
        for _ in chosen.len()..k {
            let target = draw(draws)? * sum;
            let point = running.partition_point(|before| *before <= target).min(n - 1);
            // Once drawn in this round it weighs nothing in the next, and counts once in this.
            if weights[point] > 0.0 {
                weights[point] = 0.0;
                chosen.push(point);
            }
        }
    }
    Ok(chosen)
}

/// A draw that is one.
fn draw(draws: &mut dyn Draws) -> Result<f64, Error> {
    let draw = draws.draw().ok_or(Error::TooFewDraws)?;
    if (0.0..1.0).contains(&draw) { Ok(draw) } else { Err(Error::Draw(draw)) }
}

/// `2 + floor(ln k)`.
fn trials(k: usize) -> usize {
    let (mut power, mut trials) = (core::f64::consts::E, 2);
    while power <= k as f64 {
        power *= core::f64::consts::E;
        trials += 1;
    }
    trials
}

/// The first point at which the running sum of weights passes `draw` times all of it.
fn by_weight<T: Element>(task: &Task<'_, T>, draw: f64) -> usize {
    let n = task.source.n();
    if task.weights.is_none() {
        return ((draw * n as f64) as usize).min(n - 1);
    }
    let total: f64 = (0..n).map(|point| task.weight(point)).sum();
    let (mut sum, mut last) = (0.0, 0);
    for point in 0..n {
        let weight = task.weight(point);
        sum += weight;
        if weight > 0.0 {
            last = point;
        }
        if sum > draw * total {
            return last;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    #[test]
    fn there_are_as_many_trials_as_scikit_learn_has() {
        for (k, expected) in [(1, 2), (2, 2), (3, 3), (7, 3), (8, 4), (64, 6), (1024, 8)] {
            assert_eq!(super::trials(k), expected, "k = {k}");
        }
    }
}
