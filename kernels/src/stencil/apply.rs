//! From rows of a slice to patches of them: every scheme's way to the row loop.

use super::formula::Reach;
use super::rows::{Across, Kernel, Patch};
use crate::vector::{Real, Strip, TargetRows};
use alloc::boxed::Box;
use core::ops::Range;

/// The most slices a kernel updates side by side.
const SIDE_BY_SIDE: usize = 2;

/// The row loops of a plan.
#[derive(Debug)]
pub(super) struct Kernels<T> {
    /// With rows side by side, as the recipe says.
    pub(super) wide: Box<dyn Kernel<T>>,
    /// One row at a time, for what is left over.
    pub(super) one: Box<dyn Kernel<T>>,
}

/// Where the rows of a field stand.
pub(super) trait Look<'a, T> {
    /// The rows of a slice that stand at one pitch from each other.
    fn regular(&self) -> Range<isize>;

    /// `rows` rows from row `y` of slice `z` on; more than one only among the regular ones.
    fn strip(&self, y: isize, z: isize, rows: usize) -> Strip<'a, T>;
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
    near: [Strip<'a, T>; Reach::MOST],
}

impl<'k, 'a, T: Real> Apply<'k, 'a, T> {
    pub(super) fn new(kernels: &'k Kernels<T>) -> Self {
        Apply { kernels, near: [Strip::NONE; Reach::MOST] }
    }

    /// Updates a slab from what `look` sees. `to` says where `rows` rows from row `y` on of the
    /// slab's slice number `index` go.
    pub(super) fn slab<'t>(
        &mut self,
        slab: Slab,
        (across, ahead): (Across, usize),
        look: &impl Look<'a, T>,
        to: &impl Fn(isize, usize, usize) -> TargetRows<'t, T>,
    ) {
        let Kernels { wide, one } = self.kernels;
        let (reach, Slab { ys, z, count }) = (wide.reach(), slab);
        let (regular, within) = (look.regular(), reach.within() as isize);
        let mut y = ys.start;
        while y < ys.end {
            let run = if y - within >= regular.start && y + within < regular.end {
                ys.end.min(regular.end - within) - y
            } else {
                1
            } as usize;
            let together = if count == reach.bz { run / reach.by * reach.by } else { 0 };
            if together > 0 {
                self.patch(&**wide, [y, z], (together, across, ahead), look, &|index| {
                    to(y, index, together)
                });
                y += together as isize;
                continue;
            }
            for index in 0..count {
                self.patch(&**one, [y, z + index as isize], (run, across, ahead), look, &|_| {
                    to(y, index, run)
                });
            }
            y += run as isize;
        }
    }

    fn patch<'t>(
        &mut self,
        kernel: &dyn Kernel<T>,
        [y, z]: [isize; 2],
        (rows, across, ahead): (usize, Across, usize),
        look: &impl Look<'a, T>,
        to: &dyn Fn(usize) -> TargetRows<'t, T>,
    ) {
        let reach = kernel.reach();
        let near = &mut self.near[..reach.rows()];
        for (place, strip) in reach.places().zip(near.iter_mut()) {
            *strip = look.strip(y + place[0], z + place[1], rows - (reach.by - 1));
        }
        let mut targets = [to(0); SIDE_BY_SIDE];
        for index in 1..reach.bz {
            targets[index] = to(index);
        }
        kernel.update(&Patch { near, rows, across, ahead }, &targets[..reach.bz]);
    }
}
