//! Stencils: scheme, steps at a time, tiles, rows updated side by side, width of registers,
//! prefetch, kind of stores, threads.

use super::{
    AnyError, Axis, Tunable, Turn, Workbench, around, filled, thread_counts, uniform, up_to,
};
use crate::problem::{Problem, Setting, Shape, shape};
use std::cell::RefCell;
use std::marker::PhantomData;
use tilewise::stencil::{
    Extent, Grid, Kind, Plan, Recipe, Registers, Scheme, SideBySide, Stencil, reference,
};
use tilewise::vector::Real;
use tilewise::{Isa, SpinTeam};

/// A stencil over a grid of `T`: a problem for the tuner.
///
/// ```
/// use tilewise::stencil::{Extent, Kind};
/// use tilewise_tuner::{problem::Problem, space::Field};
/// let field = Field::<f32>::new(Kind::Heat7, Extent::space(512, 512, 512));
/// assert_eq!(field.dtype(), "f32");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Field<T> {
    kind: Kind,
    extent: Extent,
    /// Whether many steps are made in one call, so that some can be fused.
    many: bool,
    element: PhantomData<T>,
}

impl<T: Real> Field<T> {
    /// A stencil of this kind over a grid of this extent, stepped once in a call.
    pub fn new(kind: Kind, extent: Extent) -> Self {
        Field { kind, extent, many: false, element: PhantomData }
    }

    /// The same for calls of so many steps: with more than one, some can be fused.
    pub fn with_steps(self, steps: usize) -> Self {
        Field { many: steps > 1, ..self }
    }

    /// Steps of a timed call. Two bring a grid back to the buffer it started in; sixteen are
    /// enough for every depth.
    fn steps(&self) -> usize {
        if self.many { 16 } else { 2 }
    }

    fn stencil(&self) -> Stencil {
        Stencil::new(self.kind, self.kind.stability_limit() / 2.0)
    }
}

impl<T: Real> Problem for Field<T> {
    type Recipe = Recipe;
    const KERNEL: &'static str = "stencil";
    const SURFACE: u32 = 8;

    fn shape(&self) -> Shape {
        let Extent { x, y, z } = self.extent;
        let kind = self.kind.name().into();
        let shape = shape([("kind", kind), ("x", x.into()), ("y", y.into()), ("z", z.into())]);
        if self.many { shape.with("steps", "many".into()) } else { shape }
    }

    fn dtype(&self) -> &'static str {
        if size_of::<T>() == size_of::<f32>() { "f32" } else { "f64" }
    }

    fn estimate(&self, setting: &Setting<'_>) -> Recipe {
        let Setting { isa, threads, .. } = *setting;
        let estimate = if self.many { Recipe::estimate_fused::<T> } else { Recipe::estimate::<T> };
        let recipe = estimate(self.kind, self.extent, isa, setting.caches(), threads);
        recipe.canonical(self.kind, self.extent, isa)
    }

    fn check(&self, isa: Isa, recipe: &Recipe) -> Result<(), String> {
        let plan = Plan::<T>::new(self.stencil(), self.extent, isa, *recipe);
        plan.map(drop).map_err(|error| error.to_string())
    }

    fn threads(recipe: &Recipe) -> usize {
        recipe.threads
    }
}

impl<T: Real> Tunable for Field<T> {
    fn candidates(&self, setting: &Setting<'_>) -> Vec<Recipe> {
        let estimate = self.estimate(setting);
        let inner = self.extent.y.saturating_sub(2 * self.kind.radius());
        let near = [estimate.tile_rows / 2, estimate.tile_rows * 2];
        let mut rows: Vec<usize> = up_to(inner, &[8, 16, 32, 64, 128]);
        rows.extend(near.into_iter().filter(|rows| (1..inner).contains(rows)));
        let threads = thread_counts(setting.threads);
        let streaming =
            Axis { values: vec![false, true], set: |r: &mut Recipe, v| r.streaming = v };
        let choices = SideBySide::choices(self.kind).to_vec();
        let side = Axis { values: choices, set: |r: &mut Recipe, v| r.side_by_side = v };
        let widths = Registers::choices(setting.isa).to_vec();
        let widths = Axis { values: widths, set: |r: &mut Recipe, v| r.registers = v };
        let bytes = vec![0, 4 << 10, 8 << 10, 16 << 10];
        let prefetch = Axis { values: bytes, set: |r: &mut Recipe, v| r.prefetch = v };
        let rows = Axis { values: rows, set: |r: &mut Recipe, v| r.tile_rows = v };
        let threads = Axis { values: threads, set: |r: &mut Recipe, v| r.threads = v };
        let legal = |recipe: &Recipe| self.check(setting.isa, recipe).is_ok();
        let distinct = |recipes: Vec<Recipe>| {
            let mut found: Vec<Recipe> = Vec::new();
            for recipe in recipes {
                let recipe = self.canonical(setting.isa, recipe);
                if !found.contains(&recipe) {
                    found.push(recipe);
                }
            }
            found
        };
        if !self.many {
            let axes: [&dyn Turn<Recipe>; 6] =
                [&streaming, &side, &widths, &prefetch, &rows, &threads];
            return distinct(around(estimate, &axes, 3, legal));
        }
        // Whole planes are spatial tiles of all rows.
        let schemes = vec![Scheme::Spatial, Scheme::Overlapped, Scheme::Skewed];
        let scheme = Axis { values: schemes, set: |r: &mut Recipe, v| r.scheme = v };
        let depths = vec![2, 3, 4, 6, 8, 12, 16, 24];
        let depth = Axis { values: depths, set: |r: &mut Recipe, v| r.depth = v };
        let columns = up_to(self.extent.x, &[256, 512, 1024, 2048, 4096]);
        let points = Axis { values: columns, set: |r: &mut Recipe, v| r.tile_points = v };
        let axes: [&dyn Turn<Recipe>; 9] =
            [&scheme, &depth, &rows, &points, &streaming, &threads, &side, &widths, &prefetch];
        distinct(around(estimate, &axes, 2, legal))
    }

    fn canonical(&self, isa: Isa, recipe: Recipe) -> Recipe {
        recipe.canonical(self.kind, self.extent, isa)
    }

    fn workbench<'a>(
        &'a self,
        setting: &Setting<'a>,
    ) -> Result<Box<dyn Workbench<Recipe> + 'a>, String> {
        Ok(Box::new(Bench::new(*self, setting).map_err(|error| error.to_string())?))
    }
}

/// Planes inside the rim of the grid on which recipes are verified: tiles are cut across a plane,
/// so a slab has every tile the whole grid has, at a fraction of the time.
const SLAB: usize = 8;

struct Bench<T> {
    field: Field<T>,
    isa: Isa,
    team: SpinTeam,
    grid: RefCell<Grid<T>>,
    slab: Extent,
    start: Vec<T>,
    expected: Vec<T>,
}

/// Values that no step ever brings near zero, where a CPU may be slow, or out of bounds: from 1 to 2,
/// and of substances that react about as much of each as lasts.
fn value<T: Real>(kind: Kind, field: usize, index: usize) -> T {
    let (low, width) = match (kind, field) {
        (Kind::GrayScott, 0) => (0.4, 0.15),
        (Kind::GrayScott, _) => (0.2, 0.1),
        _ => (1.0, 1.0),
    };
    T::from_f64(low + width * f64::from(uniform(index)))
}

impl<T: Real> Bench<T> {
    fn new(field: Field<T>, setting: &Setting<'_>) -> Result<Self, AnyError> {
        let Extent { x, y, z } = field.extent;
        let form = field.kind.form();
        let slab = Extent { x, y, z: z.min(SLAB + 2 * form.radius) };
        let numbers = slab.points().and_then(|points| points.checked_mul(form.fields));
        let (kind, points) = (field.kind, slab.points().unwrap_or(1).max(1));
        let start: Vec<T> = filled(numbers, |index| value(kind, index / points, index))?;
        let mut expected = start.clone();
        // A plan first: it checks what the reference would index.
        Plan::<T>::new(field.stencil(), field.extent, setting.isa, field.estimate(setting))?;
        let grid = Grid::from_fields(field.extent, form.fields, |field, [x, y, z]| {
            value(kind, field, field ^ x ^ (y << 10) ^ (z << 20))
        })?;
        reference::run(&field.stencil(), slab, &mut expected, field.steps());
        let ends = [f64::NEG_INFINITY, f64::INFINITY].map(T::from_f64);
        if !expected.iter().all(|&value| ends[0] < value && value < ends[1]) {
            return Err("its steps leave the range of numbers".into());
        }
        Ok(Bench {
            field,
            isa: setting.isa,
            team: SpinTeam::new(setting.threads)?,
            grid: RefCell::new(grid),
            slab,
            start,
            expected,
        })
    }

    fn step_slab(&self, recipe: &Recipe) -> Result<Vec<T>, tilewise::stencil::Error> {
        let mut grid = Grid::with_fields(self.slab, self.field.kind.form().fields)?;
        grid.copy_from_slice(&self.start)?;
        let plan = Plan::new(self.field.stencil(), self.slab, self.isa, *recipe)?;
        plan.run(&mut grid, self.field.steps(), &self.team)?;
        let mut out = self.start.clone();
        grid.copy_to_slice(&mut out)?;
        Ok(out)
    }
}

impl<T: Real> Workbench<Recipe> for Bench<T> {
    fn verify(&self, recipe: &Recipe) -> Result<(), String> {
        let found = self.step_slab(recipe).map_err(|error| error.to_string())?;
        let wrong = found.iter().zip(&self.expected).position(|(found, right)| found != right);
        wrong.map_or(Ok(()), |at| {
            Err(format!("point {at} is {:?}, not {:?}", found[at], self.expected[at]))
        })
    }

    fn call<'b>(&'b self, recipe: &Recipe) -> Result<Box<dyn FnMut() + 'b>, String> {
        let plan = Plan::new(self.field.stencil(), self.field.extent, self.isa, *recipe)
            .map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            let mut grid = self.grid.borrow_mut();
            plan.run(&mut grid, self.field.steps(), &self.team).expect("the plan's own grid");
        }))
    }
}
