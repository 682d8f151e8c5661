//! `tilewise bert`: a language model from a folder, or of a published size with random weights.

pub(super) mod args;
mod bench;
mod embed;
mod eval;
mod instances;
mod memory;
mod open;
mod progress;
mod qa;
mod ranges;
mod sample;

use super::failure::Failure;
use super::setup::Setup;
use args::{BertArgs, BertCommand};

pub(super) fn run(args: &BertArgs) -> Result<(), Failure> {
    let setup = Setup::new(&args.machine.common(), false)?;
    let context = Context { setup: &setup, seed: args.machine.seed, json: args.machine.json };
    match &args.command {
        BertCommand::Bench(bench) => bench::run(context, bench),
        BertCommand::Embed(embed) => embed::run(context, embed),
        BertCommand::Qa(qa) => qa::run(context, qa),
        BertCommand::Eval(eval) => eval::run(context, eval),
    }
}

/// What all of them share.
#[derive(Clone, Copy)]
struct Context<'a> {
    setup: &'a Setup,
    seed: u64,
    json: bool,
}
