//! One step over one member's rows: tiles, bands of rows, registers.
//!
//! ```text
//! tile: `tile_rows` rows, marched through the planes     band: `BAND` rows side by side
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

/// The sweep in `DIMENSIONS` dimensions with `BAND` rows side by side, which look at
/// `WITHIN = BAND + 2` rows of their plane.
#[derive(Debug)]
pub(super) struct Kernel<V, const DIMENSIONS: usize, const BAND: usize, const WITHIN: usize>(
    pub(super) V,
);

impl<T: Real, V: Vocabulary, const DIMENSIONS: usize, const BAND: usize, const WITHIN: usize>
    Sweep<T> for Kernel<V, DIMENSIONS, BAND, WITHIN>
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
                        |to| march.tiles::<BAND, WITHIN, true>(to),
                    )
                } else {
                    store(
                        simd,
                        target,
                        #[inline(always)]
                        |to| march.tiles::<BAND, WITHIN, false>(to),
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
    fn tiles<const BAND: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        mut to: Region<'_, S, T, PAST_CACHES>,
    ) {
        let Part { layout, tile_rows, rows, .. } = self.part;
        let ((first_y, first_z), (last_y, last_z)) =
            (layout.inner_row(rows.start), layout.inner_row(rows.end - 1));
        let end = layout.extent.y - 1;
        for tile in (1..end).step_by(*tile_rows) {
            for z in first_z..=last_z {
                // The first and the last plane may be shared with another member.
                let mut y = tile.max(if z == first_z { first_y } else { 1 });
                let end = (tile + tile_rows).min(if z == last_z { last_y + 1 } else { end });
                while y + BAND <= end {
                    self.band::<BAND, WITHIN, PAST_CACHES>(y, z, &mut to);
                    y += BAND;
                }
                while y < end {
                    self.band::<1, 3, PAST_CACHES>(y, z, &mut to);
                    y += 1;
                }
            }
        }
    }

    /// `BAND` rows from row `y` of plane `z` on.
    #[inline(always)]
    fn band<const BAND: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        y: usize,
        z: usize,
        to: &mut Region<'_, S, T, PAST_CACHES>,
    ) {
        let Layout { pitch, plane, .. } = self.part.layout;
        let start = self.part.layout.row(y, z);
        let mut band = Band::<T, BAND, WITHIN> {
            within: [&[]; WITHIN],
            below: [&[]; BAND],
            above: [&[]; BAND],
        };
        for index in 0..WITHIN {
            band.within[index] = self.row(start + index * pitch - pitch);
        }
        if DIMENSIONS == 3 {
            for index in 0..BAND {
                band.below[index] = self.row(start + index * pitch - plane);
                band.above[index] = self.row(start + index * pitch + plane);
            }
        }
        let mut rows = to.rows::<BAND>(start - self.base, pitch, self.registers);
        self.end(&band, 0, &mut rows);
        if self.registers > 1 {
            self.middle(&band, &mut rows);
            self.end(&band, self.registers - 1, &mut rows);
        }
    }

    /// The whole registers of the row that begins at number `start`.
    #[inline(always)]
    fn row(&self, start: usize) -> &'a [T] {
        &self.part.source[start..][..self.registers * T::lanes::<S>()]
    }

    /// Every register of a band but the first and the last.
    #[inline(always)]
    fn middle<const BAND: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        band: &Band<'_, T, BAND, WITHIN>,
        rows: &mut Rows<'_, S, T, BAND, PAST_CACHES>,
    ) {
        let (lanes, count) = (T::lanes::<S>(), self.registers - 2);
        // All of them `count` long, which is what lets the loop below do without bounds checks.
        let mut within = [&[] as &[T::Register<S>]; WITHIN];
        let mut sides = [[&[] as &[T::Register<S>]; 2]; BAND];
        let mut planes = [[&[] as &[T::Register<S>]; 2]; BAND];
        for row in 0..WITHIN {
            within[row] = registers_from::<S, T>(band.within[row], lanes, count);
        }
        for row in 0..BAND {
            let centre = band.within[row + 1];
            sides[row] = [
                registers_from::<S, T>(centre, lanes - 1, count),
                registers_from::<S, T>(centre, lanes + 1, count),
            ];
            if DIMENSIONS == 3 {
                planes[row] = [
                    registers_from::<S, T>(band.below[row], lanes, count),
                    registers_from::<S, T>(band.above[row], lanes, count),
                ];
            }
        }
        for at in 0..count {
            let mut centre = [within[0][at]; WITHIN];
            for row in 1..WITHIN {
                centre[row] = within[row][at];
            }
            for row in 0..BAND {
                let mut pairs = [[centre[row], centre[row + 2]]; DIMENSIONS];
                pairs[0] = [sides[row][0][at], sides[row][1][at]];
                if DIMENSIONS == 3 {
                    pairs[2] = [planes[row][0][at], planes[row][1][at]];
                }
                rows.put(row, at + 1, self.weights.update(self.simd, centre[row + 1], pairs));
            }
        }
    }

    /// The first or the last register of a band's rows: lanes of the rim stay as they are.
    #[inline(always)]
    fn end<const BAND: usize, const WITHIN: usize, const PAST_CACHES: bool>(
        &self,
        band: &Band<'_, T, BAND, WITHIN>,
        at: usize,
        rows: &mut Rows<'_, S, T, BAND, PAST_CACHES>,
    ) {
        let (simd, lanes) = (self.simd, T::lanes::<S>());
        let first = at * lanes;
        let rim = self.part.layout.extent.x - 1;
        let inside = T::lanes_between(simd, usize::from(at == 0), (rim - first).min(lanes));
        for row in 0..BAND {
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
            pairs[1] =
                [load::<S, T>(band.within[row], first), load::<S, T>(band.within[row + 2], first)];
            if DIMENSIONS == 3 {
                pairs[2] =
                    [load::<S, T>(band.below[row], first), load::<S, T>(band.above[row], first)];
            }
            let new = self.weights.update(simd, centre, pairs);
            rows.put(row, at, T::select(simd, inside, new, centre));
        }
    }
}

/// The rows a band looks at, each of them whole registers long.
struct Band<'a, T, const BAND: usize, const WITHIN: usize> {
    /// Its own and one to either side, in the same plane.
    within: [&'a [T]; WITHIN],
    /// In the plane before.
    below: [&'a [T]; BAND],
    /// In the plane after.
    above: [&'a [T]; BAND],
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
