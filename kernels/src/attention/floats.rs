//! One head of one sequence in floats.

use super::{Attention, Head, Line, ROWS, Which, Whole, cuts, take};
use crate::gemm::drive::{Epilogue, TileSums};
use crate::matrix::Matrix;
use crate::product::Floats;
use crate::rows::softmax;
use crate::vector::{PANEL, Vocabulary};

/// How many lines of scratch it takes, part by part.
pub(super) struct Sizes {
    keys: usize,
    values: usize,
    scores: usize,
    /// Sums of tiles that are finished together.
    sums: usize,
}

impl Sizes {
    pub(super) fn new(attention: &Attention, tokens: usize) -> Sizes {
        let Attention { width, isa, .. } = *attention;
        Sizes {
            keys: tokens.div_ceil(PANEL).saturating_mul(width),
            values: width.div_ceil(PANEL).saturating_mul(tokens),
            scores: tokens.div_ceil(PANEL).saturating_mul(ROWS),
            sums: cuts(isa, usize::MAX).sums(1),
        }
    }

    pub(super) fn all(&self) -> usize {
        let Sizes { keys, values, scores, sums } = *self;
        [keys, values, scores, sums].into_iter().fold(0, usize::saturating_add)
    }
}

pub(super) fn run<T: Vocabulary>(token: T, head: Head<'_>, mut room: &mut [Line]) {
    let (count, width) = head.size();
    let sizes = Sizes::new(head.call.attention, count);
    let keys = take(&mut room, sizes.keys);
    let values = take(&mut room, sizes.values);
    let scores = take(&mut room, sizes.scores);
    let sums = take(&mut room, sizes.sums);
    token.run(
        #[inline(always)]
        || {
            pack_keys(head.numbers(Which::Key), keys);
            pack_values(head.numbers(Which::Value), values);
        },
    );
    let panels = count.div_ceil(PANEL);
    let (queries, scale) = (head.numbers(Which::Query), head.scale());
    let product = Floats(token);
    for first in (0..count).step_by(ROWS) {
        let rows = ROWS.min(count - first);
        let block = queries.slice_rows(first..first + rows);
        let all = Whole { product, rows, panels: &*keys, steps: width };
        all.run(&block, sums, &mut Scores { scores, panels });
        let mut inverses = [0.0; ROWS];
        let scores: &mut [f32] = scores.as_flattened_mut();
        token.run(
            #[inline(always)]
            || {
                let scores = scores.chunks_exact_mut(panels * PANEL);
                for (row, inverse) in scores.zip(&mut inverses[..rows]) {
                    *inverse = 1.0 / softmax(&mut row[..count], scale);
                }
            },
        );
        let weights =
            Matrix::with_stride(&*scores, rows, count, panels * PANEL).expect("a block of scores");
        let all = Whole { product, rows, panels: &*values, steps: count };
        all.run(&weights, sums, &mut Means { head: &head, first, inverses: &inverses });
    }
}

/// Keys, sixteen tokens side by side, a step for each of their numbers.
#[inline(always)]
fn pack_keys(keys: Matrix<'_, f32>, panels: &mut [Line]) {
    for (panel, steps) in panels.chunks_exact_mut(keys.cols()).enumerate() {
        let start = panel * PANEL;
        let tokens = start..(start + PANEL).min(keys.rows());
        for (column, token) in tokens.enumerate() {
            for (step, &number) in steps.iter_mut().zip(keys.row(token)) {
                step[column] = number;
            }
        }
    }
}

/// Values, a step for each token, sixteen of its numbers side by side.
#[inline(always)]
fn pack_values(values: Matrix<'_, f32>, panels: &mut [Line]) {
    for (panel, steps) in panels.chunks_exact_mut(values.rows()).enumerate() {
        let start = panel * PANEL;
        let here = PANEL.min(values.cols() - start);
        for (token, step) in steps.iter_mut().enumerate() {
            step[..here].copy_from_slice(&values.row(token)[start..][..here]);
        }
    }
}

/// Keeps a block of scores.
struct Scores<'a> {
    scores: &'a mut [Line],
    /// Panels in a row.
    panels: usize,
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Scores<'_> {
    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let start = row * self.panels + tile.panel;
            self.scores[start..][..tile.panels].copy_from_slice(sums);
        }
    }
}

/// Divides sums of weighted values by the sums of the weights, and writes them.
struct Means<'a> {
    head: &'a Head<'a>,
    /// The first of the block's tokens.
    first: usize,
    inverses: &'a [f32; ROWS],
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Means<'_> {
    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let inverse = self.inverses[row];
            for (sums, panel) in sums.iter().zip(tile.panel..) {
                let mut means = [0.0; PANEL];
                for c in 0..PANEL {
                    means[c] = sums[c] * inverse;
                }
                self.head.write(self.first + row, panel, &means);
            }
        }
    }
}
