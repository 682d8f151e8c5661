//! Rows of numbers that are read and written register by register, where what is written may be
//! what has just been read.
//!
//! A sweep in place reads a row and puts the new values where the old ones stood, which `&` and
//! `&mut` cannot say and [`Cell`] can. A [`Strip`] is several rows at one pitch, made from a
//! slice of numbers or of cells; a [`Target`] is memory to write to, made from cells or from a
//! [`Region`] that goes past the caches. Both are checked when they are made and where a row is
//! taken, so that the loop over a row's registers needs no checks at all.
#![allow(unsafe_code, reason = "registers are read and written through checked pointers")]

use super::{FloatExtra, Real, Region};
use crate::buffer::LINE;
use core::cell::Cell;
use core::marker::PhantomData;

/// Whether `rows` rows of `length` numbers, one every `pitch`, fit in `numbers`.
fn fit(numbers: usize, pitch: usize, rows: usize, length: usize) -> bool {
    let last = rows.saturating_sub(1).checked_mul(pitch);
    last.and_then(|last| last.checked_add(length)).is_some_and(|end| end <= numbers)
}

/// Rows to be read, all of the same length, one every so many numbers. A line of numbers to
/// either side of each row can be read as well.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a, T> {
    start: *const T,
    pitch: usize,
    rows: usize,
    length: usize,
    cells: PhantomData<&'a Cell<T>>,
}

impl<'a, T: Real> Strip<'a, T> {
    /// How many numbers to either side of a row can be read.
    pub const BESIDE: usize = LINE / size_of::<T>();

    /// No rows at all.
    pub const NONE: Strip<'a, T> =
        Strip { start: core::ptr::dangling(), pitch: 0, rows: 0, length: 0, cells: PhantomData };

    /// Rows of numbers nobody writes. The first row begins [`Strip::BESIDE`] numbers after
    /// `numbers`, and as many must follow the last one.
    ///
    /// # Panics
    /// When the rows do not fit.
    #[inline]
    pub fn new(numbers: &'a [T], pitch: usize, rows: usize, length: usize) -> Self {
        assert!(fit(numbers.len(), pitch, rows, length + 2 * Self::BESIDE), "rows do not fit");
        let start = numbers.as_ptr().wrapping_add(Self::BESIDE);
        Strip { start, pitch, rows, length, cells: PhantomData }
    }

    /// Rows of numbers this thread may write meanwhile, as in [`Strip::new`].
    ///
    /// # Panics
    /// When the rows do not fit.
    #[inline]
    pub fn of_cells(cells: &'a [Cell<T>], pitch: usize, rows: usize, length: usize) -> Self {
        assert!(fit(cells.len(), pitch, rows, length + 2 * Self::BESIDE), "rows do not fit");
        let start = cells.as_ptr().cast::<T>().wrapping_add(Self::BESIDE);
        Strip { start, pitch, rows, length, cells: PhantomData }
    }

    /// One of the rows.
    ///
    /// # Panics
    /// When there is no such row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Row<'a, T> {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        // SAFETY: the rows fit, this one among them.
        let start = unsafe { self.start.add(row * self.pitch) };
        Row { start, length: self.length, cells: PhantomData }
    }
}

/// A row to be read.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a, T> {
    start: *const T,
    length: usize,
    cells: PhantomData<&'a Cell<T>>,
}

impl<'a, T: Real> Row<'a, T> {
    /// How many numbers it has.
    #[inline(always)]
    pub fn length(self) -> usize {
        self.length
    }

    /// One number.
    ///
    /// # Panics
    /// When there is no such number.
    #[inline(always)]
    pub fn number(self, at: usize) -> T {
        assert!(at < self.length, "number {at} of {}", self.length);
        // SAFETY: in bounds; the row is readable and written by this thread alone, if at all.
        unsafe { self.start.add(at).read() }
    }

    /// The register whose first number is number `at`.
    ///
    /// # Panics
    /// When it leaves the row.
    #[inline(always)]
    pub fn register<S: FloatExtra>(self, at: usize) -> T::Register<S> {
        let inside = at <= self.length && T::lanes::<S>() <= self.length - at;
        assert!(inside, "a register at {at} of {}", self.length);
        // SAFETY: as above, for a whole register wherever it begins.
        unsafe { self.start.add(at).cast::<T::Register<S>>().read_unaligned() }
    }

    /// Where number `at` stands, which may be anywhere: to prefetch it.
    #[inline(always)]
    pub fn address(self, at: usize) -> *const T {
        self.start.wrapping_add(at)
    }
}

/// The same registers of several rows, to be read on their place or up to `REACH` numbers off it.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a, S, T, const ROWS: usize, const REACH: usize> {
    starts: [*const T; ROWS],
    count: usize,
    rows: PhantomData<(&'a Cell<T>, S)>,
}

impl<'a, S: FloatExtra, T: Real, const ROWS: usize, const REACH: usize>
    Windows<'a, S, T, ROWS, REACH>
{
    /// `count` registers of each row from number `start` on.
    ///
    /// # Panics
    /// When they are not all in the rows, or `REACH` is more than can be read beside a row.
    #[inline(always)]
    pub fn new(rows: &[Row<'a, T>; ROWS], start: usize, count: usize) -> Self {
        const { assert!(REACH <= Strip::<T>::BESIDE) };
        let end = start + count * T::lanes::<S>();
        let mut starts = [core::ptr::dangling(); ROWS];
        for (to, row) in starts.iter_mut().zip(rows) {
            assert!(start <= end && end <= row.length, "{start}..{end} of {}", row.length);
            // SAFETY: `start` is in the row.
            *to = unsafe { row.start.add(start) };
        }
        Windows { starts, count, rows: PhantomData }
    }

    /// Register `index` of row `row`, `off` numbers to the right of its place.
    ///
    /// # Panics
    /// When there is none or it does not reach that far; both are known before a loop that counts
    /// up to the registers there are begins.
    #[inline(always)]
    pub fn get(&self, row: usize, index: usize, off: isize) -> T::Register<S> {
        assert!(index < self.count && off.unsigned_abs() <= REACH);
        let at = (index * T::lanes::<S>()) as isize + off;
        // SAFETY: `new` found the registers inside the row, and a row can be read that far beside.
        unsafe { self.starts[row].offset(at).cast::<T::Register<S>>().read_unaligned() }
    }
}

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
    pub fn region<S, const PAST_CACHES: bool>(region: Region<'a, S, T, PAST_CACHES>) -> Self {
        let numbers = region.into_numbers();
        Target {
            start: numbers.as_mut_ptr(),
            length: numbers.len(),
            past_caches: PAST_CACHES,
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

    /// Where register `start` of a row stands, with `count` registers from there on.
    #[inline(always)]
    fn at<S: FloatExtra>(&self, row: usize, start: usize, count: usize) -> *mut T::Register<S> {
        let Target { start: first, length, past_caches, .. } = self.target;
        let there = length / T::lanes::<S>();
        assert!(row < self.rows, "row {row} of {}", self.rows);
        assert!(start <= there && count <= there - start, "{count} from {start} of {there}");
        // SAFETY: the rows fit, this one among them, and the registers are in the row.
        let at = unsafe { first.add(row * self.pitch).cast::<T::Register<S>>().add(start) };
        assert!(
            !past_caches || at.addr().is_multiple_of(size_of::<T::Register<S>>()),
            "a streamed row must begin at a multiple of a register's size"
        );
        at
    }
}

/// The same registers of rows side by side in several slices, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Sinks<
    'a,
    S: FloatExtra,
    T: Real,
    const ROWS: usize,
    const SLICES: usize,
    const PAST_CACHES: bool,
> {
    simd: S,
    starts: [[*mut T::Register<S>; ROWS]; SLICES],
    count: usize,
    cells: PhantomData<&'a Cell<T>>,
}

impl<'a, S: FloatExtra, T: Real, const ROWS: usize, const SLICES: usize, const PAST_CACHES: bool>
    Sinks<'a, S, T, ROWS, SLICES, PAST_CACHES>
{
    /// `count` registers from register `start` on of `ROWS` rows from `row` on of each slice.
    ///
    /// # Panics
    /// When there are no such rows or registers, when `PAST_CACHES` is not what a target is, or,
    /// past the caches, when a row does not begin at a multiple of a register's size.
    #[inline(always)]
    pub fn new(
        simd: S,
        to: &[TargetRows<'a, T>; SLICES],
        row: usize,
        start: usize,
        count: usize,
    ) -> Self {
        let mut starts = [[core::ptr::dangling_mut(); ROWS]; SLICES];
        for slice in 0..SLICES {
            assert!(PAST_CACHES == to[slice].target.past_caches, "the other kind of stores");
            for more in 0..ROWS {
                starts[slice][more] = to[slice].at::<S>(row + more, start, count);
            }
        }
        Sinks { simd, starts, count, cells: PhantomData }
    }

    /// Writes register `index` of a row.
    ///
    /// # Panics
    /// When there is no such register, which is known before a loop that counts up to the
    /// registers there are begins.
    #[inline(always)]
    pub fn put(&self, slice: usize, row: usize, index: usize, value: T::Register<S>) {
        assert!(index < self.count);
        // SAFETY: in bounds, and this thread's alone to write.
        let to = unsafe { self.starts[slice][row].add(index) };
        if PAST_CACHES {
            // SAFETY: `TargetRows::at` found the row aligned. A target of this kind is made from
            // a region that `stream` borrows until it has fenced.
            unsafe { T::stream(self.simd, &mut *to, value) }
        } else {
            // SAFETY: as above; a row of ordinary stores may begin anywhere.
            unsafe { to.write_unaligned(value) }
        }
    }
}
