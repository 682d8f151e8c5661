//! The definition: plain loops over plain arrays, which every recipe on every instruction set
//! must match bit for bit.

use super::formula::{Form, Formula, Near, Shape};
use super::heat::{Compact, Heat};
use super::react::GrayScott;
use super::wave::Wave;
use super::{Boundary, Error, Extent, Kind, Stencil};
use crate::vector::Real;
use alloc::vec::Vec;
use core::cell::Cell;
use core::marker::PhantomData;
use pulp::Scalar;

/// Fields in row-major order, rim included, field after field.
#[derive(Clone, Debug, PartialEq)]
pub struct State<T> {
    /// As they are.
    pub now: Vec<T>,
    /// As they were one step before.
    pub before: Vec<T>,
    /// What no step changes; nothing at all is 1 everywhere.
    pub media: Vec<T>,
}

impl<T: Real> State<T> {
    /// At rest: before is as now.
    pub fn at_rest(now: Vec<T>) -> Self {
        State { before: now.clone(), now, media: Vec::new() }
    }

    /// Steps a stencil.
    ///
    /// # Panics
    /// When there are fewer points than the extent has, or when the extent is too small for the
    /// stencil and its boundaries.
    pub fn run(&mut self, stencil: &Stencil, extent: Extent, steps: usize) {
        let Stencil { kind, coefficient, boundary } = *stencil;
        macro_rules! with {
            ($formula:expr) => {
                self.run_formula($formula, boundary, extent, steps)
            };
        }
        match kind {
            Kind::Heat3 => with!(Heat::<T, 1, 1>::new(coefficient)),
            Kind::Heat5 => with!(Heat::<T, 2, 1>::new(coefficient)),
            Kind::Heat9 => with!(Compact::<T, 2>::new(coefficient)),
            Kind::Heat7 => with!(Heat::<T, 3, 1>::new(coefficient)),
            Kind::Heat13 => with!(Heat::<T, 3, 2>::new(coefficient)),
            Kind::Heat25 => with!(Heat::<T, 3, 4>::new(coefficient)),
            Kind::Heat27 => with!(Compact::<T, 3>::new(coefficient)),
            Kind::Wave7 => with!(Wave::<T, 1>::new(coefficient)),
            Kind::Wave13 => with!(Wave::<T, 2>::new(coefficient)),
            Kind::Wave25 => with!(Wave::<T, 4>::new(coefficient)),
            Kind::GrayScott => with!(GrayScott::<T>::of_kind(coefficient)),
        }
    }

    /// Steps a formula.
    ///
    /// # Panics
    /// As [`State::run`].
    pub fn run_formula<F: Formula<T>>(
        &mut self,
        formula: F,
        boundary: [Boundary; 3],
        extent: Extent,
        steps: usize,
    ) {
        for _ in 0..steps {
            let mut next = self.now.clone();
            Step { extent, boundary, state: self }.all(formula, &mut next);
            self.before = core::mem::replace(&mut self.now, next);
        }
    }
}

/// `steps` steps of a stencil that begins at rest, in place; `points` holds all its fields.
///
/// # Panics
/// As [`State::run`].
pub fn run<T: Real>(stencil: &Stencil, extent: Extent, points: &mut [T], steps: usize) {
    let mut state = State::at_rest(points.to_vec());
    state.run(stencil, extent, steps);
    points.copy_from_slice(&state.now);
}

/// One step of everything.
struct Step<'a, T> {
    extent: Extent,
    boundary: [Boundary; 3],
    state: &'a State<T>,
}

impl<T: Real> Step<'_, T> {
    fn all<F: Formula<T>>(&self, formula: F, next: &mut [T]) {
        let Extent { x: row, y: rows, z: planes } = self.extent;
        let places =
            [(0, row), (1, rows), (2, planes)].map(|(axis, points)| self.places::<F>(axis, points));
        let inside = |axis: usize, at: usize, points: usize| {
            axis >= F::DIMENSIONS || self.boundary[axis].updated(points, F::RADIUS).contains(&at)
        };
        for field in 0..F::FIELDS {
            for z in 0..planes {
                for y in 0..rows {
                    for x in 0..row {
                        // A fixed rim keeps what it has.
                        if inside(0, x, row) && inside(1, y, rows) && inside(2, z, planes) {
                            let (at, places) = ([x, y, z], &places);
                            let near = Point { step: self, at, places, formula: PhantomData::<F> };
                            let new = formula.update(Scalar::new(), field, near);
                            next[near.index(field, at)] = bytemuck::cast(new);
                        }
                    }
                }
            }
        }
    }

    /// The points that stand for the places of an axis, from a radius before its first one on.
    fn places<F: Formula<T>>(&self, axis: usize, points: usize) -> Vec<usize> {
        let (first, end) = (-(F::RADIUS as isize), (points + F::RADIUS) as isize);
        // Nobody looks past a rim, nor along the axes a plane or a line does not have.
        let inside = self.boundary[axis] == Boundary::Fixed || axis >= F::DIMENSIONS;
        let find = |at: isize| match inside {
            true => at.clamp(0, points as isize - 1) as usize,
            false => self.boundary[axis].find(at, points),
        };
        (first..end).map(find).collect()
    }
}

/// What a formula sees from one point.
struct Point<'a, T, F> {
    step: &'a Step<'a, T>,
    at: [usize; 3],
    places: &'a [Vec<usize>; 3],
    formula: PhantomData<F>,
}

impl<T, F> Clone for Point<'_, T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, F> Copy for Point<'_, T, F> {}

impl<T, F> Point<'_, T, F> {
    fn index(self, field: usize, [x, y, z]: [usize; 3]) -> usize {
        let Extent { x: row, y: rows, z: planes } = self.step.extent;
        ((field * planes + z) * rows + y) * row + x
    }
}

impl<T: Real, F: Formula<T>> Near<T, Scalar> for Point<'_, T, F> {
    #[inline(always)]
    fn at(self, field: usize, off: [isize; 3]) -> T::Register<Scalar> {
        let place = |axis: usize| {
            self.places[axis][(self.at[axis] + F::RADIUS).wrapping_add_signed(off[axis])]
        };
        let index = self.index(field, [place(0), place(1), place(2)]);
        bytemuck::cast(self.step.state.now[index])
    }

    #[inline(always)]
    fn before(self, field: usize) -> T::Register<Scalar> {
        bytemuck::cast(self.step.state.before[self.index(field, self.at)])
    }

    #[inline(always)]
    fn medium(self, medium: usize) -> T::Register<Scalar> {
        let media = &self.step.state.media;
        let one = T::from_f64(1.0);
        bytemuck::cast(if media.is_empty() { one } else { media[self.index(medium, self.at)] })
    }
}

/// Updates one point of nowhere to find out whether a formula looks where it says it does.
pub(super) fn probe<T: Real, F: Formula<T>>(formula: F) -> Result<(), Error> {
    let wrong = Cell::new(None);
    for field in 0..F::FIELDS {
        formula.update(Scalar::new(), field, Probe::<T, F> { wrong: &wrong, kind: PhantomData });
    }
    wrong.take().map_or(Ok(()), Err)
}

/// Notes what a formula should not look at.
struct Probe<'a, T, F> {
    wrong: &'a Cell<Option<Error>>,
    kind: PhantomData<(T, F)>,
}

impl<T, F> Clone for Probe<'_, T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, F> Copy for Probe<'_, T, F> {}

impl<T: Real, F: Formula<T>> Probe<'_, T, F> {
    fn look(self, right: bool, wrong: Error) -> T::Register<Scalar> {
        if !right {
            self.wrong.set(Some(wrong));
        }
        bytemuck::cast(T::from_f64(1.0))
    }

    /// One of so many as a constant of the formula says.
    fn one_of(
        self,
        (what, number): (&'static str, usize),
        (constant, says): (&'static str, usize),
        there: usize,
    ) -> T::Register<Scalar> {
        let stencil = F::NAME;
        self.look(number < there, Error::Beyond { stencil, what, number, constant, says })
    }
}

impl<T: Real, F: Formula<T>> Near<T, Scalar> for Probe<'_, T, F> {
    fn at(self, field: usize, off: [isize; 3]) -> T::Register<Scalar> {
        let Form { dimensions, radius, fields, shape, .. } = const { Form::of::<T, F>() };
        let away = off.iter().filter(|&&along| along != 0).count();
        let near = off.iter().all(|along| along.unsigned_abs() <= radius);
        let flat = off[dimensions.min(3)..].iter().all(|&along| along == 0);
        let right = near && flat && (shape == Shape::Box || away <= 1);
        self.look(right, Error::Place { stencil: F::NAME, at: off });
        self.one_of(("field", field), ("FIELDS", fields), fields)
    }

    fn before(self, field: usize) -> T::Register<Scalar> {
        let of = ("the values before of field", field);
        match F::LEVELS {
            ..=1 => self.one_of(of, ("LEVELS", F::LEVELS), 0),
            _ => self.one_of(of, ("FIELDS", F::FIELDS), F::FIELDS),
        }
    }

    fn medium(self, medium: usize) -> T::Register<Scalar> {
        self.one_of(("medium", medium), ("MEDIA", F::MEDIA), F::MEDIA)
    }
}
