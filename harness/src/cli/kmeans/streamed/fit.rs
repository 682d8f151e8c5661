//! A fit of points that stay in their file, and what is left of one that is interrupted.

use super::{Interruptible, Stream, is_interruption, refused};
use crate::cli::failure::Failure;
use crate::cli::kmeans::claims::Claims;
use crate::cli::kmeans::{Run, watched};
use crate::cli::output;
use crate::cli::points::Number;
use tilewise::Matrix;
use tilewise::kmeans::{Chunks, Fit, KMeans, Progress, Shape};
use tilewise::vector::Real;
use tilewise_harness::interrupt;

/// How a fit ended.
pub(super) enum Ended<C> {
    Whole(Fit<C>),
    /// By an interruption; nothing is left before the first iteration has ended.
    Early(Option<Left>),
}

impl<T: Number> Stream<'_, T> {
    /// Fits, for as long as nobody wants to stop.
    pub(super) fn fit(&self, settings: &KMeans) -> Result<Ended<T::Centre>, Failure> {
        let reader = Interruptible { points: self.points, interrupted: &interrupt::caught };
        let (mut last, mut best) = (None, None);
        let run = Run { args: self.args, plan: &self.plan, setup: self.setup, keep: &mut best };
        let fit = watched(settings, Chunks::new(&reader, self.part), run, |progress| {
            let Progress { start, iteration, centres, .. } = progress;
            last = Some(Left { start, iteration: Some(iteration), centres: flat(centres) });
        });
        match fit {
            Ok(fit) => Ok(Ended::Whole(fit)),
            Err(error) if is_interruption(&error) => {
                // A start that had ended is worth more than where a later one is.
                let ended = best.map(|fit| Left {
                    start: fit.start(),
                    iteration: None,
                    centres: flat(fit.centres()),
                });
                Ok(Ended::Early(ended.or(last)))
            }
            Err(error) => Err(refused(error, self.file)),
        }
    }
}

/// Centres of a fit that was interrupted.
pub(super) struct Left {
    start: usize,
    /// Of a start that was under way.
    iteration: Option<usize>,
    centres: Vec<f64>,
}

/// Writes what is left of a fit that was interrupted.
pub(super) fn stopped<T: Number>(
    left: Option<Left>,
    shape: Shape,
    claims: Claims,
) -> Result<(), Failure> {
    let Some(Left { start, iteration, centres }) = left else {
        let left = "the first iteration had not ended, and nothing is written";
        return Err(Failure::Interrupted(left));
    };
    if !claims.write_centres::<T>(shape, &centres)? {
        return Err(Failure::Interrupted("nothing is written without --centers"));
    }
    let which = match iteration {
        Some(iteration) => format!("iteration {iteration} of start {start}"),
        None => format!("start {start}, the best of those that had ended"),
    };
    output::remark(format_args!("--centers are those of {which}; --init goes on from there"));
    Err(Failure::Interrupted("the result is partial"))
}

fn flat<C: Real>(centres: Matrix<'_, C>) -> Vec<f64> {
    (0..centres.rows()).flat_map(|row| centres.row(row)).map(|&c| c.into()).collect()
}
