//! What is made of the sums of a product equals formulas for one number, bit for bit: every stage,
//! of bytes and of floats, on every instruction set, with every recipe and team.

use bytemuck::Pod;
use proptest::prelude::*;
use std::fmt::Debug;
use tilewise::cache::CacheSizes;
use tilewise::gemm::reference;
use tilewise::gemm::{self, Add, Bias, Byte, Clamp, Dequantise, Gelu, GeluTanh, Lhs, Output};
use tilewise::gemm::{PackedWeights, Plan, Recipe, Relu, Requantise, Scales, Shape, Store};
use tilewise::{Isa, Matrix, MatrixMut, Solo};
use tilewise_tests::{Guarded, Same, each_isa, guarded, teams};

/// The operands of a product, what is known of its rows and columns, and how it is made.
#[derive(Clone, Debug)]
struct Case {
    shape: Shape,
    /// Elements between rows of the left operand, the residual and the output.
    gaps: [usize; 3],
    kind: Kind,
    lhs: Vec<f32>,
    weights: Vec<i8>,
    weight_zero_points: Vec<i8>,
    /// From which scales and biases are taken, one after the other.
    numbers: Vec<f32>,
    one_scale: [bool; 2],
    zero_point: u8,
    recipe: [usize; 6],
    team: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Unsigned,
    Signed,
    Floats,
}

/// Floats of all sizes; now and then what is none.
fn floats(len: usize) -> impl Strategy<Value = Vec<f32>> {
    let odd = prop::sample::select(vec![0.0, -0.0, 1e-40, -3e38, 3e38, f32::NAN, f32::INFINITY]);
    prop_oneof![
        prop::collection::vec(-3.0f32..3.0, len),
        prop::collection::vec(-0.2f32..100.0, len),
        prop::collection::vec(prop_oneof![99 => -1e3f32..1e3, 1 => odd], len),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let size = |most: usize| prop_oneof![Just(0), Just(1), 0..=most, Just(16), Just(17)];
    // Up to so many rows that weights are widened beforehand where they are.
    let shapes = (size(30), size(70), size(70), prop::array::uniform3(0usize..4));
    shapes.prop_flat_map(|(m, n, k, gaps)| {
        let kind = prop_oneof![Just(Kind::Unsigned), Just(Kind::Signed), Just(Kind::Floats)];
        let zeros = prop_oneof![Just(vec![]), prop::collection::vec(any::<i8>(), n)];
        let weights = prop::collection::vec(any::<i8>(), k * n);
        let operands = (kind, floats(m * (k + gaps[0])), weights, zeros);
        let numbers = prop::collection::vec(-0.1f32..0.1, 1..50);
        let rest = (numbers, any::<[bool; 2]>(), any::<u8>(), any::<[usize; 6]>(), 0usize..9);
        (operands, rest).prop_map(move |(operands, rest)| {
            let (kind, lhs, weights, weight_zero_points) = operands;
            let (numbers, one_scale, zero_point, recipe, team) = rest;
            Case {
                shape: Shape { m, n, k },
                gaps,
                kind,
                lhs,
                weights,
                weight_zero_points,
                numbers,
                one_scale,
                zero_point,
                recipe,
                team,
            }
        })
    })
}

impl Case {
    /// The left operand's storage: floats, and what some bytes they would saturate to.
    fn storage(&self) -> (Guarded<f32>, Guarded<u8>) {
        let bytes: Vec<u8> = self.lhs.iter().map(|&x| (x * 40.0) as i32 as u8).collect();
        (guarded(&self.lhs), guarded(&bytes))
    }

    fn lhs<'a>(
        &self,
        (floats, bytes): &'a (Guarded<f32>, Guarded<u8>),
        scales: Scales<'a>,
    ) -> Lhs<'a> {
        let (Shape { m, k, .. }, zero) = (self.shape, self.zero_point);
        let stride = k + self.gaps[0];
        let lhs = match self.kind {
            Kind::Unsigned => Lhs::u8(Matrix::with_stride(bytes, m, k, stride).unwrap(), zero),
            Kind::Signed => {
                let bytes = bytemuck::cast_slice(bytes);
                Lhs::i8(Matrix::with_stride(bytes, m, k, stride).unwrap(), zero.cast_signed())
            }
            Kind::Floats => Lhs::f32(Matrix::with_stride(floats, m, k, stride).unwrap()),
        };
        lhs.scaled(scales)
    }

    /// The scale of a row as the stages see it.
    fn row_scale(&self, row: usize) -> f32 {
        let scale = if self.one_scale[0] { self.number(0) } else { self.number(row) };
        match self.kind {
            Kind::Floats => {
                let values = &self.lhs[row * (self.shape.k + self.gaps[0])..][..self.shape.k];
                reference::quantise(values, &mut vec![0; values.len()]).0 * scale
            }
            _ => scale,
        }
    }

    fn column_scale(&self, column: usize) -> f32 {
        self.number(if self.one_scale[1] { 3 } else { 7 + column })
    }

    fn number(&self, index: usize) -> f32 {
        self.numbers[index % self.numbers.len()]
    }

    fn sums(&self) -> Vec<i32> {
        let Shape { m, n, k } = self.shape;
        let (storage, mut sums) = (self.storage(), vec![0; m * n]);
        let weights = Matrix::new(&self.weights, k, n).unwrap();
        let lhs = self.lhs(&storage, Scales::All(1.0));
        reference::multiply(lhs, weights, &self.weight_zero_points, &mut sums);
        sums
    }

    fn recipe(&self, isa: Isa) -> Recipe {
        let [tile, mc, kc, nc, rows, columns] = self.recipe;
        let mut recipe = Recipe::estimate(self.shape, isa, &CacheSizes::ASSUMED, 1);
        recipe.tile = gemm::tiles(isa)[tile % gemm::tiles(isa).len()];
        (recipe.mc, recipe.kc, recipe.nc) = (1 + mc % 30, 1 + kc % 80, 1 + nc % 80);
        recipe.split = gemm::Split { rows: 1 + rows % 4, columns: 1 + columns % 4 };
        recipe
    }

    /// Writes `output` on every instruction set and compares each element, and what lies between
    /// rows, with `expected` of its sum, row and column.
    fn check<O>(&self, output: &O, expected: impl Fn(i32, usize, usize) -> O::Element)
    where
        O: Output<Element: Same>,
    {
        let Shape { m, n, k } = self.shape;
        let (sums, storage) = (self.sums(), self.storage());
        let row_scales: Vec<f32> = (0..m).map(|row| self.number(row)).collect();
        let row_scales = guarded(&row_scales);
        let scales = match self.one_scale[0] {
            true => Scales::All(self.number(0)),
            false => Scales::Each(&row_scales),
        };
        let weights = PackedWeights::pack(Matrix::new(&self.weights, k, n).unwrap()).unwrap();
        let weights = match self.weight_zero_points.is_empty() {
            true => weights,
            false => weights.with_zero_points(&self.weight_zero_points).unwrap(),
        };
        let stride = n + self.gaps[2];
        let filler: O::Element = bytemuck::Zeroable::zeroed();
        for isa in Isa::available() {
            let plan = Plan::new(self.shape, isa, self.recipe(isa)).unwrap();
            let (name, team) = &teams()[self.team % teams().len()];
            let mut scratch = plan.scratch(1 + self.team % 3).unwrap();
            let mut out = guarded(&vec![filler; m.max(1) * stride - self.gaps[2]]);
            let view = MatrixMut::with_stride(&mut out, m, n, stride).unwrap();
            plan.run(self.lhs(&storage, scales), &weights, output, view, &mut scratch, *team)
                .unwrap();
            for (row, values) in out.chunks(stride.max(1)).take(m).enumerate() {
                for (column, &value) in values.iter().enumerate() {
                    let expected = match column < n {
                        true => expected(sums[row * n + column], row, column),
                        false => filler,
                    };
                    assert!(
                        value.same(expected),
                        "{value:?}, not {expected:?}, at {row}, {column} on {isa} with {name}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn stages_follow_their_formulas(case in cases()) {
        let Shape { m, n, .. } = case.shape;
        let scales = guarded(&(0..n).map(|c| case.column_scale(c)).collect::<Vec<_>>());
        let scales = match case.one_scale[1] {
            true => Scales::All(case.column_scale(0)),
            false => Scales::Each(&scales),
        };
        let bias = guarded(&(0..n).map(|c| case.number(c) * 10.0).collect::<Vec<_>>());
        let whole = guarded(&(0..n as i32).map(|c| c.wrapping_mul(-0x7654_3210)).collect::<Vec<_>>());
        let stride = n + case.gaps[1];
        let residual: Vec<f32> = (0..m.max(1) * stride - case.gaps[1]).map(|i| case.number(i)).collect();
        let residual = guarded(&residual);
        let added = |row: usize, column: usize| residual[row * stride + column];
        let real_residual = Add(Matrix::with_stride(&residual, m, n, stride).unwrap());
        let sums: Vec<i32> = residual.iter().map(|x| x.to_bits().cast_signed()).collect();
        let sums = guarded(&sums);
        let whole_residual = Add(Matrix::with_stride(&sums, m, n, stride).unwrap());
        let real = |sum, row, column| {
            reference::dequantise(sum, case.row_scale(row), case.column_scale(column))
        };

        case.check(&Store, |sum, _, _| sum);
        case.check(&Bias(&whole), |sum, _, column| sum.wrapping_add(whole[column]));
        case.check(&Bias(&whole).then(whole_residual), |sum, row, column| {
            sum.wrapping_add(whole[column]).wrapping_add(sums[row * stride + column])
        });
        case.check(&Dequantise { scales }, real);
        case.check(
            &Bias(&whole).then(Dequantise { scales }).then(Relu).then(real_residual),
            |sum, row, column| {
                let x = real(sum.wrapping_add(whole[column]), row, column);
                (if x.is_nan() { x } else { x.max(0.0) }) + added(row, column)
            },
        );
        let to_signed = Requantise { scale: 0.013, zero_point: case.zero_point.cast_signed() };
        case.check(
            &Dequantise { scales }.then(Bias(&bias)).then(Gelu).then(real_residual).then(to_signed),
            |sum, row, column| {
                let x = reference::gelu(real(sum, row, column) + bias[column]);
                reference::requantise(x + added(row, column), 0.013, to_signed.zero_point)
            },
        );
        let to_unsigned = Requantise { scale: 0.5, zero_point: case.zero_point };
        case.check(
            &Dequantise { scales }.then(GeluTanh).then(Clamp { low: -0.1, high: 90.0 }).then(to_unsigned),
            |sum, row, column| {
                let x = reference::gelu_tanh(real(sum, row, column));
                let x = if x.is_nan() { x } else { x.clamp(-0.1, 90.0) };
                reference::requantise(x, 0.5, case.zero_point)
            },
        );
    }
}

/// Puts numbers through a stage: biases of a product without depth.
fn through<O: Output<f32, Element: Pod>>(isa: Isa, stage: O, numbers: &[f32]) -> Vec<O::Element> {
    let shape = Shape { m: 1, n: numbers.len(), k: 0 };
    let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let plan = Plan::new(shape, isa, recipe).unwrap();
    let weights = PackedWeights::pack(Matrix::new(&[], 0, shape.n).unwrap()).unwrap();
    let output = Dequantise { scales: Scales::All(1.0) }.then(Bias(numbers)).then(stage);
    let mut out = vec![bytemuck::Zeroable::zeroed(); shape.n];
    let view = MatrixMut::new(&mut out, 1, shape.n).unwrap();
    let lhs = Lhs::u8(Matrix::new(&[], 1, 0).unwrap(), 0);
    plan.run(lhs, &weights, &output, view, &mut plan.scratch(1).unwrap(), &Solo).unwrap();
    out
}

/// Every `step`th float between -`most` and `most`, and some special ones.
fn sweep(most: f32, step: usize) -> Vec<f32> {
    let positive = (0..=most.to_bits()).step_by(step).map(f32::from_bits);
    let far = [most, 50.0, 1e10, f32::MAX, f32::INFINITY, f32::MIN_POSITIVE];
    positive.chain(far).flat_map(|x| [x, -x]).collect()
}

fn gelu_by_erf(x: f64) -> f64 {
    0.5 * x * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2)
}

fn gelu_by_tanh(x: f64) -> f64 {
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
    x / (1.0 + (-2.0 * inner).exp())
}

#[test]
fn gelu_is_within_a_millionth() {
    let numbers = sweep(20.0, 331);
    each_isa(|isa| {
        let found = [through(isa, Gelu, &numbers), through(isa, GeluTanh, &numbers)];
        for (i, &x) in numbers.iter().enumerate() {
            let by_erf = (found[0][i], reference::gelu(x), gelu_by_erf(x.into()));
            let by_tanh = (found[1][i], reference::gelu_tanh(x), gelu_by_tanh(x.into()));
            for (found, plain, exact) in [by_erf, by_tanh] {
                assert_eq!(found.to_bits(), plain.to_bits(), "{x} on {isa}");
                let exact = if x == f32::NEG_INFINITY { 0.0 } else { exact };
                let error = (f64::from(found) - exact).abs();
                assert!(f64::from(found) == exact || error <= 1e-6, "{x}: {found}, not {exact}");
            }
        }
        assert!(through(isa, Gelu, &[f32::NAN])[0].is_nan());
        assert!(through(isa, GeluTanh, &[f32::NAN])[0].is_nan());
    });
}

/// Requantises on every instruction set and compares with the formula.
fn requantised<B: Byte + Pod + Debug + PartialEq>(
    scale: f32,
    zero_point: B,
    numbers: &[f32],
) -> Vec<B> {
    let plain: Vec<B> =
        numbers.iter().map(|&x| reference::requantise(x, scale, zero_point)).collect();
    each_isa(|isa| {
        assert_eq!(through(isa, Requantise { scale, zero_point }, numbers), plain, "{isa}");
    });
    plain
}

/// GELU as the documentation of its stages computes it.
fn documented(x: f32, end: f32, r: &[f32]) -> f32 {
    let a = x.abs().min(end);
    let (last, rest) = r.split_last().unwrap();
    let t = rest.iter().rev().fold(*last, |t, r| t * a + r);
    let t = (0..4).fold(t, |t, _| t * t);
    (if x > 0.0 { x } else { 0.0 }) - t * a
}

#[test]
fn gelu_is_computed_as_documented_on_every_instruction_set() {
    let erf = [0.9576057, -0.04777997, -0.01776691, -0.0013964656, 0.000692321, -4.5531808e-05];
    let tanh = [
        0.95760345,
        -0.04775306,
        -0.017877031,
        -0.0011277597,
        0.00043357056,
        0.00018192457,
        -0.000122003694,
        2.5565103e-05,
        -1.8368269e-06,
    ];
    let far = [f32::MIN, f32::NEG_INFINITY, f32::INFINITY, f32::MAX, 0.0, 5.2, 5.3, -5.3, 1e-40];
    for numbers in [&far[..], &sweep(8.0, 98_317)] {
        let expected = |end, r: &[f32]| {
            numbers.iter().map(|&x| documented(x, end, r).to_bits()).collect::<Vec<_>>()
        };
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        each_isa(|isa| {
            assert!(bits(through(isa, Gelu, numbers)) == expected(5.3, &erf), "{isa}");
            assert!(bits(through(isa, GeluTanh, numbers)) == expected(5.2, &tanh), "tanh, {isa}");
        });
    }
}

#[test]
fn a_range_without_numbers_is_refused() {
    let ranges = [(1.0, 0.5), (f32::NAN, 1.0), (0.0, f32::NAN), (f32::INFINITY, 0.0)];
    for (low, high) in ranges {
        let clamp = Dequantise { scales: Scales::All(1.0) }.then(Clamp { low, high });
        let error = clamp.check(Shape { m: 1, n: 1, k: 1 }).unwrap_err().to_string();
        assert!(error.starts_with(&format!("clamp from {low} to {high}; give a low")), "{error}");
    }
    let all = Clamp { low: f32::NEG_INFINITY, high: f32::INFINITY };
    assert_eq!(all.check(Shape { m: 1, n: 1, k: 1 }), Ok(()));
}

#[test]
fn ties_go_to_even_then_bytes_saturate() {
    let ties = [-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5, 126.5, 127.5, 254.5, 255.5];
    assert_eq!(requantised(1.0, 0u8, &ties), [0, 0, 0, 0, 0, 2, 2, 126, 128, 254, 255]);
    // Rounded before an odd zero point is added.
    assert_eq!(requantised(1.0, 1u8, &ties), [0, 0, 1, 1, 1, 3, 3, 127, 129, 255, 255]);
    assert_eq!(requantised(1.0, 0i8, &ties), [-2, -2, 0, 0, 0, 2, 2, 126, 127, 127, 127]);
    let far = [f32::MIN, f32::NEG_INFINITY, -1e9, 1e9, f32::INFINITY, f32::MAX, f32::NAN];
    for zero_point in [0u8, 7, 128, 255] {
        assert_eq!(requantised(0.3, zero_point, &far), [0, 0, 0, 255, 255, 255, 0]);
        requantised(0.3, zero_point, &sweep(200.0, 98_317));
    }
    for zero_point in [-128i8, -1, 0, 127] {
        assert_eq!(requantised(1e-3, zero_point, &far), [-128, -128, -128, 127, 127, 127, -128]);
        requantised(0.011, zero_point, &sweep(2.0, 98_317));
    }
}
