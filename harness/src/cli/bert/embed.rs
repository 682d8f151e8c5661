//! `tilewise bert embed`: a vector for each line.

use super::Context;
use super::args::EmbedArgs;
use super::memory::Load;
use super::open::Reader;
use super::ranges::Given;
use crate::cli::failure::Failure;
use crate::cli::output;
use serde_json::json;
use std::io::{self, BufRead};
use tilewise_harness::bert::{Batch, Encoder, Error, Pooling, Room};

pub(super) fn run(context: Context<'_>, args: &EmbedArgs) -> Result<(), Failure> {
    if args.batch == 0 {
        return Err(Failure::usage("--batch 0: expected 1 or more"));
    }
    let given = Given::new(args.precision, args.ranges.as_deref())?;
    let reader = Reader::open(&args.model)?;
    let pooling = Pooling::read(&args.model).map_err(Failure::failed)?;
    // How long lines are is known when they come.
    let weights = Load { precisions: 1, rooms: 1, tokens: 0, longest: 0 };
    weights.check(context, &reader.model.config)?;
    let encoder = reader.model.encoder(context, given.precision())?;
    reader.tell_of_sentences(&args.model)?;
    let mut lines = Lines { context, reader: &reader, pooling, encoder, room: Room::default() };
    let mut waiting: Vec<Line> = Vec::new();
    for (index, line) in io::stdin().lock().split(b'\n').enumerate() {
        let number = index + 1;
        let line = line.map_err(|error| Failure::failed(format!("standard input: {error}")))?;
        match lines.read(number, &line) {
            Ok(line) => waiting.push(line),
            Err(wrong) => {
                // What was read before is answered.
                lines.answer(&mut waiting)?;
                return Err(wrong);
            }
        }
        if waiting.len() == args.batch && !lines.answer(&mut waiting)? {
            return Ok(());
        }
    }
    lines.answer(&mut waiting).map(|_| ())
}

/// A line that was read.
struct Line {
    number: usize,
    ids: Vec<u32>,
    dropped: usize,
}

/// What a line is called.
fn name(number: usize) -> String {
    format!("standard input, line {number}")
}

struct Lines<'a> {
    context: Context<'a>,
    reader: &'a Reader,
    pooling: Pooling,
    encoder: Encoder,
    room: Room,
}

impl Lines<'_> {
    fn read(&self, number: usize, line: &[u8]) -> Result<Line, Failure> {
        let name = name(number);
        let at = |reason: &dyn std::fmt::Display| Failure::failed(format!("{name}: {reason}"));
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).map_err(|error| at(&format!("not UTF-8: {error}")))?;
        let encoded = self.reader.text.encode(text, self.reader.limit);
        let encoded = encoded.map_err(|error: Error| at(&error))?;
        let mut alone = Batch::default();
        alone.push(&encoded.ids);
        alone.check(self.encoder.config()).map_err(|error| at(&error))?;
        if encoded.dropped > 0 {
            let limit = self.reader.limit;
            output::remark(format_args!(
                "line {number}: tokens cut off past the limit of {limit}: {}",
                encoded.dropped
            ));
        }
        Ok(Line { number, ids: encoded.ids, dropped: encoded.dropped })
    }

    /// Prints the vectors of the lines and forgets them. Gives whether anybody still reads.
    fn answer(&mut self, lines: &mut Vec<Line>) -> Result<bool, Failure> {
        let mut batch = Batch::default();
        lines.iter().for_each(|line| batch.push(&line.ids));
        let longest = lines.iter().map(|line| line.ids.len()).max().unwrap_or(0);
        let load = Load { precisions: 1, rooms: 1, tokens: batch.tokens(), longest };
        load.check(self.context, self.encoder.config())?;
        let (team, hidden) = (self.context.setup.team(), self.encoder.config().hidden);
        let sentences = self.encoder.embed(&batch, self.pooling, &mut self.room, team);
        let sentences = sentences.map_err(|error| {
            let line = |place: usize| Some(name(lines.get(place)?.number));
            self.reader.model.failure(error.named(line))
        })?;
        for (line, sentence) in lines.drain(..).zip(sentences.chunks_exact(hidden)) {
            let is_read = output::print_one(match self.context.json {
                false => json!(sentence),
                true => json!({
                    "schema": 1, "kernel": "bert embed", "line": line.number,
                    "tokens": line.ids.len(), "dropped": line.dropped, "embedding": sentence,
                }),
            })?;
            if !is_read {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
