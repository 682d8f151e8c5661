//! One head of one sequence in bytes, as [`Attention::in_bytes`] says.
//!
//! Tiles multiply unsigned bytes by signed ones. Queries are the unsigned ones, 128 more than what
//! they mean; 128 times the sums of the keys are taken off the scores on their way out of the
//! registers. Weights are unsigned by themselves.

use super::{Attention, Head, Line, ROWS, SIDE, Which, Whole, cuts, take};
use crate::gemm::drive::{Epilogue, Outer, TileSums};
use crate::matrix::Matrix;
use crate::product::{self, Product};
use crate::rows::{Greatest, signed, softmax_bytes};
use crate::vector::{FloatExtra, GROUP, PANEL, Step, Vocabulary, window};
use core::ops::Range;

/// What the bytes of queries are more than what they mean.
const ZERO: i32 = 128;

/// How many lines of scratch it takes, part by part.
pub(super) struct Sizes {
    keys: usize,
    /// Their scales, and as many for their sums.
    columns: usize,
    values: usize,
    value_scales: usize,
    queries: usize,
    scores: usize,
    weights: usize,
    /// Sums of tiles that are finished together.
    sums: usize,
}

impl Sizes {
    pub(super) fn new(attention: &Attention, tokens: usize) -> Sizes {
        let Attention { width, isa, .. } = *attention;
        let columns = tokens.div_ceil(PANEL);
        let rows = |bytes: usize| {
            bytes.div_ceil(GROUP).saturating_mul(ROWS).div_ceil(size_of::<Line>() / GROUP)
        };
        Sizes {
            keys: columns.saturating_mul(width.div_ceil(GROUP)),
            columns,
            values: width.div_ceil(PANEL).saturating_mul(tokens.div_ceil(GROUP)),
            value_scales: width.div_ceil(PANEL),
            queries: rows(width),
            scores: columns.saturating_mul(ROWS),
            weights: rows(columns.saturating_mul(PANEL)),
            sums: cuts(isa, usize::MAX).sums(1),
        }
    }

    pub(super) fn all(&self) -> usize {
        let Sizes { keys, columns, values, value_scales, queries, scores, weights, sums } = *self;
        let parts = [keys, columns, columns, values, value_scales, queries, scores, weights, sums];
        parts.into_iter().fold(0, usize::saturating_add)
    }
}

pub(super) fn run<T: Vocabulary>(token: T, head: Head<'_>, mut room: &mut [Line]) {
    let (count, width) = head.size();
    let sizes = Sizes::new(head.call.attention, count);
    let keys: &mut [Step] = bytemuck::cast_slice_mut(take(&mut room, sizes.keys));
    let key_scales = take(&mut room, sizes.columns);
    let key_sums = bytemuck::cast_slice_mut(take(&mut room, sizes.columns));
    let values: &mut [Step] = bytemuck::cast_slice_mut(take(&mut room, sizes.values));
    let value_scales = take(&mut room, sizes.value_scales);
    token.run(
        #[inline(always)]
        || {
            pack_keys(token, &head, keys, (key_scales, key_sums));
            pack_values(head.numbers(Which::Value), values, value_scales);
        },
    );
    let queries = bytemuck::cast_slice_mut(take(&mut room, sizes.queries));
    let scores = take(&mut room, sizes.scores);
    let weights: &mut [[u8; PANEL]] = bytemuck::cast_slice_mut(take(&mut room, sizes.weights));
    let sums = bytemuck::cast_slice_mut(take(&mut room, sizes.sums));
    let product = product::Bytes(token, product::AsTheyAre);
    let (all_queries, of_all) = (head.numbers(Which::Query), head.scale());
    let (depth, tokens) = (width.div_ceil(GROUP), count.div_ceil(GROUP));
    // NaN if a key is.
    let spoilt: f32 =
        key_scales.as_flattened()[..count].iter().fold(0.0, |sum, scale| sum + scale * 0.0);
    for first in (0..count).step_by(ROWS) {
        let rows = ROWS.min(count - first);
        let block = all_queries.slice_rows(first..first + rows);
        let mut scales = [0.0; ROWS];
        token.run(
            #[inline(always)]
            || pack_queries(block, queries, &mut scales),
        );
        let all = Whole { product, rows, panels: &*keys, steps: depth };
        let block = Matrix::with_stride(&*queries, rows, depth, depth).expect("rows of queries");
        all.run(&block, sums, &mut Scores { scores, key_scales, key_sums });
        let mut inverses = [0.0; ROWS];
        token.run(
            #[inline(always)]
            || {
                let scores = scores.chunks_exact_mut(sizes.columns);
                let weights = weights.chunks_exact_mut(sizes.columns);
                let rows = scores.zip(weights).zip(&scales).zip(&mut inverses).take(rows);
                for (row, (((scores, weights), scale), inverse)) in (first..).zip(rows) {
                    head.fetch_with_scores(token, row);
                    scores.as_flattened_mut()[count..].fill(f32::NEG_INFINITY);
                    let sum = softmax_bytes(scores, scale * of_all, weights);
                    *inverse = 1.0 / sum as f32 + (spoilt + scale * 0.0);
                }
            },
        );
        let all = Whole { product, rows, panels: &*values, steps: tokens };
        let stride = sizes.columns * (PANEL / GROUP);
        let block = bytemuck::cast_slice(weights);
        let block = Matrix::with_stride(block, rows, tokens, stride).expect("rows of weights");
        let mut means = Means { head: &head, first, inverses: &inverses, value_scales };
        all.run(&block, sums, &mut means);
    }
}

/// Keys, sixteen tokens side by side, a step for each four of their numbers; their scales, and
/// the sums of their bytes. Squares of steps of whole panels are turned in registers: against step by
/// step, attention makes 1.04 with 8 x 128 tokens and 12 heads of 32, 1.0 with heads of 64 (one Zen 4 core).
#[inline(always)]
fn pack_keys<T: Vocabulary>(
    token: T,
    head: &Head<'_>,
    panels: &mut [Step],
    (scales, sums): (&mut [Line], &mut [[i32; PANEL]]),
) {
    let keys = head.numbers(Which::Key);
    let whole = keys.cols() - keys.cols() % (SIDE * GROUP);
    let panels = panels.chunks_exact_mut(keys.cols().div_ceil(GROUP));
    head.fetch(token, Which::Key, 0..PANEL);
    for (panel, ((steps, scales), sums)) in panels.zip(scales).zip(sums).enumerate() {
        let first = panel * PANEL;
        let tokens = first..(first + PANEL).min(keys.rows());
        head.fetch_with_keys(token, tokens.clone());
        if tokens.len() < PANEL {
            steps.fill([[0; GROUP]; PANEL]);
        }
        let inverses;
        (*scales, inverses) =
            Greatest::of_rows(tokens.clone().map(|token| keys.row(token))).scales();
        let turned = if tokens.len() == PANEL { whole } else { 0 };
        for from in (0..turned).step_by(SIDE * GROUP) {
            for half in [0, SIDE] {
                let mut square = [[0.0; SIDE]; SIDE];
                for (r, row) in square.iter_mut().enumerate() {
                    let key = &keys.row(first + half + r)[from..][..SIDE * GROUP];
                    let inverse = inverses[half + r];
                    let bytes = |at| bytes(window(key, at), inverse, 0);
                    *row = bytemuck::cast([bytes(0), bytes(PANEL)]);
                }
                let square = token.floats().turn(square);
                for (step, row) in steps[from / GROUP..].iter_mut().zip(square) {
                    let row: [[i8; GROUP]; SIDE] = bytemuck::cast(row);
                    step[half..][..SIDE].copy_from_slice(&row);
                }
            }
        }
        for ((column, token), inverse) in tokens.enumerate().zip(inverses) {
            let rest = keys.row(token)[turned..].chunks(PANEL);
            for (steps, numbers) in steps[turned / GROUP..].chunks_mut(PANEL / GROUP).zip(rest) {
                let bytes = bytes(window(numbers, 0), inverse, 0).map(u8::cast_signed);
                for (step, group) in steps.iter_mut().zip(bytes.as_chunks().0) {
                    step[column] = *group;
                }
            }
        }
        let ones = token.broadcast([1; GROUP]);
        let sum =
            steps.iter().fold(token.zero(), |sum, step| token.dot(sum, ones, token.load(step)));
        token.store(sum, sums);
    }
}

/// Queries, a row of groups for each, and their scales.
#[inline(always)]
fn pack_queries(queries: Matrix<'_, f32>, rows: &mut [[u8; GROUP]], scales: &mut [f32; ROWS]) {
    let mut rows = rows.chunks_exact_mut(queries.cols().div_ceil(GROUP));
    let all = (0..queries.rows()).step_by(PANEL).zip(scales.as_chunks_mut().0);
    for (first, scales) in all {
        let some = first..(first + PANEL).min(queries.rows());
        let inverses;
        (*scales, inverses) = Greatest::of_rows(some.clone().map(|row| queries.row(row))).scales();
        for ((query, inverse), row) in some.zip(inverses).zip(&mut rows) {
            let numbers = queries.row(query).chunks(PANEL);
            for (groups, numbers) in row.chunks_mut(PANEL / GROUP).zip(numbers) {
                let bytes = bytes(window(numbers, 0), inverse, ZERO);
                for (group, bytes) in groups.iter_mut().zip(bytes.as_chunks().0) {
                    *group = *bytes;
                }
            }
        }
    }
}

/// Values, a step for each four tokens, sixteen of their numbers side by side; a scale for each.
#[inline(always)]
fn pack_values(values: Matrix<'_, f32>, panels: &mut [Step], scales: &mut [Line]) {
    let panels = panels.chunks_exact_mut(values.rows().div_ceil(GROUP));
    for (panel, (steps, scales)) in panels.zip(scales).enumerate() {
        let numbers = |token: usize| window(values.row(token), panel * PANEL);
        let mut greatest = Greatest::default();
        for token in 0..values.rows() {
            greatest.add(&numbers(token));
        }
        let inverses;
        (*scales, inverses) = greatest.scales();
        for (index, step) in steps.iter_mut().enumerate() {
            let mut words = [0u32; PANEL];
            for d in 0..GROUP.min(values.rows() - index * GROUP) {
                let numbers = numbers(index * GROUP + d);
                for c in 0..PANEL {
                    let byte = signed(numbers[c], inverses[c]).cast_unsigned() & 0xff;
                    words[c] |= byte << (8 * d);
                }
            }
            for c in 0..PANEL {
                words[c] = words[c].to_le();
            }
            *step = bytemuck::cast(words);
        }
    }
}

/// Bytes that mean `byte - zero`.
#[inline(always)]
fn bytes(numbers: [f32; PANEL], inverse: f32, zero: i32) -> [u8; PANEL] {
    let mut bytes = [0; PANEL];
    for c in 0..PANEL {
        bytes[c] = (signed(numbers[c], inverse) + zero) as u8;
    }
    bytes
}

/// Makes floats of a block of scores, but for the scales of the queries.
struct Scores<'a> {
    scores: &'a mut [Line],
    key_scales: &'a [Line],
    key_sums: &'a [[i32; PANEL]],
}

impl<P: Product<Sum = i32>> Epilogue<P> for Scores<'_> {
    type Last = ();

    #[inline(always)]
    fn less(&self, _rows: Range<usize>, panels: Range<usize>) -> Option<Outer<'_, i32>> {
        Some(Outer { rows: &[ZERO; ROWS], columns: &self.key_sums[panels] })
    }

    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, i32>) {
        let scales = &self.key_scales[tile.panel..][..tile.panels];
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let start = row * self.key_scales.len() + tile.panel;
            let scores = &mut self.scores[start..][..tile.panels];
            for ((scores, sums), scales) in scores.iter_mut().zip(sums).zip(scales) {
                let mut row = [0.0; PANEL];
                for c in 0..PANEL {
                    row[c] = sums[c] as f32 * scales[c];
                }
                *scores = row;
            }
        }
    }
}

/// Divides sums of weighted values by the sums of the weights, and writes them.
struct Means<'a> {
    head: &'a Head<'a>,
    /// The first of the block's tokens.
    first: usize,
    inverses: &'a [f32; ROWS],
    value_scales: &'a [Line],
}

impl<P: Product<Sum = i32>> Epilogue<P> for Means<'_> {
    type Last = ();

    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, i32>) {
        for (sums, row) in tile.sums.chunks_exact(tile.panels).zip(tile.row..) {
            let inverse = self.inverses[row];
            for (sums, panel) in sums.iter().zip(tile.panel..) {
                let scales = &self.value_scales[panel];
                let mean = |c: usize| sums[c] as f32 * (scales[c] * inverse);
                self.head.write(self.first + row, panel, mean);
            }
        }
    }
}
