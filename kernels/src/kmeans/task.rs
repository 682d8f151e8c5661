//! What a fit works on, and with: handed down as one.

use super::held::Piece;
use super::plan::Plan;
use super::source::{Source, attempt};
use super::{Error, Shape};
use crate::Team;
use crate::points::Element;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Points, their weights, a plan and a team.
#[derive(Clone, Copy)]
pub(super) struct Task<'a, T: Element> {
    pub(super) source: Source<'a, T>,
    /// One for each point, unless every one weighs 1.
    pub(super) weights: Option<&'a [f64]>,
    pub(super) plan: &'a Plan,
    pub(super) team: &'a dyn Team,
}

/// Most that a value may be, up or down, where means and squared distances are taken, and most that
/// a point may weigh: sums of 2^60 weighted squares then stay in range.
const MOST: (f64, f64) = (1e115, 1e30);

impl<T: Element> Task<'_, T> {
    /// What a point weighs.
    #[inline(always)]
    pub(super) fn weight(&self, point: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[point])
    }

    /// What all points weigh together.
    pub(super) fn weights_together(&self) -> f64 {
        self.weights.map_or(self.source.n() as f64, |weights| weights.iter().sum())
    }

    /// Refuses points and weights that cannot be fitted to `k` centres; gives the largest magnitude
    /// of a feature.
    pub(super) fn check(&self, k: usize) -> Result<f64, Error> {
        let (n, d, shape) = (self.source.n(), self.source.d(), self.plan.shape());
        if k == 0 {
            return Err(Error::NoClusters);
        }
        if n == 0 {
            return Err(Error::NoPoints);
        }
        if k > n {
            return Err(Error::TooManyClusters { k, n });
        }
        if n > shape.n {
            return Err(Error::TooManyPoints { given: n, most: shape.n });
        }
        let weights = self.weights.map_or(n, <[f64]>::len);
        for (what, given, expected) in [
            ("clusters of the plan", shape.k, k),
            ("features of the points", d, shape.d),
            ("weights", weights, n),
        ] {
            if given != expected {
                return Err(Error::Shape { what, given, expected });
            }
        }
        self.check_values()
    }

    fn check_values(&self) -> Result<f64, Error> {
        let source = self.source;
        let largest = AtomicU64::new(0);
        let all = |check: &(dyn Fn(&Piece<'_, T>) -> Result<(), Error> + Sync)| {
            attempt(self.team, &|member| {
                source.each(member.share(source.blocks()), |piece| check(&piece))
            })
        };
        all(&|piece| {
            let magnitude = piece.largest();
            // Ordered as their bits are, what is not finite above all others.
            largest.fetch_max(magnitude.to_bits(), Relaxed);
            if magnitude.is_finite() { Ok(()) } else { piece.check_finite() }
        })?;
        let largest = f64::from_bits(largest.into_inner());
        // After all of the other: which is reported depends on neither parts nor threads.
        if largest > MOST.0 {
            all(&|piece| piece.check_near(MOST.0))?;
        }
        let Some(weights) = self.weights else {
            return Ok(largest);
        };
        let wrong = |weight: &f64| !(0.0..=MOST.1).contains(weight);
        if let Some(point) = weights.iter().position(wrong) {
            return Err(Error::Weight { point, weight: weights[point], most: MOST.1 });
        }
        if weights.iter().all(|weight| *weight == 0.0) {
            return Err(Error::NoWeight);
        }
        Ok(largest)
    }

    /// The sizes.
    pub(super) fn shape(&self) -> Shape {
        Shape { n: self.source.n(), ..self.plan.shape() }
    }
}
