//! What a bench beside rivals may be told.

use crate::workload::Cache;
use clap::{Parser, ValueEnum};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

/// Runs tilewise and its rivals side by side, and writes what came out, whoever won.
#[derive(Clone, Debug, Parser)]
#[command(no_binary_name = false, version)]
pub struct Options {
    /// Python of the environment that benches/peers/README.md makes; without it only rivals in
    /// Rust take part
    #[arg(long, value_name = "FILE")]
    pub python: Option<PathBuf>,
    /// Only these shapes, as M,K,N of a product, N,D,K of K-Means or X,Y,Z of
    /// a grid; may be given several times
    /// [default: all]
    #[arg(long = "shape", value_name = "SIZES")]
    pub shapes: Vec<Sizes>,
    /// Only these stencils and types of number, as in wave25-f64 (of stencil_rivals); may be given
    /// several times [default: all]
    #[arg(long = "stencil", value_name = "NAME")]
    pub stencils: Vec<String>,
    /// Only these rivals; may be given several times [default: all]
    #[arg(long = "rival", value_name = "NAME")]
    pub rivals: Vec<String>,
    /// Only these kernels; may be given several times [default: all]
    #[arg(long = "kernel", value_name = "NAME")]
    pub kernels: Vec<String>,
    /// Only so many threads; may be given several times [default: 1 and all that are allowed]
    #[arg(long = "threads", value_name = "N")]
    pub threads: Vec<NonZeroUsize>,
    /// Only hot or only cold caches
    #[arg(long, value_enum)]
    pub cache: Option<CacheArg>,
    /// A few shapes, hot, half a second each
    #[arg(long)]
    pub quick: bool,
    /// Seconds of timing for each shape, thread count and cache state [default: 3]
    #[arg(long, value_name = "S")]
    pub seconds: Option<f64>,
    /// Picture whose pixels K-Means clusters [default: a generated one]
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// File of tuned recipes [default: estimated recipes]
    #[arg(long, value_name = "FILE")]
    pub wisdom: Option<PathBuf>,
    /// What inputs are made from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write into this folder [default: results/CPU/TIME-BENCH]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Given by cargo
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// Numbers with commas between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizes(pub Vec<usize>);

impl FromStr for Sizes {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sizes = text.split(',').map(|size| size.trim().parse());
        let sizes: Result<Vec<usize>, _> = sizes.collect();
        let sizes = sizes.ok().filter(|sizes| sizes.iter().all(|size| *size > 0));
        sizes.map(Sizes).ok_or("expected whole numbers above 0, as in 128,768,3072")
    }
}

/// See [`Cache`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CacheArg {
    /// Called again and again on the same data
    Hot,
    /// Inputs from memory
    Cold,
}

impl Options {
    /// Whether a rival is wanted.
    pub fn wants_rival(&self, name: &str) -> bool {
        named(&self.rivals, name)
    }

    /// Whether a kernel is wanted.
    pub fn wants_kernel(&self, name: &str) -> bool {
        named(&self.kernels, name)
    }

    /// Whether a stencil, with its type of number, is wanted.
    pub fn wants_stencil(&self, name: &str) -> bool {
        named(&self.stencils, name)
    }

    /// Whether a state of the caches is wanted.
    pub fn wants_cache(&self, cache: Cache) -> bool {
        match self.cache {
            Some(CacheArg::Hot) => cache == Cache::Hot,
            Some(CacheArg::Cold) => cache == Cache::Cold,
            None => cache == Cache::Hot || !self.quick,
        }
    }

    /// Seconds of timing for a cell.
    pub fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 0.5 } else { 3.0 })
    }

    /// Numbers of threads to measure with, of those this process may use.
    ///
    /// # Errors
    /// One that is not allowed, in words.
    pub fn threads(&self, allowed: usize) -> Result<Vec<usize>, String> {
        if self.threads.is_empty() {
            return Ok(if allowed == 1 { vec![1] } else { vec![1, allowed] });
        }
        let threads: Vec<usize> = self.threads.iter().map(|threads| threads.get()).collect();
        match threads.iter().find(|threads| **threads > allowed) {
            Some(given) => Err(format!(
                "--threads {given}: expected 1 to {allowed}, the cores this process may use"
            )),
            None => Ok(threads),
        }
    }
}

/// Whether this is wanted: one of those that are, or anything where none is named.
fn named(wanted: &[String], name: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|wanted| wanted == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_are_sound_and_sizes_are_read_or_refused() {
        use clap::CommandFactory;
        Options::command().debug_assert();
        assert_eq!("128,768,3072".parse(), Ok(Sizes(vec![128, 768, 3072])));
        for wrong in ["", "1,x", "0,1", "-1"] {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong}");
        }
        let options = Options::parse_from(["bench", "--threads", "3", "--bench"]);
        assert!(options.threads(2).is_err());
        assert_eq!(options.threads(4), Ok(vec![3]));
    }

    #[test]
    fn all_stencils_are_wanted_where_none_is_named() {
        assert!(Options::parse_from(["bench"]).wants_stencil("heat7-f32"));
        let options = Options::parse_from(["bench", "--stencil", "wave25-f64"]);
        assert!(options.wants_stencil("wave25-f64") && !options.wants_stencil("wave25-f32"));
    }
}
