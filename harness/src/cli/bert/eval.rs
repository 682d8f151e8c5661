//! `tilewise bert eval`: how good and how fast a model is on data, in one precision or two beside
//! each other.

mod table;

use super::args::{EvalArgs, OrderArg, PrecisionArg, TaskArg};
use super::memory::Load;
use super::open::{Reader, failure_in};
use super::progress::Progress;
use super::ranges::{self, Files};
use super::{Context, sample};
use crate::cli::failure::Failure;
use crate::cli::output;
use std::cmp::Reverse;
use std::time::{Duration, Instant};
use tilewise_harness::bert::evaluation::{CALIBRATION, Head, Judgement, Outputs, Prepared, Ran};
use tilewise_harness::bert::{
    AnswerHead, Batch, Config, Count, Encoder, Error, Pooling, Precision, Ranges, Room, Times,
    counts, squad, sts,
};
use tilewise_harness::interrupt;
use tilewise_harness::workload::Check;
use tilewise_tuner::measure::Estimate;
use tilewise_tuner::measure::stats::CONFIDENCE;

/// What is said of an interruption that comes too early.
const NOTHING: &str = "nothing was judged yet";

pub(super) fn run(context: Context<'_>, args: &EvalArgs) -> Result<(), Failure> {
    // Until batches are judged there is no part of a result, so an interruption ends the process at once.
    interrupt::part_with(NOTHING);
    for (name, given) in [("--batch", Some(args.batch)), ("--limit", args.limit)] {
        if given == Some(0) {
            return Err(Failure::usage(format!("{name} 0: expected 1 or more")));
        }
    }
    if let (TaskArg::Sts, Some(flag)) = (args.task, args.windows.given()) {
        return Err(Failure::usage(format!(
            "{flag}: expected --task squad; only paragraphs have windows"
        )));
    }
    let Files { read, claim } = Files::open(args)?;
    let data = Data::read(args)?;
    let reader = Reader::open(&args.model)?;
    let head = head(args, &reader)?;
    let begin = Instant::now();
    let prepared = data.prepare(args, &reader)?;
    let preparing = begin.elapsed();
    check_memory(context, args, (&reader.model.config, &prepared))?;
    tell(args, &reader, &prepared)?;
    let read = read.as_ref();
    let evaluation =
        Evaluation { context, args, read, reader: &reader, prepared: &prepared, head: &head };
    let (mut arms, found) = evaluation.arms()?;
    if let (Some(claim), Some(found)) = (claim, &found) {
        ranges::save(claim, &found.ranges)?;
    }
    let partial = evaluation.batches(&mut arms)?;
    let report = evaluation.report(&arms, found, (preparing, partial));
    // Of pairs and questions each one may still miss a sentence or a window.
    if partial && report.results.iter().all(|judged| judged.judgement.count == 0) {
        return Err(Failure::Interrupted(NOTHING));
    }
    match context.json {
        true => output::print(report.json())?,
        false => output::print(report.text())?,
    }
    if partial { Err(Failure::Interrupted("the result is partial")) } else { Ok(()) }
}

/// What stands in the file.
enum Data {
    Pairs(Vec<sts::Pair>),
    Questions(Vec<squad::Question>),
}

impl Data {
    fn read(args: &EvalArgs) -> Result<Data, Failure> {
        let most = args.limit.unwrap_or(usize::MAX);
        match args.task {
            TaskArg::Sts => sts::read(&args.data).map(|mut pairs| {
                pairs.truncate(most);
                Data::Pairs(pairs)
            }),
            TaskArg::Squad => squad::read(&args.data).map(|mut questions| {
                questions.truncate(most);
                Data::Questions(questions)
            }),
        }
        .map_err(Failure::failed)
    }

    fn prepare(self, args: &EvalArgs, reader: &Reader) -> Result<Prepared, Failure> {
        let wrong = |error| failure_in(&args.data, error);
        let prepared = match self {
            Data::Pairs(pairs) => {
                let progress = Progress::new(pairs.len(), "pairs made tokens");
                Prepared::pairs(progress.over(&pairs), &reader.text, reader.limit)
            }
            Data::Questions(questions) => {
                let windowing = reader.windowing(&args.windows)?;
                let progress = Progress::new(questions.len(), "questions made tokens");
                Prepared::questions(progress.over(questions), &reader.text, windowing)
            }
        };
        let prepared = prepared.map_err(wrong)?;
        prepared.check(&reader.model.config).map_err(wrong)?;
        Ok(prepared)
    }
}

/// Whether there is memory for the largest batch: in no order has one more tokens than the longest
/// sequences together.
fn check_memory(
    context: Context<'_>,
    args: &EvalArgs,
    (config, prepared): (&Config, &Prepared),
) -> Result<(), Failure> {
    let mut lengths: Vec<usize> = prepared.lengths().collect();
    lengths.sort_unstable_by_key(|&tokens| Reverse(tokens));
    let precisions = if args.precision == PrecisionArg::Both { 2 } else { 1 };
    let tokens = lengths.iter().take(args.batch).sum();
    let longest = lengths.first().copied().unwrap_or(0);
    Load { precisions, rooms: precisions, tokens, longest }.check(context, config)
}

/// What the user should know of how texts are cut.
fn tell(args: &EvalArgs, reader: &Reader, prepared: &Prepared) -> Result<(), Failure> {
    let cut = prepared.truncated;
    match args.task {
        TaskArg::Sts => {
            reader.tell_of_sentences(&args.model)?;
            if cut > 0 {
                let limit = reader.limit;
                output::remark(format_args!("texts cut at the limit of {limit} tokens: {cut}"));
            }
        }
        TaskArg::Squad => {
            let windowing = reader.windowing(&args.windows)?;
            reader.tell_of_windows(&windowing);
            if cut > 0 {
                let kept = windowing.question;
                output::remark(format_args!("questions cut to {kept} pieces: {cut}"));
            }
        }
    }
    Ok(())
}

/// How many times as fast the second of two is, by the batches both ran in turn; nothing where they
/// are too few for an interval.
fn by_batch(first: &[f64], second: &[f64]) -> Option<Estimate> {
    let ratios: Vec<f64> = first.iter().zip(second).map(|(a, b)| a / b).collect();
    Estimate::of_ratios(&ratios, CONFIDENCE)
}

fn head(args: &EvalArgs, reader: &Reader) -> Result<Head, Failure> {
    Ok(match args.task {
        TaskArg::Sts => Head::Sentence(Pooling::read(&args.model).map_err(Failure::failed)?),
        TaskArg::Squad => {
            let head = AnswerHead::read(&reader.model.config, &*reader.model.source);
            Head::Answer(head.map_err(Failure::failed)?)
        }
    })
}

struct Evaluation<'a> {
    context: Context<'a>,
    args: &'a EvalArgs,
    /// Of a file that was named.
    read: Option<&'a Ranges>,
    reader: &'a Reader,
    prepared: &'a Prepared,
    head: &'a Head,
}

/// Ranges of inputs.
struct Found {
    ranges: Ranges,
    /// A file, or what part of the data.
    on: String,
}

/// A model in one precision.
struct Model {
    name: &'static str,
    encoder: Encoder,
    room: Room,
}

/// On its way through the data.
struct Running {
    model: Model,
    check: Check,
    outputs: Outputs,
    /// How many sequences it has run.
    sequences: usize,
    /// Seconds of each batch.
    seconds: Vec<f64>,
}

/// What a precision came to.
struct Judged {
    name: &'static str,
    judgement: Judgement,
    /// Sequences that were run.
    sequences: usize,
    /// Forward passes and heads.
    running: Duration,
    /// The same, tokenising before and judging behind it.
    whole: Duration,
    /// Of batches, sorted.
    latencies: Vec<f64>,
    times: Times,
}

/// All that is printed.
struct Report<'a> {
    args: &'a EvalArgs,
    isa: tilewise::Isa,
    threads: usize,
    config: &'a Config,
    prepared: &'a Prepared,
    ran: Ran,
    /// What the ranges of int8-static were found on.
    calibrated_on: Option<String>,
    /// That of the last precision, and counts by its encoder.
    check: Check,
    counts: Vec<Count>,
    results: Vec<Judged>,
    /// With two precisions: how many times as fast the second is, batch by batch.
    by_batch: Option<Estimate>,
    partial: bool,
}

impl Evaluation<'_> {
    /// The precisions asked for, and the ranges of int8-static.
    fn arms(&self) -> Result<(Vec<Running>, Option<Found>), Failure> {
        let (fp32, int8) = (Precision::Fp32, Precision::Int8);
        let arms = match self.args.precision {
            PrecisionArg::Fp32 => vec![self.arm(fp32)?],
            PrecisionArg::Int8 => vec![self.arm(int8)?],
            PrecisionArg::Int8Static => {
                let found = self.found()?;
                let arm = self.arm(Precision::Int8Static(&found.ranges))?;
                return Ok((vec![arm], Some(found)));
            }
            PrecisionArg::Both => vec![self.arm(fp32)?, self.arm(int8)?],
        };
        Ok((arms, None))
    }

    /// An encoder that gives the same bits however it computes them. How near they are to those of another
    /// precision is what the metric says.
    fn arm(&self, precision: Precision<'_>) -> Result<Running, Failure> {
        let (name, model) = (precision.name(), &self.reader.model);
        let encoder = model.encoder(self.context, precision)?;
        let indices = self.arrival().into_iter().next().unwrap_or_default();
        let first = self.prepared.batch(&indices);
        let check = sample::alone(&encoder, &first, self.context.setup.team());
        let check = check.map_err(|error| self.failure(error, &indices))?;
        Ok(Running {
            model: Model { name, encoder, room: Room::default() },
            check: sample::passed(name, check)?,
            outputs: self.prepared.outputs(),
            sequences: 0,
            seconds: Vec::new(),
        })
    }

    /// Batches in the order of the file.
    fn arrival(&self) -> Vec<Vec<usize>> {
        self.prepared.batches(self.args.batch, false)
    }

    /// What is wrong with a pass over these sequences, and with which of them.
    fn failure(&self, error: Error, indices: &[usize]) -> Failure {
        self.reader.model.failure(self.prepared.named(error, indices))
    }

    /// Ranges of a file, or of the first batches of the data: labels are not looked at, but texts are,
    /// which is said.
    fn found(&self) -> Result<Found, Failure> {
        if let (Some(ranges), Some(file)) = (self.read, &self.args.ranges) {
            return Ok(Found { ranges: ranges.clone(), on: file.display().to_string() });
        }
        let batches = self.arrival();
        let batches = batches.iter().take(CALIBRATION).map(|indices| self.prepared.batch(indices));
        let batches: Vec<Batch> = batches.collect();
        let on = format!("the first {} batches of the data itself", batches.len());
        output::remark(format_args!("ranges of inputs are found on {on}"));
        let encoder = self.reader.model.encoder(self.context, Precision::Fp32)?;
        let team = self.context.setup.team();
        let progress = Progress::new(batches.len(), "batches that ranges are found on");
        let ranges = encoder.calibrate(progress.over(&batches), &mut Room::default(), team);
        Ok(Found { ranges: ranges.map_err(|error| self.reader.model.failure(error))?, on })
    }

    /// Every batch through every arm, who begins changing from one to the next. Gives whether it
    /// was interrupted.
    fn batches(&self, arms: &mut [Running]) -> Result<bool, Failure> {
        let sorted = self.args.order == OrderArg::Sorted;
        let batches = self.prepared.batches(self.args.batch, sorted);
        let what = match self.args.task {
            TaskArg::Sts => "batches of sentences",
            TaskArg::Squad => "batches of windows",
        };
        if let Some(first) = batches.first() {
            // Memory is made and weights are read before the clock starts; what comes of it does not
            // count, or there would be results without time.
            for Running { model, .. } in arms.iter_mut() {
                self.batch(model, first, &mut self.prepared.outputs())?;
                model.room.take_times();
            }
        }
        interrupt::watch("what was judged until now will be said");
        interrupt::part_with("what was judged is given up");
        let progress = Progress::new(batches.len(), what);
        for (turn, indices) in batches.iter().enumerate() {
            if turn > 0 && interrupt::caught() {
                return Ok(true);
            }
            let count = arms.len();
            for place in 0..count {
                let running = &mut arms[(place + turn) % count];
                let seconds = self.batch(&mut running.model, indices, &mut running.outputs)?;
                running.seconds.push(seconds);
                running.sequences += indices.len();
            }
            progress.step();
        }
        Ok(false)
    }

    /// Runs a batch and gives the seconds it took.
    fn batch(
        &self,
        model: &mut Model,
        indices: &[usize],
        outputs: &mut Outputs,
    ) -> Result<f64, Failure> {
        let batch = self.prepared.batch(indices);
        let begin = Instant::now();
        let by = (&model.encoder, &mut model.room, self.context.setup.team());
        let ran = self.head.run(by, (&batch, indices), outputs);
        ran.map_err(|error| self.failure(error, indices))?;
        Ok(begin.elapsed().as_secs_f64())
    }

    /// What all of it came to.
    fn report(
        &self,
        arms: &[Running],
        found: Option<Found>,
        (preparing, partial): (Duration, bool),
    ) -> Report<'_> {
        let last = arms.last().expect("at least one precision");
        let ran = self.prepared.ran(&last.outputs);
        let lengths = ran.lengths.iter().copied();
        Report {
            args: self.args,
            isa: self.context.setup.setting().isa,
            threads: self.context.setup.setting().threads,
            config: &self.reader.model.config,
            prepared: self.prepared,
            calibrated_on: found.map(|found| found.on),
            check: last.check.clone(),
            counts: counts(&last.model.encoder, self.head, lengths),
            ran,
            results: arms.iter().map(|arm| self.judge(arm, preparing)).collect(),
            by_batch: match arms {
                [first, second] => by_batch(&first.seconds, &second.seconds),
                _ => None,
            },
            partial,
        }
    }

    fn judge(&self, arm: &Running, preparing: Duration) -> Judged {
        let begin = Instant::now();
        let judgement = self.prepared.judge(&arm.outputs);
        let judging = begin.elapsed();
        let running = Duration::from_secs_f64(arm.seconds.iter().sum());
        let mut latencies = arm.seconds.clone();
        latencies.sort_by(f64::total_cmp);
        Judged {
            name: arm.model.name,
            judgement,
            sequences: arm.sequences,
            running,
            whole: preparing + running + judging,
            latencies,
            times: arm.model.room.times().clone(),
        }
    }
}
