//! INT8 products: register tile, blocks, and how threads share the rows and columns.

use super::{AnyError, Axis, Tunable, Workbench, around, filled, noise, thread_counts, up_to};
use crate::problem::{self, Problem, Setting, shape};
use std::cell::RefCell;
use tilewise::gemm::{
    Lhs, PackedWeights, Plan, Recipe, Scratch, Shape, Split, Store, reference, tiles,
};
use tilewise::{Isa, Matrix, MatrixMut, SpinTeam};

impl Problem for Shape {
    type Recipe = Recipe;
    const KERNEL: &'static str = "gemm";
    const SURFACE: u32 = 2;

    fn shape(&self) -> problem::Shape {
        shape([("m", self.m.into()), ("n", self.n.into()), ("k", self.k.into())])
    }

    fn dtype(&self) -> &'static str {
        "u8i8"
    }

    fn estimate(&self, setting: &Setting<'_>) -> Recipe {
        Recipe::estimate(*self, setting.isa, setting.caches(), setting.threads)
    }

    fn check(&self, isa: Isa, recipe: &Recipe) -> Result<(), String> {
        Plan::new(*self, isa, *recipe).map(drop).map_err(|error| error.to_string())
    }

    fn threads(recipe: &Recipe) -> usize {
        recipe.split.parts()
    }
}

impl Tunable for Shape {
    fn candidates(&self, setting: &Setting<'_>) -> Vec<Recipe> {
        let tile =
            Axis { values: tiles(setting.isa).to_vec(), set: |r: &mut Recipe, v| r.tile = v };
        let split = Axis { values: splits(setting.threads), set: |r: &mut Recipe, v| r.split = v };
        // Blocks of rows from one tile high to what half a second-level cache holds of a long
        // depth; depths from a first-level cache's worth of a panel; columns in whole panels.
        let mc = up_to(self.m, &[24, 48, 96, 192, 384]);
        let kc = up_to(self.k, &[256, 512, 1024, 2048]);
        let nc = up_to(self.n, &[64, 128, 256, 512, 1024]);
        let mc = Axis { values: mc, set: |r: &mut Recipe, v| r.mc = v };
        let kc = Axis { values: kc, set: |r: &mut Recipe, v| r.kc = v };
        let nc = Axis { values: nc, set: |r: &mut Recipe, v| r.nc = v };
        let legal = |recipe: &Recipe| self.check(setting.isa, recipe).is_ok();
        around(self.estimate(setting), &[&tile, &split, &mc, &nc, &kc], 2, legal)
    }

    fn workbench<'a>(
        &'a self,
        setting: &Setting<'a>,
    ) -> Result<Box<dyn Workbench<Recipe> + 'a>, String> {
        Ok(Box::new(Bench::new(*self, setting).map_err(|error| error.to_string())?))
    }
}

/// Every grid of parts for every thread count worth trying.
fn splits(threads: usize) -> Vec<Split> {
    let grids = |parts: usize| {
        let rows = (1..=parts).filter(move |rows| parts.is_multiple_of(*rows));
        rows.map(move |rows| Split { rows, columns: parts / rows })
    };
    thread_counts(threads).into_iter().flat_map(grids).collect()
}

struct Bench {
    shape: Shape,
    isa: Isa,
    team: SpinTeam,
    lhs: Vec<u8>,
    weights: PackedWeights,
    expected: Vec<i32>,
    out: RefCell<Vec<i32>>,
}

impl Bench {
    fn new(shape: Shape, setting: &Setting<'_>) -> Result<Self, AnyError> {
        let Shape { m, n, k } = shape;
        let lhs = filled(m.checked_mul(k), |i| noise(i) as u8)?;
        let plain = filled(k.checked_mul(n), |i| (noise(i) >> 8) as i8)?;
        let plain = Matrix::new(&plain, k, n)?;
        let mut bench = Bench {
            shape,
            isa: setting.isa,
            team: SpinTeam::new(setting.threads)?,
            lhs,
            weights: PackedWeights::pack(plain)?,
            expected: Vec::new(),
            out: RefCell::new(filled(m.checked_mul(n), |_| 0)?),
        };
        bench.run_once(&shape.estimate(setting))?;
        bench.expected = bench.out.borrow().clone();
        bench.check_rows(plain)?;
        Ok(bench)
    }

    /// Some of the expected rows against three loops, which are too slow for all of them.
    fn check_rows(&self, weights: Matrix<'_, i8>) -> Result<(), AnyError> {
        let Shape { m, n, k } = self.shape;
        for row in [0, m / 2, m.saturating_sub(1)].into_iter().filter(|&row| row < m) {
            let lhs = Lhs::u8(Matrix::new(&self.lhs[row * k..][..k], 1, k)?, 0);
            let mut right = vec![0; n];
            reference::multiply(lhs, weights, &[], &mut right);
            if right != self.expected[row * n..][..n] {
                return Err(format!("the default recipe's row {row} is wrong").into());
            }
        }
        Ok(())
    }

    fn run_once(&self, recipe: &Recipe) -> Result<(), AnyError> {
        self.call(recipe)?();
        Ok(())
    }
}

impl Workbench<Recipe> for Bench {
    fn verify(&self, recipe: &Recipe) -> Result<(), String> {
        // No element may be right because the recipe before has left it so.
        self.out.borrow_mut().iter_mut().for_each(|element| *element = !*element);
        self.run_once(recipe).map_err(|error| error.to_string())?;
        let equal = *self.out.borrow() == self.expected;
        equal.then_some(()).ok_or_else(|| "its product differs from the default's".to_owned())
    }

    fn call<'b>(&'b self, recipe: &Recipe) -> Result<Box<dyn FnMut() + 'b>, String> {
        let Shape { m, n, k } = self.shape;
        let message = |error: tilewise::gemm::Error| error.to_string();
        let plan = Plan::new(self.shape, self.isa, *recipe).map_err(message)?;
        let bytes = plan.scratch_bytes_for_bytes(recipe.split.parts());
        let mut scratch = Scratch::of_bytes(bytes).map_err(message)?;
        let lhs = Matrix::new(&self.lhs, m, k).map_err(|error| error.to_string())?;
        Ok(Box::new(move || {
            let mut out = self.out.borrow_mut();
            let out = MatrixMut::new(&mut out, m, n).expect("made for this shape");
            plan.run(Lhs::u8(lhs, 0), &self.weights, &Store, out, &mut scratch, &self.team)
                .expect("operands made for this plan");
        }))
    }
}
