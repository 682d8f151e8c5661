//! Memory that registers are written to, row by row: cells, or what goes past the caches.
//!
//! The writing half of [`strip`](super::Strip), checked as that is.
#![allow(unsafe_code, reason = "registers are written through checked pointers")]

use super::strip::{fit, hidden};
use super::{FloatExtra, Real, Region};
use core::cell::Cell;
use core::marker::PhantomData;

/// Memory to write registers to: cells, or a [`Region`].
#[derive(Clone, Copy, Debug)]
pub struct Target<'a, T> {
    start: *mut T,
    length: usize,
    past_caches: bool,
    cells: PhantomData<&'a Cell<T>>,
}

impl<'a, T: Real> Target<'a, T> {
    /// Ordinary stores to cells.
    #[inline]
    pub fn cells(cells: &'a [Cell<T>]) -> Self {
        let start = cells.as_ptr().cast_mut().cast();
        Target { start, length: cells.len(), past_caches: false, cells: PhantomData }
    }

    /// The stores of a region.
    #[inline]
    pub fn region<S: FloatExtra, const PAST_CACHES: bool>(
        region: Region<'a, S, T, PAST_CACHES>,
    ) -> Self {
        let numbers = region.into_numbers();
        Target {
            start: numbers.as_mut_ptr(),
            length: numbers.len(),
            // An instruction set without such stores has no fence for those of another.
            past_caches: PAST_CACHES && S::STREAMS,
            cells: PhantomData,
        }
    }

    /// Whether stores go past the caches.
    #[inline]
    pub fn past_caches(&self) -> bool {
        self.past_caches
    }

    /// Rows of it, the first at number `start`.
    ///
    /// # Panics
    /// When they do not fit.
    #[inline]
    pub fn rows(self, start: usize, pitch: usize, rows: usize, length: usize) -> TargetRows<'a, T> {
        let inside = start <= self.length && fit(self.length - start, pitch, rows, length);
        assert!(inside, "rows outside their target");
        // SAFETY: `start` is in the target.
        let start = unsafe { self.start.add(start) };
        TargetRows { target: Target { start, length, ..self }, pitch, rows }
    }
}

/// Rows to be written, all of the same length, one every so many numbers.
#[derive(Clone, Copy, Debug)]
pub struct TargetRows<'a, T> {
    /// The first row.
    target: Target<'a, T>,
    pitch: usize,
    rows: usize,
}

impl<'a, T: Real> TargetRows<'a, T> {
    /// Whether stores go past the caches.
    #[inline]
    pub fn past_caches(&self) -> bool {
        self.target.past_caches
    }
}

/// Rows of several targets that move on together, `ROWS` rows of each at a time.
#[derive(Clone, Copy, Debug)]
pub struct Sinks<'a, S, T, const ROWS: usize, const TARGETS: usize> {
    simd: S,
    to: [TargetRows<'a, T>; TARGETS],
    rows: usize,
    count: usize,
}

impl<'a, S: FloatExtra, T: Real, const ROWS: usize, const TARGETS: usize>
    Sinks<'a, S, T, ROWS, TARGETS>
{
    /// The first `count` registers of each of the first `rows` rows. There may be fewer targets
    /// than `TARGETS`; in the place of those that are missing stands the first.
    ///
    /// # Panics
    /// When there is no target or there are more, no such rows or registers, when some go past the
    /// caches and others do not, or, past the caches, when a row does not begin at a multiple of a
    /// register's size.
    #[inline(always)]
    pub fn new(simd: S, to: &[TargetRows<'a, T>], rows: usize, count: usize) -> Self {
        let past_caches = to[0].past_caches();
        let mut all = [to[0]; TARGETS];
        all[..to.len()].copy_from_slice(to);
        for &TargetRows { target, pitch, rows: there } in to {
            assert!(rows <= there, "{rows} rows of {there}");
            assert!(count <= target.length / T::lanes::<S>(), "{count} of {target:?}");
            assert!(past_caches == target.past_caches, "both kinds of stores");
            let size = size_of::<T::Register<S>>();
            let aligned = target.start.addr() | (pitch * size_of::<T>());
            assert!(
                !past_caches || aligned.is_multiple_of(size),
                "a streamed row must begin at a multiple of a register's size"
            );
        }
        Sinks { simd, to: all, rows, count }
    }

    /// `ROWS` rows of each target from row `row` on.
    ///
    /// # Panics
    /// When there are not so many.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Sink<'a, S, T, ROWS, TARGETS> {
        assert!(row < self.rows && ROWS <= self.rows - row, "row {row} of {}", self.rows);
        let mut starts = [[core::ptr::dangling_mut(); ROWS]; TARGETS];
        for index in 0..TARGETS {
            let TargetRows { target, pitch, .. } = self.to[index];
            for more in 0..ROWS {
                // SAFETY: the target has that many rows.
                starts[index][more] = unsafe { target.start.add((row + more) * pitch) };
            }
        }
        let past_caches = self.to[0].past_caches();
        let Sinks { simd, count, .. } = *self;
        Sink { simd, starts, count, past_caches, cells: PhantomData }
    }
}

/// `ROWS` rows of each of several targets, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Sink<'a, S: FloatExtra, T: Real, const ROWS: usize, const TARGETS: usize> {
    simd: S,
    starts: [[*mut T; ROWS]; TARGETS],
    count: usize,
    past_caches: bool,
    cells: PhantomData<&'a Cell<T>>,
}

impl<S: FloatExtra, T: Real, const ROWS: usize, const TARGETS: usize>
    Sink<'_, S, T, ROWS, TARGETS>
{
    /// How many registers a row has.
    #[inline(always)]
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The same rows, of which the compiler knows nothing, as those of a window.
    #[inline(always)]
    pub(super) fn anew(&self) -> Self {
        let mut sink = *self;
        for target in 0..TARGETS {
            for row in 0..ROWS {
                sink.starts[target][row] = hidden(sink.starts[target][row]).cast_mut();
            }
        }
        sink
    }

    /// Writes register `index` of a row of a target.
    ///
    /// # Panics
    /// When there is no such register, row or target.
    #[inline(always)]
    pub fn put(&self, target: usize, row: usize, index: usize, value: T::Register<S>) {
        assert!(index < self.count, "register {index} of {}", self.count);
        // SAFETY: there is such a register.
        unsafe { self.write(target, row, index * size_of::<T::Register<S>>(), value) }
    }

    /// Writes the register that begins so many bytes after the beginning of a row of a target.
    ///
    /// # Panics
    /// When there is no such row or target.
    ///
    /// # Safety
    /// There must be such a register.
    #[inline(always)]
    pub(super) unsafe fn write(
        &self,
        target: usize,
        row: usize,
        bytes: usize,
        value: T::Register<S>,
    ) {
        // SAFETY: in bounds, and this thread's alone to write.
        let to = unsafe { self.starts[target][row].byte_add(bytes) }.cast::<T::Register<S>>();
        if S::STREAMS && self.past_caches {
            // SAFETY: `Sinks::new` found the rows aligned. A target of this kind is made from
            // a region that `stream` borrows until it has fenced.
            unsafe { T::stream(self.simd, &mut *to, value) }
        } else {
            // SAFETY: as above; a row of ordinary stores may begin anywhere.
            unsafe { to.write_unaligned(value) }
        }
    }
}
