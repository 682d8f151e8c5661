//! A forward pass as a workload: token numbers from a seed, and what must come out.

use super::{
    Batch, Config, Encoder, Error, Expected, Operation, Precision, Room, Source, Times, reference,
};
use crate::baseline::{self, Baseline};
use crate::roofs::{Pattern, Quantity};
use crate::workload::{Amount, Cache, Candidate, Check, Kind, Part, RateUnit, Task, Work, random};
use serde_json::json;
use tilewise::attention::Attention;
use tilewise::{Isa, Team};

/// `batch` sequences of `seq` tokens, drawn from the model's vocabulary.
pub fn sequences(config: &Config, (batch, seq): (usize, usize), seed: u64) -> Batch {
    let mut sequences = Batch::default();
    for index in 0..batch {
        let share = random::floats(seed, index as u64, seq);
        let vocabulary = config.vocabulary as f32;
        let ids = share.iter().map(|share| (share * vocabulary) as u32);
        let most = config.vocabulary.saturating_sub(1);
        sequences.push(&ids.map(|id| id.min(most as u32)).collect::<Vec<_>>());
    }
    sequences
}

/// A model, a batch, and the states it must give.
#[derive(Debug)]
pub struct Workload<'s, S> {
    name: &'static str,
    config: Config,
    source: &'s S,
    batch: Batch,
    expected: Expected,
    plain: baseline::bert::Model,
    plain_in_bytes: baseline::bert::Model,
}

impl<'s, S: Source> Workload<'s, S> {
    /// Token numbers from `seed` for a model; the reference runs it in 64 bits. `name` is the
    /// model's in reports.
    ///
    /// # Errors
    /// Those of the source and of [`Batch::check`].
    pub fn new(
        (name, config): (&'static str, Config),
        source: &'s S,
        sizes: (usize, usize),
        seed: u64,
    ) -> Result<Self, Error> {
        let batch = sequences(&config, sizes, seed);
        let exact = reference::encode(&config, source, &batch)?;
        Ok(Workload {
            name,
            source,
            expected: Expected::new(&exact, config.hidden),
            plain: baseline::bert::Model::read(&config, source)?,
            plain_in_bytes: baseline::bert::Model::read_in_bytes(&config, source)?,
            config,
            batch,
        })
    }

    /// Bytes a workload of a model takes, with its plain and its packed weights.
    pub fn bytes(config: &Config) -> usize {
        // Plain weights twice, in floats and in bytes, ours in both for one thread and for all, and a
        // tensor or two on the way.
        24 * config.weights()
    }

    /// What is done in a precision.
    pub fn task(&self, precision: Precision<'_>) -> Task {
        let Workload { config, batch, .. } = self;
        let Config { layers, hidden, intermediate, .. } = *config;
        let sequences = (0..batch.len()).map(|index| batch.sequence(index).len());
        let pairs: usize = sequences.clone().map(|tokens| tokens * tokens).sum();
        let in_layers = layers * (4 * hidden * hidden + 2 * hidden * intermediate);
        let work = 2 * (batch.tokens() * in_layers + layers * 2 * pairs * hidden);
        let seq = sequences.max().unwrap_or(0);
        let (numbers, dtype, arithmetic) = match precision {
            Precision::Fp32 => (
                "FP32",
                String::from("f32 in and out; products in f32, or of bytes where an arm says so"),
                Quantity::F32Compute,
            ),
            Precision::Int8 | Precision::Int8Static(_) => (
                "INT8",
                format!(
                    "f32 in and out; linear layers multiply bytes, the same weights on all sides; \
                     attention of {} tokens or more does so in our code, never in plain code",
                    Attention::FEWEST_IN_BYTES
                ),
                Quantity::Int8Compute,
            ),
        };
        Task {
            kernel: "bert".into(),
            title: format!("{} {} x {seq}, {numbers}", self.name, batch.len()),
            shape: json!({
                "layers": layers, "hidden": hidden, "heads": config.heads,
                "intermediate": intermediate, "batch": batch.len(), "seq": seq,
            }),
            dtype,
            amount: Amount {
                formula: "2 x multiply-adds of linear layers and attention".into(),
                work: work as f64,
                unit: RateUnit::Operations,
                operations: 1.0,
                // At least the weights as bytes must be read.
                bytes: in_layers as f64 / work as f64,
                working_set: in_layers as f64,
                pattern: Pattern::Read,
                arithmetic: Some(arithmetic),
            },
            cache: Cache::Hot,
            timed: "token numbers in, hidden states of the last layer out, making bytes of rows \
                    among it; weights laid out beforehand on all sides"
                .into(),
        }
    }

    /// The plain source in every order.
    pub fn plain(&self, build: Baseline) -> Vec<Candidate<'_>> {
        let orders = baseline::bert::Order::ALL.into_iter();
        let work = |order| self.pass((build, order), &self.plain, Precision::Fp32);
        orders.map(|order| Candidate::plain(build, &order, work(order))).collect()
    }

    /// The same with linear layers of bytes.
    pub fn plain_in_bytes(&self, build: Baseline) -> Vec<Candidate<'_>> {
        let orders = baseline::bert::Order::ALL.into_iter();
        let work = |order| self.pass((build, order), &self.plain_in_bytes, Precision::Int8);
        let title = |order: baseline::bert::Order| format!("products of bytes, {order}");
        orders.map(|order| Candidate::plain(build, &title(order), work(order))).collect()
    }

    fn pass<'a>(
        &'a self,
        (build, order): (Baseline, baseline::bert::Order),
        model: &'a baseline::bert::Model,
        precision: Precision<'a>,
    ) -> Plain<'a> {
        Plain {
            build,
            order,
            model,
            judge: self.judge(precision),
            room: baseline::bert::Room::default(),
            times: Vec::new(),
        }
    }

    /// Our encoder in a precision, on a whole team.
    ///
    /// # Errors
    /// Those of [`Encoder::on`].
    pub fn kernel<'a>(
        &'a self,
        name: &str,
        isa: Isa,
        precision: Precision<'a>,
        team: &'a dyn Team,
    ) -> Result<Candidate<'a>, Error> {
        let encoder = Encoder::on(isa, &self.config, self.source, precision)?;
        let judge = self.judge(precision);
        let work = Ours { encoder, judge, team, room: Room::default(), times: Vec::new() };
        Ok(Candidate {
            name: name.into(),
            title: name.into(),
            kind: Kind::HandWritten,
            isa: isa.name().into(),
            threads: team.size(),
            recipe: None,
            arithmetic: (!matches!(precision, Precision::Fp32)).then_some(Quantity::Int8Compute),
            traffic: None,
            work: Box::new(work),
        })
    }

    fn judge<'a>(&'a self, precision: Precision<'a>) -> Judge<'a> {
        Judge { batch: &self.batch, expected: &self.expected, precision }
    }
}

/// What goes in and must come out.
struct Judge<'a> {
    batch: &'a Batch,
    expected: &'a Expected,
    precision: Precision<'a>,
}

impl Judge<'_> {
    fn check(&self, states: &[f32]) -> Check {
        self.expected.check("plain loops in 64 bits", self.precision, states)
    }
}

struct Plain<'a> {
    build: Baseline,
    order: baseline::bert::Order,
    model: &'a baseline::bert::Model,
    judge: Judge<'a>,
    room: baseline::bert::Room,
    times: Vec<Times>,
}

impl Plain<'_> {
    fn encode(&mut self) -> &[f32] {
        let states = self.build.encode(self.order, self.model, self.judge.batch, &mut self.room);
        states.expect("the reference took this batch")
    }
}

impl Work for Plain<'_> {
    fn run(&mut self) {
        self.encode();
        self.times.push(self.room.take_times());
    }

    fn check(&mut self) -> Check {
        let states = self.encode().to_vec();
        self.room.take_times();
        self.judge.check(&states)
    }

    fn parts(&self) -> Vec<Part> {
        parts(&self.times)
    }
}

struct Ours<'a> {
    encoder: Encoder,
    judge: Judge<'a>,
    team: &'a dyn Team,
    room: Room,
    times: Vec<Times>,
}

impl Work for Ours<'_> {
    fn run(&mut self) {
        let states = self.encoder.encode(self.judge.batch, &mut self.room, self.team);
        states.expect("the reference took this batch");
        self.times.push(self.room.take_times());
    }

    fn check(&mut self) -> Check {
        let states = self.encoder.encode(self.judge.batch, &mut self.room, self.team);
        let check = self.judge.check(states.expect("the reference took this batch").data());
        self.room.take_times();
        check
    }

    fn parts(&self) -> Vec<Part> {
        parts(&self.times)
    }
}

/// The linear layers together, then every kind of operation.
fn parts(times: &[Times]) -> Vec<Part> {
    let of = |operations: &[Operation]| -> Vec<f64> {
        let sum = |pass: &Times| operations.iter().map(|&each| pass.of(each).as_secs_f64()).sum();
        times.iter().map(sum).collect()
    };
    let linear: Vec<Operation> = Operation::ALL.into_iter().filter(|o| o.is_linear()).collect();
    let mut parts = vec![Part { name: "linear layers".into(), seconds: of(&linear) }];
    parts
        .extend(Operation::ALL.map(|each| Part { name: each.name().into(), seconds: of(&[each]) }));
    parts
}
