//! INT8 GEMM equals three loops, bit for bit: on every instruction set, with every recipe, team,
//! stride and value.

use proptest::prelude::*;
use tilewise::cache::CacheSizes;
use tilewise::gemm::{self, Bias, Dequantise, Error, Lhs, Linear, Output, PackedWeights, Plan};
use tilewise::gemm::{Recipe, Scales, Scratch, Shape, Store, reference};
use tilewise::{Isa, Matrix, MatrixMut, Solo};
use tilewise_tests::{each_isa, guarded, teams};

/// Everything that may vary without varying the result, and the operands.
#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    /// Elements between rows of the left operand, the weights and the output.
    gaps: [usize; 3],
    signed: bool,
    zero_point: u8,
    /// None, one, or one for each column.
    weight_zero_points: Vec<i8>,
    lhs: Vec<u8>,
    weights: Vec<i8>,
    /// Numbers from which tile, blocks and split are chosen.
    recipe: [usize; 6],
    team: usize,
}

/// A size: mostly small, with 0, 1 and the neighbours of panels and tiles among them.
fn size(most: usize) -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), Just(1), 0..=most, prop::sample::select(vec![15, 16, 17, 31, 47, 64])]
}

/// Bytes: anything, or only the extremes.
fn bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
    let extremes = prop::sample::select(vec![0u8, 1, 127, 128, 129, 255]);
    prop_oneof![prop::collection::vec(any::<u8>(), len), prop::collection::vec(extremes, len)]
}

fn cases() -> impl Strategy<Value = Case> {
    let shapes = (size(40), size(90), size(90), prop::array::uniform3(0usize..5));
    shapes.prop_flat_map(|(m, n, k, gaps)| {
        let zero_points = prop_oneof![
            Just(vec![]),
            prop::collection::vec(any::<i8>(), 1),
            prop::collection::vec(any::<i8>(), n),
        ];
        let operands = (bytes(m * (k + gaps[0])), bytes(k * (n + gaps[1])), zero_points);
        let rest = (any::<bool>(), any::<u8>(), prop::array::uniform6(any::<usize>()), 0usize..9);
        (operands, rest).prop_map(move |((lhs, weights, zeros), (signed, zero, recipe, team))| {
            Case {
                shape: Shape { m, n, k },
                gaps,
                signed,
                zero_point: zero,
                weight_zero_points: zeros,
                lhs,
                weights: weights.into_iter().map(u8::cast_signed).collect(),
                recipe,
                team,
            }
        })
    })
}

/// The left operand as unsigned or signed bytes.
fn lhs(signed: bool, zero_point: u8, m: usize, k: usize, stride: usize, data: &[u8]) -> Lhs<'_> {
    if signed {
        let data = bytemuck::cast_slice(data);
        Lhs::i8(Matrix::with_stride(data, m, k, stride).unwrap(), zero_point.cast_signed())
    } else {
        Lhs::u8(Matrix::with_stride(data, m, k, stride).unwrap(), zero_point)
    }
}

impl Case {
    fn recipe(&self, isa: Isa) -> Recipe {
        let [tile, mc, kc, nc, rows, columns] = self.recipe;
        let mut recipe = Recipe::estimate(self.shape, isa, &CacheSizes::ASSUMED, 1);
        recipe.tile = gemm::tiles(isa)[tile % gemm::tiles(isa).len()];
        recipe.mc = 1 + mc % 50;
        recipe.kc = 1 + kc % 100;
        recipe.nc = 1 + nc % 100;
        recipe.split = gemm::Split { rows: 1 + rows % 4, columns: 1 + columns % 4 };
        recipe
    }

    fn expected(&self) -> Vec<i32> {
        let (Shape { m, n, k }, [lhs_gap, gap, _]) = (self.shape, self.gaps);
        let lhs = lhs(self.signed, self.zero_point, m, k, k + lhs_gap, &self.lhs);
        let weights = Matrix::with_stride(&self.weights, k, n, n + gap).unwrap();
        let mut out = vec![0; m * n];
        reference::multiply(lhs, weights, &self.weight_zero_points, &mut out);
        out
    }

    /// Runs on `isa` and compares, gaps of the output included.
    fn check(&self, isa: Isa, expected: &[i32]) {
        let (Shape { m, n, k }, [lhs_gap, gap, out_gap]) = (self.shape, self.gaps);
        let (data, weights) = (guarded(&self.lhs), guarded(&self.weights));
        let lhs = lhs(self.signed, self.zero_point, m, k, k + lhs_gap, &data);
        let weights = Matrix::with_stride(&weights, k, n, n + gap).unwrap();
        let mut weights = PackedWeights::pack(weights).unwrap();
        if !self.weight_zero_points.is_empty() {
            weights = weights.with_zero_points(&self.weight_zero_points).unwrap();
        }
        let plan = Plan::new(self.shape, isa, self.recipe(isa)).unwrap();
        let (name, team) = &teams()[self.team % teams().len()];
        let mut scratch = plan.scratch(1 + self.team % 3).unwrap();
        let stride = n + out_gap;
        // The last row ends where the memory does.
        let len = (m * stride).saturating_sub(if m > 0 { out_gap } else { 0 });
        let mut out = guarded(&vec![i32::MIN; len]);
        let view = MatrixMut::with_stride(&mut out, m, n, stride).unwrap();
        plan.run(lhs, &weights, &Store, view, &mut scratch, *team).unwrap();
        for (i, row) in out.chunks(stride.max(1)).enumerate() {
            assert_eq!(row[..n], expected[i * n..][..n], "row {i} on {isa} with {name}");
            assert!(row[n..].iter().all(|&gap| gap == i32::MIN), "wrote past row {i} on {isa}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_path_equals_three_loops(case in cases()) {
        let expected = case.expected();
        for isa in Isa::available() {
            case.check(isa, &expected);
        }
    }
}

/// Runs one product with an estimated recipe and gives the sums.
fn multiply(isa: Isa, lhs: Lhs<'_>, weights: Matrix<'_, i8>) -> Vec<i32> {
    let shape = Shape { m: lhs.rows(), n: weights.cols(), k: weights.rows() };
    let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let plan = Plan::new(shape, isa, recipe).unwrap();
    let weights = PackedWeights::pack(weights).unwrap();
    let mut out = vec![0; shape.m * shape.n];
    let view = MatrixMut::new(&mut out, shape.m, shape.n).unwrap();
    plan.run(lhs, &weights, &Store, view, &mut plan.scratch(1).unwrap(), &Solo).unwrap();
    out
}

/// Where a tile changes what it asks for on its way: every step is taken once, and no other.
#[test]
fn deep_tiles_take_every_step_once() {
    // Each byte differs from those around it, so that no step can stand for another.
    let byte = |at: usize| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8;
    for steps in [31, 32, 33, 63, 64, 65, 96, 97, 511, 512, 577] {
        let k = 4 * steps - steps % 3;
        for (m, n) in [(1, 64), (2, 33), (3, 64), (4, 64), (5, 17), (6, 64), (7, 48), (8, 48)] {
            let lhs: Vec<u8> = (0..m * k).map(byte).collect();
            let weights: Vec<i8> = (0..k * n).map(|at| byte(at + 77).cast_signed()).collect();
            let mut expected = vec![0i32; m * n];
            let (lhs, weights) = (
                Lhs::u8(Matrix::new(&lhs, m, k).unwrap(), 0),
                Matrix::new(&weights, k, n).unwrap(),
            );
            reference::multiply(lhs, weights, &[], &mut expected);
            each_isa(|isa| {
                assert!(multiply(isa, lhs, weights) == expected, "{m} x {k} x {n} on {isa}");
            });
        }
    }
}

#[test]
fn extremes_neither_saturate_nor_stop_wrapping() {
    each_isa(|isa| {
        // The last depths wrap: 255 * -128 more than 65793 times.
        for k in [1, 4, 1000, gemm::EXACT_DEPTH, 65_793, 65_794, 70_001] {
            for (a, b) in [(255u8, -128i8), (255, 127), (0, -128), (128, -128)] {
                let (lhs, weights) = (vec![a; k], vec![b; k]);
                let sums = multiply(
                    isa,
                    Lhs::u8(Matrix::new(&lhs, 1, k).unwrap(), 0),
                    Matrix::new(&weights, k, 1).unwrap(),
                );
                let exact = k as i64 * i64::from(a) * i64::from(b);
                assert_eq!(sums, [exact as i32], "{a} x {b}, depth {k}, {isa}");
                if k <= 65_793 {
                    assert_eq!(i64::from(sums[0]), exact, "no wrapping up to 65793");
                }
            }
        }
    });
}

#[test]
fn all_signed_bytes_times_all_weights() {
    let all: Vec<i8> = (i8::MIN..=i8::MAX).collect();
    each_isa(|isa| {
        for zero_point in [i8::MIN, -1, 0, i8::MAX] {
            let lhs = Lhs::i8(Matrix::new(&all, 256, 1).unwrap(), zero_point);
            let sums = multiply(isa, lhs, Matrix::new(&all, 1, 256).unwrap());
            for (i, &a) in all.iter().enumerate() {
                for (j, &b) in all.iter().enumerate() {
                    let expected = (i32::from(a) - i32::from(zero_point)) * i32::from(b);
                    assert_eq!(sums[i * 256 + j], expected, "{a} - {zero_point}, {b}, {isa}");
                }
            }
        }
    });
}

/// Each row less the zero point of its own, whichever way it is stored.
#[test]
fn rows_may_have_zero_points_of_their_own() {
    let (m, n, k) = (19, 35, 21);
    let bytes: Vec<u8> = (0..m * k).map(|i| (i * 37 % 256) as u8).collect();
    let columns: Vec<u8> = (0..m * k).map(|i| bytes[i % m * k + i / m]).collect();
    let points: Vec<u8> = (0..m).map(|i| (i * 53 % 256) as u8).collect();
    let weights: Vec<i8> = (0..k * n).map(|i| (i * 91 % 256) as u8 as i8).collect();
    let weights = Matrix::new(&weights, k, n).unwrap();
    let sums = |meant: fn(u8) -> i32| -> Vec<i32> {
        let sum = |at: usize| {
            let (row, column) = (at / n, at % n);
            let less = |d| meant(bytes[row * k + d]) - meant(points[row]);
            (0..k).map(|d| less(d) * i32::from(weights.row(d)[column])).sum()
        };
        (0..m * n).map(sum).collect()
    };
    let (unsigned, signed) = (sums(|byte| byte.into()), sums(|byte| byte.cast_signed().into()));
    let u8s = |bytes, rows, cols| Lhs::u8_rows(Matrix::new(bytes, rows, cols).unwrap(), &points);
    let points_i8 = bytemuck::cast_slice(&points);
    let i8s = |bytes, rows, cols| Lhs::i8_rows(Matrix::new(bytes, rows, cols).unwrap(), points_i8);
    let [bytes_i8, columns_i8] = [&bytes, &columns].map(|bytes| bytemuck::cast_slice(bytes));
    let all = [
        (u8s(&bytes, m, k), &unsigned),
        (u8s(&columns, k, m).transposed(), &unsigned),
        (i8s(bytes_i8, m, k), &signed),
        (i8s(columns_i8, k, m).transposed(), &signed),
    ];
    for (index, (lhs, expected)) in all.into_iter().enumerate() {
        let mut plain = vec![0; m * n];
        reference::multiply(lhs, weights, &[], &mut plain);
        assert_eq!(plain, *expected, "{index}, three loops");
        each_isa(|isa| assert_eq!(multiply(isa, lhs, weights), *expected, "{index} on {isa}"));
    }
}

#[test]
fn one_zero_point_of_the_reference_is_that_of_all_columns() {
    let multiply = |zeros: &[i8]| {
        let (lhs, mut out) = (Lhs::u8(Matrix::new(&[1, 2, 3, 4], 2, 2).unwrap(), 0), [0; 6]);
        let weights = Matrix::new(&[5, -6, 7, 8, 9, -10], 2, 3).unwrap();
        reference::multiply(lhs, weights, zeros, &mut out);
        out
    };
    assert_eq!(multiply(&[4]), multiply(&[4; 3]));
    assert_eq!(multiply(&[]), multiply(&[0]));
    assert_ne!(multiply(&[4]), multiply(&[]));
    for wrong in [2, 4] {
        assert!(std::panic::catch_unwind(|| multiply(&vec![4; wrong])).is_err(), "{wrong} of 3");
    }
}

#[test]
fn weights_without_columns_are_packed_at_once_whatever_their_depth() {
    let weights = PackedWeights::pack(Matrix::new(&[], usize::MAX, 0).unwrap()).unwrap();
    assert_eq!((weights.k(), weights.n()), (usize::MAX, 0));
}

#[test]
fn zero_sizes_mean_what_they_do_in_the_blas() {
    each_isa(|isa| {
        for (m, n, k) in [(0, 3, 4), (2, 0, 4), (0, 0, 0), (2, 3, 0)] {
            let shape = Shape { m, n, k };
            let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 2);
            let plan = Plan::new(shape, isa, recipe).unwrap();
            let weights = vec![1; k * n];
            let weights = PackedWeights::pack(Matrix::new(&weights, k, n).unwrap()).unwrap();
            let (lhs, bias, mut out) = (vec![1; m * k], vec![0.5; n], vec![f32::NAN; m * n]);
            let scales = Scales::All(1.0);
            let how = Dequantise { scales }.then(Bias(&bias));
            let lhs = Lhs::u8(Matrix::new(&lhs, m, k).unwrap(), 9);
            let view = MatrixMut::new(&mut out, m, n).unwrap();
            plan.run(lhs, &weights, &how, view, &mut plan.scratch(2).unwrap(), &Solo).unwrap();
            assert_eq!(out, vec![0.5; m * n], "{shape} on {isa}: the bias alone");
        }
    });
}

#[test]
fn bad_input_is_an_error_that_names_it() {
    let isa = Isa::Scalar;
    let shape = Shape { m: 2, n: 3, k: 4 };
    let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let plan = Plan::new(shape, isa, recipe).unwrap();
    let weights = PackedWeights::pack(Matrix::new(&[0; 12], 4, 3).unwrap()).unwrap();
    let run = |m: usize, k: usize, out: (usize, usize), scratch: &mut Scratch| {
        let (bytes, mut sums) = (vec![0; m * k], vec![0; out.0 * out.1]);
        let lhs = Lhs::u8(Matrix::new(&bytes, m, k).unwrap(), 0);
        let out = MatrixMut::new(&mut sums, out.0, out.1).unwrap();
        plan.run(lhs, &weights, &Store, out, scratch, &Solo).map_err(|error| error.to_string())
    };
    let mut scratch = plan.scratch(1).unwrap();
    assert_eq!(run(2, 4, (2, 3), &mut scratch), Ok(()));
    assert_eq!(run(1, 4, (1, 3), &mut scratch), Ok(()));
    let message = run(3, 4, (3, 3), &mut scratch).unwrap_err();
    assert_eq!(message, "the left operand has 3 rows and 4 columns; the plan is for m 2, n 3, k 4");
    assert!(run(2, 5, (2, 3), &mut scratch).unwrap_err().contains("left operand has 2 rows and 5"));
    assert!(run(2, 4, (2, 2), &mut scratch).unwrap_err().contains("output has 2 rows and 2"));
    assert!(run(2, 4, (1, 3), &mut scratch).unwrap_err().contains("output has 1 rows; the left"));

    let large = Shape { m: 200, ..shape };
    let estimate = Recipe::estimate(large, isa, &CacheSizes::ASSUMED, 1);
    let mut larger = Plan::new(large, isa, estimate).unwrap().scratch(1).unwrap();
    assert_eq!(run(2, 4, (2, 3), &mut larger), Ok(()), "scratch of a larger plan");

    let wrong = |change: &dyn Fn(&mut Recipe)| {
        let mut recipe = recipe;
        change(&mut recipe);
        Plan::new(shape, isa, recipe).unwrap_err()
    };
    assert_eq!(wrong(&|r| r.kc = 0), Error::ZeroInRecipe { name: "kc" });
    assert_eq!(wrong(&|r| r.split.columns = 0), Error::ZeroInRecipe { name: "split.columns" });
    assert!(wrong(&|r| r.tile.rows = 99).to_string().contains("no tile of 99x16; it has 4x16"));

    let oversized = Shape { m: usize::MAX / 2, n: 3, k: 4 };
    assert_eq!(Plan::new(oversized, isa, recipe), Err(Error::Oversized { shape: oversized }));
    let zeros = weights.clone().with_zero_points(&[1, 2]).unwrap_err().to_string();
    let message = "2 zero points of the weights; expected 3, one for each column, or one for all";
    assert_eq!(zeros, message);
    let bias = Linear::new(Matrix::new(&[0; 12], 4, 3).unwrap(), &[1.0], Some(&[1.0]));
    assert_eq!(bias.unwrap_err().to_string(), "1 biases; expected 3, one for each column");
    if let Some(missing) = Isa::ALL.into_iter().find(|isa| !isa.is_available()) {
        let message = Plan::new(shape, missing, recipe).unwrap_err().to_string();
        assert!(message.contains(missing.name()), "{message}");
    }
}

/// The stride of a single row says nothing, however large it is.
#[test]
fn one_row_may_have_any_stride() {
    // The last of three panels whole, and not.
    for (n, k) in [(48, 500), (40, 500)] {
        let (row, weights) = (vec![3u8; k], vec![-2i8; k * n]);
        let weights = PackedWeights::pack(Matrix::new(&weights, k, n).unwrap()).unwrap();
        each_isa(|isa| {
            let shape = Shape { m: 1, n, k };
            let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
            let plan = Plan::new(shape, isa, recipe).unwrap();
            let mut out = vec![0; n];
            let view = MatrixMut::with_stride(&mut out, 1, n, usize::MAX).unwrap();
            let lhs = Lhs::u8(Matrix::new(&row, 1, k).unwrap(), 0);
            plan.run(lhs, &weights, &Store, view, &mut plan.scratch(1).unwrap(), &Solo).unwrap();
            assert_eq!(out, vec![-6 * k as i32; n], "{isa}");
        });
    }
}
