//! What can be wrong with a multiplication, and what to do about it.

use super::{Shape, Tile, tiles};
use crate::buffer::OutOfMemory;
use crate::isa::{Isa, MissingIsa};
use alloc::boxed::Box;
use core::convert::Infallible;
use core::fmt;

/// A multiplication that cannot be done as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The CPU lacks the instruction set.
    #[error(transparent)]
    Isa(#[from] MissingIsa),
    /// A token of another instruction set than the plan's.
    #[error("a token of {token} for a plan on {plan}; make the plan for {token}")]
    Token {
        /// The name of the token.
        token: Isa,
        /// The instruction set of the plan.
        plan: Isa,
    },
    /// Packing or scratch did not fit in memory.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
    /// More elements than an address can count.
    #[error("a product of {shape} has more elements than memory has addresses; use smaller ones")]
    Oversized {
        /// The shape given.
        shape: Shape,
    },
    /// The recipe asks for a tile that the instruction set does not have.
    #[error("{isa} has no tile of {tile}; it has {}", Tiles(*isa))]
    Tile {
        /// The tile of the recipe.
        tile: Tile,
        /// The instruction set of the plan.
        isa: Isa,
    },
    /// A size in the recipe is zero.
    #[error("{name} of the recipe is 0; give at least 1")]
    ZeroInRecipe {
        /// The field.
        name: &'static str,
    },
    /// An operand has another shape than the plan.
    #[error("{what} has {rows} rows and {columns} columns; the plan is for {expected}")]
    Mismatch {
        /// Which operand.
        what: &'static str,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// The plan's shape.
        expected: Shape,
    },
    /// The output has other rows than the left operand.
    #[error("the output has {given} rows; the left operand has {expected}")]
    OutputRows {
        /// Rows of the output.
        given: usize,
        /// Rows of the left operand.
        expected: usize,
    },
    /// The residual has another shape than the product of a call.
    #[error("the residual has {} rows and {} columns; the product has {} and {}",
        given[0], given[1], expected[0], expected[1])]
    Residual {
        /// Its rows and columns.
        given: [usize; 2],
        /// Those of the product.
        expected: [usize; 2],
    },
    /// Values that go with rows, columns or products are of another number.
    #[error("{given} {what}; expected {expected}, {each}")]
    Length {
        /// What they are.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many rows, columns or products there are.
        expected: usize,
        /// What each of them goes with, and what may be given instead.
        each: &'static str,
    },
    /// A weight is NaN or infinite.
    #[error("the weight in row {row}, column {column} is {given}; give finite numbers")]
    WeightNotFinite {
        /// Its row in the matrix that was given, from 0.
        row: usize,
        /// Its column there.
        column: usize,
        /// Its value.
        given: f32,
    },
    /// A scale or a bias is NaN or infinite.
    #[error("{what} {index} is {given}; give finite numbers")]
    NotFinite {
        /// What it is.
        what: &'static str,
        /// Which of them.
        index: usize,
        /// Its value.
        given: f32,
    },
    /// Nothing can be made bytes with this scale.
    #[error("the scale of the output is {given}; give a normal number above zero")]
    OutputScale {
        /// The scale.
        given: f32,
    },
    /// No number is in the range, or one of its ends is NaN.
    #[error("clamp from {low} to {high}; give a low end that is no higher than the high one")]
    Clamp {
        /// The low end.
        low: f32,
        /// The high end.
        high: f32,
    },
    /// A product of a batch that cannot be made.
    #[error("product {index} of the batch: {source}")]
    Item {
        /// Which.
        index: usize,
        /// Why not.
        source: Box<Error>,
    },
    /// The scratch is too small.
    #[error("scratch of {given} bytes; this plan needs at least {needed}")]
    Scratch {
        /// Its size.
        given: usize,
        /// What a team of one needs.
        needed: usize,
    },
}

/// For weights that are packed already, with which nothing can be wrong.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// Prints the tiles of an instruction set with commas between them.
struct Tiles(Isa);

impl fmt::Display for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, tile) in tiles(self.0).iter().enumerate() {
            write!(f, "{}{tile}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
