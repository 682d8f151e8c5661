//! Labels of points that stay in their file, and how long they take.

use super::{Interruptible, Stream, refused};
use crate::cli::failure::Failure;
use crate::cli::kmeans::in_rounds;
use crate::cli::kmeans::watched::{WRITTEN, is_interruption};
use crate::cli::points::Number;
use std::time::{Duration, Instant};
use tilewise::Matrix;
use tilewise::buffer::Buffer;
use tilewise::kmeans::{Chunks, Error, Scratch};
use tilewise_harness::interrupt;
use tilewise_tuner::measure::Estimate;

/// Labels that were found, to be found again.
pub(super) struct Labels<'a, T: Number> {
    stream: &'a Stream<'a, T>,
    centres: Matrix<'a, T::Centre>,
    scratch: Scratch,
    found: Buffer<u32>,
    /// How long they took.
    once: Duration,
}

impl<'a, T: Number> Labels<'a, T> {
    /// Labels all points.
    pub(super) fn find(
        stream: &'a Stream<'a, T>,
        centres: Matrix<'a, T::Centre>,
    ) -> Result<Self, Failure> {
        let scratch = stream.plan.scratch(stream.threads()).map_err(Failure::failed)?;
        let found = Buffer::zeroed(stream.plan.shape().n).map_err(Failure::failed)?;
        let mut labels = Labels { stream, centres, scratch, found, once: Duration::ZERO };
        let start = Instant::now();
        labels.label()?;
        labels.once = start.elapsed();
        Ok(labels)
    }

    /// The label of every point.
    pub(super) fn found(&self) -> &[u32] {
        &self.found
    }

    /// How long labelling takes.
    pub(super) fn time(mut self) -> Result<Estimate, Failure> {
        in_rounds("predict", self.once, || self.label())
    }

    fn label(&mut self) -> Result<(), Failure> {
        let Labels { stream, centres, scratch, found, .. } = self;
        let reader = Interruptible { points: stream.points, interrupted: &interrupt::caught };
        let chunks = Chunks::new(&reader, stream.part);
        let done = stream.plan.assign(chunks, *centres, found, None, scratch, stream.setup.team());
        done.map_err(|error: Error| match is_interruption(&error) {
            true => Failure::Interrupted(WRITTEN),
            false => refused(error, stream.file),
        })
    }
}
