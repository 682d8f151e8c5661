//! Where the time of a forward pass goes.

use std::time::{Duration, Instant};

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// Looking embeddings up and their layer norm.
    Embedding,
    /// Queries, keys and values: one product.
    QueryKeyValue,
    /// Scores, softmax and weighted means.
    Attention,
    /// The product behind attention, with bias and residual.
    AttentionOutput,
    /// The first product of the feed-forward part, with bias and activation.
    FeedForwardUp,
    /// The second one, with bias and residual.
    FeedForwardDown,
    /// The layer norms of all layers.
    LayerNorm,
}

impl Operation {
    /// All of them, in the order of a forward pass.
    pub const ALL: [Operation; 7] = [
        Operation::Embedding,
        Operation::QueryKeyValue,
        Operation::Attention,
        Operation::AttentionOutput,
        Operation::FeedForwardUp,
        Operation::FeedForwardDown,
        Operation::LayerNorm,
    ];

    /// Its name in results.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Embedding => "embedding",
            Operation::QueryKeyValue => "query-key-value",
            Operation::Attention => "attention",
            Operation::AttentionOutput => "attention output",
            Operation::FeedForwardUp => "feed-forward up",
            Operation::FeedForwardDown => "feed-forward down",
            Operation::LayerNorm => "layer norm",
        }
    }

    /// Whether it is a linear layer: in INT8 a product of bytes however long sequences are, which
    /// [attention](super::Encoder::attends_in_bytes) is of long ones only.
    pub fn is_linear(self) -> bool {
        use Operation::*;
        matches!(self, QueryKeyValue | AttentionOutput | FeedForwardUp | FeedForwardDown)
    }
}

/// Time spent in each kind of operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times([Duration; Operation::ALL.len()]);

impl Times {
    /// That of one kind.
    pub fn of(&self, operation: Operation) -> Duration {
        self.0[operation as usize]
    }

    /// That of all.
    pub fn total(&self) -> Duration {
        self.0.iter().sum()
    }

    /// Adds those of another pass.
    pub fn add(&mut self, other: &Times) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, time)| *sum += *time);
    }

    /// Does something and counts its time. The clock costs about 50 ns.
    pub(crate) fn spend<R>(&mut self, operation: Operation, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.0[operation as usize] += start.elapsed();
        result
    }
}
