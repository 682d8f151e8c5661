//! A field on a grid: where its points stand in memory, and the two buffers it steps between.
//!
//! ```text
//! plane z   | row 0   x = 0 1 2 ... | pad |
//!           | row 1                 | pad |     every row begins on a cache line, so that whole
//!           | ...                   | pad |     lines can be written past the caches; the next
//! plane z+1 | row 0 ...                         begins on the next line
//! ```
//!
//! Rows and planes of 2, 4, 8 ... KiB put a point's neighbours on the same cache sets, which is
//! why grids are often padded. Here it does not pay: a band needs five lines of a set at a time,
//! sets have eight or more, and one unbroken run of lines is worth more. Measured on 512x512x512
//! `f32` past the caches, one core and two: 4.31 and 5.5 GLUP/s without padding, 3.97 and 5.3 with
//! a line to every row (7 % and 3 % less); a line to every plane, or half a page between the
//! two fields, changed nothing (4.31 and 4.33).
//!
//! Where a boundary is fixed the outermost points are the rim, as wide as the stencil's radius:
//! values that no step changes, the same in both buffers while a plan runs.

use super::space::Space;
use super::{Boundary, Error, Kind};
use crate::buffer::{Buffer, LINE};
use crate::matrix::Disjoint;
use crate::vector::Real;
use core::fmt;
use core::ops::Range;

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
    pub fn inner_points(self, kind: Kind) -> usize {
        let along = [self.x, self.y, self.z].into_iter().enumerate().map(|(axis, points)| {
            let rim = if axis < kind.dimensions() { 2 * kind.radius() } else { 0 };
            points.saturating_sub(rim)
        });
        along.fold(1, usize::saturating_mul)
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.x, self.y)?;
        if self.z == 1 { Ok(()) } else { write!(f, "x{}", self.z) }
    }
}

/// Where the points of a grid stand, in numbers from the start of its buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) extent: Extent,
    /// From one row to the next.
    pub(super) pitch: usize,
    /// From one plane to the next.
    pub(super) plane: usize,
    /// Before the first one.
    pub(super) margin: usize,
}

impl Layout {
    pub(super) fn new<T: Real>(extent: Extent) -> Result<Self, Error> {
        for (axis, points, least) in [('x', extent.x, 1), ('y', extent.y, 1), ('z', extent.z, 1)] {
            if points < least {
                return Err(Error::TooSmall { extent, axis, points, least });
            }
        }
        let in_line = LINE / size_of::<T>();
        let layout = || {
            let pitch = extent.x.div_ceil(in_line).checked_mul(in_line)?;
            let plane = pitch.checked_mul(extent.y)?;
            let points = plane.checked_mul(extent.z)?.checked_add(2 * in_line)?;
            let bytes = points.checked_mul(size_of::<T>())?;
            (bytes <= isize::MAX as usize).then_some(Layout {
                extent,
                pitch,
                plane,
                margin: in_line,
            })
        };
        layout().ok_or(Error::TooLarge { extent })
    }

    /// Numbers in a buffer: those of the rows, and a line before and after them that is read but
    /// never counts.
    pub(super) fn len(&self) -> usize {
        self.plane * self.extent.z + 2 * self.margin
    }

    /// Where a row begins.
    #[inline(always)]
    pub(super) fn row(&self, y: usize, z: usize) -> usize {
        self.margin + z * self.plane + y * self.pitch
    }

    /// The rows of all planes, as (y, z), in the order they stand in.
    fn rows(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let Extent { y: rows, z: planes, .. } = self.extent;
        (0..planes).flat_map(move |z| (0..rows).map(move |y| (y, z)))
    }
}

/// A field of `f32` or `f64` on a plane or in space.
///
/// ```
/// use tilewise::stencil::{Extent, Grid};
/// let grid = Grid::from_fn(Extent::plane(5, 4), |[x, y, _]| (10 * y + x) as f64)?;
/// assert_eq!(grid.row(2, 0), [20.0, 21.0, 22.0, 23.0, 24.0]);
/// # Ok::<(), tilewise::stencil::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grid<T> {
    layout: Layout,
    /// The field as it is.
    front: Buffer<T>,
    /// Where the next step goes.
    back: Buffer<T>,
    /// How wide a rim is the same in both, along each axis of a sweep.
    rim: [usize; 3],
    /// What tiles keep between memory and memory.
    scratch: Buffer<T>,
}

impl<T: Real> Grid<T> {
    /// A field of zeros.
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::TooLarge`], [`Error::OutOfMemory`].
    pub fn zeroed(extent: Extent) -> Result<Self, Error> {
        let layout = Layout::new::<T>(extent)?;
        let [front, back] = [Buffer::zeroed(layout.len())?, Buffer::zeroed(layout.len())?];
        Ok(Grid { layout, front, back, rim: [0; 3], scratch: Buffer::zeroed(0)? })
    }

    /// A field whose point `[x, y, z]` is `value([x, y, z])`, the rim's too.
    ///
    /// # Errors
    /// As [`Grid::zeroed`].
    pub fn from_fn(extent: Extent, mut value: impl FnMut([usize; 3]) -> T) -> Result<Self, Error> {
        let mut grid = Self::zeroed(extent)?;
        grid.write(|x, y, z| value([x, y, z]));
        Ok(grid)
    }

    /// A field from its points in row-major order (x fastest, then y, then z), rim included.
    ///
    /// # Errors
    /// As [`Grid::zeroed`], and [`Error::Length`].
    pub fn from_slice(extent: Extent, points: &[T]) -> Result<Self, Error> {
        let mut grid = Self::zeroed(extent)?;
        grid.copy_from_slice(points)?;
        Ok(grid)
    }

    /// Sets every point, the rim's too, from row-major order.
    ///
    /// # Errors
    /// [`Error::Length`] when the slice has more or fewer points than the grid.
    pub fn copy_from_slice(&mut self, points: &[T]) -> Result<(), Error> {
        self.check_length(points.len())?;
        let Extent { x: row, y: rows, .. } = self.extent();
        self.write(|x, y, z| points[(z * rows + y) * row + x]);
        Ok(())
    }

    /// Writes every point, the rim's too, in row-major order.
    ///
    /// # Errors
    /// [`Error::Length`] when the slice has room for more or fewer points than the grid has.
    pub fn copy_to_slice(&self, points: &mut [T]) -> Result<(), Error> {
        self.check_length(points.len())?;
        for ((y, z), to) in self.layout.rows().zip(points.chunks_exact_mut(self.extent().x)) {
            to.copy_from_slice(self.row(y, z));
        }
        Ok(())
    }

    /// Points along each axis.
    pub fn extent(&self) -> Extent {
        self.layout.extent
    }

    /// One row of points; those at its ends belong to the rim.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, y: usize, z: usize) -> &[T] {
        let extent = self.extent();
        assert!(y < extent.y && z < extent.z, "row y = {y}, z = {z} of a grid of {extent}");
        &self.front[self.layout.row(y, z)..][..extent.x]
    }

    /// The bytes of both buffers, padding included.
    pub fn bytes(&self) -> usize {
        2 * size_of_val::<[T]>(&self.front)
    }

    /// Fills what lies between the rows, which no result may depend on: for tests.
    #[doc(hidden)]
    pub fn fill_padding(&mut self, value: T) {
        let Layout { extent: Extent { x, .. }, pitch, margin, .. } = self.layout;
        for buffer in [&mut self.front, &mut self.back] {
            let rows = buffer.len() - margin;
            buffer[..margin].fill(value);
            buffer[rows..].fill(value);
            for row in buffer[margin..rows].chunks_exact_mut(pitch) {
                row[x..].fill(value);
            }
        }
    }

    /// Fills what tiles keep, which no result may depend on either: for tests.
    #[doc(hidden)]
    pub fn fill_scratch(&mut self, value: T) {
        self.scratch.fill(value);
    }

    /// Makes ready for a plan: the rim the same in both buffers, and room for tiles.
    pub(super) fn prepare(&mut self, space: &Space, scratch: usize) -> Result<(), Error> {
        if self.scratch.len() < scratch {
            // Large pages are contiguous in the cache; small ones collide in it at random.
            let large = if scratch > 0 { Buffer::<T>::LARGE } else { 0 };
            self.scratch = Buffer::zeroed(scratch.max(large))?;
        }
        let fixed = [0, 1, 2].map(|axis| space.boundary[axis] == Boundary::Fixed);
        let needed = [0, 1, 2].map(|axis| if fixed[axis] { space.reach[axis] } else { 0 });
        if (0..3).any(|axis| needed[axis] > self.rim[axis]) {
            let [_, ys, zs] = [0, 1, 2].map(|axis| space.updated(axis));
            for z in 0..space.points[2] {
                for y in 0..space.points[1] {
                    if !(ys.contains(&y) && zs.contains(&z)) {
                        let row = space.start(y, z)..space.start(y, z) + space.pitch;
                        self.back[row.clone()].copy_from_slice(&self.front[row]);
                    }
                }
            }
        }
        // The plan keeps what it was given, and writes everything else.
        self.rim = needed;
        Ok(())
    }

    /// Both buffers, the one with the field first, for a team to step between, and room for
    /// tiles.
    pub(super) fn buffers(&mut self) -> ([Disjoint<'_, T>; 2], Disjoint<'_, T>) {
        let fields = [Disjoint::new(&mut self.front), Disjoint::new(&mut self.back)];
        (fields, Disjoint::new(&mut self.scratch))
    }

    /// After an odd number of steps the field is in the other buffer.
    pub(super) fn swap(&mut self) {
        core::mem::swap(&mut self.front, &mut self.back);
    }

    /// Sets every point of the field.
    fn write(&mut self, mut value: impl FnMut(usize, usize, usize) -> T) {
        self.rim = [0; 3];
        for (y, z) in self.layout.rows() {
            let row = self.row_range(y, z);
            for (x, point) in self.front[row].iter_mut().enumerate() {
                *point = value(x, y, z);
            }
        }
    }

    fn row_range(&self, y: usize, z: usize) -> Range<usize> {
        let start = self.layout.row(y, z);
        start..start + self.extent().x
    }

    fn check_length(&self, given: usize) -> Result<(), Error> {
        let extent = self.extent();
        let expected = extent.x * extent.y * extent.z;
        if given == expected { Ok(()) } else { Err(Error::Length { extent, expected, given }) }
    }
}
