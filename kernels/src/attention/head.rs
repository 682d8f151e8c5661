//! One head of one sequence: where its numbers are, what is asked for ahead, where its means go.

use super::{Attention, Call, ROWS};
use crate::matrix::Matrix;
use crate::vector::{FloatExtra, PANEL, Vocabulary};
use core::ops::Range;

/// Which of a token's numbers.
#[derive(Clone, Copy)]
pub(super) enum Which {
    Query,
    Key,
    Value,
}

/// One head of one sequence.
pub(super) struct Head<'a> {
    pub(super) call: &'a Call<'a>,
    pub(super) tokens: Range<usize>,
    pub(super) head: usize,
}

impl<'a> Head<'a> {
    /// How many tokens, and how many numbers of each.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.tokens.len(), self.call.attention.width)
    }

    /// What scores are multiplied with.
    pub(super) fn scale(&self) -> f32 {
        1.0 / pulp::Simd::sqrt_f32s(pulp::Scalar::new(), self.call.attention.width as f32)
    }

    /// The queries, keys or values: a row for each token.
    pub(super) fn numbers(&self, which: Which) -> Matrix<'a, f32> {
        let (Attention { heads, width, .. }, qkv) = (*self.call.attention, self.call.qkv);
        let first = (which as usize * heads + self.head) * width;
        let data = &qkv.data()[self.tokens.start * qkv.stride() + first..];
        Matrix::with_stride(data, self.tokens.len(), width, qkv.stride()).expect("its columns")
    }

    /// Asks for the queries, keys or values of some tokens, of those that there are.
    ///
    /// Rows lie a page or more apart, so no CPU sees them coming. Against not asking (and against numbers
    /// that went through memory on their way into and out of registers, see `window` and `write`), one
    /// Zen 4 core: 8 x 128 tokens and 12 heads of 32, whose rows lie in the third-level cache, floats
    /// 1.26, bytes 1.16; 384 tokens and heads of 64 floats 1.07, bytes 1.07 to 1.09; 128 tokens, rows
    /// in the second level, 1.01 to 1.05.
    #[inline(always)]
    pub(super) fn fetch<T: Vocabulary>(&self, token: T, which: Which, tokens: Range<usize>) {
        let numbers = self.numbers(which);
        for number in tokens.start..tokens.end.min(numbers.rows()) {
            for line in numbers.row(number).chunks(PANEL) {
                token.floats().prefetch(line.as_ptr());
            }
        }
    }

    /// Asks for what is needed next while the keys of some tokens are packed: the keys behind them,
    /// their values, and the queries of the first block.
    #[inline(always)]
    pub(super) fn fetch_with_keys<T: Vocabulary>(&self, token: T, tokens: Range<usize>) {
        self.fetch(token, Which::Key, tokens.end..tokens.end + PANEL);
        self.fetch(token, Which::Value, tokens.clone());
        if tokens.start < ROWS {
            self.fetch(token, Which::Query, tokens);
        }
    }

    /// Asks for what is needed next while the scores of a query are looked at: where its row goes, and
    /// a query of the next block.
    #[inline(always)]
    pub(super) fn fetch_with_scores<T: Vocabulary>(&self, token: T, query: usize) {
        let Attention { width, .. } = *self.call.attention;
        let start = (self.tokens.start + query) * self.call.stride + self.head * width;
        let row = self.call.out.as_ptr().wrapping_add(start);
        for column in (0..width).step_by(PANEL) {
            token.floats().prefetch(row.wrapping_add(column));
        }
        self.fetch(token, Which::Query, query + ROWS..query + ROWS + 1);
    }

    /// Writes what belongs into a panel of the row of one of the tokens: for each column what `value`
    /// makes. It is asked where the panel is whole and where it is not, so that whole ones go from
    /// registers to their places.
    #[inline(always)]
    #[allow(unsafe_code, reason = "disjoint output views")]
    pub(super) fn write(&self, token: usize, panel: usize, value: impl Fn(usize) -> f32) {
        let Attention { width, .. } = *self.call.attention;
        let (row, first) = (self.tokens.start + token, self.head * width + panel * PANEL);
        let start = row * self.call.stride + first;
        let here = PANEL.min(width - panel * PANEL);
        // SAFETY: a head of a sequence is taken by one member, and its rows and columns are no
        // other's.
        let out = unsafe { self.call.out.part(start..start + here) };
        match out.first_chunk_mut::<PANEL>() {
            Some(full) => *full = core::array::from_fn(value),
            None => out.iter_mut().enumerate().for_each(|(c, out)| *out = value(c)),
        }
    }
}
