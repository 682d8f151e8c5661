//! One pass over points: stage a block, label it, settle what is not certain.

use super::bytes;
use super::centres::Ready;
use super::exact;
use super::few;
use super::held::Held;
use super::prune::{Left, Patience, prune};
use super::recipe::Form;
use super::tile;
use crate::points::{BLOCK, Element};
use crate::vector::Vocabulary;
use core::ops::Range;
use pulp::Simd;

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
    /// Where slacks are asked for, one for each point of a block: by how much all other centres are
    /// farther at least than the nearest one, what is not a number where nothing is known. Else empty.
    pub(super) slack: &'a mut [f32],
}

/// Labels the points of a staged block, and gives a bit for each whose label is not certain.
///
/// There is one for each tile; `table` lists them. They know nothing of the points' type.
pub(super) type Nearest<V> = fn(V, Staged<'_>, &Ready<'_>, &mut [u32; BLOCK]) -> u64;

/// Labels the points of `blocks`; `labels[0]` is the first one's. Gives the first point that is
/// not finite, if there is one, and then the labels mean nothing. Of a single block gives
/// [slacks](Staged::slack) too, if there is room for them.
#[inline(always)]
pub(super) fn label<V: Vocabulary, T: Element>(
    (token, form, nearest): (V, Form, Nearest<V>),
    held: Held<'_, T>,
    ready: &Ready<'_>,
    (blocks, labels): (Range<usize>, &mut [u32]),
    (desk, slack): (&mut Desk<'_, T>, &mut [f32]),
) -> Option<usize> {
    let mut bad = None;
    let floats = Ready { bytes: None, tile: ready.floats, ..*ready };
    for (block, out) in blocks.zip(labels.chunks_mut(BLOCK)) {
        let (points, mut found) = (out.len(), [0; BLOCK]);
        let here = Here { token, nearest, held, block, points };
        let labels = (&mut found, &mut *slack);
        let (unsure, ready) = match form {
            Form::Lanes => (here.in_lanes(ready, desk, labels), ready),
            Form::Cells => (here.in_cells(ready, desk, labels), ready),
            Form::Tile => (here.in_rows(nearest, ready, desk, labels), ready),
            Form::Bytes => match here.in_bytes(ready, desk, (&mut *labels.0, &mut *labels.1)) {
                Some(unsure) => (unsure, ready),
                None => (here.in_rows(tile::nearest, &floats, desk, labels), &floats),
            },
        };
        let unsure = unsure & (u64::MAX >> (BLOCK - points));
        if unsure != 0 {
            let simd = token.floats();
            let odd = settle(simd, (held, ready), (block * BLOCK, unsure), &mut found, desk);
            bad = bad.or(odd);
        }
        match out.first_chunk_mut() {
            Some(whole) => *whole = found,
            None => out.copy_from_slice(&found[..points]),
        }
    }
    bad
}

/// Where the labels of a block go, and its [slacks](Staged::slack).
type Labels<'a> = (&'a mut [u32; BLOCK], &'a mut [f32]);

/// A block that is to be labelled.
#[derive(Clone, Copy)]
struct Here<'a, V, T> {
    token: V,
    nearest: Nearest<V>,
    held: Held<'a, T>,
    block: usize,
    /// How many points there are.
    points: usize,
}

/// Each gives a bit for every point whose label is not certain; what they say of points behind the
/// last has no meaning.
impl<V: Vocabulary, T: Element> Here<'_, V, T> {
    /// Points in the lanes, by those centres that may be the nearest of any.
    #[inline(always)]
    fn in_lanes(
        &self,
        ready: &Ready<'_>,
        desk: &mut Desk<'_, T>,
        (found, slack): Labels<'_>,
    ) -> u64 {
        let Here { token, nearest, held, block, points } = *self;
        held.stage_columns(token.floats(), block, ready.offset, desk.staged);
        let mut left = None;
        if !ready.columns.is_empty() && points == BLOCK && desk.patience.ends() {
            left = prune(token, desk.staged, ready, (desk.room, !slack.is_empty()));
            desk.patience.learn(left.is_some());
        }
        match left {
            Some(Left { centres: &[centre], alone, .. }) => {
                *found = [centre; BLOCK];
                slack.fill(alone);
                0
            }
            Some(Left { ready, centres, .. }) => {
                let staged = Staged { values: desk.staged, points, room: &mut [], slack };
                let unsure = nearest(token, staged, &ready, found);
                // What overflows is labelled by the definition; until then any label will do.
                let last = centres.len() - 1;
                found.iter_mut().for_each(|label| *label = centres[last.min(*label as usize)]);
                unsure
            }
            None => {
                let staged = Staged { values: desk.staged, points, room: desk.room, slack };
                nearest(token, staged, ready, found)
            }
        }
    }

    /// Points in the lanes, by what a table over space says.
    #[inline(always)]
    fn in_cells(
        &self,
        ready: &Ready<'_>,
        desk: &mut Desk<'_, T>,
        (found, slack): Labels<'_>,
    ) -> u64 {
        let Here { points, .. } = *self;
        let simd = self.token.floats();
        self.held.stage_columns(simd, self.block, ready.offset, desk.staged);
        let staged = Staged { values: desk.staged, points, room: desk.room, slack };
        (self.nearest)(self.token, staged, ready, found)
    }

    /// Points in rows.
    #[inline(always)]
    fn in_rows(
        &self,
        nearest: Nearest<V>,
        ready: &Ready<'_>,
        desk: &mut Desk<'_, T>,
        (found, slack): Labels<'_>,
    ) -> u64 {
        let Here { points, .. } = *self;
        self.held.stage_rows(self.block, ready.offset, desk.staged);
        let staged = Staged { values: desk.staged, points, room: desk.room, slack };
        nearest(self.token, staged, ready, found)
    }

    /// Points on the lattice; nothing where that is in vain, or has been for blocks before.
    #[inline(always)]
    fn in_bytes(
        &self,
        ready: &Ready<'_>,
        desk: &mut Desk<'_, T>,
        (found, slack): Labels<'_>,
    ) -> Option<u64> {
        if !desk.patience.ends() {
            return None;
        }
        let simd = self.token.floats();
        self.held.stage_columns(simd, self.block, ready.offset, desk.staged);
        self.held.fetch(simd, self.block + 1);
        bytes::put(simd, ready, desk.staged, desk.room);
        let points = self.points;
        let staged = Staged { values: desk.staged, points, room: desk.room, slack };
        let unsure = (self.nearest)(self.token, staged, ready, found);
        let useful = !bytes::in_vain(ready, desk.room, self.points);
        desk.patience.learn(useful);
        useful.then_some(unsure)
    }
}

/// Labels by the definition the points of a block whose bit is set, and gives the first that is
/// not finite: those are never certain, for their gap is not finite either.
#[inline(always)]
fn settle<S: Simd, T: Element>(
    simd: S,
    (held, ready): (Held<'_, T>, &Ready<'_>),
    (first, mut unsure): (usize, u64),
    labels: &mut [u32; BLOCK],
    desk: &mut Desk<'_, T>,
) -> Option<usize> {
    let mut bad = None;
    while unsure != 0 {
        let lane = unsure.trailing_zeros() as usize;
        unsure &= unsure - 1;
        let point = held.point(first + lane, desk.space);
        if let Some(label) = few::nearest(simd, point, ready, (desk.staged, desk.room), lane) {
            labels[lane] = label;
        } else if point.iter().all(|&x| x.into().is_finite()) {
            labels[lane] = exact::nearest(point, ready, labels[lane]);
        } else {
            bad = bad.or(Some(first + lane));
        }
    }
    bad
}
