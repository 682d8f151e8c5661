//! K-Means: which kernel finds the nearest centre, its register tile, bounds or not, threads.
//!
//! What is timed is the labelling of row-major points, the part of a fit that takes the time.

use super::{AnyError, Axis, Tunable, Workbench, around, filled, noise, thread_counts, uniform};
use crate::problem::{self, Problem, Setting, shape};
use std::cell::RefCell;
use tilewise::kmeans::{Form, Plan, Recipe, Shape, Tile, reference, tiles};
use tilewise::points::BLOCK;
use tilewise::{Isa, Matrix, SpinTeam};

impl Problem for Shape {
    type Recipe = Recipe;
    const KERNEL: &'static str = "kmeans";
    const SURFACE: u32 = 3;

    fn shape(&self) -> problem::Shape {
        shape([("n", self.n.into()), ("d", self.d.into()), ("k", self.k.into())])
    }

    fn dtype(&self) -> &'static str {
        "f32"
    }

    fn estimate(&self, setting: &Setting<'_>) -> Recipe {
        Recipe::estimate(*self, setting.isa, setting.caches(), setting.threads)
    }

    fn check(&self, isa: Isa, recipe: &Recipe) -> Result<(), String> {
        Plan::new(*self, isa, *recipe).map(drop).map_err(|error| error.to_string())
    }

    fn threads(recipe: &Recipe) -> usize {
        recipe.threads
    }
}

impl Tunable for Shape {
    fn candidates(&self, setting: &Setting<'_>) -> Vec<Recipe> {
        let of = |form| tiles(form, setting.isa).iter().map(move |&tile| (form, tile));
        let kernel = Axis {
            values: Form::ALL.into_iter().flat_map(of).collect(),
            set: |r: &mut Recipe, (form, tile): (Form, Tile)| {
                (r.form, r.tile) = (form, tile);
                r.bounds &= form == Form::Lanes;
            },
        };
        let bounds = Axis { values: vec![false, true], set: |r: &mut Recipe, v| r.bounds = v };
        let threads =
            Axis { values: thread_counts(setting.threads), set: |r: &mut Recipe, v| r.threads = v };
        let legal = |recipe: &Recipe| self.check(setting.isa, recipe).is_ok();
        around(self.estimate(setting), &[&kernel, &bounds, &threads], 3, legal)
    }

    fn workbench<'a>(
        &'a self,
        setting: &Setting<'a>,
    ) -> Result<Box<dyn Workbench<Recipe> + 'a>, String> {
        Ok(Box::new(Bench::new(*self, setting).map_err(|error| error.to_string())?))
    }
}

struct Bench {
    shape: Shape,
    isa: Isa,
    team: SpinTeam,
    points: Vec<f32>,
    centres: Vec<f32>,
    expected: Vec<u32>,
    labels: RefCell<Vec<u32>>,
}

/// Points in a row that are of one kind.
const STRETCH: usize = 256;

/// A feature of a point, counted through all points. Like pixels they are whole numbers, so that
/// there are near-ties and they cost what they cost; and like pixels some stretches are of one colour, more or less, where
/// bounds are worth their time, and others are not.
fn coordinate(index: usize, d: usize) -> f32 {
    let (any, point) = (noise(index) as u8, index / d);
    if (point / STRETCH).is_multiple_of(2) {
        return f32::from(any);
    }
    // A new colour every block of points.
    let colour = noise(usize::MAX / 4 + point / BLOCK * d + index % d);
    f32::from(colour as u8 / 8 * 7) + f32::from(any / 16)
}

/// Points whose labels are checked against the reference, spread over all of them.
const CHECKED: usize = 1000;

impl Bench {
    fn new(shape: Shape, setting: &Setting<'_>) -> Result<Self, AnyError> {
        let Shape { n, d, k } = shape;
        let mut bench = Bench {
            shape,
            isa: setting.isa,
            team: SpinTeam::new(setting.threads)?,
            points: filled(n.checked_mul(d), |i| coordinate(i, d))?,
            centres: filled(k.checked_mul(d), |i| 255.0 * uniform(usize::MAX / 2 + i))?,
            expected: Vec::new(),
            labels: RefCell::new(filled(Some(n), |_| 0)?),
        };
        bench.call(&shape.estimate(setting))?();
        bench.expected = bench.labels.borrow().clone();
        let (points, centres) = (bench.points()?, bench.centres()?);
        for row in (0..n).step_by((n / CHECKED).max(1)) {
            if reference::nearest(points.row(row), centres).0 != bench.expected[row] {
                return Err(format!("the default recipe's label of point {row} is wrong").into());
            }
        }
        Ok(bench)
    }

    fn points(&self) -> Result<Matrix<'_, f32>, tilewise::matrix::LayoutError> {
        Matrix::new(&self.points, self.shape.n, self.shape.d)
    }

    fn centres(&self) -> Result<Matrix<'_, f32>, tilewise::matrix::LayoutError> {
        Matrix::new(&self.centres, self.shape.k, self.shape.d)
    }
}

impl Workbench<Recipe> for Bench {
    fn verify(&self, recipe: &Recipe) -> Result<(), String> {
        // No label may be right because the recipe before has left it so.
        self.labels.borrow_mut().fill(u32::MAX);
        self.call(recipe)?();
        let labels = self.labels.borrow();
        let wrong = labels.iter().zip(&self.expected).position(|(found, right)| found != right);
        wrong.map_or(Ok(()), |point| {
            let (found, right) = (labels[point], self.expected[point]);
            Err(format!("point {point} is labelled {found}, not {right}"))
        })
    }

    fn call<'b>(&'b self, recipe: &Recipe) -> Result<Box<dyn FnMut() + 'b>, String> {
        let message = |error: tilewise::kmeans::Error| error.to_string();
        let plan = Plan::new(self.shape, self.isa, *recipe).map_err(message)?;
        let mut scratch = plan.scratch(recipe.threads).map_err(message)?;
        let points = self.points().map_err(|error| error.to_string())?;
        let centres = self.centres().map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            let labels = &mut self.labels.borrow_mut();
            plan.assign(points, centres, labels, None, &mut scratch, &self.team)
                .expect("operands made for this plan");
        }))
    }
}
