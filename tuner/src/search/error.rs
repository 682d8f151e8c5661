//! Why a search has no result.

use crate::measure;
use crate::space::TooLarge;
use std::path::PathBuf;

/// A search without a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Input data or threads could not be had.
    #[error("cannot set up the {kernel} to tune: {reason}")]
    Workbench {
        /// The kernel.
        kernel: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The default gives a wrong result: nothing can be compared with it.
    #[error("the default recipe ({recipe}) of {kernel} is wrong: {reason}")]
    Default {
        /// The kernel.
        kernel: &'static str,
        /// The recipe.
        recipe: String,
        /// What is wrong.
        reason: String,
    },
    /// A recipe that was to be compared gives a wrong result, or one that was verified cannot be
    /// run again.
    #[error("cannot run the recipe {recipe}: {reason}")]
    Recipe {
        /// The recipe.
        recipe: String,
        /// What went wrong.
        reason: String,
    },
    /// There is too much to try.
    #[error(transparent)]
    Space(#[from] TooLarge),
    /// The file that outcomes are written to cannot be used.
    #[error("cannot keep the search's progress in {}: {source}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The stopwatch gave up.
    #[error(transparent)]
    Measure(#[from] measure::Error),
}
