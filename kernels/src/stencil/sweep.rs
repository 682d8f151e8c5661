//! One step over one member's rows, tile by tile.
//!
//! ```text
//! tile: `tile_rows` rows of a slice, marched through the slices
//!
//!   z ->  +----+----+----+
//!   y     |    |    |    |  tile 0: z = 1, 2, 3 ...
//!   |     +----+----+----+
//!   v     |    |    |    |  then tile 1
//!         +----+----+----+
//! ```
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
//! Lines were asked for at 8 KiB ahead then, but not those of the ends of rows. With them, 4 KiB ahead
//! and to the second-level cache, which loses in this table, one core of a virtual Zen 4 makes 3.4 to
//! 3.5 instead of 2.9, where the copy would make 6.1 ([`ahead`](super::ahead)); and with lanes
//! shifted between registers, which loses in it too, 4.5 to 4.7, and asked for once more, a little ahead, to
//! the first level, 1.02 to 1.09 of that; two cores, asked once, 5.4 to 9.0, as others on the machine use the
//! memory or not ([`held`](super::held)).
//!
//! Two cores make 5.4 to 5.8, 0.81 to 0.85 of the copy: a copy that is cut into the same runs of
//! 62 rows reaches 6.1 itself.
//!
//! One Zen 3 core makes 0.60 to 0.72 of the copy, and so do loops written for it in C (512x512x256
//! `f32`, parts of the streaming copy of the same rounds, 3.6 to 4.3 GLUP/s). Each part of the work
//! adds its time to that of the others, none of it hides behind memory:
//!
//! | two planes side by side, 4 KiB ahead | |
//! |---|---|
//! | reading the two rows that are new | 1.16 |
//! | and the two that come from the second level | 1.02 |
//! | and the two that are there | 0.98 |
//! | and those above, below and beside | 0.93 |
//! | and the arithmetic, nothing written | 0.81 |
//! | all of it, past the caches | 0.71 |
//!
//! In C, of the speed of two planes asked for 4 KiB ahead: one row makes 1.0 to 1.05, two rows and three
//! planes 0.93 to 1.0, two rows of two planes 1.05 to 1.13, four planes 1.08, four rows 0.78. Asking 512 B
//! to 8 KiB ahead, to any level, makes 0.95 to 1.02; asking for the planes of the next band instead 0.86
//! to 0.96. (Of the loops here two planes make 1.2 of the speed of one row.)
//!
//! A wave of order 8 (512x256x256 `f32`, one Zen 3 core, by a loop written for it): its three streams
//! alone make 1.1 to 1.24 GLUP/s, adding up all its rows without any other arithmetic 0.6, and so does
//! the wave. A line of the 16 rows that come from the second level costs 0.7 ns on top of memory's time.
//! Two rows or two planes side by side, which read fewer lines, make 0.45 to 0.9 of the speed; rows cut
//! into pieces of 64 to 256 points, whatever is asked for ahead, a half (of the three streams alone,
//! too); a row asked for in one burst one or two rows before 0.6 to 0.9.

use super::apply::{Kernels, Run, Slab};
use super::ends::Across;
use super::space::{Field, Space};
use crate::vector::{Real, Target};
use core::cell::Cell;
use core::ops::Range;

/// One member's part of one step.
pub(super) struct Part<'a, T> {
    pub(super) space: Space,
    pub(super) kernels: &'a Kernels<T>,
    pub(super) tile_rows: usize,
    pub(super) streaming: bool,
    /// In numbers.
    pub(super) ahead: usize,
    /// Which updated rows, numbered through all slices; at least one.
    pub(super) rows: Range<usize>,
    /// The whole grid, and what belongs to it.
    pub(super) field: Field<'a, T>,
}

impl<T: Real> Part<'_, T> {
    /// Where the part's rows stand in the field.
    pub(super) fn range(&self) -> Range<usize> {
        let [first, last] = [self.rows.start, self.rows.end - 1].map(|number| {
            let [y, z] = self.space.row(number);
            self.space.start(y, z)
        });
        first..last + self.space.pitch
    }

    /// Updates the rows of the part; `target` is its range of the other buffer.
    pub(super) fn step(&self, target: &mut [T]) {
        let base = self.range().start;
        self.kernels.wide.write(target, self.streaming, &mut |to| self.tiles(to, base));
    }

    /// The same where new values take the place of what is read there: of all of the other buffer.
    pub(super) fn step_in_place(&self, cells: &[Cell<T>]) {
        self.tiles(Target::cells(cells), 0);
    }

    /// All tiles of the part, each through all slices, into memory that begins at number `base`.
    fn tiles(&self, to: Target<'_, T>, base: usize) {
        let Part { space, tile_rows, rows, ahead, field, .. } = self;
        let ys = space.updated(1);
        let grid = [0, space.points[0] as isize];
        let across = Across { updated: field.columns, grid, boundary: space.boundary[0] };
        let (first, last) = (space.row(rows.start)[1], space.row(rows.end - 1)[1]);
        let to = |Run { from: [y, z], rows, slices }: Run, number: usize| {
            let pitch = if slices > 0 { slices * space.slice } else { space.pitch };
            let start = space.start(y as usize, z as usize) + number * space.stride - base;
            to.rows(start, pitch, rows, space.width)
        };
        self.kernels.apply(|apply| {
            apply.set(across, *ahead);
            for tile in ys.clone().step_by(*tile_rows) {
                let mut z = first;
                while z <= last {
                    let rows = self.rows_of(tile, z);
                    // The first and the last slice may be shared with another member.
                    let alike = |more: &usize| self.rows_of(tile, z + more) == rows;
                    let count = (1..=last - z).take_while(alike).count() + 1;
                    let ys = rows.start as isize..rows.end as isize;
                    apply.slab(Slab { ys, z: z as isize, count }, field, &to);
                    z += count;
                }
            }
        });
    }

    /// The rows of slice `z` that belong to the tile that begins at row `tile`, and to this part.
    fn rows_of(&self, tile: usize, z: usize) -> Range<usize> {
        let Part { space, tile_rows, rows, .. } = self;
        let [[first_y, first_z], [last_y, last_z]] =
            [rows.start, rows.end - 1].map(|number| space.row(number));
        let ys = space.updated(1);
        let start = if z == first_z { first_y } else { ys.start };
        let end = if z == last_z { last_y + 1 } else { ys.end };
        let start = start.max(tile);
        start..end.min(tile.saturating_add(*tile_rows)).max(start)
    }
}
