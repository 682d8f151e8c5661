//! The order of points along a space-filling curve, found by a team.
//!
//! Each feature is cut in steps from its least value to its greatest, and the bits of all features'
//! steps in turn are the place on the curve, as Morton has it. Points are dealt out by the first
//! digit of their place, every member those of its share of the points; then every member sorts its
//! share of the digits.

use super::held::Held;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use crate::{Member, Team};
use alloc::{vec, vec::Vec};
use core::mem;
use core::ops::Range;

/// Most features: with more, a block of 64 points is no small box in any order. With no more, its
/// box leaves so few centres to score (see `prune`), or a table so few to look at, that a point
/// takes no longer than asking whether its label stays (see `kept`) and finding its slack does:
/// with 64 centres and every block keeping bounds, 273,280 pixels take 1.3 of the time. While
/// centres are chosen, distances are all taken (see `look`).
pub(super) const FEW: usize = 4;

/// Bits of a place.
const BITS: usize = 30;

/// Most bits of one feature's step.
const STEP: usize = 10;

/// Bits of the digit that points are dealt out by: the first of their place.
const DIGIT: usize = 10;

/// The least and the greatest value of each feature.
type Bounds = [[f64; 2]; FEW];

/// No value at all.
const NOWHERE: Bounds = [[f64::INFINITY, f64::NEG_INFINITY]; FEW];

/// A point and, in the higher half, its place: sorted as one number.
pub(super) type Spot = u64;

/// Which point it is.
#[inline(always)]
pub(super) fn point(spot: Spot) -> usize {
    spot as u32 as usize
}

/// At most `2^32` points in the order of the curve. Nothing if there is no memory to sort them in.
pub(super) fn order<T: Element>(held: Held<'_, T>, team: &dyn Team) -> Option<Buffer<Spot>> {
    let n = held.n();
    let (mut given, mut spots) = (Buffer::zeroed(n).ok()?, Buffer::zeroed(n).ok()?);
    let mut counts = Buffer::zeroed(team.size() << DIGIT).ok()?;
    let curve = Curve::over(held, team)?;
    curve.place(held, team, &mut given, &mut counts);
    let ends = curve.deal(&given, team, &mut counts, &mut spots);
    let sorted = Disjoint::new(&mut spots);
    team.run(&|member| {
        let (share, mut start) = (member.share(n), 0);
        for &end in ends {
            let digit = mem::replace(&mut start, end as usize)..end as usize;
            if share.contains(&digit.start) {
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: digits are apart, and each starts in one member's share.
                unsafe { sorted.part(digit) }.sort_unstable();
            }
        }
    });
    Some(spots)
}

/// How features become steps.
struct Curve {
    /// Of each feature the least value, and the factor that turns differences from it into steps.
    scale: [[f64; 2]; FEW],
    /// The bits of every step, as far apart as there are features.
    spread: Vec<u32>,
    /// Bits of a spot below its digit.
    below: usize,
}

impl Curve {
    fn over<T: Element>(held: Held<'_, T>, team: &dyn Team) -> Option<Curve> {
        let d = held.d();
        let mut bounds = Buffer::zeroed(team.size()).ok()?;
        let each = Disjoint::new(&mut bounds);
        team.run(&|member| {
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has bounds of its own.
            let mine = unsafe { each.part(member.index()..member.index() + 1) };
            mine[0] = extent(held, share(member, held.n()).0);
        });
        // As many as fit, so that near points differ in late bits only.
        let bits = (BITS / d).min(STEP);
        let steps = ((1u32 << bits) - 1) as f64;
        let scale = bounds
            .iter()
            .fold(NOWHERE, joined)
            .map(|[least, most]| [least, if most > least { steps / (most - least) } else { 0.0 }]);
        let spread = |step: u32| (0..bits).fold(0, |all, bit| all | (step >> bit & 1) << (bit * d));
        let spread = (0..1 << bits).map(spread).collect();
        Some(Curve { scale, spread, below: 32 + (bits * d).max(DIGIT) - DIGIT })
    }

    fn digit(&self, spot: Spot) -> usize {
        (spot >> self.below) as usize
    }

    /// Finds the places of all points, and of every member how many have which digit.
    fn place<T: Element>(
        &self,
        held: Held<'_, T>,
        team: &dyn Team,
        spots: &mut [Spot],
        counts: &mut [u32],
    ) {
        let (spots, counts) = (Disjoint::new(spots), Disjoint::new(counts));
        team.run(&|member| {
            let (blocks, points) = share(member, held.n());
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: points are one member's, and every member has counts of its own.
            let (spots, counts) = unsafe { (spots.part(points), counts.part(digits(member))) };
            let mut space = vec![T::default(); held.d() * BLOCK];
            for (block, spots) in blocks.zip(spots.chunks_mut(BLOCK)) {
                let mut places = [0; BLOCK];
                let columns = held.columns(block, &mut space).chunks_exact(BLOCK);
                for (feature, (column, [least, scale])) in columns.zip(self.scale).enumerate() {
                    for (place, &x) in places.iter_mut().zip(column) {
                        let step = ((x.into() - least) * scale) as usize;
                        *place |= self.spread[step.min(self.spread.len() - 1)] << feature;
                    }
                }
                let points = held.in_block(block).start as u64..;
                for ((spot, place), point) in spots.iter_mut().zip(places).zip(points) {
                    *spot = u64::from(place) << 32 | point;
                    counts[self.digit(*spot)] += 1;
                }
            }
        });
    }

    /// Moves spots to where their digit stands; gives where each digit ends.
    fn deal<'a>(
        &self,
        from: &[Spot],
        team: &dyn Team,
        counts: &'a mut [u32],
        to: &mut [Spot],
    ) -> &'a [u32] {
        let members = counts.len() >> DIGIT;
        let mut start = 0;
        for digit in 0..1 << DIGIT {
            for member in 0..members {
                let count = &mut counts[member << DIGIT | digit];
                start += mem::replace(count, start);
            }
        }
        let (starts, to) = (Disjoint::new(counts), Disjoint::new(to));
        team.run(&|member| {
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has starts of its own.
            let starts = unsafe { starts.part(digits(member)) };
            for &spot in &from[share(member, from.len()).1] {
                let start = &mut starts[self.digit(spot)];
                let at = mem::replace(start, *start + 1) as usize;
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: a member has as many places for a digit as it has counted spots of it.
                let place = unsafe { to.part(at..at + 1) };
                place[0] = spot;
            }
        });
        // Behind whatever the last member had.
        &counts[(members - 1) << DIGIT..]
    }
}

/// The blocks that are a member's, and their points.
fn share(member: Member<'_>, n: usize) -> (Range<usize>, Range<usize>) {
    let blocks = member.share(n.div_ceil(BLOCK));
    let points = n.min(blocks.start * BLOCK)..n.min(blocks.end * BLOCK);
    (blocks, points)
}

/// Where a member's digits stand among all members'.
fn digits(member: Member<'_>) -> Range<usize> {
    member.index() << DIGIT..(member.index() + 1) << DIGIT
}

/// The bounds of the points of some blocks.
fn extent<T: Element>(held: Held<'_, T>, blocks: Range<usize>) -> Bounds {
    let mut space = vec![T::default(); held.d() * BLOCK];
    let mut bounds = NOWHERE;
    for block in blocks {
        let points = held.in_block(block).len();
        let columns = held.columns(block, &mut space).chunks_exact(BLOCK);
        for ([least, most], column) in bounds.iter_mut().zip(columns) {
            // Several at a time, by comparisons that keep no order of their own: a register.
            let (mut low, mut high) = ([*least; 8], [*most; 8]);
            for values in column[..points].chunks(low.len()) {
                for ((low, high), &x) in low.iter_mut().zip(&mut high).zip(values) {
                    let x = x.into();
                    *low = if x < *low { x } else { *low };
                    *high = if x > *high { x } else { *high };
                }
            }
            *least = low.into_iter().fold(*least, f64::min);
            *most = high.into_iter().fold(*most, f64::max);
        }
    }
    bounds
}

fn joined(mut all: Bounds, more: &Bounds) -> Bounds {
    for ([least, most], more) in all.iter_mut().zip(more) {
        (*least, *most) = (least.min(more[0]), most.max(more[1]));
    }
    all
}
