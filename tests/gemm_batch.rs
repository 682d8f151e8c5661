//! Batches of products: whatever their number, the strides of their operands and the team, each
//! equals the reference bit for bit, and nothing between or beside them is written.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::sync::Mutex;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{
    Dequantise, Error, Item, Lhs, Output, PackedWeights, Plan, Recipe, Scales, Scratch, Shape,
    Split, Store, reference,
};
use tilewise::matrix::{Stack, StackMut, Strides};
use tilewise::{Isa, Matrix, Solo, Team};
use tilewise_tests::{Guarded, each_isa, guarded, teams};

/// Operands of a batch whose outputs stand as `strides` say.
struct Case {
    count: usize,
    shape: Shape,
    lhs: Guarded<u8>,
    lhs_strides: Strides,
    weights: Vec<i8>,
    /// Whether the outputs are stored column by column.
    transposed: bool,
    strides: Strides,
}

impl Case {
    fn draw(rng: &mut Pcg64Mcg) -> Case {
        let count = rng.random_range(0..9);
        // Up to so many rows that weights are widened beforehand where they are.
        let [m, n, k] = [33, 70, 50].map(|most| rng.random_range(0..=most));
        let shape = Shape { m, n, k };
        let gap = rng.random_range(0..5);
        // Behind each other, beside each other in shared rows, or, to be read, all the same.
        let beside = Strides { row: (k + gap) * count.max(1), matrix: k + gap };
        let lhs_strides = match rng.random_range(0..3) {
            0 => Strides { row: k + gap, matrix: m * (k + gap) + gap },
            1 => beside,
            _ => Strides { row: k, matrix: 0 },
        };
        let transposed = rng.random();
        let [lines, line] = if transposed { [n, m] } else { [m, n] };
        let strides = match rng.random() {
            true => Strides { row: line + gap, matrix: lines * (line + gap) + gap },
            false => Strides { row: (line + gap) * count.max(1), matrix: line + gap },
        };
        let len = |[rows, cols]: [usize; 2], strides: Strides| match (count, rows) {
            (0, _) | (_, 0) => count.saturating_sub(1) * strides.matrix,
            _ => (count - 1) * strides.matrix + (rows - 1) * strides.row + cols,
        };
        let lhs: Vec<u8> = (0..len([m, k], lhs_strides)).map(|_| rng.random()).collect();
        let lhs = guarded(&lhs);
        let weights = (0..count * k * n).map(|_| rng.random()).collect();
        Case { count, shape, lhs, lhs_strides, weights, transposed, strides }
    }

    fn rows(&self) -> Stack<'_, u8> {
        let Shape { m, k, .. } = self.shape;
        Stack::with_strides(&self.lhs, self.count, [m, k], self.lhs_strides).unwrap()
    }

    fn set(&self, index: usize) -> Matrix<'_, i8> {
        let Shape { n, k, .. } = self.shape;
        Matrix::new(&self.weights[index * k * n..][..k * n], k, n).unwrap()
    }

    /// Rows and columns of an output as it is stored.
    fn size(&self) -> [usize; 2] {
        let Shape { m, n, .. } = self.shape;
        if self.transposed { [n, m] } else { [m, n] }
    }

    fn out_len(&self) -> usize {
        let [rows, columns] = self.size();
        match (self.count, rows) {
            (0, _) | (_, 0) => self.count.saturating_sub(1) * self.strides.matrix,
            (count, rows) => {
                (count - 1) * self.strides.matrix + (rows - 1) * self.strides.row + columns
            }
        }
    }

    /// Runs the items with the guarded output that is returned, `before` where nothing is written.
    fn run<O: Output<Element: bytemuck::Pod>>(
        &self,
        plan: &Plan,
        items: &[Item<'_, O>],
        before: O::Element,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Guarded<O::Element> {
        let mut out = guarded(&vec![before; self.out_len()]);
        let stack = StackMut::with_strides(&mut out, self.count, self.size(), self.strides);
        let stack = stack.unwrap();
        match self.transposed {
            true => plan.run_batch_transposed(items, stack, scratch, team).unwrap(),
            false => plan.run_batch(items, stack, scratch, team).unwrap(),
        }
        out
    }

    /// What must stand in the output, `before` where nothing is written.
    fn expected<E: Copy>(&self, before: E, value: impl Fn(usize, i32) -> E) -> Vec<E> {
        let Shape { m, n, .. } = self.shape;
        let mut expected = vec![before; self.out_len()];
        for (index, rows) in self.rows().iter().enumerate() {
            let mut sums = vec![0; m * n];
            reference::multiply(Lhs::u8(rows, 7), self.set(index), &[], &mut sums);
            for (at, &sum) in sums.iter().enumerate() {
                let (row, column) = (at / n, at % n);
                let [line, at] = if self.transposed { [column, row] } else { [row, column] };
                let start = index * self.strides.matrix + line * self.strides.row;
                expected[start + at] = value(index, sum);
            }
        }
        expected
    }
}

fn recipe(rng: &mut Pcg64Mcg, shape: Shape, isa: Isa) -> Recipe {
    let mut recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    recipe.mc = rng.random_range(1..30);
    recipe.split = Split { rows: rng.random_range(1..4), columns: rng.random_range(1..4) };
    recipe
}

#[test]
fn products_of_a_batch_equal_the_reference() {
    each_isa(|isa| {
        let rng = &mut Pcg64Mcg::seed_from_u64(isa.name().len() as u64);
        for index in 0..200 {
            let case = Case::draw(rng);
            let Case { count, shape, transposed, .. } = case;
            let how = if transposed { "by columns" } else { "by rows" };
            let weights: Vec<PackedWeights> =
                (0..count).map(|index| PackedWeights::pack(case.set(index)).unwrap()).collect();
            let plan = Plan::new(shape, isa, recipe(rng, shape, isa)).unwrap();
            let mut scratch = plan.batch_scratch(rng.random_range(1..5)).unwrap();
            let team = teams()[index % teams().len()].1;

            let item = |(rows, weights)| Item { lhs: Lhs::u8(rows, 7), weights, output: Store };
            let items: Vec<_> = case.rows().iter().zip(&weights).map(item).collect();
            let out = case.run(&plan, &items, -7, &mut scratch, team);
            assert!(*out == case.expected(-7, |_, sum| sum), "{isa}, {count} of {shape} {how}");

            // Scales of its own for each product.
            let scale = |index: usize| index as f32 * 0.5 + 0.25;
            let item = |(index, (rows, weights))| {
                let output = Dequantise { scales: Scales::All(scale(index)) };
                Item { lhs: Lhs::u8(rows, 7), weights, output }
            };
            let items: Vec<_> = case.rows().iter().zip(&weights).enumerate().map(item).collect();
            let out = case.run(&plan, &items, -7.0, &mut scratch, team);
            let expected =
                case.expected(-7.0, |index, sum| reference::dequantise(sum, 1.0, scale(index)));
            assert!(*out == expected, "{isa}, {count} of {shape} {how}, real numbers");
        }
    });
}

#[test]
fn floats_are_quantised_by_each_member_for_its_products() {
    let (count, shape) = (5, Shape { m: 6, n: 33, k: 19 });
    let Shape { m, n, k } = shape;
    let x: Vec<f32> = (0..count * m * k).map(|i| (i * 7919 % 1009) as f32 / 97.0 - 5.0).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let packed = PackedWeights::pack(weights).unwrap();
    let mut expected = vec![0; count * m * n];
    let stack = Stack::new(&x, count, [m, k]).unwrap();
    for (rows, sums) in stack.iter().zip(expected.chunks_exact_mut(m * n)) {
        reference::multiply(Lhs::f32(rows), weights, &[], sums);
    }
    let item = |rows| Item { lhs: Lhs::f32(rows), weights: &packed, output: Store };
    let items: Vec<_> = stack.iter().map(item).collect();
    each_isa(|isa| {
        let plan =
            Plan::new(shape, isa, Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 2)).unwrap();
        for (name, team) in teams() {
            let mut out = vec![0; count * m * n];
            let view = StackMut::new(&mut out, count, [m, n]).unwrap();
            let mut scratch = plan.batch_scratch(team.size()).unwrap();
            plan.run_batch(&items, view, &mut scratch, *team).unwrap();
            assert_eq!(out, expected, "{isa}, {name}");
        }
    });
}

/// Room for bytes is enough for bytes; one product of floats among them wants room for floats.
#[test]
fn a_batch_may_hold_bytes_and_floats() {
    let (count, shape) = (5, Shape { m: 6, n: 33, k: 19 });
    let Shape { m, n, k } = shape;
    let bytes: Vec<u8> = (0..count * m * k).map(|i| (i * 37 % 256) as u8).collect();
    let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 9.0).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let packed = PackedWeights::pack(weights).unwrap();
    let bytes = Stack::new(&bytes, count, [m, k]).unwrap();
    let floats = Stack::new(&floats, count, [m, k]).unwrap();
    for some_floats in [false, true] {
        let lhs = |index| match index % 2 == 1 && some_floats {
            true => Lhs::f32(floats.get(index)),
            false => Lhs::u8(bytes.get(index), 7),
        };
        let item = |index| Item { lhs: lhs(index), weights: &packed, output: Store };
        let items: Vec<_> = (0..count).map(item).collect();
        let mut expected = vec![0; count * m * n];
        for (item, sums) in items.iter().zip(expected.chunks_exact_mut(m * n)) {
            reference::multiply(item.lhs, weights, &[], sums);
        }
        each_isa(|isa| {
            let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 2);
            let plan = Plan::new(shape, isa, recipe).unwrap();
            for (name, team) in teams() {
                let mut out = vec![-7; count * m * n];
                let mut run = |scratch: &mut Scratch| {
                    let view = StackMut::new(&mut out, count, [m, n]).unwrap();
                    plan.run_batch(&items, view, scratch, *team)
                };
                let given = plan.batch_scratch_bytes_for_bytes(1);
                let result = run(&mut Scratch::of_bytes(given).unwrap());
                let needed = plan.batch_scratch_bytes(1);
                match some_floats {
                    true => assert_eq!(result, Err(Error::Scratch { given, needed }), "{isa}"),
                    false => assert_eq!(result, Ok(()), "{isa}, {name}"),
                }
                run(&mut plan.batch_scratch(team.size()).unwrap()).unwrap();
                assert_eq!(out, expected, "{isa}, {name}");
            }
        });
    }
}

/// Inside a region of a team the same team is one member: it makes all products all the same.
#[test]
fn a_team_that_is_at_work_already_makes_every_product() {
    let (count, shape) = (7, Shape { m: 3, n: 20, k: 9 });
    let Shape { m, n, k } = shape;
    let x: Vec<u8> = (0..count * m * k).map(|i| (i * 37 % 256) as u8).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let packed = PackedWeights::pack(weights).unwrap();
    let stack = Stack::new(&x, count, [m, k]).unwrap();
    let mut expected = vec![0; count * m * n];
    for (rows, sums) in stack.iter().zip(expected.chunks_exact_mut(m * n)) {
        reference::multiply(Lhs::u8(rows, 7), weights, &[], sums);
    }
    let item = |rows| Item { lhs: Lhs::u8(rows, 7), weights: &packed, output: Store };
    let items: Vec<_> = stack.iter().map(item).collect();
    each_isa(|isa| {
        let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 2);
        let plan = Plan::new(shape, isa, recipe).unwrap();
        for (name, team) in teams() {
            let out = Mutex::new(vec![0; count * m * n]);
            team.run(&|member| {
                if member.index() == 0 {
                    let mut out = out.lock().unwrap();
                    let view = StackMut::new(&mut out, count, [m, n]).unwrap();
                    let mut scratch = plan.batch_scratch(team.size()).unwrap();
                    plan.run_batch(&items, view, &mut scratch, *team).unwrap();
                }
            });
            assert_eq!(*out.lock().unwrap(), expected, "{isa}, {name}");
        }
    });
}

#[test]
fn products_without_rows_may_be_any_distance_apart() {
    let (isa, shape) = (Isa::best(), Shape { m: 0, n: 2, k: 3 });
    let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let plan = Plan::new(shape, isa, recipe).unwrap();
    let weights = PackedWeights::pack(Matrix::new(&[1; 6], 3, 2).unwrap()).unwrap();
    let lhs = Lhs::u8(Matrix::new(&[], 0, 3).unwrap(), 0);
    let items = [Item { lhs, weights: &weights, output: Store }; 3];
    let strides = Strides { row: 2, matrix: usize::MAX };
    let out = StackMut::with_strides(&mut [], 3, [0, 2], strides).unwrap();
    plan.run_batch(&items, out, &mut plan.batch_scratch(1).unwrap(), &Solo).unwrap();
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let shape = Shape { m: 2, n: 3, k: 4 };
    let isa = Isa::best();
    let plan =
        Plan::new(shape, isa, Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1)).unwrap();
    let [right, other] = [[0; 12]; 2];
    let right = PackedWeights::pack(Matrix::new(&right, 4, 3).unwrap()).unwrap();
    let other = PackedWeights::pack(Matrix::new(&other, 3, 4).unwrap()).unwrap();
    let rows = [1; 16];
    let rows = Stack::new(&rows, 2, [2, 4]).unwrap();
    let mut scratch = plan.batch_scratch(1).unwrap();
    let mut run = |weights: [&PackedWeights; 2], count, given: Option<&mut Scratch>| {
        let item = |(rows, weights)| Item { lhs: Lhs::u8(rows, 0), weights, output: Store };
        let items: Vec<_> = rows.iter().zip(weights).map(item).collect();
        let mut out = [-7; 18];
        let stack = StackMut::new(&mut out, count, [2, 3]).unwrap();
        let scratch = given.unwrap_or(&mut scratch);
        let result = plan.run_batch(&items, stack, scratch, &Solo);
        assert!(result.is_ok() || out == [-7; 18]);
        result
    };
    assert_eq!(run([&right; 2], 2, None), Ok(()));
    let error = run([&right, &other], 2, None).unwrap_err();
    assert!(matches!(error, Error::Item { index: 1, .. }));
    let message = "product 1 of the batch: the matrix of weights has 3 rows and 4 columns; the \
                   plan is for m 2, n 3, k 4";
    assert_eq!(error.to_string(), message);
    let items = [Item { lhs: Lhs::u8(rows.get(0), 0), weights: &right, output: Store }];
    let mut by_rows = [-7; 6];
    let stack = StackMut::new(&mut by_rows, 1, [2, 3]).unwrap();
    let mut room = plan.batch_scratch(1).unwrap();
    let error = plan.run_batch_transposed(&items, stack, &mut room, &Solo).unwrap_err();
    let message = "product 0 of the batch: the output";
    assert!(error.to_string().starts_with(message), "{error}");
    assert_eq!(by_rows, [-7; 6]);
    let error = run([&right; 2], 3, None).unwrap_err();
    let message = "3 matrices for the outputs; expected 2, one for each item";
    assert_eq!(error.to_string(), message);

    let needed = plan.batch_scratch_bytes_for_bytes(1);
    let given = needed - 64;
    let mut scratch = Scratch::of_bytes(given).unwrap();
    let error = run([&right; 2], 2, Some(&mut scratch)).unwrap_err();
    assert_eq!(error, Error::Scratch { given, needed });
}
