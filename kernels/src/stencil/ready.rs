//! A grid made ready for a plan: whether they suit each other, the room its steps need, and its parts
//! in the hands of a team.

use super::space::Space;
use super::{Boundary, Error, Form, Grid, Plan};
use crate::buffer::Buffer;
use crate::matrix::Disjoint;
use crate::team::Team;
use crate::vector::Real;

impl<T: Real> Grid<T> {
    /// Makes the room that [`Plan::run`] would make when it runs for the first time, for tiles and
    /// for media that were not set: with this plan, a team of this size or a smaller one, and any
    /// number of steps it then asks for no memory. The team touches first what it is going to use.
    ///
    /// ```
    /// use tilewise::cache::CacheSizes;
    /// use tilewise::stencil::{Extent, Grid, Plan, Recipe, Stencil};
    /// use tilewise::{Isa, Solo};
    /// let (stencil, extent, isa) = (Stencil::wave7(0.1), Extent::space(20, 20, 20), Isa::best());
    /// let recipe = Recipe::estimate::<f32>(stencil.kind, extent, isa, &CacheSizes::detect(), 1);
    /// let plan = Plan::<f32>::new(stencil, extent, isa, recipe)?;
    /// let mut grid = Grid::zeroed(extent)?;
    /// grid.reserve(&plan, &Solo)?;
    /// plan.run(&mut grid, 10, &Solo)?; // Where memory must not be asked for.
    /// # Ok::<(), tilewise::stencil::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Plan::run`].
    ///
    /// # Panics
    /// When not all members of the team come.
    pub fn reserve(&mut self, plan: &Plan<T>, team: &dyn Team) -> Result<(), Error> {
        plan.check(self)?;
        self.make_room(plan.form(), plan.scratch(usize::MAX, team)?, team)
    }

    /// Whether a formula can be stepped here.
    pub(super) fn suits(&self, form: Form) -> Result<(), Error> {
        let (expected, given) = (form.fields, self.fields());
        if expected != given {
            return Err(Error::Fields { expected, given });
        }
        self.media.suit(form)
    }

    /// Makes media that were not set, and room for so many numbers that tiles keep.
    pub(super) fn make_room(
        &mut self,
        form: Form,
        scratch: usize,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.media.provide(form, self.layout.extent, team)?;
        if self.scratch.len() < scratch {
            // Large pages are contiguous in the cache; small ones collide in it at random.
            self.scratch = Buffer::zeroed_by(scratch.max(Buffer::<T>::LARGE), team)?;
        }
        Ok(())
    }

    /// Makes both buffers ready for steps: what was one step before there, and the rim the same in
    /// both.
    pub(super) fn prepare(&mut self, space: &Space, form: Form) {
        if form.keeps_two() && !self.keeps_before {
            self.back.copy_from_slice(&self.front);
        }
        self.keeps_before = form.keeps_two();
        self.share_rim(space);
    }

    /// Copies the rim to the other buffer, unless it is there.
    fn share_rim(&mut self, space: &Space) {
        let fixed = [0, 1, 2].map(|axis| space.boundary[axis] == Boundary::Fixed);
        let needed = [0, 1, 2].map(|axis| if fixed[axis] { space.reach[axis] } else { 0 });
        if (0..3).any(|axis| needed[axis] > self.rim[axis]) {
            let [_, ys, zs] = [0, 1, 2].map(|axis| space.updated(axis));
            for z in 0..space.points[2] {
                for y in 0..space.points[1] {
                    if !(ys.contains(&y) && zs.contains(&z)) {
                        let row = space.start(y, z)..space.start(y, z) + space.pitch;
                        self.back[row.clone()].copy_from_slice(&self.front[row]);
                    }
                }
            }
        }
        // The plan keeps what it was given, and writes everything else.
        self.rim = needed;
    }

    /// What a team steps between.
    pub(super) fn buffers(&mut self) -> Buffers<'_, T> {
        Buffers {
            fields: [Disjoint::new(&mut self.front), Disjoint::new(&mut self.back)],
            rings: Disjoint::new(&mut self.scratch),
            media: self.media.numbers(),
        }
    }

    /// After an odd number of steps the fields are in the other buffer.
    pub(super) fn swap(&mut self) {
        core::mem::swap(&mut self.front, &mut self.back);
    }
}

/// The parts of a grid, for a team.
pub(super) struct Buffers<'a, T> {
    /// The one that holds the fields first.
    pub(super) fields: [Disjoint<'a, T>; 2],
    /// Room for tiles.
    pub(super) rings: Disjoint<'a, T>,
    /// The media, and how many.
    pub(super) media: (&'a [T], usize),
}
