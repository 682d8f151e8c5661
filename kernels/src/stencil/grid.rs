//! A grid: one or several fields, the two buffers they step between, and what no step changes.
//!
//! Where a boundary is fixed the outermost points are the rim, as wide as the stencil's radius:
//! values that no step changes, the same in both buffers while a plan runs.
//!
//! There is no halo (the type says why). What stands past the ends the sweeps find or make: rows and
//! planes where they are mirrored or begin anew, the ends of rows in small copies.
//!
//! Stencils that take the value of one step before find it in the buffer that the next step is
//! written to. A grid that never made such a step begins at rest: before is as now.

use super::Error;
use super::apart::{self, Apart};
use super::layout::{Extent, Layout};
use super::media::Media;
use crate::buffer::{Buffer, OutOfMemory};
use crate::team::Team;
use crate::vector::Real;
use core::ops::Range;

/// Fields of `f32` or `f64` on a line, a plane or in space; mostly one.
///
/// Whole fields go in and out by copy ([`Grid::copy_from_slice`], [`Grid::copy_to_slice`]), for rows
/// stand apart in memory, each on a cache line of its own; single rows are borrowed where they are
/// ([`Grid::field_row`], [`Grid::field_row_mut`]).
///
/// No halo is part of a grid or of its type. How far a step looks is a constant of the stencil's type,
/// and several stencils may step one grid in turn. A fixed rim is points like all others, and what
/// else stands past the ends ([`Boundary`](super::Boundary)) is found while a step is made: nothing
/// has to be kept or filled between steps.
///
/// ```
/// use tilewise::stencil::{Extent, Grid};
/// let grid = Grid::from_fn(Extent::plane(5, 4), |[x, y, _]| (10 * y + x) as f64)?;
/// assert_eq!(grid.row(2, 0), [20.0, 21.0, 22.0, 23.0, 24.0]);
/// # Ok::<(), tilewise::stencil::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grid<T> {
    pub(super) layout: Layout,
    /// The fields as they are.
    pub(super) front: Apart<T>,
    /// Where the next step goes.
    pub(super) back: Apart<T>,
    /// Whether `back` has the fields as they were one step before.
    pub(super) keeps_before: bool,
    /// How wide a rim is the same in both, along each axis of a sweep.
    pub(super) rim: [usize; 3],
    /// What no step changes.
    pub(super) media: Media<T>,
    /// What tiles keep between memory and memory.
    pub(super) scratch: Buffer<T>,
}

impl<T: Real> Grid<T> {
    /// A field of zeros.
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::TooLarge`], [`Error::OutOfMemory`].
    pub fn zeroed(extent: Extent) -> Result<Self, Error> {
        Self::with_fields(extent, 1)
    }

    /// So many fields of zeros.
    ///
    /// # Errors
    /// As [`Grid::zeroed`]; [`Error::NoFields`] for none.
    pub fn with_fields(extent: Extent, fields: usize) -> Result<Self, Error> {
        Self::made(extent, fields, Buffer::zeroed)
    }

    /// The same, zeroed by a team: each member is the first to touch an even share of the slices,
    /// and on machines where memory is nearer to some cores than to others a page is near those who
    /// touched it first. To fill the grid, or to copy to it, moves no page; media that are
    /// [set](Grid::set_media) are first touched by who sets them.
    ///
    /// ```
    /// use tilewise::SpinTeam;
    /// use tilewise::stencil::{Extent, Grid};
    /// let team = SpinTeam::all_cores()?;
    /// let mut grid = Grid::with_fields_by(Extent::space(60, 50, 40), 1, &team)?;
    /// grid.fill(|_, [x, _, _]| x as f32);
    /// assert_eq!(grid.row(1, 1)[..3], [0.0, 1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Grid::with_fields`].
    ///
    /// # Panics
    /// When not all members of the team come.
    pub fn with_fields_by(extent: Extent, fields: usize, team: &dyn Team) -> Result<Self, Error> {
        Self::made(extent, fields, |len| Buffer::zeroed_by(len, team))
    }

    /// A grid in buffers from `zeroed`.
    fn made(
        extent: Extent,
        fields: usize,
        zeroed: impl Fn(usize) -> Result<Buffer<T>, OutOfMemory>,
    ) -> Result<Self, Error> {
        if fields == 0 {
            return Err(Error::NoFields);
        }
        let layout = Layout::new::<T>(extent, fields)?;
        let front = Apart::new(layout.len(), 0, &zeroed)?;
        let back = Apart::new(layout.len(), apart::BACK, &zeroed)?;
        let (media, scratch) = (Media::unset()?, Buffer::zeroed(0)?);
        let (keeps_before, rim) = (false, [0; 3]);
        Ok(Grid { layout, front, back, keeps_before, rim, media, scratch })
    }

    /// A field whose point `[x, y, z]` is `value([x, y, z])`, the rim's too.
    ///
    /// # Errors
    /// As [`Grid::zeroed`].
    pub fn from_fn(extent: Extent, mut value: impl FnMut([usize; 3]) -> T) -> Result<Self, Error> {
        Self::from_fields(extent, 1, |_, at| value(at))
    }

    /// So many fields, whose point `[x, y, z]` is `value(field, [x, y, z])`, the rim's too.
    ///
    /// # Errors
    /// As [`Grid::with_fields`].
    pub fn from_fields(
        extent: Extent,
        fields: usize,
        value: impl FnMut(usize, [usize; 3]) -> T,
    ) -> Result<Self, Error> {
        let mut grid = Self::with_fields(extent, fields)?;
        grid.fill(value);
        Ok(grid)
    }

    /// Sets point `[x, y, z]` of every field to `value(field, [x, y, z])`, the rim's too: x fastest,
    /// then y, then z, field after field. What was one step before is forgotten.
    pub fn fill(&mut self, mut value: impl FnMut(usize, [usize; 3]) -> T) {
        self.keeps_before = false;
        for field in 0..self.fields() {
            for (y, z) in self.layout.rows() {
                let row = self.field_row_mut(field, y, z).iter_mut().enumerate();
                row.for_each(|(x, point)| *point = value(field, [x, y, z]));
            }
        }
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

    /// Sets every point, the rim's too, from row-major order, field after field. What was one
    /// step before is forgotten.
    ///
    /// # Errors
    /// [`Error::Length`] when the slice has more or fewer points than the grid.
    pub fn copy_from_slice(&mut self, points: &[T]) -> Result<(), Error> {
        self.check_length(points.len(), self.layout.fields)?;
        self.rim = [0; 3];
        self.keeps_before = false;
        self.layout.spread(points, &mut self.front);
        Ok(())
    }

    /// Writes every point, the rim's too, in row-major order, field after field.
    ///
    /// # Errors
    /// [`Error::Length`] when the slice has room for more or fewer points than the grid has.
    pub fn copy_to_slice(&self, points: &mut [T]) -> Result<(), Error> {
        self.check_length(points.len(), self.layout.fields)?;
        self.layout.gather(&self.front, points);
        Ok(())
    }

    /// Sets what the fields were one step before, in row-major order, field after field, for stencils
    /// that ask. A grid that was not told, and never made such a step, begins at rest: before is as now.
    ///
    /// ```
    /// use tilewise::stencil::{Boundary, Extent, Grid, Stencil};
    /// // What has risen by 1 everywhere, with nothing to hold it, goes on rising.
    /// let mut grid = Grid::from_fn(Extent::space(8, 8, 8), |_| 1.0_f64)?;
    /// grid.set_before(&[0.0; 8 * 8 * 8])?;
    /// let wave = Stencil::wave7(0.25).with_boundary([Boundary::Periodic; 3]);
    /// wave.run(&mut grid, 3)?.stable()?;
    /// assert_eq!(grid.row(0, 0), [4.0; 8]);
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Length`].
    pub fn set_before(&mut self, points: &[T]) -> Result<(), Error> {
        self.check_length(points.len(), self.layout.fields)?;
        self.rim = [0; 3];
        self.keeps_before = true;
        self.layout.spread(points, &mut self.back);
        Ok(())
    }

    /// Turns time round: what was one step before is now, and what is now was one step before. A
    /// wave then runs back to where it came from. A grid at rest stays as it is.
    ///
    /// ```
    /// use tilewise::stencil::{Extent, Grid, Stencil};
    /// let start = |at: [usize; 3]| if at == [4, 4, 4] { 1.0_f64 } else { 0.0 };
    /// let mut grid = Grid::from_fn(Extent::space(9, 9, 9), start)?;
    /// Stencil::wave7(0.25).run(&mut grid, 10)?.stable()?;
    /// grid.reverse();
    /// Stencil::wave7(0.25).run(&mut grid, 10)?.stable()?;
    /// // There again, but for rounding.
    /// assert!((grid.row(4, 4)[4] - 1.0).abs() < 1e-12);
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub fn reverse(&mut self) {
        if self.keeps_before {
            self.swap();
            self.rim = [0; 3];
        }
    }

    /// Sets what no step changes, such as coefficients that differ from point to point: whole
    /// fields in row-major order, one after the other. A medium that was not set is 1 everywhere,
    /// and with no points at all they are as if they had never been set.
    ///
    /// How many of them a formula has ([`Formula::MEDIA`](super::Formula::MEDIA)) is only known when it
    /// steps the grid. One without media passes them by, and they stay for the next that has some; one
    /// with media refuses a grid on which another number of them was set ([`Error::Media`]).
    ///
    /// # Errors
    /// [`Error::Length`] when the slice is not as long as a whole number of fields,
    /// [`Error::NotFinite`] for a value that is no number to compute with,
    /// [`Error::TooLarge`], [`Error::OutOfMemory`].
    pub fn set_media(&mut self, points: &[T]) -> Result<(), Error> {
        if points.is_empty() {
            self.media = Media::unset()?;
            return Ok(());
        }
        let extent = self.extent();
        let each = extent.x * extent.y * extent.z;
        let count = (points.len() / each).max(1);
        self.check_length(points.len(), count)?;
        self.media = Media::set(extent, count, points)?;
        Ok(())
    }

    /// The least and the greatest value of the media.
    pub(super) fn media_range(&self) -> [f64; 2] {
        self.media.range()
    }

    /// Points along each axis.
    pub fn extent(&self) -> Extent {
        self.layout.extent
    }

    /// How many fields are stepped together.
    pub fn fields(&self) -> usize {
        self.layout.fields
    }

    /// One row of points of the first field; those at its ends belong to the rim.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, y: usize, z: usize) -> &[T] {
        self.field_row(0, y, z)
    }

    /// One row of points of a field.
    ///
    /// # Panics
    /// When there is no such field or row.
    pub fn field_row(&self, field: usize, y: usize, z: usize) -> &[T] {
        &self.front[self.place(field, y, z)]
    }

    /// One row of points of a field, to be written. What was one step before stays.
    ///
    /// # Panics
    /// When there is no such field or row.
    pub fn field_row_mut(&mut self, field: usize, y: usize, z: usize) -> &mut [T] {
        // The rim may be written, too.
        self.rim = [0; 3];
        let place = self.place(field, y, z);
        &mut self.front[place]
    }

    /// One row of points of a field as they were one step before, if they were
    /// [set](Grid::set_before) or the stencil that ran last asks for them.
    ///
    /// # Panics
    /// When there is no such field or row.
    pub fn row_before(&self, field: usize, y: usize, z: usize) -> Option<&[T]> {
        let place = self.place(field, y, z);
        self.keeps_before.then(|| &self.back[place])
    }

    /// Where a row of a field stands.
    fn place(&self, field: usize, y: usize, z: usize) -> Range<usize> {
        let (extent, fields) = (self.extent(), self.fields());
        assert!(
            field < fields && y < extent.y && z < extent.z,
            "row y = {y}, z = {z} of field {field} of {fields} on a grid of {extent}"
        );
        let first = self.layout.row(field, y, z);
        first..first + extent.x
    }

    /// The bytes of both buffers and the media, padding included.
    pub fn bytes(&self) -> usize {
        2 * size_of_val::<[T]>(&self.front) + size_of_val(self.media.numbers().0)
    }

    /// Fills what lies between the rows, which no result may depend on: for tests.
    #[doc(hidden)]
    pub fn fill_padding(&mut self, value: T) {
        let Layout { extent: Extent { x, y, .. }, stride, layer, margin, .. } = self.layout;
        let (media, count) = self.media.numbers_mut();
        let media = (count > 0).then_some((media, count));
        let both: [&mut [T]; 2] = [&mut self.front, &mut self.back];
        let both = both.map(|buffer| (buffer, self.layout.fields));
        for (buffer, fields) in both.into_iter().chain(media) {
            let planes = buffer.len() - margin;
            buffer[..margin].fill(value);
            buffer[planes..].fill(value);
            for plane in buffer[margin..planes].chunks_exact_mut(layer * fields) {
                let (rows, behind) = plane.split_at_mut(stride * fields * y);
                behind.fill(value);
                rows.chunks_exact_mut(stride).for_each(|row| row[x..].fill(value));
            }
        }
    }

    /// Fills what tiles keep, which no result may depend on either: for tests.
    #[doc(hidden)]
    pub fn fill_scratch(&mut self, value: T) {
        self.scratch.fill(value);
    }

    fn check_length(&self, given: usize, fields: usize) -> Result<(), Error> {
        let extent = self.extent();
        let expected = fields * extent.x * extent.y * extent.z;
        if given == expected { Ok(()) } else { Err(Error::Length { extent, expected, given }) }
    }
}
