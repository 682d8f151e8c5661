//! What can be wrong with a K-Means call.

use super::chunks::ReadError;
use super::recipe::{Form, Tile};
use crate::Isa;
use crate::buffer::OutOfMemory;
use crate::isa::MissingIsa;
use crate::matrix::LayoutError;
use crate::points::NotFinite;

/// Why a plan could not be made or a call was refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No clusters.
    #[error("k = 0 clusters were asked for; ask for at least 1")]
    NoClusters,
    /// More clusters than points.
    #[error("k = {k} clusters were asked for, but there are only {n} points; use k <= {n}")]
    TooManyClusters {
        /// Clusters asked for.
        k: usize,
        /// Points there are.
        n: usize,
    },
    /// Nothing to cluster.
    #[error("there are no points; give at least 1")]
    NoPoints,
    /// Points without features.
    #[error("the points have 0 features; give at least 1 column")]
    NoFeatures,
    /// A dimension that no label or storage can count.
    #[error("{what} = {value} is too large; at most {most} is supported")]
    TooLarge {
        /// Which dimension.
        what: &'static str,
        /// Its value.
        value: usize,
        /// The most that is supported.
        most: usize,
    },
    /// Something of another size than the plan or the points say.
    #[error("{what}: {given} given, {expected} expected")]
    Shape {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        given: usize,
        /// How many there should be.
        expected: usize,
    },
    /// More points than the plan was made for.
    #[error("{given} points given to a plan for at most {most}; make a plan for more")]
    TooManyPoints {
        /// Points given.
        given: usize,
        /// What the plan was made for.
        most: usize,
    },
    /// A NaN or an infinity among the points.
    #[error("points: {0}")]
    Points(NotFinite),
    /// A NaN or an infinity among the centres.
    #[error("centres: {0}")]
    Centres(NotFinite),
    /// A value whose squares would leave the range of `f64`.
    #[error(
        "point {point} has the value {value:e}; at most {most:e}, up or down, can be clustered"
    )]
    TooFar {
        /// Which point.
        point: usize,
        /// The value.
        value: f64,
        /// Most that is supported.
        most: f64,
    },
    /// A centre to start from that centres of the points' type cannot be.
    #[error(
        "given centre {centre} has the value {value:e}; at most {most:e}, up or down, can be a centre of such points"
    )]
    CentreTooFar {
        /// Which centre.
        centre: usize,
        /// The value given.
        value: f64,
        /// Most that is supported.
        most: f64,
    },
    /// A weight that is none.
    #[error("the weight of point {point} is {weight}; expected 0 to {most:e}")]
    Weight {
        /// Which point.
        point: usize,
        /// Its weight.
        weight: f64,
        /// Most that is supported.
        most: f64,
    },
    /// All weights are 0.
    #[error("every point weighs 0; give at least 1 point a weight")]
    NoWeight,
    /// Weights that are too small to be summed.
    #[error(
        "the points weigh {together:e} together; expected {least:e} or more: multiply every weight by the same number"
    )]
    TooLight {
        /// The sum of all weights.
        together: f64,
        /// The least that is supported.
        least: f64,
    },
    /// Fewer points to draw from than are needed.
    #[error("k = {k} points are to be drawn, but only {positive} weigh more than 0")]
    TooFewWeighted {
        /// Points needed.
        k: usize,
        /// Points that can be drawn.
        positive: usize,
    },
    /// Fewer draws were given than are needed.
    #[error("the draws given are used up; give more, or a seed")]
    TooFewDraws,
    /// A draw that is none.
    #[error("a draw of {0} was given; expected at least 0 and less than 1")]
    Draw(f64),
    /// No start.
    #[error("n_init = 0; allow at least 1 start")]
    NoStarts,
    /// A tolerance that is no distance.
    #[error("tol = {0}; it must be finite and not negative")]
    Tolerance(f64),
    /// No iterations.
    #[error("max_iter = 0; allow at least 1 iteration")]
    NoIterations,
    /// A recipe with a tile there is no kernel for.
    #[error("recipe: no {form} kernel with a tile of {tile} on {isa}; see kmeans::tiles")]
    Tile {
        /// The form asked for.
        form: Form,
        /// The tile asked for.
        tile: Tile,
        /// On which instruction set.
        isa: Isa,
    },
    /// A recipe with bounds where there are none.
    #[error(
        "recipe: bounds are for points in the lanes with up to {most} features, not for {form} with {d}; set bounds to false"
    )]
    Bounds {
        /// The form asked for.
        form: Form,
        /// Features of a point.
        d: usize,
        /// The most features the bound is proven for.
        most: usize,
    },
    /// A recipe for nobody.
    #[error("recipe: threads = 0; use at least 1")]
    NoThreads,
    /// Points that are not in memory could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Scratch made for something else.
    #[error("the scratch was made by a plan of another shape or recipe; make it with this one")]
    Scratch,
    /// The CPU lacks the instruction set.
    #[error(transparent)]
    Isa(#[from] MissingIsa),
    /// Sizes that do not fit their storage.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// Not enough memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl Error {
    /// The first point it is about, if it is about points.
    pub(super) fn place(&self) -> Option<usize> {
        match self {
            Error::Read(error) => Some(error.first),
            Error::Points(bad) => Some(bad.row),
            Error::TooFar { point, .. } => Some(*point),
            _ => None,
        }
    }
}
