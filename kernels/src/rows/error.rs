//! What can be wrong with a call.

use crate::isa::MissingIsa;
use alloc::string::String;

/// Why rows could not be worked on. Nothing is written then.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An instruction set this CPU does not have.
    #[error(transparent)]
    Isa(#[from] MissingIsa),
    /// A wrong number of something.
    #[error("{given} {what}; expected {expected}")]
    Length {
        /// What there is a wrong number of.
        what: &'static str,
        /// How many were given.
        given: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A number outside its range.
    #[error("{what} is {given}; expected {expected}")]
    Value {
        /// What it is.
        what: &'static str,
        /// The number.
        given: f32,
        /// What it could be.
        expected: String,
    },
}

impl Error {
    /// Checks a number of something.
    pub(crate) fn length(what: &'static str, given: usize, expected: usize) -> Result<(), Error> {
        if given == expected { Ok(()) } else { Err(Error::Length { what, given, expected }) }
    }
}
