//! Where points come from: memory, in blocks or rows, or a reader that has them part by part.

use super::Error;
use super::chunks::Chunks;
use super::held::{Held, Piece};
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element, Points};
use crate::{Matrix, Member, Team};
use core::hint::spin_loop;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use core::{mem, slice};

/// Points, borrowed. Wherever one is asked for, a `&Points`, a `Matrix` of rows with any row
/// stride or [`Chunks`] will do. A file mapped into memory is rows.
///
/// Labels, distances and scores are found without a copy of the points, and so are fits of more than
/// 4 features and of [`Chunks`]. Other fits may take a copy: of up to 131,072 values as `f64` and as
/// `f32` while centres are chosen, and from 16,384 points on one in which near points stand together and equal
/// ones are one, with some 30 bytes for each point beside it. Where memory does not have room for the
/// latter, a fit goes without, and finds the same.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Source<'a, T: Element> {
    /// Blocks: nothing to turn, and known to be finite.
    Blocks(&'a Points<T>),
    /// Rows, a point each.
    Rows(Matrix<'a, T>),
    /// Rows that are read part by part.
    Chunks(Chunks<'a, T>),
}

/// Blocks that are labelled before they are summed, and the fewest a member takes at a time: the points
/// of both passes stay in the cache.
pub(super) const PIECE: usize = 8;

impl<'a, T: Element> From<&'a Points<T>> for Source<'a, T> {
    fn from(points: &'a Points<T>) -> Self {
        Source::Blocks(points)
    }
}

impl<'a, T: Element> From<Matrix<'a, T>> for Source<'a, T> {
    fn from(rows: Matrix<'a, T>) -> Self {
        Source::Rows(rows)
    }
}

impl<'a, T: Element> From<Chunks<'a, T>> for Source<'a, T> {
    fn from(chunks: Chunks<'a, T>) -> Self {
        Source::Chunks(chunks)
    }
}

impl<'a, T: Element> Source<'a, T> {
    /// How many points.
    pub fn n(&self) -> usize {
        match self {
            Source::Blocks(points) => points.n(),
            Source::Rows(rows) => rows.rows(),
            Source::Chunks(chunks) => chunks.n(),
        }
    }

    /// How many features a point has.
    pub fn d(&self) -> usize {
        match self {
            Source::Blocks(points) => points.d(),
            Source::Rows(rows) => rows.cols(),
            Source::Chunks(chunks) => chunks.d(),
        }
    }

    /// How many blocks they are.
    pub(super) fn blocks(&self) -> usize {
        self.n().div_ceil(BLOCK)
    }

    /// The least of them that a member takes at a time. Of points that are read it is a whole share, so
    /// that they are read in the parts they come in.
    pub(super) fn piece(&self) -> usize {
        if self.held().is_some() { PIECE } else { self.blocks() }
    }

    /// All of them, if they are in memory.
    pub(super) fn held(&self) -> Option<Held<'a, T>> {
        match *self {
            Source::Blocks(points) => Some(Held::Blocks(points)),
            Source::Rows(rows) => Some(Held::Rows(rows)),
            Source::Chunks(_) => None,
        }
    }

    /// Visits some blocks in order: at once if they are in memory, else part by part.
    pub(super) fn each(
        &self,
        blocks: Range<usize>,
        mut visit: impl FnMut(Piece<'_, T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if blocks.is_empty() {
            return Ok(());
        }
        let held = match self {
            Source::Blocks(points) => Held::Blocks(points),
            Source::Rows(rows) => Held::Rows(*rows),
            Source::Chunks(chunks) => return chunks.each(blocks, visit),
        };
        let points = blocks.start * BLOCK..self.n().min(blocks.end * BLOCK);
        visit(Piece { held, blocks, points })
    }

    /// One point, copied to `space` where it does not lie in one piece.
    pub(super) fn point<'b>(&self, index: usize, space: &'b mut [T]) -> Result<&'b [T], Error>
    where
        'a: 'b,
    {
        match *self {
            Source::Blocks(points) => Ok(Held::Blocks(points).point(index, space)),
            Source::Rows(rows) => Ok(Held::Rows(rows).point(index, space)),
            Source::Chunks(chunks) => {
                let to = &mut space[..chunks.d()];
                chunks.read(index, to)?;
                Ok(to)
            }
        }
    }
}

/// Work of a team that may fail. Of several members' errors the one about the first points is
/// given, one that is about none before all others, and among equals the first member's: who came
/// first decides nothing. Allocates nothing.
pub(super) fn attempt(
    team: &dyn Team,
    work: &(dyn Fn(Member<'_>) -> Result<(), Error> + Sync),
) -> Result<(), Error> {
    let mut first: Option<(Option<usize>, usize, Error)> = None;
    let (slot, taken) = (Disjoint::new(slice::from_mut(&mut first)), AtomicBool::new(false));
    team.run(&|member| {
        let Err(error) = work(member) else {
            return;
        };
        // Which of two is not kept is dropped when the slot is free: that is the reader's code.
        let mut mine = Some((error.place(), member.index(), error));
        while taken.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        #[allow(unsafe_code, reason = "disjoint output views")]
        // SAFETY: only who has found `taken` false has a view, until it is false again.
        let slot = unsafe { slot.part(0..1) };
        let before = |error: &(Option<usize>, usize, Error)| (error.0, error.1);
        if slot[0].as_ref().is_none_or(|slot| mine.as_ref().map(before) < Some(before(slot))) {
            mem::swap(&mut slot[0], &mut mine);
        }
        taken.store(false, Ordering::Release);
    });
    first.map_or(Ok(()), |(.., error)| Err(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpinTeam;
    use crate::points::NotFinite;

    /// Members that work on each other's parts meet errors in any order.
    #[test]
    fn of_several_errors_the_one_about_the_first_points_is_given() {
        let team = SpinTeam::new(5).unwrap();
        let at =
            |row: usize| Err(Error::Points(NotFinite { row, column: 0, value: f64::INFINITY }));
        for _ in 0..100 {
            assert_eq!(attempt(&team, &|member| at(100 - member.index())), at(96));
            assert_eq!(attempt(&team, &|member| at(7 + member.index() / 3)), at(7));
            let third = |member: Member<'_>| match member.index() {
                1 => Ok(()),
                3 => Err(Error::Scratch),
                index => at(index),
            };
            assert_eq!(attempt(&team, &third), Err(Error::Scratch));
        }
    }
}
