//! What can be wrong with a grid, a stencil or a recipe.

use super::{Extent, Kind, SideBySide, Unstable};
use crate::buffer::OutOfMemory;
use crate::isa::{Isa, MissingIsa};
use core::fmt;

/// A stencil that cannot be run as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An axis without a point inside the rim (or without any point).
    #[error("a grid of {extent} has {points} points along {axis}; expected at least {least}")]
    TooSmall {
        /// The grid asked for.
        extent: Extent,
        /// `'x'`, `'y'` or `'z'`.
        axis: char,
        /// Points along it.
        points: usize,
        /// The fewest that make sense.
        least: usize,
    },
    /// A stencil of a plane on a grid with several planes, or of a line on one with several rows.
    #[error("{stencil} works on one {}; the grid given is {extent}: use a stencil with as many dimensions", if *dimensions == 1 { "row" } else { "plane" })]
    NotFlat {
        /// The stencil.
        stencil: &'static str,
        /// Its dimensions.
        dimensions: usize,
        /// The grid.
        extent: Extent,
    },
    /// More bytes than an address can count.
    #[error("a grid of {extent} has more bytes than this machine can address; use a smaller one")]
    TooLarge {
        /// The grid asked for.
        extent: Extent,
    },
    /// The system gave no memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// A slice that is not as long as the grid has points.
    #[error("a grid of {extent} has {expected} points; the slice given has {given}")]
    Length {
        /// The grid.
        extent: Extent,
        /// Its points.
        expected: usize,
        /// What was given.
        given: usize,
    },
    /// A plan made for another grid.
    #[error("the plan is for a grid of {plan}, the grid given is {grid}; make a plan for it")]
    Mismatch {
        /// What the plan was made for.
        plan: Extent,
        /// What it was given.
        grid: Extent,
    },
    /// A coefficient that is no number to compute with.
    #[error(
        "coefficient {coefficient:?} of {kind}; expected a number that {numbers} can hold, 0 to {limit} for a stable step"
    )]
    Coefficient {
        /// The stencil.
        kind: Kind,
        /// What was given.
        coefficient: f64,
        /// What the grid has: `"f32"` or `"f64"`.
        numbers: &'static str,
        /// The largest stable one.
        limit: f64,
    },
    /// A weight of a formula, or a coefficient or a rate of [`GrayScott`](super::GrayScott), that is
    /// no number to compute with once it is rounded to the numbers of the grid.
    #[error(
        "{stencil} has a weight or coefficient that is infinite or not a number; expected finite ones"
    )]
    Weights {
        /// The stencil.
        stencil: &'static str,
    },
    /// A value that is no number to compute with.
    #[error("value {index} of {what} is {value}; expected a finite number")]
    NotFinite {
        /// Of what.
        what: &'static str,
        /// Which one.
        index: usize,
        /// What was given.
        value: f64,
    },
    /// A formula that looks where it says it does not.
    #[error(
        "{stencil} looks at {at:?} (x, y, z); expected places within what its shape, radius and dimensions say"
    )]
    Place {
        /// The stencil.
        stencil: &'static str,
        /// The place.
        at: [isize; 3],
    },
    /// A formula that asks for a field, a field of one step before or a medium that it says it does
    /// not have.
    #[error(
        "{stencil} asks for {what} {number}, counted from 0; its {constant} is {says}: say more there or ask for another"
    )]
    Beyond {
        /// The stencil.
        stencil: &'static str,
        /// `"field"`, `"the values before of field"` or `"medium"`.
        what: &'static str,
        /// Which one it asks for.
        number: usize,
        /// The constant of the formula that says otherwise.
        constant: &'static str,
        /// What it says.
        says: usize,
    },
    /// A grid without any field.
    #[error("a grid of 0 fields; expected at least 1")]
    NoFields,
    /// A grid with other fields than the stencil has.
    #[error(
        "the stencil has {expected} fields, the grid given has {given}; make a grid with as many"
    )]
    Fields {
        /// How many the stencil has.
        expected: usize,
        /// How many there are.
        given: usize,
    },
    /// A grid whose media were set to be others than the stencil has.
    #[error(
        "the stencil has {expected} media, the grid given has {given}; set as many with set_media, or none"
    )]
    Media {
        /// How many the stencil has.
        expected: usize,
        /// How many were set.
        given: usize,
    },
    /// A scheme that a stencil cannot be stepped by.
    #[error(
        "{stencil} keeps two steps in two buffers, which overlapped tiles would need twice; use another scheme, such as skewed"
    )]
    Scheme {
        /// The stencil.
        stencil: &'static str,
    },
    /// A recipe with a zero where there must be something.
    #[error("recipe field {field} is 0; expected at least 1")]
    RecipeZero {
        /// The field.
        field: &'static str,
    },
    /// A recipe that fuses more steps than a tile can hold.
    #[error("recipe field depth is {given}; expected at most {most} steps at a time")]
    Depth {
        /// What the field held.
        given: usize,
        /// The most.
        most: usize,
    },
    /// A recipe for half of a register that has none.
    #[error(
        "recipe field registers is half, but there is no code for halves of those of {isa}; set it to whole"
    )]
    Registers {
        /// The instruction set.
        isa: Isa,
    },
    /// A recipe for another kind of stencil.
    #[error(
        "recipe field side_by_side is {given}, which {stencil} does not have; expected {}",
        Choices(choices)
    )]
    SideBySide {
        /// The stencil.
        stencil: &'static str,
        /// What the field held.
        given: SideBySide,
        /// What it may hold.
        choices: &'static [SideBySide],
    },
    /// A field that grows without bound, where that is taken for an error
    /// ([`Outcome::stable`](super::Outcome::stable)).
    #[error(transparent)]
    Unstable(#[from] Unstable),
    /// An instruction set this CPU does not have.
    #[error(transparent)]
    MissingIsa(#[from] MissingIsa),
    /// A team that could not be made (by [`Stencil::run`](super::Stencil::run)).
    #[cfg(feature = "std")]
    #[error(transparent)]
    Team(#[from] crate::team::TeamError),
}

/// Names in a row.
struct Choices(&'static [SideBySide]);

impl fmt::Display for Choices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, choice) in self.0.iter().enumerate() {
            write!(f, "{}{choice}", if index > 0 { " or " } else { "" })?;
        }
        Ok(())
    }
}
