//! Several steps at a time in overlapped tiles: memory is read and written once for all of them.
//!
//! A tile is a block of rows that marches through the slices. At every front it takes in new
//! slices of the field as it was, and level `t` of it, the field `t` steps on, follows one radius
//! behind level `t - 1`; the last level goes out to the other field. What lies between never
//! leaves the second-level cache:
//!
//! ```text
//! slices   . . . . . . . . . n n       n: read from memory now
//! level 1  . . . . . . o o w w         o: still wanted, in a slot of the ring
//! level 2  . . . . o o w w             w: being written
//! level 3  . . o o w w
//! level 4  . . w w                     last level: to the other field
//! ```
//!
//! A tile needs its neighbourhood `depth * radius` wide and steps it redundantly, one radius less
//! at every level, so that tiles know nothing of each other: any number of members work without
//! waiting, and the boundaries are found as in a plain sweep (the rim in the field itself, for it
//! never changes; a mirrored row in the ring; a periodic axis goes on past its end).
//!
//! A star looks at the slice one radius behind only straight across, so level `t + 1` is written
//! where the oldest slice of level `t` stood, register by register as it is read: no line is
//! fetched only to be overwritten, and the ring has two radii of slices to a level.
//!
//! What bounds it is what a row costs beside its registers, and the second-level cache: 8192x8192
//! `f32`, eight steps at a time on two cores, makes 9.3 GLUP/s in tiles of 1024 columns, 12.0 of
//! 2048 and 14.4 of whole rows. To ask for levels as for the field is in vain: 0.93 to 1.0 of the speed
//! with half a KiB to 8 KiB ahead (heat7, 512x512x256 `f32`, one and two Zen 3 cores), 0.91 to 0.95 (`heat7`
//! and `heat5`, `f32` and `f64`, one and two Zen 4 cores). So it is to step
//! all levels some rows at a time instead of a level's slices whole, each level a row behind the one
//! before: with 4, 8 and 16 rows 0.75, 0.84 and 0.9 (512x256x256 `f32`, eight steps, one Zen 3 core).
//!
//! `heat7` is seven additions and six to seven reads a register, and a Zen 3 core makes two of each a
//! cycle: 3.5 cycles. A loop written for it in C comes to 6.2 to 6.9 GLUP/s from the first-level cache
//! and to 4.0 to 5.5 from the second, where levels lie at best; eight steps at a time make 3.2 to 4.1 in
//! the same hour, the streaming copy 3.6 to 4.2. So several times the rate of such a copy, which is what
//! fusing could give where memory alone counts, is more than one core computes.

use super::apply::{Apply, Kernels, Look, Run, Slab};
use super::ends::Across;
use super::formula::Shape;
use super::space::{Field, Space};
use super::{Boundary, Recipe};
use crate::buffer::LINE;
use crate::vector::{Real, Strip, Target};
use core::cell::Cell;
use core::ops::Range;

/// The most steps at a time.
pub(super) const DEEPEST: usize = 32;

/// Slices of a level that may be alive at once: a power of two above two radii of eight and what
/// is written side by side.
const ALIVE: usize = 32;

/// How tiles are cut, the same for all members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    pub(super) space: Space,
    /// Rows and columns of a tile, without what it overlaps.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Slices of a ring, rows of a slice, numbers of a row.
    ring: [usize; 3],
    /// Numbers from one slice of a ring to the next.
    stride: usize,
}

/// Lines by which a slice of a ring begins after the one before, modulo a page of small ones.
///
/// A core compares the last twelve bits of addresses to find out whether a load waits for a store
/// before it, and the loads one number to the left touch the line that the registers before have
/// just gone to: where slices stand whole pages apart every register waits for the last. Heat7
/// 512x512x512 `f32`, four steps at a time on two cores of a virtual Zen 5, GLUP/s: 8.4 without,
/// 9.0 with 5, 10.0 with 7, 9.4 with 9; rows a line or more apart as well made no more of it.
const STAGGER: usize = 7;

/// Lines in a page.
const PAGE: usize = 4096 / LINE;

impl Tiling {
    pub(super) fn new<T: Real>(space: Space, recipe: &Recipe, depth: usize) -> Self {
        let line = LINE / size_of::<T>();
        let [_, _, radius] = space.reach;
        let whole = space.boundary[0] == Boundary::Periodic || recipe.tile_points >= space.width;
        let columns = match whole {
            true => space.width,
            false => recipe.tile_points.div_ceil(line) * line,
        };
        let rows = recipe.tile_rows.min(space.points[1]);
        let margin = Self::margin::<T>(&space, depth);
        let overlapped = if columns < space.width { columns + 2 * margin } else { columns };
        let high = rows + 2 * space.reach[1] * depth.saturating_sub(1);
        let slices = (2 * radius + 2) * depth.saturating_sub(1) + 2;
        let pitch = overlapped.min(space.width) * space.fields;
        // Of a grid that only a plan knows there may be more than can be counted.
        let lines = high.saturating_mul(pitch).div_ceil(line);
        let staggered = lines.saturating_add((PAGE + STAGGER - lines % PAGE) % PAGE);
        let stride = staggered.saturating_mul(line);
        Tiling { space, rows, columns, ring: [slices, high, pitch], stride }
    }

    /// Columns that a tile has on a cut side beside its own.
    fn margin<T: Real>(space: &Space, depth: usize) -> usize {
        let line = LINE / size_of::<T>();
        (space.reach[0] * depth).div_ceil(line) * line
    }

    /// Numbers of a slice of the field that a tile looks at.
    pub(super) fn slice(&self) -> usize {
        (self.ring[1] + 2 * self.space.reach[1]).saturating_mul(self.ring[2])
    }

    /// How often a point of the field is read, because tiles overlap.
    pub(super) fn overlap<T: Real>(&self, depth: usize) -> f64 {
        let Tiling { space, rows, columns, .. } = *self;
        let beside = space.again(0, columns, 2 * Self::margin::<T>(&space, depth));
        (1.0 + beside) * (1.0 + space.again(1, rows, 2 * space.reach[1] * depth))
    }

    /// Numbers of a ring, with a line before and after it as a field has; `None` if they cannot
    /// be counted.
    pub(super) fn scratch<T: Real>(&self) -> Option<usize> {
        let numbers = self.ring[0].checked_mul(self.stride)?;
        numbers.checked_add(2 * Strip::<T>::BESIDE)
    }
}

/// One member's part of `depth` steps.
pub(super) struct Part<'a, T> {
    pub(super) tiling: Tiling,
    pub(super) kernels: &'a Kernels<T>,
    pub(super) depth: usize,
    pub(super) streaming: bool,
    /// In numbers.
    pub(super) ahead: usize,
    /// Which updated slices; at least one.
    pub(super) slices: Range<usize>,
    /// The whole grid, and what belongs to it.
    pub(super) field: Field<'a, T>,
    /// This member's ring.
    pub(super) ring: &'a [Cell<T>],
}

impl<T: Real> Part<'_, T> {
    /// Where the part's slices stand in the field.
    pub(super) fn range(&self) -> Range<usize> {
        let Space { slice, margin, .. } = self.tiling.space;
        margin + self.slices.start * slice..margin + self.slices.end * slice
    }

    /// Goes through all tiles of the part; `target` is its range of the other field.
    pub(super) fn steps(&self, target: &mut [T]) {
        let Tiling { space, rows, columns, .. } = self.tiling;
        let ys = space.updated(1);
        self.kernels.wide.write(target, self.streaming, &mut |to| {
            for x in (0..space.width).step_by(columns) {
                for y in ys.clone().step_by(rows) {
                    let rows = y as isize..ys.end.min(y + rows) as isize;
                    Tile::new(self, x..space.width.min(x + columns), rows).march(to);
                }
            }
        });
    }
}

/// A tile on its way through the slices.
struct Tile<'p, 'a, T> {
    part: &'p Part<'a, T>,
    rows: Range<isize>,
    /// Its columns in the field, and where those it looks at begin and end.
    columns: Range<usize>,
    looked_at: [usize; 2],
    /// The slot of each living slice of each level, by the slice's last bits.
    slots: [[u16; ALIVE]; DEEPEST],
    /// Slots nobody lives in, the one left last on top.
    free: [u16; ALIVE * DEEPEST],
    free_slots: usize,
}

impl<'p, 'a, T: Real> Tile<'p, 'a, T> {
    fn new(part: &'p Part<'a, T>, columns: Range<usize>, rows: Range<isize>) -> Self {
        let Tiling { space, ring, .. } = part.tiling;
        let margin = Tiling::margin::<T>(&space, part.depth);
        let looked_at =
            [columns.start.saturating_sub(margin), space.width.min(columns.end + margin)];
        let mut free = [0; ALIVE * DEEPEST];
        for (slot, free) in free[..ring[0]].iter_mut().enumerate() {
            *free = slot as u16;
        }
        let slots = [[0; ALIVE]; DEEPEST];
        Tile { part, rows, columns, looked_at, slots, free, free_slots: ring[0] }
    }

    /// The rows and slices of level `level` that a tile steps: more than its own by what later
    /// levels look at.
    fn wanted(&self, axis: usize, level: usize) -> Range<isize> {
        let Part { tiling: Tiling { space, .. }, slices, depth, .. } = self.part;
        let own = match axis {
            1 => self.rows.clone(),
            _ => slices.start as isize..slices.end as isize,
        };
        let more = (space.reach[axis] * (depth - level)) as isize;
        let (start, end) = (own.start - more, own.end + more);
        if space.boundary[axis] == Boundary::Periodic {
            return start..end;
        }
        let updated = space.updated(axis);
        start.max(updated.start as isize)..end.min(updated.end as isize)
    }

    /// All fronts of all levels.
    fn march(mut self, to: Target<'_, T>) {
        let Part { tiling: Tiling { space, .. }, kernels, depth, .. } = *self.part;
        let (bz, radius) = (kernels.wide.reach().bz as isize, space.reach[2] as isize);
        let (first, end) = (self.wanted(2, 1).start, self.wanted(2, depth).end);
        let lag = radius * (depth as isize - 1);
        kernels.apply(|apply| {
            for front in (first..end + lag).step_by(bz as usize) {
                for level in 1..=depth {
                    let wanted = self.wanted(2, level);
                    let z = front - radius * (level as isize - 1);
                    let (start, end) = (z.max(wanted.start), (z + bz).min(wanted.end));
                    if start < end {
                        self.advance(level, start..end, apply, to);
                    }
                }
            }
        });
    }

    /// Steps slices `zs` of a level.
    fn advance(
        &mut self,
        level: usize,
        zs: Range<isize>,
        apply: &mut Apply<'_, 'a, T>,
        to: Target<'_, T>,
    ) {
        let Part { tiling: Tiling { space, .. }, depth, ahead, ring, .. } = *self.part;
        let (last, from, below) = (level == depth, self.looked_at[0], level - 1);
        let written = if last { [self.columns.start, self.columns.end] } else { self.looked_at };
        let across = Across {
            updated: written.map(|column| column - from),
            grid: [-(from as isize), space.points[0] as isize - from as isize],
            boundary: space.boundary[0],
        };
        let slab =
            Slab { ys: self.wanted(1, level), z: zs.start, count: (zs.end - zs.start) as usize };
        if !last {
            self.settle(level, zs.clone());
        }
        let tile = &*self;
        let base = tile.part.range().start;
        let rows = |Run { from: [y, z], rows, .. }: Run, field: usize| {
            if last {
                let start = space.start(y as usize, z as usize) + field * space.stride;
                let start = start + written[0] - base;
                return to.rows(start, space.pitch, rows, written[1] - written[0]);
            }
            let (start, pitch) = tile.place(level, [y, z], field);
            Target::cells(ring).rows(start, pitch, rows, written[1] - written[0])
        };
        let look = Level { tile, level: below, field: tile.field() };
        // The first level alone reads from memory.
        apply.set(across, if below == 0 { ahead } else { 0 });
        apply.slab(slab, &look, &rows);
        if below > 0 {
            self.leave(below, zs);
        }
    }

    /// Gives slices of a level their slots: where the slice that is read for the last time
    /// stands, if that is read straight across, or else a free one.
    fn settle(&mut self, level: usize, zs: Range<isize>) {
        let oldest = zs.start - self.part.tiling.space.reach[2] as isize;
        for z in zs.clone() {
            let slot = if z == zs.start && self.dies_under(level - 1, oldest) {
                self.slots[level - 1][slot_of(oldest)]
            } else {
                self.free_slots -= 1;
                self.free[self.free_slots]
            };
            self.slots[level][slot_of(z)] = slot;
        }
    }

    /// Whether a slice of a level has a slot that the next level may write while it reads it.
    fn dies_under(&self, level: usize, z: isize) -> bool {
        let shape = self.part.kernels.wide.reach().form.shape;
        level > 0 && shape == Shape::Star && self.wanted(2, level).contains(&z)
    }

    /// Frees the slots of a level that nobody looks at once the next level has `zs`.
    fn leave(&mut self, level: usize, zs: Range<isize>) {
        let (wanted, radius) = (self.wanted(2, level), self.part.tiling.space.reach[2] as isize);
        let oldest = zs.start - radius;
        let taken = level + 1 < self.part.depth && self.dies_under(level, oldest);
        for z in oldest + isize::from(taken)..zs.end - radius {
            if wanted.contains(&z) {
                self.free[self.free_slots] = self.slots[level][slot_of(z)];
                self.free_slots += 1;
            }
        }
    }

    fn field(&self) -> Field<'a, T> {
        Field { columns: self.looked_at, ..self.part.field }
    }

    /// Where a row of a field of a level stands in the ring, and the pitch of its rows.
    fn place(&self, level: usize, [y, z]: [isize; 2], field: usize) -> (usize, usize) {
        let Tiling { ring: [_, _, pitch], stride, .. } = self.part.tiling;
        let slot = usize::from(self.slots[level][slot_of(z)]);
        let row = (y - self.wanted(1, 1).start) as usize;
        let beside = field * (self.looked_at[1] - self.looked_at[0]);
        (Strip::<T>::BESIDE + slot * stride + row * pitch + beside, pitch)
    }
}

fn slot_of(z: isize) -> usize {
    z as usize % ALIVE
}

/// A level of a tile, and the rim around it.
struct Level<'t, 'p, 'a, T> {
    tile: &'t Tile<'p, 'a, T>,
    level: usize,
    field: Field<'a, T>,
}

impl<'a, T: Real> Look<'a, T> for Level<'_, '_, 'a, T> {
    fn regular(&self, axis: usize) -> Range<isize> {
        let space = self.field.space;
        let updated = space.updated(1);
        match space.boundary[1] {
            // Slices stand in whatever slot is free.
            _ if axis == 2 => 0..0,
            _ if self.level == 0 => self.field.regular(1),
            // The slices of a rim are the field's, whose rows begin anew past its end, and so do
            // those of the media.
            Boundary::Periodic
                if space.boundary[2] != Boundary::Fixed && self.field.media.1 == 0 =>
            {
                self.tile.wanted(1, self.level)
            }
            _ => updated.start as isize..updated.end as isize,
        }
    }

    fn own(&self, run: Run, number: usize) -> Strip<'a, T> {
        self.field.own(run, number)
    }

    fn strip(&self, run: Run, number: usize) -> Strip<'a, T> {
        let space = self.field.space;
        let find = |axis: usize, at: isize| match space.boundary[axis] {
            _ if self.level == 0 => None,
            Boundary::Mirror => Some(Boundary::Mirror.find(at, space.points[axis]) as isize),
            Boundary::Periodic => Some(at),
            Boundary::Fixed => {
                let updated = space.updated(axis);
                (updated.start as isize..updated.end as isize).contains(&at).then_some(at)
            }
        };
        let (Some(y), Some(z)) = (find(1, run.from[0]), find(2, run.from[1])) else {
            return self.field.strip(run, number);
        };
        let (start, pitch) = self.tile.place(self.level, [y, z], number);
        let length = self.tile.looked_at[1] - self.tile.looked_at[0];
        Strip::of_cells(&self.tile.part.ring[start - Strip::<T>::BESIDE..], pitch, run.rows, length)
    }
}
