//! One step over one member's rows: tiles, bands of rows, registers.
//!
//! ```text
//! tile: `tile_rows` rows, marched through the planes     band: rows side by side, in y or in z
//!
//!   z ->  +----+----+----+                                 y+2   .  c  .     c: loaded once and
//!   y     |    |    |    |  tile 0: z = 1, 2, 3 ...        y+1   l  C  r        used by up to
//!   |     +----+----+----+                                 y     l  C  r        three rows
//!   v     |    |    |    |  then tile 1                    y-1   .  c  .     l, r: one element off
//!         +----+----+----+                                                      a register: unaligned
//! ```
//!
//! A row's first and last registers hold points of the rim, and the last one padding: these
//! lanes keep what the source has, which for the rim is right and for padding is nobody's
//! business. So whole registers are written, whole lines past the caches, and no load ever
//! leaves the row: at its ends the neighbour is made by shifting lanes.
//!
//! What bounds a sweep of a grid in memory, measured with 512x512x512 `f32` on a virtual Zen 5
//! (GLUP/s on one core; a streaming copy of the same bytes would make 6.7 there, and about 7 on
//! two cores):
//!
//! | variant | |
//! |---|---|
//! | loads alone ask for memory: 25 lines are in flight, 145 ns each | 2.5 |
//! | asking 8 KiB ahead on the plane that is new | 4.5 |
//! | asking for every second line, or a row at a time in one burst | 2.6, 3.2 |
//! | asking into the second-level cache, or the first by the non-temporal hint | 4.2, 4.3 |
//! | also asking half a KiB ahead on the rows that come from the second-level cache | 4.3 |
//! | side loads replaced by lane shifts of two registers | 3.8 |
//! | a row finished in a buffer in cache, then streamed in one run | 4.1 |
//! | small pages instead of large ones | 3.4 |
//! | the same loads from the second-level cache, nothing streamed | 10.5 |
//!
//! Two cores make 5.4 to 5.8, 0.81 to 0.85 of the copy: a copy that is cut into the same runs of
//! 62 rows reaches 6.1 itself.

use super::grid::Layout;
use super::taps::Weights;
use crate::vector::{FloatExtra, Real, Region, Rows, Vocabulary, store, stream};
use core::ops::Range;

/// One member's part of one step.
pub(super) struct Part<'a, T> {
    pub(super) layout: Layout,
    pub(super) coefficient: T,
    pub(super) tile_rows: usize,
    pub(super) streaming: bool,
    /// In numbers.
    pub(super) prefetch: usize,
    /// Which rows inside the rim, numbered through all planes; at least one.
    pub(super) rows: Range<usize>,
    /// The whole field.
    pub(super) source: &'a [T],
}

/// A sweep compiled for one instruction set.
pub(super) trait Sweep<T>: core::fmt::Debug + Send + Sync {
    /// Updates the rows of a part; `target` reaches from the first of them to the last.
    fn step(&self, part: &Part<'_, T>, target: &mut [T]);
}

/// The sweep in `DIMENSIONS` dimensions that updates `COUNT` rows side by side, in z or else in
/// y, and looks at `WITHIN = COUNT + 2` rows that way.
#[derive(Debug)]
pub(super) struct Kernel<
    V,
    const DIMENSIONS: usize,
    const IN_Z: bool,
    const COUNT: usize,
    const WITHIN: usize,
>(pub(super) V);

impl<
    T: Real,
    V: Vocabulary,
    const DIMENSIONS: usize,
    const IN_Z: bool,
    const COUNT: usize,
    const WITHIN: usize,
> Sweep<T> for Kernel<V, DIMENSIONS, IN_Z, COUNT, WITHIN>
{
    fn step(&self, part: &Part<'_, T>, target: &mut [T]) {
        let simd = self.0.floats();
        self.0.run(
            #[inline(always)]
            || {
                let march = March::<V::Floats, T, DIMENSIONS>::new(simd, part);
                if part.streaming {
                    stream(
                        simd,
                        target,
                        #[inline(always)]
                        |to| march.tiles::<IN_Z, COUNT, WITHIN, true>(to),
                    )
                } else {
                    store(
                        simd,
                        target,
                        #[inline(always)]
                        |to| march.tiles::<IN_Z, COUNT, WITHIN, false>(to),
                    )
                }
            },
        );
    }
}

/// What stays the same from row to row.
struct March<'a, S: FloatExtra, T: Real, const DIMENSIONS: usize> {
    simd: S,
    part: &'a Part<'a, T>,
    weights: Weights<S, T>,
    /// Registers in a row.
    registers: usize,
    /// Where the target begins in the field.
    base: usize,
}

/// The rows a band looks at, each of them whole registers long.
struct Band<'a, T, const COUNT: usize, const WITHIN: usize> {
    /// Its own and one to either side, the way they stand side by side.
    within: [&'a [T]; WITHIN],
    /// One row back the other way.
    before: [&'a [T]; COUNT],
    /// One row on the other way.
    after: [&'a [T]; COUNT],
}

impl<'a, S: FloatExtra, T: Real, const DIMENSIONS: usize> March<'a, S, T, DIMENSIONS> {
    #[inline(always)]
    fn new(simd: S, part: &'a Part<'a, T>) -> Self {
        let (y, z) = part.layout.inner_row(part.rows.start);
        March {
            simd,
            part,
            weights: Weights::new(simd, part.coefficient, DIMENSIONS),
            registers: part.layout.extent.x.div_ceil(T::lanes::<S>()),
            base: part.layout.row(y, z),
        }
    }

    /// All tiles of the part, each through all planes.
    #[inline(always)]
    fn tiles<const IN_Z: bool, const COUNT: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        mut to: Region<'_, S, T, PAST_CACHES>,
    ) {
        let Part { layout, tile_rows, rows, .. } = self.part;
        let (first, last) = (layout.inner_row(rows.start).1, layout.inner_row(rows.end - 1).1);
        let (in_y, in_z) = if IN_Z { (1, COUNT) } else { (COUNT, 1) };
        for tile in (1..layout.extent.y - 1).step_by(*tile_rows) {
            let mut z = first;
            while z <= last {
                let mut rows = self.rows_of(tile, z);
                // The first and the last plane may be shared with another member.
                let together = z + in_z <= last + 1
                    && (1..in_z).all(|more| self.rows_of(tile, z + more) == rows);
                while together && rows.len() >= in_y {
                    self.band::<IN_Z, COUNT, WITHIN, PAST_CACHES>(rows.start, z, &mut to);
                    rows.start += in_y;
                }
                // What is left over.
                for y in rows {
                    self.band::<false, 1, 3, PAST_CACHES>(y, z, &mut to);
                }
                z += if together { in_z } else { 1 };
            }
        }
    }

    /// The rows of plane `z` that belong to the tile that begins at row `tile`, and to this part.
    #[inline(always)]
    fn rows_of(&self, tile: usize, z: usize) -> Range<usize> {
        let Part { layout, tile_rows, rows, .. } = self.part;
        let ((first_y, first_z), (last_y, last_z)) =
            (layout.inner_row(rows.start), layout.inner_row(rows.end - 1));
        let start = if z == first_z { first_y } else { 1 };
        let end = if z == last_z { last_y + 1 } else { layout.extent.y - 1 };
        let start = start.max(tile);
        start..end.min(tile + tile_rows).max(start)
    }

    /// `COUNT` rows from row `y` of plane `z` on.
    #[inline(always)]
    fn band<const IN_Z: bool, const COUNT: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        y: usize,
        z: usize,
        to: &mut Region<'_, S, T, PAST_CACHES>,
    ) {
        let Layout { pitch, plane, .. } = self.part.layout;
        let (along, across) = if IN_Z { (plane, pitch) } else { (pitch, plane) };
        let start = self.part.layout.row(y, z);
        let mut band = Band::<T, COUNT, WITHIN> {
            within: [&[]; WITHIN],
            before: [&[]; COUNT],
            after: [&[]; COUNT],
        };
        for index in 0..WITHIN {
            band.within[index] = self.row(start + index * along - along);
        }
        if DIMENSIONS == 3 {
            for index in 0..COUNT {
                band.before[index] = self.row(start + index * along - across);
                band.after[index] = self.row(start + index * along + across);
            }
        }
        let mut rows = to.rows::<COUNT>(start - self.base, along, self.registers);
        self.end::<IN_Z, COUNT, WITHIN, PAST_CACHES>(&band, 0, &mut rows);
        if self.registers > 1 {
            self.middle::<IN_Z, COUNT, WITHIN, PAST_CACHES>(&band, &mut rows);
            self.end::<IN_Z, COUNT, WITHIN, PAST_CACHES>(&band, self.registers - 1, &mut rows);
        }
    }

    /// The whole registers of the row that begins at number `start`.
    #[inline(always)]
    fn row(&self, start: usize) -> &'a [T] {
        &self.part.source[start..][..self.registers * T::lanes::<S>()]
    }

    /// Every register of a band but the first and the last.
    #[inline(always)]
    fn middle<
        const IN_Z: bool,
        const COUNT: usize,
        const WITHIN: usize,
        const PAST_CACHES: bool,
    >(
        &self,
        band: &Band<'_, T, COUNT, WITHIN>,
        rows: &mut Rows<'_, S, T, COUNT, PAST_CACHES>,
    ) {
        let (simd, lanes, count) = (self.simd, T::lanes::<S>(), self.registers - 2);
        // All of them `count` long, which is what lets the loop below do without bounds checks.
        let mut within = [&[] as &[T::Register<S>]; WITHIN];
        let mut sides = [[&[] as &[T::Register<S>]; 2]; COUNT];
        let mut across = [[&[] as &[T::Register<S>]; 2]; COUNT];
        let mut ahead = [core::ptr::null::<T>(); COUNT];
        for row in 0..WITHIN {
            within[row] = registers_from::<S, T>(band.within[row], lanes, count);
        }
        for row in 0..COUNT {
            let centre = band.within[row + 1];
            sides[row] = [
                registers_from::<S, T>(centre, lanes - 1, count),
                registers_from::<S, T>(centre, lanes + 1, count),
            ];
            if DIMENSIONS == 3 {
                across[row] = [
                    registers_from::<S, T>(band.before[row], lanes, count),
                    registers_from::<S, T>(band.after[row], lanes, count),
                ];
            }
            // The rows no band has looked at yet.
            let new = if DIMENSIONS == 2 || IN_Z { band.within[row + 2] } else { band.after[row] };
            ahead[row] = new.as_ptr().wrapping_add(self.part.prefetch);
        }
        for at in 0..count {
            let mut centre = [within[0][at]; WITHIN];
            for row in 1..WITHIN {
                centre[row] = within[row][at];
            }
            for row in 0..COUNT {
                simd.prefetch(ahead[row].wrapping_add(lanes * at));
                let mut pairs = [[sides[row][0][at], sides[row][1][at]]; DIMENSIONS];
                pairs[if IN_Z { 2 } else { 1 }] = [centre[row], centre[row + 2]];
                if DIMENSIONS == 3 {
                    pairs[if IN_Z { 1 } else { 2 }] = [across[row][0][at], across[row][1][at]];
                }
                rows.put(row, at + 1, self.weights.update(simd, centre[row + 1], pairs));
            }
        }
    }

    /// The first or the last register of a band's rows: lanes of the rim stay as they are.
    #[inline(always)]
    fn end<const IN_Z: bool, const COUNT: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        band: &Band<'_, T, COUNT, WITHIN>,
        at: usize,
        rows: &mut Rows<'_, S, T, COUNT, PAST_CACHES>,
    ) {
        let (simd, lanes) = (self.simd, T::lanes::<S>());
        let first = at * lanes;
        let rim = self.part.layout.extent.x - 1;
        let inside = T::lanes_between(simd, usize::from(at == 0), (rim - first).min(lanes));
        for row in 0..COUNT {
            let numbers = band.within[row + 1];
            let centre = load::<S, T>(numbers, first);
            // The lane that wraps round is one of the rim or the padding.
            let left = match at {
                0 => T::shift_up(simd, centre),
                _ => load::<S, T>(numbers, first - 1),
            };
            let right = match at + 1 == self.registers {
                true => T::shift_down(simd, centre),
                false => load::<S, T>(numbers, first + 1),
            };
            let mut pairs = [[left, right]; DIMENSIONS];
            pairs[if IN_Z { 2 } else { 1 }] =
                [load::<S, T>(band.within[row], first), load::<S, T>(band.within[row + 2], first)];
            if DIMENSIONS == 3 {
                pairs[if IN_Z { 1 } else { 2 }] =
                    [load::<S, T>(band.before[row], first), load::<S, T>(band.after[row], first)];
            }
            let new = self.weights.update(simd, centre, pairs);
            rows.put(row, at, T::select(simd, inside, new, centre));
        }
    }
}

/// `count` registers from number `start` on.
#[inline(always)]
fn registers_from<S: FloatExtra, T: Real>(
    numbers: &[T],
    start: usize,
    count: usize,
) -> &[T::Register<S>] {
    &T::registers::<S>(&numbers[start..])[..count]
}

/// The register at number `start`.
#[inline(always)]
fn load<S: FloatExtra, T: Real>(numbers: &[T], start: usize) -> T::Register<S> {
    registers_from::<S, T>(numbers, start, 1)[0]
}
