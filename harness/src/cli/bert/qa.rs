//! `tilewise bert qa`: one question about one text.

use super::Context;
use super::args::QaArgs;
use super::open::{Reader, failure};
use crate::cli::failure::Failure;
use crate::cli::output;
use serde_json::json;
use tilewise_harness::bert::evaluation::{Head, Prepared};
use tilewise_harness::bert::squad::Question;
use tilewise_harness::bert::{AnswerHead, Error, Room};

/// Windows of a batch: enough for a product, few enough that a long text shows no delay.
const BATCH: usize = 8;

pub(super) fn run(context: Context<'_>, args: &QaArgs) -> Result<(), Failure> {
    let path = args.context.display();
    let bytes = std::fs::read(&args.context)
        .map_err(|error| Failure::failed(format!("--context {path}: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|error| Failure::failed(format!("--context {path}: not UTF-8: {error}")))?;
    if args.question.trim().is_empty() {
        return Err(Failure::usage("--question: it is empty; expected at least one word"));
    }
    let reader = Reader::open(&args.model)?;
    let question = Question {
        id: String::new(),
        text: args.question.clone(),
        context: text.into(),
        answers: Vec::new(),
    };
    let windowing = reader.windowing(&args.windows)?;
    let text = question.context.clone();
    let prepared = Prepared::questions(vec![question], &reader.text, windowing);
    let prepared = prepared.map_err(|error| match error {
        Error::EmptyText => Failure::failed(format!("--context {path}: {error}")),
        other => failure(other),
    })?;
    let head = AnswerHead::read(&reader.model.config, &*reader.model.source);
    let head = Head::Answer(head.map_err(Failure::failed)?);
    let encoder = reader.model.encoder(context, args.precision.precision())?;
    reader.tell();
    let (mut room, mut outputs) = (Room::default(), prepared.outputs());
    for indices in prepared.batches(BATCH, false) {
        let batch = prepared.batch(&indices);
        let by = (&encoder, &mut room, context.setup.team());
        head.run(by, (&batch, &indices), &mut outputs).map_err(failure)?;
    }
    let Some(Some(answer)) = prepared.answers(&outputs).pop() else {
        return Err(Failure::failed("no part of the text is an answer; expected a longer text"));
    };
    let words = &text[answer.span.clone()];
    if !context.json {
        return output::print(words);
    }
    output::print(json!({
        "schema": 1, "kernel": "bert qa", "answer": words, "score": answer.score,
        "start": answer.span.start, "end": answer.span.end, "windows": prepared.sequences(),
        "dtype": args.precision.precision().name(),
    }))
}
