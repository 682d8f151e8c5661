//! What a plan should cost: bytes from and to memory, and cache.

use super::overlap::Tiling;
use super::{Form, Plan, Recipe, Scheme};
use crate::cache::CacheSizes;
use crate::vector::Real;

impl<T: Real> Plan<T> {
    /// Whether stores go past the caches: where the recipe says so, the instruction set has such
    /// stores, and what is written has not been read just before, as it is where a step takes the
    /// values of one step before.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// Bytes moved between memory and caches for one update of a large grid stepped so many times
    /// in a call: what the bandwidth of memory limits.
    ///
    /// One step at a time it is a read and a write of each field and a read of the media, and
    /// another read of what is written unless stores go past the caches. A point is read once if
    /// the slices that a tile looks at, planes in space and rows in a plane, take no more than half
    /// of the second-level cache or of a member's share of the last one (the *layer condition*);
    /// otherwise it is gone from there before the next slice comes back to it, and a stencil of
    /// radius `r` reads it `2 r + 1` times, or `(2 r + 2) / 2` times where two slices are updated side
    /// by side. Rows of a tile in space are taken to stay.
    ///
    /// Fused steps share that among them; fewer are left for the last pass where the depth of the
    /// recipe does not divide them. Their tiles are taken to stay in cache: [`Plan::cache_footprint`]
    /// says what they need. What tiles, and as many members as the recipe has threads, overlap is
    /// read again; what skewed tiles leave open at the ends of a periodic axis, and close later, is
    /// not counted.
    ///
    /// ```
    /// use tilewise::cache::CacheSizes;
    /// use tilewise::stencil::{Extent, Kind, Plan, Recipe, Scheme, SideBySide, Stencil};
    /// let caches = CacheSizes { l2: 1 << 20, l3: 32 << 20, ..CacheSizes::ASSUMED };
    /// let (kind, extent, isa) = (Kind::Heat7, Extent::space(512, 512, 512), tilewise::Isa::best());
    /// let mut recipe = Recipe::estimate::<f32>(kind, extent, isa, &caches, 1);
    /// (recipe.scheme, recipe.streaming) = (Scheme::Plain, false);
    /// recipe.side_by_side = SideBySide::One;
    /// let plan = Plan::<f32>::new(Stencil::heat7(0.1), extent, isa, recipe)?;
    /// assert_eq!(plan.bytes_per_update(10, &caches), 12.0);
    /// // Three planes of a MiB do not stay in 4 MiB with what passes by.
    /// let little = CacheSizes { l3: 4 << 20, ..caches };
    /// assert_eq!(plan.bytes_per_update(10, &little), 20.0);
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub fn bytes_per_update(&self, steps: usize, caches: &CacheSizes) -> f64 {
        let steps = steps.max(1);
        let depth = self.depth(steps);
        let last = match steps % depth {
            0 => 0.0,
            left => self.numbers_of_a_pass(left, caches),
        };
        let numbers = (steps / depth) as f64 * self.numbers_of_a_pass(depth, caches) + last;
        numbers * size_of::<T>() as f64 / steps as f64
    }

    /// Numbers moved for a point while `depth` steps are taken together.
    fn numbers_of_a_pass(&self, depth: usize, caches: &CacheSizes) -> f64 {
        let Recipe { scheme, tile_rows, threads, .. } = self.recipe;
        let [reads, writes] = self.form.moves(self.streams()).map(|numbers| numbers as f64);
        let [_, within, across] = self.space.reach;
        let [looked_at, media] = [self.form.fields, self.form.media].map(|count| count as f64);
        match scheme {
            Scheme::Plain | Scheme::Spatial => {
                let cut = scheme == Scheme::Spatial;
                let again = if cut { self.space.again(1, tile_rows, 2 * within) } else { 0.0 };
                let times = self.times_read(caches);
                reads + ((1.0 + again) * times - 1.0) * looked_at + writes
            }
            Scheme::Overlapped => {
                // Members step the slices beside their own, too.
                let slices = self.space.updated(2).len();
                let each = slices.div_ceil(threads.min(slices).max(1));
                let ends =
                    self.space.again(2, each, if depth > 1 { 2 * across * depth } else { 0 });
                let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
                let again = tiling.overlap::<T>(depth) * (1.0 + ends) - 1.0;
                reads + again * (looked_at + media) + writes
            }
            // Both buffers are read and written, unless there is but one step.
            Scheme::Skewed if depth > 1 => (4.0 * looked_at + media) * self.slant().overlap(depth),
            Scheme::Skewed => looked_at * (2.0 + self.slant().overlap(depth)) + media,
        }
    }

    /// How often a sweep of single steps reads a point of the slices it looks at from memory.
    fn times_read(&self, caches: &CacheSizes) -> f64 {
        let CacheSizes { l2, l3, .. } = *caches;
        let room = l2.max(l3 / self.recipe.threads);
        // What is written and what else is read pass through the other half.
        if self.cache_footprint(1) <= room / 2 {
            return 1.0;
        }
        (2 * self.space.reach[2] + self.bz()) as f64 / self.bz() as f64
    }

    /// Bytes of cache that a tile keeps busy in a call of so many steps: that of one member, or of
    /// all where they share it. Media count where tiles are skewed, else they only pass by.
    pub fn cache_footprint(&self, steps: usize) -> usize {
        let Recipe { scheme, tile_rows, .. } = self.recipe;
        let [_, rows, _] = self.space.points;
        let looked_at = 2 * self.space.reach[2] + self.bz();
        let depth = self.depth(steps);
        let numbers = match scheme {
            Scheme::Skewed => {
                let Form { fields, media, .. } = self.form;
                (self.slant().busy(depth) / fields).saturating_mul(2 * fields + media)
            }
            Scheme::Overlapped => {
                let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
                let ring = tiling.scratch::<T>().unwrap_or(usize::MAX);
                tiling.slice().saturating_mul(looked_at).saturating_add(ring)
            }
            Scheme::Plain | Scheme::Spatial => {
                let rows = if scheme == Scheme::Plain { rows } else { tile_rows.min(rows) };
                let slice = (rows + 2 * self.space.reach[1]).saturating_mul(self.space.pitch);
                slice.saturating_mul(looked_at)
            }
        };
        numbers.saturating_mul(size_of::<T>())
    }
}
