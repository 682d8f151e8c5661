//! `tilewise kmeans --predict`: labels by centres from a file, without a fit.

use super::claims::Claims;
use super::{Input, failure, remark_rounding, starts};
use crate::cli::args::KmeansArgs;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::points::{Number, Rows};
use crate::cli::setup::Setup;
use crate::cli::single::{self, Others};
use std::path::Path;
use tilewise::Matrix;
use tilewise::kmeans::{Centres, Shape};
use tilewise::vector::Real;
use tilewise_harness::kmeans::{Layout, Workload};

/// Labels points that are in memory, writes, and measures how long that takes.
pub(super) fn run<T: Number>(
    args: &KmeansArgs,
    setup: &Setup,
    claims: Claims,
    file: &Path,
) -> Result<(), Failure> {
    // First: what cannot be read is refused before a large file of points is.
    let read = starts::<T>(file)?;
    let Input { rows, picture, source } = args.shape.points::<T>(args.common.seed)?;
    remark_rounding::<T>("--data", args.shape.data.as_deref());
    let centres = centres::<T>(read, file, rows.columns)?;
    if picture.is_some() && T::NAME != "u8" {
        remark_bytes(centres.rows());
    }
    let shape = Shape { n: rows.len(), d: centres.d(), k: centres.k() };
    let chosen = setup.choose(&shape)?;
    let workload = Workload::sampled(rows.values, centres.rows()).map_err(failure)?;
    let mut candidate = workload
        .kernel("kmeans", setup.setting().isa, (&chosen, Layout::Rows), setup.team())
        .map_err(failure)?;
    // What the check has found is what is written.
    let check = single::check(&mut candidate)?;
    claims.write::<T>(picture.as_ref(), centres.rows(), &workload.found())?;
    let mut line =
        single::time(setup, &workload.task(), (&mut candidate, check), Others::default())?;
    line.add("input", source);
    if let Some(picture) = &picture {
        line.add("distinct", picture.colours());
    }
    line.add("centers", file.display().to_string());
    line.add("predict_median_s", line.median());
    line.add("clusters", clusters(&workload.found(), shape.k));
    line.print(args.common.json)
}

/// Centres that a file has, rounded to what centres of the points are, for points of `d` features.
pub(super) fn centres<T: Number>(
    Rows { values, columns }: Rows<f64>,
    file: &Path,
    d: usize,
) -> Result<Centres<T::Centre>, Failure> {
    if columns != d {
        return Err(Failure::usage(format_args!(
            "--predict {}: rows of {columns} numbers; expected {d}, as the points have",
            file.display()
        )));
    }
    remark_rounding::<T>("--predict", Some(file));
    let values: Vec<T::Centre> = values.into_iter().map(T::Centre::from_f64).collect();
    let rows = Matrix::new(&values, values.len() / d, d).expect("whole rows were read");
    Centres::new(rows).map_err(|error| failure(error.into()))
}

/// Tells that centres are colours of bytes, where colours are numbers from 0 to 1.
fn remark_bytes<C: Real>(centres: Matrix<'_, C>) {
    let numbers = (0..centres.rows()).flat_map(|row| centres.row(row)).map(|&number| number.into());
    let most = numbers.fold(0.0, f64::max);
    if most > 1.0 {
        output::remark(format_args!(
            "--predict has numbers up to {most}, where colours go from 0 to 1; --dtype u8 takes them from 0 to 255"
        ));
    }
}

/// How many of `k` centres have points.
pub(super) fn clusters(labels: &[u32], k: usize) -> usize {
    let mut taken = vec![false; k];
    labels.iter().for_each(|label| taken[*label as usize] = true);
    taken.into_iter().filter(|taken| *taken).count()
}
