//! What `tilewise kmeans` writes: files that are claimed before any work is done.

use super::watched::WRITTEN;
use crate::cli::args::{InitArg, KmeansArgs};
use crate::cli::array;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::points::Number;
use std::path::Path;
use tilewise::Matrix;
use tilewise::kmeans::Shape;
use tilewise_harness::interrupt;
use tilewise_harness::picture::Picture;
use tilewise_harness::report::files::{self, Claim};

/// Files to be written.
pub(super) struct Claims {
    picture: Option<Claim>,
    centres: Option<Claim>,
    labels: Option<Claim>,
}

impl Claims {
    /// Each of them a file of its own, and none that is read.
    pub(super) fn new(args: &KmeansArgs) -> Result<Claims, Failure> {
        let init = if let InitArg::File(file) = &args.init { Some(&**file) } else { None };
        let inputs = [&args.shape.data, &args.shape.image, &args.predict].map(Option::as_deref);
        let inputs = [&inputs[..], &[init]].concat();
        let claim = |flag: &str, file: Option<&Path>, ending: &str| {
            output::spare(flag, file, &inputs)?;
            output::claim(flag, file, ending)
        };
        Ok(Claims {
            picture: claim("--out", args.out.as_deref(), "png")?,
            centres: claim("--centers", args.centers.as_deref(), "npy")?,
            labels: claim("--labels", args.labels.as_deref(), "npy")?,
        })
    }

    /// Writes what was asked for: centres, one a row, the label of every point, and the picture in
    /// the colours of its centres. Who interrupts what follows is told so.
    pub(super) fn write<T: Number>(
        self,
        picture: Option<&Picture>,
        rows: Matrix<'_, T::Centre>,
        labels: &[u32],
    ) -> Result<(), Failure> {
        let values = (0..rows.rows()).flat_map(|row| rows.row(row).iter().map(|&c| c.into()));
        let centres: Vec<f64> = values.collect();
        let mut contents = Vec::new();
        if let (Some(claim), Some(picture)) = (self.picture, picture) {
            let white: f64 = T::of_byte(u8::MAX).into();
            let colours: Vec<f32> = centres.iter().map(|c| (c / white) as f32).collect();
            contents.push((claim, picture.repaint(labels, &colours).png()));
        }
        if let Some(claim) = self.centres {
            let shape = [rows.rows(), rows.cols()];
            contents.push((claim, array::of_reals::<T::Centre>(&shape, centres.iter().copied())));
        }
        if let Some(claim) = self.labels {
            contents.push((claim, array::of_labels(labels)));
        }
        let some = !contents.is_empty();
        files::publish(contents).map_err(Failure::failed)?;
        if some {
            interrupt::part_with(WRITTEN);
        }
        Ok(())
    }

    /// Writes the centres alone; whether they were asked for.
    pub(super) fn write_centres<T: Number>(
        self,
        shape: Shape,
        centres: &[f64],
    ) -> Result<bool, Failure> {
        let Some(claim) = self.centres else { return Ok(false) };
        let bytes = array::of_reals::<T::Centre>(&[shape.k, shape.d], centres.iter().copied());
        files::publish(vec![(claim, bytes)]).map_err(Failure::failed)?;
        Ok(true)
    }
}
