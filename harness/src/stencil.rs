//! Stencils as a workload: explicit steps on fields whose start comes from a seed or from the user.

mod plain;
mod start;

pub use start::Source;

use crate::baseline::stencil::Order;
use crate::baseline::{self, Baseline};
use crate::roofs::{Pattern, Quantity};
use crate::workload::{
    Amount, Cache, Candidate, Check, Number, RateUnit, Recipe, Task, Traffic, Work,
};
use plain::{Plain, Structures};
use serde_json::json;
use std::cell::RefCell;
use tilewise::buffer::{Buffer, OutOfMemory};
use tilewise::cache::CacheSizes;
use tilewise::stencil::reference::State;
use tilewise::stencil::{self, Extent, Grid, Kind, Plan, Scheme, SideBySide, Stencil};
use tilewise::{Isa, Solo, Team};
use tilewise_tuner::space;
use tilewise_tuner::wisdom::Chosen;

/// A number a field can have: what the kernels, the plain source and the checks all take.
pub trait Field: baseline::stencil::Float + Number + 'static {
    /// The compute roof it stands under, if one is measured.
    const ARITHMETIC: Option<Quantity>;
}

impl Field for f32 {
    const ARITHMETIC: Option<Quantity> = Some(Quantity::F32Compute);
}

impl Field for f64 {
    const ARITHMETIC: Option<Quantity> = None;
}

/// A field, the plain code's and ours, and what it must be after a call.
#[derive(Debug)]
pub struct Workload<T> {
    stencil: Stencil,
    extent: Extent,
    steps: usize,
    source: Source<T>,
    expected: Vec<T>,
    /// One step before, of a kind that keeps two.
    expected_before: Vec<T>,
    /// What predictions of traffic go by.
    caches: CacheSizes,
    grid: RefCell<Grid<T>>,
    /// In the same kind of memory as ours: large pages alone are worth 13 % here.
    plain: RefCell<[Buffer<T>; 2]>,
    /// The plain code's array of structures.
    structures: RefCell<Buffer<T>>,
}

/// A workload that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No steps, or so many that a call would never end.
    #[error("steps are {given}; expected 1 to {most}")]
    Steps {
        /// What was given.
        given: usize,
        /// The most.
        most: usize,
    },
    /// The kernel refused.
    #[error(transparent)]
    Kernel(#[from] stencil::Error),
    /// There is no memory for the plain code's fields.
    #[error(transparent)]
    OutOfMemory(#[from] OutOfMemory),
}

impl<T: Field> Workload<T> {
    /// The most steps of a call.
    pub const MOST_STEPS: usize = 1_000_000;

    /// Fields of random values in 0..1 over a smooth hill, stepped by the reference, half as far
    /// as is stable: the field smooths, or swings, and stays among normal numbers.
    ///
    /// # Errors
    /// [`Error::Steps`]; [`Error::Kernel`] for an extent the kernel refuses.
    pub fn new(kind: Kind, extent: Extent, steps: usize, seed: u64) -> Result<Self, Error> {
        let stencil = Stencil::new(kind, kind.stability_limit() / 2.0);
        Self::of(stencil, extent, steps, Source::Seed(seed), &Solo)
    }

    /// A stencil from any start, its grid first touched by the team that will step it.
    ///
    /// # Errors
    /// As [`Workload::new`]; also for another number of points than the extent has.
    pub fn of(
        stencil: Stencil,
        extent: Extent,
        steps: usize,
        source: Source<T>,
        team: &dyn Team,
    ) -> Result<Self, Error> {
        if !(1..=Self::MOST_STEPS).contains(&steps) {
            return Err(Error::Steps { given: steps, most: Self::MOST_STEPS });
        }
        let form = stencil.kind.form();
        let caches = CacheSizes::ASSUMED;
        let recipe = stencil::Recipe::estimate::<T>(form, extent, Isa::Scalar, &caches, 1);
        // Asked now, so that an extent which does not suit the stencil is refused before hours
        // of reference.
        Plan::<T>::new(stencil, extent, Isa::Scalar, recipe)?;
        let mut workload = Workload {
            stencil,
            extent,
            steps,
            source,
            expected: Vec::new(),
            expected_before: Vec::new(),
            caches: CacheSizes::detect(),
            grid: RefCell::new(Grid::with_fields_by(extent, form.fields, team)?),
            plain: RefCell::new([Buffer::zeroed(0)?, Buffer::zeroed(0)?]),
            structures: RefCell::new(Buffer::zeroed(0)?),
        };
        workload.begin()?;
        let now = workload.start();
        let before = match workload.source.before(form, now.len()) {
            Some(before) => before.to_vec(),
            // Nobody else asks what was before.
            None if form.levels > 1 => now.clone(),
            None => Vec::new(),
        };
        let mut state = State { now, before, media: Vec::new() };
        state.run(&stencil, extent, steps);
        workload.expected = state.now;
        if form.levels > 1 {
            workload.expected_before = state.before;
        }
        Ok(workload)
    }

    /// The same where predictions of traffic are to go by other cache sizes than the CPU says.
    pub fn with_caches(self, caches: CacheSizes) -> Self {
        Workload { caches, ..self }
    }

    /// Makes room for the plain code's fields, which the kernel alone does not need.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn with_plain(self) -> Result<Self, Error> {
        let points = self.expected.len();
        self.plain.replace([Buffer::zeroed(points)?, Buffer::zeroed(points)?]);
        self.structures.replace(Buffer::zeroed(2 * points)?);
        Ok(self)
    }

    /// Bytes a workload of this extent takes, with the plain code's fields.
    pub fn bytes(kind: Kind, extent: Extent) -> usize {
        // Ours and the plain code's two fields each, the same as structures, the expected one, the
        // reference's second.
        let numbers = 8 * kind.form().fields + kind.form().media;
        extent.points().unwrap_or(usize::MAX).saturating_mul(numbers * size_of::<T>())
    }

    /// Bytes it takes without them, from [points](Source::Points) and into a file.
    pub fn bytes_alone(kind: Kind, extent: Extent) -> usize {
        let stencil::Form { fields, levels, media, .. } = kind.form();
        // Our two fields each; of every step that is kept the points given, those expected, those
        // found and the bytes of the file, which are more than the reference's own.
        let numbers = (2 + 4 * levels) * fields + media;
        extent.points().unwrap_or(usize::MAX).saturating_mul(numbers * size_of::<T>())
    }

    /// What is stepped.
    pub fn stencil(&self) -> Stencil {
        self.stencil
    }

    /// What the tuner knows it as.
    pub fn problem(&self) -> space::Field<T> {
        space::Field::new(self.stencil.kind, self.extent).with_steps(self.steps)
    }

    /// What is done.
    pub fn task(&self) -> Task {
        let Workload { stencil: Stencil { kind, .. }, extent, steps, .. } = self;
        let Extent { x, y, z } = *extent;
        let size = match kind.dimensions() {
            1 => format!("{x}"),
            2 => format!("{x} x {y}"),
            _ => format!("{x} x {y} x {z}"),
        };
        let inner = extent.inner_points(*kind) as f64;
        let form = kind.form();
        let per_update = self.least();
        let touched = ((2 * form.fields + form.media) * size_of::<T>()) as f64;
        Task {
            kernel: "stencil".into(),
            title: format!("{kind} {size} {}", T::NAME),
            shape: json!({ "kind": kind.to_string(), "x": x, "y": y, "z": z, "steps": steps }),
            dtype: T::NAME.into(),
            amount: Amount {
                formula: "points inside the rim x steps".into(),
                work: inner * *steps as f64,
                unit: RateUnit::Updates,
                operations: kind.operations() as f64,
                bytes: per_update,
                working_set: inner * touched,
                pattern: Pattern::StreamingCopy,
                arithmetic: T::ARITHMETIC,
            },
            cache: Cache::Hot,
            timed: format!(
                "{steps} step{} between two padded fields, rim fixed",
                if *steps == 1 { "" } else { "s" }
            ),
        }
    }

    /// Steps of a call.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// That the field grows without bound, if it does.
    pub fn warning(&self, plan: &Plan<T>) -> Option<stencil::Unstable> {
        plan.warning(&self.grid.borrow())
    }

    /// Bytes that one step at a time has to move at least for an update.
    pub fn least(&self) -> f64 {
        let form = self.stencil.kind.form();
        let moved = 2 * form.fields * form.levels + form.media - (form.levels - 1) * form.fields;
        (moved * size_of::<T>()) as f64
    }

    /// The plain source in every loop order.
    pub fn plain(&self, build: Baseline) -> Vec<Candidate<'_>> {
        let candidate = |order: &Order| {
            let expected = match order {
                Order::Whole => self.whole_planes(&self.caches),
                // Strips are as wide as the cache allows, so that everything is read once but the
                // little between them, which is not counted. What is written is read before, for a
                // store takes its whole line along.
                Order::Strips => self.least() + size_of::<T>() as f64,
            };
            Candidate::plain(build, order, Plain { workload: self, build, order: *order })
                .moving(Traffic { least: self.least(), expected })
        };
        Order::ALL.iter().map(candidate).collect()
    }

    /// Bytes for an update of whole rows and planes, one after the other, by the kernels' own count:
    /// no store goes past `caches`, and what they lose before it is needed again is read again.
    fn whole_planes(&self, caches: &CacheSizes) -> f64 {
        let (kind, isa) = (self.stencil.kind, Isa::Scalar);
        let mut recipe = stencil::Recipe::estimate::<T>(kind, self.extent, isa, caches, 1);
        (recipe.scheme, recipe.streaming) = (Scheme::Plain, false);
        recipe.side_by_side = SideBySide::One;
        let plan = self.plan(isa, recipe).expect("such a plan was possible when this was made");
        plan.bytes_per_update(self.steps, caches)
    }

    /// The plain source over an array of structures, both values of a point side by side.
    pub fn structures(&self, build: Baseline) -> Candidate<'_> {
        let order = "array of structures, whole rows and planes";
        // Pairs fill caches twice as fast, and their lines come and go whole, twice the numbers; but
        // what is written has come along with what was read.
        let CacheSizes { l2, l3, .. } = self.caches;
        let halves = CacheSizes { l2: l2 / 2, l3: l3 / 2, ..self.caches };
        let expected = 2.0 * (self.whole_planes(&halves) - size_of::<T>() as f64);
        Candidate::plain(build, &order, Structures { workload: self, build })
            .moving(Traffic { least: self.least(), expected })
    }

    /// The plan a recipe makes, to ask what it should cost.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn plan(&self, isa: Isa, recipe: stencil::Recipe) -> Result<Plan<T>, Error> {
        Ok(Plan::new(self.stencil, self.extent, isa, recipe)?)
    }

    /// All fields as they must be after a call that begins at the start, in row-major order.
    pub fn expected(&self) -> &[T] {
        &self.expected
    }

    /// All fields as they are after a call, in row-major order.
    pub fn points(&self) -> Vec<T> {
        let mut points = vec![T::from_f64(0.0); self.expected.len()];
        self.grid.borrow().copy_to_slice(&mut points).expect("the expected field has its extent");
        points
    }

    /// All fields as they are one step before [`Workload::points`], of a kind that keeps two steps.
    pub fn before(&self) -> Option<Vec<T>> {
        let grid = self.grid.borrow();
        let mut points = Vec::with_capacity(self.expected_before.len());
        for field in 0..grid.fields() {
            for z in 0..self.extent.z {
                for y in 0..self.extent.y {
                    points.extend_from_slice(grid.row_before(field, y, z)?);
                }
            }
        }
        Some(points)
    }

    /// The kernel, following a recipe.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses it.
    pub fn kernel<'a>(
        &'a self,
        name: &str,
        isa: Isa,
        chosen: &Chosen<stencil::Recipe>,
        team: &'a dyn Team,
    ) -> Result<Candidate<'a>, Error> {
        let plan = self.plan(isa, chosen.recipe)?;
        let threads = chosen.recipe.threads.min(team.size());
        let passes = self.steps.div_ceil(plan.depth(self.steps)) as f64 / self.steps as f64;
        let expected = plan.bytes_per_update(self.steps, &self.caches);
        let traffic = Traffic { least: self.least() * passes, expected };
        let work = Ours { workload: self, plan, team };
        Ok(Candidate::kernel(name, isa, threads, Recipe::describe(chosen), work).moving(traffic))
    }

    /// One plane of the field as it is after a call, for a picture of it.
    pub fn plane(&self, z: usize) -> Vec<f64> {
        let grid = self.grid.borrow();
        (0..self.extent.y).flat_map(|y| grid.row(y, z).to_vec()).map(Number::real).collect()
    }

    /// All fields as they are before a call, in row-major order.
    pub fn start(&self) -> Vec<T> {
        self.source.now(self.stencil.kind.form(), self.extent)
    }

    /// Makes the grid what a call starts from.
    fn begin(&self) -> Result<(), stencil::Error> {
        let (mut grid, start) = (self.grid.borrow_mut(), self.start());
        grid.copy_from_slice(&start)?;
        match self.source.before(self.stencil.kind.form(), start.len()) {
            Some(before) => grid.set_before(before),
            None => Ok(()),
        }
    }
}

struct Ours<'a, T> {
    workload: &'a Workload<T>,
    plan: Plan<T>,
    team: &'a dyn Team,
}

impl<T: Field> Work for Ours<'_, T> {
    fn run(&mut self) {
        let mut grid = self.workload.grid.borrow_mut();
        self.plan
            .run(&mut grid, self.workload.steps, self.team)
            .expect("the grid was made for this plan");
    }

    fn check(&mut self) -> Check {
        let Workload { expected, expected_before, .. } = self.workload;
        self.workload.begin().expect("the start has the grid's extent");
        self.run();
        let check = Check::compare("plain loop", &self.workload.points(), expected, 0.0);
        let before = self.workload.before();
        let before = before.map(|it| Check::compare("plain loop", &it, expected_before, 0.0));
        // Of two the one that failed, if one did.
        before.filter(|before| check.passed() && !before.passed()).unwrap_or(check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_code_reads_again_what_leaves_the_caches() {
        let expected = |l3: usize| {
            let workload = Workload::<f32>::new(Kind::Heat7, Extent::space(64, 64, 8), 2, 1);
            let caches = CacheSizes { l2: 1 << 10, l3, ..CacheSizes::ASSUMED };
            let workload = workload.expect("a small field").with_caches(caches);
            let mut all = workload.plain(Baseline::scalar());
            all.push(workload.structures(Baseline::scalar()));
            let bytes = |each: &Candidate<'_>| each.traffic.map(|traffic| traffic.expected);
            all.iter().map(bytes).collect::<Vec<_>>()
        };
        // Planes of 16 KiB, of which three are looked at: both orders, and pairs.
        assert_eq!(expected(1 << 20), [12.0, 12.0, 16.0].map(Some));
        assert_eq!(expected(32 << 10), [20.0, 12.0, 32.0].map(Some));
    }
}
