//! From rows of a slice to patches of them: every scheme's way to the row loop.

use super::Boundary;
use super::ends::Across;
use super::rows::{Kernel, Patch, Room};
use crate::vector::{Real, Strip, TargetRows};
use alloc::boxed::Box;
use core::ops::Range;

/// The most rows a kernel writes side by side: those of two slices, or of four fields.
pub(super) const MOST_TARGETS: usize = 4;

/// The row loops of a plan.
#[derive(Debug)]
pub(super) struct Kernels<T> {
    /// With rows side by side, as the recipe says.
    pub(super) wide: Box<dyn Kernel<T>>,
    /// One row at a time, for what is left over.
    pub(super) one: Box<dyn Kernel<T>>,
}

/// Several rows, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The first one's place in a slice, and the slice.
    pub(super) from: [isize; 2],
    pub(super) rows: usize,
    /// How many slices it is from one to the next; 0 for rows of one slice.
    pub(super) slices: usize,
}

/// Where the rows of a field stand.
pub(super) trait Look<'a, T> {
    /// The rows of a slice (axis 1) or the slices (axis 2) that stand at one pitch from each
    /// other.
    fn regular(&self, axis: usize) -> Range<isize>;

    /// Rows of a field to be read; more than one only among the regular ones.
    fn strip(&self, run: Run, field: usize) -> Strip<'a, T>;

    /// Rows of what comes after the fields: their values of one step before, then the media.
    fn own(&self, run: Run, number: usize) -> Strip<'a, T>;
}

/// Rows to be updated: those of `ys` in `count` slices from `z` on.
pub(super) struct Slab {
    pub(super) ys: Range<isize>,
    pub(super) z: isize,
    pub(super) count: usize,
}

/// Updates slabs, one after the other.
pub(super) struct Apply<'k, 'a, T> {
    kernels: &'k Kernels<T>,
    room: Room<'k, 'a, T>,
    across: Across,
    ahead: usize,
}

impl<T: Real> Kernels<T> {
    /// Lets `work` update slabs. Rows side by side look at more strips than one row alone, so room for
    /// those of the wide loop is enough.
    pub(super) fn apply<'a>(&self, mut work: impl FnMut(&mut Apply<'_, 'a, T>)) {
        let across = Across { updated: [0; 2], grid: [0; 2], boundary: Boundary::Fixed };
        self.wide.with_room(&mut |room| work(&mut Apply { kernels: self, room, across, ahead: 0 }));
    }
}

impl<'a, T: Real> Apply<'_, 'a, T> {
    /// How rows are cut from now on, and how many numbers ahead of use memory is asked for.
    pub(super) fn set(&mut self, across: Across, ahead: usize) {
        (self.across, self.ahead) = (across, ahead);
    }

    /// Updates a slab from what `look` sees; `to` says where rows go.
    pub(super) fn slab<'t>(
        &mut self,
        slab: Slab,
        look: &impl Look<'a, T>,
        to: &impl Fn(Run, usize) -> TargetRows<'t, T>,
    ) {
        let (reach, end) = (self.kernels.wide.reach(), slab.z + slab.count as isize);
        if reach.form.dimensions == 2 && !look.regular(2).is_empty() {
            return self.stack(slab.ys.start, slab.z..end, look, to);
        }
        let bz = reach.bz as isize;
        for z in (slab.z..end).step_by(reach.bz) {
            self.slices(slab.ys.clone(), z..end.min(z + bz), look, to);
        }
    }

    /// Rows of as many slices as are updated side by side, or of what is left of them.
    fn slices<'t>(
        &mut self,
        ys: Range<isize>,
        zs: Range<isize>,
        look: &impl Look<'a, T>,
        to: &impl Fn(Run, usize) -> TargetRows<'t, T>,
    ) {
        let reach = self.kernels.wide.reach();
        let (regular, within) = (look.regular(1), reach.within() as isize);
        let mut y = ys.start;
        while y < ys.end {
            let run = if y - within >= regular.start && y + within < regular.end {
                ys.end.min(regular.end - within) - y
            } else {
                1
            } as usize;
            let together = if zs.len() == reach.bz { run / reach.by * reach.by } else { 0 };
            if together > 0 {
                let run = Run { from: [y, zs.start], rows: together, slices: 0 };
                self.patch(&*self.kernels.wide, run, look, to);
                y += together as isize;
                continue;
            }
            for z in zs.clone() {
                self.patch(
                    &*self.kernels.one,
                    Run { from: [y, z], rows: run, slices: 0 },
                    look,
                    to,
                );
            }
            y += run as isize;
        }
    }

    /// A row of many slices: those of a plane are its rows.
    fn stack<'t>(
        &mut self,
        y: isize,
        zs: Range<isize>,
        look: &impl Look<'a, T>,
        to: &impl Fn(Run, usize) -> TargetRows<'t, T>,
    ) {
        let reach = self.kernels.wide.reach();
        let (bz, across) = (reach.bz, reach.across() as isize);
        let regular = look.regular(2);
        let mut z = zs.start;
        while z < zs.end {
            let run = if z - across >= regular.start && z + across < regular.end {
                zs.end.min(regular.end - across) - z
            } else {
                1
            } as usize;
            let together = run / bz;
            if together > 0 && bz > 1 {
                self.patch(
                    &*self.kernels.wide,
                    Run { from: [y, z], rows: together, slices: bz },
                    look,
                    to,
                );
                z += (together * bz) as isize;
            } else {
                self.patch(
                    &*self.kernels.one,
                    Run { from: [y, z], rows: run, slices: 1 },
                    look,
                    to,
                );
                z += run as isize;
            }
        }
    }

    fn patch<'t>(
        &mut self,
        kernel: &dyn Kernel<T>,
        run: Run,
        look: &impl Look<'a, T>,
        to: &impl Fn(Run, usize) -> TargetRows<'t, T>,
    ) {
        let (reach, Run { from: [y, z], rows, slices }) = (kernel.reach(), run);
        let each = reach.rows();
        // Keeping the places in a table gains nothing over counting them out here.
        for index in 0..each {
            let [dy, dz] = reach.place(index);
            let near = Run { from: [y + dy, z + dz], rows: rows - (reach.by - 1), slices };
            for field in 0..reach.form.fields {
                self.room.near[field * each + index] = look.strip(near, field);
            }
        }
        let (first, beside) = (reach.own(0), reach.by * reach.bz);
        for index in first..reach.strips() {
            let (number, place) = ((index - first) / beside, (index - first) % beside);
            let [dy, dz] = [place % reach.by, place / reach.by].map(|off| off as isize);
            let own = Run { from: [y + dy, z + dz], rows: rows - (reach.by - 1), slices };
            self.room.near[index] = look.own(own, number);
        }
        let mut targets = [to(run, 0); MOST_TARGETS];
        for index in 1..reach.form.fields * reach.bz {
            let (field, dz) = (index / reach.bz, (index % reach.bz) as isize);
            targets[index] = to(Run { from: [y, z + dz], ..run }, field);
        }
        let Apply { across, ahead, room: Room { near, ends }, .. } = self;
        let patch = Patch { near, rows, across: *across, ahead: *ahead };
        kernel.update(&patch, &targets, ends);
    }
}
