//! What a run came to: whether the field stays bounded, and what it should have cost.

use super::{Kind, Recipe};
use alloc::{format, string::String};

/// What a run of a [`Stencil`](super::Stencil) came to. Whoever passes it by does not hear that
/// the field grows without bound, so the compiler asks for it.
///
/// ```
/// use tilewise::stencil::{Extent, Grid, Stencil};
/// let mut grid = Grid::from_fn(Extent::line(99), |[x, _, _]| x as f32)?;
/// // To go no further with such a field:
/// Stencil::heat3(0.5).run(&mut grid, 10)?.stable()?;
/// // To say so and go on:
/// if let Some(unstable) = Stencil::heat3(0.75).run(&mut grid, 10)?.warning() {
///     eprintln!("{unstable}");
/// }
/// // To see how it was stepped, and at which speed memory ends it:
/// let run = Stencil::heat3(0.5).run(&mut grid, 10)?;
/// let (bandwidth, recipe) = (20e9, run.recipe());
/// println!("{recipe}: {:.1e} updates a second at most", bandwidth / run.bytes_per_update());
/// # Ok::<(), tilewise::stencil::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "it may say that the field grows without bound: ask for `stable()` or `warning()`"]
pub struct Outcome {
    pub(super) warning: Option<Unstable>,
    pub(super) recipe: Recipe,
    pub(super) bytes_per_update: f64,
    pub(super) cache_footprint: usize,
}

impl Outcome {
    /// By which recipe the grid was stepped.
    pub fn recipe(self) -> Recipe {
        self.recipe
    }

    /// Bytes between memory and caches for one update, see
    /// [`Plan::bytes_per_update`](super::Plan::bytes_per_update): the bandwidth of memory divided by
    /// them is the most updates a second that a large grid can have.
    pub fn bytes_per_update(self) -> f64 {
        self.bytes_per_update
    }

    /// Bytes of cache that its tiles kept busy, see
    /// [`Plan::cache_footprint`](super::Plan::cache_footprint).
    pub fn cache_footprint(self) -> usize {
        self.cache_footprint
    }

    /// That the field grows without bound, if it does. The steps were made all the same.
    pub fn warning(self) -> Option<Unstable> {
        self.warning
    }

    /// Takes a field that grows without bound for an error.
    ///
    /// # Errors
    /// [`Unstable`].
    pub fn stable(self) -> Result<(), Unstable> {
        self.warning.map_or(Ok(()), Err)
    }
}

/// A step with which the field grows without bound.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error(
    "coefficient {coefficient:?} of {kind}{} is beyond the stability limit: expected 0 to {limit}, \
     or {} grows without bound; take smaller time steps",
    if *medium == 1.0 { String::new() } else { format!(", times a medium of {medium:?},") },
    if *kind == Kind::GrayScott { "what diffuses" } else { "the field" }
)]
#[must_use]
#[non_exhaustive]
pub struct Unstable {
    /// The stencil.
    pub kind: Kind,
    /// What was given.
    pub coefficient: f64,
    /// What the grid multiplies it by somewhere; 1 where there are no media.
    pub medium: f64,
    /// The largest stable one.
    pub limit: f64,
}
