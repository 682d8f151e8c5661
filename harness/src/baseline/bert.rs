//! A plain forward pass of a BERT, without padding, as ours: in 32-bit floats, or with linear layers of
//! bytes.

use super::abi::{Attend, Norm};
use super::{Baseline, Error};
use crate::bert::{Activation, Batch, Config, Operation, Source, Times};
use dense::{Dense, Rows};
use serde::Serialize;
use std::fmt;

mod dense;

/// Which loop runs outside which in the linear layers, and how their weights lie in memory. What
/// else there is to do has one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Order {
    /// Weights as checkpoints have them: for each token, for each output, a dot product.
    #[serde(rename = "dot products with weights as stored")]
    Dots,
    /// Weights packed: for each strip of outputs, for each token, for each input.
    #[serde(rename = "weights packed in strips")]
    Strips,
}

impl Order {
    /// Every order there is.
    pub const ALL: [Order; 2] = [Order::Dots, Order::Strips];

    /// How reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Order::Dots => "dot products with weights as stored",
            Order::Strips => "weights packed in strips",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A model's weights in the layouts of every order.
#[derive(Debug)]
pub struct Model {
    config: Config,
    words: Vec<f32>,
    positions: Vec<f32>,
    types: Vec<f32>,
    norm: Affine,
    layers: Vec<Layer>,
}

/// Weights and bias, of a layer norm too.
#[derive(Debug)]
struct Affine {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Debug)]
struct Layer {
    qkv: Dense,
    output: Dense,
    attention_norm: Affine,
    up: Dense,
    down: Dense,
    norm: Affine,
}

/// Makes a linear layer with so many inputs.
type Make = fn(Affine, usize) -> Result<Dense, crate::bert::Error>;

/// What a forward pass writes to, and where its time went.
#[derive(Debug, Default)]
pub struct Room {
    hidden: Vec<f32>,
    middle: Vec<f32>,
    qkv: Vec<f32>,
    context: Vec<f32>,
    wide: Vec<f32>,
    scores: Vec<f32>,
    rows: Rows,
    times: Times,
}

impl Model {
    /// Reads all weights and lays them out for every order. Not part of what is timed.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read(config: &Config, source: &dyn Source) -> Result<Model, crate::bert::Error> {
        Model::made_of(Dense::floats, config, source)
    }

    /// The same with linear layers that multiply bytes, by the rules of
    /// [`Precision::Int8`](crate::bert::Precision::Int8). All else is in floats, attention too.
    ///
    /// # Errors
    /// Those of the source, and of weights that are no finite numbers.
    pub fn read_in_bytes(
        config: &Config,
        source: &dyn Source,
    ) -> Result<Model, crate::bert::Error> {
        Model::made_of(Dense::bytes, config, source)
    }

    fn made_of(
        make: Make,
        config: &Config,
        source: &dyn Source,
    ) -> Result<Model, crate::bert::Error> {
        let Config { hidden, vocabulary, positions, types, .. } = *config;
        let table =
            |name: &str, rows| source.tensor(&format!("embeddings.{name}.weight"), &[rows, hidden]);
        Ok(Model {
            words: table("word_embeddings", vocabulary)?,
            positions: table("position_embeddings", positions)?,
            types: table("token_type_embeddings", types)?,
            norm: Affine::norm(config, source, "embeddings.LayerNorm")?,
            layers: (0..config.layers)
                .map(|index| Layer::read(make, config, source, index))
                .collect::<Result<_, _>>()?,
            config: config.clone(),
        })
    }
}

impl Affine {
    fn norm(
        config: &Config,
        source: &dyn Source,
        name: &str,
    ) -> Result<Affine, crate::bert::Error> {
        let read = |part| source.tensor(&format!("{name}.{part}"), &[config.hidden]);
        Ok(Affine { weights: read("weight")?, bias: read("bias")? })
    }
}

impl Layer {
    fn read(
        make: Make,
        config: &Config,
        source: &dyn Source,
        index: usize,
    ) -> Result<Layer, crate::bert::Error> {
        let Config { hidden, intermediate, .. } = *config;
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let dense = |parts: &[&str], outputs, inputs| {
            let (mut weights, mut bias) = (Vec::new(), Vec::new());
            for part in parts {
                let name = name(part);
                weights.extend(source.tensor(&format!("{name}.weight"), &[outputs, inputs])?);
                bias.extend(source.tensor(&format!("{name}.bias"), &[outputs])?);
            }
            make(Affine { weights, bias }, inputs)
        };
        let qkv = ["attention.self.query", "attention.self.key", "attention.self.value"];
        let norm = |part: &str| Affine::norm(config, source, &name(part));
        Ok(Layer {
            qkv: dense(&qkv, hidden, hidden)?,
            output: dense(&["attention.output.dense"], hidden, hidden)?,
            attention_norm: norm("attention.output.LayerNorm")?,
            up: dense(&["intermediate.dense"], intermediate, hidden)?,
            down: dense(&["output.dense"], hidden, intermediate)?,
            norm: norm("output.LayerNorm")?,
        })
    }
}

impl Room {
    /// Where the time of all passes since the last call of this went.
    pub fn take_times(&mut self) -> Times {
        std::mem::take(&mut self.times)
    }
}

impl Baseline {
    /// One forward pass: the hidden states behind the last layer, a row for each token.
    ///
    /// # Errors
    /// [`Error::NoPlainFunction`] for another activation than GELU; [`Error::Length`] for a batch
    /// that does not suit the model (see [`Batch::check`]).
    pub fn encode<'r>(
        self,
        order: Order,
        model: &Model,
        batch: &Batch,
        room: &'r mut Room,
    ) -> Result<&'r [f32], Error> {
        let Config { hidden, intermediate, activation, .. } = model.config;
        if activation != Activation::Gelu {
            return Err(Error::NoPlainFunction { name: "an activation other than GELU" });
        }
        batch.check(&model.config).map_err(|_| Error::Length {
            what: "a sequence of the batch",
            found: batch.tokens(),
            expected: model.config.positions,
        })?;
        let tokens = batch.tokens();
        room.hidden.resize(tokens * hidden, 0.0);
        room.middle.resize(tokens * hidden, 0.0);
        room.context.resize(tokens * hidden, 0.0);
        room.qkv.resize(tokens * 3 * hidden, 0.0);
        room.wide.resize(tokens * intermediate, 0.0);
        room.scores.resize(model.config.positions, 0.0);
        let pass = Pass { build: self, order, model, batch };
        pass.embed(room);
        for layer in &model.layers {
            pass.layer(layer, room);
        }
        Ok(&room.hidden)
    }
}

struct Pass<'a> {
    build: Baseline,
    order: Order,
    model: &'a Model,
    batch: &'a Batch,
}

impl Pass<'_> {
    fn embed(&self, room: &mut Room) {
        let Room { hidden, times, .. } = room;
        let Model { config, words, positions, types, norm, .. } = self.model;
        let row = |index: usize| index * config.hidden..(index + 1) * config.hidden;
        times.spend(Operation::Embedding, || {
            let places =
                (0..self.batch.len()).flat_map(|index| 0..self.batch.sequence(index).len());
            let tokens = self.batch.ids().iter().zip(self.batch.types()).zip(places);
            for (out, ((&id, &kind), place)) in hidden.chunks_exact_mut(config.hidden).zip(tokens) {
                let parts = words[row(id as usize)].iter().zip(&types[row(kind as usize)]);
                let parts = parts.zip(&positions[row(place)]);
                for (out, ((word, kind), place)) in out.iter_mut().zip(parts) {
                    *out = word + kind + place;
                }
            }
            self.norm(hidden, &[], norm);
        });
    }

    /// Replaces the hidden states by what the layer makes of them.
    fn layer(&self, layer: &Layer, room: &mut Room) {
        let Room { hidden, middle, qkv, context, wide, scores, rows, times } = room;
        let by = (self.build.0, self.order);
        times.spend(Operation::QueryKeyValue, || layer.qkv.run(by, hidden, qkv, rows));
        times.spend(Operation::Attention, || self.attend(qkv, context, scores));
        times.spend(Operation::AttentionOutput, || layer.output.run(by, context, middle, rows));
        times.spend(Operation::LayerNorm, || self.norm(middle, hidden, &layer.attention_norm));
        times.spend(Operation::FeedForwardUp, || {
            layer.up.run(by, middle, wide, rows);
            (self.build.0.table().gelu)(wide.as_mut_slice().into());
        });
        times.spend(Operation::FeedForwardDown, || layer.down.run(by, wide, hidden, rows));
        times.spend(Operation::LayerNorm, || self.norm(hidden, middle, &layer.norm));
    }

    fn attend(&self, qkv: &[f32], context: &mut [f32], scores: &mut [f32]) {
        let Config { hidden, .. } = self.model.config;
        for tokens in (0..self.batch.len()).map(|index| self.batch.sequence(index)) {
            let of = |width: usize| tokens.start * width..tokens.end * width;
            (self.build.0.table().attend)(Attend {
                qkv: qkv[of(3 * hidden)].into(),
                out: (&mut context[of(hidden)]).into(),
                room: (&mut scores[..tokens.len()]).into(),
                hidden,
                head: self.model.config.head(),
            });
        }
    }

    fn norm(&self, rows: &mut [f32], residual: &[f32], norm: &Affine) {
        (self.build.0.table().norm)(Norm {
            rows: rows.into(),
            residual: residual.into(),
            weights: norm.weights.as_slice().into(),
            bias: norm.bias.as_slice().into(),
            epsilon: self.model.config.epsilon,
        });
    }
}
