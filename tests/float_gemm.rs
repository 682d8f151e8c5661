//! Products of floats: the bits are those of three plain loops whose sums run over the depth in
//! order, with every recipe and team, and what does not fit is named.

use tilewise::cache::CacheSizes;
use tilewise::gemm::{
    Add, Bias, Error, FloatPlan, Gelu, Output, PackedFloats, Shape, Split, Store, tiles,
};
use tilewise::{Isa, Matrix, MatrixMut, Solo};
use tilewise_tests::{each_isa, teams};

/// Numbers whose sums are not exact.
fn values(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed) % 1009) as f32 / 97.0 - 5.0).collect()
}

/// Element by element over the depth in order, fused where the instruction set is.
fn plain(isa: Isa, lhs: &[f32], rhs: &[f32], Shape { m, n, k }: Shape) -> Vec<f32> {
    let sum = |i: usize| {
        let products = (0..k).map(|d| (lhs[i / n * k + d], rhs[d * n + i % n]));
        products.fold(0.0f32, |sum, (a, b)| match isa {
            Isa::Scalar => sum + a * b,
            _ => a.mul_add(b, sum),
        })
    };
    (0..m * n).map(sum).collect()
}

const SHAPES: [Shape; 8] = [
    Shape { m: 1, n: 1, k: 1 },
    Shape { m: 13, n: 75, k: 29 },
    Shape { m: 7, n: 16, k: 3 },
    Shape { m: 33, n: 17, k: 130 },
    Shape { m: 1, n: 100, k: 64 },
    Shape { m: 5, n: 31, k: 0 },
    Shape { m: 0, n: 5, k: 5 },
    Shape { m: 5, n: 0, k: 5 },
];

#[test]
fn bits_are_those_of_plain_loops_whatever_recipe_and_team() {
    each_isa(|isa| {
        for shape @ Shape { m, n, k } in SHAPES {
            let (lhs, rhs) = (values(m * k, 1), values(k * n, 2));
            let columns: Vec<f32> = (0..n * k).map(|i| rhs[i % k * n + i / k]).collect();
            let expected = plain(isa, &lhs, &rhs, shape);
            let packed = [
                PackedFloats::pack(Matrix::new(&rhs, k, n).unwrap()).unwrap(),
                PackedFloats::pack_transposed(Matrix::new(&columns, n, k).unwrap()).unwrap(),
            ];
            for (index, &tile) in tiles(isa).iter().enumerate() {
                let threads = 1 + index % 4;
                let caches = CacheSizes::ASSUMED;
                let mut recipe = FloatPlan::estimate(shape, isa, &caches, threads);
                recipe.tile = tile;
                if index % 3 > 0 {
                    (recipe.mc, recipe.kc, recipe.nc) = (4 + index, 7 * index, 48);
                    recipe.split = Split { rows: 1 + index % 2, columns: 2 };
                }
                if index % 3 == 2 {
                    // As many parts as there are rows and panels.
                    recipe.split = Split { rows: usize::MAX, columns: usize::MAX };
                }
                let plan = FloatPlan::new(shape, isa, recipe).unwrap();
                for (name, team) in teams() {
                    let mut scratch = plan.scratch(team.size()).unwrap();
                    let mut out = vec![f32::NAN; m * (n + 3)];
                    let to = MatrixMut::with_stride(&mut out, m, n, n + 3).unwrap();
                    let lhs = Matrix::new(&lhs, m, k).unwrap();
                    plan.run(lhs, &packed[index % 2], &Store, to, &mut scratch, *team).unwrap();
                    for (row, expected) in out.chunks(n + 3).zip(expected.chunks(n.max(1))) {
                        assert_eq!(row[..n], *expected, "{shape} on {isa}, {recipe}, {name}");
                        assert!(row[n..].iter().all(|gap| gap.is_nan()), "wrote between rows");
                    }
                }
            }
        }
    });
}

#[test]
fn stages_follow_the_sums() {
    each_isa(|isa| {
        let shape @ Shape { m, n, k } = Shape { m: 9, n: 37, k: 20 };
        let (lhs, rhs) = (values(m * k, 3), values(k * n, 4));
        let (bias, residual) = (values(n, 5), values(m * n, 6));
        let weights = PackedFloats::pack(Matrix::new(&rhs, k, n).unwrap()).unwrap();
        let recipe = FloatPlan::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
        let plan = FloatPlan::new(shape, isa, recipe).unwrap();
        let residual_rows = Matrix::new(&residual, m, n).unwrap();
        let mut out = vec![0.0; m * n];
        let output = Bias(&bias).then(Add(residual_rows)).then(Gelu);
        let to = MatrixMut::new(&mut out, m, n).unwrap();
        let lhs_rows = Matrix::new(&lhs, m, k).unwrap();
        plan.run(lhs_rows, &weights, &output, to, &mut plan.scratch(1).unwrap(), &Solo).unwrap();
        for (i, sum) in plain(isa, &lhs, &rhs, shape).into_iter().enumerate() {
            let x = f64::from(sum + bias[i % n] + residual[i]);
            let gelu = x * (1.0 + libm::erf(x / 2f64.sqrt())) / 2.0;
            // The stage's own bound, and the rounding of its difference.
            let bound = 1e-6 + x.abs() * f64::from(f32::EPSILON);
            assert!((f64::from(out[i]) - gelu).abs() <= bound, "{x} on {isa}");
        }
    });
}

#[test]
fn what_does_not_fit_is_named() {
    let shape = Shape { m: 4, n: 8, k: 3 };
    let recipe = FloatPlan::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 1);
    let plan = FloatPlan::new(shape, Isa::Scalar, recipe).unwrap();
    let numbers = [0.0; 64];
    let run = |rows: usize, depth: usize, columns: usize, weights: (usize, usize)| {
        let weights = Matrix::new(&numbers, weights.0, weights.1).unwrap();
        let mut out = [7.0; 64];
        let result = plan.run(
            Matrix::new(&numbers, rows, depth).unwrap(),
            &PackedFloats::pack(weights).unwrap(),
            &Store,
            MatrixMut::new(&mut out, 4, columns).unwrap(),
            &mut plan.scratch(1).unwrap(),
            &Solo,
        );
        assert!(result.is_ok() || out == [7.0; 64], "wrote in spite of {result:?}");
        result
    };
    assert_eq!(run(4, 3, 8, (3, 8)), Ok(()));
    assert!(matches!(run(5, 3, 8, (3, 8)), Err(Error::Mismatch { what: "the left operand", .. })));
    assert!(matches!(run(4, 2, 8, (3, 8)), Err(Error::Mismatch { .. })));
    assert!(matches!(run(4, 3, 8, (3, 7)), Err(Error::Mismatch { .. })));
    assert!(matches!(run(4, 3, 9, (3, 8)), Err(Error::Mismatch { what: "the output", .. })));
    assert_eq!(run(3, 3, 8, (3, 8)), Err(Error::OutputRows { given: 4, expected: 3 }));
    let mut other = recipe;
    other.kc = 0;
    let zero = FloatPlan::new(shape, Isa::Scalar, other);
    assert!(matches!(zero, Err(Error::ZeroInRecipe { name: "kc" })));
}
