//! What a plan should cost: bytes from and to memory, and cache.

use super::overlap::Tiling;
use super::{Form, Plan, Recipe, Scheme};
use crate::vector::Real;

impl<T: Real> Plan<T> {
    /// Whether stores go past the caches: where the recipe says so, the instruction set has such
    /// stores, and what is written has not been read just before, as it is where a step takes the
    /// values of one step before.
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// Bytes moved between memory and caches for one update of a large grid stepped so many times
    /// in a call, if each point that a tile looks at is read once: what the bandwidth of memory
    /// limits.
    ///
    /// One step at a time it is a read and a write of each field and a read of the media, and
    /// another read of what is written unless stores go past the caches. Fused steps share that
    /// among them; fewer are left for the last pass where the depth of the recipe does not divide
    /// them. What tiles, and as many members as the recipe has threads, overlap is read again; what
    /// skewed tiles leave open at the ends of a periodic axis, and close later, is not counted.
    ///
    /// ```
    /// use tilewise::cache::CacheSizes;
    /// use tilewise::stencil::{Extent, Kind, Plan, Recipe, Scheme, Stencil};
    /// let (kind, extent, isa) = (Kind::Heat7, Extent::space(512, 512, 512), tilewise::Isa::best());
    /// let mut recipe = Recipe::estimate::<f32>(kind, extent, isa, &CacheSizes::detect(), 1);
    /// (recipe.scheme, recipe.streaming) = (Scheme::Plain, false);
    /// let plan = Plan::<f32>::new(Stencil::heat7(0.1), extent, isa, recipe)?;
    /// assert_eq!(plan.bytes_per_update(10), 12.0);
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub fn bytes_per_update(&self, steps: usize) -> f64 {
        let steps = steps.max(1);
        let depth = self.depth(steps);
        let last = match steps % depth {
            0 => 0.0,
            left => self.numbers_of_a_pass(left),
        };
        let numbers = (steps / depth) as f64 * self.numbers_of_a_pass(depth) + last;
        numbers * size_of::<T>() as f64 / steps as f64
    }

    /// Numbers moved for a point while `depth` steps are taken together.
    fn numbers_of_a_pass(&self, depth: usize) -> f64 {
        let Recipe { scheme, tile_rows, threads, .. } = self.recipe;
        let [reads, writes] = self.form.moves(self.streams()).map(|numbers| numbers as f64);
        let [_, within, across] = self.space.reach;
        let [looked_at, media] = [self.form.fields, self.form.media].map(|count| count as f64);
        match scheme {
            Scheme::Plain => reads + writes,
            Scheme::Spatial => {
                let again = self.space.again(1, tile_rows, 2 * within);
                reads + again * looked_at + writes
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
