//! Where chance comes from: numbers a fit is given, so that it can be repeated, or made to follow
//! another library's.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Numbers drawn evenly from `[0, 1)`, one after the other.
///
/// A fit asks for a fixed number of them in a fixed order, whatever the data: for greedy
/// k-means++, one for the first centre, then `2 + floor(ln k)` for each further one; for random
/// points, `k` and, as long as some were drawn twice, one for each that is missing. Numpy's
/// `RandomState` draws these very numbers with `random_sample`, so scikit-learn's choices can be
/// had by drawing them there.
///
/// ```
/// use tilewise::kmeans::Draws;
/// let mut recorded = [0.25, 0.5].iter();
/// assert_eq!(recorded.draw(), Some(0.25));
/// ```
pub trait Draws {
    /// The next number, or nothing if there are no more: the fit then ends with
    /// [`Error::TooFewDraws`](super::Error::TooFewDraws), which may be what somebody wants who will
    /// not wait until all centres are chosen.
    fn draw(&mut self) -> Option<f64>;
}

/// Recorded numbers.
impl Draws for core::slice::Iter<'_, f64> {
    fn draw(&mut self) -> Option<f64> {
        self.next().copied()
    }
}

/// 53-bit fractions from PCG-64-MCG (`rand_pcg`): the same seed gives the same draws for ever.
#[derive(Clone, Debug)]
pub struct Seeded(Pcg64Mcg);

impl Seeded {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Self {
        Seeded(Pcg64Mcg::seed_from_u64(seed))
    }
}

impl Draws for Seeded {
    fn draw(&mut self) -> Option<f64> {
        Some((self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64)
    }
}
