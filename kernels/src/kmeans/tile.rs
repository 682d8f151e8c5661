//! The nearest centre by the matrix driver: the scores of some points and some centres are a tile
//! of a product, and the least two of each row are kept while the tile is still in registers or
//! the first cache. No distance is stored.
//!
//! Rows of the product are points, `x'` with a 1 behind; columns are centres, `-2 c'` with the
//! norm `|c'|^2` behind, so that a sum is a score. Each of the sixteen columns of a panel keeps its
//! own least two, numbered by panel; the sixteen meet when all panels have passed. The bound is
//! that of `centres`, for the order of the sums does not enter it.
//!
//! Rows are only moved by the offset, not turned: that is what this form has over points in the
//! lanes, whose blocks it would have to gather. Points in lanes reach the same speed otherwise.

use super::assign::{Desk, settle};
use super::centres::Ready;
use super::recipe::Tile;
use super::source::Source;
use crate::gemm::drive::{Block, Cuts, Epilogue, Finished, Multiply, Panels, Part, Room, Rows};
use crate::points::BLOCK;
use crate::product::{Floats, Product};
use crate::vector::{PANEL, Vocabulary};
use core::ops::Range;
use pulp::Simd;

/// Steps in a cut of the depth: four panels of so many take 40 KiB, and stay in a first-level
/// cache of 48 while the rows of a block pass by.
const DEPTH: usize = 160;

/// How the driver cuts a block of points by `k` centres.
fn cuts(k: usize, tile: Tile) -> Cuts {
    let tile = crate::gemm::Tile { rows: tile.points, panels: tile.centres / PANEL };
    Cuts { tile, rows: BLOCK, steps: DEPTH, panels: k.div_ceil(PANEL) }
}

/// Elements a desk needs beside a block and a point: the least two of every column and the norm
/// for every point, and sums that wait.
pub(super) fn room(k: usize, d: usize, tile: Tile) -> usize {
    let sums = cuts(k, tile).sums(d + 1);
    sums.saturating_add(2 * BLOCK + BLOCK / PANEL).saturating_mul(PANEL)
}

/// [`Label`](super::assign::Label) by the matrix driver.
pub(super) fn label_tile<T: Vocabulary>(
    token: T,
    source: Source<'_>,
    ready: &Ready<'_>,
    blocks: Range<usize>,
    labels: &mut [u32],
    desk: &mut Desk<'_>,
) -> Option<usize> {
    let cuts = cuts(ready.k, ready.tile);
    let rhs = Panels { data: ready.fast.as_chunks().0, steps: ready.d + 1 };
    let lhs = Moved { source, offset: ready.offset };
    let product = Multiply { product: Floats(token), lhs: &lhs, rhs, cuts };
    let (lanes, sums) = desk.room.as_chunks_mut().0.split_at_mut(2 * BLOCK + BLOCK / PANEL);
    let (best, lanes) = lanes.split_at_mut(BLOCK);
    let (second, squares) = lanes.split_at_mut(BLOCK);
    let mut bad = None;
    for (block, out) in blocks.zip(labels.chunks_mut(BLOCK)) {
        let rows = source.in_block(block);
        let part = Part { rows: rows.clone(), panels: 0..cuts.panels };
        let room = Room { groups: &mut *desk.staged, sums: &mut *sums };
        let squares = squares.as_flattened_mut();
        let mut nearest =
            Nearest { token, mask: ready.mask, first: rows.start, best, second, squares };
        product.run(part, room, &mut nearest);
        let odd = token.run(
            #[inline(always)]
            || {
                let mut found = [0; BLOCK];
                let unsure = nearest.meet(ready, &mut found[..out.len()]);
                let odd = settle(source, ready, rows.start, unsure, &mut found, desk.point);
                out.copy_from_slice(&found[..out.len()]);
                odd
            },
        );
        bad = bad.or(odd);
    }
    bad
}

/// Points less the offset, with a 1 behind to meet the norms.
struct Moved<'a> {
    source: Source<'a>,
    offset: &'a [f32],
}

impl<P: Product<Group = f32>> Rows<P> for Moved<'_> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        false
    }

    #[inline(always)]
    fn row(&self, _index: usize) -> &[f32] {
        &[]
    }

    #[inline(always)]
    fn pack(&self, index: usize, groups: &mut [f32]) {
        let (to, one) = groups.split_at_mut(self.offset.len());
        match self.source {
            Source::Blocks(points) => points.copy_point(index, to),
            Source::Rows(rows) => to.copy_from_slice(rows.row(index)),
        }
        to.iter_mut().zip(self.offset).for_each(|(x, o)| *x -= o);
        one[0] = 1.0;
    }
}

/// The least two scores of every point of a block, by column of a panel.
struct Nearest<'a, T> {
    token: T,
    mask: u32,
    /// The first point of the block.
    first: usize,
    best: &'a mut [[f32; PANEL]],
    second: &'a mut [[f32; PANEL]],
    squares: &'a mut [f32],
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Nearest<'_, T> {
    #[inline(always)]
    fn begin(&mut self, block: &Block<'_, Floats<T>, impl Rows<Floats<T>>>) {
        self.best.fill([f32::MAX; PANEL]);
        self.second.fill([f32::MAX; PANEL]);
        for (index, square) in block.rows.clone().zip(self.squares.iter_mut()) {
            let (_, point) = block.row(index).split_last().expect("the 1 behind");
            let mut sums = [0.0; PANEL];
            for features in point.chunks(PANEL) {
                for (sum, x) in sums.iter_mut().zip(features) {
                    *sum += x * x;
                }
            }
            *square = sums.iter().sum();
        }
    }

    #[inline(always)]
    fn finish(&mut self, tile: Finished<'_, f32>) {
        let simd = self.token.floats();
        let mask = simd.splat_u32s(self.mask);
        for (row, sums) in tile.sums.chunks_exact(tile.panels).enumerate() {
            let point = tile.row + row - self.first;
            let best = <T::Floats as Simd>::as_mut_simd_f32s(&mut self.best[point]).0;
            let second = <T::Floats as Simd>::as_mut_simd_f32s(&mut self.second[point]).0;
            for (panel, sums) in sums.iter().enumerate() {
                let number = simd.splat_u32s((tile.panel + panel) as u32);
                let sums = <T::Floats as Simd>::as_simd_f32s(sums).0;
                for ((best, second), sum) in best.iter_mut().zip(&mut *second).zip(sums) {
                    let kept = simd.and_u32s(simd.transmute_u32s_f32s(*sum), simd.not_u32s(mask));
                    let score = simd.transmute_f32s_u32s(simd.or_u32s(kept, number));
                    *second = simd.min_f32s(*second, simd.max_f32s(*best, score));
                    *best = simd.min_f32s(*best, score);
                }
            }
        }
    }
}

impl<T> Nearest<'_, T> {
    /// Brings the columns together: labels, and a bit for each that is not certain.
    #[inline(always)]
    fn meet(&self, ready: &Ready<'_>, labels: &mut [u32]) -> u64 {
        let mut unsure = 0;
        for (point, label) in labels.iter_mut().enumerate() {
            let (mut best, mut second, mut column) = (f32::MAX, f32::MAX, 0);
            for lane in 0..PANEL {
                let score = self.best[point][lane];
                let loser = if score < best { best } else { score };
                second = second.min(loser).min(self.second[point][lane]);
                if score < best {
                    (best, column) = (score, lane);
                }
            }
            *label = (best.to_bits() & self.mask) * PANEL as u32 + column as u32;
            if ready.trust.doubts(best, second, self.squares[point]) {
                unsure |= 1 << point;
            }
        }
        unsure
    }
}
