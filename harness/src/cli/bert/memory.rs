//! Whether there is memory for a model and for what passes through it, asked before either is made.

use super::Context;
use crate::cli::failure::Failure;
use tilewise_harness::bert::{Config, Room};

/// What a model takes in memory for each of its weights: as read, and as packed.
const BYTES_PER_WEIGHT: usize = 8;

/// What is to be run.
pub(super) struct Load {
    /// Precisions, each with weights of its own.
    pub(super) precisions: usize,
    /// Passes that keep a room each.
    pub(super) rooms: usize,
    /// Tokens of the largest batch; 0 where only the weights are known yet.
    pub(super) tokens: usize,
    /// Those of its longest sequence.
    pub(super) longest: usize,
}

impl Load {
    /// Refuses what there is no memory for.
    pub(super) fn check(&self, context: Context<'_>, config: &Config) -> Result<(), Failure> {
        let Load { precisions, rooms, tokens, longest } = *self;
        let weights = config.weights();
        let of_weights = weights.saturating_mul(BYTES_PER_WEIGHT * precisions);
        let of_rooms = Room::bytes(config, tokens, longest).saturating_mul(rooms);
        let of_numbers = tokens.saturating_mul(2 * size_of::<u32>());
        let batch = match tokens {
            0 => String::new(),
            _ => format!(" with {tokens} tokens at a time"),
        };
        context.setup.check_memory(
            format_args!("a model of {weights} weights{batch}"),
            of_weights.saturating_add(of_rooms).saturating_add(of_numbers),
        )
    }
}
