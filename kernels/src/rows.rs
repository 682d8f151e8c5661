//! What a transformer does to the floats of a row between two products: layer norm, softmax,
//! GELU, bytes of floats.
//!
//! They are written for one number (or one row) and inlined into loops inside a token's
//! trampoline, where the compiler turns each operation into one on whole registers. Only
//! operations that round the same everywhere are used (additions, subtractions, products,
//! divisions, square roots, comparisons, integer arithmetic), one at a time and in the order
//! written; a sum over a row runs in sixteen lanes that are added up in one order. So the bits are
//! the same on every instruction set, whatever its registers hold, for any team, and a row's do
//! not depend on the rows beside it.
//!
//! [`LayerNorm`] and [`Fixed`] are for whole matrices; softmax is part of
//! [`Attention`](crate::attention::Attention), GELU of the [stages](crate::gemm::Output) behind a
//! product.

mod each;
mod error;
mod exp;
mod fixed;
mod gelu;
mod lanes;
mod norm;
mod quantise;
mod softmax;

pub use error::Error;
pub use fixed::Fixed;
pub use norm::LayerNorm;

pub(crate) use gelu::{gelu, gelu_tanh};
pub(crate) use quantise::{Bytes, END, Greatest, Ranges, nearest, signed};
pub(crate) use softmax::{softmax, softmax_bytes};
