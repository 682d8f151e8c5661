//! The nearest centre by products of bytes: what is certain on a lattice of bytes (see `lattice`)
//! is certain, and the few centres that are too near each other there are compared one by one (`few`).
//! A dot product of bytes takes a quarter of the time of one of floats.
//!
//! ```text
//! a panel of points     a tile of P panels      for every centre c, in whole numbers
//!   4 features of         [0..16] [16..32]        v = c.(x - zero) + (c.zero - |c|^2 / 2)
//!   sixteen points                                s = v * run + the number of c in its run
//!                                                 the greatest two s of every run stay
//! ```
//!
//! `|x - c|^2` is `|x|^2 - 2 v` but for the half that `|c|^2 / 2` was rounded up by. Points stand in
//! the lanes, so that nothing is compared across them. Centres come in *runs*, each of which keeps
//! its greatest two: from those is read which centres are as near as the bound asks for, unless
//! both of a run are, for then there may be a third.

use super::assign::Staged;
use super::centres::Ready;
use super::lattice::{Lattice, Rounded};
use super::recipe::Tile;
use crate::points::BLOCK;
use crate::vector::{Choice, FloatExtra, GROUP, Operands, PANEL, Step, Vocabulary, WordDot};
use core::ops::Range;
use pulp::Simd;

/// `v` of one feature, `c x - c^2 / 2`, is within `2^15` of zero. This much is added for each, so that
/// numbers without a sign will do.
const LIFT: usize = 1 << 15;

/// So much less than the greatest `v` leaves no centre out; and a float added to it has its nearest whole
/// number in its low bits.
const MUCH: f32 = (1 << 23) as f32;

/// The number of a centre in its run takes so many bits: sixteen centres, or more where that would
/// be more than 32 runs.
pub(super) fn bits(k: usize) -> u32 {
    k.div_ceil(32).next_power_of_two().trailing_zeros().max(4)
}

/// Most features for which scores and numbers fit 32 bits.
pub(super) fn most_features(k: usize) -> usize {
    (u32::MAX as usize / 2 / LIFT + 1) >> bits(k)
}

/// How centres are cut into runs of a tile's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) bits: u32,
    /// Centres in a run.
    pub(super) each: usize,
    /// Runs.
    pub(super) count: usize,
}

impl Runs {
    pub(super) fn new(k: usize, tile: Tile) -> Self {
        let bits = bits(k);
        let each = (1 << bits) / tile.centres * tile.centres;
        Runs { bits, each, count: k.div_ceil(each) }
    }

    /// Numbers of 32 bits that a desk needs beside the panels of a block.
    pub(super) fn room(&self) -> usize {
        (2 * self.count + 4) * BLOCK
    }
}

/// Centres on the lattice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Centres<'a> {
    pub(super) lattice: Lattice,
    /// Bytes of every centre, in groups, for as many as whole tiles take.
    pub(super) groups: &'a [[u8; GROUP]],
    /// What is added to its products.
    pub(super) biases: &'a [u32],
    /// Centres less the offset, row by row.
    pub(super) rows: &'a [f32],
}

/// The bias of a centre that is number `number` of its run: `v` less its products, lifted, times
/// the run. `sum` and `square` are of its bytes. None is below that of a centre that only fills up.
pub(super) fn bias(sum: u32, square: u32, zero: u8, (d, bits, number): (usize, u32, u32)) -> u32 {
    let v = u32::from(zero) * sum + (d * LIFT) as u32 - square.div_ceil(2);
    (v << bits) | number
}

/// What a desk's room holds.
pub(super) struct Room<'a> {
    errors: &'a mut [f32; BLOCK],
    squares: &'a mut [u32; BLOCK],
    /// Scores from which a centre may be the nearest.
    limits: &'a mut [u32; BLOCK],
    /// How many centres that leaves.
    near: &'a mut [u32; BLOCK],
    /// The greatest and the next of every run.
    runs: &'a mut [[[u32; BLOCK]; 2]],
}

impl<'a> Room<'a> {
    #[inline(always)]
    pub(super) fn new(room: &'a mut [f32], ready: &Ready<'_>) -> Self {
        let count = Runs::new(ready.k, ready.tile).count;
        let (head, runs) = room.as_chunks_mut::<BLOCK>().0.split_at_mut(4);
        let [errors, squares, limits, near] = head else { unreachable!("there is room for four") };
        Room {
            errors,
            squares: bytemuck::cast_mut(squares),
            limits: bytemuck::cast_mut(limits),
            near: bytemuck::cast_mut(near),
            runs: &mut bytemuck::cast_slice_mut(runs.as_chunks_mut::<2>().0)[..count],
        }
    }

    /// Whether nothing is known of a point.
    #[inline(always)]
    pub(super) fn unknown(&self, lane: usize) -> bool {
        self.limits[lane] == 0
    }

    /// The centres of a run that may be the nearest of a point: none, its first, or all of them if
    /// its second may be too.
    #[inline(always)]
    pub(super) fn candidates(
        &self,
        run: usize,
        (runs, k): (Runs, usize),
        lane: usize,
    ) -> Range<usize> {
        let ([best, second], limit) = (&self.runs[run], self.limits[lane]);
        let first = run * runs.each;
        let one = first + (best[lane] as usize & ((1 << runs.bits) - 1));
        if second[lane] >= limit {
            first..k.min(first + runs.each)
        } else {
            one..one + usize::from(best[lane] >= limit)
        }
    }
}

/// Whether the bound left so many centres, a quarter, of so many points of a block, an eighth, that
/// products of floats are faster: comparing centres one by one takes some ten times as long for each.
#[inline(always)]
pub(super) fn in_vain(ready: &Ready<'_>, room: &mut [f32], points: usize) -> bool {
    let near = &Room::new(room, ready).near[..points];
    let many = near.iter().filter(|near| **near as usize > ready.k / 4).count();
    many > points / 8
}

/// Puts a block on the lattice that is staged feature by feature.
#[inline(always)]
pub(super) fn put<S: Simd>(simd: S, ready: &Ready<'_>, staged: &mut [f32], room: &mut [f32]) {
    if let Some(Centres { lattice, .. }) = ready.bytes {
        let Room { errors, squares, .. } = Room::new(room, ready);
        lattice.put(simd, &mut staged[..ready.d * BLOCK], Rounded { errors, squares });
    }
}

/// [`Nearest`](super::assign::Nearest) of `P` panels of points, `Q` centres at a time.
pub(super) fn nearest<V: Vocabulary, const P: usize, const Q: usize>(
    token: V,
    staged: Staged<'_>,
    ready: &Ready<'_>,
    labels: &mut [u32; BLOCK],
) -> u64 {
    let steps: &[i8] = bytemuck::cast_slice(staged.values);
    let steps: &[Step] = steps.as_chunks().0.as_chunks().0;
    let room = Room::new(staged.room, ready);
    // Seven bits of each are left where pairs are added in sixteen.
    let operands = Operands::new(BLOCK, true);
    let slack = staged.slack;
    token.choose(operands, Labels::<'_, P, Q> { steps, ready, room, labels, slack })
}

/// The work on a block, for whichever token multiplies bytes best.
struct Labels<'a, const P: usize, const Q: usize> {
    steps: &'a [Step],
    ready: &'a Ready<'a>,
    room: Room<'a>,
    labels: &'a mut [u32; BLOCK],
    slack: &'a mut [f32],
}

impl<const P: usize, const Q: usize> Choice for Labels<'_, P, Q> {
    type Output = u64;

    #[inline(always)]
    fn bytes<T: Vocabulary>(self, token: T) -> u64 {
        let Labels { steps, ready, room, labels, slack } = self;
        token.run(
            #[inline(always)]
            || {
                let runs = Runs::new(ready.k, ready.tile);
                for panel in (0..BLOCK / PANEL).step_by(P) {
                    sweep::<T, P, Q>(token, (steps, panel), ready, (runs, &mut *room.runs));
                }
                meet(token.floats(), ready, (runs, room), (labels, slack))
            },
        )
    }

    #[inline(always)]
    fn words<T: Vocabulary + WordDot>(self, token: T) -> u64 {
        self.bytes(token)
    }
}

/// The greatest two scores of every run, of `P` panels of points.
#[inline(always)]
fn sweep<T: Vocabulary, const P: usize, const Q: usize>(
    token: T,
    (steps, panel): (&[Step], usize),
    ready: &Ready<'_>,
    (runs, kept): (Runs, &mut [[[u32; BLOCK]; 2]]),
) {
    let groups = ready.d.div_ceil(GROUP);
    let points = &steps[panel..groups * (BLOCK / PANEL)];
    let Some(Centres { groups: rows, biases, .. }) = ready.bytes else { return };
    let (centres, biases) = (rows.chunks(runs.each * groups), biases.chunks(runs.each));
    for ((centres, biases), [best, second]) in centres.zip(biases).zip(kept) {
        let mut most = [[[0; PANEL]; P]; 2];
        for (centres, biases) in centres.chunks_exact(Q * groups).zip(biases.as_chunks::<Q>().0) {
            let mut rows: [&[[u8; GROUP]]; Q] = [&[]; Q];
            for q in 0..Q {
                rows[q] = &centres[q * groups..][..groups];
            }
            let sums = products::<T, P, Q>(token, points, &rows);
            for q in 0..Q {
                for p in 0..P {
                    let mut out = [0; PANEL];
                    token.store(sums[q][p], &mut out);
                    let [best, second] = &mut most;
                    keep(token.floats(), (out, runs.bits, biases[q]), &mut best[p], &mut second[p]);
                }
            }
        }
        for p in 0..P {
            let at = (panel + p) * PANEL;
            best[at..at + PANEL].copy_from_slice(&most[0][p]);
            second[at..at + PANEL].copy_from_slice(&most[1][p]);
        }
    }
}

/// The products of `Q` centres and `P` panels of points.
#[inline(always)]
fn products<T: Vocabulary, const P: usize, const Q: usize>(
    token: T,
    points: &[Step],
    centres: &[&[[u8; GROUP]]; Q],
) -> [[T::Acc; P]; Q] {
    let mut sums = [[token.zero(); P]; Q];
    for (group, points) in points.chunks(BLOCK / PANEL).enumerate() {
        let points: &[Step; P] = points.first_chunk().expect("as many panels");
        let mut x = [token.load(&points[0]); P];
        for p in 1..P {
            x[p] = token.load(&points[p]);
        }
        for q in 0..Q {
            let c = token.broadcast(centres[q][group]);
            for p in 0..P {
                sums[q][p] = token.dot(sums[q][p], c, x[p]);
            }
        }
    }
    sums
}

/// Keeps the greatest two of three.
#[inline(always)]
fn keep<S: FloatExtra>(
    simd: S,
    (sums, bits, bias): ([i32; PANEL], u32, u32),
    best: &mut [u32; PANEL],
    second: &mut [u32; PANEL],
) {
    let (bits, bias) = (simd.splat_u32s(bits), simd.splat_u32s(bias));
    let sums: [u32; PANEL] = bytemuck::cast(sums);
    let (best, second) = (S::as_mut_simd_u32s(best).0, S::as_mut_simd_u32s(second).0);
    for ((best, second), sum) in best.iter_mut().zip(second).zip(S::as_simd_u32s(&sums).0) {
        let score = simd.add_u32s(simd.wrapping_dyn_shl_u32s(*sum, bits), bias);
        *second = simd.max_u32s(*second, simd.min_u32s(*best, score));
        *best = simd.max_u32s(*best, score);
    }
}

/// Brings the runs together: labels, limits, and a bit for each point that has more than one
/// centre above its own.
#[inline(always)]
fn meet<S: FloatExtra>(
    simd: S,
    ready: &Ready<'_>,
    (runs, room): (Runs, Room<'_>),
    (labels, slacks): (&mut [u32; BLOCK], &mut [f32]),
) -> u64 {
    let Room { errors, squares, limits, near, runs: kept } = room;
    let shift = simd.splat_u32s(runs.bits);
    let mut most = [0; BLOCK];
    let each = S::as_mut_simd_u32s(&mut most).0.iter_mut().zip(S::as_mut_simd_u32s(labels).0);
    for (at, (most, label)) in each.enumerate() {
        for (run, [best, _]) in kept.iter().enumerate() {
            let best = S::as_simd_u32s(best).0[at];
            let first = simd.splat_u32s((run * runs.each) as u32);
            *label = simd.select_u32s(simd.greater_than_u32s(best, *most), first, *label);
            *most = simd.max_u32s(*most, best);
        }
        let number = simd.and_u32s(*most, simd.splat_u32s((1 << runs.bits) - 1));
        *label = simd.add_u32s(*label, number);
        *most = simd.wrapping_dyn_shr_u32s(*most, shift);
    }
    let (lifted, mut distances) = (2 * (ready.d * LIFT) as u32, [0.0; BLOCK]);
    for lane in 0..BLOCK {
        let square = squares[lane].wrapping_add(lifted).wrapping_sub(2 * most[lane]);
        distances[lane] = square.cast_signed() as f32;
    }
    for roots in [&mut distances, &mut *errors] {
        for root in S::as_mut_simd_f32s(roots).0 {
            *root = simd.sqrt_f32s(*root);
        }
    }
    let (add, factor) = ready.bytes.map_or((f32::NAN, 0.0), |centres| centres.lattice.apart());
    for lane in 0..BLOCK {
        let (distance, apart) = (distances[lane], add + factor * errors[lane]);
        let less = (0.5 + apart * (distance + 0.5 * apart)) * (1.0 + 1.0 / 4096.0) + 2.0;
        // What is not a number, or too much, leaves no centre out.
        let whole = (less + MUCH).to_bits().wrapping_sub(MUCH.to_bits());
        limits[lane] = if less < MUCH { whole } else { u32::MAX };
    }
    if !slacks.is_empty() {
        slack(simd, ready, (runs, &*kept), (&*squares, lifted), (&distances, &*errors), slacks);
    }
    let (one, others, mut any) = (simd.splat_u32s(1), simd.splat_u32s(runs.each as u32), 0);
    let each = S::as_mut_simd_u32s(near).0.iter_mut().zip(S::as_mut_simd_u32s(limits).0);
    for (at, (near, limit)) in each.enumerate() {
        let most = S::as_simd_u32s(&most).0[at];
        let less = simd.sub_u32s(most, simd.min_u32s(*limit, most));
        *limit = simd.wrapping_dyn_shl_u32s(less, shift);
        *near = simd.splat_u32s(0);
        for [best, second] in &*kept {
            let (best, second) = (S::as_simd_u32s(best).0[at], S::as_simd_u32s(second).0[at]);
            // Behind the second there may be all others.
            for (score, many) in [(best, one), (second, others)] {
                let here = simd.less_than_or_equal_u32s(*limit, score);
                *near = simd.add_u32s(*near, simd.select_u32s(here, many, simd.splat_u32s(0)));
            }
        }
        let more = simd.greater_than_u32s(*near, one);
        any |= u64::from(simd.bits(more)) << (at * S::F32_LANES);
    }
    any
}

/// By how much all centres but the nearest are farther at least than that: of points whose squares,
/// lifted, nearest distances and errors these are, in steps. A second one's square on the lattice is
/// up to 1 less than it seems, by the half that was rounded up.
#[inline(always)]
fn slack<S: FloatExtra>(
    simd: S,
    ready: &Ready<'_>,
    (runs, kept): (Runs, &[[[u32; BLOCK]; 2]]),
    (squares, lifted): (&[u32; BLOCK], u32),
    (distances, errors): (&[f32; BLOCK], &[f32; BLOCK]),
    slacks: &mut [f32],
) {
    const PART: f32 = 1.0 / (1 << 20) as f32;
    let (shift, mut seconds) = (simd.splat_u32s(runs.bits), [0; BLOCK]);
    for (at, second) in S::as_mut_simd_u32s(&mut seconds).0.iter_mut().enumerate() {
        let mut most = simd.splat_u32s(0);
        for [best, next] in kept {
            let (best, next) = (S::as_simd_u32s(best).0[at], S::as_simd_u32s(next).0[at]);
            *second = simd.max_u32s(*second, simd.max_u32s(next, simd.min_u32s(most, best)));
            most = simd.max_u32s(most, best);
        }
        *second = simd.wrapping_dyn_shr_u32s(*second, shift);
    }
    let mut roots = [0.0; BLOCK];
    for lane in 0..BLOCK {
        let square = squares[lane].wrapping_add(lifted).wrapping_sub(2 * seconds[lane] + 1);
        roots[lane] = square.cast_signed() as f32;
    }
    for root in S::as_mut_simd_f32s(&mut roots).0 {
        *root = simd.sqrt_f32s(*root);
    }
    let Some(Centres { lattice, .. }) = ready.bytes else { return };
    let ((add, factor), step) = (lattice.apart(), lattice.step() * (1.0 - PART));
    for (lane, slack) in slacks.iter_mut().enumerate() {
        let (near, far) = (distances[lane] * (1.0 + PART), roots[lane] * (1.0 - PART));
        *slack = (far - near - (add + factor * errors[lane])) * step;
    }
}
