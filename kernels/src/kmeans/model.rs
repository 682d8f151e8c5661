//! What a fit leaves: centres, and labels, distances and scores of points by them.

use super::plan::{Job, Plan};
use super::recipe::{WORTH_A_CALL, members};
use super::source::Source;
use super::task::check_weights;
use super::{Error, Recipe, Shape};
use crate::buffer::zeros;
use crate::cache::CacheSizes;
use crate::points::{Element, NotFinite};
use crate::vector::Real;
use crate::{Isa, Matrix, Team};
use alloc::vec::Vec;

/// `k` centres of `d` features, all finite; `C` is `f32` or `f64`.
///
/// Points may be of another precision than the centres: both are widened to `f64`, exactly, and
/// labels are those of that arithmetic. With the `serde` feature it can be stored; what is read
/// back is checked.
///
/// ```
/// use tilewise::{Matrix, kmeans::Centres};
/// let centres = Centres::new(Matrix::new(&[0.0, 10.0], 2, 1)?)?;
/// let pixels = [9u8, 1, 6];
/// assert_eq!(centres.predict(Matrix::new(&pixels, 3, 1)?)?, [1, 0, 1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Stored<C>"))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        deserialize = "C: Real + serde::Deserialize<'de>",
        serialize = "C: serde::Serialize"
    ))
)]
pub struct Centres<C = f32> {
    k: usize,
    d: usize,
    values: Vec<C>,
}

/// Centres as they were read, not yet checked.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored<C> {
    k: usize,
    d: usize,
    values: Vec<C>,
}

#[cfg(feature = "serde")]
impl<C: Real> TryFrom<Stored<C>> for Centres<C> {
    type Error = Error;

    fn try_from(stored: Stored<C>) -> Result<Self, Error> {
        let Stored { k, d, values } = stored;
        let expected = k.saturating_mul(d);
        if values.len() != expected {
            return Err(Error::Shape { what: "values", given: values.len(), expected });
        }
        Centres::new(Matrix::new(&values, k, d)?)
    }
}

impl<C: Real> Centres<C> {
    /// Takes the rows of a matrix.
    ///
    /// # Errors
    /// [`Error::NoClusters`], [`Error::NoFeatures`], [`Error::Centres`] for a NaN or an infinity.
    pub fn new(rows: Matrix<'_, C>) -> Result<Self, Error> {
        let (k, d) = (rows.rows(), rows.cols());
        if k == 0 {
            return Err(Error::NoClusters);
        }
        if d == 0 {
            return Err(Error::NoFeatures);
        }
        if let Some(bad) = NotFinite::find(rows) {
            return Err(Error::Centres(bad));
        }
        Ok(Self::of(k, d, (0..k).flat_map(|row| rows.row(row)).copied().collect()))
    }

    /// What is known to be right.
    pub(super) fn of(k: usize, d: usize, values: Vec<C>) -> Self {
        Centres { k, d, values }
    }

    /// How many centres.
    pub fn k(&self) -> usize {
        self.k
    }

    /// How many features each has.
    pub fn d(&self) -> usize {
        self.d
    }

    /// The centres, one a row.
    pub fn rows(&self) -> Matrix<'_, C> {
        Matrix::new(&self.values, self.k, self.d).expect("k rows of d features")
    }

    /// Labels points with the index of their nearest centre, the lowest among equals.
    ///
    /// No points have no labels: of no rows, with as many columns as the centres have, the answer is
    /// empty. A fit refuses them ([`Error::NoPoints`]).
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of features, [`Error::Points`] for a NaN or an
    /// infinity, [`Error::Read`], [`Error::OutOfMemory`].
    pub fn predict<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
    ) -> Result<Vec<u32>, Error> {
        let source = points.into();
        self.check(&source)?;
        let mut labels = zeros(source.n())?;
        self.assign(source, &mut labels, None)?;
        Ok(labels)
    }

    /// The distances (not squared) of all points to all centres, taken in `f64` and rounded to
    /// `D`: a row for each point.
    ///
    /// # Errors
    /// As [`Centres::predict`].
    pub fn transform<'a, T: Element, D: Real>(
        &self,
        points: impl Into<Source<'a, T>>,
    ) -> Result<Vec<D>, Error> {
        let (source, k) = (points.into(), self.k);
        self.check(&source)?;
        let (plan, threads) = self.plan(&source)?;
        let mut distances = zeros(source.n().saturating_mul(k))?;
        let mut scratch = plan.scratch(threads)?;
        on_cores(threads, |team| {
            let job = Job { plan: &plan, source, centres: self.rows() };
            job.distances(&mut distances, &mut scratch, team)
        })?;
        Ok(distances)
    }

    /// The negative of the sum of the squared distances of points to their nearest centres, each
    /// times its weight if there are weights.
    ///
    /// # Errors
    /// As [`Centres::predict`]; [`Error::Shape`] for another number of weights than points, and
    /// [`Error::Weight`] for one that is NaN, negative or larger than a fit takes. They may all be 0.
    pub fn score<'a, T: Element>(
        &self,
        points: impl Into<Source<'a, T>>,
        weights: Option<&[f64]>,
    ) -> Result<f64, Error> {
        let source = points.into();
        self.check(&source)?;
        weights.map_or(Ok(()), |weights| check_weights(weights, source.n()))?;
        let (mut labels, mut distances) = (zeros(source.n())?, zeros(source.n())?);
        self.assign(source, &mut labels, Some(&mut distances))?;
        let weight = |point: usize| weights.map_or(1.0, |weights| weights[point]);
        Ok(-distances.iter().enumerate().map(|(at, distance)| distance * weight(at)).sum::<f64>())
    }

    fn assign<T: Element>(
        &self,
        source: Source<'_, T>,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
    ) -> Result<(), Error> {
        let (plan, threads) = self.plan(&source)?;
        let mut scratch = plan.scratch(threads)?;
        on_cores(threads, |team| {
            plan.assign(source, self.rows(), labels, distances, &mut scratch, team)
        })
    }

    /// Before anything is made for each point: rows without columns may be more than can be counted
    /// through.
    fn check<T: Element>(&self, source: &Source<'_, T>) -> Result<(), Error> {
        let (given, expected) = (source.d(), self.d);
        match given == expected {
            true => Ok(()),
            false => Err(Error::Shape { what: "features of the points", given, expected }),
        }
    }

    fn plan<T: Element>(&self, source: &Source<'_, T>) -> Result<(Plan, usize), Error> {
        let shape = Shape { n: source.n(), d: self.d, k: self.k };
        let recipe = estimate(shape, WORTH_A_CALL);
        Ok((Plan::new(shape, Isa::best(), recipe)?, recipe.threads))
    }
}

/// A recipe for this machine; each member of the team, which has to be made, is to have `worth`
/// distances.
pub(super) fn estimate(shape: Shape, worth: usize) -> Recipe {
    // The system is asked only where there is work for a team: its answer takes some twenty system calls.
    let cores = match members(shape, worth) {
        1 => 1,
        most => cores().min(most),
    };
    Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), cores)
}

/// How many cores this process may use.
fn cores() -> usize {
    #[cfg(feature = "std")]
    return std::thread::available_parallelism().map_or(1, usize::from);
    #[cfg(not(feature = "std"))]
    1
}

/// Runs `work` on a team of `threads` where there are threads, else alone.
pub(super) fn on_cores<R>(threads: usize, work: impl FnOnce(&dyn Team) -> R) -> R {
    #[cfg(feature = "std")]
    if threads > 1
        && let Ok(team) = crate::SpinTeam::new(threads)
    {
        return work(&team);
    }
    let _ = threads;
    work(&crate::Solo)
}
