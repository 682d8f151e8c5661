//! Writing whole registers into a region of memory, through the caches or past them.
//!
//! A streaming store that is not yet fenced is invisible to other threads even where a lock or a
//! barrier says otherwise, so no reference to what was streamed may get out before the fence.
//! [`stream`] sees to that by its shape: the region is borrowed for the whole call, the work can
//! only write to it, the fence comes before the call returns (or unwinds), and then alone can
//! anybody look.

use super::{FloatExtra, Real};
use core::marker::PhantomData;

/// Memory being written register by register. With `PAST_CACHES` it is write-only until the
/// call that made it returns.
#[derive(Debug)]
pub struct Region<'a, S, T, const PAST_CACHES: bool> {
    simd: S,
    numbers: &'a mut [T],
    /// It stays with the thread that fences.
    thread: PhantomData<*mut T>,
}

/// Rows of a [`Region`] being written, all of the same length.
#[derive(Debug)]
pub struct Rows<'a, S: FloatExtra, T: Real, const ROWS: usize, const PAST_CACHES: bool> {
    simd: S,
    /// Aligned to a register each where `PAST_CACHES`.
    rows: [&'a mut [T::Register<S>]; ROWS],
    thread: PhantomData<*mut T>,
}

/// Lets `work` write to `numbers` with ordinary stores.
#[inline(always)]
pub fn store<S: FloatExtra, T: Real, R>(
    simd: S,
    numbers: &mut [T],
    work: impl FnOnce(Region<'_, S, T, false>) -> R,
) -> R {
    work(Region { simd, numbers, thread: PhantomData })
}

/// Lets `work` write to `numbers` past the caches; worth it where what is written is not read
/// again before the caches have moved on, for it saves reading each line before it is written.
#[inline(always)]
pub fn stream<S: FloatExtra, T: Real, R>(
    simd: S,
    numbers: &mut [T],
    work: impl FnOnce(Region<'_, S, T, true>) -> R,
) -> R {
    let _fence = FenceOnDrop(simd);
    work(Region { simd, numbers, thread: PhantomData })
}

/// Fences also when the work panics.
struct FenceOnDrop<S: FloatExtra>(S);

impl<S: FloatExtra> Drop for FenceOnDrop<S> {
    #[inline(always)]
    fn drop(&mut self) {
        self.0.stream_fence();
    }
}

impl<'a, S, T, const PAST_CACHES: bool> Region<'a, S, T, PAST_CACHES> {
    /// The memory itself, to be written the way the region says.
    pub(super) fn into_numbers(self) -> &'a mut [T] {
        self.numbers
    }
}

impl<S: FloatExtra, T: Real, const PAST_CACHES: bool> Region<'_, S, T, PAST_CACHES> {
    /// `ROWS` rows of `registers` registers each, the first at number `start`, then every
    /// `pitch` numbers.
    ///
    /// # Panics
    /// When a row leaves the region or reaches into the next one, or, past the caches, when a
    /// row does not begin at a multiple of a register's size.
    #[inline(always)]
    pub fn rows<const ROWS: usize>(
        &mut self,
        start: usize,
        pitch: usize,
        registers: usize,
    ) -> Rows<'_, S, T, ROWS, PAST_CACHES> {
        let mut rest = &mut self.numbers[start..];
        let mut index = 0;
        let rows = [(); ROWS].map(
            #[inline(always)]
            |()| {
                index += 1;
                let length = if index < ROWS { pitch } else { rest.len() };
                let (numbers, after) = core::mem::take(&mut rest).split_at_mut(length);
                rest = after;
                let row = &mut T::registers_mut::<S>(numbers)[..registers];
                assert!(
                    !PAST_CACHES || row.as_ptr().addr().is_multiple_of(size_of::<T::Register<S>>()),
                    "a streamed row must begin at a multiple of a register's size"
                );
                row
            },
        );
        Rows { simd: self.simd, rows, thread: PhantomData }
    }
}

impl<S: FloatExtra, T: Real, const ROWS: usize, const PAST_CACHES: bool>
    Rows<'_, S, T, ROWS, PAST_CACHES>
{
    /// Writes one register.
    ///
    /// # Panics
    /// When there is no such row or register.
    #[inline(always)]
    #[allow(unsafe_code, reason = "the one streaming store")]
    pub fn put(&mut self, row: usize, index: usize, value: T::Register<S>) {
        let to = &mut self.rows[row][index];
        if PAST_CACHES {
            // SAFETY: `Region::rows` found the row aligned. A region of this kind is made by
            // `stream` alone, which borrows the memory until it has fenced.
            unsafe { T::stream(self.simd, to, value) }
        } else {
            *to = value;
        }
    }
}
