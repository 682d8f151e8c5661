//! The definition: plain loops over plain arrays, which every recipe on every instruction set
//! must match bit for bit.

use super::formula::Formula;
use super::heat::{Compact, Heat};
use super::{Boundary, Extent, Kind, Stencil};
use crate::vector::Real;
use alloc::vec::Vec;

/// One step of a field in row-major order, rim included, from `source` into `target`. A fixed rim
/// is copied.
///
/// # Panics
/// When a slice is shorter than the extent has points, or when the extent is too small for the
/// stencil and its boundaries.
pub fn step<T: Real>(stencil: &Stencil, extent: Extent, source: &[T], target: &mut [T]) {
    let Stencil { kind, coefficient, boundary } = *stencil;
    let field = Field { extent, boundary, source };
    match kind {
        Kind::Heat3 => field.step(Heat::<T, 1, 1>::new(coefficient), target),
        Kind::Heat5 => field.step(Heat::<T, 2, 1>::new(coefficient), target),
        Kind::Heat9 => field.step(Compact::<T, 2>::new(coefficient), target),
        Kind::Heat7 => field.step(Heat::<T, 3, 1>::new(coefficient), target),
        Kind::Heat13 => field.step(Heat::<T, 3, 2>::new(coefficient), target),
        Kind::Heat25 => field.step(Heat::<T, 3, 4>::new(coefficient), target),
        Kind::Heat27 => field.step(Compact::<T, 3>::new(coefficient), target),
    }
}

/// `steps` steps in place.
///
/// # Panics
/// As [`step`].
pub fn run<T: Real>(stencil: &Stencil, extent: Extent, points: &mut [T], steps: usize) {
    let mut next = points.to_vec();
    for _ in 0..steps {
        step(stencil, extent, points, &mut next);
        points.copy_from_slice(&next);
    }
}

struct Field<'a, T> {
    extent: Extent,
    boundary: [Boundary; 3],
    source: &'a [T],
}

impl<T: Real> Field<'_, T> {
    /// One step of a formula, whose registers are numbers here.
    fn step<F: Formula<T>>(&self, formula: F, target: &mut [T]) {
        let simd = pulp::Scalar::new();
        let Extent { x: row, y: rows, z: planes } = self.extent;
        let places = [(0, row), (1, rows), (2, planes)]
            .map(|(axis, points)| self.places(axis, points, F::RADIUS));
        let [xs, ys, zs] = &places;
        let inside = |axis: usize, at: usize, points: usize| {
            axis >= F::DIMENSIONS || self.boundary[axis].updated(points, F::RADIUS).contains(&at)
        };
        for z in 0..planes {
            for y in 0..rows {
                for x in 0..row {
                    let at = (z * rows + y) * row + x;
                    if !(inside(0, x, row) && inside(1, y, rows) && inside(2, z, planes)) {
                        target[at] = self.source[at];
                        continue;
                    }
                    let off = |at: usize, off: isize| (at + F::RADIUS).wrapping_add_signed(off);
                    let new = formula.update(simd, |dx, dy, dz| {
                        let (y, z) = (ys[off(y, dy)], zs[off(z, dz)]);
                        bytemuck::cast(self.source[(z * rows + y) * row + xs[off(x, dx)]])
                    });
                    target[at] = bytemuck::cast(new);
                }
            }
        }
    }

    /// The points that stand for the places of an axis, from `radius` before its first one on.
    fn places(&self, axis: usize, points: usize, radius: usize) -> Vec<usize> {
        let (first, end) = (-(radius as isize), (points + radius) as isize);
        let find = |at: isize| match self.boundary[axis] {
            // Nobody looks past a rim, nor along the axes a plane or a line does not have.
            Boundary::Fixed => at.clamp(0, points as isize - 1) as usize,
            _ if points < radius => 0,
            boundary => boundary.find(at, points),
        };
        (first..end).map(find).collect()
    }
}
