//! A checked recipe, ready to label points.

use super::assign::{Desk, distance};
use super::centres::{Ready, Storage};
use super::engine::{Engine, engine};
use super::source::Source;
use super::{Error, Form, Recipe, tile};
use crate::buffer::{Buffer, LINE};
use crate::matrix::Disjoint;
use crate::points::{BLOCK, NotFinite, Points};
use crate::{Isa, Matrix, Member, Team};
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

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
    recipe: Recipe,
    engine: Arc<dyn Engine>,
}

/// What a call works in: made once by [`Plan::scratch`], used again and again.
#[derive(Clone, Debug)]
pub struct Scratch {
    centres: Storage,
    desks: Desks,
}

/// One desk for each member.
#[derive(Clone, Debug)]
struct Desks {
    d: usize,
    room: usize,
    members: usize,
    /// Elements from one member's desk to the next.
    stride: usize,
    space: Buffer<f32>,
}

impl Plan {
    /// Checks `recipe` for problems of up to `shape.n` points.
    ///
    /// # Errors
    /// [`Error::NoClusters`], [`Error::TooLarge`], [`Error::NoThreads`], [`Error::Tile`],
    /// [`Error::Isa`].
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
        let engine = engine(isa, recipe)?;
        Ok(Plan { shape, recipe, engine })
    }

    /// The shape given.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The instruction set given.
    pub fn isa(&self) -> Isa {
        self.engine.isa()
    }

    /// The recipe given.
    pub fn recipe(&self) -> Recipe {
        self.recipe
    }

    pub(super) fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Working storage for up to `threads` members; more than the recipe uses are not provided
    /// for.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn scratch(&self, threads: usize) -> Result<Scratch, Error> {
        let (Shape { k, d, .. }, Recipe { form, tile, .. }) = (self.shape, self.recipe);
        let members = threads.clamp(1, self.recipe.threads);
        let room = match form {
            Form::Lanes => 0,
            Form::Tile => tile::room(k, d, tile),
        };
        let centres = Storage::new(k, d, form, tile)?;
        // A block with room for a feature more, what the form needs, and a point.
        let block = (d + 1).saturating_mul(BLOCK);
        let stride = block.saturating_add(room).saturating_add(d).next_multiple_of(LINE);
        let space = Buffer::zeroed(stride.saturating_mul(members))?;
        Ok(Scratch { centres, desks: Desks { d, room, members, stride, space } })
    }

    /// Labels row-major points with the index of their nearest centre, and on request gives the
    /// squared distance to it.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::TooManyPoints`], [`Error::Centres`], and [`Error::Points`], after
    /// which the labels mean nothing.
    pub fn assign_rows(
        &self,
        rows: Matrix<'_, f32>,
        centres: Matrix<'_, f32>,
        labels: &mut [u32],
        distances: Option<&mut [f32]>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let job = Job { plan: self, source: Source::Rows(rows), centres };
        job.run(labels, distances, scratch, team)
    }

    /// The same for points in blocks.
    ///
    /// # Errors
    /// As [`Plan::assign_rows`]; points in blocks are finite.
    pub fn assign(
        &self,
        points: &Points,
        centres: Matrix<'_, f32>,
        labels: &mut [u32],
        distances: Option<&mut [f32]>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        let job = Job { plan: self, source: Source::Blocks(points), centres };
        job.run(labels, distances, scratch, team)
    }
}

/// One labelling of some points.
struct Job<'a> {
    plan: &'a Plan,
    source: Source<'a>,
    centres: Matrix<'a, f32>,
}

impl Job<'_> {
    fn run(
        &self,
        labels: &mut [u32],
        distances: Option<&mut [f32]>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.check(labels, distances.as_deref(), scratch)?;
        let (ready, desks) = scratch.prepare(self.centres)?;
        let labels = Disjoint::new(labels);
        let distances = distances.map(Disjoint::new);
        let bad = AtomicUsize::new(usize::MAX);
        team.run(&|member| {
            let blocks = self.source.n().div_ceil(BLOCK);
            let Some((blocks, mut desk)) = desks.share(member, blocks) else {
                return;
            };
            let points = blocks.start * BLOCK..self.source.n().min(blocks.end * BLOCK);
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: members' shares of the blocks do not overlap, so nor do their points.
            let labels = unsafe { labels.part(points.clone()) };
            let odd = self.plan.engine.label(self.source, &ready, blocks, labels, &mut desk);
            if let Some(point) = odd {
                bad.fetch_min(point, Relaxed);
            } else if let Some(distances) = &distances {
                #[allow(unsafe_code, reason = "disjoint output views")]
                // SAFETY: as for the labels.
                let distances = unsafe { distances.part(points.clone()) };
                self.measure(points.start, labels, distances, desk.point);
            }
        });
        self.refuse(bad.into_inner())
    }

    fn measure(&self, first: usize, labels: &[u32], distances: &mut [f32], space: &mut [f32]) {
        for (index, (label, to)) in labels.iter().zip(distances).enumerate() {
            let centre = self.centres.row(*label as usize);
            *to = distance(self.source, first + index, centre, space) as f32;
        }
    }

    fn check(
        &self,
        labels: &[u32],
        distances: Option<&[f32]>,
        scratch: &Scratch,
    ) -> Result<(), Error> {
        let (shape, n) = (self.plan.shape, self.source.n());
        if n > shape.n {
            return Err(Error::TooManyPoints { given: n, most: shape.n });
        }
        let (Shape { k, d, .. }, Recipe { form, tile, .. }) = (shape, self.plan.recipe);
        if !scratch.centres.fits(k, d, form, tile) {
            return Err(Error::Scratch);
        }
        for (what, given, expected) in [
            ("features of the points", self.source.d(), shape.d),
            ("features of the centres", self.centres.cols(), shape.d),
            ("centres", self.centres.rows(), shape.k),
            ("labels", labels.len(), n),
            ("distances", distances.map_or(n, <[f32]>::len), n),
        ] {
            if given != expected {
                return Err(Error::Shape { what, given, expected });
            }
        }
        Ok(())
    }

    /// The error for a point that is not finite.
    fn refuse(&self, bad: usize) -> Result<(), Error> {
        let Source::Rows(rows) = self.source else {
            return Ok(());
        };
        let bad = (bad < rows.rows()).then(|| NotFinite::in_row(bad, rows.row(bad))).flatten();
        bad.map_or(Ok(()), |bad| Err(Error::Points(bad)))
    }
}

impl Scratch {
    /// Makes centres ready, and lays out the desks for a team.
    pub(super) fn prepare(
        &mut self,
        centres: Matrix<'_, f32>,
    ) -> Result<(Ready<'_>, SharedDesks<'_>), Error> {
        let ready = self.centres.prepare(centres)?;
        Ok((ready, self.desks.shared()))
    }
}

impl Desks {
    fn shared(&mut self) -> SharedDesks<'_> {
        SharedDesks {
            d: self.d,
            room: self.room,
            members: self.members,
            stride: self.stride,
            space: Disjoint::new(&mut self.space),
        }
    }
}

/// The desks while a team works at them.
pub(super) struct SharedDesks<'a> {
    d: usize,
    room: usize,
    members: usize,
    stride: usize,
    space: Disjoint<'a, f32>,
}

impl SharedDesks<'_> {
    /// What part of `items` is the member's, and its desk; nothing where there is no work for it.
    pub(super) fn share(
        &self,
        member: Member<'_>,
        items: usize,
    ) -> Option<(Range<usize>, Desk<'_>)> {
        let members = self.members.min(member.count());
        let (index, each, more) = (member.index(), items / members, items % members);
        let start = index * each + index.min(more);
        let items = start..start + each + usize::from(index < more);
        if index >= members || items.is_empty() {
            return None;
        }
        #[allow(unsafe_code, reason = "disjoint output views")]
        // SAFETY: every member asks once a region, for a part of its own.
        let space = unsafe { self.space.part(index * self.stride..(index + 1) * self.stride) };
        let (staged, rest) = space.split_at_mut((self.d + 1) * BLOCK);
        let (room, rest) = rest.split_at_mut(self.room);
        Some((items, Desk { staged, room, point: &mut rest[..self.d] }))
    }
}
