//! The one loop over registers: a band of rows side by side, updated from the rows around it.
//!
//! ```text
//! two slices side by side, radius 1:           slice z-1   z   z+1   z+2
//!                                        y+1         .     c    c     .     c: loaded once, used
//!   l, r: one number off a register,     y           c    lCr  lCr    c        by up to three
//!         read so or joined of two       y-1         .     c    c     .        rows
//! ```
//!
//! It knows neither where rows stand nor which boundary is how far away: whoever calls gives it
//! a strip of rows for every place its formula looks at. A sweep of a grid in memory and the
//! levels of a tile in cache are therefore the same code.
//!
//! Registers that hold a point of the rim, the end of the grid or the cut edge of a tile are the
//! ends of a row. There lanes of the rim keep what they have; where the boundary says what is past
//! the grid, the end of the row is copied and what it says put beside the copy. Anything else that
//! is read beside a row ends up in lanes of the rim or of the padding. So whole registers are
//! written, whole lines past the caches.
//!
//! What a row costs beside its registers: strips are checked once for all rows of a patch, and a
//! mirrored or periodic end is an array of its own instead of a question at every load. With both
//! done row by row 256x256 `f32` in cache took 26 us a step on one core of a virtual Zen 5, where
//! it takes 8 now and the compiler's loop 7.5. New values are written when those of the whole band
//! are there: writing each at once costs 8192x8192 `f32`, eight steps at a time on two cores, 9 %.
//! To take ends and what is left of a line beside them together, a line at a time, loses: `heat7` from
//! cache makes 0.86 to 0.96 of the speed with rows of 64 to 512 (`f32`, one Zen 3 core).

use super::Boundary;
use super::ahead;
use super::ends::{self, Across, ENDS, Ends};
use super::formula::{Formula, Reach};
use super::held::Held;
use super::near::Around;
use crate::buffer::LINE;
use crate::vector::{
    FloatExtra, Real, Region, Sink, Sinks, Spot, Spots, Strip, Target, TargetRows, Vocabulary,
    Window, Windows, along, store, stream,
};
use core::ops::Range;

/// Rows to be updated and where to put them.
pub(super) struct Patch<'p, 'a, T> {
    /// For each strip of the kernel's reach all rows that stand there as the band moves on.
    pub(super) near: &'p [Strip<'a, T>],
    /// How many rows of each slice.
    pub(super) rows: usize,
    pub(super) across: Across,
    /// How many numbers ahead of use rows nobody has looked at yet are asked for from memory; 0: not.
    pub(super) ahead: usize,
}

/// Room for strips and for the ends of their rows: on the stack, and as much as the loop has room for,
/// for all of it is cleared at every step or tile.
pub(super) struct Room<'r, 'a, T> {
    pub(super) near: &'r mut [Strip<'a, T>],
    pub(super) ends: &'r mut Ends<T>,
}

/// The row loop compiled for one instruction set and one formula.
pub(super) trait Kernel<T>: core::fmt::Debug + Send + Sync {
    /// Where the rows stand that it looks at.
    fn reach(&self) -> Reach;

    /// Updates a patch; `to` has for each field the rows of each slice side by side, from the
    /// first updated number on.
    fn update(&self, patch: &Patch<'_, '_, T>, to: &[TargetRows<'_, T>], ends: &mut Ends<T>);

    /// Lets `work` have room for the loop's strips.
    fn with_room<'a>(&self, work: &mut dyn FnMut(Room<'_, 'a, T>));

    /// Lets `work` write to `numbers`, past the caches or through them.
    fn write(&self, numbers: &mut [T], past_caches: bool, work: &mut dyn FnMut(Target<'_, T>));
}

/// `BY` rows in `BZ` slices side by side, of a formula of a radius up to `R` that looks at up to
/// `N` strips, with `W` slices of all its fields to write.
///
/// A formula whose type is yet to be known has the most radius and targets, which costs nothing, for
/// the loops below run to constants of the formula, and room for a few more strips than it looks at
/// ([`table`](super::table)).
#[derive(Debug)]
pub(super) struct Bands<
    V,
    F,
    const R: usize,
    const N: usize,
    const BY: usize,
    const BZ: usize,
    const W: usize,
> {
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
    const W: usize,
> Kernel<T> for Bands<V, F, R, N, BY, BZ, W>
{
    fn reach(&self) -> Reach {
        Reach::of::<T, F>(BY, BZ)
    }

    fn update(&self, patch: &Patch<'_, '_, T>, to: &[TargetRows<'_, T>], ends: &mut Ends<T>) {
        const {
            assert!(R >= F::RADIUS && W >= BZ * F::FIELDS);
        };
        // Known when it is compiled, but then it would be asked of loops that are never called, too.
        assert!(N >= Reach::of::<T, F>(BY, BZ).strips(), "no room for all strips");
        let near: &[Strip<'_, T>; N] = patch.near[..N].try_into().expect("strips for all rows");
        let to: &[TargetRows<'_, T>; W] = to[..W].try_into().expect("targets for all slices");
        let ends = <&mut [_; N]>::try_from(&mut ends[..N]).expect("ends for all rows");
        self.token.run(
            #[inline(always)]
            || {
                let (simd, formula) = (self.token.floats(), self.formula);
                let Patch { across, ahead, .. } = *patch;
                let band =
                    Band::<V::Floats, T, F, N, BY, BZ, W> { simd, formula, near, across, ahead };
                band.patch::<R>(patch.rows, to, ends);
            },
        );
    }

    fn with_room<'a>(&self, work: &mut dyn FnMut(Room<'_, 'a, T>)) {
        work(Room { near: &mut [Strip::NONE; N], ends: &mut [[T::default(); ENDS]; N] });
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

/// A band on its way through a patch.
struct Band<'p, 'a, S, T, F, const N: usize, const BY: usize, const BZ: usize, const W: usize> {
    simd: S,
    formula: F,
    near: &'p [Strip<'a, T>; N],
    across: Across,
    ahead: usize,
}

impl<
    S: FloatExtra,
    T: Real,
    F: Formula<T>,
    const N: usize,
    const BY: usize,
    const BZ: usize,
    const W: usize,
> Band<'_, '_, S, T, F, N, BY, BZ, W>
{
    const REACH: Reach = Reach::of::<T, F>(BY, BZ);
    const STRIPS: usize = Self::REACH.strips();
    const TARGETS: usize = BZ * F::FIELDS;
    /// Registers of a row that are written in one go: a whole line where other rows are written in
    /// between and a register is half of one. By halves two planes at a time past the caches have
    /// half the speed (512x512x256 `f32` on one Zen 3 core, `f64` on two), fused steps 0.7 to 1.
    /// One row of the wave of order 8, whose pointers are more than there are registers for, gains
    /// nothing (0.75 to 1.1).
    const RUN: usize =
        if BY * Self::TARGETS > 1 && 2 * size_of::<T::Register<S>>() == LINE { 2 } else { 1 };

    /// The registers that need no care.
    #[inline(always)]
    fn middle(&self) -> Range<usize> {
        let Across { updated: [first, last], grid, .. } = self.across;
        let lanes = T::lanes::<S>();
        let start = (grid[0].max(0) as usize + F::RADIUS).div_ceil(lanes).max(first / lanes);
        let end = (grid[1].max(0) as usize).saturating_sub(F::RADIUS) / lanes;
        start..end.min(last / lanes).max(start)
    }

    /// Updates the rows of a patch.
    #[inline(always)]
    fn patch<const R: usize>(
        &self,
        rows: usize,
        to: &[TargetRows<'_, T>; W],
        ends: &mut [[T; ENDS]; N],
    ) {
        let lanes = T::lanes::<S>();
        let (first, last) = (self.across.updated[0] / lanes, self.across.updated[1] / lanes);
        let (count, middle) = (last - first, self.middle());
        let (start, end) = ((middle.start - first).min(count), (middle.end - first).min(count));
        let bands = rows / BY;
        // A strip has a row less for every row that stands beside the band's first.
        let there = (rows + 1).saturating_sub(BY);
        let windows =
            Windows::<S, T, N, R>::new(&self.near[..Self::STRIPS], there, first * lanes, count);
        let sinks = Sinks::<S, T, BY, W>::new(self.simd, &to[..Self::TARGETS], rows, count);
        for row in (0..bands).map(|band| band * BY) {
            let (window, sink) = (windows.row(row), sinks.row(row));
            let mut at = 0;
            loop {
                // In the order of the row: what is written past the caches should be one run.
                if at == start {
                    match self.ahead {
                        0 => self.inner::<R, false>(start..end, &window, &sink),
                        _ => self.inner::<R, true>(start..end, &window, &sink),
                    }
                    at = end;
                }
                if at >= count {
                    break;
                }
                if self.ahead > 0 {
                    self.fetch(window.spot(at));
                }
                if self.across.boundary == Boundary::Fixed {
                    self.end(at, (&window, at), &sink);
                } else {
                    let strips = self.copies(row, at, ends);
                    let window =
                        Windows::<S, T, N, R>::new(&strips[..Self::STRIPS], 1, 0, 1).row(0);
                    self.end(at, (&window, 0), &sink);
                }
                at += 1;
            }
        }
    }

    /// The registers of the band's rows that need no care. `FETCH`: whether memory is asked for;
    /// to ask for what is in cache costs 5 to 10 % of the speed from there.
    #[inline(always)]
    fn inner<const R: usize, const FETCH: bool>(
        &self,
        registers: Range<usize>,
        window: &Window<'_, S, T, N, R>,
        sink: &Sink<'_, S, T, BY, W>,
    ) {
        if registers.is_empty() {
            return;
        }
        let both = (window, sink);
        if Held::<S, T, F, N, BY, BZ>::PAYS {
            const { assert!(!S::JOINS || Self::RUN == 1, "what is joined is a line") };
            let mut held = Held::new(self.simd, window, registers.start);
            along(
                both,
                registers,
                #[inline(always)]
                |spots| {
                    held.advance(spots.spot(0));
                    self.run::<R, 1, FETCH>(spots, Some(&held));
                },
            );
            return;
        }
        let Range { start, end } = registers;
        if Self::RUN == 1 {
            self.stretch::<R, 1, FETCH>(start..end, both);
            return;
        }
        const { assert!(Self::RUN <= 2) };
        let whole = start.next_multiple_of(2).min(end);
        self.stretch::<R, 1, FETCH>(start..whole, both);
        let left = self.stretch::<R, 2, FETCH>(whole..end, both);
        self.stretch::<R, 1, FETCH>(left..end, both);
    }

    /// Registers of the band's rows, `RUN` at a time; says where it stopped.
    #[inline(always)]
    fn stretch<const R: usize, const RUN: usize, const FETCH: bool>(
        &self,
        registers: Range<usize>,
        both: (&Window<'_, S, T, N, R>, &Sink<'_, S, T, BY, W>),
    ) -> usize {
        along(
            both,
            registers,
            #[inline(always)]
            |spots| self.run::<R, RUN, FETCH>(spots, None),
        )
    }

    /// Asks for what goes with a register so far ahead.
    #[inline(always)]
    fn fetch<const R: usize>(&self, spot: Spot<'_, '_, S, T, N, R>) {
        ahead::fetch::<S, T, F, N, R, BY, BZ>(self.simd, spot, self.ahead);
    }

    /// `RUN` registers of all rows of the band.
    #[inline(always)]
    fn run<const R: usize, const RUN: usize, const FETCH: bool>(
        &self,
        spots: Spots<'_, '_, S, T, N, R, BY, W, RUN>,
        held: Option<&Held<S, T, F, N, BY, BZ>>,
    ) {
        if FETCH {
            self.fetch(spots.spot(0));
        }
        let mut new = [[[spots.spot(0).get(0, 0); RUN]; BY]; W];
        for target in 0..Self::TARGETS {
            let (field, z) = (target / BZ, target % BZ);
            for y in 0..BY {
                for next in 0..RUN {
                    new[target][y][next] = self.update(field, [y, z], spots.spot(next), held);
                }
            }
        }
        for target in 0..Self::TARGETS {
            for y in 0..BY {
                for next in 0..RUN {
                    spots.put(target, y, next, new[target][y][next]);
                }
            }
        }
    }

    /// New values of a field in a register of a row of the band.
    #[inline(always)]
    fn update<const R: usize>(
        &self,
        field: usize,
        place: [usize; 2],
        spot: Spot<'_, '_, S, T, N, R>,
        held: Option<&Held<S, T, F, N, BY, BZ>>,
    ) -> T::Register<S> {
        let near = Around::<_, _, F, N, R, BY, BZ>::new(spot, held, place);
        self.formula.update(self.simd, field, near)
    }

    /// Register `at` at an end of the band's rows, which is register `index` of the window.
    #[inline(always)]
    fn end<const R: usize>(
        &self,
        at: usize,
        (window, index): (&Window<'_, S, T, N, R>, usize),
        sink: &Sink<'_, S, T, BY, W>,
    ) {
        let (simd, lanes) = (self.simd, T::lanes::<S>());
        let Across { updated, grid, boundary } = self.across;
        let start = updated[0] + at * lanes;
        // The formula's, not the loops': those of one's own are wider than any formula needs.
        let rim = if boundary == Boundary::Fixed { F::RADIUS as isize } else { 0 };
        let lane = |at: isize| (at - start as isize).clamp(0, lanes as isize) as usize;
        let inside = T::lanes_between(simd, lane(grid[0] + rim), lane(grid[1] - rim));
        let spot = window.spot(index);
        let mut new = [[spot.get(0, 0); BY]; W];
        for target in 0..Self::TARGETS {
            let (field, z) = (target / BZ, target % BZ);
            for y in 0..BY {
                let own = field * Self::REACH.rows() + Self::REACH.index(y as isize, z as isize);
                let old = spot.get(own, 0);
                let now = self.update(field, [y, z], spot, None);
                new[target][y] = T::select(simd, inside, now, old);
            }
        }
        for target in 0..Self::TARGETS {
            for y in 0..BY {
                sink.put(target, y, at, new[target][y]);
            }
        }
    }

    /// The rows of a band around register `at`, those that are looked at sideways as copies with
    /// what the boundary says beside them.
    #[inline(always)]
    fn copies<'e>(&self, row: usize, at: usize, ends: &'e mut [[T; ENDS]; N]) -> [Strip<'e, T>; N]
    where
        Self: 'e,
    {
        let start = self.across.updated[0] + at * T::lanes::<S>();
        for index in 0..Self::STRIPS {
            if Self::REACH.sideways(index) {
                let row = self.near[index].row(row);
                ends::copy(row, start, (F::RADIUS, self.across), &mut ends[index]);
            }
        }
        let mut strips = [Strip::NONE; N];
        for index in 0..Self::STRIPS {
            strips[index] = match Self::REACH.sideways(index) {
                true => Strip::new(&ends[index], 0, 1, Strip::<T>::BESIDE),
                false => self.near[index].row(row).part(start, T::lanes::<S>()),
            };
        }
        strips
    }
}
