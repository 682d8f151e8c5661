//! What a plan should cost: bytes from and to memory, and cache.

use super::overlap::Tiling;
use super::{Form, Plan, Recipe, Scheme};
use crate::vector::Real;

impl<T: Real> Plan<T> {
    /// Whether stores go past the caches: where the recipe says so, the instruction set has such
    /// stores, and what is written has not been read just before, as it is where a step takes the
    /// values of one step before.
    pub fn streams(&self) -> bool {
        self.recipe.streaming
            && self.kernels.wide.streams()
            && !self.form.keeps_two()
            && self.recipe.scheme != Scheme::Skewed
    }

    /// Bytes moved between memory and caches for one update of a large grid stepped so many times
    /// in a call, if each point that a tile looks at is read once: what the bandwidth of memory
    /// limits.
    ///
    /// One step at a time it is a read and a write of each field and a read of the media, and
    /// another read of what is written unless stores go past the caches. Fused steps share that
    /// among them; fewer are left for the last pass where the depth of the recipe does not divide
    /// them. What tiles, and members that share slices out, overlap is read again.
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
        let [reads, writes] = self.form.streams(self.streams()).map(|numbers| numbers as f64);
        let [_, rows, slices] = self.space.points;
        let [_, within, across] = self.space.reach;
        let looked_at = self.form.fields as f64;
        match scheme {
            Scheme::Plain => reads + writes,
            Scheme::Spatial => {
                let again = if tile_rows < rows { 2 * within } else { 0 };
                reads + looked_at * again as f64 / tile_rows as f64 + writes
            }
            Scheme::Overlapped => {
                // Each member steps the slices beside its own, too.
                let ends = 2 * (threads.min(slices) - 1) * across * depth;
                let ends = 1.0 + ends as f64 / slices as f64;
                let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
                let again = tiling.overlap::<T>(depth) * ends - 1.0;
                reads + again * (looked_at + self.form.media as f64) + writes
            }
            Scheme::Skewed => {
                // Both buffers are read, and written where more than one step is taken.
                let numbers = looked_at * (2 + depth.min(2)) as f64 + self.form.media as f64;
                numbers * self.slant().overlap(depth)
            }
        }
    }

    /// Bytes of cache that a tile keeps busy in a call of so many steps: that of one member, or of
    /// all where they share it.
    pub fn cache_footprint(&self, steps: usize) -> usize {
        let Recipe { scheme, tile_rows, .. } = self.recipe;
        let [_, rows, _] = self.space.points;
        let looked_at = 2 * self.space.reach[2] + self.bz();
        let depth = self.depth(steps.max(1));
        let numbers = match scheme {
            Scheme::Skewed => {
                let Form { fields, media, .. } = self.form;
                self.slant().busy(depth) / fields * (2 * fields + media)
            }
            Scheme::Overlapped => {
                let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
                tiling.slice() * looked_at + tiling.scratch::<T>().unwrap_or(usize::MAX)
            }
            Scheme::Plain | Scheme::Spatial => {
                let rows = if scheme == Scheme::Plain { rows } else { tile_rows.min(rows) };
                (rows + 2 * self.space.reach[1]) * self.space.pitch * looked_at
            }
        };
        numbers.saturating_mul(size_of::<T>())
    }
}
