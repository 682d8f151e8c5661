//! What a fit works on, and with: handed down as one.

use super::held::Piece;
use super::plan::Plan;
use super::source::{Source, attempt};
use super::{Error, Shape};
use crate::Team;
use crate::buffer::{Buffer, LINE};
use crate::matrix::Disjoint;
use crate::points::Element;
use alloc::{vec, vec::Vec};

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

/// Least that all points may weigh together. What values times weights then lose at the lower end of
/// the range of `f64` is below what squared distances have lost there long before.
const LEAST: f64 = 1e-100;

/// Refuses weights that are none, or not one for each of `n` points.
pub(super) fn check_weights(weights: &[f64], n: usize) -> Result<(), Error> {
    if weights.len() != n {
        return Err(Error::Shape { what: "weights", given: weights.len(), expected: n });
    }
    let wrong = |weight: &f64| !(0.0..=MOST.1).contains(weight);
    match weights.iter().position(wrong) {
        Some(point) => Err(Error::Weight { point, weight: weights[point], most: MOST.1 }),
        None => Ok(()),
    }
}

/// What is asked of the points of a member.
type Check<'a, T> = dyn Fn(usize, &Piece<'_, T>) -> Result<(), Error> + Sync + 'a;

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
    /// of each feature.
    pub(super) fn check(&self, k: usize) -> Result<Vec<f64>, Error> {
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
        for (what, given, expected) in
            [("clusters of the plan", shape.k, k), ("features of the points", d, shape.d)]
        {
            if given != expected {
                return Err(Error::Shape { what, given, expected });
            }
        }
        if let Some(weights) = self.weights {
            check_weights(weights, n)?;
            let together = self.weights_together();
            if weights.iter().all(|weight| *weight == 0.0) {
                return Err(Error::NoWeight);
            }
            if together < LEAST {
                return Err(Error::TooLight { together, least: LEAST });
            }
        }
        self.check_values()
    }

    fn check_values(&self) -> Result<Vec<f64>, Error> {
        let (source, d) = (self.source, self.source.d());
        let loops = self.plan.engine().over::<T>();
        let all = |check: &Check<'_, T>| {
            attempt(self.team, &|member| {
                let share = member.share(source.blocks());
                source.each(share, |piece| check(member.index(), &piece))
            })
        };
        // Members do not write to the same lines.
        let each = d.next_multiple_of(LINE / size_of::<u64>());
        let mut found = Buffer::zeroed(self.team.size().saturating_mul(each))?;
        let shared = Disjoint::new(&mut found);
        all(&|member, piece| {
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every member has a part of its own, and one piece at a time.
            let mine = unsafe { shared.part(member * each..member * each + d) };
            loops.raise(piece, mine);
            let finite = mine.iter().all(|&bits| f64::from_bits(bits).is_finite());
            if finite { Ok(()) } else { piece.check_finite() }
        })?;
        let mut largest = vec![0.0; d];
        for of_member in found.chunks_exact(each) {
            for (largest, &bits) in largest.iter_mut().zip(of_member) {
                *largest = f64::max(*largest, f64::from_bits(bits));
            }
        }
        // After all of the other: which is reported depends on neither parts nor threads.
        if largest.iter().any(|largest| *largest > MOST.0) {
            all(&|_, piece| piece.check_near(MOST.0))?;
        }
        Ok(largest)
    }

    /// The sizes.
    pub(super) fn shape(&self) -> Shape {
        Shape { n: self.source.n(), ..self.plan.shape() }
    }
}
