//! Several steps at a time in tiles that lean, shared by all members: nothing is stepped twice and
//! two buffers are enough, for stencils that look far or keep two steps.
//!
//! A tile is a block of rows that marches through the slices with all its steps (*levels*) at
//! once, each level behind the one before; even levels live in one buffer of the grid and odd ones
//! in the other, each where the level two before stood. The rows of a level lie one radius before
//! those of the level below, so that what it looks at is either in the tile or in the one before:
//!
//! ```text
//! rows    tile 0      tile 1      tile 2         slices ->   level 1 . . . . . w
//! level 3 aaaaaaaa    bbbbbbbbbb  ccccccc                    level 2 . . . w
//! level 2 aaaaaaaaaa    bbbbbbbbbb  ccccc                    level 3 . w
//! level 1 aaaaaaaaaaaa    bbbbbbbbbb  ccc                    w: one front
//! ```
//!
//! In one front all levels are stepped by all members, who share the rows of each, and then wait
//! for each other. Levels stand so far apart that in a front nobody reads a slice that somebody
//! writes, nor one beside it: a radius, what is written together, and one slice more.
//!
//! A mirror needs no care. A periodic axis of rows is not cut. Along periodic slices the tile
//! leaves a wedge open on either side of the first one, a radius more at every level, and a second
//! march closes it:
//!
//! ```text
//! level 3 b b b a a a a a a a b b b
//! level 2 b b a a a a a a a a a b b      a: first march, b: second
//! level 1 b a a a a a a a a a a a b
//! ```

use super::apply::{Apply, Kernels, Run, Slab};
use super::ends::Across;
use super::space::{Field, Numbers, Space};
use super::{Boundary, Recipe};
use crate::team::Member;
use crate::vector::{Real, Target};
use core::cell::Cell;
use core::ops::Range;

/// How tiles are cut, the same for all members.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slant {
    pub(super) space: Space,
    /// Rows of a tile.
    rows: usize,
    /// Rows by which a level lies before the one below.
    lean: usize,
    /// Slices of a level that are written in one front.
    front: usize,
    /// Steps at a time at most.
    pub(super) depth: usize,
}

impl Slant {
    pub(super) fn new(space: Space, recipe: &Recipe, bz: usize) -> Self {
        let [_, reach, radius] = space.reach;
        let whole = reach == 0 || space.boundary[1] == Boundary::Periodic;
        let whole = whole || recipe.tile_rows >= space.updated(1).len();
        let (rows, lean) = if whole { (space.points[1], 0) } else { (recipe.tile_rows, reach) };
        // The rows of a plane are its slices.
        let front = if reach == 0 { recipe.tile_rows.min(space.points[2]) } else { bz };
        let most = match space.boundary[2] {
            Boundary::Periodic if radius > 0 => (space.points[2] / (2 * radius)).max(1),
            _ => usize::MAX,
        };
        Slant { space, rows, lean, front: front.max(bz), depth: recipe.depth.min(most) }
    }

    /// Slices by which a level is behind the one before.
    fn lag(&self) -> isize {
        (self.space.reach[2] + self.front + 1) as isize
    }

    /// Numbers of one buffer that a tile of so many steps keeps busy.
    pub(super) fn busy(&self, depth: usize) -> usize {
        let Slant { space, rows, .. } = *self;
        let slices = (depth - 1) * self.lag() as usize + self.front + 2 * space.reach[2];
        let leaning = rows + self.lean * (depth + 1);
        slices.min(space.points[2]) * leaning.min(space.points[1]) * space.pitch
    }

    /// How often a row is read and written, because tiles lean over each other.
    pub(super) fn overlap(&self, depth: usize) -> f64 {
        1.0 + self.space.again(1, self.rows, self.lean * (depth + 1))
    }

    /// Rows of a tile at a level; none of them at the last level when there is no such tile.
    fn tile(&self, tile: usize, level: usize) -> Range<isize> {
        let all = self.space.updated(1);
        let (first, last) = (all.start as isize, all.end as isize);
        let lean = (self.lean * (level - 1)) as isize;
        let edge = |tile: usize| first + (tile * self.rows) as isize - lean;
        let start = if tile == 0 { first } else { edge(tile).clamp(first, last) };
        start..edge(tile + 1).clamp(start, last)
    }

    /// How many tiles there are.
    fn tiles(&self, depth: usize) -> usize {
        let lean = self.lean * (depth - 1);
        (self.space.updated(1).len() + lean).div_ceil(self.rows)
    }

    /// The slices of a level in the first or the second march.
    fn slices(&self, second: bool, (level, depth): (usize, usize)) -> Range<isize> {
        let all = self.space.updated(2);
        let wraps = self.space.boundary[2] == Boundary::Periodic && depth > 1;
        let open = if wraps { (self.space.reach[2] * level) as isize } else { 0 };
        match second {
            true => -open..open,
            false => all.start as isize + open..all.end as isize - open,
        }
    }
}

/// One member's part of some steps.
pub(super) struct Part<'a, T> {
    pub(super) slant: Slant,
    pub(super) kernels: &'a Kernels<T>,
    pub(super) member: Member<'a>,
    /// Members that take part.
    pub(super) takers: usize,
    /// In numbers.
    pub(super) ahead: usize,
    /// Both buffers, the one with the field as it is first.
    pub(super) buffers: [&'a [Cell<T>]; 2],
    pub(super) media: (&'a [T], usize),
}

impl<T: Real> Part<'_, T> {
    /// Makes `depth` steps.
    pub(super) fn steps(&self, depth: usize) {
        self.kernels.apply(|apply| {
            for tile in 0..self.slant.tiles(depth) {
                for second in [false, true] {
                    self.march(tile, second, depth, apply);
                }
            }
        });
    }

    /// All fronts of a tile in one of its marches.
    fn march<'a>(&'a self, tile: usize, second: bool, depth: usize, apply: &mut Apply<'_, 'a, T>) {
        let (lag, front) = (self.slant.lag(), self.slant.front as isize);
        let behind = |level: usize| (level as isize - 1) * lag;
        let slices = |level: usize| self.slant.slices(second, (level, depth));
        let levels = || (1..=depth).filter(|&level| !slices(level).is_empty());
        let first = levels().map(|level| slices(level).start + behind(level)).min();
        let end = levels().map(|level| slices(level).end + behind(level)).max();
        let (Some(first), Some(end)) = (first, end) else { return };
        for at in (first..end).step_by(front as usize) {
            for level in 1..=depth {
                let (z, all) = (at - behind(level), slices(level));
                let zs = z.max(all.start)..(z + front).min(all.end);
                if !zs.is_empty() {
                    self.advance(level, self.slant.tile(tile, level), zs, apply);
                }
            }
            self.member.barrier();
        }
    }

    /// This member's share of the rows of some slices at a level.
    fn advance<'a>(
        &'a self,
        level: usize,
        ys: Range<isize>,
        zs: Range<isize>,
        apply: &mut Apply<'_, 'a, T>,
    ) {
        let space = self.slant.space;
        let share = |range: Range<isize>| {
            let own = self.member.share_among(self.takers, range.len());
            range.start + own.start as isize..range.start + own.end as isize
        };
        let (ys, zs) = if space.reach[1] > 0 { (share(ys), zs) } else { (ys, share(zs)) };
        if ys.is_empty() || zs.is_empty() {
            return;
        }
        let (from, to) = (self.buffers[(level - 1) % 2], self.buffers[level % 2]);
        let columns = [0, space.width];
        let keeps_two = self.kernels.wide.reach().form.keeps_two();
        let field = Field {
            space,
            numbers: Numbers::Cells(from),
            columns,
            before: keeps_two.then_some(to),
            media: self.media,
        };
        let target = |Run { from: [y, z], rows, slices }: Run, field: usize| {
            let pitch = if slices > 0 { slices * space.slice } else { space.pitch };
            let z = space.boundary[2].find(z, space.points[2]);
            let start = space.start(y as usize, z) + field * space.stride;
            Target::cells(to).rows(start, pitch, rows, space.width)
        };
        let grid = [0, space.points[0] as isize];
        // The first level alone reads from memory; the others ask a little ahead, in `f32` for one line
        // twice: asking as far as for memory makes 0.97 to 1.01 (waves, one and two Zen 4 cores).
        let ahead = if level == 1 { self.ahead } else { self.ahead.min(256) };
        apply.set(Across { updated: columns, grid, boundary: space.boundary[0] }, ahead);
        apply.slab(Slab { ys, z: zs.start, count: zs.len() }, &field, &target);
    }
}
