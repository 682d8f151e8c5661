//! What a layer does to the floats of a row between two products, as functions of plain numbers.
//!
//! They are written for one number (or one row) and inlined into loops over a panel's columns,
//! inside a token's trampoline, where the compiler turns each operation into one on whole
//! registers. Only operations that round the same everywhere are used (additions, subtractions,
//! products, comparisons, integer arithmetic), one at a time and in the order written, so that
//! the bits are the same on every instruction set. Knows nothing of matrices.

mod gelu;
mod quantise;

pub(crate) use gelu::{gelu, gelu_tanh};
pub(crate) use quantise::{Bytes, Ranges, nearest};
