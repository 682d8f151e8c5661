//! The loops around the register tile, written once for bytes and floats.
//!
//! ```text
//! for rows, mc at a time                  packed, if their bytes cannot be read where they lie
//!   for columns, nc at a time             panels that stay in the second-level cache ...
//!     for depth, kc steps at a time
//!       for rows, mr of the tile          ... while the rows of the block pass by; theirs stay in
//!         for panels, np of the tile      the first level meanwhile
//!           tile
//! ```
//!
//! Panels come last so that the output is written along its rows, where a CPU sees its lines coming.
//! Written down its columns, each row of a tile on a page of its own, 512^3 makes 0.91 to 0.94 of the
//! speed, 1024^3 0.91 to 0.97, 384x1024x4096 (rows, depth, columns) and 128x768x3072 0.93 to 0.97,
//! 128x3072x768 0.98 to 0.99, but 24x4096x4096 1.02 and 16x4096x4096 from memory 1.03 (one Zen 3 core;
//! two, beside a loud neighbour, 0.97 to 1.01), and asking for those lines beforehand loses 2 to gains 4 %.
//! Shallow tiles go down all the same, for then several are finished in one call: along rows 96x64x256
//! made 0.94 when sums that are stored as they are were finished too. So do panels that are made for a tile.
//!
//! Every cut is even: 128 rows in tiles of 6 are 22 tiles of 6 and 5 rows, not 21 of 6 and one
//! of 2, because a tile of 2 rows costs nearly as much as one of 5. When the depth is cut, the
//! sums of a block wait in the caller's room between two cuts; they are taken up again as they
//! were, so that cutting changes no bit, of floats neither.
//!
//! Knows neither what is multiplied ([`Product`]) nor what becomes of a tile ([`Epilogue`]).

pub(crate) use super::ahead::Destination;
pub(crate) use super::cuts::Cuts;
pub(crate) use super::operand::{Block, Columns, Panels, Rows};
pub(crate) use super::tile::{Last, Outer};

use super::ahead::{HIGH, LONG, Next, fetches};
use super::cuts::{cut, cut_in};
use super::table::{MAX_ROWS, RUN, tile_fn};
use super::tile::{Ends, makes};
use crate::isa::Token;
use crate::matrix::RowsMut;
use crate::product::Product;
use crate::team::share;
use crate::vector::PANEL;
use core::ops::Range;

/// What becomes of finished tiles. Called inside the token's trampoline: implementations are
/// `#[inline(always)]`.
pub(crate) trait Epilogue<P: Product> {
    /// What tiles make of their sums before these leave the registers.
    type Last: Last<P::Sum>;

    /// A block of rows begins.
    #[inline(always)]
    fn begin(&mut self, _rows: &Block<'_, P, impl Rows<P>>) {}

    /// Tiles of these rows follow, whose sums are going to be complete: before [`Epilogue::less`], once
    /// for each strip of panels.
    #[inline(always)]
    fn begin_rows(&mut self, _rows: Range<usize>) {}

    /// What is taken off the sums of a tile when they leave their registers.
    #[inline(always)]
    fn less(&self, _rows: Range<usize>, _panels: Range<usize>) -> Option<Outer<'_, P::Sum>> {
        None
    }

    /// What tiles of these panels are to make of their sums, if they can.
    #[inline(always)]
    fn last(&self, _panels: Range<usize>) -> Option<<Self::Last as Last<P::Sum>>::Of<'_>> {
        None
    }

    /// Where a tile writes its sums or what it makes of them, if it may. If it can, too, it is not going to
    /// be finished.
    #[inline(always)]
    fn place(&self, _rows: Range<usize>, _panels: Range<usize>) -> Option<RowsMut<'_, P::Sum>> {
        None
    }

    /// Where complete tiles are going to be written, if in whole lines.
    #[inline(always)]
    fn destination(&self) -> Option<Destination> {
        None
    }

    /// Up to [`RUN`] tiles below each other are done, given as one.
    fn finish(&mut self, tile: TileSums<'_, P::Sum>);
}

/// The sums of a tile and where it sits.
pub(crate) struct TileSums<'a, S> {
    /// Row of the product of the tile's first row.
    pub(crate) row: usize,
    /// Panel of the tile's first column.
    pub(crate) panel: usize,
    /// Rows below each other.
    pub(crate) rows: usize,
    /// Panels side by side.
    pub(crate) panels: usize,
    /// The sums, row by row, `panels` of them each.
    pub(crate) sums: &'a mut [[S; PANEL]],
}

/// What one member needs to itself.
pub(crate) struct Room<'a, P: Product> {
    /// Packed rows: a block of rows by all steps, or none if every row is read in place.
    pub(crate) groups: &'a mut [P::Group],
    /// As many as [`Cuts::sums`] says.
    pub(crate) sums: &'a mut [[P::Sum; PANEL]],
    /// Panels of a tile by the steps of a block, or none if panels are read in place.
    pub(crate) steps: &'a mut [P::Step],
}

/// The rows and panels of the product one member computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) rows: Range<usize>,
    pub(crate) panels: Range<usize>,
}

/// Panels beside each other, and a cut of the depth.
struct Strip {
    panels: Range<usize>,
    /// Those that come next.
    right: Range<usize>,
    steps: Range<usize>,
    /// Where in the room its sums begin.
    slot: usize,
}

/// One multiplication, shared by the members of a team.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Multiply<'a, P, L, R> {
    pub(crate) product: P,
    pub(crate) lhs: &'a L,
    pub(crate) rhs: R,
    pub(crate) cuts: Cuts,
}

impl<P: Product, L: Rows<P>, R: Columns<P>> Multiply<'_, P, L, R> {
    /// Computes one part of the product; each of its tiles goes to its place or to `epilogue` once.
    pub(crate) fn run(&self, part: Part, room: Room<'_, P>, epilogue: &mut impl Epilogue<P>) {
        let Cuts { tile, rows: high, panels: wide, .. } = self.cuts;
        self.product.token().run(
            #[inline(always)]
            || {
                for rows in cut(part.rows.clone(), high) {
                    let groups = &mut *room.groups;
                    let block = Block::new(self.lhs, rows, self.rhs.steps(), groups);
                    epilogue.begin(&block);
                    for panels in cut_in(part.panels.clone(), tile.panels, wide) {
                        let (sums, steps) = (&mut *room.sums, &mut *room.steps);
                        self.block(&block, panels, part.panels.end, (sums, steps), epilogue);
                    }
                }
            },
        );
    }

    /// One block of rows by some panels, over the whole depth. To the right there are more up to
    /// `end`.
    #[inline(always)]
    fn block(
        &self,
        block: &Block<'_, P, L>,
        panels: Range<usize>,
        end: usize,
        (room, made): (&mut [[P::Sum; PANEL]], &mut [P::Step]),
        epilogue: &mut impl Epilogue<P>,
    ) {
        // A product without depth still has sums, all zero.
        let all = self.rhs.steps();
        let cuts = all.div_ceil(self.cuts.steps).max(1);
        // The same for all cuts: sums that wait are found again by the order in which tiles come.
        let along = self.rhs.in_place().is_some() && all / cuts >= LONG;
        let wide = if along { panels.len().max(1) } else { self.cuts.tile.panels };
        for index in 0..cuts {
            let (steps, mut slot) = (share(all, cuts, index), 0);
            for panels in cut(panels.clone(), wide) {
                let right = panels.end..end.min(panels.end + panels.len());
                let strip = Strip { panels, right, steps: steps.clone(), slot };
                slot = self.strip(block, strip, (&mut *room, &mut *made), epilogue);
            }
        }
    }

    /// Some steps of some panels: where they lie, else made.
    #[inline(always)]
    fn ready<'a>(
        &'a self,
        panels: Range<usize>,
        steps: Range<usize>,
        room: &'a mut [P::Step],
    ) -> Panels<'a, P::Step> {
        if let Some(there) = self.rhs.in_place() {
            return there.from(panels.start, steps.start);
        }
        for (panel, room) in panels.zip(room.chunks_exact_mut(steps.len().max(1))) {
            self.rhs.make(panel, steps.clone(), room);
        }
        Panels { data: room, steps: steps.len() }
    }

    /// What tiles ask for of the panels that come next, where so many are below each other.
    ///
    /// Nothing where these are one or two: what is on its way to the first-level cache takes the few
    /// requests that may be open there. With it for two, one and two Zen 4 cores, weights from memory,
    /// 16x4096x4096 makes 0.87 and 0.97 of the speed, 12x4096x4096 0.93, 16x768x768 0.84; asking for the
    /// second level instead, 16x4096x4096 makes 1.175 and 1.07, but 128 rows 0.97 to 1.0.
    #[inline(always)]
    fn to_the_right(&self, right: Range<usize>, down: usize) -> &[P::Step] {
        match self.rhs.in_place() {
            Some(there) if down > 2 => there.together(right),
            _ => &[],
        }
    }

    /// A strip by all rows of a block; says from where on the room for sums is free.
    #[inline(always)]
    fn strip<E: Epilogue<P>>(
        &self,
        block: &Block<'_, P, L>,
        Strip { panels: strip, right, steps, mut slot }: Strip,
        (room, made): (&mut [[P::Sum; PANEL]], &mut [P::Step]),
        epilogue: &mut E,
    ) -> usize {
        let (size, all) = (self.cuts.tile, self.rhs.steps());
        let (complete, waits) = (steps.end == all, steps.len() < all);
        // Without depth there is no loop, and nothing is made behind it.
        let whole = !waits && all > 0;
        let ready = self.ready(strip.clone(), steps.clone(), made);
        let down = block.rows.len().div_ceil(size.rows);
        // All tiles below each other go to their places, or none does: `open` counts on it.
        let fewest = block.rows.len() / down;
        let tiles = down * strip.len().div_ceil(size.panels);
        let lines = if waits { &[][..] } else { self.to_the_right(right, down) };
        // Tiles below each other are finished together.
        let run = if strip.len() <= size.panels { RUN } else { 1 };
        let mut next = Next::first_of::<P>((lines, room.as_ptr().cast()), tiles, steps.len());
        let long = fetches::<P>() && complete && steps.len() >= LONG;
        let destination = if long { epilogue.destination() } else { None };
        let mut lhs: [&[P::Group]; MAX_ROWS] = [&[]; MAX_ROWS];
        let mut open = None;
        for rows in cut(block.rows.clone(), size.rows) {
            // Once for all tiles side by side.
            block.note(rows.clone(), steps.clone(), &mut lhs);
            if complete {
                epilogue.begin_rows(rows.clone());
            }
            for panels in cut(strip.clone(), size.panels) {
                let (high, wide) = (rows.len(), panels.len());
                let (row, panel) = (rows.start, panels.start);
                let target = destination.as_ref().filter(|_| high >= HIGH);
                let target = target.map(|all| all.target(row, panel, wide));
                let less =
                    if complete { epilogue.less(rows.clone(), panels.clone()) } else { None };
                let ends = Ends { resume: steps.start > 0, less, target, next: &next };
                let (lhs, rhs) = (&lhs[..high], &ready.from(panel - strip.start, 0));
                let spot = (rows.clone(), panels);
                if whole && self.placed((lhs, rhs), &ends, spot, fewest, epilogue) {
                    next.advance();
                    continue;
                }
                let (first, from) = *open.get_or_insert((row, slot));
                let sums = room[slot..][..high * wide].as_flattened_mut();
                slot += high * wide;
                let sums = RowsMut::new(sums, wide * PANEL);
                tile_fn::<P, ()>(high, wide)(self.product, lhs, rhs, &ends, (), sums);
                next.advance();
                let count = rows.end - first;
                if complete && (rows.end == block.rows.end || count > (run - 1) * size.rows) {
                    let (row, sums) = (first, &mut room[from..slot]);
                    epilogue.finish(TileSums { row, panel, rows: count, panels: wide, sums });
                    slot = if waits { slot } else { 0 };
                    open = None;
                }
            }
        }
        slot
    }

    /// A tile that writes to its place, if it may and can; says whether it did. `fewest` are the rows of
    /// the smallest tile of the block.
    #[inline(always)]
    fn placed<E: Epilogue<P>>(
        &self,
        (lhs, rhs): (&[&[P::Group]], &Panels<'_, P::Step>),
        ends: &Ends<'_, P::Sum>,
        (rows, panels): (Range<usize>, Range<usize>),
        fewest: usize,
        epilogue: &E,
    ) -> bool {
        let (high, wide) = (rows.len(), panels.len());
        let Some(place) = epilogue.place(rows, panels.clone()) else { return false };
        match epilogue.last(panels) {
            None => tile_fn::<P, ()>(high, wide)(self.product, lhs, rhs, ends, (), place),
            Some(last) if makes::<P>(fewest) => {
                tile_fn::<P, E::Last>(high, wide)(self.product, lhs, rhs, ends, last, place);
            }
            Some(_) => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::tiles;
    use crate::isa::Isa;
    use crate::matrix::Matrix;
    use crate::product::Floats;
    use crate::vector::{Visitor, Vocabulary, dispatch_floats};
    use alloc::{vec, vec::Vec};

    /// Keeps finished tiles as one matrix of whole panels.
    struct Collect<'a> {
        out: &'a mut [[f32; PANEL]],
        panels: usize,
    }

    impl<P: Product<Sum = f32>> Epilogue<P> for Collect<'_> {
        type Last = ();

        #[inline(always)]
        fn finish(&mut self, tile: TileSums<'_, f32>) {
            for (r, sums) in tile.sums.chunks_exact(tile.panels).enumerate() {
                let start = (tile.row + r) * self.panels + tile.panel;
                self.out[start..][..tile.panels].copy_from_slice(sums);
            }
        }
    }

    struct FloatsIgnoreCuts;

    impl Visitor for FloatsIgnoreCuts {
        type Output = ();

        fn visit<T: Vocabulary>(self, token: T) {
            for depth in [29, 191] {
                Self::check(token, depth);
            }
        }
    }

    impl FloatsIgnoreCuts {
        /// Of 191 steps 96 are a tile that goes along the rows, and 95 one that goes down.
        fn check<T: Vocabulary>(token: T, depth: usize) {
            let (m, panels) = (13, 5);
            let value = |i: usize| ((i * 7919) % 1009) as f32 / 97.0 - 5.0;
            let lhs: Vec<f32> = (0..m * depth).map(value).collect();
            let rhs: Vec<[f32; PANEL]> = (0..panels * depth)
                .map(|i| core::array::from_fn(|c| value(i * PANEL + c)))
                .collect();
            let expected: Vec<[f32; PANEL]> = (0..m * panels)
                .map(|i| {
                    let (row, panel) = (&lhs[i / panels * depth..], &rhs[i % panels * depth..]);
                    core::array::from_fn(|c| {
                        (0..depth).fold(0.0f32, |sum, d| match T::ISA {
                            Isa::Scalar => sum + row[d] * panel[d][c],
                            _ => fused(row[d], panel[d][c], sum),
                        })
                    })
                })
                .collect();
            for &tile in tiles(T::ISA) {
                let cuts = [(m, depth, panels), (4, 7, 3), (1, 1, 1), (m, 96, panels), (8, 190, 4)];
                for (rows, steps, columns) in cuts {
                    let cuts = Cuts { tile, rows, steps, panels: columns };
                    let multiply = Multiply {
                        product: Floats(token),
                        lhs: &Matrix::new(&lhs, m, depth).expect("as long as it says"),
                        rhs: Panels { data: &rhs, steps: depth },
                        cuts,
                    };
                    let mut sums = vec![[0.0; PANEL]; cuts.sums(depth)];
                    let mut out = vec![[f32::NAN; PANEL]; m * panels];
                    let room = Room { groups: &mut [], sums: &mut sums, steps: &mut [] };
                    let part = Part { rows: 0..m, panels: 0..panels };
                    multiply.run(part, room, &mut Collect { out: &mut out, panels });
                    assert_eq!(out, expected, "{}, {cuts:?}", T::ISA);
                }
            }
        }
    }

    /// One rounding for a product and a sum, as the vector instructions do.
    fn fused(a: f32, b: f32, c: f32) -> f32 {
        pulp::Simd::mul_add_f32s(pulp::Scalar::new(), a, b, c)
    }

    #[test]
    fn sums_of_floats_do_not_depend_on_cuts() {
        for isa in Isa::available() {
            dispatch_floats(isa, FloatsIgnoreCuts).expect("available");
        }
    }
}
