//! What a product takes beside its operands: scratch for what its left operand is made of, and a part
//! of the work for as many members as there can be.

use tilewise::cache::CacheSizes;
use tilewise::gemm::{
    Error, Lhs, PackedWeights, Plan, Recipe, Scratch, Shape, Split, Store, reference,
};
use tilewise::{Matrix, MatrixMut, Solo};
use tilewise_tests::{each_isa, teams};

#[test]
fn more_parts_than_rows_and_panels_are_as_many_as_there_are() {
    let shape @ Shape { m, n, k } = Shape { m: 5, n: 40, k: 9 };
    let lhs: Vec<u8> = (0..m * k).map(|i| (i * 37 % 256) as u8).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let packed = PackedWeights::pack(weights).unwrap();
    each_isa(|isa| {
        for (rows, columns) in [(usize::MAX, usize::MAX), (usize::MAX, 1), (1, usize::MAX), (6, 4)]
        {
            let mut recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
            recipe.split = Split { rows, columns };
            let plan = Plan::new(shape, isa, recipe).unwrap();
            let parts = rows.min(m) * columns.min(3);
            assert_eq!([99, 2, 0].map(|threads| plan.members(threads)), [parts, 2, 1]);
            assert_eq!(plan.scratch_bytes(99), plan.scratch_bytes(parts));
            for rows in [0, 1, m] {
                let lhs = Lhs::u8(Matrix::new(&lhs[..rows * k], rows, k).unwrap(), 7);
                let mut expected = vec![0; rows * n];
                reference::multiply(lhs, weights, &[], &mut expected);
                for (name, team) in teams() {
                    let (mut out, mut scratch) = (vec![-7; rows * n], plan.scratch(3).unwrap());
                    let view = MatrixMut::new(&mut out, rows, n).unwrap();
                    plan.run(lhs, &packed, &Store, view, &mut scratch, *team).unwrap();
                    assert_eq!(out, expected, "{rows} rows, {recipe}, {isa}, {name}");
                }
            }
        }
    });
}

/// Rows of bytes need no room of their own; a product without columns looks at no row at all.
#[test]
fn scratch_is_for_what_the_left_operand_is_made_of() {
    let shape @ Shape { m, n, k } = Shape { m: 300, n: 20, k: 100 };
    let (bytes, floats, weights) = (vec![1; m * k], vec![1.0; m * k], vec![1; k * n]);
    let weights = PackedWeights::pack(Matrix::new(&weights, k, n).unwrap()).unwrap();
    each_isa(|isa| {
        let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 2);
        let plan = Plan::new(shape, isa, recipe).unwrap();
        // A line for every 64 bytes begun, and one for what they mean.
        let rows = m * 3 * 64;
        for threads in 1..4 {
            assert_eq!(plan.scratch_bytes(threads), plan.scratch_bytes_for_bytes(threads) + rows);
        }
        let given = plan.scratch_bytes_for_bytes(1);
        let (mut out, mut scratch) = (vec![-7; m * n], Scratch::of_bytes(given).unwrap());
        let mut run = |lhs: Lhs<'_>| {
            let view = MatrixMut::new(&mut out, m, n).unwrap();
            plan.run(lhs, &weights, &Store, view, &mut scratch, &Solo)
        };
        let error = run(Lhs::f32(Matrix::new(&floats, m, k).unwrap())).unwrap_err();
        assert_eq!(error, Error::Scratch { given, needed: plan.scratch_bytes(1) });
        run(Lhs::u8(Matrix::new(&bytes, m, k).unwrap(), 0)).unwrap();
        assert_eq!(out, vec![k as i32; m * n], "{isa}");

        let shape = Shape { m: usize::MAX, n: 0, k: 0 };
        let plan = Plan::new(shape, isa, recipe).unwrap();
        let none = PackedWeights::pack(Matrix::new(&[], 0, 0).unwrap()).unwrap();
        for (name, team) in teams() {
            let lhs = Lhs::f32(Matrix::new(&[], shape.m, 0).unwrap());
            let out: MatrixMut<'_, i32> = MatrixMut::new(&mut [], shape.m, 0).unwrap();
            let mut scratch = plan.scratch(2).unwrap();
            assert_eq!(plan.run(lhs, &none, &Store, out, &mut scratch, *team), Ok(()), "{name}");
        }
    });
}
