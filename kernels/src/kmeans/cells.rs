//! The nearest centre with points in the lanes, of those centres that a table over space says can
//! be the nearest of some point at hand: few, where points that stand behind each other are alike,
//! or where centres are many. For few features.
//!
//! ```text
//! staged block     a tile's points      their cells' sets       for every centre c of the union
//!   x0' of 64        x0' 0..16            000100010               s = |c'|^2 - 2 c0' x0' ...
//!   x1' of 64        x1' 0..16            000100000   or          s = s with its low bits
//!   ...              cells 0..16          010100000                   numbering the centre
//!                                         010100010 = union       the least two of s stay
//! ```
//!
//! The table is `space`'s, the rest is as in `lanes`, with the same bound. Points outside the grid
//! have all centres in their sets: where points are decides speed only.
//!
//! # What else was tried
//!
//! 273,280 pixels in rows, 64 centres of theirs, one Zen 4 core, 512-bit registers, ms; with blocks
//! tested against bounds, `lanes` takes 1.53:
//!
//! | for each point | ms |
//! |---|---|
//! | the definition, with the centres of the cell's record in the lanes: 4 or 8 of `f64` | 1.53 |
//! | scores of the record's centres, 8 of `f32` in the lanes, turned 8 points at a time | 1.25 |
//! | **scores of the union of a register of points** (here), 32 cells a feature | 0.87 |
//! | the same with 16 cells a feature | 0.92 |
//! | the same with unions of two registers, 32 cells | 0.98 |
//! | two centres of the union at a time | no change |
//! | cells tested against the few centres of the coarse cell (4 a side) around them | 4 % slower |
//!
//! On one Zen 3 core, where a register is 8 points, two, four or eight centres between two looks at what
//! is left of the union, places without a centre filled with one that is never nearest, make 0.98 of the
//! speed with 64 centres, 1.02 with 128 and 256; unions of two registers 0.73 to 0.81.
//!
//! A cell of 32 a feature leaves 3.4 centres, of which 91 of 100 pixels have more than one; 16 pixels
//! in a row have 11 between them, with cells of 16 a feature 19, and blocks of 64 are left 37. Records
//! lose because a point has three lines of the second-level cache to read, and its own chain of
//! operations, where a register of points shares each centre's line.

use super::assign::Staged;
use super::centres::{RUN, Ready};
use super::lanes::{Least, doubt, insert, load, merge, multiply_add, squares, tagged};
use super::space::{Space, WORD, words};
use crate::points::BLOCK;
use crate::vector::{FloatExtra, Vocabulary};
use pulp::Simd;

/// [`Nearest`](super::assign::Nearest) with `P` registers of points, a centre at a time.
pub(super) fn nearest<V: Vocabulary, const P: usize, const Q: usize>(
    token: V,
    staged: Staged<'_>,
    ready: &Ready<'_>,
    labels: &mut [u32; BLOCK],
) -> u64 {
    const { assert!(Q == 1, "unions are gone through a centre at a time") };
    token.run(
        #[inline(always)]
        || match ready.d {
            1 => of::<V, P, 1>(token, staged, ready, labels),
            2 => of::<V, P, 2>(token, staged, ready, labels),
            3 => of::<V, P, 3>(token, staged, ready, labels),
            _ => of::<V, P, 4>(token, staged, ready, labels),
        },
    )
}

#[inline(always)]
fn of<V: Vocabulary, const P: usize, const D: usize>(
    token: V,
    staged: Staged<'_>,
    ready: &Ready<'_>,
    labels: &mut [u32; BLOCK],
) -> u64 {
    match words(ready.k) {
        1 => sweep::<V, P, D, 1>(token, staged, ready, labels),
        2 => sweep::<V, P, D, 2>(token, staged, ready, labels),
        _ => sweep::<V, P, D, 4>(token, staged, ready, labels),
    }
}

/// All tiles of a block.
#[inline(always)]
fn sweep<V: Vocabulary, const P: usize, const D: usize, const W: usize>(
    token: V,
    staged: Staged<'_>,
    ready: &Ready<'_>,
    labels: &mut [u32; BLOCK],
) -> u64 {
    let simd = token.floats();
    let mut space = Space::new(staged.room, ready);
    space.refresh(ready);
    let mut cells = [0; BLOCK];
    space.find::<_, D>(simd, staged.values, &mut cells);
    let (lanes, mut unsure) = (<V::Floats as Simd>::F32_LANES, 0);
    for (tile, cells) in cells.chunks_exact(P * lanes).enumerate() {
        let union = space.union::<V, D, W>(token, ready, cells);
        let first = tile * P * lanes;
        let staged = &staged.values[first..];
        let least = centres::<_, P, D, W>(simd, staged, ready, union);
        let squares = squares::<_, P>(simd, D, staged);
        for p in 0..P {
            let first = first + p * lanes;
            let out = &mut labels[first..first + lanes];
            <V::Floats as Simd>::as_mut_simd_u32s(out).0[0] = least[p].label;
            let doubt = doubt(simd, least[p], squares[p], ready.trust);
            unsure |= u64::from(simd.bits(doubt)) << first;
        }
    }
    unsure
}

/// The least two scores of `P` registers of points over a set of centres.
#[inline(always)]
fn centres<S: Simd, const P: usize, const D: usize, const W: usize>(
    simd: S,
    staged: &[f32],
    ready: &Ready<'_>,
    set: [u64; W],
) -> [Least<S>; P] {
    // Numbers in scores start over with every word.
    const { assert!(WORD == RUN) };
    let mask = simd.splat_u32s(ready.mask);
    let x: [[S::f32s; P]; D] = core::array::from_fn(|f| load(&staged[f * BLOCK..]));
    let mut least = [Least::nobody(simd); P];
    for w in 0..W {
        let mut here = [Least::nobody(simd); P];
        let mut left = set[w];
        while left != 0 {
            let centre = w * WORD + left.trailing_zeros() as usize;
            left &= left - 1;
            let row = &ready.fast[centre * (D + 2)..][..D + 2];
            let number = simd.transmute_u32s_f32s(simd.splat_f32s(row[D + 1]));
            for p in 0..P {
                let mut score = simd.splat_f32s(row[D]);
                for f in 0..D {
                    score = multiply_add(simd, x[f][p], simd.splat_f32s(row[f]), score);
                }
                insert(simd, &mut here[p], tagged(simd, score, mask, number));
            }
        }
        for p in 0..P {
            let number = simd.and_u32s(simd.transmute_u32s_f32s(here[p].best), mask);
            let label = simd.add_u32s(number, simd.splat_u32s((w * WORD) as u32));
            merge(simd, &mut least[p], Least { label, ..here[p] });
        }
    }
    least
}
