//! A copy of the points in an order that puts near ones together, equal ones once each.
//!
//! What a block of points is tested for (see `prune`) depends on how near its points are to each
//! other, and sums do not depend on the order (see `fixed`); so a fit of few features goes through
//! its points along a space-filling curve. Of the 64 centres of a picture's colours a block of
//! pixels in a row leaves 37 to be scored, a block in this order 3, and often a single one. Pictures
//! also have few colours beside their pixels: equal points that weigh the same are one, counted.
//!
//! What is not exact in any order (seeding, the tolerance, the inertia), or counts points one by one
//! (what becomes of empty clusters), sees all points.

use super::Shape;
use super::held::Held;
use super::source::Source;
use crate::Matrix;
use crate::buffer::Buffer;
use crate::points::Element;
use alloc::{vec, vec::Vec};

/// Most features: with more, a block of 64 points is no small box in any order.
const FEW: usize = 4;

/// Fewer points are fitted sooner than sorted.
const LEAST: usize = 1 << 14;

/// Fewest centres for which leaving some out pays for sorting within a few iterations. Bytes have
/// equals that pay anyway.
const MANY: usize = 16;

/// Fewer iterations are no longer than sorting.
const ITERATIONS: usize = 4;

/// Bits of a place on the curve.
const BITS: usize = 30;

/// Bits that are sorted by in one pass.
const DIGIT: usize = 10;

/// Points in the order of the curve.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    d: usize,
    rows: Vec<T>,
    /// How many points each stands for, if points have no weights.
    pub(super) times: Option<Vec<u32>>,
    /// What each weighs, if they have.
    pub(super) weights: Option<Vec<f64>>,
    /// Which of them each point is.
    pub(super) of: Vec<u32>,
}

impl<T: Element> Sorted<T> {
    /// Nothing where it would not pay for a fit of so many iterations, points are not in memory, or
    /// a copy of them has no room there: a fit can do without.
    pub(super) fn make(
        source: Source<'_, T>,
        weights: Option<&[f64]>,
        Shape { n, d, k }: Shape,
        iterations: usize,
    ) -> Option<Self> {
        let bytes = size_of::<T>() == 1 && weights.is_none();
        let pays = d <= FEW && (k >= MANY || bytes) && iterations > ITERATIONS;
        if !pays || !(LEAST..1 << 31).contains(&n) {
            return None;
        }
        let held = source.held()?;
        let order = order(held)?;
        let mut space = vec![T::default(); d];
        let (mut rows, mut of) = (room(n * d)?, room(n)?);
        of.resize(n, 0);
        let (mut times, mut weighing) = match weights {
            Some(_) => (None, Some(room(n)?)),
            None => (Some(room::<u32>(n)?), None),
        };
        for &[_, point] in order.iter() {
            let row = held.point(point as usize, &mut space);
            let last = &rows[rows.len().saturating_sub(d)..];
            match (&mut times, &mut weighing) {
                (Some(times), _) if *last == *row => *times.last_mut().expect("a row's") += 1,
                (times, weighing) => {
                    rows.extend_from_slice(row);
                    times.iter_mut().for_each(|times| times.push(1));
                    let weight = weights.map(|weights| weights[point as usize]);
                    weighing.iter_mut().for_each(|weighing| weighing.extend(weight));
                }
            }
            of[point as usize] = (rows.len() / d - 1) as u32;
        }
        Some(Sorted { d, rows, times, weights: weighing, of })
    }

    /// As points to be fitted.
    pub(super) fn source(&self) -> Source<'_, T> {
        let rows = Matrix::new(&self.rows, self.rows.len() / self.d, self.d);
        Source::Rows(rows.expect("d features for each"))
    }
}

/// A vector for so many, if there is memory for them.
fn room<V>(len: usize) -> Option<Vec<V>> {
    let mut values = Vec::new();
    values.try_reserve_exact(len).ok()?;
    Some(values)
}

/// Places on the curve and whose they are, in order: bits of all features in turn, as Morton has it.
fn order<T: Element>(held: Held<'_, T>) -> Option<Buffer<[u32; 2]>> {
    let (n, d) = (held.n(), held.d());
    let mut space = vec![T::default(); d];
    let mut bounds = [(f64::INFINITY, f64::NEG_INFINITY); FEW];
    for point in 0..n {
        for (bounds, &x) in bounds.iter_mut().zip(held.point(point, &mut space)) {
            let x: f64 = x.into();
            *bounds = (bounds.0.min(x), bounds.1.max(x));
        }
    }
    // Steps along each feature; as many as bits allow, so that near points differ in late bits only.
    let bits = (BITS / d).min(DIGIT);
    let steps = ((1u32 << bits) - 1) as f64;
    let scale = bounds.map(|(least, most)| if most > least { steps / (most - least) } else { 0.0 });
    let spread: Vec<u32> = (0..1u32 << bits)
        .map(|step| (0..bits).fold(0, |all, bit| all | (step >> bit & 1) << (bit * d)))
        .collect();
    let (mut places, mut room) = (Buffer::zeroed(n).ok()?, Buffer::zeroed(n).ok()?);
    for (point, to) in places.iter_mut().enumerate() {
        let mut place = 0;
        for (feature, &x) in held.point(point, &mut space).iter().enumerate() {
            let step = (x.into() - bounds[feature].0) * scale[feature];
            place |= spread[(step as usize).min(spread.len() - 1)] << feature;
        }
        *to = [place, point as u32];
    }
    for pass in 0..(bits * d).div_ceil(DIGIT) {
        let digit = |place: u32| (place >> (pass * DIGIT)) as usize & ((1 << DIGIT) - 1);
        let mut starts = [0u32; 1 << DIGIT];
        places.iter().for_each(|[place, _]| starts[digit(*place)] += 1);
        let mut start = 0;
        for count in &mut starts {
            start += core::mem::replace(count, start);
        }
        for item in places.iter() {
            let start = &mut starts[digit(item[0])];
            room[*start as usize] = *item;
            *start += 1;
        }
        core::mem::swap(&mut places, &mut room);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_found_again_and_equal_ones_are_one() {
        let n = LEAST + 77;
        let value = |i: usize| ((i * 40503) % 251) as f32 / 7.0;
        let rows: Vec<f32> = (0..3 * n).map(value).collect();
        let source = Source::Rows(Matrix::new(&rows, n, 3).unwrap());
        let shape = Shape { n, d: 3, k: MANY };
        let sorted = Sorted::make(source, None, shape, 9).unwrap();
        let times = sorted.times.as_ref().unwrap();
        assert!(times.len() <= 251 && times.iter().map(|t| *t as usize).sum::<usize>() == n);
        let weights: Vec<f64> = (0..n).map(|i| i as f64).collect();
        let weighted = Sorted::make(source, Some(&weights), shape, 9).unwrap();
        for (point, row) in rows.chunks_exact(3).enumerate() {
            let at = sorted.of[point] as usize * 3;
            assert_eq!(sorted.rows[at..at + 3], *row);
            let at = weighted.of[point] as usize;
            assert_eq!(weighted.rows[at * 3..at * 3 + 3], *row);
            assert_eq!(weighted.weights.as_ref().unwrap()[at], point as f64);
        }
        let few = Shape { k: MANY - 1, ..shape };
        assert!(Sorted::make(source, None, few, 9).is_none());
        assert!(Sorted::make(source, None, shape, ITERATIONS).is_none());
    }

    #[test]
    fn extreme_values_and_constant_features_are_sorted_too() {
        let n = LEAST;
        let values = [-1e115, 1e115, 0.0, 1e-300];
        let rows: Vec<f64> = (0..n).flat_map(|i| [values[i % 4], 5.0]).collect();
        let source = Source::Rows(Matrix::new(&rows, n, 2).unwrap());
        let shape = Shape { n, d: 2, k: MANY };
        let sorted = Sorted::make(source, None, shape, 9).unwrap();
        let times = sorted.times.unwrap();
        assert_eq!(times.iter().sum::<u32>() as usize, n);
    }
}
