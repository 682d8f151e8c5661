//! What no step changes, such as coefficients that differ from point to point: fields beside those of
//! a grid, set by its owner or 1 everywhere.
//!
//! Those that were not set are made for the plan that asks for them, as many as it has; nobody is
//! refused for what another plan asked for before.

use super::apart::{self, Apart};
use super::layout::{Extent, Layout};
use super::weights::is_finite;
use super::{Error, Form};
use crate::buffer::{Buffer, OutOfMemory};
use crate::team::Team;
use crate::vector::Real;

/// The media of a grid.
#[derive(Clone, Debug)]
pub(super) struct Media<T> {
    /// Laid out as the fields are.
    numbers: Apart<T>,
    /// How many fields there are.
    count: usize,
    /// Their least and their greatest value, if they were set.
    range: Option<[f64; 2]>,
}

impl<T: Real> Media<T> {
    /// None that were set.
    pub(super) fn unset() -> Result<Self, OutOfMemory> {
        Ok(Media { numbers: Apart::new(0, 0, Buffer::zeroed)?, count: 0, range: None })
    }

    /// `count` fields of an extent from their points in row-major order, one after the other.
    pub(super) fn set(extent: Extent, count: usize, points: &[T]) -> Result<Self, Error> {
        if let Some(index) = points.iter().position(|&value| !is_finite(value)) {
            return Err(Error::NotFinite { what: "a medium", index, value: points[index].into() });
        }
        let layout = Layout::new::<T>(extent, count)?;
        let mut numbers = Apart::new(layout.len(), apart::MEDIA, Buffer::zeroed)?;
        layout.spread(points, &mut numbers);
        let values = points.iter().map(|&value| value.into());
        let range = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[least, most], value| {
            [f64::min(least, value), f64::max(most, value)]
        });
        Ok(Media { numbers, count, range: Some(range) })
    }

    /// The least and the greatest value.
    pub(super) fn range(&self) -> [f64; 2] {
        self.range.unwrap_or([1.0; 2])
    }

    /// Whether a formula can be stepped with them.
    pub(super) fn suit(&self, form: Form) -> Result<(), Error> {
        let (expected, given) = (form.media, self.count);
        match self.range.is_none() || expected == 0 || expected == given {
            true => Ok(()),
            false => Err(Error::Media { expected, given }),
        }
    }

    /// Makes those of a formula that were not set.
    pub(super) fn provide(
        &mut self,
        form: Form,
        extent: Extent,
        team: &dyn Team,
    ) -> Result<(), Error> {
        // More of them are 1 everywhere, too.
        if self.range.is_none() && self.count < form.media {
            let layout = Layout::new::<T>(extent, form.media)?;
            let zeroed = |len| Buffer::zeroed_by(len, team);
            let mut numbers = Apart::new(layout.len(), apart::MEDIA, zeroed)?;
            numbers.fill(T::from_f64(1.0));
            (self.numbers, self.count) = (numbers, form.media);
        }
        Ok(())
    }

    /// The numbers, and how many fields there are.
    pub(super) fn numbers(&self) -> (&[T], usize) {
        (&self.numbers, self.count)
    }

    /// The same, to be written.
    pub(super) fn numbers_mut(&mut self) -> (&mut [T], usize) {
        (&mut self.numbers, self.count)
    }
}
