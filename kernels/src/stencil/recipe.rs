//! How a sweep is cut into tiles: plain data, estimated from cache sizes, tuned, or written by
//! hand. No value of it changes a result.

use super::{Error, Extent, Kind};
use crate::buffer::LINE;
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::Real;
use core::fmt;

/// How a plan sweeps its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recipe {
    /// Rows of a plane in a tile. A tile marches through the planes, and if three planes of it
    /// stay in the second-level cache (the *layer condition*) every point is read from memory
    /// once. Rows are never cut: long runs are what prefetchers feed on.
    pub tile_rows: usize,
    /// Rows updated side by side, sharing their loads of the rows between them: one of
    /// [`Recipe::BANDS`].
    pub band: usize,
    /// Whether stores go past the caches, which saves reading every line before it is written.
    pub streaming: bool,
    /// How many members of the team take part at most.
    pub threads: usize,
}

impl Recipe {
    /// What [`Recipe::band`] may be.
    pub const BANDS: [usize; 3] = [1, 2, 4];

    /// A recipe from the sizes of the grid and the caches.
    pub fn estimate<T: Real>(
        kind: Kind,
        extent: Extent,
        isa: Isa,
        caches: &CacheSizes,
        threads: usize,
    ) -> Self {
        let row = extent.x.saturating_mul(size_of::<T>()).next_multiple_of(LINE) + LINE;
        let inner_rows = extent.y.saturating_sub(2).max(1);
        let band = 2;
        // Half of the cache for three planes of the source, the other half for what passes by.
        let fitting = (caches.l2 / 2 / (3 * row)).saturating_sub(2).max(band);
        let tile_rows = match kind.dimensions() {
            2 => inner_rows,
            // Equal tiles rather than full ones and a sliver.
            _ => inner_rows.div_ceil(inner_rows.div_ceil(fitting)).next_multiple_of(band),
        };
        let field = row.saturating_mul(extent.y).saturating_mul(extent.z);
        let streaming = isa > Isa::Neon && field.saturating_mul(2) > caches.l3;
        Recipe { tile_rows, band, streaming, threads: threads.max(1) }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let refuse = |field, value, expected| Err(Error::Recipe { field, value, expected });
        if self.tile_rows == 0 {
            return refuse("tile_rows", self.tile_rows, "at least 1");
        }
        if !Self::BANDS.contains(&self.band) {
            return refuse("band", self.band, "1, 2 or 4");
        }
        if self.threads == 0 {
            return refuse("threads", self.threads, "at least 1");
        }
        Ok(())
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { tile_rows, band, threads, .. } = self;
        let stores = if self.streaming { "streaming" } else { "ordinary" };
        write!(f, "tiles of {tile_rows} rows by {band}, {stores} stores, threads {threads}")
    }
}
