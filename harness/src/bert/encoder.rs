//! The forward pass: token numbers in, a vector for each token out.

use super::batch::Group;
use super::embeddings::Embeddings;
use super::linear::{Linear, Machine, Next, Rows};
use super::room::{Products, Room, States, pitch, tokens_at_a_time};
use super::times::{Operation, Times};
use super::{Batch, Config, Error, Pooling, Precision, Ranges, Source};
use crate::workload::digest;
use tilewise::attention::Attention;
use tilewise::cache::CacheSizes;
use tilewise::gemm::Recipe;
use tilewise::rows::LayerNorm;
use tilewise::{Isa, Matrix, MatrixMut, Team};

/// A BERT without a head, its weights packed. Shared freely: threads that call it bring a
/// [`Room`] each.
///
/// A sequence's output has the same bits alone or in any batch, and on any team.
///
/// ```
/// use tilewise::Solo;
/// use tilewise_harness::bert::{Batch, Config, Encoder, Precision, Room, Synthetic};
/// let mut config = Config::minilm();
/// (config.layers, config.vocabulary) = (1, 100);
/// let encoder = Encoder::new(&config, &Synthetic { seed: 1 }, Precision::Int8)?;
/// let mut batch = Batch::default();
/// batch.push(&[1, 2, 3]);
/// let mut room = Room::default();
/// let states = encoder.encode(&batch, &mut room, &Solo)?;
/// assert_eq!((states.rows(), states.cols()), (3, 384));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    config: Config,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    attention: Attention,
    machine: Machine,
}

#[derive(Clone, Debug)]
struct Layer {
    qkv: Linear,
    output: Linear,
    attention_norm: LayerNorm,
    up: Linear,
    down: Linear,
    norm: LayerNorm,
}

/// Linear layers of a layer.
pub(super) const LINEARS: usize = 4;

impl Encoder {
    /// Reads and packs all weights, for the best instruction set of this CPU.
    ///
    /// # Errors
    /// Those of the source; [`Error::Size`]; [`Error::Memory`]; [`Error::Ranges`] or
    /// [`Error::OtherModel`] for ranges of another model.
    pub fn new(
        config: &Config,
        source: &dyn Source,
        precision: Precision<'_>,
    ) -> Result<Encoder, Error> {
        Encoder::on(Isa::best(), config, source, precision)
    }

    /// The same for a given instruction set.
    ///
    /// # Errors
    /// As there, and [`Error::Kernel`] when this CPU lacks it.
    pub fn on(
        isa: Isa,
        config: &Config,
        source: &dyn Source,
        precision: Precision<'_>,
    ) -> Result<Encoder, Error> {
        config.check()?;
        if let Precision::Int8Static(ranges) = precision {
            ranges.check_count(LINEARS * config.layers)?;
        }
        let layers = (0..config.layers).map(|index| Layer::read(config, source, index, precision));
        let attention = Attention::new(config.heads, config.head(), isa)?;
        let encoder = Encoder {
            embeddings: Embeddings::read(config, source)?,
            layers: layers.collect::<Result<_, _>>()?,
            attention: match precision {
                Precision::Fp32 => attention,
                Precision::Int8 | Precision::Int8Static(_) => attention.in_bytes(),
            },
            machine: Machine { isa, caches: CacheSizes::detect() },
            config: config.clone(),
        };
        if let Precision::Int8Static(ranges) = precision {
            ranges.check_model(&encoder.mark())?;
        }
        Ok(encoder)
    }

    /// What tells the model from others of its sizes: a digest of the marks of its linear layers.
    fn mark(&self) -> String {
        let linears = self.layers.iter().flat_map(Layer::linears);
        let marks: String = linears.map(Linear::mark).collect();
        digest(marks.as_bytes())
    }

    /// What the model is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many of its linear layers multiply bytes, and how many there are.
    pub fn linear_in_bytes(&self) -> (usize, usize) {
        let linears = self.layers.iter().flat_map(Layer::linears);
        (linears.clone().filter(|linear| linear.is_in_bytes()).count(), linears.count())
    }

    /// The recipes of the products of a layer, on a team of `threads`: all layers have the same. A batch
    /// goes through them in groups of about as many tokens, and these are those of the first.
    pub fn recipes(&self, batch: &Batch, threads: usize) -> Vec<(Operation, Recipe)> {
        let groups = batch.groups(tokens_at_a_time(&self.config, &self.machine.caches));
        let tokens = groups.first().map_or(0, Group::tokens);
        let operations = Operation::ALL.into_iter().filter(|operation| operation.is_linear());
        let linears = self.layers.iter().take(1).flat_map(Layer::linears);
        let recipes = linears.map(|linear| linear.recipe(tokens, self.machine, threads));
        operations.zip(recipes).collect()
    }

    /// Whether the two products of attention are of bytes for a sequence of so many tokens. Making
    /// bytes of short ones takes more than it gains.
    pub fn attends_in_bytes(&self, tokens: usize) -> bool {
        self.attention == self.attention.in_bytes() && tokens >= Attention::FEWEST_IN_BYTES
    }

    /// The hidden states behind the last layer: a row for each token of the batch, all of them finite.
    ///
    /// # Errors
    /// Those of [`Batch::check`]; [`Error::Memory`]; [`Error::Overflow`].
    pub fn encode<'r>(
        &self,
        batch: &Batch,
        room: &'r mut Room,
        team: &dyn Team,
    ) -> Result<Matrix<'r, f32>, Error> {
        self.pass(batch, room, team, &mut |_, _| {})?;
        let (tokens, columns) = (batch.tokens(), self.config.hidden);
        let states = room.states.close_up(tokens, columns);
        Ok(Matrix::new(states, tokens, columns).expect("a row for each token"))
    }

    /// A vector of length 1 for each sequence, one behind the other.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn embed(
        &self,
        batch: &Batch,
        pooling: Pooling,
        room: &mut Room,
        team: &dyn Team,
    ) -> Result<Vec<f32>, Error> {
        let hidden = self.config.hidden;
        let states = self.encode(batch, room, team)?;
        let mut sentences = vec![0.0; batch.len() * hidden];
        for (index, sentence) in sentences.chunks_exact_mut(hidden).enumerate() {
            let tokens = batch.sequence(index);
            pooling.pool(&states.data()[tokens.start * hidden..tokens.end * hidden], sentence);
            if !are_finite(sentence) {
                return Err(Error::Overflow { sequence: index });
            }
        }
        Ok(sentences)
    }

    /// The range of every linear layer's inputs over some batches, for
    /// [`Precision::Int8Static`].
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn calibrate<'b>(
        &self,
        batches: impl IntoIterator<Item = &'b Batch>,
        room: &mut Room,
        team: &dyn Team,
    ) -> Result<Ranges, Error> {
        let mut ranges = Ranges::new(self.mark(), LINEARS * self.layers.len());
        for batch in batches {
            self.pass(batch, room, team, &mut |linear, input| ranges.see(linear, input))?;
        }
        Ok(ranges)
    }

    /// One forward pass. `see` is shown the input of every linear layer.
    fn pass(
        &self,
        batch: &Batch,
        room: &mut Room,
        team: &dyn Team,
        see: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Error> {
        batch.check(&self.config)?;
        let groups = batch.groups(tokens_at_a_time(&self.config, &self.machine.caches));
        room.grow(&self.config, &self.attention, (batch.tokens(), &groups), team.size())?;
        let Room { states, times, .. } = room;
        times.spend(Operation::Embedding, || {
            self.embeddings.look_up(batch, &mut states.hidden, (self.machine.isa, team))
        })?;
        for (index, layer) in self.layers.iter().enumerate() {
            let mut see = |linear, input: &[f32]| see(index * LINEARS + linear, input);
            for group in &groups {
                layer.pass(Pass { encoder: self, group, room: &mut *room, team, see: &mut see })?;
            }
        }
        // Here alone: sums along the residual stream keep a NaN and an infinity, and layer norms make
        // a NaN of either.
        let narrow = self.config.hidden;
        let mut states = room.states.hidden.chunks(pitch(narrow)).take(batch.tokens());
        match states.position(|row| !are_finite(&row[..narrow])) {
            Some(token) => Err(batch.overflow(token)),
            None => Ok(()),
        }
    }
}

/// What a layer needs of a forward pass.
struct Pass<'a> {
    encoder: &'a Encoder,
    group: &'a Group,
    room: &'a mut Room,
    team: &'a dyn Team,
    /// Is shown the input of each linear layer of this layer.
    see: &'a mut dyn FnMut(usize, &[f32]),
}

impl Layer {
    fn read(
        config: &Config,
        source: &dyn Source,
        index: usize,
        precision: Precision<'_>,
    ) -> Result<Layer, Error> {
        let stem = format!("encoder.layer.{index}");
        let linear = |place, names: &[&str], sizes| {
            let names: Vec<String> = names.iter().map(|name| format!("{stem}.{name}")).collect();
            Linear::read(source, &names, sizes, (precision, index * LINEARS + place))
        };
        let (hidden, wide) = (config.hidden, config.intermediate);
        let qkv = ["attention.self.query", "attention.self.key", "attention.self.value"];
        Ok(Layer {
            qkv: linear(0, &qkv, [hidden, hidden])?,
            output: linear(1, &["attention.output.dense"], [hidden, hidden])?,
            attention_norm: norm(config, source, &format!("{stem}.attention.output.LayerNorm"))?,
            up: linear(2, &["intermediate.dense"], [wide, hidden])?,
            down: linear(3, &["output.dense"], [hidden, wide])?,
            norm: norm(config, source, &format!("{stem}.output.LayerNorm"))?,
        })
    }

    fn linears(&self) -> [&Linear; LINEARS] {
        [&self.qkv, &self.output, &self.up, &self.down]
    }

    /// Replaces the hidden states of a group by what the layer makes of them.
    fn pass(&self, pass: Pass<'_>) -> Result<(), Error> {
        let Pass { encoder, group, room, team, see } = pass;
        let Encoder { config, machine, attention, .. } = encoder;
        let Room { states, attention: scratch, products, times, .. } = room;
        let States { hidden, middle, qkv, context, wide } = states;
        let (tokens, on) = (group.tokens(), (*machine, team));
        let (narrow, width) = (config.hidden, config.intermediate);
        let hidden = &mut hidden[group.first * pitch(narrow)..];
        let mut step = Step { products, times, see, on };

        let x = rows(hidden, tokens, narrow);
        let y = rows_mut(qkv, tokens, 3 * narrow);
        let linear = (&self.qkv, 0);
        step.linear(Operation::QueryKeyValue, linear, Rows { x, next: Next::Nothing, y })?;
        let scratch = scratch.as_mut().expect("made by grow");
        step.times.spend(Operation::Attention, || {
            let out = rows_mut(context, tokens, narrow);
            attention.run(rows(qkv, tokens, 3 * narrow), &group.offsets, out, scratch, team)
        })?;
        let (x, y) = (rows(context, tokens, narrow), rows_mut(middle, tokens, narrow));
        let next = Next::Add(rows(hidden, tokens, narrow));
        step.linear(Operation::AttentionOutput, (&self.output, 1), Rows { x, next, y })?;
        step.norm(&self.attention_norm, rows_mut(middle, tokens, narrow))?;
        let (x, y) = (rows(middle, tokens, narrow), rows_mut(wide, tokens, width));
        let next = Next::Apply(config.activation);
        step.linear(Operation::FeedForwardUp, (&self.up, 2), Rows { x, next, y })?;
        let (x, y) = (rows(wide, tokens, width), rows_mut(hidden, tokens, narrow));
        let next = Next::Add(rows(middle, tokens, narrow));
        step.linear(Operation::FeedForwardDown, (&self.down, 3), Rows { x, next, y })?;
        step.norm(&self.norm, rows_mut(hidden, tokens, narrow))
    }
}

/// What every operation of a layer needs.
struct Step<'a> {
    products: &'a mut Products,
    times: &'a mut Times,
    see: &'a mut dyn FnMut(usize, &[f32]),
    on: (Machine, &'a dyn Team),
}

impl Step<'_> {
    fn linear(
        &mut self,
        operation: Operation,
        (linear, place): (&Linear, usize),
        rows: Rows<'_>,
    ) -> Result<(), Error> {
        for row in 0..rows.x.rows() {
            (self.see)(place, rows.x.row(row));
        }
        let (products, on) = (&mut *self.products, self.on);
        self.times.spend(operation, || linear.run(rows, products, on))
    }

    fn norm(&mut self, norm: &LayerNorm, rows: MatrixMut<'_, f32>) -> Result<(), Error> {
        let (machine, team) = self.on;
        Ok(self.times.spend(Operation::LayerNorm, || norm.run(rows, machine.isa, team))?)
    }
}

/// Whether all of them are finite. To the end in any case, so that they can be looked at several at a
/// time: nearly always they are.
pub(super) fn are_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(true, |all, number| all & number.is_finite())
}

pub(super) fn norm(config: &Config, source: &dyn Source, name: &str) -> Result<LayerNorm, Error> {
    let read = |part| source.tensor(&format!("{name}.{part}"), &[config.hidden]);
    Ok(LayerNorm::new(&read("weight")?, &read("bias")?, config.epsilon)?)
}

/// The first rows of a buffer.
fn rows(buffer: &[f32], rows: usize, columns: usize) -> Matrix<'_, f32> {
    let pitch = pitch(columns);
    Matrix::with_stride(&buffer[..rows * pitch], rows, columns, pitch).expect("room for the batch")
}

pub(super) fn rows_mut(buffer: &mut [f32], rows: usize, columns: usize) -> MatrixMut<'_, f32> {
    let pitch = pitch(columns);
    let room = &mut buffer[..rows * pitch];
    MatrixMut::with_stride(room, rows, columns, pitch).expect("room for the batch")
}
