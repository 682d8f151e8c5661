//! Points that are not in memory as a whole: they are read part by part, each time they are
//! looked at. Where from is the caller's affair; here is no file and no map of one.

use super::Error;
use super::held::{Held, Piece};
use crate::Matrix;
use crate::buffer::Buffer;
use crate::points::{BLOCK, Element};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt::{self, Debug, Formatter};
use core::ops::Range;

/// Why points could not be read, in the words of who reads them.
pub type Reason = Box<dyn core::error::Error + Send + Sync>;

/// Where points are read from: a file, a database, a formula.
///
/// ```
/// use tilewise::kmeans::{Chunks, KMeans, Reader, Reason};
///
/// /// Whole numbers, and those a thousand above: each thread has 64 of them in memory at most.
/// struct Numbers;
///
/// impl Reader<f32> for Numbers {
///     fn n(&self) -> usize {
///         400
///     }
///     fn d(&self) -> usize {
///         1
///     }
///     fn read(&self, first: usize, rows: &mut [f32]) -> Result<(), Reason> {
///         for (point, x) in (first..).zip(rows) {
///             *x = (point / 2 + point % 2 * 1000) as f32;
///         }
///         Ok(())
///     }
/// }
///
/// let fit = KMeans::new(2).fit(Chunks::new(&Numbers, 64))?;
/// assert_eq!(fit.labels()[0], fit.labels()[398]);
/// assert_ne!(fit.labels()[0], fit.labels()[1]);
/// # Ok::<(), tilewise::kmeans::Error>(())
/// ```
pub trait Reader<T>: Sync {
    /// How many points there are; asked once.
    fn n(&self) -> usize;

    /// How many features each has; asked once.
    fn d(&self) -> usize;

    /// Reads points from number `first` on, row behind row, as many as fill `rows`: the same ones
    /// at every call. Several threads call it at once.
    ///
    /// # Errors
    /// Whatever went wrong, or a wish to stop: it ends what is under way with [`Error::Read`].
    fn read(&self, first: usize, rows: &mut [T]) -> Result<(), Reason>;
}

/// Points read part by part. What comes out is, to the bit, what points in memory give.
///
/// Beside the parts, a fit keeps 12 bytes for each point, of several starts 16, and while it chooses
/// seeds some 14 more (for `f64` 22, for random points 16, for weighted ones 8 on top), whatever
/// number of features there are.
#[derive(Clone, Copy)]
pub struct Chunks<'a, T> {
    reader: &'a dyn Reader<T>,
    /// The reader's sizes, asked once: members of a team share the points by them, and a reader that
    /// changes its mind must not give two of them the same.
    n: usize,
    d: usize,
    /// Blocks in a part.
    blocks: usize,
}

impl<'a, T: Element> Chunks<'a, T> {
    /// Each member of a team reads so many points at a time, or up to 63 more to fill a block.
    pub fn new(reader: &'a dyn Reader<T>, points: usize) -> Self {
        let blocks = points.div_ceil(BLOCK).max(1);
        Chunks { reader, n: reader.n(), d: reader.d(), blocks }
    }

    /// How many points there are.
    pub fn n(&self) -> usize {
        self.n
    }

    /// How many features each has.
    pub fn d(&self) -> usize {
        self.d
    }

    /// Reads some blocks, a part at a time.
    pub(super) fn each(
        &self,
        blocks: Range<usize>,
        mut visit: impl FnMut(Piece<'_, T>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let d = self.d();
        let most = self.blocks.min(blocks.len()) * BLOCK;
        let mut room = Buffer::zeroed(most.min(self.n()).saturating_mul(d))?;
        for start in blocks.clone().step_by(self.blocks) {
            let end = blocks.end.min(start + self.blocks);
            let points = start * BLOCK..self.n().min(end * BLOCK);
            let rows = &mut room[..points.len() * d];
            self.read(points.start, rows)?;
            let held = Held::Rows(Matrix::new(rows, points.len(), d)?);
            let piece = Piece { held, blocks: 0..end - start, points };
            piece.check_finite()?;
            visit(piece)?;
        }
        Ok(())
    }

    /// Reads points from `first` on.
    pub(super) fn read(&self, first: usize, rows: &mut [T]) -> Result<(), Error> {
        let count = rows.len() / self.d();
        let failed = |reason: Reason| ReadError { first, count, reason: reason.into() };
        Ok(self.reader.read(first, rows).map_err(failed)?)
    }
}

impl<T: Element> Debug for Chunks<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (n, d) = (self.n(), self.d());
        f.debug_struct("Chunks")
            .field("n", &n)
            .field("d", &d)
            .field("blocks", &self.blocks)
            .finish()
    }
}

/// Points that could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{count} points from number {first} on cannot be read: {reason}")]
pub struct ReadError {
    /// The first of them, from 0.
    pub first: usize,
    /// How many were to be read.
    pub count: usize,
    /// What the reader said.
    #[source]
    pub reason: Arc<dyn core::error::Error + Send + Sync>,
}

/// Of the same points, and for a reason in the same words.
impl PartialEq for ReadError {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &dyn core::error::Error, b: &dyn core::error::Error| {
            alloc::string::ToString::to_string(a) == alloc::string::ToString::to_string(b)
        };
        (self.first, self.count) == (other.first, other.count)
            && same(&*self.reason, &*other.reason)
    }
}
