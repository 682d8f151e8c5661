//! `tilewise bert qa`: one question about one text.

use super::Context;
use super::args::QaArgs;
use super::open::{Reader, failure};
use super::ranges::Given;
use crate::cli::failure::Failure;
use crate::cli::output;
use serde_json::json;
use tilewise_harness::bert::evaluation::{Head, Prepared};
use tilewise_harness::bert::squad::{Question, Windowing};
use tilewise_harness::bert::{AnswerHead, Error, Room};

/// Windows of a batch: enough for a product, few enough that a long text shows no delay.
const BATCH: usize = 8;

pub(super) fn run(context: Context<'_>, args: &QaArgs) -> Result<(), Failure> {
    let given = Given::new(args.precision, args.ranges.as_deref())?;
    let path = args.context.display();
    let bytes = std::fs::read(&args.context)
        .map_err(|error| Failure::failed(format!("--context {path}: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::failed(format!("--context {path}: not UTF-8: {error}")))?;
    let reader = Reader::open(&args.model)?;
    let asked = reader.text.pieces(&args.question);
    asked.map_err(|error| Failure::usage(format!("--question: {error}")))?;
    let question = Question {
        id: String::new(),
        text: args.question.clone(),
        context: text.into(),
        answers: Vec::new(),
    };
    let windowing = reader.windowing(&args.windows)?;
    let text = question.context.clone();
    let prepared = Prepared::questions(vec![question], &reader.text, windowing);
    let prepared = prepared.map_err(|error| wrong(args, error))?;
    prepared.check(&reader.model.config).map_err(|error| wrong(args, error))?;
    let head = AnswerHead::read(&reader.model.config, &*reader.model.source);
    let head = Head::Answer(head.map_err(Failure::failed)?);
    let encoder = reader.model.encoder(context, given.precision())?;
    reader.tell_of_windows(&windowing);
    if prepared.dropped > 0 {
        let (dropped, kept) = (prepared.dropped, windowing.question);
        output::remark(format_args!("--question: pieces cut off past the first {kept}: {dropped}"));
    }
    let (mut room, mut outputs) = (Room::default(), prepared.outputs());
    for indices in prepared.batches(BATCH, false) {
        let batch = prepared.batch(&indices);
        let by = (&encoder, &mut room, context.setup.team());
        let ran = head.run(by, (&batch, &indices), &mut outputs);
        ran.map_err(|error| reader.model.failure(error))?;
    }
    let answer = prepared.answers(&outputs).pop().expect("a question was asked");
    let answer = answer
        .map_err(|reason| Failure::failed(format!("no part of the text is an answer: {reason}")))?;
    let words = &text[answer.span.clone()];
    let Windowing { window, stride, .. } = windowing;
    if !context.json {
        let windows = prepared.sequences();
        // Standard output has the answer alone, for programs that read it.
        output::remark(format_args!(
            "windows of {window} tokens that {stride}; the text takes {windows}"
        ));
        return output::print(words);
    }
    output::print(json!({
        "schema": 1, "kernel": "bert qa", "answer": words, "score": answer.score,
        "start": answer.span.start, "end": answer.span.end, "windows": prepared.sequences(),
        "window": window, "stride": format!("windows {stride}"), "dropped": prepared.dropped,
        "dtype": given.precision().name(),
    }))
}

/// What is wrong, and with which of the two texts: there is one example, which has no name.
fn wrong(args: &QaArgs, error: Error) -> Failure {
    match error {
        Error::Example { reason, .. } => match *reason {
            Error::EmptyText => {
                Failure::failed(format!("--context {}: {reason}", args.context.display()))
            }
            Error::TokenId { .. } => {
                let model = args.model.display();
                Failure::failed(format!("--model {model}: the tokenizer gives {reason}"))
            }
            other => failure(other),
        },
        other => failure(other),
    }
}
