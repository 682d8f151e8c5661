//! One look at a block of points while centres are chosen: the newest centre is taken in, then
//! found what each candidate for the next would leave.
//!
//! Where points have few features all distances are taken by the definition, with points in the
//! lanes; where they have many, only those that `screen` cannot tell to be too long. Both give the
//! same bits. (Points of few features in memory that have no weights are looked at by `rough` before,
//! which leaves one candidate most often.) Of 40,000 random points one Zen 3 core chose centres, and
//! labelled once, so many times as fast with all distances as with some:
//!
//! | | k = 16 | 64 | 256 | 1000 |
//! |---|---|---|---|---|
//! | d = 2 | | 3.4 | 2.5 | 1.5 |
//! | d = 3 | | 3.3 | 2.0 | 1.4 |
//! | d = 4 | | 2.0 | 1.9 | 1.2 |
//! | d = 8 | 1.5 | | 0.7 | |
//! | d = 16 | 1.1 | | 0.4 | |

use super::curve::FEW;
use super::exact::sums;
use super::held::Held;
use super::reference::squared_distance;
use super::screen::{Panels, limit, screen};
use crate::points::{BLOCK, Element};
use alloc::{vec, vec::Vec};
use pulp::Simd;

use super::centres::EXACT;

/// Most candidates at a time: `2 + ln k` for any `k` there can be.
pub(super) const CANDIDATES: usize = 24;

/// Lanes in which the sum over a block is kept before they are added in pairs.
const LANES: usize = 8;

/// Candidates for the next centre, ready to be looked at.
#[derive(Debug)]
pub(super) struct Candidates {
    d: usize,
    /// Their features, one candidate's behind the other's.
    features: Vec<f64>,
    /// The same less the offset, if they are few.
    moved: Vec<f32>,
    fast: Panels,
    /// Panels of [`EXACT`], feature by feature; those that fill up are infinitely far.
    exact: Vec<[f64; EXACT]>,
}

impl Candidates {
    /// `lanes` is how many a register holds; `offset` what [`Look::offset`] will be.
    pub(super) fn new(features: Vec<f64>, offset: &[f64], lanes: usize) -> Self {
        let d = offset.len();
        // With few features there is nothing to tell apart beforehand.
        let (rough, screened) = features.split_at(if d <= FEW { features.len() } else { 0 });
        let offsets = offset.iter().cycle();
        let moved = rough.iter().zip(offsets).map(|(x, o)| (x - o) as f32).collect();
        let fast = Panels::new(screened, offset, lanes);
        let mut exact = vec![[f64::INFINITY; EXACT]; (screened.len() / d).div_ceil(EXACT) * d];
        for (index, candidate) in screened.chunks_exact(d).enumerate() {
            for (feature, c) in candidate.iter().enumerate() {
                exact[index / EXACT * d + feature][index % EXACT] = *c;
            }
        }
        Candidates { d, features, moved, fast, exact }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.features.len() / self.d
    }

    /// The features of each.
    pub(super) fn each(&self) -> impl Iterator<Item = &[f64]> {
        self.features.chunks_exact(self.d)
    }

    /// The features of each less the offset, if they are few.
    pub(super) fn moved<const D: usize>(&self) -> &[[f32; D]] {
        self.moved.as_chunks().0
    }

    /// The features of one.
    pub(super) fn get(&self, index: usize) -> &[f64] {
        &self.features[index * self.d..][..self.d]
    }
}

/// A block of points, and what is known of them.
pub(super) struct Block<'a, T> {
    pub(super) held: Held<'a, T>,
    /// Which of its blocks.
    pub(super) block: usize,
    /// Squared distances from the nearest centre.
    pub(super) closest: &'a mut [f64; BLOCK],
    /// What `screen` makes of them, or the same in `f32` for `rough`.
    pub(super) limits: &'a mut [f32; BLOCK],
    /// Squares of the points less the offset, where that was rounded.
    pub(super) squares: Option<&'a [f64]>,
    /// Weights, if there are any.
    pub(super) weights: Option<&'a [f64]>,
    /// What each candidate would leave: the sum over the points of the distances to the nearest
    /// centre, each times its weight.
    pub(super) potentials: &'a mut [f64],
    /// A bit for each point that is nearer to the candidate.
    pub(super) nearer: &'a mut [u64],
    pub(super) desk: Desk<'a, T>,
}

/// What is looked for.
pub(super) struct Look<'a> {
    /// What is taken from features that `f32` does not hold; else zeros.
    pub(super) offset: &'a [f64],
    /// The features of the centre chosen last, and which candidate it was.
    pub(super) newest: Option<(&'a [f64], usize)>,
    pub(super) candidates: &'a Candidates,
}

/// Room to work in.
pub(super) struct Desk<'a, T> {
    /// A point.
    pub(super) space: &'a mut [T],
    /// A block in `f32`, with a feature more.
    pub(super) staged: &'a mut [f32],
    /// A block of distances for each candidate.
    pub(super) least: &'a mut [[f64; BLOCK]],
}

/// Brings what is known of a block up to date with the newest centre, and finds what each candidate
/// would leave of it.
#[inline(always)]
pub(super) fn look<S: Simd, T: Element>(simd: S, block: Block<'_, T>, look: &Look<'_>) {
    const { assert!(FEW == 4, "those with few features are all of these") };
    match block.held.d() {
        1 => whole::<_, _, 1>(simd, block, look),
        2 => whole::<_, _, 2>(simd, block, look),
        3 => whole::<_, _, 3>(simd, block, look),
        4 => whole::<_, _, 4>(simd, block, look),
        _ => screened(simd, block, look),
    }
}

/// Takes a centre in, and puts what it leaves of a block of few features where that of candidate
/// `best` stands.
#[inline(always)]
pub(super) fn take<S: Simd, T: Element>(simd: S, block: Block<'_, T>, centre: &[f64], best: usize) {
    match block.held.d() {
        1 => take_whole::<_, _, 1>(simd, block, centre, best),
        2 => take_whole::<_, _, 2>(simd, block, centre, best),
        3 => take_whole::<_, _, 3>(simd, block, centre, best),
        4 => take_whole::<_, _, 4>(simd, block, centre, best),
        d => unreachable!("{d} features are not few"),
    }
}

/// All distances by the definition.
#[inline(always)]
fn whole<S: Simd, T: Element, const D: usize>(simd: S, block: Block<'_, T>, look: &Look<'_>) {
    let Block { held, block, closest, weights, potentials, desk, .. } = block;
    let closest = S::as_mut_simd_f64s(closest).0;
    in_columns::<_, D>(
        (held, block, desk.space),
        #[inline(always)]
        |columns| {
            if let Some((centre, _)) = look.newest {
                let centre = centre.first_chunk().expect("a feature each");
                for (register, closest) in closest.iter_mut().enumerate() {
                    *closest = left(simd, columns, centre, register, *closest);
                }
            }
            for (potential, centre) in potentials.iter_mut().zip(look.candidates.each()) {
                let centre = centre.first_chunk().expect("a feature each");
                *potential = total(
                    simd,
                    #[inline(always)]
                    |register| left(simd, columns, centre, register, closest[register]),
                    weights,
                );
            }
        },
    );
}

#[inline(always)]
fn take_whole<S: Simd, T: Element, const D: usize>(
    simd: S,
    block: Block<'_, T>,
    centre: &[f64],
    best: usize,
) {
    let Block { held, block, closest, limits, weights, potentials, desk, .. } = block;
    let centre = centre.first_chunk().expect("a feature each");
    in_columns::<_, D>(
        (held, block, desk.space),
        #[inline(always)]
        |columns| {
            let closest = S::as_mut_simd_f64s(closest).0;
            potentials[best] = total(
                simd,
                #[inline(always)]
                |register| {
                    closest[register] = left(simd, columns, centre, register, closest[register]);
                    closest[register]
                },
                weights,
            );
        },
    );
    for (limit, closest) in limits.iter_mut().zip(&*closest) {
        *limit = *closest as f32;
    }
}

/// Does something with the columns of a block as `f64`: where they lie, if they are such and whole.
#[inline(always)]
fn in_columns<T: Element, const D: usize>(
    (held, block, space): (Held<'_, T>, usize, &mut [T]),
    work: impl FnOnce(&[[f64; BLOCK]; D]),
) {
    let (wide, points) = (T::NAME == <f64 as Element>::NAME, held.in_block(block).len());
    if wide && points == BLOCK {
        let given: &[f64] = bytemuck::cast_slice(held.columns(block, space));
        return work(given.as_chunks().0.first_chunk().expect("a column each"));
    }
    let mut room = [[0.0; BLOCK]; D];
    held.widen(block, space, &mut room);
    work(&room);
}

/// What a centre leaves of the points of a register. Behind the last point nothing is left.
#[inline(always)]
fn left<S: Simd, const D: usize>(
    simd: S,
    columns: &[[f64; BLOCK]; D],
    centre: &[f64; D],
    register: usize,
    closest: S::f64s,
) -> S::f64s {
    let mut sum = simd.splat_f64s(0.0);
    for feature in 0..D {
        let x = S::as_simd_f64s(&columns[feature]).0[register];
        let difference = simd.sub_f64s(x, simd.splat_f64s(centre[feature]));
        let square = simd.mul_f64s(difference, difference);
        // Added to zero it is the same.
        sum = if feature == 0 { square } else { simd.add_f64s(sum, square) };
    }
    simd.min_f64s(sum, closest)
}

/// Distances by the definition where they may matter.
#[inline(always)]
fn screened<S: Simd, T: Element>(simd: S, block: Block<'_, T>, look: &Look<'_>) {
    let Look { offset, newest, candidates } = *look;
    let Block { held, block, closest, limits, squares, weights, potentials, nearer, desk } = block;
    let Desk { space, staged, least } = desk;
    let (first, d) = (block * BLOCK, held.d());
    let square = |lane: usize| squares.map_or(0.0, |squares| squares[lane]);
    if let Some((centre, index)) = newest {
        for lane in ones(nearer[index]) {
            let distance = squared_distance(held.point(first + lane, space), centre);
            if distance < closest[lane] {
                closest[lane] = distance;
                limits[lane] = limit(distance, square(lane), d);
            }
        }
    }
    let count = candidates.count();
    nearer[..count].fill(0);
    let mut near = [0; CANDIDATES];
    let points = held.in_block(block).len();
    let rows = rows(held, block, offset, staged);
    screen(simd, (rows.0, rows.1, points), &candidates.fast, limits, &mut near[..count]);
    potentials[..count].fill(whole_block(simd, closest, weights));
    for lane in ones(near[..count].iter().fold(0, |all, near| all | near)) {
        let point = held.point(first + lane, space);
        for (panel, exact) in candidates.exact.chunks_exact(d).enumerate() {
            let sums = sums(point, exact, f64::INFINITY).unwrap_or([f64::INFINITY; EXACT]);
            for (index, sum) in (panel * EXACT..count).zip(sums) {
                if sum < closest[lane] {
                    if nearer[index] == 0 {
                        least[index] = *closest;
                    }
                    least[index][lane] = sum;
                    nearer[index] |= 1 << lane;
                }
            }
        }
    }
    for index in 0..count {
        if nearer[index] != 0 {
            potentials[index] = whole_block(simd, &least[index], weights);
        }
    }
}

/// The rows of a block in `f32` and how far they are apart: where they lie, or staged.
#[inline(always)]
fn rows<'b, T: Element>(
    held: Held<'b, T>,
    block: usize,
    offset: &[f64],
    staged: &'b mut [f32],
) -> (&'b [f32], usize) {
    if let Held::Rows(rows) = held {
        let here = &rows.data()[block * BLOCK * rows.stride()..];
        if T::NAME == <f32 as Element>::NAME {
            return (bytemuck::cast_slice(here), rows.stride());
        }
    }
    held.stage_rows(block, offset, staged);
    (staged, held.d() + 1)
}

/// The places of the bits that are set.
#[inline(always)]
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(
        #[inline(always)]
        move || {
            let lane = bits.trailing_zeros() as usize;
            bits &= bits.wrapping_sub(1);
            (lane < BLOCK).then_some(lane)
        },
    )
}

/// The sum of a block's distances, each times its weight if there are any.
#[inline(always)]
fn whole_block<S: Simd>(simd: S, distances: &[f64; BLOCK], weights: Option<&[f64]>) -> f64 {
    total(
        simd,
        #[inline(always)]
        |register| S::as_simd_f64s(distances).0[register],
        weights,
    )
}

/// The sum of a block's distances, given in registers, each times its weight if there are any.
#[inline(always)]
fn total<S: Simd>(
    simd: S,
    mut distances: impl FnMut(usize) -> S::f64s,
    weights: Option<&[f64]>,
) -> f64 {
    let mut sums = [simd.splat_f64s(0.0); LANES];
    let each = LANES / S::F64_LANES;
    for group in 0..BLOCK / LANES {
        for (lanes, sum) in sums[..each].iter_mut().enumerate() {
            let register = group * each + lanes;
            let mut distances = distances(register);
            if let Some(weights) = weights {
                distances = simd.mul_f64s(distances, S::as_simd_f64s(weights).0[register]);
            }
            *sum = simd.add_f64s(*sum, distances);
        }
    }
    let sums: &[f64] = bytemuck::cast_slice(&sums[..each]);
    let [a, b, c, d, e, f, g, h] = *sums.first_chunk().expect("all lanes");
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
