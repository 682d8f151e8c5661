//! Where the points of a grid stand in memory.
//!
//! ```text
//! plane z   | row 0   x = 0 1 2 ... | pad |
//!           | row 1                 | pad |     every row begins on a cache line, so that whole
//!           | ...                   | pad |     lines can be written past the caches; the next
//! plane z+1 | row 0 ...                         begins on the next line, or a few later
//! ```
//!
//! No two neighbouring rows or planes of a single field stand near a whole number of pages apart: a
//! few lines between them see to that. Stores past the caches that go to two such places in turn
//! are slow, as if each line were written by parts. Two planes side by side against one, on one
//! Zen 3 core with 512x512x256 (`f32`, `f64`): 0.2 of the speed where planes are whole pages
//! apart, 0.62 and 0.91 with one line between them, 1.22 and 1.28 with two, 1.31 and 1.27 with
//! four; six, eight and half a page are no better. Two rows of 8192x8192 `f32`: 0.66 with one line,
//! 0.97 to 1.14 with two, 1.25 to 1.35 with three, 1.31 to 1.39 with four. Planes keep off half
//! pages too: whoever looks at many planes, as the wave of order 8 does, finds their rows in the
//! same few sets of the first-level cache (500x333x257 `f32`, whose planes were so, 0.86 of the
//! speed of 500x332x257). Lines where none are needed cost (512x512x512 `f32` on Zen 5, whose
//! planes are whole pages and whose rows of 2 KiB are not: 3.97 GLUP/s with a line to every row,
//! 4.31 without).
//!
//! Several fields stand row beside row: a row of the first, the same row of the second and so on,
//! so that whatever a member has to do is one run of memory.
//!
//! Rows of all together may stand whole pages apart: from a row to the next of the same field is then as
//! far for any number of fields, and media, which are laid out as fields, share it (Gray-Scott of 512x8192,
//! one Zen 4 core: 0.94 of the speed of 480 and 544 points a row).

use super::{Error, Form};
use crate::buffer::LINE;
use crate::vector::Real;
use core::fmt;

/// Bytes after which CPUs take addresses for the same in a first look.
const PAGE: usize = 4096;

/// Lines that two rows stand off whole pages, and two planes off halves of them, at least.
const OFF: usize = 4;

/// Points along each axis, the rim among them. A plane has `z == 1`, and its rim is in x and y.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Extent {
    /// Along a row: neighbours in memory.
    pub x: usize,
    /// Rows of a plane.
    pub y: usize,
    /// Planes.
    pub z: usize,
}

impl Extent {
    /// A line of `x` points.
    pub const fn line(x: usize) -> Self {
        Extent { x, y: 1, z: 1 }
    }

    /// A plane of `y` rows of `x` points.
    pub const fn plane(x: usize, y: usize) -> Self {
        Extent { x, y, z: 1 }
    }

    /// `z` planes of `y` rows of `x` points.
    pub const fn space(x: usize, y: usize, z: usize) -> Self {
        Extent { x, y, z }
    }

    /// All points, the rim among them; `None` if there are more than can be counted.
    pub fn points(self) -> Option<usize> {
        self.x.checked_mul(self.y)?.checked_mul(self.z)
    }

    /// The points that a step of a stencil updates where the boundaries are fixed: those inside
    /// the rim.
    pub fn inner_points(self, form: impl Into<Form>) -> usize {
        let Form { dimensions, radius, .. } = form.into();
        let along = [self.x, self.y, self.z].into_iter().enumerate().map(|(axis, points)| {
            let rim = if axis < dimensions { 2 * radius } else { 0 };
            points.saturating_sub(rim)
        });
        along.fold(1, usize::saturating_mul)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Extent { x, y: 1, z: 1 } => write!(f, "{x}"),
            Extent { x, y, z: 1 } => write!(f, "{x}x{y}"),
            Extent { x, y, z } => write!(f, "{x}x{y}x{z}"),
        }
    }
}

/// Where the points of a grid stand, in numbers from the start of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) extent: Extent,
    /// Fields, whose rows with the same place stand one after the other.
    pub(super) fields: usize,
    /// Numbers of a row: whole lines.
    pub(super) width: usize,
    /// From a row of one field to the same row of the next.
    pub(super) stride: usize,
    /// From one row of a field to the next.
    pub(super) pitch: usize,
    /// From one plane to the next, had the grid one field.
    pub(super) layer: usize,
    /// Before the first one.
    pub(super) margin: usize,
}

impl Layout {
    pub(super) fn new<T: Real>(extent: Extent, fields: usize) -> Result<Self, Error> {
        for (axis, points, least) in [('x', extent.x, 1), ('y', extent.y, 1), ('z', extent.z, 1)] {
            if points < least {
                return Err(Error::TooSmall { extent, axis, points, least });
            }
        }
        let in_line = LINE / size_of::<T>();
        let layout = || {
            let (page, off) = (PAGE / size_of::<T>(), OFF * in_line);
            let apart = |numbers: usize, whole: usize| match numbers % whole {
                past if past < off && numbers >= whole => numbers.checked_add(off - past),
                past if past > whole - off => numbers.checked_add(whole - past + off),
                _ => Some(numbers),
            };
            let width = extent.x.div_ceil(in_line).checked_mul(in_line)?;
            let stride = apart(width, page)?;
            let pitch = stride.checked_mul(fields)?;
            let layer = stride.checked_mul(extent.y)?;
            let layer = if extent.z > 1 { apart(layer, page / 2)? } else { layer };
            let points =
                layer.checked_mul(fields)?.checked_mul(extent.z)?.checked_add(2 * in_line)?;
            let bytes = points.checked_mul(size_of::<T>())?;
            (bytes <= isize::MAX as usize).then_some(Layout {
                extent,
                fields,
                width,
                stride,
                pitch,
                layer,
                margin: in_line,
            })
        };
        layout().ok_or(Error::TooLarge { extent })
    }

    /// Numbers in a buffer: those of the rows, and a line before and after them that is read but
    /// never counts.
    pub(super) fn len(&self) -> usize {
        self.layer * self.fields * self.extent.z + 2 * self.margin
    }

    /// Where a row of a field begins.
    #[inline(always)]
    pub(super) fn row(&self, field: usize, y: usize, z: usize) -> usize {
        self.margin + z * self.layer * self.fields + y * self.pitch + field * self.stride
    }

    /// Takes numbers in row-major order, field after field.
    pub(super) fn spread<T: Real>(&self, points: &[T], buffer: &mut [T]) {
        let rows = (0..self.fields).flat_map(|field| self.rows().map(move |(y, z)| (field, y, z)));
        for ((field, y, z), from) in rows.zip(points.chunks_exact(self.extent.x)) {
            buffer[self.row(field, y, z)..][..from.len()].copy_from_slice(from);
        }
    }

    /// Gives them back.
    pub(super) fn gather<T: Real>(&self, buffer: &[T], points: &mut [T]) {
        let rows = (0..self.fields).flat_map(|field| self.rows().map(move |(y, z)| (field, y, z)));
        for ((field, y, z), to) in rows.zip(points.chunks_exact_mut(self.extent.x)) {
            to.copy_from_slice(&buffer[self.row(field, y, z)..][..to.len()]);
        }
    }

    /// The rows of all planes, as (y, z), in the order they stand in.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Extent { y: rows, z: planes, .. } = self.extent;
        (0..planes).flat_map(move |z| (0..rows).map(move |y| (y, z)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from the nearest multiple of `whole`, zero not among them.
    fn off(numbers: usize, whole: usize) -> usize {
        let past = if numbers < whole { whole } else { numbers % whole };
        past.min(whole - numbers % whole)
    }

    fn stands_off<T: Real>() {
        let (page, least) = (PAGE / size_of::<T>(), OFF * LINE / size_of::<T>());
        for x in (1..1200).chain([2000, 2048, 4096, 8192]) {
            for y in [1, 3, 8, 100, 332, 333, 512] {
                let layout = Layout::new::<T>(Extent::space(x, y, 3), 1).unwrap();
                let what = format!("{layout:?}");
                assert!(layout.width >= x && layout.stride >= layout.width, "{what}");
                assert!(layout.layer >= y * layout.stride, "{what}");
                assert!(off(layout.stride, page) >= least, "{what}");
                assert!(off(layout.layer, page / 2) >= least, "{what}");
                let waste = [layout.stride - layout.width, layout.layer - y * layout.stride];
                assert!(waste.into_iter().all(|numbers| numbers < 2 * least), "{what}");
                assert!(layout.stride == layout.width || x > page / 2, "{what}");
            }
        }
    }

    #[test]
    fn rows_and_planes_stand_off_whole_pages() {
        stands_off::<f32>();
        stands_off::<f64>();
    }
}
