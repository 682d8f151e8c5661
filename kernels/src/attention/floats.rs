//! One head of one sequence in floats.

use super::{Attention, Head, Line, ROWS, SIDE, Which, Whole, cuts, take};
use crate::gemm::drive::{Epilogue, TileSums};
use crate::gemm::epilogue::Places;
use crate::matrix::{Matrix, RowsMut};
use crate::product::Floats;
use crate::rows::softmax;
use crate::vector::{FloatExtra, PANEL, Vocabulary};
use core::ops::Range;

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
            pack_keys(token, &head, keys);
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
        let scores: &mut [f32] = scores.as_flattened_mut();
        all.run(&block, sums, &mut Scores(Places::new(scores, panels * PANEL)));
        let mut inverses = [0.0; ROWS];
        token.run(
            #[inline(always)]
            || {
                let scores = scores.chunks_exact_mut(panels * PANEL);
                for ((row, inverse), number) in scores.zip(&mut inverses[..rows]).zip(first..) {
                    head.fetch_with_scores(token, number);
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

/// Keys, sixteen tokens side by side, a step for each of their numbers: squares of whole panels are
/// turned in registers. Number by number, packing took 2.6 % of a pass of MiniLM, so 0.8 % (one Zen 3
/// core, by samples).
#[inline(always)]
fn pack_keys<T: Vocabulary>(token: T, head: &Head<'_>, panels: &mut [Line]) {
    let keys = head.numbers(Which::Key);
    let whole = keys.cols() - keys.cols() % SIDE;
    head.fetch(token, Which::Key, 0..PANEL);
    for (panel, steps) in panels.chunks_exact_mut(keys.cols()).enumerate() {
        let start = panel * PANEL;
        let tokens = start..(start + PANEL).min(keys.rows());
        head.fetch_with_keys(token, tokens.clone());
        let turned = if tokens.len() == PANEL { whole } else { 0 };
        for from in (0..turned).step_by(SIDE) {
            for first in [0, SIDE] {
                let mut square = [[0.0; SIDE]; SIDE];
                for (row, number) in square.iter_mut().zip(start + first..) {
                    row.copy_from_slice(&keys.row(number)[from..][..SIDE]);
                }
                let square = token.floats().turn(square);
                for (step, row) in steps[from..].iter_mut().zip(square) {
                    step[first..][..SIDE].copy_from_slice(&row);
                }
            }
        }
        for (column, number) in tokens.enumerate() {
            let rest = &keys.row(number)[turned..];
            for (step, &value) in steps[turned..].iter_mut().zip(rest) {
                step[column] = value;
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

/// Keeps a block of scores: tiles leave them in their places.
struct Scores<'a>(Places<'a, f32>);

impl<T: Vocabulary> Epilogue<Floats<T>> for Scores<'_> {
    type Last = ();

    #[inline(always)]
    fn place(&self, rows: Range<usize>, panels: Range<usize>) -> Option<RowsMut<'_, f32>> {
        self.0.tile(rows, panels)
    }

    fn finish(&mut self, _: TileSums<'_, f32>) {
        unreachable!("panels are whole and no depth is 0 or cut, so every tile has its place");
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
    type Last = ();

    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let inverse = self.inverses[row];
            for (sums, panel) in sums.iter().zip(tile.panel..) {
                self.head.write(self.first + row, panel, |c| sums[c] * inverse);
            }
        }
    }
}
