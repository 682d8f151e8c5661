//! One pass over points: stage a block, label it, settle what is not certain.

use super::centres::Ready;
use super::exact;
use super::held::Held;
use super::prune::{Left, Patience, prune};
use super::recipe::Form;
use crate::points::{BLOCK, Element};
use crate::vector::Vocabulary;
use core::ops::Range;

/// What a member works with: nothing here is shared.
#[derive(Debug)]
pub(super) struct Desk<'a, T> {
    /// A block, less the offset, as the form wants it, with room for a feature more.
    pub(super) staged: &'a mut [f32],
    /// What the form needs besides.
    pub(super) room: &'a mut [f32],
    /// A block of points as they are.
    pub(super) space: &'a mut [T],
    /// When to test a block for centres to leave out.
    pub(super) patience: Patience,
}

/// A block of points, staged as a form wants it, and what the form needs besides.
#[derive(Debug)]
pub(super) struct Staged<'a> {
    pub(super) values: &'a [f32],
    /// How many points there are.
    pub(super) points: usize,
    pub(super) room: &'a mut [f32],
}

/// Labels the points of a staged block, and gives a bit for each whose label is not certain.
///
/// There is one for each tile; `table` lists them. They know nothing of the points' type.
pub(super) type Nearest<V> = fn(V, Staged<'_>, &Ready<'_>, &mut [u32; BLOCK]) -> u64;

/// Labels the points of `blocks`; `labels[0]` is the first one's. Gives the first point that is
/// not finite, if there is one, and then the labels mean nothing.
#[inline(always)]
pub(super) fn label<V: Vocabulary, T: Element>(
    (token, form, nearest): (V, Form, Nearest<V>),
    held: Held<'_, T>,
    ready: &Ready<'_>,
    (blocks, labels): (Range<usize>, &mut [u32]),
    desk: &mut Desk<'_, T>,
) -> Option<usize> {
    let mut bad = None;
    for (block, out) in blocks.zip(labels.chunks_mut(BLOCK)) {
        match form {
            Form::Lanes => {
                held.stage_columns(token.floats(), block, ready.offset, desk.staged);
            }
            Form::Tile => held.stage_rows(block, ready.offset, desk.staged),
        }
        let mut found = [0; BLOCK];
        let mut left = None;
        if !ready.columns.is_empty() && out.len() == BLOCK && desk.patience.ends() {
            left = prune(token, desk.staged, ready, desk.room);
            desk.patience.learn(left.is_some());
        }
        let unsure = match left {
            Some(Left { centres: &[centre], .. }) => {
                found = [centre; BLOCK];
                0
            }
            Some(Left { ready, centres }) => {
                let staged = Staged { values: desk.staged, points: BLOCK, room: &mut [] };
                let unsure = nearest(token, staged, &ready, &mut found);
                // What overflows is labelled by the definition; until then any label will do.
                let last = centres.len() - 1;
                found.iter_mut().for_each(|label| *label = centres[last.min(*label as usize)]);
                unsure
            }
            None => {
                let staged = Staged { values: desk.staged, points: out.len(), room: desk.room };
                nearest(token, staged, ready, &mut found)
            }
        };
        let unsure = unsure & (u64::MAX >> (BLOCK - out.len()));
        if unsure != 0 {
            let odd = settle(held, ready, block * BLOCK, unsure, &mut found, desk.space);
            bad = bad.or(odd);
        }
        match out.first_chunk_mut() {
            Some(whole) => *whole = found,
            None => out.copy_from_slice(&found[..out.len()]),
        }
    }
    bad
}

/// Labels by the definition the points of a block whose bit is set, and gives the first that is
/// not finite: those are never certain, for their gap is not finite either.
#[inline(always)]
fn settle<T: Element>(
    held: Held<'_, T>,
    ready: &Ready<'_>,
    first: usize,
    mut unsure: u64,
    labels: &mut [u32; BLOCK],
    space: &mut [T],
) -> Option<usize> {
    let mut bad = None;
    while unsure != 0 {
        let lane = unsure.trailing_zeros() as usize;
        unsure &= unsure - 1;
        let point = held.point(first + lane, space);
        if point.iter().all(|&x| x.into().is_finite()) {
            labels[lane] = exact::nearest(point, ready, labels[lane]);
        } else {
            bad = bad.or(Some(first + lane));
        }
    }
    bad
}
