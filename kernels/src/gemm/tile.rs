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
//! latency. Knows nothing of blocking, and of what becomes of the sums only where to ask ([`Last`]).

use super::ahead::{AHEAD, DEEP, HIGH, Next, Target, fetches, quiet_from};
use super::operand::Panels;
use crate::isa::{Isa, Token};
use crate::matrix::RowsMut;
use crate::product::{Product, Sum};
use crate::vector::PANEL;
use bytemuck::Zeroable;
use core::array;
use core::ops::Range;

/// How the sums of a tile begin and end. Handed on by reference: a copy is read by whole registers from
/// where its fields were just written one by one, for which a CPU waits until they are in the cache.
#[derive(Debug)]
pub(crate) struct Ends<'a, S> {
    /// Whether they go on from what stands in their place.
    pub(crate) resume: bool,
    /// What is taken off them.
    pub(crate) less: Option<Outer<'a, S>>,
    /// Where they are going to be written.
    pub(crate) target: Option<Target>,
    /// What the tiles to the right are going to read.
    pub(crate) next: &'a Next,
}

/// What tiles make of their sums, once nothing is to be taken off them any more. A tile is compiled for
/// each: with two ways to end, the compiler keeps some sums in memory from the beginning (1024^3 0.98).
pub(crate) trait Last<S>: 'static {
    /// What there is to know of it for one tile.
    type Of<'a>: Copy;

    /// Whether any sums will do: also those that go on from others, or that nothing is taken off.
    const ANY: bool;

    /// Writes what becomes of the sums of each row and panel.
    fn leave<const MR: usize, const NP: usize>(
        of: Self::Of<'_>,
        sums: impl Fn(usize, usize) -> [S; PANEL],
        out: RowsMut<'_, S>,
    );
}

/// Nothing: sums are written as they are.
impl<S> Last<S> for () {
    type Of<'a> = ();

    const ANY: bool = true;

    #[inline(always)]
    fn leave<const MR: usize, const NP: usize>(
        (): (),
        sums: impl Fn(usize, usize) -> [S; PANEL],
        mut out: RowsMut<'_, S>,
    ) {
        for r in 0..MR {
            for p in 0..NP {
                out.row::<PANEL, NP>(r)[p] = sums(r, p);
            }
        }
    }
}

/// Whether a tile of so many rows may make anything of its sums. Few rows wait for weights, and where a
/// step takes several instructions there are more of them to hide the rest behind. [`HIGH`], which is about
/// asking for lines, was taken over: other numbers were not tried.
pub(super) const fn makes<P: Product>(rows: usize) -> bool {
    matches!(P::Token::ISA, Isa::AvxVnni | Isa::Avx512Vnni) && rows >= HIGH
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

/// Multiplies the first rows by the first panels, as deep as the first row, and leaves the sums, or what is
/// made of them, in rows of `sums`.
///
/// # Panics
/// When there are fewer rows or sums than the tile has, or one is shorter, or the memory of the panels ends
/// before: that a panel is less deep than the rows is not noticed where another follows. Where nothing is
/// taken off sums that cannot be [any](Last::ANY).
pub(crate) type TileFn<P, L> = fn(
    product: P,
    rows: &[&[<P as Product>::Group]],
    panels: &Panels<'_, <P as Product>::Step>,
    ends: &Ends<'_, <P as Product>::Sum>,
    last: <L as Last<<P as Product>::Sum>>::Of<'_>,
    sums: RowsMut<'_, <P as Product>::Sum>,
);

/// The tile of `MR` rows and `NP` panels.
pub(super) fn multiply<P: Product, L: Last<P::Sum>, const MR: usize, const NP: usize>(
    product: P,
    rows: &[&[P::Group]],
    panels: &Panels<'_, P::Step>,
    ends: &Ends<'_, P::Sum>,
    last: L::Of<'_>,
    sums: RowsMut<'_, P::Sum>,
) {
    product.token().run(
        #[inline(always)]
        || accumulate::<P, L, MR, NP>(product, rows, panels, ends, last, sums),
    );
}

#[inline(always)]
fn accumulate<P: Product, L: Last<P::Sum>, const MR: usize, const NP: usize>(
    product: P,
    rows: &[&[P::Group]],
    panels: &Panels<'_, P::Step>,
    ends: &Ends<'_, P::Sum>,
    last: L::Of<'_>,
    mut sums: RowsMut<'_, P::Sum>,
) {
    // Lengths are proven here, once: below, every index is known to be in range. Outside the
    // token's trampoline it would be forgotten on the way in, and cost 3 % of 1024^3.
    let steps = rows[0].len();
    let rows: [&[P::Group]; MR] = array::from_fn(|r| &rows[r][..steps]);
    let panels: [&[P::Step]; NP] = array::from_fn(|p| panels.panel(p, steps));
    let mut acc = [[product.zero(); NP]; MR];
    if L::ANY && ends.resume {
        for r in 0..MR {
            for p in 0..NP {
                acc[r][p] = product.resume(&sums.row::<PANEL, NP>(r)[p]);
            }
        }
    }
    // Here and not earlier: the compiler looks for what it knows of the counter of a loop no further
    // back than where ways meet, and looks at bounds in every step if `resume` is in between. Not
    // for words: 384 x 1024 x 4096 took 1.04 of the time in two threads, 1024^3 1.03.
    if P::TOGETHER == 1 && steps == 0 {
        without_steps::<P::Sum, MR, NP>(ends, sums);
        return;
    }
    take::<P, MR, NP>(product, &rows, (&panels, ends.next), ends.target, &mut acc);
    // After the loop, for what is known of the sums before it takes registers from it: 1024^3 with words
    // makes 0.94 then (AVX2, one Zen 4 core).
    let (high, wide) = sums.shape();
    assert!(MR <= high && NP * PANEL <= wide, "room for {MR} rows of {NP} panels");
    match ends.less {
        Some(Outer { rows, columns }) => {
            let (rows, columns) = (&rows[..MR], &columns[..NP]);
            L::leave::<MR, NP>(
                last,
                #[inline(always)]
                |r, p| P::Sum::less(stored(product, acc[r][p]), rows[r], columns[p]),
                sums,
            );
        }
        None if L::ANY => L::leave::<MR, NP>(
            last,
            #[inline(always)]
            |r, p| stored(product, acc[r][p]),
            sums,
        ),
        None => unreachable!("something is taken off sums of which anything is made"),
    }
}

/// Sums as they are in memory.
#[inline(always)]
fn stored<P: Product>(product: P, acc: P::Acc) -> [P::Sum; PANEL] {
    let mut line = [P::Sum::zeroed(); PANEL];
    product.store(acc, &mut line);
    line
}

/// The sums of a tile without depth. Out of the way, for where they meet those of the loop every
/// tile moves and spills its sums when the loop is done: 64^3 took 1.04 of the time, 1024^3 1.02
/// (AVX2, pairs).
#[cold]
#[inline(never)]
fn without_steps<S: Sum, const MR: usize, const NP: usize>(
    &Ends { resume, less, .. }: &Ends<'_, S>,
    mut sums: RowsMut<'_, S>,
) {
    for r in 0..MR {
        for (p, sums) in sums.row::<PANEL, NP>(r).iter_mut().enumerate() {
            if !resume {
                *sums = Zeroable::zeroed();
            }
            if let Some(Outer { rows, columns }) = less {
                *sums = S::less(*sums, rows[r], columns[p]);
            }
        }
    }
}

/// Steps that a tile of so many rows takes between two looks at its counter.
///
/// Five rows of words with AVX2 take one (tiles of AVX-512 have registers enough): twelve sums leave the
/// compiler nowhere to put the second step, ten do, and it loads both at once and keeps sums in memory for
/// it, how many depends on
/// the profile (16 accesses in the loop with Cargo's own, 2 with one codegen unit and LTO). One Zen 3
/// core, against two steps together, Cargo's own profile: 128x3072x768 (rows, depth, columns) 1.48,
/// 128x768x768 1.15, 384x1024x4096 1.12, 512^3 1.06.
const fn together<P: Product>(rows: usize) -> usize {
    match (P::Token::ISA, rows) {
        (Isa::Avx2, 5) => 1,
        _ => P::TOGETHER,
    }
}

/// Takes all steps into the sums. Where a product asks for lines, the last [`AHEAD`] are a loop of their
/// own: before it a step asks for lines of its own panels, if the tile is not one of those that leave
/// that to the CPU, there for lines of the panels that come next.
#[inline(always)]
fn take<P: Product, const MR: usize, const NP: usize>(
    product: P,
    rows: &[&[P::Group]; MR],
    lines: (&[&[P::Step]; NP], &Next),
    target: Option<Target>,
    acc: &mut [[P::Acc; NP]; MR],
) {
    let steps = rows[0].len();
    let mut done = 0;
    if const { P::ASKS } {
        let own = 0..steps.saturating_sub(AHEAD);
        done = match const { quiet_from::<P>(MR) } {
            Some(least) if steps >= least => {
                walk::<P, MR, NP, 1, false>(product, rows, lines, (own, AHEAD), acc)
            }
            _ => walk::<P, MR, NP, 1, true>(product, rows, lines, (own, AHEAD), acc),
        };
        if let Some(target) = target
            && const { fetches::<P>() && MR >= HIGH }
        {
            target.fetch(product, MR);
        }
    } else if const { together::<P>(MR) } == 2 {
        done = walk::<P, MR, NP, 2, false>(product, rows, lines, (0..steps, 0), acc);
    }
    let ahead = AHEAD + (NP - 1) * steps;
    walk::<P, MR, NP, 1, true>(product, rows, lines, (done..steps, ahead), acc);
}

/// Takes a part of the steps into the sums, `T` between two looks at the counter, and says where it
/// stopped: before the first `T` that are not all there. `ASK`: whether it asks for lines so many
/// steps ahead.
#[inline(always)]
fn walk<P: Product, const MR: usize, const NP: usize, const T: usize, const ASK: bool>(
    product: P,
    rows: &[&[P::Group]; MR],
    (panels, next): (&[&[P::Step]; NP], &Next),
    (part, ahead): (Range<usize>, usize),
    acc: &mut [[P::Acc; NP]; MR],
) -> usize {
    // Chunks of a length that is known need no look at their bounds; with one at every step the
    // compiler keeps sums in memory for whoever might see it fail.
    let (first, count) = (part.start, part.len() / T);
    let mut groups: [&[[P::Group; T]]; MR] = [&[]; MR];
    for r in 0..MR {
        groups[r] = &rows[r][first..].as_chunks().0[..count];
    }
    let mut lines: [&[[P::Step; T]]; NP] = [&[]; NP];
    for p in 0..NP {
        lines[p] = &panels[p][first..].as_chunks().0[..count];
    }
    let near = const { MR == 1 && quiet_from::<P>(MR).is_none() } && panels[0].len() >= DEEP;
    let mut next = next.from(first);
    for chunk in 0..count {
        for t in 0..T {
            if ASK {
                for p in 0..NP {
                    let line = panels[p].as_ptr().wrapping_add(first + chunk * T + t + ahead);
                    if near { product.prefetch(line) } else { product.prefetch_second(line) }
                }
            }
            if const { fetches::<P>() && MR >= HIGH } {
                next.fetch(product);
            }
            // A loop, not `array::from_fn`: where loading is several instructions (AVX2) that
            // stays a call, and every sum is spilled around it.
            let mut rhs = [product.load(&lines[0][chunk][t]); NP];
            for p in 1..NP {
                rhs[p] = product.load(&lines[p][chunk][t]);
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
