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
//! The story, file by file: `taps` has the formula, `grid` where points stand in memory, `recipe`
//! how a sweep is cut into tiles, `sweep` the loops, `table` picks them for a CPU, and
//! [`mod@reference`] is the plain loop that all of it must equal, bit for bit, whatever the recipe,
//! the instruction set and the number of threads (finite fields; which NaN an operation on NaNs
//! gives is the CPU's business).
//!
//! A step reads a field and writes the next one, so memory traffic is one read and one write of
//! every point: 8 bytes per update for `f32`, 16 for `f64`, if a point read once stays in cache
//! until its last neighbour is done (the tiles see to that) and if stores go past the caches
//! (otherwise each line is read before it is written: 12 and 24).

mod error;
mod grid;
mod recipe;
pub mod reference;
mod sweep;
mod table;
mod taps;

pub use error::Error;
pub use grid::{Extent, Grid};
pub use recipe::{Recipe, SideBySide};
pub use taps::{Kind, UnknownKind};

use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::matrix::Disjoint;
use crate::team::Team;
use crate::vector::Real;
use alloc::boxed::Box;
use core::ops::Range;
use grid::Layout;
use sweep::{Part, Sweep};

/// A kind of stencil and its coefficient: `dt * diffusivity / spacing^2` for heat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stencil {
    /// Which neighbours, and the formula.
    pub kind: Kind,
    /// From 0 to [`Kind::stability_limit`]; rounded once to the numbers of the grid.
    pub coefficient: f64,
}

impl Stencil {
    /// Heat on a plane, see [`Kind::Heat5`].
    pub const fn heat5(coefficient: f64) -> Self {
        Stencil { kind: Kind::Heat5, coefficient }
    }

    /// Heat in space, see [`Kind::Heat7`].
    pub const fn heat7(coefficient: f64) -> Self {
        Stencil { kind: Kind::Heat7, coefficient }
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
            let recipe = Recipe::estimate::<T>(self.kind, extent, isa, &caches, threads);
            Plan::new(self, extent, isa, recipe)
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
    sweep: Box<dyn Sweep<T>>,
}

impl<T: Real> Plan<T> {
    /// Checks everything that can be wrong.
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::NotFlat`] and [`Error::TooLarge`] for the extent,
    /// [`Error::Unstable`] for the coefficient, [`Error::RecipeZero`] and [`Error::SideBySide`]
    /// for the recipe, [`Error::MissingIsa`].
    pub fn new(stencil: Stencil, extent: Extent, isa: Isa, recipe: Recipe) -> Result<Self, Error> {
        let Stencil { kind, coefficient } = stencil;
        let layout = Layout::new::<T>(extent)?;
        match (kind.dimensions(), extent.z) {
            (2, 2..) => return Err(Error::NotFlat { kind, extent }),
            (3, ..3) => {
                return Err(Error::TooSmall { extent, axis: 'z', points: extent.z, least: 3 });
            }
            _ => {}
        }
        let limit = kind.stability_limit();
        if !(0.0..=limit).contains(&coefficient) {
            return Err(Error::Unstable { kind, coefficient, limit });
        }
        recipe.check(kind)?;
        let sweep = table::find(kind, isa, &recipe)?;
        Ok(Plan { stencil, isa, recipe, layout, sweep })
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

    /// Bytes moved between memory and caches for one update, if each point is read once: what
    /// the streaming limit of a large grid is counted from.
    pub fn bytes_per_update(&self) -> usize {
        let passes = if self.recipe.streaming { 2 } else { 3 };
        passes * size_of::<T>()
    }

    /// Steps the grid `steps` times. All steps are one region of the team.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the grid has another extent than the plan.
    pub fn run(&self, grid: &mut Grid<T>, steps: usize, team: &dyn Team) -> Result<(), Error> {
        if grid.extent() != self.extent() {
            return Err(Error::Mismatch { plan: self.extent(), grid: grid.extent() });
        }
        let buffers = grid.buffers();
        team.run(&|member| {
            let takers = self.recipe.threads.min(member.count());
            let rows = member.share_among(takers, self.layout.inner_rows());
            for step in 0..steps {
                let (from, to) = (&buffers[step % 2], &buffers[(step + 1) % 2]);
                if !rows.is_empty() {
                    self.step(rows.clone(), from, to);
                }
                member.barrier();
            }
        });
        if steps % 2 == 1 {
            grid.swap();
        }
        Ok(())
    }

    #[allow(unsafe_code, reason = "disjoint output views")]
    fn step(&self, rows: Range<usize>, from: &Disjoint<'_, T>, to: &Disjoint<'_, T>) {
        let start = |number| {
            let (y, z) = self.layout.inner_row(number);
            self.layout.row(y, z)
        };
        let target = start(rows.start)..start(rows.end - 1) + self.layout.pitch;
        // SAFETY: in one step all members read `from` and nobody writes it; a barrier stands
        // between this step and the next, where the two change places.
        let source = unsafe { from.read(0..from.len()) };
        // SAFETY: members have disjoint ranges of rows and nobody reads `to` before the barrier.
        let target = unsafe { to.part(target) };
        let part = Part {
            layout: self.layout,
            coefficient: T::from_f64(self.stencil.coefficient),
            tile_rows: self.recipe.tile_rows,
            streaming: self.recipe.streaming,
            prefetch: self.recipe.prefetch / size_of::<T>(),
            rows,
            source,
        };
        self.sweep.step(&part, target);
    }
}
