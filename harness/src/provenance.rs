//! What this program was built from and with, embedded by the build script: nobody types it.

use serde::Serialize;

/// How this program came to be.
///
/// A field that could not be read says "unknown because ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Provenance {
    /// Version of the harness.
    pub version: &'static str,
    /// The compiler's own words, `rustc 1.95.0 (59807616e 2026-04-14)`.
    pub compiler: &'static str,
    /// Target triple.
    pub target: &'static str,
    /// Cargo's profile family, `release` or `debug`.
    pub profile: &'static str,
    /// Optimisation level of that profile.
    pub opt_level: &'static str,
    /// Whether debug assertions (and with them overflow checks) slow this build down.
    pub debug_assertions: bool,
    /// Extra compiler flags from the environment or cargo's configuration; empty for none.
    pub rustflags: &'static str,
    /// Commit of the sources.
    pub commit: &'static str,
    /// Whether the sources of the program were as that commit has them.
    pub state: State,
}

/// Whether sources were as the commit has them. Results and tests do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// They were.
    Clean,
    /// They were not.
    Dirty,
    /// Nobody could tell; the commit says why.
    Unknown,
}

impl Provenance {
    /// Of this program.
    ///
    /// ```
    /// let built = tilewise_harness::provenance::Provenance::read();
    /// assert!(built.compiler.contains("rustc"));
    /// ```
    pub fn read() -> Self {
        Provenance {
            version: env!("CARGO_PKG_VERSION"),
            compiler: env!("TILEWISE_BUILD_RUSTC"),
            target: env!("TILEWISE_BUILD_TARGET"),
            profile: env!("TILEWISE_BUILD_PROFILE"),
            opt_level: env!("TILEWISE_BUILD_OPT_LEVEL"),
            debug_assertions: cfg!(debug_assertions),
            rustflags: env!("TILEWISE_BUILD_RUSTFLAGS"),
            commit: env!("TILEWISE_BUILD_COMMIT"),
            state: match env!("TILEWISE_BUILD_STATE") {
                "clean" => State::Clean,
                "dirty" => State::Dirty,
                _ => State::Unknown,
            },
        }
    }
}
