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

    /// `length` numbers of it from number `start` on, as a strip of one row.
    ///
    /// # Panics
    /// When they are not all in the row.
    #[inline(always)]
    pub fn part(self, start: usize, length: usize) -> Strip<'a, T> {
        let inside = start <= self.length && length <= self.length - start;
        assert!(inside, "{length} from {start} of {}", self.length);
        // SAFETY: `start` is in the row.
        let start = unsafe { self.start.add(start) };
        Strip { start, pitch: 0, rows: 1, length, cells: PhantomData }
    }
}

/// Rows of several strips that move on together, to be read register by register on their place
/// or up to `REACH` numbers off it, and the register to either side of a row.
#[derive(Clone, Copy, Debug)]
pub struct Windows<'a, S, T, const STRIPS: usize, const REACH: usize> {
    starts: [*const T; STRIPS],
    pitches: [usize; STRIPS],
    there: usize,
    rows: usize,
    count: usize,
    strips: PhantomData<(&'a Cell<T>, S)>,
}

impl<'a, S: FloatExtra, T: Real, const STRIPS: usize, const REACH: usize>
    Windows<'a, S, T, STRIPS, REACH>
{
    /// `count` registers of each of the first `rows` rows, from number `start` on. There may be
    /// fewer strips than `STRIPS`; those that are missing have no registers.
    ///
    /// # Panics
    /// When they are not all in the rows, when there are more strips than `STRIPS`, or `REACH` is
    /// more than can be read beside a row.
    #[inline(always)]
    pub fn new(strips: &[Strip<'a, T>], rows: usize, start: usize, count: usize) -> Self {
        const { assert!(REACH <= Strip::<T>::BESIDE) };
        let end = start + count * T::lanes::<S>();
        let (mut starts, mut pitches) = ([core::ptr::dangling(); STRIPS], [0; STRIPS]);
        let there = strips.len();
        for index in 0..there {
            let strip = &strips[index];
            assert!(rows <= strip.rows && end <= strip.length, "{rows} rows to {end} of {strip:?}");
            // SAFETY: `start` is in the first row, if there are rows at all.
            starts[index] = unsafe { strip.start.add(start) };
            pitches[index] = strip.pitch;
        }
        Windows { starts, pitches, there, rows, count, strips: PhantomData }
    }

    /// The rows with this number.
    ///
    /// # Panics
    /// When there are none.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Window<'a, S, T, STRIPS, REACH> {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let mut starts = self.starts;
        for index in 0..self.there {
            // SAFETY: `new` found that many rows in the strip.
            starts[index] = unsafe { starts[index].add(row * self.pitches[index]) };
        }
        Window { starts, there: self.there, count: self.count, strips: PhantomData }
    }
}

/// One row of each strip of [`Windows`].
#[derive(Clone, Copy, Debug)]
pub struct Window<'a, S, T, const STRIPS: usize, const REACH: usize> {
    starts: [*const T; STRIPS],
    there: usize,
    count: usize,
    strips: PhantomData<(&'a Cell<T>, S)>,
}

impl<S: FloatExtra, T: Real, const STRIPS: usize, const REACH: usize>
    Window<'_, S, T, STRIPS, REACH>
{
    /// Register `index` of the row of a strip, `off` numbers to the right of its place.
    ///
    /// # Panics
    /// When there is none or it does not reach that far; both are known before a loop that counts
    /// up to the registers there are begins.
    #[inline(always)]
    pub fn get(&self, strip: usize, index: usize, off: isize) -> T::Register<S> {
        assert!(strip < self.there && index < self.count && off.unsigned_abs() <= REACH);
        let at = (index * T::lanes::<S>()) as isize + off;
        // SAFETY: `Windows::new` found the registers inside the row, and a row can be read that
        // far beside.
        unsafe { self.starts[strip].offset(at).cast::<T::Register<S>>().read_unaligned() }
    }

    /// Register `index` of the row of a strip, or one beside it: -1 is what stands to the left of
    /// the first, the number of registers what stands to the right of the last.
    ///
    /// # Panics
    /// When there is no such strip or register.
    #[inline(always)]
    pub fn beside(&self, strip: usize, index: isize) -> T::Register<S> {
        const { assert!(size_of::<T::Register<S>>() <= LINE) };
        assert!(strip < self.there && index >= -1 && index <= self.count as isize);
        // SAFETY: `Windows::new` found the registers inside the row, and none is longer than the
        // line that can be read to either side of it.
        unsafe { self.starts[strip].cast::<T::Register<S>>().offset(index).read_unaligned() }
    }

    /// Where the row of a strip begins, to ask for what stands `ahead` numbers further on.
    #[inline(always)]
    pub fn address(&self, strip: usize, ahead: usize) -> *const T {
        self.starts[strip].wrapping_add(ahead)
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
}

/// Rows of several targets that move on together, `ROWS` rows of each at a time.
#[derive(Clone, Copy, Debug)]
pub struct Sinks<'a, S, T, const ROWS: usize, const TARGETS: usize> {
    simd: S,
    to: [TargetRows<'a, T>; TARGETS],
    there: usize,
    rows: usize,
    count: usize,
}

impl<'a, S: FloatExtra, T: Real, const ROWS: usize, const TARGETS: usize>
    Sinks<'a, S, T, ROWS, TARGETS>
{
    /// The first `count` registers of each of the first `rows` rows. There may be fewer targets
    /// than `TARGETS`.
    ///
    /// # Panics
    /// When there is no target or there are more, no such rows or registers, when some go past the caches and others do not,
    /// or, past the caches, when a row does not begin at a multiple of a register's size.
    #[inline(always)]
    pub fn new(simd: S, to: &[TargetRows<'a, T>], rows: usize, count: usize) -> Self {
        let (past_caches, there) = (to[0].past_caches(), to.len());
        let mut all = [to[0]; TARGETS];
        all[..there].copy_from_slice(to);
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
        Sinks { simd, to: all, there, rows, count }
    }

    /// `ROWS` rows of each target from row `row` on.
    ///
    /// # Panics
    /// When there are not so many.
    #[inline(always)]
    pub fn row(&self, row: usize) -> Sink<'a, S, T, ROWS, TARGETS> {
        assert!(row < self.rows && ROWS <= self.rows - row, "row {row} of {}", self.rows);
        let mut starts = [[core::ptr::dangling_mut(); ROWS]; TARGETS];
        for index in 0..self.there {
            let TargetRows { target, pitch, .. } = self.to[index];
            for more in 0..ROWS {
                // SAFETY: the target has that many rows.
                starts[index][more] = unsafe { target.start.add((row + more) * pitch) }.cast();
            }
        }
        let past_caches = self.to[0].past_caches();
        let Sinks { simd, there, count, .. } = *self;
        Sink { simd, starts, there, count, past_caches, cells: PhantomData }
    }
}

/// `ROWS` rows of each of several targets, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Sink<'a, S: FloatExtra, T: Real, const ROWS: usize, const TARGETS: usize> {
    simd: S,
    starts: [[*mut T::Register<S>; ROWS]; TARGETS],
    there: usize,
    count: usize,
    past_caches: bool,
    cells: PhantomData<&'a Cell<T>>,
}

impl<S: FloatExtra, T: Real, const ROWS: usize, const TARGETS: usize>
    Sink<'_, S, T, ROWS, TARGETS>
{
    /// Writes register `index` of a row.
    ///
    /// # Panics
    /// When there is no such register, which is known before a loop that counts up to the
    /// registers there are begins.
    #[inline(always)]
    pub fn put(&self, target: usize, row: usize, index: usize, value: T::Register<S>) {
        assert!(target < self.there && index < self.count);
        // SAFETY: in bounds, and this thread's alone to write.
        let to = unsafe { self.starts[target][row].add(index) };
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
