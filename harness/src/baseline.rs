//! The honest opponents: plain source, compiled with the vectorisers off and on.
//!
//! The source lies in `harness/baseline/`, each kernel as anyone would write it in at least two
//! natural loop orders. The build script compiles it with the compiler of this program, at the
//! same optimisation level, for every level of CPU features: once with loop and superword
//! vectorisation off (the *scalar* arm), once with them on (the *auto-vectorised* arm), otherwise
//! alike. A test reads the machine code: no packed arithmetic in the first, full-width packed
//! arithmetic in the second.
//!
//! Operands are laid out for each order when they are made, outside any clock; a report must say
//! so. The opponent of a report is the fastest order: [`fastest`] measures all and names it.
//!
//! ```
//! use tilewise::Matrix;
//! use tilewise_harness::baseline::{Baseline, gemm};
//!
//! let (lhs, rhs) = ([1u8, 2, 3, 4], [5i8, -6, 7, 8]);
//! let operands = gemm::Operands::new(Matrix::new(&lhs, 2, 2)?, Matrix::new(&rhs, 2, 2)?)?;
//! for arm in [Baseline::scalar(), Baseline::auto()] {
//!     for order in gemm::Order::ALL {
//!         let mut out = [0; 4];
//!         arm.gemm(order, &operands, &mut out)?;
//!         assert_eq!(out, [19, 10, 43, 14], "{arm}, {order}");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use serde::Serialize;
use std::fmt;

#[cfg_attr(not(feature = "bert"), allow(dead_code, reason = "one of its halves is bert's"))]
mod abi;
#[cfg(feature = "bert")]
pub mod bert;
mod builds;
pub mod gemm;
pub mod kmeans;
mod level;
pub mod stencil;

use builds::Build;
pub use level::Level;

/// Whether the compiler's vectorisers were on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Vectorisation {
    /// One element at a time.
    Off,
    /// Whatever the compiler finds.
    Auto,
}

/// A build of the plain source that this CPU can run.
#[derive(Clone, Copy, Debug)]
pub struct Baseline(&'static Build);

impl Baseline {
    /// The scalar arm: the best level of this CPU, vectorisers off.
    pub fn scalar() -> Self {
        Self::best(Vectorisation::Off)
    }

    /// The auto-vectorised arm: the best level of this CPU, vectorisers on.
    pub fn auto() -> Self {
        Self::best(Vectorisation::Auto)
    }

    /// A build for one level, if this program has it and this CPU can run it.
    pub fn at(level: Level, vectorisation: Vectorisation) -> Option<Self> {
        Build::find(level, vectorisation).map(Baseline)
    }

    /// The levels this program has builds for, worst first, whether this CPU has them or not.
    pub fn levels() -> impl Iterator<Item = Level> {
        Build::levels()
    }

    fn best(vectorisation: Vectorisation) -> Self {
        let best = Self::levels().filter_map(|level| Self::at(level, vectorisation)).last();
        best.expect("the base level is always built and every CPU has it")
    }

    /// The CPU features it was compiled for.
    pub fn level(self) -> Level {
        self.0.level
    }

    /// Whether the compiler's vectorisers were on.
    pub fn vectorisation(self) -> Vectorisation {
        self.0.vectorisation
    }

    /// The compiler that made it.
    pub fn compiler(self) -> &'static str {
        env!("TILEWISE_BUILD_RUSTC")
    }

    /// The compiler's flags.
    pub fn flags(self) -> &'static str {
        self.0.flags
    }
}

/// `plain scalar (x86-64-v3)` or `plain auto-vectorised (x86-64-v3)`.
impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arm = match self.vectorisation() {
            Vectorisation::Off => "scalar",
            Vectorisation::Auto => "auto-vectorised",
        };
        write!(f, "plain {arm} ({})", self.level())
    }
}

/// Operands that do not fit together, or a result that does not fit them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice or a dimension of the wrong length.
    #[error("{what} has {found} elements; {expected} were expected")]
    Length {
        /// Which one.
        what: &'static str,
        /// How long it is.
        found: usize,
        /// How long it must be.
        expected: usize,
    },
    /// A stencil nobody has written a plain loop for.
    #[error("there is no plain code for the stencil {kind}")]
    NoPlainCode {
        /// Its name.
        kind: &'static str,
    },
    /// A function nobody has written plainly.
    #[error("there is no plain code for {name}")]
    NoPlainFunction {
        /// What it is.
        name: &'static str,
    },
    /// Nothing to compute on.
    #[error("{what} is 0; the plain code needs at least 1")]
    Empty {
        /// Which dimension.
        what: &'static str,
    },
}

impl Error {
    fn check_length(what: &'static str, found: usize, expected: usize) -> Result<(), Error> {
        if found == expected { Ok(()) } else { Err(Error::Length { what, found, expected }) }
    }

    fn check_positive(what: &'static str, size: usize) -> Result<(), Error> {
        if size > 0 { Ok(()) } else { Err(Error::Empty { what }) }
    }
}

/// Measures every candidate and gives the fastest with all that was measured.
///
/// `measure` returns seconds. Measure in the session in which the winner is used.
///
/// ```
/// use tilewise_harness::baseline::fastest;
/// let choice = fastest(["slow", "quick"], |name| name.len() as f64 / if name == "quick" { 10.0 } else { 1.0 });
/// assert_eq!(choice.winner, "quick");
/// assert_eq!(choice.all, [("slow", 4.0), ("quick", 0.5)]);
/// ```
///
/// # Panics
/// When there is no candidate.
pub fn fastest<C: Copy>(
    candidates: impl IntoIterator<Item = C>,
    mut measure: impl FnMut(C) -> f64,
) -> Choice<C> {
    let all: Vec<(C, f64)> = candidates.into_iter().map(|each| (each, measure(each))).collect();
    let first = all.iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let winner = first.expect("at least one loop order is measured").0;
    Choice { winner, all }
}

/// The fastest of several ways to write the same thing, and the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice<C> {
    /// The fastest.
    pub winner: C,
    /// Everything measured, with its seconds.
    pub all: Vec<(C, f64)>,
}
