//! What can be typed after `tilewise wisdom`.

use super::super::args::{Budget, Common, TuneKernel};
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(in crate::cli) struct WisdomArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: WisdomCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum WisdomCommand {
    /// List the records, those of other CPUs too, and count lines that are none
    #[command(after_help = "Example:\n  tilewise wisdom show --wisdom wisdom.jsonl")]
    Show,
    /// Say for a shape which record is used, which are not, and why
    #[command(after_help = "Example:\n  tilewise wisdom explain gemm --m 128 --k 768 --n 3072")]
    Explain(Explain),
    /// Put the records of several files together; in any order it is the same
    #[command(
        after_help = "Example:\n  tilewise wisdom merge here.jsonl there.jsonl --into all.jsonl"
    )]
    Merge(Merge),
    /// Measure every candidate of a shape and write the raw samples
    #[command(
        after_help = "Example:\n  tilewise wisdom export gemm --m 64 --k 256 --n 256 --out gemm.json.gz"
    )]
    Export(Export),
    /// Measure records of this machine again, and demote those that hold no more
    #[command(after_help = "Example:\n  tilewise wisdom check --sample 5 --budget 2s")]
    Check(Check),
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    #[command(subcommand)]
    pub(super) kernel: TuneKernel,
}

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// Files of wisdom
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Where all records go, beside those that are there
    #[arg(long, value_name = "FILE")]
    pub(super) into: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Where the samples go: a file that ends in .gz
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) budget: Budget,
    #[command(subcommand)]
    pub(super) kernel: TuneKernel,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// How many records to measure, drawn by --seed
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) sample: usize,
    #[command(flatten)]
    pub(super) budget: Budget,
}
