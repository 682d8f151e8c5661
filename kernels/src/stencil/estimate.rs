//! Recipes from the sizes of grids and caches, for those who have not tuned.

use super::{Extent, Form, Recipe, Scheme, SideBySide};
use crate::buffer::LINE;
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::{FloatExtra, Real, Visitor, Vocabulary, dispatch_floats};

impl Recipe {
    /// How far ahead of use memory has to be asked: its latency (145 ns measured on a virtual
    /// Zen 5) times what one core draws meanwhile (32 GB/s), rounded up.
    const MEMORY_AHEAD: usize = 8 << 10;

    /// Steps at a time in a plane.
    const PLANE_DEPTH: usize = 8;

    /// Steps at a time in space.
    const SPACE_DEPTH: usize = 4;

    /// Rows of a plane that are stepped before all members wait for each other.
    const FRONT: usize = 64;

    /// A recipe for single steps, from the sizes of the grid and the caches.
    pub fn estimate<T: Real>(
        form: impl Into<Form>,
        extent: Extent,
        isa: Isa,
        caches: &CacheSizes,
        threads: usize,
    ) -> Self {
        let form: Form = form.into();
        let row = Self::row::<T>(form, extent);
        let field = row.saturating_mul(extent.y).saturating_mul(extent.z);
        let radius = form.radius;
        let inner_rows = extent.y.saturating_sub(2 * radius).max(1);
        // Half of the cache for the planes of the source that a point looks at, the other half
        // for what passes by.
        let planes = row.saturating_mul(2 * radius + 1).max(1);
        let fitting = (caches.l2 / 2 / planes).saturating_sub(2 * radius).max(1);
        let tile_rows = match form.dimensions {
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
            side_by_side: SideBySide::TwoRows.preferred(form),
            prefetch: Self::MEMORY_AHEAD,
            streaming: leaves_cache
                && !form.keeps_two()
                && dispatch_floats(isa, Streams).unwrap_or(false),
            threads: threads.max(1),
        }
    }

    /// A recipe for many steps: several at a time where the grid leaves the second-level cache.
    pub fn estimate_fused<T: Real>(
        form: impl Into<Form>,
        extent: Extent,
        isa: Isa,
        caches: &CacheSizes,
        threads: usize,
    ) -> Self {
        let form: Form = form.into();
        let single = Self::estimate::<T>(form, extent, isa, caches, threads);
        let numbers = extent.points().unwrap_or(usize::MAX).saturating_mul(2 * form.fields);
        // A line is one row.
        if numbers.saturating_mul(size_of::<T>()) <= caches.l2 || form.dimensions == 1 {
            return single;
        }
        // In tiles of their own wider stencils would step most points again and again.
        if form.radius > 1 || form.keeps_two() {
            return Self::skewed::<T>(form, extent, caches, single);
        }
        let plane = form.dimensions == 2;
        let depth = if plane { Self::PLANE_DEPTH } else { Self::SPACE_DEPTH };
        // Slices in the ring and of the source, and what a tile overlaps with its neighbours.
        let radius = form.radius;
        let slices = 2 * radius * (depth - 1) + 3 + 2 * radius + 2;
        let beside = 2 * radius * depth;
        let room = (caches.l2 / 8 * 7 / slices / form.fields / size_of::<T>()).max(LINE);
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
        let side_by_side = side_by_side.preferred(form);
        let scheme = Scheme::Overlapped;
        Recipe { scheme, depth, tile_rows, tile_points, side_by_side, ..single }
    }

    /// Bytes of a row of all fields.
    fn row<T: Real>(form: Form, extent: Extent) -> usize {
        let row = extent.x.saturating_mul(size_of::<T>()).div_ceil(LINE).saturating_mul(LINE);
        row.saturating_mul(form.fields)
    }

    /// Tiles that lean, as deep and then as high as half of the cache all cores share allows.
    fn skewed<T: Real>(form: Form, extent: Extent, caches: &CacheSizes, single: Recipe) -> Self {
        let Form { radius, fields, media, .. } = form;
        let row = Self::row::<T>(form, extent).max(1);
        // Both buffers and the media.
        let room = caches.l3 / 2 / row * fields / (2 * fields + media);
        let slices = |depth: usize| (depth - 1) * (radius + 2) + 1 + 2 * radius;
        let inner = extent.y.saturating_sub(2 * radius).max(1);
        if form.dimensions == 2 {
            // Each level holds as many rows as are written in one front.
            let depth = Self::PLANE_DEPTH;
            let tile_rows = (room / depth).saturating_sub(radius + 1).clamp(1, Self::FRONT);
            return Recipe { scheme: Scheme::Skewed, depth, tile_rows, ..single };
        }
        let rows = |depth: usize| room / slices(depth);
        let high = |depth: usize| rows(depth) >= inner.min(4 * radius * (depth + 1));
        let depth = (2..=Self::SPACE_DEPTH).rev().find(|&depth| high(depth));
        let Some(depth) = depth else { return single };
        let most = rows(depth).saturating_sub(radius * (depth + 1)).max(1);
        let tile_rows = if rows(depth) >= inner { inner } else { most };
        Recipe { scheme: Scheme::Skewed, depth, tile_rows, streaming: false, ..single }
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
