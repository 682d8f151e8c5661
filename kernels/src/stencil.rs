//! Stencils: explicit heat steps on planes and in space, at the speed memory allows.
//!
//! ```
//! use tilewise::stencil::{Extent, Grid, Stencil};
//! // A hot point in a cold box, its rim held at zero.
//! let mut grid = Grid::from_fn(Extent::space(31, 31, 31), |at| {
//!     if at == [15; 3] { 1000.0_f32 } else { 0.0 }
//! })?;
//! Stencil::heat7(0.1).run(&mut grid, 100)?;
//! assert!(grid.row(15, 15)[15] < 10.0 && grid.row(15, 15)[0] == 0.0);
//! # Ok::<(), tilewise::stencil::Error>(())
//! ```
//!
//! The story, file by file: `kind` names the stencils, `heat` has their arithmetic and `formula`
//! what a formula is, `boundary` what is found past the ends, `grid` and `space` where points stand in memory, `recipe` how they
//! are cut into tiles. `rows` is the loop over registers and `apply` its only caller; `sweep` goes
//! through a grid one step at a time and `overlap` several; `table` picks the loops for a CPU, and
//! [`mod@reference`] is the plain loop that all of it must equal, bit for bit, whatever the recipe,
//! the instruction set and the number of threads (finite fields; which NaN an operation on NaNs
//! gives is the CPU's business).
//!
//! A step reads a field and writes the next one, so memory traffic is one read and one write of
//! every point: 8 bytes per update for `f32`, 16 for `f64`, if a point read once stays in cache
//! until its last neighbour is done (the tiles see to that) and if stores go past the caches
//! (otherwise each line is read before it is written: 12 and 24).

mod apply;
mod boundary;
mod error;
mod formula;
mod grid;
mod heat;
mod kind;
mod overlap;
mod recipe;
pub mod reference;
mod rows;
mod space;
mod sweep;
mod table;

pub use boundary::Boundary;
pub use error::Error;
pub use formula::Shape;
pub use grid::{Extent, Grid};
pub use kind::{Kind, UnknownKind};
pub use recipe::{Recipe, Scheme, SideBySide};

use crate::buffer::LINE;
use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::matrix::Disjoint;
use crate::team::{Member, Team};
use crate::vector::Real;
use apply::Kernels;
use core::cell::Cell;
use core::ops::Range;
use grid::Layout;
use overlap::Tiling;
use space::Space;

/// A kind of stencil, its coefficient, and what it finds past the ends of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stencil {
    /// Which neighbours, and the formula.
    pub kind: Kind,
    /// `dt * diffusivity / spacing^2` for heat: from 0 to [`Kind::stability_limit`]; rounded once
    /// to the numbers of the grid.
    pub coefficient: f64,
    /// Along x, y and z.
    pub boundary: [Boundary; 3],
}

impl Stencil {
    /// A stencil with a fixed rim.
    pub const fn new(kind: Kind, coefficient: f64) -> Self {
        Stencil { kind, coefficient, boundary: [Boundary::Fixed; 3] }
    }

    /// Heat on a line, see [`Kind::Heat3`].
    pub const fn heat3(coefficient: f64) -> Self {
        Self::new(Kind::Heat3, coefficient)
    }

    /// Heat on a plane, see [`Kind::Heat5`].
    pub const fn heat5(coefficient: f64) -> Self {
        Self::new(Kind::Heat5, coefficient)
    }

    /// Heat on a plane by the square around a point, see [`Kind::Heat9`].
    pub const fn heat9(coefficient: f64) -> Self {
        Self::new(Kind::Heat9, coefficient)
    }

    /// Heat in space, see [`Kind::Heat7`].
    pub const fn heat7(coefficient: f64) -> Self {
        Self::new(Kind::Heat7, coefficient)
    }

    /// Heat in space with the Laplacian of order 4, see [`Kind::Heat13`].
    pub const fn heat13(coefficient: f64) -> Self {
        Self::new(Kind::Heat13, coefficient)
    }

    /// Heat in space with the Laplacian of order 8, see [`Kind::Heat25`].
    pub const fn heat25(coefficient: f64) -> Self {
        Self::new(Kind::Heat25, coefficient)
    }

    /// Heat in space by the cube around a point, see [`Kind::Heat27`].
    pub const fn heat27(coefficient: f64) -> Self {
        Self::new(Kind::Heat27, coefficient)
    }

    /// The same with other boundaries along x, y and z (in a plane the last one is nobody's).
    ///
    /// ```
    /// use tilewise::stencil::{Boundary, Extent, Grid, Stencil};
    /// // Nothing flows out of a box with mirrors for walls.
    /// let mut grid = Grid::from_fn(Extent::plane(8, 8), |[x, _, _]| x as f64)?;
    /// Stencil::heat5(0.2).with_boundary([Boundary::Mirror; 3]).run(&mut grid, 1000)?;
    /// assert!(grid.row(0, 0).iter().all(|value| (value - 3.5).abs() < 1e-9));
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub const fn with_boundary(self, boundary: [Boundary; 3]) -> Self {
        Stencil { boundary, ..self }
    }

    /// Steps a grid with the best instruction set, an estimated recipe and, where the grid leaves
    /// the second-level cache, all cores. Those who step many grids, or have a team or a tuned
    /// recipe, make a [`Plan`].
    ///
    /// # Errors
    /// As [`Plan::new`], and [`Error::Team`] when threads cannot be started.
    pub fn run<T: Real>(self, grid: &mut Grid<T>, steps: usize) -> Result<(), Error> {
        let (extent, isa, caches) = (grid.extent(), Isa::best(), CacheSizes::detect());
        let plan = |threads| {
            let estimate =
                if steps > 1 { Recipe::estimate_fused::<T> } else { Recipe::estimate::<T> };
            Plan::new(self, extent, isa, estimate(self.kind, extent, isa, &caches, threads))
        };
        #[cfg(feature = "std")]
        if grid.bytes() > caches.l2 {
            let team = crate::SpinTeam::all_cores()?;
            return plan(team.size())?.run(grid, steps, &team);
        }
        plan(1)?.run(grid, steps, &crate::Solo)
    }
}

/// A stencil made ready for grids of one extent: checked once, run as often as you like.
///
/// ```
/// use tilewise::cache::CacheSizes;
/// use tilewise::stencil::{Extent, Grid, Plan, Recipe, Stencil};
/// use tilewise::{Isa, Solo};
/// let (stencil, extent, isa) = (Stencil::heat5(0.25), Extent::plane(100, 80), Isa::best());
/// let recipe = Recipe::estimate::<f64>(stencil.kind, extent, isa, &CacheSizes::detect(), 1);
/// let plan = Plan::new(stencil, extent, isa, recipe)?;
/// plan.run(&mut Grid::from_fn(extent, |[x, y, _]| (x * y) as f64)?, 10, &Solo)?;
/// # Ok::<(), tilewise::stencil::Error>(())
/// ```
#[derive(Debug)]
pub struct Plan<T> {
    stencil: Stencil,
    isa: Isa,
    recipe: Recipe,
    layout: Layout,
    space: Space,
    kernels: Kernels<T>,
}

impl<T: Real> Plan<T> {
    /// Checks everything that can be wrong.
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::NotFlat`] and [`Error::TooLarge`] for the extent,
    /// [`Error::Unstable`] for the coefficient, [`Error::RecipeZero`], [`Error::Depth`] and
    /// [`Error::SideBySide`] for the recipe, [`Error::MissingIsa`].
    pub fn new(stencil: Stencil, extent: Extent, isa: Isa, recipe: Recipe) -> Result<Self, Error> {
        let Stencil { kind, coefficient, boundary } = stencil;
        let layout = Layout::new::<T>(extent)?;
        let flat =
            [extent.y, extent.z].iter().skip(kind.dimensions() - 1).all(|&points| points == 1);
        if !flat {
            return Err(Error::NotFlat { kind, extent });
        }
        let space = Space::new(layout, kind.dimensions(), kind.radius(), boundary)?;
        let limit = kind.stability_limit();
        if !(0.0..=limit).contains(&coefficient) {
            return Err(Error::Unstable { kind, coefficient, limit });
        }
        recipe.check(kind)?;
        let kernels = table::find(stencil, isa, recipe.side_by_side)?;
        Ok(Plan { stencil, isa, recipe, layout, space, kernels })
    }

    /// What it computes.
    pub fn stencil(&self) -> Stencil {
        self.stencil
    }

    /// The grids it is for.
    pub fn extent(&self) -> Extent {
        self.layout.extent
    }

    /// The instruction set it uses.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How it sweeps.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Bytes moved between memory and caches for one update of a large grid, if each point that a
    /// tile looks at is read once: what the bandwidth of memory limits.
    ///
    /// One step at a time it is a read and a write, and another read of what is written unless
    /// stores go past the caches. Fused steps share that among them, and read again what their
    /// tiles overlap.
    pub fn bytes_per_update(&self) -> f64 {
        let Recipe { depth, streaming, .. } = self.recipe;
        let writes = if streaming { 1.0 } else { 2.0 };
        let size = size_of::<T>() as f64;
        if !self.recipe.scheme.fuses() {
            return (1.0 + writes) * size;
        }
        let reads = Tiling::new::<T>(self.space, &self.recipe, depth).overlap::<T>(depth);
        (reads + writes) * size / depth as f64
    }

    /// Bytes of cache that the tile of one member keeps busy.
    pub fn cache_footprint(&self) -> usize {
        let Recipe { scheme, depth, tile_rows, .. } = self.recipe;
        let [_, rows, _] = self.space.points;
        let looked_at = 2 * self.space.reach[2] + self.kernels.wide.reach().bz;
        let numbers = if scheme.fuses() {
            let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
            tiling.slice() * looked_at + tiling.scratch::<T>().unwrap_or(usize::MAX)
        } else {
            let rows = if scheme == Scheme::Plain { rows } else { tile_rows.min(rows) };
            (rows + 2 * self.space.reach[1]) * self.space.pitch * looked_at
        };
        numbers.saturating_mul(size_of::<T>())
    }

    /// Steps the grid `steps` times. All steps are one region of the team.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the grid has another extent than the plan,
    /// [`Error::OutOfMemory`] when there is no room for tiles.
    pub fn run(&self, grid: &mut Grid<T>, steps: usize, team: &dyn Team) -> Result<(), Error> {
        if grid.extent() != self.extent() {
            return Err(Error::Mismatch { plan: self.extent(), grid: grid.extent() });
        }
        let depth = if self.recipe.scheme.fuses() { self.recipe.depth.min(steps) } else { 1 };
        let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
        let takers = self.recipe.threads.min(team.size());
        let ring = if depth > 1 { tiling.scratch::<T>() } else { Some(0) };
        let scratch =
            ring.and_then(|ring| ring.checked_next_multiple_of(LINE)?.checked_mul(takers));
        let scratch = scratch.ok_or(Error::TooLarge { extent: self.extent() })?;
        grid.prepare(&self.space, scratch)?;
        let (buffers, rings) = grid.buffers();
        let passes = steps.div_ceil(depth.max(1));
        team.run(&|member| {
            for pass in 0..passes {
                let (from, to) = (&buffers[pass % 2], &buffers[(pass + 1) % 2]);
                let depth = depth.min(steps - pass * depth);
                if self.recipe.scheme.fuses() {
                    self.overlapped(member, (tiling, depth), &rings, from, to);
                } else {
                    self.step(member, from, to);
                }
                member.barrier();
            }
        });
        if passes % 2 == 1 {
            grid.swap();
        }
        Ok(())
    }

    /// Points ahead of use that memory is asked for.
    fn ahead(&self) -> usize {
        self.recipe.prefetch / size_of::<T>()
    }

    fn step(&self, member: Member<'_>, from: &Disjoint<'_, T>, to: &Disjoint<'_, T>) {
        let takers = self.recipe.threads.min(member.count());
        let rows = member.share_among(takers, self.space.rows());
        if rows.is_empty() {
            return;
        }
        let Recipe { tile_rows, streaming, .. } = self.recipe;
        let part = sweep::Part {
            space: self.space,
            kernels: &self.kernels,
            tile_rows: if self.recipe.scheme == Scheme::Plain { usize::MAX } else { tile_rows },
            streaming,
            ahead: self.ahead(),
            rows,
            source: whole(from),
        };
        part.step(own(to, part.range()));
    }

    /// The member's share of `depth` steps.
    fn overlapped(
        &self,
        member: Member<'_>,
        (tiling, depth): (Tiling, usize),
        rings: &Disjoint<'_, T>,
        from: &Disjoint<'_, T>,
        to: &Disjoint<'_, T>,
    ) {
        let takers = self.recipe.threads.min(member.count());
        let updated = self.space.updated(2);
        let share = member.share_among(takers, updated.len());
        if share.is_empty() {
            return;
        }
        let each = rings.len() / takers / LINE * LINE;
        let ring = own(rings, member.index() * each..(member.index() + 1) * each);
        let part = overlap::Part {
            tiling,
            kernels: &self.kernels,
            depth,
            streaming: self.recipe.streaming,
            ahead: self.ahead(),
            slices: updated.start + share.start..updated.start + share.end,
            source: whole(from),
            ring: Cell::from_mut(ring).as_slice_of_cells(),
        };
        part.steps(own(to, part.range()));
    }
}

/// The field all members read.
#[allow(unsafe_code, reason = "disjoint output views")]
fn whole<'a, T>(from: &Disjoint<'a, T>) -> &'a [T] {
    // SAFETY: in one pass all members read `from` and nobody writes it; a barrier stands between
    // this pass and the next, where the two change places.
    unsafe { from.read(0..from.len()) }
}

/// What one member writes: its range of the other field, or its ring.
#[allow(unsafe_code, reason = "disjoint output views")]
fn own<'a, T>(to: &Disjoint<'a, T>, range: Range<usize>) -> &'a mut [T] {
    // SAFETY: members have disjoint ranges, and nobody else looks at them before the barrier.
    unsafe { to.part(range) }
}
