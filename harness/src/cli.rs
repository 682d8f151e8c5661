//! The command line: arguments in, one command run, results on standard output, everything else
//! on standard error. No numbers are made here.

mod args;
mod array;
mod bound;
mod failure;
mod machine;
mod npy;
mod output;
mod setup;
mod single;

mod bert;
mod gemm;
mod kmeans;
mod points;
mod problem;
mod report;
mod stencil;
mod tune;
mod wisdom;

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;
use tilewise_harness::interrupt;

pub(crate) fn main() -> ExitCode {
    interrupt::handle();
    let result = Cli::try_parse().map_err(Failure::from).and_then(run);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Machine(args) => machine::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Gemm(args) => gemm::run(&args),
        Command::Kmeans(args) => kmeans::run(&args),
        Command::Stencil(args) => stencil::run(&args),
        Command::Bert(args) => bert::run(&args),
        Command::Tune(args) => tune::run(&args),
        Command::Wisdom(args) => wisdom::run(&args),
    }
}
