//! One mutable slice in the hands of several: the one place that splits it.
#![allow(unsafe_code, reason = "disjoint output views: the one place that splits a mutable slice")]

use bytemuck::Pod;
use core::marker::PhantomData;
use core::ops::Range;

/// A mutable slice whose disjoint parts several members of a team write at the same time.
///
/// The borrow checker cannot see that member 0 writes other rows than member 1; whoever hands
/// out the parts promises it.
#[derive(Debug)]
pub struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

/// Rows of so many elements, each a stride behind the one before; what is between them is somebody
/// else's.
#[derive(Debug)]
pub(crate) struct RowsMut<'a, T> {
    start: *mut T,
    rows: usize,
    cols: usize,
    stride: usize,
    borrow: PhantomData<&'a mut [T]>,
}

impl<'a, T> RowsMut<'a, T> {
    /// Rows of `cols`, one behind the other.
    ///
    /// # Panics
    /// When `cols` is 0.
    #[inline]
    pub(crate) fn new(slice: &'a mut [T], cols: usize) -> Self {
        let (start, rows) = (slice.as_mut_ptr(), slice.len() / cols);
        RowsMut { start, rows, cols, stride: cols, borrow: PhantomData }
    }

    /// How many rows there are, and elements in each.
    #[inline]
    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// The first elements of a row, as `LEN` arrays.
    ///
    /// # Panics
    /// When there is no such row, or not as many in it.
    #[inline]
    pub(crate) fn row<const N: usize, const LEN: usize>(
        &mut self,
        row: usize,
    ) -> &mut [[T; N]; LEN] {
        if row >= self.rows || N * LEN > self.cols {
            no_such_row(row, self.rows);
        }
        // SAFETY: in bounds by what was asked just now, for whoever made this had so many rows of so many;
        // exclusive because this is borrowed.
        unsafe { &mut *self.start.add(row * self.stride).cast() }
    }
}

/// By value: with references to them, sizes go to memory and are asked for again at every row.
#[cold]
#[inline(never)]
fn no_such_row(row: usize, rows: usize) -> ! {
    panic!("row {row} of {rows}, or more of it than there is")
}

// SAFETY: it is a mutable borrow of a slice; `part`'s contract keeps the parts apart.
unsafe impl<T: Send> Send for Disjoint<'_, T> {}
// SAFETY: as above; shared use only ever reaches disjoint elements.
unsafe impl<T: Send + Sync> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    /// Takes the borrow of the whole slice.
    pub fn new(slice: &'a mut [T]) -> Self {
        Disjoint { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }

    /// Elements in the whole slice.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where it begins.
    #[inline]
    pub(crate) fn as_ptr(&self) -> *const T {
        self.start
    }

    /// The same slice once more; parts of either are parts of both.
    pub(crate) fn again(&self) -> Self {
        Disjoint { ..*self }
    }

    /// The same memory as numbers of another type; parts of either are parts of both.
    pub(crate) fn cast<B: Pod>(&self) -> Disjoint<'a, B>
    where
        T: Pod,
    {
        const { assert!(size_of::<T>() == size_of::<B>() && align_of::<T>() == align_of::<B>()) };
        Disjoint { start: self.start.cast(), len: self.len, borrow: PhantomData }
    }

    /// The elements in `range`.
    ///
    /// # Panics
    /// When the range leaves the slice.
    ///
    /// # Safety
    /// No two parts alive at the same time may overlap, on whatever thread.
    #[inline]
    #[allow(clippy::mut_from_ref, reason = "the contract above is what makes it sound")]
    pub unsafe fn part(&self, range: Range<usize>) -> &'a mut [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: in bounds by the assertion; exclusive by the caller's promise.
        unsafe { core::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }

    /// Rows of `cols` elements, the first at `start`, each `stride` behind the one before.
    ///
    /// # Panics
    /// When one of them leaves the slice (the first one if there is none), or rows overlap.
    ///
    /// # Safety
    /// As for [`Disjoint::part`], of each of the rows.
    #[inline]
    pub(crate) unsafe fn rows(
        &self,
        start: usize,
        (rows, cols): (usize, usize),
        stride: usize,
    ) -> RowsMut<'a, T> {
        let before = rows.saturating_sub(1).checked_mul(stride);
        let end = before.and_then(|n| n.checked_add(start)?.checked_add(cols));
        let fits = end.is_some_and(|end| end <= self.len) && (rows < 2 || cols <= stride);
        assert!(fits, "{rows} rows of {cols}, {stride} apart, from {start} of {}", self.len);
        // SAFETY: in bounds by the assertion.
        let start = unsafe { self.start.add(start) };
        RowsMut { start, rows, cols, stride, borrow: PhantomData }
    }

    /// All elements, for threads that read and write them in turns.
    ///
    /// # Safety
    /// No thread may write an element that another one reads or writes at the same time, and
    /// no part alive at the same time may hold it.
    #[inline]
    pub unsafe fn cells(&self) -> &'a [core::cell::Cell<T>] {
        // SAFETY: these are the elements of the slice; races are kept off by the caller's
        // promise.
        unsafe { core::slice::from_raw_parts(self.start.cast(), self.len) }
    }

    /// The elements in `range`, for reading.
    ///
    /// # Panics
    /// When the range leaves the slice.
    ///
    /// # Safety
    /// No part alive at the same time may overlap it, on whatever thread.
    #[inline]
    pub unsafe fn read(&self, range: Range<usize>) -> &'a [T] {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {}", self.len);
        // SAFETY: in bounds by the assertion; nobody writes by the caller's promise.
        unsafe { core::slice::from_raw_parts(self.start.add(range.start), range.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{vec, vec::Vec};
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Every small case against counting; refused are exactly those that would leave the slice or
    /// overlap.
    #[test]
    fn rows_are_where_they_are_counted() {
        let (mut some, mut refused) = (0, 0);
        for len in 0..14 {
            for (start, rows, cols) in (0..45).map(|i| (i % 3, i / 3 % 3, i / 9)) {
                for stride in [0, 1, 2, 3, 4, 7, usize::MAX / 2, usize::MAX] {
                    let mut slice = vec![0; len];
                    let all = Disjoint::new(&mut slice);
                    // SAFETY: no other part of the slice is alive.
                    let made =
                        AssertUnwindSafe(|| unsafe { all.rows(start, (rows, cols), stride) });
                    let end = (rows.max(1) as u128 - 1) * stride as u128 + (start + cols) as u128;
                    let fits = end <= len as u128 && (rows < 2 || cols <= stride);
                    let Ok(mut made) = catch_unwind(made) else {
                        assert!(!fits, "{len} {start} {rows} {cols} {stride}");
                        refused += 1;
                        continue;
                    };
                    assert!(fits && made.shape() == (rows, cols));
                    for row in (0..rows).filter(|_| cols >= 2) {
                        *made.row::<2, 1>(row) = [[1 + row, 2 + row]];
                    }
                    if cols >= 2 {
                        let after = AssertUnwindSafe(|| *made.row::<1, 1>(rows));
                        assert!(catch_unwind(after).is_err(), "there is no such row");
                    }
                    if rows > 0 && (1..4).contains(&cols) {
                        let wide = AssertUnwindSafe(|| *made.row::<2, 2>(0));
                        assert!(catch_unwind(wide).is_err(), "there are not four in a row");
                    }
                    let at = |row: usize| start + row * stride;
                    let expected = (0..len).map(|i| {
                        let row =
                            (0..rows).find(|&row| cols >= 2 && (at(row)..at(row) + 2).contains(&i));
                        row.map_or(0, |row| 1 + row + i - at(row))
                    });
                    assert_eq!(slice, expected.collect::<Vec<_>>());
                    some += 1;
                }
            }
        }
        assert!(some > 1000 && refused > 1000, "{some} {refused}");
    }
}
