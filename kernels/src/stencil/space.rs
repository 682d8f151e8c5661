//! The grid as a sweep sees it: rows in slices, whatever the dimensions.
//!
//! A volume is a stack of planes, a plane a stack of slices of a single row, a line one such slice. A sweep marches
//! through the slices; so the scheme that keeps a few slices of a volume in cache keeps a few rows
//! of a plane there, by the same code.

use super::apply::{Look, Run};
use super::formula::Form;
use super::layout::Layout;
use super::{Boundary, Error, Extent};
use crate::vector::{Real, Strip};
use core::cell::Cell;
use core::ops::Range;

/// Points, strides and boundaries along the axes of a sweep.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    /// Points of a row, rows of a slice, slices.
    pub(super) points: [usize; 3],
    /// Fields, row beside row.
    pub(super) fields: usize,
    /// Numbers of a row: whole lines.
    pub(super) width: usize,
    /// Numbers from a row of one field to the same row of the next.
    pub(super) stride: usize,
    /// Numbers from one row to the next: a row of each field.
    pub(super) pitch: usize,
    /// Numbers from one slice to the next, had the grid one field.
    layer: usize,
    /// Numbers from one slice to the next.
    pub(super) slice: usize,
    /// Numbers before the first.
    pub(super) margin: usize,
    pub(super) boundary: [Boundary; 3],
    /// How far a stencil looks along each axis.
    pub(super) reach: [usize; 3],
}

impl Space {
    pub(super) fn new(
        layout: Layout,
        Form { dimensions, radius, .. }: Form,
        boundary: [Boundary; 3],
    ) -> Result<Self, Error> {
        let Extent { x, y, z } = layout.extent;
        let [bx, by, bz] = boundary;
        let Layout { fields, width, stride, pitch, margin, layer, .. } = layout;
        let (points, layer) =
            if dimensions == 3 { ([x, y, z], layer) } else { ([x, 1, y], stride) };
        let (boundary, reach) = match dimensions {
            1 => ([bx, Boundary::Fixed, Boundary::Fixed], [radius, 0, 0]),
            2 => ([bx, Boundary::Fixed, by], [radius, 0, radius]),
            _ => ([bx, by, bz], [radius; 3]),
        };
        let axes = [('x', x, bx), ('y', y, by), ('z', z, bz)];
        for (axis, points, boundary) in axes.into_iter().take(dimensions) {
            let least = boundary.least(radius);
            if points < least {
                return Err(Error::TooSmall { extent: layout.extent, axis, points, least });
            }
        }
        let slice = layer * fields;
        let space =
            Space { points, fields, width, stride, pitch, layer, slice, margin, boundary, reach };
        Ok(space)
    }

    /// How much of the points along an axis is looked at again, as a part of all, where it is cut
    /// every `own` points and `more` are read twice at each cut.
    pub(super) fn again(&self, axis: usize, own: usize, more: usize) -> f64 {
        let all = self.updated(axis).len();
        let pieces = all.div_ceil(own.max(1));
        let cuts = match self.boundary[axis] {
            Boundary::Periodic if pieces > 1 || axis == 2 => pieces,
            _ => pieces.saturating_sub(1),
        };
        // Nobody reads more than everything.
        f64::min(cuts as f64 * more as f64 / all.max(1) as f64, cuts as f64)
    }

    /// The points along an axis that are updated.
    pub(super) fn updated(&self, axis: usize) -> Range<usize> {
        self.boundary[axis].updated(self.points[axis], self.reach[axis])
    }

    /// Rows that are updated, of all slices together.
    pub(super) fn rows(&self) -> usize {
        self.updated(1).len() * self.updated(2).len()
    }

    /// The updated row with this number, as its place in a slice and the slice.
    pub(super) fn row(&self, number: usize) -> [usize; 2] {
        let (ys, zs) = (self.updated(1), self.updated(2));
        [ys.start + number % ys.len(), zs.start + number / ys.len()]
    }

    /// Where a row begins.
    pub(super) fn start(&self, y: usize, z: usize) -> usize {
        self.margin + z * self.slice + y * self.pitch
    }
}

/// A grid in memory, or a strip of columns of it.
#[derive(Clone, Copy)]
pub(super) struct Field<'a, T> {
    pub(super) space: Space,
    pub(super) numbers: Numbers<'a, T>,
    /// The columns looked at, padding among them.
    pub(super) columns: [usize; 2],
    /// What is read of one step before, where a formula does: the buffer that is written.
    pub(super) before: Option<&'a [Cell<T>]>,
    /// What no step changes: rows as those of the fields, and how many fields there are of it.
    pub(super) media: (&'a [T], usize),
}

/// Numbers that nobody writes meanwhile, or that this thread may.
#[derive(Clone, Copy)]
pub(super) enum Numbers<'a, T> {
    Shared(&'a [T]),
    Cells(&'a [Cell<T>]),
}

impl<'a, T: Real> Field<'a, T> {
    /// Where the first of the rows stands after the margin, had the grid one field.
    fn first(&self, Run { from: [y, z], .. }: Run) -> usize {
        let Space { boundary, points, stride, layer, .. } = self.space;
        let row = boundary[1].find(y, points[1]);
        let slice = boundary[2].find(z, points[2]);
        slice * layer + row * stride
    }

    /// Rows of one of `fields` fields.
    fn rows(
        &self,
        run: Run,
        numbers: Numbers<'a, T>,
        (field, fields): (usize, usize),
    ) -> Strip<'a, T> {
        let Space { stride, layer, margin, .. } = self.space;
        let start = margin + self.first(run) * fields + field * stride + self.columns[0];
        let pitch = fields * if run.slices > 0 { run.slices * layer } else { stride };
        let length = self.columns[1] - self.columns[0];
        let start = start - Strip::<T>::BESIDE;
        match numbers {
            Numbers::Shared(numbers) => Strip::new(&numbers[start..], pitch, run.rows, length),
            Numbers::Cells(cells) => Strip::of_cells(&cells[start..], pitch, run.rows, length),
        }
    }
}

impl<'a, T: Real> Look<'a, T> for Field<'a, T> {
    fn regular(&self, axis: usize) -> Range<isize> {
        0..self.space.points[axis] as isize
    }

    fn strip(&self, run: Run, field: usize) -> Strip<'a, T> {
        self.rows(run, self.numbers, (field, self.space.fields))
    }

    fn own(&self, run: Run, number: usize) -> Strip<'a, T> {
        let fields = self.space.fields;
        let (media, count) = self.media;
        match self.before {
            Some(before) if number < fields => {
                self.rows(run, Numbers::Cells(before), (number, fields))
            }
            Some(_) => self.rows(run, Numbers::Shared(media), (number - fields, count)),
            None => self.rows(run, Numbers::Shared(media), (number, count)),
        }
    }
}
