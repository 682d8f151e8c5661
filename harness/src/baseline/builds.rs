//! The builds of the plain source that are linked into this program.
//!
//! The second unsafe file of the baselines (the first is `abi.rs`): it names the symbols of object
//! files the build script made from our own source with our own compiler, and hands a table out
//! only where the CPU has the features it was compiled for. There is no safe way to say either.
#![allow(unsafe_code, reason = "symbols of other object files, compiled for more than the base")]

use super::abi::Table;
use super::{Level, Vectorisation};

/// One compilation of the plain source.
#[derive(Debug)]
pub(super) struct Build {
    pub(super) level: Level,
    pub(super) vectorisation: Vectorisation,
    /// What the compiler was given beside the target.
    pub(super) flags: &'static str,
    /// Private: its functions must not run on a CPU without `level`.
    table: &'static Table,
}

impl Build {
    /// The build, if there is one and this CPU can run it.
    pub(super) fn find(level: Level, vectorisation: Vectorisation) -> Option<&'static Build> {
        BUILDS
            .iter()
            .filter(|build| build.level.is_available())
            .find(|build| build.level == level && build.vectorisation == vectorisation)
    }

    /// The levels this program has builds for, worst first.
    pub(super) fn levels() -> impl Iterator<Item = Level> {
        BUILDS.iter().map(|build| build.level).filter({
            let mut last = None;
            move |&level| last.replace(level) != Some(level)
        })
    }

    /// Its functions.
    pub(super) fn table(&self) -> &'static Table {
        self.table
    }
}

/// The table behind a symbol.
macro_rules! linked {
    ($symbol:ident) => {
        // SAFETY: the build script's archive defines the symbol as an immutable `Table` of the
        // same `abi.rs`, compiled by the same compiler.
        unsafe { &$symbol }
    };
}

include!(concat!(env!("OUT_DIR"), "/builds.rs"));
