//! What can be typed.

mod value;

use super::bert::args::BertArgs;
use super::points;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tilewise::Isa;
use tilewise::stencil::{Extent, Kind};
pub(super) use value::{count, isa_help, seed};
use value::{duration, grid};

/// Vectorised, tiled, tuned compute kernels, and honest reports about them.
#[derive(Debug, Parser)]
#[command(name = "tilewise", version, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print what this machine says of itself, and what it does not
    #[command(after_help = "Example:\n  tilewise machine --json")]
    Machine(MachineArgs),
    /// Measure all kernels against plain code and write a report
    #[command(after_help = "Example:\n  tilewise report --quick --out /tmp/report")]
    Report(ReportArgs),
    /// Measure one INT8 matrix product
    #[command(after_help = "Example:\n  tilewise gemm --m 128 --k 768 --n 3072 --threads 1")]
    Gemm(GemmArgs),
    /// Measure K-Means, or reduce the colours of a picture
    #[command(
        after_help = "Example:\n  tilewise kmeans --image photo.jpg --k 64 --out few-colours.png"
    )]
    Kmeans(KmeansArgs),
    /// Measure a stencil: heat, waves, a reaction
    #[command(
        after_help = "Example:\n  tilewise stencil --kind heat7 --grid 512,512,512 --steps 1"
    )]
    Stencil(StencilArgs),
    /// Run a language model in FP32 or INT8: measure it, make sentence vectors, answer questions
    #[command(after_help = "Example:\n  tilewise bert bench --shape base --seq 128")]
    Bert(BertArgs),
    /// Search for the best tile sizes and thread count, and remember them
    ///
    /// For one shape of a kernel; or, without one, for every shape of the report, each on one thread
    /// and on all.
    #[command(after_help = "Example:\n  tilewise tune gemm --m 128 --k 768 --n 3072 --budget 10s")]
    Tune(TuneArgs),
    /// Look at what has been remembered, put files together, measure it again
    #[command(after_help = "Example:\n  tilewise wisdom explain gemm --m 128 --k 768 --n 3072")]
    Wisdom(super::wisdom::args::WisdomArgs),
}

/// What every measuring command understands.
#[derive(Clone, Debug, Args)]
pub(super) struct Common {
    #[arg(long, value_name = "NAME", help = isa_help(), global = true)]
    pub(super) isa: Option<Isa>,
    /// Use at most so many threads [default: all that are allowed]
    #[arg(long, value_name = "N", global = true)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) threads: Option<usize>,
    /// File of tuned recipes, or "off" [default: tilewise/wisdom.jsonl in the user's data folder]
    #[arg(long, value_name = "FILE|off", global = true)]
    pub(super) wisdom: Option<WisdomArg>,
    /// What wisdom does: off; load what there is; tune-missing, what is not tuned first; force,
    /// everything anew [default: load; of tune: force]
    #[arg(long, value_enum, value_name = "MODE", global = true)]
    pub(super) wisdom_mode: Option<ModeArg>,
    /// What random inputs are made from
    #[arg(long, value_name = "N", default_value_t = 1, global = true)]
    #[arg(value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// Print one line of JSON instead of a table
    #[arg(long, global = true)]
    pub(super) json: bool,
}

/// Where recipes come from.
#[derive(Clone, Debug)]
pub(super) enum WisdomArg {
    Off,
    File(PathBuf),
}

impl FromStr for WisdomArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("expected a file, or off"),
            "off" => Ok(WisdomArg::Off),
            file => Ok(WisdomArg::File(file.into())),
        }
    }
}

/// What wisdom does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeArg {
    Off,
    Load,
    TuneMissing,
    Force,
}

#[derive(Debug, Args)]
pub(super) struct MachineArgs {
    /// Print one line of JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    #[command(flatten)]
    pub(super) common: Common,
    /// Fewer and smaller shapes: within a minute on two cores
    #[arg(long)]
    pub(super) quick: bool,
    /// Write into this folder [default: results/CPU/TIME-report]
    #[arg(long, value_name = "FOLDER")]
    pub(super) out: Option<PathBuf>,
    /// Picture to quantise, PNG or JPEG [default: a generated one]
    #[arg(long, value_name = "FILE")]
    pub(super) image: Option<PathBuf>,
    /// Show this record of a run beside rivals: a peers.jsonl from this kind of machine
    #[arg(long, value_name = "FILE")]
    pub(super) peers: Option<PathBuf>,
}

/// The sizes of a product.
#[derive(Clone, Debug, Args)]
pub(super) struct GemmShape {
    /// Rows of the left operand
    #[arg(long, value_name = "N", default_value_t = 128)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) m: usize,
    /// Depth
    #[arg(long, value_name = "N", default_value_t = 768)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) k: usize,
    /// Columns of the weights
    #[arg(long, value_name = "N", default_value_t = 3072)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) n: usize,
}

#[derive(Debug, Args)]
pub(super) struct GemmArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) shape: GemmShape,
    /// Products of this shape in one call, each with operands of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) batch: usize,
    /// Whether inputs are in the caches when the clock starts
    #[arg(long, value_enum, default_value_t = CacheArg::Hot)]
    pub(super) cache: CacheArg,
    /// Measure a whole linear layer: rows of floats in, floats with a bias and this activation out, by
    /// estimated recipes; the product in it takes turns with it
    #[arg(long, value_enum, value_name = "ACTIVATION")]
    #[arg(conflicts_with_all = ["batch", "wisdom", "wisdom_mode"])]
    pub(super) layer: Option<LayerArg>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LayerArg {
    /// Nothing
    None,
    Relu,
    /// GELU by the error function
    Gelu,
    /// GELU by the hyperbolic tangent
    GeluTanh,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CacheArg {
    /// Called again and again on the same data
    Hot,
    /// Swept from the caches of every thread before every call
    Cold,
}

/// What is to be clustered.
#[derive(Clone, Debug, Args)]
pub(super) struct KmeansShape {
    /// Picture whose colours are the points, PNG or JPEG [default: a generated one]
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub(super) image: Option<PathBuf>,
    /// Points, one a row: f32, f64 or u8 in a .npy file, numbers in a .csv file
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// Number of centres
    #[arg(long, value_name = "N", default_value_t = 64)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) k: usize,
}

#[derive(Debug, Args)]
pub(super) struct KmeansArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) shape: KmeansShape,
    /// Where centres start: k-means++, random points, or a .npy or .csv file of k rows
    #[arg(long, value_name = "k-means++|random|FILE", default_value = "k-means++")]
    pub(super) init: InitArg,
    /// Start so often and keep the best [default: 1; with random points 10; from a file always 1]
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub(super) n_init: Option<usize>,
    /// What points are: pixels are 0 to 1 as floats, 0 to 255 as u8 [default: of a .npy file what its
    /// numbers are, else f32]
    #[arg(long, value_enum)]
    pub(super) dtype: Option<DtypeArg>,
    /// Stop when centres move less than this share of the points' variance
    #[arg(long, value_name = "X", default_value_t = 1e-4, allow_hyphen_values = true)]
    pub(super) tol: f64,
    /// Stop after so many iterations
    #[arg(long, value_name = "N", default_value_t = 300)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) max_iter: usize,
    /// Leave the points in their .npy file, and let each thread read so many at a time [default:
    /// only for points that would take a quarter of the memory that is free]
    #[arg(long, value_name = "POINTS", value_parser = count, allow_negative_numbers = true)]
    pub(super) chunk: Option<usize>,
    /// Fit nothing: label the points by the centres of a .npy or .csv file, one a row, as --centers
    /// writes them
    #[arg(long, value_name = "FILE", value_parser = array)]
    #[arg(conflicts_with_all = ["k", "init", "n_init", "tol", "max_iter", "centers"])]
    pub(super) predict: Option<PathBuf>,
    /// Write the picture in k colours, as PNG
    #[arg(long, value_name = "PNG", conflicts_with = "data")]
    pub(super) out: Option<PathBuf>,
    /// Write the centres, one a row
    #[arg(long, value_name = "NPY")]
    pub(super) centers: Option<PathBuf>,
    /// Write the label of every point
    #[arg(long, value_name = "NPY")]
    pub(super) labels: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DtypeArg {
    F32,
    F64,
    U8,
}

/// Where centres start.
#[derive(Clone, Debug)]
pub(super) enum InitArg {
    PlusPlus,
    Random,
    File(PathBuf),
}

impl FromStr for InitArg {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "k-means++" => Ok(InitArg::PlusPlus),
            "random" => Ok(InitArg::Random),
            file if points::may_be(file.as_ref()) => Ok(InitArg::File(file.into())),
            _ => Err("expected k-means++, random, or a file that ends in .npy or .csv"),
        }
    }
}

/// A file of numbers, by its ending.
fn array(text: &str) -> Result<PathBuf, &'static str> {
    match points::may_be(text.as_ref()) {
        true => Ok(text.into()),
        false => Err("expected a file that ends in .npy or .csv"),
    }
}

/// What is to be stepped.
#[derive(Clone, Debug, Args)]
pub(super) struct StencilShape {
    /// heat3 on a line; heat5, heat9, gray-scott on a plane; heat7, heat13, heat25, heat27, wave7,
    /// wave13, wave25 in space
    #[arg(long, value_name = "NAME", default_value = "heat7")]
    pub(super) kind: Kind,
    /// Points along x, y and z, as many as there are dimensions, rim included [default: 256 each,
    /// 1048576 on a line]
    #[arg(long, value_name = "X,Y,Z", value_parser = grid, allow_hyphen_values = true)]
    pub(super) grid: Option<Extent>,
    /// Numbers of the field
    #[arg(long, value_enum, default_value_t = RealArg::F32)]
    pub(super) dtype: RealArg,
    /// Steps of a timed call; with more than one, some can be fused
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = count, allow_negative_numbers = true)]
    pub(super) steps: usize,
}

#[derive(Debug, Args)]
pub(super) struct StencilArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) shape: StencilShape,
    /// How the grid is gone through, instead of what wisdom or the estimate says
    #[arg(long, value_enum, value_name = "NAME")]
    pub(super) scheme: Option<SchemeArg>,
    /// Time step times diffusivity by spacing squared (waves: times speed by spacing, squared)
    /// [default: half of what is stable]
    #[arg(long, value_name = "C", allow_negative_numbers = true, value_parser = value::number)]
    pub(super) coefficient: Option<f64>,
    /// Write the field after the last step as a picture; in space, its middle plane
    #[arg(long, value_name = "FILE")]
    pub(super) png: Option<PathBuf>,
    /// Start from this .npy array of the grid's shape (z, y, x; fields before them) and --dtype;
    /// of waves two such, now and one step before, or one to start at rest [default: made from --seed]
    #[arg(long, value_name = "FILE")]
    pub(super) npy: Option<PathBuf>,
    /// Write the fields after the last step as a .npy array of the same shape, of waves also as they
    /// were one step before: --npy goes on from it
    #[arg(long, value_name = "FILE")]
    pub(super) npy_out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RealArg {
    F32,
    F64,
}

/// A stencil scheme, streaming stores among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemeArg {
    /// One step at a time, plane by plane
    Plain,
    /// In tiles whose planes stay in cache
    Spatial,
    /// The same with stores past the caches
    Streaming,
    /// Several steps at a time in tiles that overlap
    Overlapped,
    /// Several steps at a time, in place, in tiles that lean over each other
    Skewed,
}

#[derive(Debug, Args)]
pub(super) struct TuneArgs {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(flatten)]
    pub(super) budget: Budget,
    /// Draw what was explored: one page that needs nothing else
    #[arg(long, value_name = "HTML", global = true)]
    pub(super) plot: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) kernel: Option<TuneKernel>,
}

#[derive(Debug, Subcommand)]
pub(super) enum TuneKernel {
    /// The INT8 product of a shape
    #[command(after_help = "Example:\n  tilewise tune gemm --m 128 --k 768 --n 3072")]
    Gemm(GemmShape),
    /// Labelling the points of a picture or file
    #[command(after_help = "Example:\n  tilewise tune kmeans --image photo.jpg --k 64")]
    Kmeans(KmeansShape),
    /// A stencil
    #[command(after_help = "Example:\n  tilewise tune stencil --grid 512,512,512")]
    Stencil(StencilShape),
}

#[derive(Clone, Debug, Args)]
pub(super) struct Budget {
    /// Time to spend on a shape, such as 10s or 2m
    #[arg(long, value_name = "TIME", default_value = "10s", global = true)]
    #[arg(value_parser = duration, allow_hyphen_values = true)]
    pub(super) budget: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
