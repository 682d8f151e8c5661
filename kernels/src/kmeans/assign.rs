//! One pass over points: stage a block, label it, settle what is not certain.

use super::centres::Ready;
use super::reference::squared_distance;
use super::source::Source;
use super::{exact, lanes};
use crate::points::BLOCK;
use crate::vector::Vocabulary;
use core::ops::Range;

/// What a member works with: nothing here is shared.
#[derive(Debug)]
pub(super) struct Desk<'a> {
    /// A block, less the offset, as the form wants it, with room for a feature more.
    pub(super) staged: &'a mut [f32],
    /// What the form needs besides.
    pub(super) room: &'a mut [f32],
    /// One point.
    pub(super) point: &'a mut [f32],
}

/// Labels the points of `blocks`; `labels[0]` is the first one's. Gives the first point that is
/// not finite, if there is one, and then the labels mean nothing.
///
/// There is one for each tile; `table` lists them.
pub(super) type Label<T> =
    fn(T, Source<'_>, &Ready<'_>, Range<usize>, &mut [u32], &mut Desk<'_>) -> Option<usize>;

/// [`Label`] with points in the lanes: `P` registers of them, `Q` centres at a time.
pub(super) fn label_lanes<T: Vocabulary, const P: usize, const Q: usize>(
    token: T,
    source: Source<'_>,
    ready: &Ready<'_>,
    blocks: Range<usize>,
    labels: &mut [u32],
    desk: &mut Desk<'_>,
) -> Option<usize> {
    token.run(
        #[inline(always)]
        || {
            let mut bad = None;
            for (block, out) in blocks.zip(labels.chunks_mut(BLOCK)) {
                source.stage(block, ready.offset, desk.staged);
                let mut found = [0; BLOCK];
                let unsure =
                    lanes::nearest::<_, P, Q>(token.floats(), desk.staged, ready, &mut found);
                let unsure = unsure & (u64::MAX >> (BLOCK - out.len()));
                if unsure != 0 {
                    let odd = settle(source, ready, block * BLOCK, unsure, &mut found, desk.point);
                    bad = bad.or(odd);
                }
                match out.first_chunk_mut() {
                    Some(whole) => *whole = found,
                    None => out.copy_from_slice(&found[..out.len()]),
                }
            }
            bad
        },
    )
}

/// Labels by the definition the points of a block whose bit is set, and gives the first that is
/// not finite: those are never certain, for their gap is not finite either.
#[inline(always)]
pub(super) fn settle(
    source: Source<'_>,
    ready: &Ready<'_>,
    first: usize,
    mut unsure: u64,
    labels: &mut [u32; BLOCK],
    space: &mut [f32],
) -> Option<usize> {
    let mut bad = None;
    while unsure != 0 {
        let lane = unsure.trailing_zeros() as usize;
        unsure &= unsure - 1;
        let point = source.point(first + lane, space);
        if point.iter().all(|x| x.is_finite()) {
            labels[lane] = exact::nearest(point, ready, labels[lane]);
        } else {
            bad = bad.or(Some(first + lane));
        }
    }
    bad
}

/// The squared distance of point `index` to a centre, by the definition.
#[inline]
pub(super) fn distance(source: Source<'_>, index: usize, centre: &[f32], space: &mut [f32]) -> f64 {
    squared_distance(source.point(index, space), centre)
}
