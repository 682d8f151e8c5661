//! The first step of a forward pass: a row for each token, of what it is, where it stands and in
//! which segment.

use super::encoder::{norm, rows_mut};
use super::{Batch, Config, Error, Source};
use tilewise::buffer::Buffer;
use tilewise::rows::LayerNorm;
use tilewise::{Isa, Team};

/// A row for each token, position and kind of segment.
#[derive(Clone, Debug)]
pub(super) struct Embeddings {
    words: Vec<f32>,
    positions: Vec<f32>,
    types: Vec<f32>,
    norm: LayerNorm,
}

impl Embeddings {
    pub(super) fn read(config: &Config, source: &dyn Source) -> Result<Embeddings, Error> {
        let table = |name, rows| {
            source.tensor(&format!("embeddings.{name}.weight"), &[rows, config.hidden])
        };
        Ok(Embeddings {
            words: table("word_embeddings", config.vocabulary)?,
            positions: table("position_embeddings", config.positions)?,
            types: table("token_type_embeddings", config.types)?,
            norm: norm(config, source, "embeddings.LayerNorm")?,
        })
    }

    /// The sum of a token's three rows, and its layer norm. Rows are added in the order in which
    /// the first implementation did: word, segment, position.
    pub(super) fn look_up(
        &self,
        batch: &Batch,
        hidden: &mut Buffer<f32>,
        (isa, team): (Isa, &dyn Team),
    ) -> Result<(), Error> {
        let columns = self.norm.columns();
        let (ids, types) = (batch.ids(), batch.types());
        let positions = (0..batch.len()).flat_map(|index| 0..batch.sequence(index).len());
        let positions: Vec<usize> = positions.collect();
        let row = |index: usize| index * columns..(index + 1) * columns;
        let make = |token: usize, out: &mut [f32]| {
            let word = &self.words[row(ids[token] as usize)];
            let kind = &self.types[row(types[token] as usize)];
            let place = &self.positions[row(positions[token])];
            for (((out, word), kind), place) in out.iter_mut().zip(word).zip(kind).zip(place) {
                *out = word + kind + place;
            }
        };
        let rows = rows_mut(hidden, batch.tokens(), columns);
        Ok(self.norm.fill(rows, &make, isa, team)?)
    }
}
