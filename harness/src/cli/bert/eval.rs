//! `tilewise bert eval`: how good and how fast a model is on data, in one precision or two beside
//! each other.

mod table;

use super::args::{EvalArgs, OrderArg, PrecisionArg, TaskArg};
use super::open::{Reader, failure};
use super::{Context, progress};
use crate::cli::failure::Failure;
use crate::cli::output;
use std::time::{Duration, Instant};
use tilewise_harness::bert::evaluation::{Head, Judgement, Outputs, Prepared};
use tilewise_harness::bert::{
    AnswerHead, Encoder, Pooling, Precision, Ranges, Room, Times, squad, sts,
};
use tilewise_harness::interrupt;

/// Batches static ranges are found on.
const CALIBRATION: usize = 8;

pub(super) fn run(context: Context<'_>, args: &EvalArgs) -> Result<(), Failure> {
    for (name, given) in [("--batch", Some(args.batch)), ("--limit", args.limit)] {
        if given == Some(0) {
            return Err(Failure::usage(format!("{name} 0: expected 1 or more")));
        }
    }
    let data = Data::read(args)?;
    let reader = Reader::open(&args.model)?;
    let begin = Instant::now();
    let prepared = data.prepare(args, &reader)?;
    let preparing = begin.elapsed();
    let head = head(args, &reader)?;
    reader.tell();
    if prepared.truncated > 0 {
        let (cut, limit) = (prepared.truncated, reader.limit);
        output::remark(format!("{cut} texts are cut at the limit of {limit} tokens"));
    }
    let evaluation =
        Evaluation { context, args, reader: &reader, prepared: &prepared, head: &head };
    let mut arms = evaluation.arms()?;
    let partial = evaluation.batches(&mut arms)?;
    let results = arms.iter().map(|arm| evaluation.judge(arm, preparing)).collect();
    let report = Report {
        args,
        isa: context.setup.setting().isa,
        threads: context.setup.setting().threads,
        prepared: &prepared,
        config: &reader.model.config,
        results,
        partial,
    };
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
        match self {
            Data::Pairs(pairs) => Prepared::pairs(&pairs, &reader.text, reader.limit),
            Data::Questions(questions) => {
                let windowing = reader.windowing(&args.windows)?;
                Prepared::questions(questions, &reader.text, windowing)
            }
        }
        .map_err(failure)
    }
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
    reader: &'a Reader,
    prepared: &'a Prepared,
    head: &'a Head,
}

/// One precision on its way through the data.
struct Running {
    name: &'static str,
    encoder: Encoder,
    room: Room,
    outputs: Outputs,
    /// Seconds of each batch.
    seconds: Vec<f64>,
}

/// What a precision came to.
struct Judged {
    name: &'static str,
    judgement: Judgement,
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
    prepared: &'a Prepared,
    config: &'a tilewise_harness::bert::Config,
    results: Vec<Judged>,
    partial: bool,
}

impl Evaluation<'_> {
    fn arms(&self) -> Result<Vec<Running>, Failure> {
        Ok(match self.args.precision {
            PrecisionArg::Fp32 => vec![self.arm(Precision::Fp32)?],
            PrecisionArg::Int8 => vec![self.arm(Precision::Int8)?],
            PrecisionArg::Int8Static => {
                let ranges = self.ranges()?;
                vec![self.arm(Precision::Int8Static(&ranges))?]
            }
            PrecisionArg::Both => vec![self.arm(Precision::Fp32)?, self.arm(Precision::Int8)?],
        })
    }

    fn arm(&self, precision: Precision<'_>) -> Result<Running, Failure> {
        Ok(Running {
            name: precision.name(),
            encoder: self.reader.model.encoder(self.context, precision)?,
            room: Room::default(),
            outputs: self.prepared.outputs(),
            seconds: Vec::new(),
        })
    }

    /// Ranges of the first batches in the order of the file: labels are not looked at, but texts
    /// are, which is said.
    fn ranges(&self) -> Result<Ranges, Failure> {
        let indices = self.prepared.batches(self.args.batch, false);
        let batches: Vec<_> =
            indices.iter().take(CALIBRATION).map(|some| self.prepared.batch(some)).collect();
        output::remark(format!(
            "ranges of inputs are found on the first {} batches of the data itself",
            batches.len()
        ));
        let encoder = self.reader.model.encoder(self.context, Precision::Fp32)?;
        let team = self.context.setup.team();
        encoder.calibrate(&batches, &mut Room::default(), team).map_err(failure)
    }

    /// Every batch through every arm, who begins changing from one to the next. Gives whether it
    /// was interrupted.
    fn batches(&self, arms: &mut [Running]) -> Result<bool, Failure> {
        let sorted = self.args.order == OrderArg::Sorted;
        let batches = self.prepared.batches(self.args.batch, sorted);
        let bar = progress::bar(
            batches.len(),
            match self.args.task {
                TaskArg::Sts => "sentences",
                TaskArg::Squad => "windows",
            },
        );
        interrupt::watch("what was judged until now will be said");
        if let Some(first) = batches.first() {
            // Memory is made and weights are read before the clock starts.
            for arm in arms.iter_mut() {
                self.batch(arm, first)?;
                arm.seconds.clear();
                arm.room.take_times();
            }
        }
        for (turn, indices) in batches.iter().enumerate() {
            if interrupt::caught() {
                return Ok(true);
            }
            let count = arms.len();
            for place in 0..count {
                self.batch(&mut arms[(place + turn) % count], indices)?;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(false)
    }

    fn batch(&self, arm: &mut Running, indices: &[usize]) -> Result<(), Failure> {
        let Running { encoder, room, outputs, seconds, .. } = arm;
        let batch = self.prepared.batch(indices);
        let begin = Instant::now();
        let by = (&*encoder, room, self.context.setup.team());
        self.head.run(by, (&batch, indices), outputs).map_err(failure)?;
        seconds.push(begin.elapsed().as_secs_f64());
        Ok(())
    }

    fn judge(&self, arm: &Running, preparing: Duration) -> Judged {
        let begin = Instant::now();
        let judgement = self.prepared.judge(&arm.outputs);
        let judging = begin.elapsed();
        let running = Duration::from_secs_f64(arm.seconds.iter().sum());
        let mut latencies = arm.seconds.clone();
        latencies.sort_by(f64::total_cmp);
        Judged {
            name: arm.name,
            judgement,
            running,
            whole: preparing + running + judging,
            latencies,
            times: arm.room.times().clone(),
        }
    }
}
