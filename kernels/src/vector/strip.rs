//! Rows of numbers that are read and written register by register, where what is written may be
//! what has just been read.
//!
//! A sweep in place reads a row and puts the new values where the old ones stood, which `&` and
//! `&mut` cannot say and [`Cell`] can. A [`Strip`] is several rows at one pitch, made from a
//! slice of numbers or of cells; a [`Target`](super::Target) is memory to write to. Both are checked
//! when they are made and where a row is taken, and [`along`] goes along a row's registers without
//! asking again at each of them.
#![allow(unsafe_code, reason = "registers are read and written through checked pointers")]

use super::{FloatExtra, Real, Sink};
use crate::buffer::LINE;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ops::Range;

/// Whether `rows` rows of `length` numbers, one every `pitch`, fit in `numbers`.
pub(super) fn fit(numbers: usize, pitch: usize, rows: usize, length: usize) -> bool {
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
        assert!(Self::fit(numbers.len(), pitch, rows, length), "rows do not fit");
        let start = numbers.as_ptr().wrapping_add(Self::BESIDE);
        Strip { start, pitch, rows, length, cells: PhantomData }
    }

    /// Rows of numbers this thread may write meanwhile, as in [`Strip::new`].
    ///
    /// # Panics
    /// When the rows do not fit.
    #[inline]
    pub fn of_cells(cells: &'a [Cell<T>], pitch: usize, rows: usize, length: usize) -> Self {
        assert!(Self::fit(cells.len(), pitch, rows, length), "rows do not fit");
        let start = cells.as_ptr().cast::<T>().wrapping_add(Self::BESIDE);
        Strip { start, pitch, rows, length, cells: PhantomData }
    }

    /// Whether such rows fit, with what stands beside them.
    #[inline]
    fn fit(numbers: usize, pitch: usize, rows: usize, length: usize) -> bool {
        let length = length.checked_add(2 * Self::BESIDE);
        length.is_some_and(|length| fit(numbers, pitch, rows, length))
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
    /// How many strips were given.
    there: usize,
    rows: usize,
    count: usize,
    strips: PhantomData<(&'a Cell<T>, S)>,
}

impl<'a, S: FloatExtra, T: Real, const STRIPS: usize, const REACH: usize>
    Windows<'a, S, T, STRIPS, REACH>
{
    /// `count` registers of each of the first `rows` rows, from number `start` on. There may be
    /// fewer strips than `STRIPS`; in the place of those that are missing stands the first row of
    /// the first.
    ///
    /// # Panics
    /// When they are not all in the rows, when there are no strips or more than `STRIPS`, or `REACH`
    /// is more than can be read beside a row.
    #[inline(always)]
    pub fn new(strips: &[Strip<'a, T>], rows: usize, start: usize, count: usize) -> Self {
        const { assert!(REACH <= Strip::<T>::BESIDE) };
        let there = strips.len();
        // Whether the first row has such a number is asked below.
        let (mut starts, mut pitches) =
            ([strips[0].start.wrapping_add(start); STRIPS], [0; STRIPS]);
        for index in 0..there {
            let strip = &strips[index];
            let inside = rows <= strip.rows && start <= strip.length;
            let inside = inside && count <= (strip.length - start) / T::lanes::<S>();
            assert!(
                inside,
                "{rows} rows of {count} registers from number {start} on, of {strip:?}"
            );
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
        Window { starts, count: self.count, strips: PhantomData }
    }
}

/// One row of each strip of [`Windows`].
#[derive(Clone, Copy, Debug)]
pub struct Window<'a, S, T, const STRIPS: usize, const REACH: usize> {
    starts: [*const T; STRIPS],
    count: usize,
    strips: PhantomData<(&'a Cell<T>, S)>,
}

impl<'a, S: FloatExtra, T: Real, const STRIPS: usize, const REACH: usize>
    Window<'a, S, T, STRIPS, REACH>
{
    /// Register `index` of each row.
    ///
    /// # Panics
    /// When there is none.
    #[inline(always)]
    pub fn spot(&self, index: usize) -> Spot<'_, 'a, S, T, STRIPS, REACH> {
        assert!(index < self.count, "register {index} of {}", self.count);
        Spot { window: self, bytes: index * size_of::<T::Register<S>>() }
    }

    /// Register `index` of the row of a strip, or one beside it: -1 is what stands to the left of
    /// the first, the number of registers what stands to the right of the last.
    ///
    /// # Panics
    /// When there is no such strip or register.
    #[inline(always)]
    pub fn beside(&self, strip: usize, index: isize) -> T::Register<S> {
        const { assert!(size_of::<T::Register<S>>() <= LINE) };
        assert!(index >= -1 && index <= self.count as isize);
        // SAFETY: `Windows::new` found the registers inside the row, and none is longer than the
        // line that can be read to either side of it.
        unsafe { self.starts[strip].cast::<T::Register<S>>().offset(index).read_unaligned() }
    }

    /// The same rows, of which the compiler knows nothing.
    #[inline(always)]
    fn anew(&self) -> Self {
        let mut window = *self;
        for index in 0..STRIPS {
            window.starts[index] = hidden(window.starts[index]);
        }
        window
    }
}

/// A register of each row of a [`Window`].
#[derive(Clone, Copy, Debug)]
pub struct Spot<'w, 'a, S, T, const STRIPS: usize, const REACH: usize> {
    window: &'w Window<'a, S, T, STRIPS, REACH>,
    /// From where the rows begin to a register that there is.
    bytes: usize,
}

impl<S: FloatExtra, T: Real, const STRIPS: usize, const REACH: usize>
    Spot<'_, '_, S, T, STRIPS, REACH>
{
    /// The register of a strip, `off` numbers to the right of its place.
    ///
    /// # Panics
    /// When there is no such strip or it does not reach that far.
    #[inline(always)]
    pub fn get(self, strip: usize, off: isize) -> T::Register<S> {
        assert!(off.unsigned_abs() <= REACH, "{off} numbers off a place, at most {REACH}");
        // SAFETY: there is such a register, `Windows::new` found it inside the row, and a row can be
        // read that far beside.
        unsafe { self.address(strip).offset(off).cast::<T::Register<S>>().read_unaligned() }
    }

    /// The register to the right of its place.
    ///
    /// # Panics
    /// When there is no such strip.
    #[inline(always)]
    pub fn right(self, strip: usize) -> T::Register<S> {
        const { assert!(size_of::<T::Register<S>>() <= LINE) };
        // SAFETY: as above; no register is longer than the line that can be read beside a row.
        unsafe { self.address(strip).cast::<T::Register<S>>().add(1).read_unaligned() }
    }

    /// Its place in the row of a strip, to ask for what stands further on.
    ///
    /// # Panics
    /// When there is no such strip.
    #[inline(always)]
    pub fn address(self, strip: usize) -> *const T {
        self.window.starts[strip].wrapping_byte_add(self.bytes)
    }
}

/// `RUN` registers beside each other of all rows of a [`Window`] and a [`Sink`].
#[derive(Clone, Copy, Debug)]
pub struct Spots<
    'w,
    'a,
    S: FloatExtra,
    T: Real,
    const STRIPS: usize,
    const REACH: usize,
    const ROWS: usize,
    const TARGETS: usize,
    const RUN: usize,
> {
    window: &'w Window<'a, S, T, STRIPS, REACH>,
    sink: &'w Sink<'w, S, T, ROWS, TARGETS>,
    /// From where rows begin to the first of them; all are there in both.
    bytes: usize,
}

impl<
    'w,
    'a,
    S: FloatExtra,
    T: Real,
    const STRIPS: usize,
    const REACH: usize,
    const ROWS: usize,
    const TARGETS: usize,
    const RUN: usize,
> Spots<'w, 'a, S, T, STRIPS, REACH, ROWS, TARGETS, RUN>
{
    /// One of them in the window.
    ///
    /// # Panics
    /// When `next` is not less than `RUN`.
    #[inline(always)]
    pub fn spot(self, next: usize) -> Spot<'w, 'a, S, T, STRIPS, REACH> {
        assert!(next < RUN, "register {next} of {RUN}");
        let bytes = self.bytes + next * size_of::<T::Register<S>>();
        Spot { window: self.window, bytes }
    }

    /// Writes one of them to a row of a target.
    ///
    /// # Panics
    /// When `next` is not less than `RUN`, or there is no such row or target.
    #[inline(always)]
    pub fn put(self, target: usize, row: usize, next: usize, value: T::Register<S>) {
        assert!(next < RUN, "register {next} of {RUN}");
        let bytes = self.bytes + next * size_of::<T::Register<S>>();
        // SAFETY: `along` found the register inside the sink.
        unsafe { self.sink.write(target, row, bytes, value) }
    }
}

/// Goes along registers `registers` of a window and a sink, `RUN` at a time as long as there are so
/// many; says where it stopped.
///
/// That there are such registers is checked before the loop. Where an instruction set
/// [hides](FloatExtra::HIDES) them, the loop has a counter of which the compiler knows nothing, and
/// such rows if there are not too many: it keeps those in registers, and what it has known for long it
/// reads from memory at every turn. With checks at every read and write and some rows in memory, steps
/// from cache make 0.8 to 0.9 of the speed (`heat7`, `heat5`, `heat13`, `heat27`, waves; one Zen 3
/// core; AVX-512 is not measured); without checks but with all rows in memory `heat7` makes 0.89 and
/// `wave7` 0.79.
///
/// # Panics
/// When the window or the sink has fewer, or the last comes before the first.
#[inline(always)]
pub fn along<
    S: FloatExtra,
    T: Real,
    const STRIPS: usize,
    const REACH: usize,
    const ROWS: usize,
    const TARGETS: usize,
    const RUN: usize,
>(
    (window, sink): (&Window<'_, S, T, STRIPS, REACH>, &Sink<'_, S, T, ROWS, TARGETS>),
    registers: Range<usize>,
    mut body: impl FnMut(Spots<'_, '_, S, T, STRIPS, REACH, ROWS, TARGETS, RUN>),
) -> usize {
    const { assert!(RUN > 0, "some registers at a time") };
    let Range { start, end } = registers;
    let count = window.count.min(sink.count());
    assert!(start <= end && end <= count, "registers {start} to {end} of {count}");
    let (window, sink) = match S::HIDES && STRIPS <= HIDDEN {
        true => (&window.anew(), &sink.anew()),
        false => (window, sink),
    };
    let runs = (end - start) / RUN;
    let mut bytes = start * size_of::<T::Register<S>>();
    for _ in 0..runs {
        if S::HIDES {
            bytes = hidden(core::ptr::without_provenance::<u8>(bytes)).addr();
        }
        body(Spots { window, sink, bytes });
        bytes += RUN * size_of::<T::Register<S>>();
    }
    start + runs * RUN
}

/// The most rows that are hidden. When a formula of one's own had room for 64, of which it took 7, all
/// were kept in memory: 0.3 of the speed.
const HIDDEN: usize = 32;

/// The same pointer, of which the compiler knows nothing.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block, reason = "nothing is read or written")]
pub(super) fn hidden<T>(pointer: *const T) -> *const T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    let pointer = {
        let mut pointer = pointer;
        // SAFETY: no instruction at all, so what comes out is the pointer that went in.
        unsafe {
            core::arch::asm!(
                "/* {0} */",
                inout(reg) pointer,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        pointer
    };
    pointer
}
