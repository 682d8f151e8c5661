//! Recipes from the sizes of grids and caches, for those who have not tuned.

use super::{Extent, Form, Recipe, Registers, Scheme, SideBySide};
use crate::buffer::LINE;
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::{FloatExtra, Real, Visitor, Vocabulary, dispatch_floats};
use pulp::Simd;

impl Recipe {
    /// How far ahead of use memory has to be asked: its latency (145 ns measured on a virtual
    /// Zen 5) times what one core draws meanwhile (32 GB/s), rounded down. Of the speed of 8 KiB one
    /// step of `heat7` makes 1.0 to 1.02 (512 points an axis, 500x333x257) and `heat5` 1.03 to 1.1
    /// (4096 and 8192 points an axis) on one and two Zen 4 cores, of that of 2 KiB 1.02 to 1.07. Waves of
    /// order 2 and 8 make 1.0 of the speed of 8 KiB.
    const MEMORY_AHEAD: usize = 4 << 10;

    /// Rows of a tile in space whose overlap with the next one does not count any more.
    const HIGH: usize = 64;

    /// Steps at a time in a plane, in overlapped tiles. Of the speed of 8, 12 make 1.0 to 1.1, 16 1.02
    /// to 1.15 and 24 1.05 to 1.2 (2048, 4096 and 8192 points an axis, `f32` and `f64`, one and two
    /// Zen 4 cores); but a run may have fewer.
    const PLANE_DEPTH: usize = 16;

    /// The same in tiles that lean.
    const LEANING_DEPTH: usize = 8;

    /// Steps at a time in space where tiles are wide enough for them, and where not.
    ///
    /// Of the speed of 4, 8 make 1.02 to 1.07 in overlapped tiles with 512 points an axis `f32`,
    /// 1.0 to 1.16 with 500x333x257 `f64`, and in tiles that lean 1.05 to 1.2 with a radius of 1
    /// or 2; with one of 4, 3 to 6 steps are within 5 % (384x256x256 and 500x333x257; one and two
    /// Zen 4 cores).
    const SPACE_DEPTH: usize = 8;
    const SPACE_SHALLOW: usize = 4;

    /// Rows of a tile in space, at least, where several steps are taken at a time.
    const FEWEST: usize = 16;

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
        // From cache nothing has to be asked for: 1024x1024 `f32` (8 MiB of 32) took 1.05 of the
        // time if it was, 256x256 1.03, where not asking still asked for the line at hand; 128
        // points an axis (16 MiB) take 1.18 if it is not.
        let near = field.saturating_mul(2) <= caches.l3 / 4;
        let side_by_side = Self::single_steps(form, isa, near);
        let streaming = field.saturating_mul(2) >= Self::stays(caches, threads)
            && !form.keeps_two()
            && width(isa).streams;
        Recipe {
            scheme: Scheme::Spatial,
            depth: 1,
            tile_rows: Self::rows_of_tiles::<T>(form, extent, caches, threads.max(1)),
            tile_points: extent.x,
            side_by_side,
            registers: Registers::Whole,
            prefetch: if near { 0 } else { Self::ahead(caches, row, side_by_side) },
            streaming,
            threads: threads.max(1),
        }
    }

    /// A recipe for many steps: several at a time where the grid leaves the caches that a step at
    /// a time is fast from.
    ///
    /// On two Zen 3 cores (a shared cache of 32 MiB) one step at a time makes 1.6 of the speed of
    /// eight with 512x512 `f32` (2 MiB), 1.29 with 720x720 (4 MiB), 1.05 with 1024x1024 (8 MiB),
    /// and 0.75 with 2048x2048 (32 MiB). In space, where tiles overlap by more and two planes at a
    /// time spare reads, 1.2 of the speed of four with 64 to 128 points an axis in `f32` (2 to 16
    /// MiB; 1.0 to 1.15 on one core), 1.0 with 112 in `f64` (21 MiB), 0.75 with 160 `f32` and 128
    /// `f64` (32 MiB).
    ///
    /// Many steps at a time leave little of the field in cache for the next ones: stores past the
    /// caches make 1.03 to 1.15 of the speed of ordinary ones from there on (`heat7` from 136 to 192
    /// points an axis, `heat5` from 1088 to 2048, `f32` and `f64`, one and two Zen 4 cores).
    ///
    /// Tiles that overlap step the points between them again, by more the farther a stencil looks.
    /// With a radius of 2 (`heat13`, 256 points an axis, 500x333x257, 512x512x200, one and two Zen 4
    /// cores) four steps at a time in tiles of 64 rows make 1.2 to 1.5 of the speed of tiles that lean,
    /// for those write in place and so read each line before; single steps past the caches make 1.1 to
    /// 1.5 of it. With one of 4 single steps past the caches make 1.04 to 1.14 of it (`heat25`), in a
    /// plane 1.06 to 1.33 (4096x4096 `f32`, 3000x3000 `f64`; with one of 2 they make 0.65 to 0.9 of the
    /// speed of tiles that overlap there).
    ///
    /// A tile's levels stay in the second-level cache if whole rows can, and enough of them; if
    /// not, in a member's share of what all cores have. That is better than to cut rows: with
    /// 512x512x256 on one and two Zen 3 cores (512 KiB each) tiles of 256x26 make 1.33 and 2.5
    /// GLUP/s in `f32`, 512x16 1.85 and 3.6, 512x64 2.7 and 4.4 (171x17 0.69 and 1.26 in `f64`,
    /// 512x64 1.25 and 2.1); 8192x8192 in halves of rows 2.86 and 5.1, in whole ones 3.6 and 5.7.
    /// It is better too than to have few rows: with 1 MiB for each of two Zen 4 cores, tiles of 128
    /// rows or a whole plane make 1.07 to 1.17 of the speed of the 26 to 60 that fit (256, 320 and
    /// 512 points an axis and 500x333x257, four steps at a time), tiles of 64 rows 1.0 to 1.1.
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
        let plane = form.dimensions == 2;
        let near = caches.l2.max(caches.l3 / if plane { 4 } else { 2 });
        // A line is one row.
        if numbers.saturating_mul(size_of::<T>()) <= near || form.dimensions == 1 {
            return single;
        }
        let (far, streaming) = (form.radius > 2, width(isa).streams);
        if form.keeps_two() || far && !single.streaming {
            return Self::skewed::<T>(form, extent, caches, single);
        }
        if far {
            return single;
        }
        let radius = form.radius;
        // Numbers there is room for in each slice, of the ring and of the source.
        let slices = |depth: usize| 2 * radius * (depth - 1) + 3 + 2 * radius + 2;
        let room = |bytes: usize, depth: usize| {
            (bytes / slices(depth) / form.fields / size_of::<T>()).max(LINE)
        };
        let members = threads.max(1);
        let of_own = |depth: usize| room(caches.l2 / 8 * 7, depth);
        let of_all = |depth: usize| room(caches.l3 / 4 / members, depth).max(of_own(depth));
        // Whole rows, so many that what overlaps is less than half as much again, and slices of
        // which a member's ends are a small part.
        let wide = |&depth: &usize| {
            let rows = (of_all(depth) / extent.x.max(1)).saturating_sub(2 * radius * depth);
            rows >= 4 * radius * depth && extent.z / members >= 8 * radius * depth && radius == 1
        };
        let depth = match plane {
            true => Self::PLANE_DEPTH,
            false => (Self::SPACE_SHALLOW..=Self::SPACE_DEPTH)
                .rev()
                .find(wide)
                .unwrap_or(Self::SPACE_SHALLOW),
        };
        let beside = 2 * radius * depth;
        let fewest = if plane { 1 } else { Self::FEWEST };
        let (own, shared) = (of_own(depth), of_all(depth));
        let of = |rows: usize| match plane {
            true => extent.x.saturating_add(beside),
            false => extent.x.saturating_mul(rows + beside),
        };
        let wanted = of(Self::HIGH.min(extent.y.saturating_sub(2 * radius)));
        // Rows that must be cut all the same are cut to what a member has for itself.
        let room = if wanted > own && of(fewest) <= shared { shared } else { own };
        let equal = |all: usize, most: usize| all.div_ceil(all.div_ceil(most.max(1)).max(1));
        let (mut tile_points, mut tile_rows) = (extent.x, 1);
        if plane {
            tile_points = equal(extent.x, room.saturating_sub(beside));
        } else {
            // Fewer rows would be stepped again and again; rather cut them.
            tile_points = equal(tile_points, room / (fewest + beside));
            let rows = (room / tile_points.max(1)).saturating_sub(beside).max(1);
            tile_rows = equal(extent.y.saturating_sub(2 * radius).max(1), rows);
        }
        let side_by_side = if plane { SideBySide::TwoRows } else { SideBySide::TwoPlanes };
        let side_by_side = side_by_side.preferred(form);
        let scheme = Scheme::Overlapped;
        Recipe { scheme, depth, tile_rows, tile_points, side_by_side, streaming, ..single }
    }

    /// Bytes of both buffers that stay in the shared cache well enough for ordinary stores.
    ///
    /// Stores past the caches make, of the speed of ordinary ones (sixteen single steps, one and two
    /// Zen 4 cores that see 32 MiB): with 12 MiB 0.87 and 0.54 (`heat5` `f32`), 18 MiB 1.04 and 0.79, 23
    /// MiB 1.35 and 0.97 (`f64` 1.2 and 1.0), 28 MiB 1.43 and 0.94, 31 MiB 1.35 and 1.11 (`heat7`), 32
    /// MiB 1.5 and 1.0 to 1.1, 40 to 48 MiB 1.6 to 1.7 and 1.2 to 1.3. One core fills the cache it
    /// shares less well than it stores past it.
    fn stays(caches: &CacheSizes, threads: usize) -> usize {
        caches.l3 / 32 * if threads > 1 { 31 } else { 23 }
    }

    /// Rows of a tile for single steps: as many as let the planes that a point looks at stay in the
    /// second-level cache, or in a member's share of the last one if those are few.
    ///
    /// A tile reads the rows around it again, from wherever they are: in tiles of 6 rows, which is
    /// what a cache of 512 KiB has room for, the wave of order 8 (9 planes, `f32`, 512x512x256 and
    /// 500x333x257, one Zen 3 core) makes 0.65 to 0.75 of the speed it has in tiles of 64 or 128,
    /// of one row (`f64`) 0.4. The whole planes of 512x512 `f64` (18 MiB) make 0.5 of it. `heat7`
    /// cares less: on two cores tiles of 64 rows make 1.0 to 1.06 of the speed of 32, 128 rows 0.97
    /// to 1.03, whole planes of 512x512 0.79 to 0.92 (512 points an axis and 500x333x257).
    fn rows_of_tiles<T: Real>(
        form: Form,
        extent: Extent,
        caches: &CacheSizes,
        threads: usize,
    ) -> usize {
        let inner = extent.y.saturating_sub(2 * form.radius).max(1);
        if form.dimensions < 3 {
            return inner;
        }
        // Half of a cache for the planes of the source, the other half for what passes by.
        let planes = Self::row::<T>(form, extent).saturating_mul(2 * form.radius + 1).max(1);
        let fitting = |cache: usize| (cache / 2 / planes).saturating_sub(2 * form.radius).max(1);
        let most = fitting(caches.l2).max(fitting(caches.l3 / threads).min(Self::HIGH));
        // Equal tiles rather than full ones and a sliver.
        inner.div_ceil(inner.div_ceil(most))
    }

    /// Two rows at a time for single steps: of two planes where there are some, of one plane
    /// otherwise, unless a register is a line and the grid is in cache.
    ///
    /// Where a register is half a line, against one row two planes make 1.03 to 1.3 of the speed
    /// from cache (`heat7`, 96 to 160 points an axis, one and two Zen 3 cores), and 1.2 to 1.4 past it
    /// (up to 512 points); two rows (`heat5`) 1.0 to 1.09 from cache and 1.1 to 1.35 past it. Four planes
    /// at a time are no better than two (0.93 to 1.12, and a quarter where two planes together are whole pages), and a wave
    /// of order 8 loses: two planes make 0.85 of the speed of one, four 0.6.
    ///
    /// Where it is a line (before rows were held in registers), two planes make 1.12 to 1.14 of the speed
    /// of two rows from cache (`heat7`, 64 to 128 points an axis, two Zen 4 cores) and 1.25 to 1.45 past it
    /// (200 points `f64`, 256 `f32`, one and two cores), and on one Zen 5 core 0.96 (512 points). In a plane (`heat5`) one
    /// row makes 1.13 of the speed of two from cache (1024x1024; 1.04 with 512x512, 1.0 with
    /// 256x256), two make more past it (2048x2048 and 4096x4096).
    fn single_steps(form: Form, isa: Isa, near: bool) -> SideBySide {
        let two = match form.dimensions {
            3 => SideBySide::TwoPlanes,
            _ if near && width(isa).whole_line => SideBySide::One,
            _ => SideBySide::TwoRows,
        };
        two.preferred(form)
    }

    /// How far ahead of use memory is asked for.
    ///
    /// Two rows of a plane at a time ask for about the next two, if that is not too far: of the speed of
    /// 4 KiB ahead they make 1.14 with 4096x4096 `f32`, 1.06 in `f64`, 1.08 with 8192x8192 (one Zen 4
    /// core), 1.04 on two cores; 1.5 to 16 rows ahead do not differ, 1 row makes 0.83. Fused steps do
    /// not care.
    fn ahead(caches: &CacheSizes, row: usize, side_by_side: SideBySide) -> usize {
        let two_rows = row.saturating_mul(2);
        let there = side_by_side == SideBySide::TwoRows && two_rows <= caches.l2 / 4;
        if there { two_rows.max(Self::MEMORY_AHEAD) } else { Self::MEMORY_AHEAD }
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
            let depth = Self::LEANING_DEPTH;
            let tile_rows = (room / depth).saturating_sub(radius + 1).clamp(1, Self::FRONT);
            let scheme = Scheme::Skewed;
            return Recipe { scheme, depth, tile_rows, streaming: false, ..single };
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

/// What of an instruction set decides how rows are best gone through.
#[derive(Clone, Copy, Default)]
pub(super) struct Width {
    /// It can store past the caches.
    pub(super) streams: bool,
    /// A register is as long as a line.
    whole_line: bool,
}

pub(super) fn width(isa: Isa) -> Width {
    struct Ask;

    impl Visitor for Ask {
        type Output = Width;

        fn visit<V: Vocabulary>(self, _: V) -> Width {
            let whole_line = size_of::<<V::Floats as Simd>::f32s>() == LINE;
            Width { streams: V::Floats::STREAMS, whole_line }
        }
    }

    dispatch_floats(isa, Ask).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stencil::Kind;

    #[test]
    fn tiles_are_deep_where_they_are_wide() {
        let depth = |extent, l2, l3, threads| {
            let caches = CacheSizes { l2, l3, ..CacheSizes::ASSUMED };
            let kind = Kind::Heat7;
            Recipe::estimate_fused::<f32>(kind, extent, Isa::best(), &caches, threads).depth
        };
        let cube = Extent::space(512, 512, 512);
        assert_eq!(depth(cube, 1 << 20, 32 << 20, 1), Recipe::SPACE_DEPTH);
        assert_eq!(depth(cube, 1 << 20, 32 << 20, 2), Recipe::SPACE_DEPTH);
        assert_eq!(depth(cube, 1 << 20, 32 << 20, 8), 5, "little cache each");
        assert_eq!(depth(cube, 256 << 10, 8 << 20, 4), Recipe::SPACE_SHALLOW, "little cache");
        let flat = Extent::space(1024, 1024, 64);
        assert_eq!(depth(flat, 16 << 20, 256 << 20, 8), Recipe::SPACE_SHALLOW, "few slices each");
        let long = Extent::space(usize::MAX, 3, 64);
        assert_eq!(depth(long, 1 << 20, 32 << 20, 1), Recipe::SPACE_SHALLOW, "rows that never fit");
    }

    #[test]
    fn stores_go_past_a_cache_that_is_too_small() {
        let caches = CacheSizes { l2: 1 << 20, l3: 32 << 20, ..CacheSizes::ASSUMED };
        let isa = Isa::best();
        let streams = |kind: Kind, extent, threads| {
            Recipe::estimate::<f32>(kind, extent, isa, &caches, threads).streaming
        };
        let can = width(isa).streams;
        let plane = |points| Extent::plane(points, points);
        let both = |points| [1, 2].map(|threads| streams(Kind::Heat5, plane(points), threads));
        assert_eq!(both(1536), [false, false], "18 MiB");
        assert_eq!(both(1792), [can, false], "24 MiB");
        assert_eq!(both(2048), [can, can], "32 MiB");
        let cube = Extent::space(512, 512, 512);
        assert!(!streams(Kind::Wave25, cube, 2), "a wave reads what it writes");
    }

    #[test]
    fn memory_is_asked_4_kib_ahead_or_two_rows_of_a_plane() {
        let caches = CacheSizes { l2: 1 << 20, l3: 32 << 20, ..CacheSizes::ASSUMED };
        let ahead = |kind: Kind, extent| {
            Recipe::estimate::<f32>(kind, extent, Isa::best(), &caches, 1).prefetch
        };
        assert_eq!(ahead(Kind::Heat5, Extent::plane(1024, 256)), 0, "from cache");
        assert_eq!(ahead(Kind::Heat5, Extent::plane(4096, 4096)), 2 * 4096 * 4);
        assert_eq!(ahead(Kind::Heat5, Extent::plane(100, 1 << 20)), Recipe::MEMORY_AHEAD);
        assert_eq!(ahead(Kind::Heat5, Extent::plane(1 << 20, 256)), Recipe::MEMORY_AHEAD);
        assert_eq!(ahead(Kind::Heat5, Extent::plane(usize::MAX, 256)), Recipe::MEMORY_AHEAD);
        assert_eq!(ahead(Kind::Heat7, Extent::space(512, 512, 512)), Recipe::MEMORY_AHEAD);
        assert_eq!(ahead(Kind::Wave25, Extent::space(512, 512, 512)), Recipe::MEMORY_AHEAD);
    }
}
