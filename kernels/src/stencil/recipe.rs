//! How a sweep is cut into tiles: plain data, estimated from cache sizes, tuned, or written by
//! hand. No value of it changes a result.

use super::overlap::DEEPEST;
use super::{Error, Extent, Kind};
use crate::buffer::LINE;
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::{FloatExtra, Real, Visitor, Vocabulary, dispatch_floats};
use core::fmt;

/// How a plan sweeps its grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Recipe {
    /// How a grid is gone through.
    #[cfg_attr(feature = "serde", serde(default))]
    pub scheme: Scheme,
    /// Steps at a time where the scheme fuses them, at most 32.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub depth: usize,
    /// Rows of a plane in a tile. A tile marches through the planes, and if three planes of it
    /// stay in the second-level cache (the *layer condition*) every point is read from memory
    /// once.
    pub tile_rows: usize,
    /// Points along x in a tile of a scheme that fuses steps; others never cut rows, for long
    /// runs are what memory likes. A periodic axis is not cut either.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub tile_points: usize,
    /// Which rows are updated in one go.
    pub side_by_side: SideBySide,
    /// How many bytes ahead of use a point is asked for.
    pub prefetch: usize,
    /// Whether stores go past the caches, which saves reading every line before it is written.
    pub streaming: bool,
    /// How many members of the team take part at most.
    pub threads: usize,
}

/// What a recipe that was stored before steps could be fused has in the fields it lacks.
#[cfg(feature = "serde")]
fn one() -> usize {
    1
}

/// How a grid is gone through. The results are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Scheme {
    /// One step at a time, plane by plane.
    Plain,
    /// One step at a time, in tiles whose planes stay in cache.
    #[default]
    Spatial,
    /// Several steps at a time, in tiles that overlap.
    Overlapped,
}

impl Scheme {
    /// Every scheme there is.
    pub const ALL: [Scheme; 3] = [Scheme::Plain, Scheme::Spatial, Scheme::Overlapped];

    /// The name used on the command line, in wisdom and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Scheme::Plain => "plain",
            Scheme::Spatial => "spatial",
            Scheme::Overlapped => "overlapped",
        }
    }

    /// Whether it takes several steps at a time.
    pub const fn fuses(self) -> bool {
        matches!(self, Scheme::Overlapped)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
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
            Kind::Heat5 | Kind::Heat9 => ALL.split_at(2).0,
            Kind::Heat7 => ALL,
            // A line has one row; the others' rows fill the registers as they are.
            _ => ALL.split_at(1).0,
        }
    }

    /// This choice if the kind has it, or else one row.
    fn preferred(self, kind: Kind) -> Self {
        if Self::choices(kind).contains(&self) { self } else { SideBySide::One }
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

    /// Steps at a time in a plane.
    const PLANE_DEPTH: usize = 8;

    /// Steps at a time in space.
    const SPACE_DEPTH: usize = 4;

    /// A recipe for single steps, from the sizes of the grid and the caches.
    pub fn estimate<T: Real>(
        kind: Kind,
        extent: Extent,
        isa: Isa,
        caches: &CacheSizes,
        threads: usize,
    ) -> Self {
        let row = extent.x.saturating_mul(size_of::<T>()).div_ceil(LINE).saturating_mul(LINE);
        let field = row.saturating_mul(extent.y).saturating_mul(extent.z);
        let radius = kind.radius();
        let inner_rows = extent.y.saturating_sub(2 * radius).max(1);
        // Half of the cache for the planes of the source that a point looks at, the other half
        // for what passes by.
        let planes = row.saturating_mul(2 * radius + 1).max(1);
        let fitting = (caches.l2 / 2 / planes).saturating_sub(2 * radius).max(1);
        let tile_rows = match kind.dimensions() {
            // Equal tiles rather than full ones and a sliver.
            3 => inner_rows.div_ceil(inner_rows.div_ceil(fitting)),
            _ => inner_rows,
        };
        // Where the two fields are only a little larger than the cache, much of them stays in it:
        // 2048x2048 `f32` (32 MiB in a cache of as much) makes 10.6 GLUP/s with ordinary stores
        // and 6.8 past the caches; at 4096x4096 it is 4.7 and 6.1.
        let leaves_cache = field.saturating_mul(2) > caches.l3.saturating_mul(3) / 2;
        Recipe {
            scheme: Scheme::Spatial,
            depth: 1,
            tile_rows,
            tile_points: extent.x,
            side_by_side: SideBySide::TwoRows.preferred(kind),
            prefetch: Self::MEMORY_AHEAD,
            streaming: leaves_cache && dispatch_floats(isa, Streams).unwrap_or(false),
            threads: threads.max(1),
        }
    }

    /// A recipe for many steps: several at a time where the grid leaves the second-level cache.
    pub fn estimate_fused<T: Real>(
        kind: Kind,
        extent: Extent,
        isa: Isa,
        caches: &CacheSizes,
        threads: usize,
    ) -> Self {
        let single = Self::estimate::<T>(kind, extent, isa, caches, threads);
        let bytes = extent.points().unwrap_or(usize::MAX).saturating_mul(2 * size_of::<T>());
        // Wider stencils would step most of a tile again and again; a line is one row.
        if bytes <= caches.l2 || kind.radius() > 1 || kind.dimensions() == 1 {
            return single;
        }
        let plane = kind.dimensions() == 2;
        let depth = if plane { Self::PLANE_DEPTH } else { Self::SPACE_DEPTH };
        // Slices in the ring and of the source, and what a tile overlaps with its neighbours.
        let radius = kind.radius();
        let slices = 2 * radius * (depth - 1) + 3 + 2 * radius + 2;
        let beside = 2 * radius * depth;
        let room = (caches.l2 / 8 * 7 / slices / size_of::<T>()).max(LINE);
        let equal = |all: usize, most: usize| all.div_ceil(all.div_ceil(most.max(1)).max(1));
        let (mut tile_points, mut tile_rows) = (extent.x, 1);
        if plane {
            tile_points = equal(extent.x, room.saturating_sub(beside));
        } else {
            // Fewer rows would be stepped again and again; rather cut them.
            const FEWEST: usize = 16;
            tile_points = equal(tile_points, room / (FEWEST + beside));
            let rows = (room / tile_points.max(1)).saturating_sub(beside).max(1);
            tile_rows = equal(extent.y.saturating_sub(2 * radius).max(1), rows);
        }
        let side_by_side = if plane { SideBySide::TwoRows } else { SideBySide::TwoPlanes };
        let side_by_side = side_by_side.preferred(kind);
        let scheme = Scheme::Overlapped;
        Recipe { scheme, depth, tile_rows, tile_points, side_by_side, ..single }
    }

    pub(super) fn check(&self, kind: Kind) -> Result<(), Error> {
        let Recipe { depth, tile_rows, tile_points, threads, .. } = *self;
        let fields = [("tile_rows", tile_rows), ("tile_points", tile_points)];
        for (field, value) in fields.into_iter().chain([("depth", depth), ("threads", threads)]) {
            if value == 0 {
                return Err(Error::RecipeZero { field });
            }
        }
        if depth > DEEPEST {
            return Err(Error::Depth { given: depth, most: DEEPEST });
        }
        match SideBySide::choices(kind).contains(&self.side_by_side) {
            true => Ok(()),
            false => Err(Error::SideBySide { kind, given: self.side_by_side }),
        }
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recipe { scheme, depth, tile_rows, tile_points, side_by_side, .. } = self;
        let Recipe { prefetch, threads, .. } = self;
        let stores = if self.streaming { "streaming" } else { "ordinary" };
        match scheme {
            Scheme::Plain => write!(f, "whole planes")?,
            Scheme::Spatial => write!(f, "tiles of {tile_rows} rows")?,
            Scheme::Overlapped => write!(
                f,
                "{depth} steps at a time in overlapped tiles of {tile_points}x{tile_rows}"
            )?,
        }
        write!(f, " ({side_by_side}), {stores} stores, prefetch {prefetch} B, threads {threads}")
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
