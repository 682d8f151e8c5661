//! Sums of the points of each label, kept from one iteration to the next: a point is added when it
//! gets a label, and taken away when it gets another.
//!
//! Sums are whole numbers (see `fixed`), so that is exact: they have the bits they would have if all
//! points were added anew, in whatever order and by however many members. In the first iteration
//! every point moves, soon only a few in a hundred do.

use super::Error;
use super::fixed::{Scales, split};
use super::held::Held;
use crate::Team;
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use crate::vector::FloatExtra;
use core::ops::Range;

/// The label of a point that has none yet.
pub(super) const NONE: u32 = u32::MAX;

/// In which whole numbers to sum features, of which these are the largest magnitudes, times weights,
/// and behind them the weights, which are `weight` together; of `n` points.
pub(super) fn scales(largest: &[f64], weight: f64, n: usize) -> Scales {
    Scales::new(largest.iter().map(|most| most * weight).chain([weight]), n)
}

/// Sums by label: for each label its `d` sums, then the weight of its points, 1 each unless told.
#[derive(Clone, Debug)]
pub(super) struct Sums {
    scales: Scales,
    d: usize,
    /// Parts of sums there are: `2 * k * (d + 1)`.
    len: usize,
    /// The sums of the labels that points have: of each the higher parts, then the lower ones.
    whole: Buffer<i64>,
    /// What each member has added and taken away since.
    moved: Buffer<i64>,
    numbers: Buffer<f64>,
}

impl Sums {
    /// For points of `d` features, `k` labels, and a team of `members`.
    pub(super) fn new(
        scales: Scales,
        (k, d): (usize, usize),
        members: usize,
    ) -> Result<Self, Error> {
        let numbers = k.saturating_mul(d + 1);
        let len = numbers.saturating_mul(2);
        let (whole, moved) = (Buffer::zeroed(len)?, Buffer::zeroed(len.saturating_mul(members))?);
        Ok(Sums { scales, d, len, whole, moved, numbers: Buffer::zeroed(numbers)? })
    }

    /// Begins again with no point.
    pub(super) fn clear(&mut self) {
        self.whole.fill(0);
        self.moved.fill(0);
    }

    /// What members move while a team works: [`Sums::len`] parts of each, one member's behind the
    /// other's; and into which parts.
    pub(super) fn moved(&mut self) -> (Disjoint<'_, i64>, &Scales) {
        (Disjoint::new(&mut self.moved), &self.scales)
    }

    /// How many parts of sums there are: `2 * k * (d + 1)`.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds what all members have moved, and gives the sums as numbers.
    pub(super) fn total(&mut self, team: &dyn Team) -> &mut [f64] {
        let Sums { scales, d, len, whole, moved, numbers } = self;
        let (scales, len, width) = (&*scales, *len, *d + 1);
        let members = moved.len() / len.max(1);
        let [whole, moved] = [whole, moved].map(|all| Disjoint::new(all));
        let numbers = Disjoint::new(numbers);
        team.run(&|member| {
            let labels = member.share(numbers.len() / width);
            let of = |labels: &Range<usize>, each: usize| labels.start * each..labels.end * each;
            let share = of(&labels, 2 * width);
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every label is one member's.
            let (whole, numbers) =
                unsafe { (whole.part(share.clone()), numbers.part(of(&labels, width))) };
            for from in 0..members {
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: of each member's, the labels that are this member's alone.
                let moved = unsafe { moved.part(from * len + share.start..from * len + share.end) };
                for (to, from) in whole.iter_mut().zip(moved) {
                    *to += core::mem::take(from);
                }
            }
            let labels = whole.chunks_exact(2 * width).zip(numbers.chunks_exact_mut(width));
            labels.for_each(|(parts, numbers)| scales.join(parts, numbers));
        });
        &mut self.numbers
    }
}

/// Points of some blocks that may have got another label.
pub(super) struct Labelled<'a> {
    pub(super) blocks: Range<usize>,
    /// One for each point of the blocks.
    pub(super) labels: &'a [u32],
    /// What they had before, or [`NONE`].
    pub(super) previous: &'a [u32],
    /// As many, unless every point weighs 1.
    pub(super) weights: Option<&'a [f64]>,
    /// As many, unless every point is there once.
    pub(super) times: Option<&'a [u32]>,
    pub(super) scales: &'a Scales,
}

/// Takes points whose label is another from the sums of the one they had, and adds them to those of
/// the one they have. Whether there was any.
#[inline(always)]
pub(super) fn shift<S: FloatExtra, T: Element>(
    simd: S,
    held: Held<'_, T>,
    labelled: &Labelled<'_>,
    space: &mut [T],
    sums: &mut [i64],
) -> bool {
    // A constant to the compiler wherever there are few features.
    match held.d() {
        1 => shift_of(simd, (held, 1), labelled, space, sums),
        2 => shift_of(simd, (held, 2), labelled, space, sums),
        3 => shift_of(simd, (held, 3), labelled, space, sums),
        4 => shift_of(simd, (held, 4), labelled, space, sums),
        d => shift_of(simd, (held, d), labelled, space, sums),
    }
}

#[inline(always)]
fn shift_of<S: FloatExtra, T: Element>(
    simd: S,
    (held, d): (Held<'_, T>, usize),
    labelled: &Labelled<'_>,
    space: &mut [T],
    sums: &mut [i64],
) -> bool {
    let Labelled { blocks, labels, previous, weights, times, scales } = labelled;
    let (powers, low) = scales.powers();
    let powers = (&powers[..d + 1], low);
    let first = blocks.start * BLOCK;
    let mut any = false;
    let each = labels.chunks(BLOCK).zip(previous.chunks(BLOCK));
    for (start, (labels, previous)) in (0..).step_by(BLOCK).zip(each) {
        let mut moved = changed(simd, labels, previous);
        any |= moved != 0;
        while moved != 0 {
            let lane = moved.trailing_zeros() as usize;
            moved &= moved - 1;
            let (index, label, before) = (start + lane, labels[lane], previous[lane]);
            let weight = match weights {
                Some(weights) => weights[index],
                None => 1.0,
            };
            let point = (&held.point(first + index, space)[..d], weight, powers);
            match times {
                None => {
                    put::<_, false>(point, sums, label, 1);
                    if before != NONE {
                        put::<_, false>(point, sums, before, -1);
                    }
                }
                Some(times) => {
                    let times = i64::from(times[index]);
                    put::<_, true>(point, sums, label, times);
                    if before != NONE {
                        put::<_, true>(point, sums, before, -times);
                    }
                }
            }
        }
    }
    any
}

/// A bit for each of up to a block of labels that is another.
#[inline(always)]
fn changed<S: FloatExtra>(simd: S, labels: &[u32], previous: &[u32]) -> u64 {
    let (mut changed, mut at) = (0, 0);
    let (whole, rest) = S::as_simd_u32s(labels);
    let (before, rest_before) = S::as_simd_u32s(previous);
    for (label, before) in whole.iter().zip(before) {
        let other = simd.not_m32s(simd.equal_u32s(*label, *before));
        changed |= u64::from(simd.bits(other)) << at;
        at += S::U32_LANES;
    }
    for (label, before) in rest.iter().zip(rest_before) {
        changed |= u64::from(label != before) << at;
        at += 1;
    }
    changed
}

/// Puts a point, its weight and the weight itself into the sums of a label, so many times, or takes
/// it away where that is negative. Once unless it is `MANY` times.
#[inline(always)]
fn put<T: Element, const MANY: bool>(
    (point, weight, (powers, small)): (&[T], f64, (&[f64], f64)),
    sums: &mut [i64],
    label: u32,
    times: i64,
) {
    let width = point.len() + 1;
    let sums = &mut sums[label as usize * 2 * width..][..2 * width];
    let (high, low) = sums.split_at_mut(width);
    let sums = high.iter_mut().zip(low.iter_mut());
    for (((high, low), &x), &power) in sums.zip(point).zip(powers) {
        let parts = split(x.into() * weight, (power, small));
        (*high, *low) = (add::<MANY>(*high, parts[0], times), add::<MANY>(*low, parts[1], times));
    }
    let parts = split(weight, (powers[point.len()], small));
    let (high, low) = (&mut high[point.len()], &mut low[point.len()]);
    (*high, *low) = (add::<MANY>(*high, parts[0], times), add::<MANY>(*low, parts[1], times));
}

/// A product of 64 bits is slow, and a sign is enough for most.
#[inline(always)]
fn add<const MANY: bool>(sum: i64, part: i64, times: i64) -> i64 {
    match (MANY, times < 0) {
        (true, _) => sum + times * part,
        (false, false) => sum + part,
        (false, true) => sum - part,
    }
}
