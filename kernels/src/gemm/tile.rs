//! The register tile: `MR` rows by `NP` panels of sums that stay in registers over the depth.
//!
//! ```text
//!               panel 0   panel 1   panel 2   panel 3      one step of each: NP loads
//! row 0  group  sum       sum       sum       sum
//! row 1  group  sum       sum       sum       sum          one group of each row: MR broadcasts
//! ...           MR * NP products a step, each its own register
//! ```
//!
//! With 24 sums a step has 24 products for 10 (6 x 4) or 11 (8 x 3) loads, so a core with two
//! products and two loads a cycle is bound by its products, and 24 independent sums hide their
//! latency. Knows neither blocking nor what becomes of the sums.

use crate::buffer::LINE;
use crate::isa::{Isa, Token};
use crate::product::{Product, Sum};
use crate::vector::PANEL;
use bytemuck::Zeroable;
use core::array;
use core::ops::Range;

/// How many steps before its use a line of a panel is asked for.
///
/// Weights that come from beyond the second-level cache would else stall the tile. One core,
/// without and with, in runs of their own on a busy machine: 8 x 1024 x 4096 119 us and 70 to 76,
/// 128 x 768 x 3072 713 and 620 to 662; 8 x 4096 x 4096 454 and 309 to 436, too uneven to tell how
/// much. 8 to 32 steps gained less; 96 to 200 did not differ from 64 by more than runs do (asking for
/// the first-level cache; for the second 128 do not either).
///
/// Bytes are asked for no nearer than the second-level cache: what is on its way to the first one
/// takes up the few requests a core may have open there. Against asking for that one, on one Zen 4
/// core, weights from memory: 8 x 1024 x 4096 (rows, depth, columns) makes 1.45 of the speed, 8 x 768
/// x 3072 1.5, 1 x 768 x 768 1.35, 16 x 4096 x 4096 1.02, 128 rows 1.0 to 1.02 (two cores: 8 x 1024 x 4096 1.19, 2 x 768 x
/// 768 1.23, 4 x 768 x 3072 1.48; AVX2, one core: 1.01 to 1.17). From a cache few rows that ask in
/// every step lose: 1 x 768 x 768 makes 0.92, two cores with 2 x 768 x 768 0.89 and 4 x 768 x 3072 0.91; 8 and
/// more rows do not. Asking twice, far ahead for the second level and near for the first, costs more
/// than it gains (0.85 from a cache, 1.2 from memory).
///
/// Tiles of few rows ask in their last steps alone, for the beginnings of the panels that come
/// next: what lies within a panel a CPU that reads nothing else sees coming, and asking for it
/// takes a fifth of the third-level cache's bandwidth (95 GB/s by 1 to 4 panels side by side on one
/// Zen 4 core without asking, 71 to 77 with, to whichever level and however far ahead). Against
/// asking in every step, on one and two cores (means of both orders in memory, for a program's
/// second copy of all reads up to 1.1 times as fast from memory): 1x768x768 (rows, depth, columns)
/// 1.16 and 1.15, from memory 1.03 and 1.02; 1x4096x4096 1.16 and 1.18, from memory 1.16 and at
/// least 1.05; 2x768x768 1.14 and 1.15, from memory 0.98; 2x4096x4096 1.13 and 1.16, from memory
/// 1.21 and 1.05; 3x4096x4096 1.05 and 1.06, from memory 1.26 and 1.06. No other kind of CPU has
/// been measured. Not asking at all is 1.2 from a cache and 0.86 to 0.9 from memory where panels
/// are short (768). Four rows and short panels make 0.94 to 0.97 from memory, eight rows 0.9.
const AHEAD: usize = 64;

/// Steps from which panels are long enough for the CPU to see their lines coming. From there on a
/// tile of one row that asks in every step asks for the first-level cache all the same: else 1 x
/// 4096 x 4096 makes 0.94 of the speed from memory, with AVX2 0.90; 2 x 4096 x 4096 makes 0.96 to
/// 0.99, with AVX2 1.07.
const DEEP: usize = 512;

/// Steps from which a tile of so many rows asks for panels in its last [`AHEAD`] steps alone.
///
/// From [`DEEP`] on where rows are four or five: on one and two Zen 4 cores 4x4096x4096 (rows,
/// depth, columns) makes 0.93 and 1.02 of the speed so, from memory 1.19 and 1.09; 4x3072x768 1.0,
/// from memory 1.05 and 1.0; 5x4096x4096 0.98 and 1.01, from memory 1.08 and 1.02. Six rows make
/// 0.97 and from memory 1.03, seven 0.94 to 1.01. Not with other instruction sets: AVX2 on one and
/// two Zen 3 cores makes 0.79 and 0.93 with 1x4096x4096, from memory 1.14 and 1.08, 0.92 and 1.07
/// with 1x768x768, from memory 0.95 and 0.98, two rows 0.73 to 1.12, from memory 0.93 to 1.05; AVX-512
/// without VNNI 0.92 and 1.17 with 1x4096x4096, 1.0 and 0.9 with 1x768x768 (one Zen 4 core).
const fn quiet_from<P: Product>(rows: usize) -> Option<usize> {
    match (P::Token::ISA, rows) {
        (Isa::Avx512Vnni, 0..=3) => Some(0),
        (Isa::Avx512Vnni, 4..=5) => Some(DEEP),
        _ => None,
    }
}

/// How many steps before the end of a tile the lines are asked for that its sums go to. Others asked
/// for earlier have left the first-level cache by then. On one and two Zen 4 cores, without and with
/// (driver, in one program): 384 x 768 x 3072 (rows, depth, columns) 1.03 and 1.02, 384 x 1024 x 4096
/// 1.035, 1024^3 1.025 and 1.02, 128 x 768 x 3072 1.0 to 1.03; 64 steps are as good. From shallower
/// tiles the products of so few steps do not hide it: 96 x 256 x 64 0.98.
const LATE: usize = 32;

/// What else is asked for on the way, to the first-level cache (0.99 with the second): while the tiles
/// of a block pass by some panels, each asks for a part of the panels to the right, in all its steps.
/// Else the first tile there would wait for
/// memory and all others not use it. On one Zen 4 core with weights that come from memory, as those
/// of a model do, without and with: 128 x 768 x 768 and 128 x 768 x 3072 (rows, depth, columns) 1.035,
/// 128 x 3072 x 768 1.016, 384 x 1024 x 4096 1.01; with weights in a cache 0.995 to 1.01.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    /// The first line.
    first: *const u8,
    /// Lines a step, times `2^16`.
    rate: usize,
}

impl Next {
    /// Part `index` of `parts` of some lines, for a tile of so many steps; where there are none, what
    /// is asked for is `here` already. With fewer parts than a step has panels, some are left out.
    #[inline(always)]
    pub(crate) fn part<P: Product>(
        (lines, here): (&[P::Step], &[P::Step]),
        (index, parts): (usize, usize),
        steps: usize,
    ) -> Self {
        if lines.is_empty() || const { !fetches::<P>() } {
            return Next { first: here.as_ptr().cast(), rate: 0 };
        }
        let each = lines.len() / parts;
        let first = lines.as_ptr().wrapping_add(index * each).cast();
        Next { first, rate: (each << 16) / steps.max(1) }
    }

    /// Asks for what goes with a step.
    #[inline(always)]
    fn fetch<P: Product>(self, product: P, step: usize) {
        let line = ((step * self.rate) >> 16) * LINE;
        product.prefetch(self.first.wrapping_add(line).cast());
    }
}

/// Fewest steps and rows of a tile that asks for lines it writes. Asking for those of one row takes
/// longer than waiting: 1 x 768 x 768 0.96.
pub(super) const LONG: usize = 3 * LATE;
pub(super) const HIGH: usize = 4;

/// Whether tiles ask for lines they write. Where a panel is more than one register they do not: what
/// makes room for it in the code costs AVX2 2 to 6 % at small depths, and gains 1 to 4 % at large ones
/// with narrow weights alone; asked for before a tile begins, they gain 3 % at 1024^3 and at
/// 384x1024x4096, nothing on two cores, and lose 1 to 2 % at a depth of 768 (Zen 3). Nor do they ask
/// for the panels to the right: all of a tile's share of them, asked for as it begins, loses 1 to 5 %,
/// with weights from memory 3 to 7 % (one Zen 3 core, pairs, depths of 768 to 4096).
pub(super) const fn fetches<P: Product>() -> bool {
    matches!(P::Token::ISA, Isa::Avx512 | Isa::Avx512Vnni) && P::TOGETHER == 1
}

/// How the sums of a tile begin and end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends<'a, S> {
    /// Whether they go on from what stands in their place.
    pub(crate) resume: bool,
    /// What is taken off them.
    pub(crate) less: Option<Outer<'a, S>>,
    /// Where they are going to be written.
    pub(crate) target: Option<Target>,
    /// What the tiles to the right are going to read.
    pub(crate) next: Next,
}

/// A part of some rows in memory, which is asked for before it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Where the part of the first row begins.
    pub(crate) first: *const u8,
    /// Bytes from one row to the next.
    pub(crate) stride: usize,
    /// Bytes of a row.
    pub(crate) bytes: usize,
}

impl Target {
    #[inline(always)]
    fn fetch<P: Product>(self, product: P, rows: usize) {
        for row in 0..rows {
            let line = self.first.wrapping_add(row * self.stride);
            for at in (0..self.bytes).step_by(LINE) {
                product.prefetch(line.wrapping_add(at).cast());
            }
        }
    }
}

/// One number of each row times those of each panel.
///
/// Taken off in registers: where the sums began with it instead, 1024^3 took 1.12 of its time, for
/// the first products waited until the columns came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer<'a, S> {
    /// One for each row.
    pub(crate) rows: &'a [S],
    /// As many for each panel as it has columns.
    pub(crate) columns: &'a [[S; PANEL]],
}

/// Multiplies the first rows by the first panels and leaves the sums, row by row and panel by
/// panel, in `sums`.
///
/// All rows and panels must be as deep as the first row.
///
/// # Panics
/// When there are fewer rows, panels or sums than the tile has, or one is shorter.
pub(crate) type TileFn<P> = fn(
    product: P,
    rows: &[&[<P as Product>::Group]],
    panels: &[&[<P as Product>::Step]],
    ends: Ends<'_, <P as Product>::Sum>,
    sums: &mut [[<P as Product>::Sum; PANEL]],
);

/// The tile of `MR` rows and `NP` panels.
pub(super) fn multiply<P: Product, const MR: usize, const NP: usize>(
    product: P,
    rows: &[&[P::Group]],
    panels: &[&[P::Step]],
    ends: Ends<'_, P::Sum>,
    sums: &mut [[P::Sum; PANEL]],
) {
    product.token().run(
        #[inline(always)]
        || accumulate::<P, MR, NP>(product, rows, panels, ends, sums),
    );
}

#[inline(always)]
fn accumulate<P: Product, const MR: usize, const NP: usize>(
    product: P,
    rows: &[&[P::Group]],
    panels: &[&[P::Step]],
    ends: Ends<'_, P::Sum>,
    sums: &mut [[P::Sum; PANEL]],
) {
    // Lengths are proven here, once: below, every index is known to be in range. Outside the
    // token's trampoline it would be forgotten on the way in, and cost 3 % of 1024^3.
    let steps = rows[0].len();
    let rows: [&[P::Group]; MR] = array::from_fn(|r| &rows[r][..steps]);
    let panels: [&[P::Step]; NP] = array::from_fn(|p| &panels[p][..steps]);
    let sums: &mut [[[P::Sum; PANEL]; NP]; MR] = as_tile(sums);
    let mut acc = [[product.zero(); NP]; MR];
    if ends.resume {
        for r in 0..MR {
            for p in 0..NP {
                acc[r][p] = product.resume(&sums[r][p]);
            }
        }
    }
    // Here and not earlier: the compiler looks for what it knows of the counter of a loop no further
    // back than where ways meet, and looks at bounds in every step if `resume` is in between. Not
    // for words: 384 x 1024 x 4096 took 1.04 of the time in two threads, 1024^3 1.03.
    if P::TOGETHER == 1 && steps == 0 {
        without_steps(ends, sums);
        return;
    }
    take::<P, MR, NP>(product, &rows, (&panels, ends.next), ends.target, &mut acc);
    let Some(Outer { rows, columns }) = ends.less else {
        for r in 0..MR {
            for p in 0..NP {
                product.store(acc[r][p], &mut sums[r][p]);
            }
        }
        return;
    };
    let (rows, columns) = (&rows[..MR], &columns[..NP]);
    for r in 0..MR {
        for p in 0..NP {
            let mut line = [P::Sum::zeroed(); PANEL];
            product.store(acc[r][p], &mut line);
            sums[r][p] = P::Sum::less(line, rows[r], columns[p]);
        }
    }
}

/// The sums of a tile without depth. Out of the way, for where they meet those of the loop every
/// tile moves and spills its sums when the loop is done: 64^3 took 1.04 of the time, 1024^3 1.02
/// (AVX2, pairs).
#[cold]
#[inline(never)]
fn without_steps<S: Sum, const MR: usize, const NP: usize>(
    Ends { resume, less, .. }: Ends<'_, S>,
    sums: &mut [[[S; PANEL]; NP]; MR],
) {
    for r in 0..MR {
        for p in 0..NP {
            if !resume {
                sums[r][p] = Zeroable::zeroed();
            }
            if let Some(Outer { rows, columns }) = less {
                sums[r][p] = S::less(sums[r][p], rows[r], columns[p]);
            }
        }
    }
}

/// Steps that a tile of so many rows takes between two looks at its counter.
///
/// Five rows of words with AVX2 take one (tiles of AVX-512 have registers enough): twelve sums leave the compiler nowhere to put the second
/// step, ten do, and it loads both at once and keeps sums in memory for it, how many depends on
/// the profile (16 accesses in the loop with Cargo's own, 2 with one codegen unit and LTO). One Zen 3
/// core, against two steps together, Cargo's own profile: 128x3072x768 (rows, depth, columns) 1.48,
/// 128x768x768 1.15, 384x1024x4096 1.12, 512^3 1.06.
const fn together<P: Product>(rows: usize) -> usize {
    match (P::Token::ISA, rows) {
        (Isa::Avx2, 5) => 1,
        _ => P::TOGETHER,
    }
}

/// Takes all steps into the sums.
#[inline(always)]
fn take<P: Product, const MR: usize, const NP: usize>(
    product: P,
    rows: &[&[P::Group]; MR],
    lines: (&[&[P::Step]; NP], Next),
    target: Option<Target>,
    acc: &mut [[P::Acc; NP]; MR],
) {
    let steps = rows[0].len();
    let news = steps.saturating_sub(AHEAD);
    let mut done = match (const { together::<P>(MR) }, const { quiet_from::<P>(MR) }) {
        (2, _) => walk::<P, MR, NP, 2, true>(product, rows, lines, 0..steps, acc),
        (_, Some(least)) if steps >= least => {
            walk::<P, MR, NP, 1, false>(product, rows, lines, 0..news, acc)
        }
        _ => 0,
    };
    if let Some(target) = target
        && const { fetches::<P>() && MR >= HIGH }
    {
        let late = steps.saturating_sub(LATE);
        done = walk::<P, MR, NP, 1, true>(product, rows, lines, done..late, acc);
        target.fetch(product, MR);
    }
    walk::<P, MR, NP, 1, true>(product, rows, lines, done..steps, acc);
}

/// Takes a part of the steps into the sums, `T` between two looks at the counter, and says where it
/// stopped: before the first `T` that are not all there. `ASK`: whether it asks for lines [`AHEAD`].
#[inline(always)]
fn walk<P: Product, const MR: usize, const NP: usize, const T: usize, const ASK: bool>(
    product: P,
    rows: &[&[P::Group]; MR],
    (panels, next): (&[&[P::Step]; NP], Next),
    part: Range<usize>,
    acc: &mut [[P::Acc; NP]; MR],
) -> usize {
    // Chunks of a length that is known need no look at their bounds; with one at every step the
    // compiler keeps sums in memory for whoever might see it fail.
    let steps = panels[0].len();
    let (first, count) = (part.start, part.len() / T);
    let mut groups: [&[[P::Group; T]]; MR] = [&[]; MR];
    for r in 0..MR {
        groups[r] = &rows[r][first..].as_chunks().0[..count];
    }
    let mut lines: [&[[P::Step; T]]; NP] = [&[]; NP];
    for p in 0..NP {
        lines[p] = &panels[p][first..].as_chunks().0[..count];
    }
    let near = const { MR == 1 && quiet_from::<P>(MR).is_none() } && steps >= DEEP;
    for chunk in 0..count {
        for t in 0..T {
            // A loop, not `array::from_fn`: where loading is several instructions (AVX2) that
            // stays a call, and every sum is spilled around it.
            let mut rhs = [product.load(&lines[0][chunk][t]); NP];
            for p in 1..NP {
                rhs[p] = product.load(&lines[p][chunk][t]);
            }
            // Where a panel ends, the next one of this tile begins; what is news is the next
            // tile's.
            let ahead = first + chunk * T + t + AHEAD;
            let ahead = if ahead < steps { ahead } else { ahead + (NP - 1) * steps };
            if ASK {
                for p in 0..NP {
                    let line = panels[p].as_ptr().wrapping_add(ahead);
                    if near { product.prefetch(line) } else { product.prefetch_second(line) }
                }
            }
            if const { fetches::<P>() && MR >= HIGH } {
                next.fetch(product, first + chunk * T + t);
            }
            for r in 0..MR {
                let lhs = product.broadcast(&groups[r][chunk][t]);
                for p in 0..NP {
                    acc[r][p] = product.step_at(acc[r][p], lhs, rhs[p], &lines[p][chunk][t]);
                }
            }
        }
    }
    first + count * T
}

/// The first sums, as rows of panels.
#[inline(always)]
fn as_tile<S, const MR: usize, const NP: usize>(
    sums: &mut [[S; PANEL]],
) -> &mut [[[S; PANEL]; NP]; MR] {
    let (rows, _) = sums.as_chunks_mut();
    rows.first_chunk_mut().expect("room for the sums of a tile")
}
