//! What can be typed behind `tilewise bert`.

use crate::cli::args::{Common, WisdomArg, count, isa_help, seed};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use tilewise::Isa;
use tilewise_harness::bert::evaluation::TOGETHER;

#[derive(Debug, Args)]
pub(in crate::cli) struct BertArgs {
    #[command(flatten)]
    pub(super) machine: MachineFlags,
    #[command(subcommand)]
    pub(super) command: BertCommand,
}

/// On what to run, and how to print.
#[derive(Clone, Debug, Args)]
pub(super) struct MachineFlags {
    #[arg(long, value_name = "NAME", help = isa_help(), global = true)]
    isa: Option<Isa>,
    /// Use at most so many threads [default: all that are allowed]
    #[arg(long, value_name = "N", global = true)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) threads: Option<usize>,
    /// What random weights and token numbers are made from
    #[arg(long, value_name = "N", default_value_t = 1, global = true)]
    #[arg(value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// Print JSON instead of a table or text
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl MachineFlags {
    /// As the other commands have them. Recipes are estimated, for the number of tokens changes
    /// from batch to batch.
    pub(super) fn common(&self) -> Common {
        let MachineFlags { isa, threads, seed, json } = *self;
        Common { isa, threads, wisdom: Some(WisdomArg::Off), wisdom_mode: None, seed, json }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum BertCommand {
    /// Measure forward passes over synthetic token numbers
    #[command(
        after_help = "Example:\n  tilewise bert bench --shape base --batch 8 --seq 128 --precision int8"
    )]
    Bench(BenchArgs),
    /// Make a vector of each line of standard input
    #[command(after_help = "Example:\n  tilewise bert embed --model all-MiniLM-L6-v2 < lines.txt")]
    Embed(EmbedArgs),
    /// Answer a question about a text
    #[command(
        after_help = "Example:\n  tilewise bert qa --model minilm-qa --question \"Who won?\" --context match.txt"
    )]
    Qa(QaArgs),
    /// Measure accuracy and speed on a data set
    #[command(
        after_help = "Example:\n  tilewise bert eval --model all-MiniLM-L6-v2 --task sts --data sts-dev.csv --precision both"
    )]
    Eval(EvalArgs),
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// Folder of a model in Hugging Face's layout [default: random weights, see --shape]
    #[arg(long, value_name = "FOLDER", conflicts_with = "shape")]
    pub(super) model: Option<PathBuf>,
    /// Sizes of a model with random weights and a few channels far larger than the rest
    #[arg(long, value_enum, default_value_t = ShapeArg::Base)]
    pub(super) shape: ShapeArg,
    /// Sequences of a batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) batch: usize,
    /// Tokens of each sequence
    #[arg(long, value_name = "N", default_value_t = 128)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) seq: usize,
    /// What linear layers multiply, and attention but for short sequences
    #[arg(long, value_enum, default_value_t = PrecisionArg::Int8)]
    pub(super) precision: PrecisionArg,
    /// Run so many copies at once, which share the weights, each pinned to cores of its own, of
    /// which --threads are used in all
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(super) instances: Option<usize>,
    /// Cores of each copy [default: all there are, shared out evenly]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    #[arg(requires = "instances", conflicts_with = "threads")]
    pub(super) cores_per_instance: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct EmbedArgs {
    /// Folder of a model in Hugging Face's layout
    #[arg(long, value_name = "FOLDER")]
    pub(super) model: PathBuf,
    /// What linear layers multiply, and attention but for short sequences
    #[arg(long, value_enum, default_value_t = OneArg::Int8)]
    pub(super) precision: OneArg,
    /// File of ranges, which int8-static needs: `tilewise bert eval --save-ranges` writes it
    #[arg(long, value_name = "FILE")]
    pub(super) ranges: Option<PathBuf>,
    /// Sequences of a batch
    #[arg(long, value_name = "N", default_value_t = 32)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) batch: usize,
}

#[derive(Debug, Args)]
pub(super) struct QaArgs {
    /// Folder of a model in Hugging Face's layout
    #[arg(long, value_name = "FOLDER")]
    pub(super) model: PathBuf,
    /// What is asked
    #[arg(long, value_name = "TEXT")]
    pub(super) question: String,
    /// File of the text that holds the answer
    #[arg(long, value_name = "FILE")]
    pub(super) context: PathBuf,
    /// What linear layers multiply, and attention but for short sequences
    #[arg(long, value_enum, default_value_t = OneArg::Int8)]
    pub(super) precision: OneArg,
    /// File of ranges, which int8-static needs: `tilewise bert eval --save-ranges` writes it
    #[arg(long, value_name = "FILE")]
    pub(super) ranges: Option<PathBuf>,
    #[command(flatten)]
    pub(super) windows: WindowFlags,
}

/// How long texts are cut.
#[derive(Clone, Debug, Args)]
pub(super) struct WindowFlags {
    /// Tokens of a window, question included [default: 384, or the model's limit if that is less]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(super) window: Option<usize>,
    /// Tokens, by which windows overlap (as in Hugging Face's scripts) or step on (as in BERT's own
    /// and MLPerf's): "overlap:128" or "step:128" [default: overlap:128]
    #[arg(long, value_name = "KIND:N", value_parser = stride)]
    pub(super) stride: Option<tilewise_harness::bert::squad::Stride>,
}

impl WindowFlags {
    /// The first of them that was given.
    pub(super) fn given(&self) -> Option<&'static str> {
        let window = self.window.map(|_| "--window");
        window.or(self.stride.map(|_| "--stride"))
    }
}

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// Folder of a model in Hugging Face's layout
    #[arg(long, value_name = "FOLDER")]
    pub(super) model: PathBuf,
    /// What the data is
    #[arg(long, value_enum)]
    pub(super) task: TaskArg,
    /// The STS benchmark's lines between tabs, or a SQuAD v1.1 file
    #[arg(long, value_name = "FILE")]
    pub(super) data: PathBuf,
    /// What linear layers multiply, and attention but for short sequences; "both" runs fp32 and int8
    /// by turns, batch by batch
    #[arg(long, value_enum, default_value_t = PrecisionArg::Int8)]
    pub(super) precision: PrecisionArg,
    /// File of ranges for int8-static [default: found on the first batches of the data itself]
    #[arg(long, value_name = "FILE")]
    pub(super) ranges: Option<PathBuf>,
    /// Write the ranges that int8-static finds on the data into this .json file; only ranges are replaced
    #[arg(long, value_name = "FILE", conflicts_with = "ranges")]
    pub(super) save_ranges: Option<PathBuf>,
    /// Sequences of a batch
    #[arg(long, value_name = "N", default_value_t = TOGETHER)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) batch: usize,
    /// Whether sequences of like length run together
    #[arg(long, value_enum, default_value_t = OrderArg::Sorted)]
    pub(super) order: OrderArg,
    /// Evaluate only the first so many pairs or questions
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(super) limit: Option<usize>,
    #[command(flatten)]
    pub(super) windows: WindowFlags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ShapeArg {
    /// 12 layers of 768
    Base,
    /// 24 layers of 1024
    Large,
    /// 6 layers of 384
    Minilm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PrecisionArg {
    /// 32-bit floats
    Fp32,
    /// Bytes, inputs over the range of each token
    Int8,
    /// Bytes, inputs over ranges found beforehand
    Int8Static,
    /// Floats and bytes beside each other
    Both,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OneArg {
    /// 32-bit floats
    Fp32,
    /// Bytes, inputs over the range of each token
    Int8,
    /// Bytes, inputs over the ranges of a file
    Int8Static,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TaskArg {
    /// Similarity of sentences
    Sts,
    /// Answers to questions
    Squad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OrderArg {
    /// By length, as offline runs do
    Sorted,
    /// As they stand in the file
    Arrival,
}

/// `overlap:N` or `step:N`.
fn stride(text: &str) -> Result<tilewise_harness::bert::squad::Stride, String> {
    use tilewise_harness::bert::squad::Stride;
    let wrong = || "expected overlap:N or step:N, as in overlap:128".to_owned();
    let (kind, number) = text.split_once(':').ok_or_else(wrong)?;
    let number: usize = number.parse().map_err(|_| wrong())?;
    match (kind, number) {
        ("overlap", _) => Ok(Stride::Overlap(number)),
        ("step", 0) => {
            Err("windows that step by nothing never end; expected step:1 or more".into())
        }
        ("step", _) => Ok(Stride::Step(number)),
        _ => Err(wrong()),
    }
}
