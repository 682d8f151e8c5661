//! What a formula sees: the strips around a register of a band, and what the band holds of them.

use super::formula::{Formula, Near, Reach};
use super::held::Held;
use crate::vector::{FloatExtra, Real, Spot};
use core::marker::PhantomData;

/// What a formula sees from a register of the band's row `y` in its slice `z`.
pub(super) struct Around<
    'w,
    'a,
    S: FloatExtra,
    T: Real,
    F,
    const N: usize,
    const R: usize,
    const BY: usize,
    const BZ: usize,
> {
    spot: Spot<'w, 'a, S, T, N, R>,
    /// What has come there with the band; nothing at the ends of rows.
    held: Option<&'w Held<S, T, F, N, BY, BZ>>,
    /// `[y, z]`
    place: [usize; 2],
    formula: PhantomData<F>,
}

impl<S: FloatExtra, T: Real, F, const N: usize, const R: usize, const BY: usize, const BZ: usize>
    Clone for Around<'_, '_, S, T, F, N, R, BY, BZ>
{
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: FloatExtra, T: Real, F, const N: usize, const R: usize, const BY: usize, const BZ: usize>
    Copy for Around<'_, '_, S, T, F, N, R, BY, BZ>
{
}

impl<
    S: FloatExtra,
    T: Real,
    F: Formula<T>,
    const N: usize,
    const R: usize,
    const BY: usize,
    const BZ: usize,
> Near<T, S> for Around<'_, '_, S, T, F, N, R, BY, BZ>
{
    #[inline(always)]
    fn at(self, field: usize, [dx, dy, dz]: [isize; 3]) -> T::Register<S> {
        let reach = const { Reach::of::<T, F>(BY, BZ) };
        // The rows of a plane are its slices.
        let [dy, dz] = if F::DIMENSIONS == 2 { [0, dy] } else { [dy, dz] };
        let (y, z) = (self.place[0] as isize + dy, self.place[1] as isize + dz);
        match (self.held, Held::<S, T, F, N, BY, BZ>::slot(field, y, z)) {
            (Some(held), Some(slot)) => held.get(slot, dx),
            _ => self.read(field * reach.rows() + reach.index(y, z), dx),
        }
    }

    #[inline(always)]
    fn before(self, field: usize) -> T::Register<S> {
        self.own(field)
    }

    #[inline(always)]
    fn medium(self, medium: usize) -> T::Register<S> {
        self.own((F::LEVELS - 1) * F::FIELDS + medium)
    }
}

impl<
    'w,
    'a,
    S: FloatExtra,
    T: Real,
    F: Formula<T>,
    const N: usize,
    const R: usize,
    const BY: usize,
    const BZ: usize,
> Around<'w, 'a, S, T, F, N, R, BY, BZ>
{
    #[inline(always)]
    pub(super) fn new(
        spot: Spot<'w, 'a, S, T, N, R>,
        held: Option<&'w Held<S, T, F, N, BY, BZ>>,
        place: [usize; 2],
    ) -> Self {
        Around { spot, held, place, formula: PhantomData }
    }

    /// The same point of what comes after the fields.
    #[inline(always)]
    fn own(self, number: usize) -> T::Register<S> {
        let reach = const { Reach::of::<T, F>(BY, BZ) };
        self.read(reach.own(number) + self.place[1] * BY + self.place[0], 0)
    }

    /// A register of a strip. There may be room for more strips than the formula's.
    #[inline(always)]
    fn read(self, strip: usize, off: isize) -> T::Register<S> {
        let strips = const { Reach::of::<T, F>(BY, BZ).strips() };
        assert!(strip < strips, "strip {strip} of {strips}");
        self.spot.get(strip, off)
    }
}
