//! How a sweep is cut into tiles: plain data, estimated from cache sizes, tuned, or written by
//! hand. No value of it changes a result.

use super::{Error, Extent, Kind};
use crate::buffer::LINE;
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::{FloatExtra, Real, Visitor, Vocabulary, dispatch};
use core::fmt;

/// How a plan sweeps its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recipe {
    /// Rows of a plane in a tile. A tile marches through the planes, and if three planes of it
    /// stay in the second-level cache (the *layer condition*) every point is read from memory
    /// once. Rows are never cut: long runs are what memory likes.
    pub tile_rows: usize,
    /// Which rows are updated in one go.
    pub side_by_side: SideBySide,
    /// How many bytes ahead of use a point is asked for.
    pub prefetch: usize,
    /// Whether stores go past the caches, which saves reading every line before it is written.
    pub streaming: bool,
    /// How many members of the team take part at most.
    pub threads: usize,
}

/// Rows that are updated in one go and share what they load.
///
/// In memory, two rows make 4.6 GLUP/s on one core where one row makes 4.4 and two planes 4.4
/// (512x512x512 `f32`; 1.9, 1.6 and 1.8 with `f64`, 400 points an axis); on two cores all three are
/// within the noise. Four rows were tried and are not here: 0.7 of the speed of one row on
/// 512x512 in cache, 0.95 in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SideBySide {
    /// One row.
    One,
    /// Two rows of a plane.
    TwoRows,
    /// The same row of two planes (in space only).
    TwoPlanes,
}

impl SideBySide {
    /// Every choice there is for a kind of stencil.
    pub const fn choices(kind: Kind) -> &'static [SideBySide] {
        const ALL: &[SideBySide] = &[SideBySide::One, SideBySide::TwoRows, SideBySide::TwoPlanes];
        match kind {
            Kind::Heat5 => ALL.split_at(2).0,
            Kind::Heat7 => ALL,
        }
    }

    /// The name used in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            SideBySide::One => "one",
            SideBySide::TwoRows => "two-rows",
            SideBySide::TwoPlanes => "two-planes",
        }
    }
}

impl fmt::Display for SideBySide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Recipe {
    /// How far ahead of use memory has to be asked: its latency (145 ns measured on a virtual
    /// Zen 5) times what one core draws meanwhile (32 GB/s), rounded up.
    const MEMORY_AHEAD: usize = 8 << 10;

    /// A recipe from the sizes of the grid and the caches.
    pub fn estimate<T: Real>(
        kind: Kind,
        extent: Extent,
        isa: Isa,
        caches: &CacheSizes,
        threads: usize,
    ) -> Self {
        let row = extent.x.saturating_mul(size_of::<T>()).div_ceil(LINE).saturating_mul(LINE);
        let field = row.saturating_mul(extent.y).saturating_mul(extent.z);
        let inner_rows = extent.y.saturating_sub(2).max(1);
        // Half of the cache for three planes of the source, the other half for what passes by.
        let fitting = (caches.l2 / 2 / row.saturating_mul(3).max(1)).saturating_sub(2).max(1);
        let tile_rows = match kind {
            Kind::Heat5 => inner_rows,
            // Equal tiles rather than full ones and a sliver.
            Kind::Heat7 => inner_rows.div_ceil(inner_rows.div_ceil(fitting)),
        };
        // Where the two fields are only a little larger than the cache, much of them stays in it:
        // 2048x2048 `f32` (32 MiB in a cache of as much) makes 10.6 GLUP/s with ordinary stores
        // and 6.8 past the caches; at 4096x4096 it is 4.7 and 6.1.
        let leaves_cache = field.saturating_mul(2) > caches.l3.saturating_mul(3) / 2;
        Recipe {
            tile_rows,
            side_by_side: SideBySide::TwoRows,
            prefetch: Self::MEMORY_AHEAD,
            streaming: leaves_cache && dispatch(isa, Streams).unwrap_or(false),
            threads: threads.max(1),
        }
    }

    pub(super) fn check(&self, kind: Kind) -> Result<(), Error> {
        for (field, value) in [("tile_rows", self.tile_rows), ("threads", self.threads)] {
            if value == 0 {
                return Err(Error::RecipeZero { field });
            }
        }
        match SideBySide::choices(kind).contains(&self.side_by_side) {
            true => Ok(()),
            false => Err(Error::SideBySide { kind, given: self.side_by_side }),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { tile_rows, side_by_side, prefetch, threads, .. } = self;
        let stores = if self.streaming { "streaming" } else { "ordinary" };
        write!(
            f,
            "tiles of {tile_rows} rows ({side_by_side}), {stores} stores, \
             prefetch {prefetch} B, threads {threads}"
        )
    }
}

/// Asks whether an instruction set can store past the caches.
struct Streams;

impl Visitor for Streams {
    type Output = bool;

    fn visit<V: Vocabulary>(self, _: V) -> bool {
        V::Floats::STREAMS
    }
}
