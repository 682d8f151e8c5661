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
/// stride or [`Chunks`] will do; none is copied as a whole, but for few points of few features while
/// centres are chosen among them. A file mapped into memory is rows.
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

/// Work of a team that may fail. Of several members' errors the first one's is given: where each
/// has a part of the points, that is the error of the first points. Allocates nothing.
pub(super) fn attempt(
    team: &dyn Team,
    work: &(dyn Fn(Member<'_>) -> Result<(), Error> + Sync),
) -> Result<(), Error> {
    let mut first: Option<(usize, Error)> = None;
    let (slot, taken) = (Disjoint::new(slice::from_mut(&mut first)), AtomicBool::new(false));
    team.run(&|member| {
        let Err(error) = work(member) else {
            return;
        };
        // Which of two is not kept is dropped when the slot is free: that is the reader's code.
        let mut mine = Some((member.index(), error));
        while taken.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        #[allow(unsafe_code, reason = "disjoint output views")]
        // SAFETY: only who has found `taken` false has a view, until it is false again.
        let slot = unsafe { slot.part(0..1) };
        if slot[0].as_ref().is_none_or(|(index, _)| member.index() < *index) {
            mem::swap(&mut slot[0], &mut mine);
        }
        taken.store(false, Ordering::Release);
    });
    first.map_or(Ok(()), |(_, error)| Err(error))
}
