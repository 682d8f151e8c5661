//! Ranges of int8-static on the command line: read from the file of `--ranges`, written into that of
//! `--save-ranges`.

use super::args::{EvalArgs, OneArg, PrecisionArg};
use crate::cli::failure::Failure;
use crate::cli::output;
use std::path::Path;
use tilewise_harness::bert::{Error, Precision, Ranges};
use tilewise_harness::report::files::{self, Claim};

/// Where to get a file of them.
const ANEW: &str = "`tilewise bert eval --save-ranges FILE` finds them";

/// A precision and the ranges it needs.
pub(super) enum Given {
    Fp32,
    Int8,
    Int8Static(Ranges),
}

impl Given {
    /// What `--precision` and `--ranges` say together.
    pub(super) fn new(precision: OneArg, file: Option<&Path>) -> Result<Given, Failure> {
        match (precision, file) {
            (OneArg::Fp32, None) => Ok(Given::Fp32),
            (OneArg::Int8, None) => Ok(Given::Int8),
            (OneArg::Int8Static, Some(file)) => read(file).map(Given::Int8Static),
            (OneArg::Int8Static, None) => Err(Failure::usage(format!(
                "--precision int8-static: expected --ranges FILE with it; {ANEW}"
            ))),
            (_, Some(_)) => Err(needless("--ranges")),
        }
    }

    pub(super) fn precision(&self) -> Precision<'_> {
        match self {
            Given::Fp32 => Precision::Fp32,
            Given::Int8 => Precision::Int8,
            Given::Int8Static(ranges) => Precision::Int8Static(ranges),
        }
    }
}

/// The files of an evaluation, before any work is done.
pub(super) struct Files {
    /// What `--ranges` holds.
    pub(super) read: Option<Ranges>,
    /// The right to write that of `--save-ranges`.
    pub(super) claim: Option<Claim>,
}

impl Files {
    pub(super) fn open(args: &EvalArgs) -> Result<Files, Failure> {
        let (read_from, write_to) = (args.ranges.as_deref(), args.save_ranges.as_deref());
        for (flag, file) in [("--ranges", read_from), ("--save-ranges", write_to)] {
            if file.is_some() && args.precision != PrecisionArg::Int8Static {
                return Err(needless(flag));
            }
        }
        if let Some(file) = write_to {
            spare(file)?;
        }
        Ok(Files {
            read: read_from.map(read).transpose()?,
            claim: output::claim("--save-ranges", write_to, "json")?,
        })
    }
}

/// Refuses to replace anything but ranges: a model's folder is full of JSON.
fn spare(file: &Path) -> Result<(), Failure> {
    if !file.exists() || Ranges::read(file).is_ok() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--save-ranges {}: is there and holds no ranges; give another file",
        file.display()
    )))
}

fn read(file: &Path) -> Result<Ranges, Failure> {
    Ranges::read(file).map_err(|error| Failure::failed(format!("--ranges {error}; {ANEW}")))
}

/// Puts them into their file.
pub(super) fn save(claim: Claim, ranges: &Ranges) -> Result<(), Failure> {
    let text = serde_json::to_string(ranges).map_err(Failure::failed)?;
    files::publish(vec![(claim, format!("{text}\n").into())]).map_err(Failure::failed)
}

/// Why there is no encoder. Ranges that do not fit the model can only be those of a file.
pub(super) fn failure(error: Error) -> Failure {
    match error {
        Error::Ranges { .. } | Error::OtherModel { .. } => {
            Failure::failed(format!("--ranges: {error}; {ANEW}"))
        }
        other => Failure::failed(other),
    }
}

/// A flag of int8-static with another precision.
fn needless(flag: &str) -> Failure {
    Failure::usage(format!(
        "{flag}: expected --precision int8-static with it; only that takes ranges found beforehand"
    ))
}
