//! Runs a case and compares every element, every gap between rows and what lies beside them.

use crate::arena::{Arena, Arenas, CANARY};
use crate::case::{Case, LhsKind, OutputKind};
use crate::operands::{Operands, spread};
use bytemuck::Pod;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use std::fmt::Debug;
use tilewise::gemm::{Add, Bias, Clamp, Dequantise, Gelu, GeluTanh, Lhs, Output};
use tilewise::gemm::{Plan, Relu, Requantise, Scales, Shape, Store, reference};
use tilewise::{Matrix, MatrixMut};
use tilewise_tests::teams;

/// A product whose output is still to be chosen.
struct Ready<'a> {
    case: &'a Case,
    lhs: Lhs<'a>,
    operands: &'a Operands,
    out: &'a mut Arena,
}

impl Case {
    /// Runs it.
    ///
    /// # Panics
    /// At the first element that is not what it should be.
    pub(crate) fn run(&self, arenas: &mut Arenas) {
        let operands = &self.operands(&mut arenas.weights, &mut arenas.zeros);
        let Arenas { lhs, row_scales, column_scales, bias, residual, out, .. } = arenas;
        let lhs = self.lhs(operands, lhs).scaled(match self.scales_each[0] {
            true => Scales::Each(row_scales.put(&operands.row_scales[..self.shape.m], self.at_end)),
            false => Scales::All(operands.row_scales[0]),
        });
        let scales = match self.scales_each[1] {
            true => Scales::Each(
                column_scales.put(&operands.column_scales[..self.shape.n], self.at_end),
            ),
            false => Scales::All(operands.column_scales[0]),
        };
        let ready = Ready { case: self, lhs, operands, out };
        match self.output {
            OutputKind::Sums => ready.check(&Store, |sum, _, _| sum),
            OutputKind::Real => ready.check(&Dequantise { scales }, |sum, row, column| {
                meaning(self, operands, sum, row, column)
            }),
            _ => self.run_biased(ready, scales, (bias, residual)),
        }
    }

    /// Outputs with a bias and what follows it.
    fn run_biased(&self, ready: Ready<'_>, scales: Scales<'_>, rest: (&mut Arena, &mut Arena)) {
        let rng = &mut Pcg64Mcg::seed_from_u64(self.seed.rotate_left(32));
        let Shape { m, n, .. } = self.shape;
        let stride = n + self.gaps[3];
        let numbers: Vec<f32> = (0..n).map(|_| rng.random_range(-9.0..9.0)).collect();
        let whole: Vec<i32> = (0..n).map(|_| rng.random()).collect();
        let residual: Vec<f32> =
            (0..spread(m, n, self.gaps[3])).map(|_| rng.random_range(-5.0..5.0)).collect();
        let residual = &*rest.1.put(&residual, self.at_end);
        let add = Add(Matrix::with_stride(residual, m, n, stride).unwrap());
        let added = |row: usize, column: usize| residual[row * stride + column];
        let operands = ready.operands;
        let real = |sum, row, column| meaning(self, operands, sum, row, column);
        let dequantise = Dequantise { scales };
        if self.output == OutputKind::WholeBiasReluAdd {
            let bias = Bias(&*rest.0.put(&whole, self.at_end));
            return ready.check(&bias.then(dequantise).then(Relu).then(add), |sum, row, column| {
                real(sum.wrapping_add(whole[column]), row, column).max(0.0) + added(row, column)
            });
        }
        let output = dequantise.then(Bias(&*rest.0.put(&numbers, self.at_end)));
        let biased = |sum, row, column| real(sum, row, column) + numbers[column];
        let (scale, zero) = (0.07, self.zero_point);
        match self.output {
            OutputKind::GeluToI8 => {
                let to = Requantise { scale, zero_point: zero.cast_signed() };
                ready.check(&output.then(Gelu).then(add).then(to), |sum, row, column| {
                    let value = reference::gelu(biased(sum, row, column)) + added(row, column);
                    reference::requantise(value, scale, zero.cast_signed())
                });
            }
            OutputKind::GeluTanhClampToU8 => {
                let clamp = Clamp { low: -0.1, high: 9.0 };
                let to = Requantise { scale, zero_point: zero };
                ready.check(&output.then(GeluTanh).then(clamp).then(to), |sum, row, column| {
                    let value = reference::gelu_tanh(biased(sum, row, column)).clamp(-0.1, 9.0);
                    reference::requantise(value, scale, zero)
                });
            }
            _ => ready.check(&output, biased),
        }
    }

    fn lhs<'a>(&self, operands: &Operands, arena: &'a mut Arena) -> Lhs<'a> {
        let (Shape { m, k, .. }, zero) = (self.shape, self.zero_point);
        let (rows, columns) = if self.by_columns { (k, m) } else { (m, k) };
        let stride = columns + self.gaps[0];
        let lhs = match self.lhs {
            LhsKind::F32 => {
                let floats = arena.put(&operands.floats, self.at_end);
                Lhs::f32(Matrix::with_stride(floats, rows, columns, stride).unwrap())
            }
            LhsKind::U8 => {
                let bytes = arena.put(&operands.bytes, self.at_end);
                Lhs::u8(Matrix::with_stride(bytes, rows, columns, stride).unwrap(), zero)
            }
            LhsKind::I8 => {
                let bytes = bytemuck::cast_slice(arena.put(&operands.bytes, self.at_end));
                let zero = zero.cast_signed();
                Lhs::i8(Matrix::with_stride(bytes, rows, columns, stride).unwrap(), zero)
            }
        };
        if self.by_columns { lhs.transposed() } else { lhs }
    }
}

/// What a sum means.
fn meaning(case: &Case, operands: &Operands, sum: i32, row: usize, column: usize) -> f32 {
    let scale = operands.column_scales[if case.scales_each[1] { column } else { 0 }];
    reference::dequantise(sum, operands.row_factors[row], scale)
}

impl Ready<'_> {
    fn check<O>(self, output: &O, expected: impl Fn(i32, usize, usize) -> O::Element)
    where
        O: Output<Element: Pod + Debug + PartialEq>,
    {
        let Ready { case, lhs, operands, out } = self;
        let Shape { m, n, .. } = case.shape;
        // Lines are what lies together: rows, or columns.
        let (lines, len) = if case.out_by_columns { (n, m) } else { (m, n) };
        let stride = len + case.gaps[2];
        let mut untouched: Vec<O::Element> =
            vec![bytemuck::Zeroable::zeroed(); spread(lines, len, case.gaps[2])];
        bytemuck::cast_slice_mut(&mut untouched).fill(CANARY);
        let values = out.put(&untouched, case.at_end);
        let plan = Plan::new(case.shape, case.isa, case.recipe).unwrap();
        let mut scratch = plan.scratch(case.threads).unwrap();
        let view = MatrixMut::with_stride(values, lines, len, stride).unwrap();
        let (weights, team) = (&operands.packed, teams()[case.team].1);
        if case.out_by_columns {
            plan.run_transposed(lhs, weights, output, view, &mut scratch, team).unwrap();
        } else {
            plan.run(lhs, weights, output, view, &mut scratch, team).unwrap();
        }
        for line in 0..if len > 0 { lines } else { 0 } {
            for at in 0..len {
                let (row, column) = if case.out_by_columns { (at, line) } else { (line, at) };
                let expected = expected(operands.sums[row * n + column], row, column);
                let value = values[line * stride + at];
                let same = bytemuck::bytes_of(&value) == bytemuck::bytes_of(&expected);
                assert!(same, "{value:?}, not {expected:?}, at row {row}, column {column}");
            }
            let gap = line * stride + len..((line + 1) * stride).min(values.len());
            let gap: &[u8] = bytemuck::cast_slice(&values[gap]);
            assert!(gap.iter().all(|&byte| byte == CANARY), "wrote past the end of line {line}");
        }
        let bytes = size_of_val(values);
        assert!(out.is_clean_beside(bytes, case.at_end), "wrote outside the output");
    }
}
