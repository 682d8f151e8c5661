//! What a fit found: centres, labels, and how it went.

use super::Error;
use super::model::Centres;
use super::source::Source;
use crate::Matrix;
use crate::points::Element;
use crate::vector::Real;
use alloc::{vec, vec::Vec};

/// What a fit found; `C` is `f32` for points of `f32`, else `f64`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit<C = f32> {
    pub(super) centres: Centres<C>,
    pub(super) labels: Vec<u32>,
    pub(super) inertia: f64,
    pub(super) start: usize,
    pub(super) iterations: usize,
    pub(super) converged: bool,
    pub(super) stopped: bool,
}

impl<C: Real> Fit<C> {
    /// The centres, one a row.
    pub fn centres(&self) -> Matrix<'_, C> {
        self.centres.rows()
    }

    /// The centres, to label other points with, or to be stored.
    pub fn model(&self) -> &Centres<C> {
        &self.centres
    }

    /// The label of each point: the index of its nearest centre.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// The sum of the squared distances of the points to the centres of their labels, each times
    /// the point's weight.
    pub fn inertia(&self) -> f64 {
        self.inertia
    }

    /// Which start it is of, from 1: of several ([`KMeans::n_init`](super::KMeans::n_init)), the best
    /// one.
    pub fn start(&self) -> usize {
        self.start
    }

    /// How many times the centres were moved, the last time included.
    pub fn iterations(&self) -> usize {
        self.iterations
    }

    /// Whether it came to its end: in the last iteration no label changed any more, or the centres
    /// moved no further than the [tolerance](super::KMeans::tol). That may also be the last one that
    /// was allowed, or the one after which the watcher broke it off. If not, there were no iterations
    /// left ([`max_iter`](super::KMeans::max_iter)), or the watcher broke it off before.
    ///
    /// ```
    /// use tilewise::{Matrix, kmeans::KMeans};
    /// let (rows, start) = ([0.0, 1.0, 5.0, 6.0, 9.0, 20.0], [0.0, 1.0]);
    /// let rows = Matrix::new(&rows, 6, 1)?;
    /// let kmeans = KMeans::new(2).centres(Matrix::new(&start, 2, 1)?);
    /// assert!(kmeans.fit(rows)?.converged());
    /// assert!(!kmeans.max_iter(1).fit(rows)?.converged());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Whether the watcher broke it off, in this start or in a later one that came out worse.
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// How many centres have points: fewer than `k` where points lie in fewer places than that, which
    /// [`distinct`](crate::points::distinct) counts.
    pub fn clusters(&self) -> usize {
        let mut taken = vec![false; self.centres.k()];
        self.labels.iter().for_each(|label| taken[*label as usize] = true);
        taken.into_iter().filter(|taken| *taken).count()
    }

    /// [`Centres::predict`].
    ///
    /// # Errors
    /// As there.
    pub fn predict<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
    ) -> Result<Vec<u32>, Error> {
        self.centres.predict(points)
    }

    /// Whether inertia is less, and not by rounding of the same clusters otherwise numbered.
    pub(super) fn betters(&self, other: &Self, k: usize) -> bool {
        if self.inertia >= other.inertia {
            return false;
        }
        let mut names = vec![None; k];
        let same =
            |(label, other): (&u32, &u32)| *names[*label as usize].get_or_insert(*other) == *other;
        !self.labels.iter().zip(&other.labels).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(inertia: f64, labels: &[u32]) -> Fit<f64> {
        Fit {
            centres: Centres::of(3, 1, vec![0.0; 3]),
            labels: labels.to_vec(),
            inertia,
            start: 1,
            iterations: 1,
            converged: true,
            stopped: false,
        }
    }

    /// As scikit-learn has it, whose inertia may be less by rounding alone.
    #[test]
    fn less_inertia_is_better_but_for_other_numbers_of_the_same_clusters() {
        let best = fit(2.0, &[0, 0, 1, 2]);
        for (inertia, labels, better) in [
            (1.0, [0, 1, 1, 2], true),
            (1.0, [2, 2, 0, 0], true),
            (1.0, [0, 0, 1, 2], false),
            (1.0, [2, 2, 0, 1], false),
            (2.0, [0, 1, 1, 2], false),
            (3.0, [0, 1, 1, 2], false),
        ] {
            assert_eq!(fit(inertia, &labels).betters(&best, 3), better, "{inertia}, {labels:?}");
        }
    }
}
