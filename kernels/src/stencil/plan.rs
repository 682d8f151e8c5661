//! A stencil made ready: everything checked once, run as often as one likes.

use super::apply::Kernels;
use super::estimate::width;
use super::formula::Form;
use super::layout::Layout;
use super::overlap::{self, Tiling};
use super::ready::Buffers;
use super::skew::{self, Slant};
use super::space::{Field, Numbers, Space};
use super::weights::is_finite;
use super::{
    Boundary, Error, Extent, Formula, Grid, Kind, Recipe, Scheme, Stencil, Unstable, reference,
    sweep, table,
};
use crate::buffer::LINE;
use crate::isa::Isa;
use crate::matrix::Disjoint;
use crate::team::{Member, Team};
use crate::vector::Real;
use core::cell::Cell;
use core::ops::Range;

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
    pub(super) form: Form,
    /// What decides whether steps are stable, of a kind of which that is known.
    step: Option<(Kind, f64)>,
    isa: Isa,
    pub(super) recipe: Recipe,
    pub(super) streams: bool,
    layout: Layout,
    pub(super) space: Space,
    pub(super) kernels: Kernels<T>,
}

impl<T: Real> Plan<T> {
    /// Checks everything that can be wrong.
    ///
    /// # Errors
    /// [`Error::TooSmall`], [`Error::NotFlat`] and [`Error::TooLarge`] for the extent,
    /// [`Error::Coefficient`], [`Error::RecipeZero`], [`Error::Depth`], [`Error::Scheme`] and
    /// [`Error::SideBySide`] and [`Error::Registers`] for the recipe, [`Error::MissingIsa`].
    pub fn new(stencil: Stencil, extent: Extent, isa: Isa, recipe: Recipe) -> Result<Self, Error> {
        let Stencil { kind, coefficient, boundary } = stencil;
        if !is_finite(T::from_f64(coefficient)) {
            let limit = kind.stability_limit();
            return Err(Error::Coefficient { kind, coefficient, numbers: T::NAME, limit });
        }
        let kernels = |isa| table::find(stencil, isa, recipe.side_by_side);
        let plan = Self::made(kind.form(), boundary, extent, isa, recipe, kernels)?;
        Ok(Plan { step: Some((kind, coefficient)), ..plan })
    }

    /// The same for a formula of one's own. Its side_by_side is [`SideBySide::One`].
    ///
    /// # Errors
    /// As [`Plan::new`], but [`Error::Weights`], [`Error::Place`] and [`Error::Beyond`] for the formula.
    ///
    /// [`SideBySide::One`]: super::SideBySide::One
    pub fn of<F: Formula<T>>(
        formula: F,
        boundary: [Boundary; 3],
        extent: Extent,
        isa: Isa,
        recipe: Recipe,
    ) -> Result<Self, Error> {
        if !formula.is_finite() {
            return Err(Error::Weights { stencil: F::NAME });
        }
        reference::probe(formula)?;
        let kernels = |isa| table::own(formula, isa);
        Self::made(Form::of::<T, F>(), boundary, extent, isa, recipe, kernels)
    }

    fn made(
        form: Form,
        boundary: [Boundary; 3],
        extent: Extent,
        isa: Isa,
        recipe: Recipe,
        kernels: impl FnOnce(Isa) -> Result<Kernels<T>, Error>,
    ) -> Result<Self, Error> {
        let layout = Layout::new::<T>(extent, form.fields)?;
        let axes = [extent.y, extent.z];
        if !axes.iter().skip(form.dimensions - 1).all(|&points| points == 1) {
            let Form { name: stencil, dimensions, .. } = form;
            return Err(Error::NotFlat { stencil, dimensions, extent });
        }
        let space = Space::new(layout, form, boundary)?;
        recipe.check(form)?;
        let kernels = kernels(recipe.registers.code(isa)?)?;
        let in_place = form.keeps_two() || recipe.scheme == Scheme::Skewed;
        let streams = recipe.streaming && !in_place && width(isa).streams;
        Ok(Plan { form, step: None, isa, recipe, streams, layout, space, kernels })
    }

    /// What it computes.
    pub fn form(&self) -> Form {
        self.form
    }

    /// That the fields of such a grid grow without bound, if they do: that the coefficient, times the
    /// least or the greatest of the media where a kind has some, is not from 0 to
    /// [`Kind::stability_limit`], which of two substances is that of diffusion alone. Of formulas of
    /// one's own it is not known, and nothing is said.
    ///
    /// ```
    /// use tilewise::cache::CacheSizes;
    /// use tilewise::stencil::{Extent, Grid, Plan, Recipe, Stencil};
    /// use tilewise::{Isa, Solo};
    /// let (stencil, extent, isa) = (Stencil::heat5(0.3), Extent::plane(20, 20), Isa::best());
    /// let recipe = Recipe::estimate::<f64>(stencil.kind, extent, isa, &CacheSizes::detect(), 1);
    /// let plan = Plan::<f64>::new(stencil, extent, isa, recipe)?;
    /// let mut grid = Grid::<f64>::zeroed(extent)?;
    /// let unstable = plan.warning(&grid).expect("heat5 is stable up to 0.25");
    /// assert_eq!((unstable.coefficient, unstable.limit), (0.3, 0.25));
    /// // It steps all the same.
    /// plan.run(&mut grid, 10, &Solo)?;
    /// assert_eq!(grid.row(10, 0), [0.0; 20]);
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    pub fn warning(&self, grid: &Grid<T>) -> Option<Unstable> {
        let (kind, coefficient) = self.step?;
        let media = if self.form.media > 0 { grid.media_range() } else { [1.0; 2] };
        let limit = kind.stability_limit();
        let grows = |medium: &f64| !(0.0..=limit).contains(&(coefficient * medium));
        let medium = media.into_iter().find(grows)?;
        Some(Unstable { kind, coefficient, medium, limit })
    }

    /// The grids it is for.
    pub fn extent(&self) -> Extent {
        self.layout.extent
    }

    /// The instruction set it was made for; with half registers it uses [`Isa::halved`].
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How it sweeps.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Steps the grid `steps` times. All steps are one region of the team. No steps change nothing,
    /// not even what the grid knows of one step before.
    ///
    /// Tiles that overlap, and media that were not set, need memory beside the grid's fields: it is
    /// asked for when a grid meets such a plan for the first time, or by [`Grid::reserve`] before.
    ///
    /// Steps that let the field grow without bound are made, too: [`Plan::warning`] knows of them.
    ///
    /// # Errors
    /// [`Error::Mismatch`] when the grid has another extent than the plan, [`Error::Fields`] and
    /// [`Error::Media`] when it has other fields or media; [`Error::OutOfMemory`] when there is no
    /// room for tiles or media, [`Error::TooLarge`] when their bytes cannot even be counted.
    ///
    /// # Panics
    /// When not all members of the team come.
    pub fn run(&self, grid: &mut Grid<T>, steps: usize, team: &dyn Team) -> Result<(), Error> {
        self.check(grid)?;
        if steps == 0 {
            return Ok(());
        }
        let (scheme, depth) = (self.recipe.scheme, self.depth(steps));
        let tiling = Tiling::new::<T>(self.space, &self.recipe, depth);
        grid.make_room(self.form, self.scratch(steps, team)?, team)?;
        grid.prepare(&self.space, self.form);
        let Buffers { fields, rings, media } = grid.buffers();
        let passes = steps.div_ceil(depth);
        // Skewed tiles leave every step where it belongs; others change buffers once a pass.
        let written = |pass: usize| if scheme == Scheme::Skewed { pass * depth } else { pass };
        team.run(&|member| {
            for pass in 0..passes {
                let first = written(pass) % 2;
                let (from, to) = (&fields[first], &fields[1 - first]);
                let depth = depth.min(steps - pass * depth);
                match scheme {
                    Scheme::Skewed => self.skewed(member, depth, [from, to], media),
                    Scheme::Overlapped => {
                        self.overlapped(member, (tiling, depth), &rings, [from, to], media);
                    }
                    Scheme::Plain | Scheme::Spatial => self.step(member, [from, to], media),
                }
                member.barrier();
            }
        });
        if written(passes).min(steps) % 2 == 1 {
            grid.swap();
        }
        Ok(())
    }

    /// Whether it is for such a grid.
    pub(super) fn check(&self, grid: &Grid<T>) -> Result<(), Error> {
        if grid.extent() != self.extent() {
            return Err(Error::Mismatch { plan: self.extent(), grid: grid.extent() });
        }
        grid.suits(self.form)
    }

    /// Numbers that the tiles of a team keep in a call of so many steps; more steps never need less.
    pub(super) fn scratch(&self, steps: usize, team: &dyn Team) -> Result<usize, Error> {
        let depth = self.depth(steps);
        if self.recipe.scheme != Scheme::Overlapped || depth == 1 {
            return Ok(0);
        }
        let takers = self.recipe.threads.min(team.size());
        let ring = Tiling::new::<T>(self.space, &self.recipe, depth).scratch::<T>();
        ring.and_then(|ring| ring.checked_next_multiple_of(LINE)?.checked_mul(takers))
            .ok_or(Error::TooLarge { extent: self.extent() })
    }

    /// How many of so many steps are taken at a time; 1 at least.
    pub fn depth(&self, steps: usize) -> usize {
        match self.recipe.scheme {
            Scheme::Overlapped => self.recipe.depth.min(steps).max(1),
            Scheme::Skewed => self.slant().depth.min(steps).max(1),
            Scheme::Plain | Scheme::Spatial => 1,
        }
    }

    /// Points ahead of use that memory is asked for; 0: not at all.
    fn ahead(&self) -> usize {
        self.recipe.prefetch / size_of::<T>()
    }

    pub(super) fn bz(&self) -> usize {
        self.kernels.wide.reach().bz
    }

    pub(super) fn slant(&self) -> Slant {
        Slant::new(self.space, &self.recipe, self.bz())
    }

    fn takers(&self, member: &Member<'_>) -> usize {
        self.recipe.threads.min(member.count())
    }

    /// The member's share of one step.
    fn step(&self, member: Member<'_>, [from, to]: [&Disjoint<'_, T>; 2], media: (&[T], usize)) {
        let rows = member.share_among(self.takers(&member), self.space.rows());
        if rows.is_empty() {
            return;
        }
        let tile_rows = self.recipe.tile_rows;
        let before = self.form.keeps_two().then(|| cells(to));
        let part = sweep::Part {
            space: self.space,
            kernels: &self.kernels,
            tile_rows: if self.recipe.scheme == Scheme::Plain { usize::MAX } else { tile_rows },
            streaming: self.streams,
            ahead: self.ahead(),
            rows,
            field: self.field(from, before, media),
        };
        match before {
            Some(before) => part.step_in_place(before),
            None => part.step(own(to, part.range())),
        }
    }

    fn field<'a>(
        &self,
        from: &Disjoint<'a, T>,
        before: Option<&'a [Cell<T>]>,
        media: (&'a [T], usize),
    ) -> Field<'a, T> {
        let (space, numbers) = (self.space, Numbers::Shared(whole(from)));
        Field { space, numbers, columns: [0, space.width], before, media }
    }

    /// The member's share of `depth` steps of skewed tiles.
    fn skewed(
        &self,
        member: Member<'_>,
        depth: usize,
        buffers: [&Disjoint<'_, T>; 2],
        media: (&[T], usize),
    ) {
        let takers = self.takers(&member);
        let part = skew::Part {
            slant: self.slant(),
            kernels: &self.kernels,
            member,
            takers,
            ahead: self.ahead(),
            buffers: buffers.map(|buffer| cells(buffer)),
            media,
        };
        part.steps(depth);
    }

    /// The member's share of `depth` steps of overlapped tiles.
    fn overlapped(
        &self,
        member: Member<'_>,
        (tiling, depth): (Tiling, usize),
        rings: &Disjoint<'_, T>,
        [from, to]: [&Disjoint<'_, T>; 2],
        media: (&[T], usize),
    ) {
        let takers = self.takers(&member);
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
            streaming: self.streams,
            ahead: self.ahead(),
            slices: updated.start + share.start..updated.start + share.end,
            field: self.field(from, None, media),
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

/// A whole buffer of which members write disjoint rows.
#[allow(unsafe_code, reason = "disjoint output views")]
fn cells<'a, T>(buffer: &Disjoint<'a, T>) -> &'a [Cell<T>] {
    // SAFETY: before the next barrier a member reads what nobody writes, or what only itself
    // writes: its own rows in a plain step, slices apart from those of all levels in a front.
    unsafe { buffer.cells() }
}
