//! BERT as people have it on disk, a folder in Hugging Face's layout: what stands around the
//! arithmetic.
//!
//! From the outside in: a [`Config`] says what the model is; a [`Source`] gives its tensors, from
//! a [`Checkpoint`] or, with no model at hand, made from a seed ([`Synthetic`]); [`Text`] makes
//! token numbers of sentences and a [`Batch`] lays them behind each other without padding. What
//! comes out is judged by [`metrics`] on [`sts`] pairs or [`squad`] questions.
//!
//! Nothing here multiplies: the layers themselves are not in this module.

mod batch;
mod config;
mod error;
mod export;
pub mod metrics;
mod pooling;
pub mod squad;
pub mod sts;
mod synthetic;
mod text;
mod weights;

pub use batch::Batch;
pub use config::{Activation, Config};
pub use error::Error;
pub use pooling::Pooling;
pub use synthetic::Synthetic;
pub use text::{Encoded, Limit, Pieces, Text};
pub use weights::{Checkpoint, Source};
