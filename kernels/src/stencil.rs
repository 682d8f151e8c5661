//! Stencils: explicit steps in time on lines, planes and in space, at the speed memory allows.
//!
//! ```
//! use tilewise::stencil::{Extent, Grid, Stencil};
//! // A hot point in a cold box, its rim held at zero.
//! let mut grid = Grid::from_fn(Extent::space(31, 31, 31), |at| {
//!     if at == [15; 3] { 1000.0_f32 } else { 0.0 }
//! })?;
//! Stencil::heat7(0.1).run(&mut grid, 100)?.stable()?;
//! assert!(grid.row(15, 15)[15] < 10.0 && grid.row(15, 15)[0] == 0.0);
//! # Ok::<(), tilewise::stencil::Error>(())
//! ```
//!
//! Heat, waves and a reaction are ready-made ([`Kind`]), every product and sum of them rounded on its
//! own; weights of one's own make a [`Star`], a [`PairedStar`] or a [`Block`] ([`Fused`] if products
//! are to be added in one rounding), a coefficient that differs from point to point makes it
//! [`Varied`], and any other update is a [`Formula`]. [`run`] steps those.
//!
//! The definition is a plain loop ([`mod@reference`]). The fast ones equal it bit for bit, whatever the
//! recipe, the instruction set and the number of threads (finite fields; which NaN an operation on
//! NaNs gives is the CPU's business).
//!
//! Both ends of an axis are held, mirrors, or joined ([`Boundary`]; held unless told), each axis for
//! itself.
//!
//! A step reads a field and writes the next one, so memory traffic is one read and one write of
//! every point: 8 bytes per update for `f32`, 16 for `f64`, if a point read once stays in cache
//! until its last neighbour is done (the tiles see to that) and if stores go past the caches
//! (otherwise each line is read before it is written: 12 and 24). Several steps at a time share that
//! among them: a [`Scheme`] says how, a [`Recipe`] how many and in which tiles, estimated by
//! [`Stencil::run`] and tuned by who wants. [`Plan::bytes_per_update`] and [`Plan::cache_footprint`]
//! say what a plan should cost, and an [`Outcome`] what a run should have.

// The story, file by file: `kind` names the stencils, `heat`, `wave`, `react` and `weights` have
// their arithmetic and `formula` what a formula is, `boundary` what is found past the ends, `grid`,
// `media`, `layout`, `apart` and `space` where points stand in memory, `recipe` how they are cut into
// tiles and `estimate` how without tuning. `rows` is the loop over registers, `near` what a formula
// sees from one, `held` what it keeps of the rows, `ends` what stands past them, `ahead` what it asks
// memory for, and `apply` the loop's only caller; `sweep` goes through a grid one step at a time,
// `overlap` and `skew` several; `plan` puts it together, `ready` makes a grid ready for it, `outcome`
// says whether the field stays bounded and `traffic` what it should cost, `table` picks the loops for
// a CPU, `error` says what is refused, and `reference` is the plain loop.

mod ahead;
mod apart;
mod apply;
mod boundary;
mod ends;
mod error;
mod estimate;
mod formula;
mod grid;
mod heat;
mod held;
mod kind;
mod layout;
mod media;
mod near;
mod outcome;
mod overlap;
mod plan;
mod react;
mod ready;
mod recipe;
pub mod reference;
mod rows;
mod skew;
mod space;
mod sweep;
mod table;
mod traffic;
mod varied;
mod wave;
mod weights;

pub use boundary::Boundary;
pub use error::Error;
pub use formula::{Form, Formula, Near, Shape};
pub use grid::Grid;
pub use kind::{Kind, UnknownKind};
pub use layout::Extent;
pub use outcome::{Outcome, Unstable};
pub use plan::Plan;
pub use react::GrayScott;
pub use recipe::{Recipe, Registers, Scheme, SideBySide};
pub use varied::Varied;
pub use weights::{Block, Fused, PairedStar, Star, Weighted};

use crate::cache::CacheSizes;
use crate::isa::Isa;
use crate::vector::Real;

/// A kind of stencil, its coefficient, and what it finds past the ends of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stencil {
    /// Which neighbours, and the formula.
    pub kind: Kind,
    /// `dt * diffusivity / spacing^2` for heat and the first of two substances; for waves
    /// `(dt * speed / spacing)^2`, which the medium of a grid multiplies: squares of the speed at
    /// each point by that of the fastest. From 0 to [`Kind::stability_limit`], or the field grows
    /// without bound ([`Plan::warning`]); of two substances the limit is that of diffusion alone.
    /// Rounded once to the numbers of the grid.
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

    /// The wave in space of order 2, see [`Kind::Wave7`].
    pub const fn wave7(coefficient: f64) -> Self {
        Self::new(Kind::Wave7, coefficient)
    }

    /// The wave in space of order 4, see [`Kind::Wave13`].
    pub const fn wave13(coefficient: f64) -> Self {
        Self::new(Kind::Wave13, coefficient)
    }

    /// The wave in space of order 8, see [`Kind::Wave25`].
    ///
    /// ```
    /// use tilewise::stencil::{Extent, Grid, Kind, Stencil};
    /// // A bang between two rocks, sound being half as fast in the right one.
    /// let extent = Extent::space(40, 20, 20);
    /// let mut grid = Grid::from_fn(extent, |at| if at == [20, 10, 10] { 1.0_f32 } else { 0.0 })?;
    /// let speed = |x: usize| if x < 20 { 1.0_f32 } else { 0.5 };
    /// let media: Vec<f32> = (0..40 * 20 * 20).map(|at| speed(at % 40) * speed(at % 40)).collect();
    /// grid.set_media(&media)?;
    /// Stencil::wave25(Kind::Wave25.stability_limit() / 2.0).run(&mut grid, 12)?.stable()?;
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub const fn wave25(coefficient: f64) -> Self {
        Self::new(Kind::Wave25, coefficient)
    }

    /// Two substances on a plane, see [`Kind::GrayScott`].
    pub const fn gray_scott(coefficient: f64) -> Self {
        Self::new(Kind::GrayScott, coefficient)
    }

    /// The same with other boundaries along x, y and z (in a plane the last one is nobody's).
    ///
    /// ```
    /// use tilewise::stencil::{Boundary, Extent, Grid, Stencil};
    /// // Nothing flows out of a box with mirrors for walls.
    /// let mut grid = Grid::from_fn(Extent::plane(8, 8), |[x, _, _]| x as f64)?;
    /// let heat = Stencil::heat5(0.2).with_boundary([Boundary::Mirror; 3]);
    /// heat.run(&mut grid, 1000)?.stable()?;
    /// assert!(grid.row(0, 0).iter().all(|value| (value - 3.5).abs() < 1e-9));
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub const fn with_boundary(self, boundary: [Boundary; 3]) -> Self {
        Stencil { boundary, ..self }
    }

    /// Steps a grid with the best instruction set, an estimated recipe and, where the grid leaves
    /// the second-level cache, all cores. A line is one row, and rows are what threads share out: it is
    /// stepped by the caller alone, however long it is. What it gives back says so if the field grows
    /// without bound, by which recipe it was stepped, and what that should have cost.
    ///
    /// All cores are a team of threads that is started and ended by every call, and every call makes a
    /// plan anew. Those who step again and again keep a [`SpinTeam`](crate::SpinTeam) and a [`Plan`];
    /// so do those who have a tuned recipe.
    ///
    /// Memory belongs to who touched it first: on machines where it is nearer to some cores than to
    /// others, make grids that all cores step by all cores, with [`Grid::with_fields_by`], and then
    /// fill them or copy to them, which leaves every page where it is.
    ///
    /// # Errors
    /// As [`Plan::new`] and [`Plan::run`], and [`Error::Team`] when threads cannot be started.
    pub fn run<T: Real>(self, grid: &mut Grid<T>, steps: usize) -> Result<Outcome, Error> {
        front_door(self.kind.form(), grid, steps, |extent, isa, recipe| {
            Plan::new(self, extent, isa, recipe)
        })
    }
}

/// Steps a grid by a formula as [`Stencil::run`] does by a stencil, with a team of threads for this call
/// alone, too, and with the same memory: large grids are made by all cores, see there. Whether the
/// field stays bounded is not known of formulas of one's own, not even of weights: nothing is said of it.
///
/// # Errors
/// As [`Plan::of`] and [`Plan::run`], and [`Error::Team`] when threads cannot be started.
pub fn run<T: Real, F: Formula<T>>(
    formula: F,
    boundary: [Boundary; 3],
    grid: &mut Grid<T>,
    steps: usize,
) -> Result<(), Error> {
    let plan = |extent, isa, recipe| Plan::of(formula, boundary, extent, isa, recipe);
    front_door(Form::of::<T, F>(), grid, steps, plan).map(|_| ())
}

fn front_door<T: Real>(
    form: Form,
    grid: &mut Grid<T>,
    steps: usize,
    plan: impl Fn(Extent, Isa, Recipe) -> Result<Plan<T>, Error>,
) -> Result<Outcome, Error> {
    let (extent, isa, caches) = (grid.extent(), Isa::best(), CacheSizes::detect());
    let outcome = |plan: &Plan<T>, grid: &Grid<T>| Outcome {
        warning: plan.warning(grid),
        recipe: *plan.recipe(),
        bytes_per_update: plan.bytes_per_update(steps, &caches),
        cache_footprint: plan.cache_footprint(steps),
    };
    let plan = |threads| {
        let recipe = match steps > 1 {
            true => Recipe::estimate_fused::<T>(form, extent, isa, &caches, threads),
            false => Recipe::estimate::<T>(form, extent, isa, &caches, threads),
        };
        plan(extent, isa, recipe)
    };
    // Of a line, which is one row, a team would have work for one member.
    #[cfg(feature = "std")]
    if form.dimensions > 1 && grid.bytes() > caches.l2 {
        let team = crate::SpinTeam::all_cores()?;
        let plan = plan(crate::Team::size(&team))?;
        plan.run(grid, steps, &team)?;
        return Ok(outcome(&plan, grid));
    }
    let plan = plan(1)?;
    plan.run(grid, steps, &crate::Solo)?;
    Ok(outcome(&plan, grid))
}
