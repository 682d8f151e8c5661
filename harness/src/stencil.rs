//! Stencils as a workload: explicit steps on fields whose start comes from a seed or from the user.

use crate::baseline::{self, Baseline};
use crate::roofs::{Pattern, Quantity};
use crate::workload::{
    Amount, Cache, Candidate, Check, Number, RateUnit, Recipe, Task, Traffic, Work,
};
use serde_json::json;
use std::cell::RefCell;
use tilewise::buffer::{Buffer, OutOfMemory};
use tilewise::stencil::{self, Extent, Grid, Kind, Plan, Stencil};
use tilewise::{Isa, Team};
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
    grid: RefCell<Grid<T>>,
    /// In the same kind of memory as ours: large pages alone are worth 13 % here.
    plain: RefCell<[Buffer<T>; 2]>,
    /// The plain code's array of structures.
    structures: RefCell<Buffer<T>>,
}

/// Where the start of a field is from.
#[derive(Clone, Debug)]
pub enum Source<T> {
    /// Random values in 0..1 over a smooth hill.
    Seed(u64),
    /// These points, in row-major order, field after field.
    Points(Vec<T>),
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
        Self::of(stencil, extent, steps, Source::Seed(seed))
    }

    /// A stencil from any start.
    ///
    /// # Errors
    /// As [`Workload::new`]; also for another number of points than the extent has.
    pub fn of(
        stencil: Stencil,
        extent: Extent,
        steps: usize,
        source: Source<T>,
    ) -> Result<Self, Error> {
        if !(1..=Self::MOST_STEPS).contains(&steps) {
            return Err(Error::Steps { given: steps, most: Self::MOST_STEPS });
        }
        let form = stencil.kind.form();
        let mut grid = Grid::with_fields(extent, form.fields)?;
        let recipe = stencil::Recipe::estimate::<T>(
            form,
            extent,
            Isa::Scalar,
            &tilewise::cache::CacheSizes::ASSUMED,
            1,
        );
        // Asked now, so that an extent which does not suit the stencil is refused before hours
        // of reference.
        Plan::<T>::new(stencil, extent, Isa::Scalar, recipe)?;
        let mut workload = Workload {
            stencil,
            extent,
            steps,
            source,
            expected: Vec::new(),
            grid: RefCell::new(Grid::zeroed(Extent::line(1))?),
            plain: RefCell::new([Buffer::zeroed(0)?, Buffer::zeroed(0)?]),
            structures: RefCell::new(Buffer::zeroed(0)?),
        };
        workload.expected = workload.start();
        grid.copy_from_slice(&workload.expected)?;
        workload.grid.replace(grid);
        stencil::reference::run(&stencil, extent, &mut workload.expected, steps);
        Ok(workload)
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
                "{steps} step{} from one padded field to the other, rim fixed",
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
        // What is written is read before, for a store takes its whole line along.
        let expected = self.least() + size_of::<T>() as f64;
        let candidate = |order: &baseline::stencil::Order| {
            Candidate::plain(build, order, Plain { workload: self, build, order: *order })
                .moving(Traffic { least: self.least(), expected })
        };
        baseline::stencil::Order::ALL.iter().map(candidate).collect()
    }

    /// The plain source over an array of structures, both values of a point side by side.
    pub fn structures(&self, build: Baseline) -> Candidate<'_> {
        let order = "array of structures, whole rows and planes";
        // Lines hold what is read and what is written, and go both ways whole.
        let expected = 4.0 * size_of::<T>() as f64;
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
        let expected = plan.bytes_per_update(self.steps);
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
        let seed = match &self.source {
            Source::Seed(seed) => *seed,
            Source::Points(points) => return points.clone(),
        };
        let Extent { x, y, z } = self.extent;
        let fields = self.stencil.kind.form().fields;
        let mut points = Vec::with_capacity(fields * x * y * z);
        for field in 0..fields as u64 {
            // The second of two substances is the rarer one.
            let share = if field > 0 { 0.25 } else { 1.0 };
            let value = |at| T::from_f64(share * start(seed + field, self.extent, at));
            for k in 0..z {
                for j in 0..y {
                    points.extend((0..x).map(|i| value([i, j, k])));
                }
            }
        }
        points
    }
}

/// The start value of a point: a hill in the middle, roughened by the seed.
fn start(seed: u64, extent: Extent, [x, y, z]: [usize; 3]) -> f64 {
    let index = (z * extent.y + y) * extent.x + x;
    // One round of splitmix64: neighbours are unrelated.
    let mut bits = (index as u64 ^ seed.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let rough = (bits >> 40) as f64 / (1u64 << 24) as f64;
    let middle = |at: usize, points: usize| {
        let share = (at as f64 + 0.5) / points as f64 - 0.5;
        1.0 - 4.0 * share * share
    };
    let hill = middle(x, extent.x) * middle(y, extent.y) * middle(z, extent.z);
    0.75 * hill + 0.25 * rough
}

struct Plain<'a, T> {
    workload: &'a Workload<T>,
    build: Baseline,
    order: baseline::stencil::Order,
}

impl<T: Field> Work for Plain<'_, T> {
    fn run(&mut self) {
        let Workload { stencil, extent, steps, plain, .. } = self.workload;
        let mut fields = plain.borrow_mut();
        for _ in 0..*steps {
            let [from, to] = &mut *fields;
            let step = baseline::stencil::Fields { from, to, extent: *extent };
            self.build.step(*stencil, self.order, step).expect("fields were made for this extent");
            fields.swap(0, 1);
        }
    }

    fn check(&mut self) -> Check {
        let start = self.workload.start();
        let mut fields = self.workload.plain.borrow_mut();
        fields[0].copy_from_slice(&start);
        fields[1].copy_from_slice(&start);
        drop((fields, start));
        self.run();
        let fields = self.workload.plain.borrow();
        Check::compare("plain loop", &fields[0], &self.workload.expected, 0.0)
    }
}

struct Structures<'a, T> {
    workload: &'a Workload<T>,
    build: Baseline,
}

impl<T: Field> Work for Structures<'_, T> {
    fn run(&mut self) {
        let Workload { stencil, extent, steps, structures, .. } = self.workload;
        let mut points = structures.borrow_mut();
        for step in 0..*steps {
            let step = baseline::stencil::Structures {
                points: &mut points,
                from: step % 2,
                extent: *extent,
            };
            self.build.step_structures(*stencil, step).expect("there is room for this extent");
        }
    }

    fn check(&mut self) -> Check {
        let pairs = self.workload.start().into_iter().flat_map(|value| [value, value]);
        let mut points = self.workload.structures.borrow_mut();
        points.iter_mut().zip(pairs).for_each(|(to, value)| *to = value);
        drop(points);
        self.run();
        let points = self.workload.structures.borrow();
        let last = points.iter().skip(self.workload.steps % 2).step_by(2);
        let last: Vec<T> = last.copied().collect();
        Check::compare("plain loop", &last, &self.workload.expected, 0.0)
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
        let Workload { grid, expected, .. } = self.workload;
        let start = self.workload.start();
        grid.borrow_mut().copy_from_slice(&start).expect("it has the grid's extent");
        drop(start);
        self.run();
        Check::compare("plain loop", &self.workload.points(), expected, 0.0)
    }
}
