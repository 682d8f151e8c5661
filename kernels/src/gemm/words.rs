//! Operands as words: what instruction sets without a dot product of bytes read. Both of them, or
//! where rows are few those of the left one by panels that stay bytes ([`WordRows`]).
//!
//! Rows are widened when a block of them begins, panels when a tile's worth of them does, so that
//! every register tile of the block shares the work. The first of two word steps has the even
//! bytes of a step, the second the odd ones: then widening is shifts within 16-bit lanes. What
//! widening in the tile costs instead stands in `vector/avx2.rs`.

use super::drive::{Columns, Panels, Rows};
use crate::product::{Bytes, Product, WordRows, Words};
use crate::vector::{GROUP, PANEL, Step, Vocabulary, WordDot, WordStep};
use core::ops::Range;

/// Word steps, or words of a row's groups, in one of bytes.
pub(super) const HALVES: usize = 2;

/// A product whose sums are those of bytes, whatever form it reads them in.
pub(super) trait ByteProduct: Product<Sum = i32> {
    /// The sum of the bytes of some groups, wrapping.
    fn row_sum(groups: &[Self::Group]) -> i32;
}

impl<T: Vocabulary> ByteProduct for Bytes<T> {
    #[inline(always)]
    fn row_sum(groups: &[[u8; GROUP]]) -> i32 {
        groups.as_flattened().iter().fold(0, |sum, &byte| sum.wrapping_add(byte.into()))
    }
}

impl<T: Vocabulary + WordDot> ByteProduct for Words<T> {
    #[inline(always)]
    fn row_sum(groups: &[[i16; HALVES]]) -> i32 {
        groups.as_flattened().iter().fold(0, |sum, &word| sum.wrapping_add(word.into()))
    }
}

impl<T: Vocabulary + WordDot> ByteProduct for WordRows<T> {
    #[inline(always)]
    fn row_sum(groups: &[[[i16; 2]; HALVES]]) -> i32 {
        Words::<T>::row_sum(groups.as_flattened())
    }
}

/// An operand of bytes, read as words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Widened<B>(pub(super) B);

impl<T: Vocabulary + WordDot, L: Rows<Bytes<T>>> Rows<Words<T>> for Widened<&L> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        false
    }

    #[inline(always)]
    fn row(&self, _index: usize) -> &[[i16; HALVES]] {
        &[]
    }

    /// Through the second half of a row's room, which is as large as the row of bytes: widening
    /// runs upwards and is never ahead of what it has yet to read.
    #[inline(always)]
    fn pack(&self, rows: Range<usize>, groups: &mut [[i16; HALVES]], stride: usize) {
        let room: &mut [[u8; GROUP]] = bytemuck::cast_slice_mut(groups);
        let half = stride / HALVES;
        if !self.0.in_place() && !rows.is_empty() {
            self.0.pack(rows.clone(), &mut room[half..], stride);
        }
        for (room, index) in room.chunks_exact_mut(stride.max(1)).zip(rows) {
            if self.0.in_place() {
                room[half..].copy_from_slice(self.0.row(index));
            }
            widen(room);
        }
    }
}

/// The same, the words of a step of bytes together.
impl<T: Vocabulary + WordDot, L: Rows<Bytes<T>>> Rows<WordRows<T>> for Widened<&L> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        false
    }

    #[inline(always)]
    fn row(&self, _index: usize) -> &[[[i16; 2]; HALVES]] {
        &[]
    }

    #[inline(always)]
    fn pack(&self, rows: Range<usize>, groups: &mut [[[i16; 2]; HALVES]], stride: usize) {
        Rows::<Words<T>>::pack(self, rows, groups.as_flattened_mut(), stride * HALVES);
    }
}

/// Makes words of the bytes in the second half of `room`, in all of it.
#[inline(always)]
fn widen(room: &mut [[u8; GROUP]]) {
    const CHUNK: usize = 16;
    let half = room.len() / HALVES;
    let whole = half - half % CHUNK;
    for start in (0..whole).step_by(CHUNK) {
        widen_chunk::<CHUNK>(room, half + start, start * HALVES);
    }
    for start in whole..half {
        widen_chunk::<1>(room, half + start, start * HALVES);
    }
}

/// Makes words of `N` groups at `from` and writes them at `to`, which is not behind them. Of known
/// length: copying slices is a call for each.
#[inline(always)]
fn widen_chunk<const N: usize>(room: &mut [[u8; GROUP]], from: usize, to: usize) {
    let bytes: [[u8; GROUP]; N] = *room[from..].first_chunk().expect("half of the room");
    let mut words = [[[0; GROUP]; HALVES]; N];
    for g in 0..N {
        let pairs = u32::from_ne_bytes(bytes[g]);
        words[g] = [pairs, pairs >> 8].map(|pair| (pair & 0x00ff_00ff).to_ne_bytes());
    }
    room[to..][..N * HALVES].copy_from_slice(words.as_flattened());
}

impl<T: Vocabulary + WordDot> Columns<Words<T>> for Widened<Panels<'_, Step>> {
    #[inline(always)]
    fn steps(&self) -> usize {
        self.0.steps * HALVES
    }

    #[inline(always)]
    fn in_place(&self) -> Option<Panels<'_, WordStep>> {
        None
    }

    #[inline(always)]
    fn make(&self, index: usize, steps: Range<usize>, room: &mut [WordStep]) {
        let panel = self.0.panel(index, self.0.steps);
        let (mut panel, mut room) = (&panel[steps.start / HALVES..], room);
        if !steps.start.is_multiple_of(HALVES) {
            let ([words, rest @ ..], [step, later @ ..]) = (room, panel) else { return };
            *words = halves(step)[1];
            (panel, room) = (later, rest);
        }
        let (whole, last) = room.as_chunks_mut();
        for (words, step) in whole.iter_mut().zip(panel) {
            *words = halves(step);
        }
        if let ([words], Some(step)) = (last, panel.get(whole.len())) {
            *words = halves(step)[0];
        }
    }
}

/// The even bytes of a step and the odd ones, as words. Loops, for a closure for each column is a
/// call for each column.
#[inline(always)]
fn halves(step: &Step) -> [WordStep; HALVES] {
    let pairs: [i16; PANEL * HALVES] = bytemuck::cast(*step);
    let (mut even, mut odd) = ([0; PANEL * HALVES], [0; PANEL * HALVES]);
    for c in 0..pairs.len() {
        // Even bytes go up before they come down with their signs.
        (even[c], odd[c]) = (pairs[c] << 8 >> 8, pairs[c] >> 8);
    }
    [bytemuck::cast(even), bytemuck::cast(odd)]
}
