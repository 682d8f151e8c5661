//! Rows in registers: what a band reads sideways it reads once.
//!
//! Neighbours along a row are parts of two registers. Read off their place, nearly every register
//! of 64 bytes stands across two lines, which takes a Zen 4 core two cycles instead of one (`heat7`
//! needs 12 loads, 4 of them such, for two registers of sums). Held are the register at hand and
//! those to its left and right; the neighbours are [joined](FloatExtra::JOINS) of two.
//!
//! Of the speed of reading them on one Zen 4 core, `f32` and `f64`: `heat7` 1.1 to 1.3 from cache,
//! 1.2 to 1.4 a step at a time from memory (two planes side by side), `heat27` 1.0 to 1.4,
//! `heat25` 1.05 to 1.25, `heat5` 1.15 to 1.2, waves of order 2, 4 and 8 0.97 to 1.1. Four rows
//! side by side, two of two planes, make 0.93 to 1.02 of the speed of two planes (512 points an
//! axis, `f32`, with all loops written out; 0.3 to 0.6 as the compiler leaves them). Where two cores
//! together wait for memory it makes no difference. Zen 5 and Intel have not been measured; another
//! way to shift lanes lost on Zen 5 ([`sweep`](super::sweep)).

use super::formula::{Formula, Reach, Shape};
use crate::vector::{FloatExtra, Real, Spot, Window};
use core::marker::PhantomData;

/// The rows a band looks at sideways as it moves along them, where registers are cheaper to
/// [join](FloatExtra::JOINS) than to read off their place: every line of them is read once.
pub(super) struct Held<S: FloatExtra, T: Real, F, const N: usize, const BY: usize, const BZ: usize>
{
    simd: S,
    /// To the left of where the band is, there, and to the right.
    registers: [[T::Register<S>; 3]; HELD],
    formula: PhantomData<F>,
}

/// The most rows that are held: those of a box of radius 1 in space.
const HELD: usize = 9;

impl<S: FloatExtra, T: Real, F: Formula<T>, const N: usize, const BY: usize, const BZ: usize>
    Held<S, T, F, N, BY, BZ>
{
    const REACH: Reach = Reach::of::<T, F>(BY, BZ);
    const ALL: bool = matches!(F::SHAPE, Shape::Box);

    /// How many rows are looked at sideways.
    const COUNT: usize = if Self::ALL { Self::REACH.own(0) } else { F::FIELDS * BY * BZ };

    /// Whether rows are held. Which registers a formula asks for must be known when it is compiled,
    /// or they are kept in memory: it must be [written out](Formula::WRITTEN_OUT), and there must
    /// be few of them for the loops here.
    pub(super) const PAYS: bool = S::JOINS && F::WRITTEN_OUT && Self::COUNT <= HELD;

    /// The number of a row among those that are held, if it is: a star looks sideways from the
    /// band's own rows, a box from all.
    #[inline(always)]
    pub(super) const fn slot(field: usize, y: isize, z: isize) -> Option<usize> {
        if Self::ALL {
            return Some(field * Self::REACH.rows() + Self::REACH.index(y, z));
        }
        let own = y >= 0 && y < BY as isize && z >= 0 && z < BZ as isize;
        if own { Some((field * BZ + z as usize) * BY + y as usize) } else { None }
    }

    /// Calls `hold` with the slot of each row that is held and its strip.
    #[inline(always)]
    fn rows(mut hold: impl FnMut(usize, usize)) {
        if Self::ALL {
            for strip in 0..Self::REACH.own(0) {
                hold(strip, strip);
            }
            return;
        }
        for target in 0..BZ * F::FIELDS {
            for y in 0..BY {
                let (field, z) = (target / BZ, target % BZ);
                let row = Self::REACH.index(y as isize, z as isize);
                hold(target * BY + y, field * Self::REACH.rows() + row);
            }
        }
    }

    /// As if at the register before `at`: to [advance](Held::advance) to `at` comes next.
    #[inline(always)]
    pub(super) fn new<const R: usize>(simd: S, window: &Window<'_, S, T, N, R>, at: usize) -> Self {
        let mut registers = [[T::splat(simd, T::default()); 3]; HELD];
        Self::rows(
            #[inline(always)]
            |slot, strip| {
                let left = window.beside(strip, at as isize - 1);
                registers[slot] = [left, left, window.beside(strip, at as isize)];
            },
        );
        Held { simd, registers, formula: PhantomData }
    }

    /// Comes to `spot`, the next register.
    #[inline(always)]
    pub(super) fn advance<const R: usize>(&mut self, spot: Spot<'_, '_, S, T, N, R>) {
        Self::rows(
            #[inline(always)]
            |slot, strip| {
                let [_, left, here] = self.registers[slot];
                self.registers[slot] = [left, here, spot.right(strip)];
            },
        );
    }

    /// What stands `off` numbers to the right in a row it holds.
    #[inline(always)]
    pub(super) fn get(&self, slot: usize, off: isize) -> T::Register<S> {
        let ([left, here, right], lanes) = (self.registers[slot], T::lanes::<S>());
        assert!(off.unsigned_abs() <= lanes, "{off} numbers off a place of {lanes} lanes");
        match off {
            0 => here,
            1.. => T::join(self.simd, here, right, off as usize),
            _ => T::join(self.simd, left, here, lanes - off.unsigned_abs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stencil::heat::{Compact, Heat};
    use crate::stencil::react::GrayScott;
    use crate::stencil::wave::Wave;
    use alloc::vec::Vec;
    use pulp::Scalar;

    /// A row has a slot if and only if it is looked at sideways, and the slot holds that row.
    fn agrees<F: Formula<f32>, const BY: usize, const BZ: usize>() {
        let reach = Reach::of::<f32, F>(BY, BZ);
        let mut slots = Vec::new();
        for strip in 0..reach.own(0) {
            let (field, row) = (strip / reach.rows(), strip % reach.rows());
            let [y, z] = reach.place(row);
            assert_eq!(reach.index(y, z), row);
            let slot = Held::<Scalar, f32, F, 0, BY, BZ>::slot(field, y, z);
            assert_eq!(slot.is_some(), reach.sideways(strip), "row {y}, {z} of field {field}");
            slots.extend(slot.map(|slot| (slot, strip)));
        }
        assert!(!slots.is_empty());
        slots.sort_unstable();
        let mut held = Vec::new();
        Held::<Scalar, f32, F, 0, BY, BZ>::rows(|slot, strip| held.push((slot, strip)));
        assert_eq!(slots, held);
    }

    #[test]
    fn what_is_looked_at_sideways_is_held() {
        agrees::<Heat<f32, 1, 1>, 1, 1>();
        agrees::<Heat<f32, 2, 1>, 1, 2>();
        agrees::<Heat<f32, 3, 1>, 2, 1>();
        agrees::<Heat<f32, 3, 1>, 1, 2>();
        agrees::<Heat<f32, 3, 2>, 2, 2>();
        agrees::<Heat<f32, 3, 4>, 1, 1>();
        agrees::<Compact<f32, 2>, 1, 2>();
        agrees::<Compact<f32, 3>, 1, 1>();
        agrees::<Wave<f32, 2>, 1, 1>();
        agrees::<Wave<f32, 4>, 2, 3>();
        agrees::<GrayScott<f32>, 1, 1>();
    }
}
