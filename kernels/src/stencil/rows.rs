//! The one loop over registers: a band of rows side by side, updated from the rows around it.
//!
//! ```text
//! two slices side by side, radius 1:           slice z-1   z   z+1   z+2
//!                                        y+1         .     c    c     .     c: loaded once, used
//!   l, r: one number off a register,     y           c    lCr  lCr    c        by up to three
//!         unaligned loads                y-1         .     c    c     .        rows
//! ```
//!
//! It knows neither where rows stand nor which boundary is how far away: whoever calls gives it
//! a strip of rows for every place its formula looks at. A sweep of a grid in memory and the
//! levels of a tile in cache are therefore the same code.
//!
//! Registers that hold a point of the rim, the end of the grid or the cut edge of a tile are the
//! ends of a row. There lanes of the rim keep what they have, and what the boundary says is put
//! where a neighbour is past the grid; anything else that is read beside a row ends up in lanes of
//! the rim or of the padding. So whole registers are written, whole lines past the caches.

use super::Boundary;
use super::formula::{Formula, Reach};
use crate::vector::{
    FloatExtra, Real, Region, Row, Sinks, Strip, Target, TargetRows, Vocabulary, Windows, store,
    stream,
};
use core::ops::Range;

/// Rows to be updated and where to put them.
pub(super) struct Patch<'p, 'a, T> {
    /// For each row of the kernel's reach all rows that stand there as the band moves on.
    pub(super) near: &'p [Strip<'a, T>],
    /// How many rows of each slice.
    pub(super) rows: usize,
    pub(super) across: Across,
    /// How many numbers ahead of use the rows nobody has looked at yet are asked for.
    pub(super) ahead: usize,
}

/// What there is along a row, in numbers from where the rows given begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Across {
    /// Whole lines that are updated.
    pub(super) updated: [usize; 2],
    /// Where the grid begins and ends; a tile may hold neither end.
    pub(super) grid: [isize; 2],
    pub(super) boundary: Boundary,
}

/// The row loop compiled for one instruction set and one formula.
pub(super) trait Kernel<T>: core::fmt::Debug + Send + Sync {
    /// Where the rows stand that it looks at.
    fn reach(&self) -> Reach;

    /// Updates a patch; `to` has the rows of each slice side by side, from the first updated
    /// number on.
    fn update(&self, patch: &Patch<'_, '_, T>, to: &[TargetRows<'_, T>]);

    /// Lets `work` write to `numbers`, past the caches or through them.
    fn write(&self, numbers: &mut [T], past_caches: bool, work: &mut dyn FnMut(Target<'_, T>));
}

/// `BY` rows in `BZ` slices side by side, of a formula of radius `R` that looks at `N` rows.
#[derive(Debug)]
pub(super) struct Bands<V, F, const R: usize, const N: usize, const BY: usize, const BZ: usize> {
    pub(super) token: V,
    pub(super) formula: F,
}

impl<
    T: Real,
    V: Vocabulary,
    F: Formula<T>,
    const R: usize,
    const N: usize,
    const BY: usize,
    const BZ: usize,
> Kernel<T> for Bands<V, F, R, N, BY, BZ>
{
    fn reach(&self) -> Reach {
        Reach::of::<T, F>(BY, BZ)
    }

    fn update(&self, patch: &Patch<'_, '_, T>, to: &[TargetRows<'_, T>]) {
        let to: &[TargetRows<'_, T>; BZ] = to.try_into().expect("a target for each slice");
        self.token.run(
            #[inline(always)]
            || match to[0].past_caches() {
                false => self.bands::<T, false>(patch, to),
                true => self.bands::<T, true>(patch, to),
            },
        );
    }

    fn write(&self, numbers: &mut [T], past_caches: bool, work: &mut dyn FnMut(Target<'_, T>)) {
        let simd = self.token.floats();
        if past_caches {
            self.token
                .run(|| stream(simd, numbers, |to: Region<'_, _, _, _>| work(Target::region(to))));
        } else {
            store(simd, numbers, |to| work(Target::region(to)));
        }
    }
}

impl<V: Vocabulary, F, const R: usize, const N: usize, const BY: usize, const BZ: usize>
    Bands<V, F, R, N, BY, BZ>
{
    #[inline(always)]
    fn bands<T: Real, const PAST_CACHES: bool>(
        &self,
        patch: &Patch<'_, '_, T>,
        to: &[TargetRows<'_, T>; BZ],
    ) where
        F: Formula<T>,
    {
        const { assert!(R == F::RADIUS && N == Reach::of::<T, F>(BY, BZ).rows()) };
        let near: &[Strip<'_, T>; N] = patch.near.try_into().expect("a strip for each row");
        for first in (0..patch.rows).step_by(BY) {
            let mut rows = [near[0].row(first); N];
            for index in 1..N {
                rows[index] = near[index].row(first);
            }
            let band = Band::<V::Floats, T, F, R, N, BY, BZ> {
                simd: self.token.floats(),
                formula: self.formula,
                rows,
                across: patch.across,
                ahead: patch.ahead,
            };
            band.update::<PAST_CACHES>(first, to);
        }
    }
}

/// The rows a band looks at.
struct Band<'a, S, T, F, const R: usize, const N: usize, const BY: usize, const BZ: usize> {
    simd: S,
    formula: F,
    rows: [Row<'a, T>; N],
    across: Across,
    ahead: usize,
}

impl<
    S: FloatExtra,
    T: Real,
    F: Formula<T>,
    const R: usize,
    const N: usize,
    const BY: usize,
    const BZ: usize,
> Band<'_, S, T, F, R, N, BY, BZ>
{
    /// The registers that need no care.
    #[inline(always)]
    fn middle(&self) -> Range<usize> {
        let Across { updated: [first, last], grid, .. } = self.across;
        let lanes = T::lanes::<S>();
        let start = (grid[0].max(0) as usize + R).div_ceil(lanes).max(first / lanes);
        let end = (grid[1].max(0) as usize).saturating_sub(R) / lanes;
        start..end.min(last / lanes).max(start)
    }

    /// Updates all of the band, whose rows go to row `row` and the next ones of `to`.
    #[inline(always)]
    fn update<const PAST_CACHES: bool>(&self, row: usize, to: &[TargetRows<'_, T>; BZ]) {
        let lanes = T::lanes::<S>();
        let (first, last) = (self.across.updated[0] / lanes, self.across.updated[1] / lanes);
        let (count, middle) = (last - first, self.middle());
        let (start, end) = ((middle.start - first).min(count), (middle.end - first).min(count));
        let windows = Windows::<S, T, N, R>::new(&self.rows, first * lanes, count);
        let sinks = Sinks::<S, T, BY, BZ, PAST_CACHES>::new(self.simd, to, row, 0, count);
        let mut at = 0;
        loop {
            // In the order of the row: what is written past the caches should be one long run.
            if at == start {
                self.inner(start..end, &windows, &sinks);
                at = end;
            }
            if at == count {
                return;
            }
            self.end(at, &windows, &sinks);
            at += 1;
        }
    }

    /// The registers of the band's rows that need no care.
    #[inline(always)]
    fn inner<const PAST_CACHES: bool>(
        &self,
        registers: Range<usize>,
        windows: &Windows<'_, S, T, N, R>,
        sinks: &Sinks<'_, S, T, BY, BZ, PAST_CACHES>,
    ) {
        let (simd, lanes, reach) = (self.simd, T::lanes::<S>(), Reach::of::<T, F>(BY, BZ));
        let formula = self.formula;
        let from =
            |row: usize, ahead: usize| self.rows[row].address(self.across.updated[0] + ahead);
        let mut ahead = [[core::ptr::null::<T>(); BY]; BZ];
        for z in 0..BZ {
            for y in 0..BY {
                ahead[z][y] = from(reach.newest(y, z), self.ahead);
            }
        }
        for at in registers {
            let at = simd.opaque(at);
            let mut new = [[windows.get(0, at, 0); BY]; BZ];
            for z in 0..BZ {
                for y in 0..BY {
                    new[z][y] = formula.update(
                        simd,
                        #[inline(always)]
                        |dx, dy, dz| {
                            windows.get(reach.index(y as isize + dy, z as isize + dz), at, dx)
                        },
                    );
                    simd.prefetch(ahead[z][y].wrapping_add(at * lanes));
                }
            }
            for z in 0..BZ {
                for y in 0..BY {
                    sinks.put(z, y, at, new[z][y]);
                }
            }
        }
    }

    /// A register at an end of the band's rows, the one numbered `at` of those updated.
    #[inline(always)]
    fn end<const PAST_CACHES: bool>(
        &self,
        at: usize,
        windows: &Windows<'_, S, T, N, R>,
        sinks: &Sinks<'_, S, T, BY, BZ, PAST_CACHES>,
    ) {
        let (simd, lanes, reach) = (self.simd, T::lanes::<S>(), Reach::of::<T, F>(BY, BZ));
        let Across { updated, grid, boundary } = self.across;
        let (start, fixed) = (updated[0] + at * lanes, boundary == Boundary::Fixed);
        let rim = if fixed { R as isize } else { 0 };
        let lane = |at: isize| (at - start as isize).clamp(0, lanes as isize) as usize;
        let inside = T::lanes_between(simd, lane(grid[0] + rim), lane(grid[1] - rim));
        for z in 0..BZ {
            for y in 0..BY {
                let new = self.formula.update(
                    simd,
                    #[inline(always)]
                    |dx, dy, dz| {
                        let row = reach.index(y as isize + dy, z as isize + dz);
                        let found = windows.get(row, at, dx);
                        let past = dx != 0 && !fixed;
                        if past { self.past_the_end(found, row, start, dx) } else { found }
                    },
                );
                let old = windows.get(reach.index(y as isize, z as isize), at, 0);
                sinks.put(z, y, at, T::select(simd, inside, new, old));
            }
        }
    }

    /// The register `dx` numbers to the right of number `start` of a row, with what the boundary
    /// says in the lanes that are past the grid but near enough for a point of the grid to ask.
    #[inline(always)]
    fn past_the_end(
        &self,
        found: T::Register<S>,
        row: usize,
        start: usize,
        dx: isize,
    ) -> T::Register<S> {
        let (simd, from) = (self.simd, start as isize + dx);
        let Across { grid: [begin, end], boundary, .. } = self.across;
        let mut register = found;
        for lane in 0..T::lanes::<S>() {
            let at = from + lane as isize;
            if (at < begin && at >= begin - R as isize) || (at >= end && at < end + R as isize) {
                let place = boundary.find(at - begin, (end - begin) as usize) as isize;
                let number = self.rows[row].number((begin + place) as usize);
                let only = T::lanes_between(simd, lane, lane + 1);
                register = T::select(simd, only, T::splat(simd, number), register);
            }
        }
        register
    }
}
