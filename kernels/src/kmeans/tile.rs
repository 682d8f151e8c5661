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

use super::assign::Staged;
use super::centres::Ready;
use super::lanes::{Least, slack};
use super::recipe::Tile;
use crate::Matrix;
use crate::gemm::drive::{Block, Cuts, Epilogue, Multiply, Panels, Part, Room, Rows, TileSums};
use crate::points::BLOCK;
use crate::product::Floats;
use crate::vector::{PANEL, Vocabulary};
use pulp::Simd;

/// Steps in a cut of the depth: four panels of so many take 40 KiB, and stay in a first-level
/// cache of 48 while the rows of a block pass by.
const DEPTH: usize = 160;

/// How the driver cuts a block of points by centres: those of a tile at a time.
fn cuts(tile: Tile) -> Cuts {
    let tile = crate::gemm::Tile { rows: tile.points, panels: tile.centres / PANEL };
    Cuts { tile, rows: BLOCK, steps: DEPTH, panels: tile.panels }
}

/// Elements a desk needs beside a block and a point: the least two of every column and the norm
/// for every point, and sums that wait.
pub(super) fn room(d: usize, tile: Tile) -> usize {
    let sums = cuts(tile).sums(d + 1);
    sums.saturating_add(2 * BLOCK + BLOCK / PANEL).saturating_mul(PANEL)
}

/// [`Nearest`](super::assign::Nearest) by the matrix driver.
pub(super) fn nearest<V: Vocabulary>(
    token: V,
    staged: Staged<'_>,
    ready: &Ready<'_>,
    labels: &mut [u32; BLOCK],
) -> u64 {
    let (cuts, steps) = (cuts(ready.tile), ready.d + 1);
    let rows = Matrix::new(staged.values, staged.points, steps).expect("a staged block");
    let rhs = Panels { data: ready.fast.as_chunks().0, steps };
    let product = Multiply { product: Floats(token), lhs: &rows, rhs, cuts };
    let (lanes, sums) = staged.room.as_chunks_mut().0.split_at_mut(2 * BLOCK + BLOCK / PANEL);
    let (best, lanes) = lanes.split_at_mut(BLOCK);
    let (second, squares) = lanes.split_at_mut(BLOCK);
    let squares = squares.as_flattened_mut();
    let mut nearest = Nearest { token, mask: ready.mask, best, second, squares };
    let part = Part { rows: 0..staged.points, panels: 0..ready.k.div_ceil(PANEL) };
    product.run(part, Room { groups: &mut [], sums, steps: &mut [] }, &mut nearest);
    token.run(
        #[inline(always)]
        || nearest.meet(ready, &mut labels[..staged.points], staged.slack),
    )
}

/// The least two scores of every point of a block, by column of a panel.
struct Nearest<'a, T> {
    token: T,
    mask: u32,
    best: &'a mut [[f32; PANEL]],
    second: &'a mut [[f32; PANEL]],
    squares: &'a mut [f32],
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Nearest<'_, T> {
    type Last = ();

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
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        let simd = self.token.floats();
        let mask = simd.splat_u32s(self.mask);
        for (row, sums) in tile.sums.chunks_exact(tile.panels).enumerate() {
            let point = tile.row + row;
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

impl<T: Vocabulary> Nearest<'_, T> {
    /// Brings the columns together: labels, and a bit for each that is not certain.
    #[inline(always)]
    fn meet(&self, ready: &Ready<'_>, labels: &mut [u32], slacks: &mut [f32]) -> u64 {
        let (mut unsure, mut scores) = (0, [[f32::NAN; BLOCK]; 3]);
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
            for (to, value) in scores.iter_mut().zip([best, second, self.squares[point]]) {
                to[point] = value;
            }
        }
        let simd = self.token.floats();
        let of = |values| <T::Floats as Simd>::as_simd_f32s(values).0;
        let (best, second, squares) = (of(&scores[0]), of(&scores[1]), of(&scores[2]));
        for (at, to) in <T::Floats as Simd>::as_mut_simd_f32s(slacks).0.iter_mut().enumerate() {
            let (best, second, label) = (best[at], second[at], simd.splat_u32s(0));
            *to = slack(simd, Least { best, second, label }, squares[at], ready);
        }
        unsure
    }
}
