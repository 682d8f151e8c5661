//! BERT as people have it on disk, a folder in Hugging Face's layout, run in 32-bit floats or in
//! bytes on the kernels of [`tilewise`].
//!
//! From the outside in: a [`Config`] says what the model is; a [`Source`] gives its tensors, from
//! a [`Checkpoint`] or, with no model at hand, made from a seed ([`Synthetic`]); [`Text`] makes
//! token numbers of sentences and a [`Batch`] lays them behind each other without padding. An
//! [`Encoder`] makes a vector of each token, in the [`Precision`] it was built for, which may need
//! [`Ranges`] found beforehand; [`Pooling`] makes sentences of them, an [`AnswerHead`] scores. What
//! comes out is judged by [`metrics`] on [`sts`] pairs or [`squad`] questions.
//!
//! From a model's folder to a vector of each sentence:
//!
//! ```no_run
//! use std::path::Path;
//! use tilewise::SpinTeam;
//! use tilewise_harness::bert::{
//!     Batch, Checkpoint, Config, Encoder, Limit, Pooling, Precision, Room, Text, transformer,
//! };
//! let folder = Path::new("minilm");
//! let place = transformer(folder)?;
//! let config = Config::read(&place)?;
//! let limit = Limit::read(&place, &config)?.tokens;
//! let (text, pooling) = (Text::open(&place)?, Pooling::read(folder)?);
//! let encoder = Encoder::new(&config, &Checkpoint::open(&place)?, Precision::Int8)?;
//! let mut batch = Batch::default();
//! for sentence in ["A man is playing a guitar.", "Somebody plays."] {
//!     batch.push(&text.encode(sentence, limit)?.ids);
//! }
//! let (mut room, team) = (Room::default(), SpinTeam::all_cores()?);
//! let vectors = encoder.embed(&batch, pooling, &mut room, &team)?;
//! for vector in vectors.chunks_exact(config.hidden) {
//!     println!("{vector:?}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod batch;
mod changes;
mod config;
mod counts;
mod embeddings;
mod encoder;
mod error;
pub mod evaluation;
mod expected;
mod export;
mod limit;
mod linear;
pub mod metrics;
mod modules;
mod pooling;
mod precision;
mod qa;
mod ranges;
pub mod reference;
mod room;
pub mod squad;
pub mod sts;
mod synthetic;
mod text;
mod times;
mod weights;
mod workload;

pub use batch::Batch;
pub use config::{Activation, Config};
pub use counts::{Count, counts};
pub use encoder::Encoder;
pub use error::Error;
pub use expected::Expected;
pub use limit::Limit;
pub use modules::transformer;
pub use pooling::Pooling;
pub use precision::Precision;
pub use qa::AnswerHead;
pub use ranges::Ranges;
pub use room::Room;
pub use synthetic::Synthetic;
pub use text::{Encoded, Pieces, Text};
pub use times::{Operation, Times};
pub use weights::{Checkpoint, Source};
pub use workload::{Workload, sequences};
