//! A checked recipe, ready to label points.

use super::assign::Desk;
use super::bytes::Runs;
use super::centres::{EXACT, Ready, Storage};
use super::engine::{Engine, engine};
use super::held::Piece;
use super::prune::Patience;
use super::recipe::{WORTH_A_TEAM, members};
use super::reference::squared_distance;
use super::shares::Shares;
use super::source::{Source, attempt};
use super::table::tiles;
use super::{Error, Form, Recipe, prune, space, tile};
use crate::buffer::{Buffer, LINE};
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use crate::vector::Real;
use crate::{Isa, Matrix, Member, Solo, Team};
use alloc::sync::Arc;
use core::ops::Range;

/// How large a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Shape {
    /// Points; of a plan, the most of a call.
    pub n: usize,
    /// Features of a point.
    pub d: usize,
    /// Centres.
    pub k: usize,
}

/// Labels points by a recipe that has been checked. Immutable; share it between threads.
#[derive(Clone, Debug)]
pub struct Plan {
    shape: Shape,
    isa: Isa,
    recipe: Recipe,
    engine: Arc<dyn Engine>,
}

/// What a call works in: made once by [`Plan::scratch`], used again and again.
#[derive(Clone, Debug)]
pub struct Scratch {
    centres: Storage,
    desks: Desks,
    shares: Shares,
}

/// One desk for each member.
#[derive(Clone, Debug)]
struct Desks {
    d: usize,
    room: usize,
    members: usize,
    /// Elements from one member's desk to the next.
    stride: usize,
    space: Buffer<f64>,
}

impl Plan {
    /// Checks `recipe` for problems of up to `shape.n` points.
    ///
    /// # Errors
    /// [`Error::NoClusters`], [`Error::NoFeatures`], [`Error::TooLarge`], [`Error::NoThreads`],
    /// [`Error::Bounds`], [`Error::Tile`], [`Error::Isa`].
    pub fn new(shape: Shape, isa: Isa, recipe: Recipe) -> Result<Plan, Error> {
        if shape.k == 0 {
            return Err(Error::NoClusters);
        }
        if shape.d == 0 {
            return Err(Error::NoFeatures);
        }
        // Labels are 32 bits wide, and offsets into the padded points and centres must not wrap.
        let most = i32::MAX as usize;
        for (what, value) in [("k", shape.k), ("d", shape.d)] {
            if value > most {
                return Err(Error::TooLarge { what, value, most });
            }
        }
        if recipe.threads == 0 {
            return Err(Error::NoThreads);
        }
        recipe.check(shape)?;
        let engine = engine(isa, recipe)?;
        Ok(Plan { shape, isa, recipe, engine })
    }

    /// The shape given.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The instruction set given.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The recipe given.
    pub fn recipe(&self) -> Recipe {
        self.recipe
    }

    /// How many members of a team of `threads` have points to label at most, if there are as many as the
    /// plan is for: each takes whole [blocks](BLOCK). A fit of few points may use fewer.
    pub fn members(&self, threads: usize) -> usize {
        threads.min(self.recipe.threads).min(self.shape.n.div_ceil(BLOCK)).max(1)
    }

    /// Who works: the caller alone if the recipe has one thread, for waking others costs a small
    /// problem a fifth of its time.
    pub(super) fn team<'t>(&self, team: &'t dyn Team) -> &'t dyn Team {
        if self.recipe.threads == 1 { &Solo } else { team }
    }

    /// The same for points in such an order that near ones stand together: in lanes, where that
    /// helps most.
    pub(super) fn in_order(&self) -> Result<Plan, Error> {
        let (Shape { k, d, .. }, mut recipe) = (self.shape, self.recipe);
        if matches!(recipe.form, Form::Bytes | Form::Cells) {
            (recipe.form, recipe.tile) = (Form::Lanes, tiles(Form::Lanes, self.isa)[0]);
        }
        recipe.bounds = recipe.form == Form::Lanes && prune::suits_in_order(k, d);
        Plan::new(self.shape, self.isa, recipe)
    }

    /// How many members of a team work on an iteration of a fit.
    pub(super) fn members_of_fit(&self, team: &dyn Team) -> usize {
        team.size().min(self.recipe.threads).min(members(self.shape, WORTH_A_TEAM))
    }

    /// Who works on a fit.
    pub(super) fn team_of_fit<'t>(&self, team: &'t dyn Team) -> &'t dyn Team {
        if self.members_of_fit(team) == 1 { &Solo } else { team }
    }

    pub(super) fn engine(&self) -> &(dyn Engine + 'static) {
        &*self.engine
    }

    /// Working storage for up to `threads` members; more than the recipe uses are not provided
    /// for.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn scratch(&self, threads: usize) -> Result<Scratch, Error> {
        let (Shape { k, d, .. }, Recipe { form, tile, bounds, .. }) = (self.shape, self.recipe);
        let members = self.members(threads);
        let floats = self.engine.floats();
        let room = match form {
            Form::Lanes if bounds => prune::room(k, d, tile.centres),
            Form::Lanes => 0,
            Form::Cells => space::room(k, d),
            Form::Tile => tile::room(d, tile),
            Form::Bytes => usize::max(Runs::new(k, tile).room(), tile::room(d, floats)),
        };
        let centres = Storage::new((k, d), self.recipe, (self.engine.levels(), floats))?;
        // In f64: a block of any element; in f32: a block with room for a feature more, and what
        // the form needs.
        let block = d.saturating_mul(BLOCK);
        let staged = block.saturating_add(BLOCK).saturating_add(room).div_ceil(2);
        let stride = block.saturating_add(staged).next_multiple_of(LINE);
        let space = Buffer::zeroed(stride.saturating_mul(members))?;
        let desks = Desks { d, room, members, stride, space };
        Ok(Scratch { centres, desks, shares: Shares::new(members)? })
    }

    /// Labels points with the index of their nearest centre, and on request gives the squared
    /// distance to it. Rows are checked on the way, points in blocks are known to be finite.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::TooManyPoints`], [`Error::Centres`], [`Error::Scratch`], and
    /// [`Error::Points`] or [`Error::Read`], after which the labels mean nothing.
    pub fn assign<'a, T: Element, C: Real>(
        &self,
        points: impl Into<Source<'a, T>>,
        centres: Matrix<'_, C>,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let job = Job { plan: self, source: points.into(), centres };
        job.run(labels, distances, scratch, team)
    }
}

/// Some points and some centres.
pub(super) struct Job<'a, T: Element, C> {
    pub(super) plan: &'a Plan,
    pub(super) source: Source<'a, T>,
    pub(super) centres: Matrix<'a, C>,
}

impl<T: Element, C: Real> Job<'_, T, C> {
    fn run(
        &self,
        labels: &mut [u32],
        distances: Option<&mut [f64]>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let n = self.source.n();
        let measured = distances.as_deref().map_or(n, <[f64]>::len);
        self.check(&[("labels", labels.len(), n), ("distances", measured, n)], scratch)?;
        scratch.observe(&self.source)?;
        let (ready, desks) = scratch.prepare::<T, C>(&self.source, self.centres)?;
        let loops = self.plan.engine.over::<T>();
        let labels = Disjoint::new(labels);
        let distances = distances.map(Disjoint::new);
        attempt(self.plan.team(team), &|member| {
            let Some(mut desk) = desks.desk::<T>(member) else { return Ok(()) };
            let mut label = |piece: Piece<'_, T>| {
                let (held, points) = (piece.held, piece.points.clone());
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: every block is visited once, and blocks share no points.
                let labels = unsafe { labels.part(points.clone()) };
                let labelled = (piece.blocks.clone(), &mut *labels);
                let odd = loops.label(held, &ready, labelled, &mut desk, &mut []);
                if odd.is_some() {
                    return piece.check_finite();
                }
                if let Some(distances) = &distances {
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: as for the labels.
                    let distances = unsafe { distances.part(points) };
                    let points = piece.indices().zip(labels).zip(distances);
                    for (((_, here), label), to) in points {
                        let point = held.point(here, desk.space);
                        *to = squared_distance(point, self.centres.row(*label as usize));
                    }
                }
                Ok(())
            };
            desks.each(member, |blocks| self.source.each(blocks, &mut label))
        })
    }

    /// The distances of all points to all centres, a row for each point.
    pub(super) fn distances<D: Real>(
        &self,
        out: &mut [D],
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let (n, k) = (self.source.n(), self.centres.rows());
        self.check(&[("distances", out.len(), n.saturating_mul(k))], scratch)?;
        let (ready, desks) = scratch.prepare::<T, C>(&self.source, self.centres)?;
        let loops = self.plan.engine.over::<T>();
        let out = Disjoint::new(out);
        attempt(self.plan.team(team), &|member| {
            let Some(desk) = desks.desk::<T>(member) else { return Ok(()) };
            let mut distances = alloc::vec![0.0; k.next_multiple_of(EXACT)];
            let mut find = |piece: Piece<'_, T>| {
                piece.check_finite()?;
                for (point, here) in piece.indices() {
                    loops.distances(piece.held.point(here, desk.space), &ready, &mut distances);
                    #[allow(unsafe_code, reason = "disjoint output views")]
                    // SAFETY: every block is visited once, and blocks share no points.
                    let to = unsafe { out.part(point * k..(point + 1) * k) };
                    to.iter_mut().zip(&distances).for_each(|(to, from)| *to = D::from_f64(*from));
                }
                Ok(())
            };
            desks.each(member, |blocks| self.source.each(blocks, &mut find))
        })
    }

    fn check(
        &self,
        lengths: &[(&'static str, usize, usize)],
        scratch: &Scratch,
    ) -> Result<(), Error> {
        let (shape, n) = (self.plan.shape, self.source.n());
        if n > shape.n {
            return Err(Error::TooManyPoints { given: n, most: shape.n });
        }
        let Shape { k, d, .. } = shape;
        let engine = &self.plan.engine;
        let multiplies = (engine.levels(), engine.floats());
        if !scratch.centres.fits((k, d), self.plan.recipe, multiplies) {
            return Err(Error::Scratch);
        }
        let sizes = [
            ("features of the points", self.source.d(), d),
            ("features of the centres", self.centres.cols(), d),
            ("centres", self.centres.rows(), k),
        ];
        for &(what, given, expected) in sizes.iter().chain(lengths) {
            if given != expected {
                return Err(Error::Shape { what, given, expected });
            }
        }
        Ok(())
    }
}

impl Scratch {
    /// Looks at the points that are going to be labelled, if that helps.
    pub(super) fn observe<T: Element>(&mut self, source: &Source<'_, T>) -> Result<(), Error> {
        self.centres.observe(source)
    }

    /// Makes centres ready for points of `T`, and lays out the desks for a team and the blocks that
    /// it will share.
    pub(super) fn prepare<T: Element, C: Real>(
        &mut self,
        source: &Source<'_, T>,
        centres: Matrix<'_, C>,
    ) -> Result<(Ready<'_>, SharedDesks<'_>), Error> {
        let ready = self.centres.prepare::<T, C>(centres)?;
        self.shares.fill(source.blocks(), source.piece());
        let Desks { d, room, members, stride, space } = &mut self.desks;
        let (d, room, members, stride) = (*d, *room, *members, *stride);
        let space = Disjoint::new(&mut space[..]);
        Ok((ready, SharedDesks { shares: &self.shares, d, room, members, stride, space }))
    }
}

/// The desks while a team works at them, and what it works at.
pub(super) struct SharedDesks<'a> {
    shares: &'a Shares,
    d: usize,
    room: usize,
    members: usize,
    stride: usize,
    space: Disjoint<'a, f64>,
}

impl SharedDesks<'_> {
    /// Visits pieces of the blocks: the member's share, and what is left of others'.
    pub(super) fn each(
        &self,
        member: Member<'_>,
        visit: impl FnMut(Range<usize>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.shares.each(member, visit)
    }

    /// The member's desk, if it has one.
    pub(super) fn desk<T: Element>(&self, member: Member<'_>) -> Option<Desk<'_, T>> {
        let index = member.index();
        if index >= self.members {
            return None;
        }
        #[allow(unsafe_code, reason = "disjoint output views")]
        // SAFETY: every member asks once a region, for a part of its own.
        let space = unsafe { self.space.part(index * self.stride..(index + 1) * self.stride) };
        let block = self.d * BLOCK;
        let (whole, rest) = space.split_at_mut(block);
        let (staged, rest) = bytemuck::cast_slice_mut(rest).split_at_mut(block + BLOCK);
        let whole = &mut bytemuck::cast_slice_mut(whole)[..block];
        let room = &mut rest[..self.room];
        Some(Desk { staged, room, space: whole, patience: Patience::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::estimate;
    use super::super::recipe::{WORTH_A_CALL, WORTH_A_FIT};
    use super::*;
    use crate::SpinTeam;
    use crate::cache::CacheSizes;

    /// A thousand points cost what they cost alone: waking somebody takes longer than their work.
    #[test]
    fn no_team_is_asked_where_it_would_cost_more_than_it_gives() {
        let team = SpinTeam::new(4).unwrap();
        let plan = |shape| {
            let recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 4);
            Plan::new(shape, Isa::Scalar, recipe).unwrap()
        };
        for (d, k) in [(1, 2), (2, 10), (3, 16), (3, 64), (8, 32)] {
            let shape = Shape { n: 1000, d, k };
            let plan = plan(shape);
            assert_eq!(plan.members_of_fit(&team), 1, "{shape:?}");
            assert_eq!(plan.team_of_fit(&team).size(), 1, "{shape:?}");
            assert_eq!(estimate(shape, WORTH_A_FIT).threads, 1, "{shape:?}");
        }
        // One look at the points is over before a team is there.
        for (d, k) in [(1, 256), (3, 256), (8, 256), (64, 2), (64, 64)] {
            let shape = Shape { n: 1000, d, k };
            assert_eq!(estimate(shape, WORTH_A_CALL).threads, 1, "{shape:?}");
        }
        let many = plan(Shape { n: 100_000, d: 3, k: 64 });
        assert_eq!((many.members_of_fit(&team), many.team_of_fit(&team).size()), (4, 4));
    }
}
