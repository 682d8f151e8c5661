//! How a multiplication is cut, as plain data: built by hand in a test, estimated from cache
//! sizes, swept by the tuner, stored as wisdom, printed in a report.
//!
//! A recipe decides how fast a product is, never what it is.

use super::drive::Cuts;
use super::table::registers_of_panel;
use super::{Error, Shape, Tile, tiles};
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::{GROUP, PANEL};
use core::fmt;

/// Tile and block sizes of a multiplication, and how a team shares it.
///
/// ```
/// use tilewise::{Isa, cache::CacheSizes, gemm::{Recipe, Shape}};
/// let shape = Shape { m: 128, n: 768, k: 768 };
/// let mut recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 2);
/// recipe.mc = 64;
/// assert_eq!(recipe.split.parts(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recipe {
    /// The register tile, one of [`tiles`].
    pub tile: Tile,
    /// Rows of the left operand in a block.
    pub mc: usize,
    /// Depth in a block; rounded up to whole steps of 4.
    pub kc: usize,
    /// Columns of the right operand in a block; rounded up to whole panels of 16, and to those of a
    /// tile.
    pub nc: usize,
    /// How the product is shared out.
    pub split: Split,
}

/// A grid of parts, each the work of one member. Its parts are the most members used; with fewer
/// members than parts, some take several. More parts than a product has rows, or panels of 16
/// columns, are as many as it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Split {
    /// Parts down the rows.
    pub rows: usize,
    /// Parts along the columns.
    pub columns: usize,
}

impl Split {
    /// No split: one member does all.
    pub const ONE: Split = Split { rows: 1, columns: 1 };

    /// Parts in the grid.
    pub const fn parts(self) -> usize {
        self.rows.saturating_mul(self.columns)
    }

    /// The same without parts that have no row or no panel of a product, of which a recipe may ask
    /// for more than anybody can count through.
    pub(super) fn within(self, Shape { m, n, .. }: Shape) -> Split {
        let panels = n.div_ceil(PANEL);
        Split { rows: self.rows.min(m.max(1)), columns: self.columns.min(panels.max(1)) }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { tile, mc, kc, nc, split: Split { rows, columns } } = self;
        write!(f, "tile {tile}, mc {mc}, kc {kc}, nc {nc}, split {rows}x{columns}")
    }
}

impl Recipe {
    /// What cache sizes suggest; a measured recipe may be better.
    pub fn estimate(shape: Shape, isa: Isa, caches: &CacheSizes, threads: usize) -> Self {
        let split = Split::estimate(shape, caches, threads.max(1));
        let part = (shape.m.div_ceil(split.rows), shape.n.div_ceil(PANEL * split.columns));
        Self::of(best_tile(isa, part), split, shape, isa, caches)
    }

    /// The estimate, once tile and split are chosen. Fewer rows need no more room with it.
    pub(super) fn of(
        tile: Tile,
        split: Split,
        Shape { m, n, k }: Shape,
        isa: Isa,
        caches: &CacheSizes,
    ) -> Self {
        // A block of rows takes half of the second level. The depth is not cut: sums that wait
        // between cuts cost 4 % of 1024^3 at a kc of 512 and 11 % at 256, more than panels cost that
        // are read from the second level (6x64 tiles take 21 bytes a cycle).
        // Where there is no dot product of bytes, rows may be widened to words: half as many. With
        // all of 512 in one block 512^3 takes 1.07 of the time (Zen 3, two threads, 8-bit weights),
        // 384x768x384 1.06; with 7-bit weights, which are not widened, it is all the same.
        let widened = matches!(isa, Isa::Avx2 | Isa::Avx512);
        let share = if widened { 4 } else { 2 };
        let mc = (caches.l2 / share / k.max(1)).max(tile.rows);
        // Panels are read again for every few rows of a block: of the speed with three eighths of the
        // second level three sixteenths make 0.97 to 1.0, five eighths 0.97 to 1.02 (one Zen 3 core).
        let nc = (caches.l2 / 8 * 3 / k.max(1) / PANEL).max(tile.panels) * PANEL;
        Recipe { tile, mc: mc.min(m.max(1)), kc: k.max(1), nc: nc.min(n.max(1)), split }
    }

    /// The recipe in the driver's units, or what is wrong with it.
    pub(super) fn check(&self, shape: Shape, isa: Isa) -> Result<Cuts, Error> {
        let &Recipe { tile, mc, kc, nc, split } = self;
        if !tiles(isa).contains(&tile) {
            return Err(Error::Tile { tile, isa });
        }
        let sizes = [("mc", mc), ("kc", kc), ("nc", nc)];
        let parts = [("split.rows", split.rows), ("split.columns", split.columns)];
        if let Some(&(name, _)) = sizes.iter().chain(&parts).find(|(_, size)| *size == 0) {
            return Err(Error::ZeroInRecipe { name });
        }
        // Blocks larger than the product need no larger room.
        Ok(Cuts {
            tile,
            rows: mc.min(shape.m.max(1)),
            steps: kc.min(shape.k.max(1)).div_ceil(GROUP),
            panels: nc.min(shape.n.max(1)).div_ceil(PANEL),
        })
    }
}

impl Split {
    /// Rows of a part, at least, where rows are shared out rather than columns.
    const ROWS: usize = 48;

    /// The grid of at most `threads` parts whose largest part is smallest, or within 3 % of that, for
    /// rows and panels seldom come out even. Of those the one with most columns, for every part of the
    /// rows reads all weights of its columns; but where those stay in the second-level cache and there
    /// are rows enough, the one with most rows, for every part of the columns packs all of its rows:
    /// 384x1024x256 (rows, depth, columns) makes 1.04 and 1.06 of the speed on two Zen 4 and two Zen 3
    /// cores, 384x768x384 1.01 and 1.08, 512^3 1.03 and 1.03, 128x768x768 1.01, on Zen 4 511x513x509
    /// 1.036. Shared out by columns 128x768x3073 makes 1.015 there, 128x768x3072 1.02, 1024^3 1.015,
    /// 383x1021x4093 1.03.
    ///
    /// More parts than threads, taken by whoever is free, gained nothing on two threads (2, 4 and 8
    /// parts: 128 x 768 x 768 254, 256 and 249 GOP/s, 1024^3 234, 233 and 232, AVX2), and every
    /// part widens the rows anew where words are multiplied.
    fn estimate(Shape { m, n, k }: Shape, caches: &CacheSizes, threads: usize) -> Split {
        let panels = n.div_ceil(PANEL).max(1);
        let grid = |columns: usize| Split { rows: (threads / columns).clamp(1, m.max(1)), columns };
        let largest =
            |split: &Split| m.div_ceil(split.rows).saturating_mul(panels.div_ceil(split.columns));
        let near = n.saturating_mul(k) <= caches.l2 / 4 * 3;
        let packed = |split: &Split| {
            let enough = near && m / split.rows >= Self::ROWS;
            if enough { split.columns } else { usize::MAX }
        };
        let grids = || (1..=threads.min(panels)).rev().map(grid);
        let smallest = grids().map(|split| largest(&split)).min().unwrap_or(0);
        let small = |split: &Split| largest(split) <= smallest.saturating_add(smallest / 32);
        grids().filter(small).min_by_key(packed).unwrap_or(Split::ONE)
    }
}

/// The tile of the table that takes least time to cover `rows` by `panels`.
///
/// In products of registers a step: there are as many as the part has sums, but no fewer than
/// keep the units busy (half the sums of the best tile hide the latency), no fewer than loads (as
/// many a cycle as products), and entering and leaving a tile costs about one (120 cycles,
/// measured at depths of 256 to 3072). On AVX-VNNI this prefers 6x16 (89 % of the roof at 512^3)
/// to 2x32 (85 %).
fn best_tile(isa: Isa, (rows, panels): (usize, usize)) -> Tile {
    let table = tiles(isa);
    let busy = table[0].sums() / 2;
    let registers = registers_of_panel(isa);
    let cost = |tile: &Tile| {
        let (down, along) = (rows.div_ceil(tile.rows), panels.div_ceil(tile.panels));
        let covers = down.saturating_mul(along);
        let products = rows.saturating_mul(panels).max(covers.saturating_mul(busy));
        let (products, steps) = (products.saturating_mul(registers), panels.saturating_mul(down));
        let loads = rows.saturating_mul(along).saturating_add(steps.saturating_mul(registers));
        products.max(loads).saturating_add(covers)
    };
    // Few rows read many panels side by side faster than one after the other. One row, two panels for
    // one where a panel is two registers (Zen 3, one and two cores, means of both orders in memory):
    // 1x4096x4096 (rows, depth, columns) 1.09 and 1.16, from memory 1.2 and 1.18; 1x768x768 1.04 and
    // 1.03, from memory 1.21 and 1.07; 1x1024x4096 1.06 and 0.97, from memory 1.26 and 1.11; with
    // weights that saturate 1.01, from memory 1.17; floats 1.0 to 1.3, from memory 1.2. Where a panel
    // is one register, four for three (Zen 4): 1x768x768 1.03, from memory 1.06 and 1.04; 2x768x768
    // 1.04 and 1.05, from memory 1.08 and 1.06; rows of 1 to 4 at depths of 3072 and 4096 1.0 to 1.04,
    // from memory 0.96 to 1.02. Not so three and more rows in tiles of two where those of one panel
    // take them at once (2x32 for 6x16, Zen 3, 3 to 8 rows): 0.64 to 0.92, from memory too.
    // The first of equals is the generally best one.
    table.iter().copied().min_by_key(cost).unwrap_or(table[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::table::MAX_PANELS;

    #[test]
    fn estimates_use_the_threads_there_is_work_for() {
        let caches = CacheSizes { l2: 1 << 20, ..CacheSizes::ASSUMED };
        let split = |m, n, threads| Split::estimate(Shape { m, n, k: 768 }, &caches, threads);
        assert_eq!(split(128, 768, 2), Split { rows: 2, columns: 1 });
        assert_eq!(split(64, 768, 2), Split { rows: 1, columns: 2 });
        assert_eq!(split(128, 3072, 2), Split { rows: 1, columns: 2 });
        assert_eq!(split(128, 16, 2), Split { rows: 2, columns: 1 });
        assert_eq!(split(128, 768, 64), Split { rows: 4, columns: 16 });
        assert_eq!(split(1, 16, 8), Split::ONE);
        assert_eq!(split(0, 0, 8), Split::ONE);
        // Nearly even either way.
        assert_eq!(split(511, 509, 2), Split { rows: 2, columns: 1 });
        assert_eq!(split(128, 3073, 2), Split { rows: 1, columns: 2 });
    }

    #[test]
    fn few_rows_read_as_many_panels_as_are_read_fast() {
        let panels = |isa, rows| best_tile(isa, (rows, 48)).panels;
        assert_eq!([1, 2, 3, 4].map(|rows| panels(Isa::Avx512Vnni, rows)), [MAX_PANELS; 4]);
        assert_eq!([1, 2, 3].map(|rows| panels(Isa::Avx2, rows)), [2, 2, 1]);
    }

    #[test]
    fn estimates_are_recipes_that_can_be_followed() {
        const ALL: usize = usize::MAX;
        for isa in Isa::ALL {
            let huge = [(ALL, 1, 1), (1, ALL, 1), (1, 1, ALL), (ALL, ALL, ALL)];
            let usual = [(0, 0, 0), (1, 1, 1), (1, 4096, 4096), (128, 768, 3072)];
            for (m, n, k) in usual.into_iter().chain(huge) {
                let shape = Shape { m, n, k };
                let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 3);
                assert!(recipe.check(shape, isa).is_ok(), "{shape} on {isa}: {recipe}");
            }
        }
    }
}
