//! Runs a case and compares every element, every gap between rows and what lies beside them.

use crate::arena::{Arena, Arenas, CANARY};
use crate::case::{Case, LhsKind, OutputKind, Way};
use crate::operands::{Operands, spread};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::gemm::{Add, Bias, Clamp, Dequantise, Gelu, GeluTanh, Item, Lhs, Linear, Output};
use tilewise::gemm::{Plan, Relu, Requantise, Scales, Scratch, Shape, Store, reference};
use tilewise::isa::{Scalar, Token};
use tilewise::matrix::{StackMut, Strides};
use tilewise::{Matrix, MatrixMut};
use tilewise_tests::{Same, teams};

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
        let Arenas { lhs, points, row_scales, column_scales, bias, residual, out, .. } = arenas;
        let lhs = self.lhs(operands, lhs, points).scaled(match self.scales_each[0] {
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
            OutputKind::WholeBiasAdd | OutputKind::WholeBiasReluAdd => {
                self.run_whole(ready, scales, (bias, residual));
            }
            _ => self.run_layer(ready, scales, (bias, residual)),
        }
    }

    /// Numbers from the seed that do not go with those of the operands.
    fn more(&self) -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(self.seed.rotate_left(32))
    }

    /// Outputs with a bias of the sums, and a residual.
    fn run_whole(&self, ready: Ready<'_>, scales: Scales<'_>, rest: (&mut Arena, &mut Arena)) {
        let (rng, Shape { m, n, .. }) = (&mut self.more(), self.shape);
        let stride = n + self.gaps[3];
        let whole: Vec<i32> = (0..n).map(|_| rng.random()).collect();
        let bias = Bias(&*rest.0.put(&whole, self.at_end));
        if self.output == OutputKind::WholeBiasAdd {
            let sums: Vec<i32> = (0..spread(m, n, self.gaps[3])).map(|_| rng.random()).collect();
            let sums = &*rest.1.put(&sums, self.at_end);
            let add = Add(Matrix::with_stride(sums, m, n, stride).unwrap());
            return ready.check(&bias.then(add), |sum, row, column| {
                sum.wrapping_add(whole[column]).wrapping_add(sums[row * stride + column])
            });
        }
        let residual = &*rest.1.put(&self.residual(rng), self.at_end);
        let add = Add(Matrix::with_stride(residual, m, n, stride).unwrap());
        let (operands, dequantise) = (ready.operands, Dequantise { scales });
        ready.check(&bias.then(dequantise).then(Relu).then(add), |sum, row, column| {
            let x = meaning(self, operands, sum.wrapping_add(whole[column]), row, column);
            (if x <= 0.0 { 0.0 } else { x }) + residual[row * stride + column]
        });
    }

    fn residual(&self, rng: &mut Pcg64Mcg) -> Vec<f32> {
        let Shape { m, n, .. } = self.shape;
        (0..spread(m, n, self.gaps[3])).map(|_| rng.random_range(-5.0..5.0)).collect()
    }

    /// Outputs with a bias of real numbers and what follows it.
    fn run_layer(&self, ready: Ready<'_>, scales: Scales<'_>, rest: (&mut Arena, &mut Arena)) {
        let (rng, Shape { m, n, .. }) = (&mut self.more(), self.shape);
        let stride = n + self.gaps[3];
        let bias: Vec<f32> = (0..n).map(|_| rng.random_range(-9.0..9.0)).collect();
        let residual = &*rest.1.put(&self.residual(rng), self.at_end);
        let add = Add(Matrix::with_stride(residual, m, n, stride).unwrap());
        let added = |row: usize, column: usize| residual[row * stride + column];
        let (operands, layer) = (ready.operands, (scales, &*rest.0.put(&bias, self.at_end)));
        let biased = |sum, row, column| meaning(self, operands, sum, row, column) + bias[column];
        let (scale, zero) = (self.scale, self.zero_point);
        match self.output {
            OutputKind::GeluToI8 => {
                let to = Requantise { scale, zero_point: zero.cast_signed() };
                ready.check_layer(layer, Gelu.then(add).then(to), |sum, row, column| {
                    let value = reference::gelu(biased(sum, row, column)) + added(row, column);
                    reference::requantise(value, scale, zero.cast_signed())
                });
            }
            OutputKind::GeluTanhClampToU8 => {
                let (clamp, to) =
                    (Clamp { low: -0.1, high: 9.0 }, Requantise { scale, zero_point: zero });
                ready.check_layer(layer, GeluTanh.then(clamp).then(to), |sum, row, column| {
                    let value = reference::gelu_tanh(biased(sum, row, column)).clamp(-0.1, 9.0);
                    reference::requantise(value, scale, zero)
                });
            }
            OutputKind::RealBiasRelu => ready.check_layer(layer, Relu, |sum, row, column| {
                let value = biased(sum, row, column);
                if value <= 0.0 { 0.0 } else { value }
            }),
            OutputKind::RealBiasGelu => ready.check_layer(layer, Gelu, |sum, row, column| {
                reference::gelu(biased(sum, row, column))
            }),
            OutputKind::RealBiasGeluTanh => {
                ready.check_layer(layer, GeluTanh, |sum, row, column| {
                    reference::gelu_tanh(biased(sum, row, column))
                })
            }
            _ => ready.check_layer(layer, Store, biased),
        }
    }

    fn lhs<'a>(&self, operands: &Operands, arena: &'a mut Arena, points: &'a mut Arena) -> Lhs<'a> {
        let (Shape { m, k, .. }, zero) = (self.shape, self.zero_point);
        let (rows, columns) = if self.by_columns { (k, m) } else { (m, k) };
        let stride = columns + self.gaps[0];
        let points = &*points.put(&operands.points, self.at_end);
        let lhs = match self.lhs {
            LhsKind::F32 => {
                let floats = arena.put(&operands.floats, self.at_end);
                Lhs::f32(Matrix::with_stride(floats, rows, columns, stride).unwrap())
            }
            LhsKind::U8 => {
                let bytes = arena.put(&operands.bytes, self.at_end);
                let bytes = Matrix::with_stride(bytes, rows, columns, stride).unwrap();
                if self.points_each { Lhs::u8_rows(bytes, points) } else { Lhs::u8(bytes, zero) }
            }
            LhsKind::I8 => {
                let bytes = bytemuck::cast_slice(arena.put(&operands.bytes, self.at_end));
                let bytes = Matrix::with_stride(bytes, rows, columns, stride).unwrap();
                match self.points_each {
                    true => Lhs::i8_rows(bytes, bytemuck::cast_slice(points)),
                    false => Lhs::i8(bytes, zero.cast_signed()),
                }
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

/// Where the elements of an output stand: lines are what lies together, rows or columns.
#[derive(Clone, Copy)]
struct Place {
    /// Matrices behind each other.
    count: usize,
    lines: usize,
    len: usize,
    stride: usize,
}

impl Ready<'_> {
    /// With what follows real numbers and a bias: through the front door or not.
    fn check_layer<O>(
        self,
        (scales, bias): (Scales<'_>, &[f32]),
        next: O,
        expected: impl Fn(i32, usize, usize) -> O::Element,
    ) where
        O: Output<f32, Element: Same> + Copy,
    {
        if self.case.way != Way::Layer {
            let output = Dequantise { scales }.then(Bias(bias)).then(next);
            return self.check(&output, expected);
        }
        let (case, lhs, weights) = (self.case, self.lhs, self.operands.packed.clone());
        let one;
        let scales: &[f32] = match scales {
            Scales::Each(scales) => scales,
            Scales::All(scale) => {
                one = [scale];
                &one
            }
        };
        let layer = Linear::new(weights, scales, Some(bias)).unwrap().on(case.isa).unwrap();
        let rows = case.planned().m;
        let mut scratch = match case.tight {
            true => Scratch::of_bytes(layer.scratch_bytes_for_bytes(rows, case.threads).unwrap()),
            false => layer.scratch(rows, case.threads),
        }
        .unwrap();
        self.compare(expected, |values, Place { lines, len, stride, .. }| {
            let view = MatrixMut::with_stride(values, lines, len, stride).unwrap();
            layer.run_then(lhs, next, view, &mut scratch, teams()[case.team].1).unwrap();
        });
    }

    /// With any output.
    fn check<O>(self, output: &O, expected: impl Fn(i32, usize, usize) -> O::Element)
    where
        O: Output<Element: Same> + Copy,
    {
        let (case, lhs, weights) = (self.case, self.lhs, &self.operands.packed);
        let (plan, team) =
            (Plan::new(case.planned(), case.isa, case.recipe).unwrap(), teams()[case.team].1);
        let room = |for_bytes: usize, for_all: usize| {
            Scratch::of_bytes(if case.tight { for_bytes } else { for_all }).unwrap()
        };
        let threads = case.threads;
        self.compare(expected, |values, Place { count, lines, len, stride }| {
            if let Way::Batch(_) = case.way {
                let items = vec![Item { lhs, weights, output: *output }; count];
                let strides = Strides { row: stride, matrix: lines * stride };
                let stack = StackMut::with_strides(values, count, [lines, len], strides).unwrap();
                let for_bytes = plan.batch_scratch_bytes_for_bytes(threads);
                let scratch = &mut room(for_bytes, plan.batch_scratch_bytes(threads));
                return match case.out_by_columns {
                    true => plan.run_batch_transposed(&items, stack, scratch, team).unwrap(),
                    false => plan.run_batch(&items, stack, scratch, team).unwrap(),
                };
            }
            let view = MatrixMut::with_stride(values, lines, len, stride).unwrap();
            if case.way == Way::Backend {
                let backend = plan.on(Scalar::detect().unwrap()).unwrap();
                let for_bytes = backend.scratch_bytes_for_bytes(threads);
                let scratch = &mut room(for_bytes, backend.scratch_bytes(threads));
                return backend.run(lhs, weights, output, view, scratch, team).unwrap();
            }
            let for_bytes = plan.scratch_bytes_for_bytes(threads);
            let scratch = &mut room(for_bytes, plan.scratch_bytes(threads));
            match case.out_by_columns {
                true => plan.run_transposed(lhs, weights, output, view, scratch, team).unwrap(),
                false => plan.run(lhs, weights, output, view, scratch, team).unwrap(),
            }
        });
    }

    /// Compares what `write` writes to guarded memory.
    fn compare<E: Same>(
        self,
        expected: impl Fn(i32, usize, usize) -> E,
        write: impl FnOnce(&mut [E], Place),
    ) {
        let Ready { case, operands, out, .. } = self;
        let Shape { m, n, .. } = case.shape;
        let (lines, len) = if case.out_by_columns { (n, m) } else { (m, n) };
        let (count, gap) = (if let Way::Batch(count) = case.way { count } else { 1 }, case.gaps[2]);
        let stride = len + gap;
        let mut untouched: Vec<E> =
            vec![bytemuck::Zeroable::zeroed(); spread(count * lines, len, gap)];
        bytemuck::cast_slice_mut(&mut untouched).fill(CANARY);
        let values = out.put(&untouched, case.at_end);
        write(values, Place { count, lines, len, stride });
        for line in 0..if len > 0 { count * lines } else { 0 } {
            for at in 0..len {
                let [row, column] =
                    if case.out_by_columns { [at, line % lines] } else { [line % lines, at] };
                let expected = expected(operands.sums[row * n + column], row, column);
                let value = values[line * stride + at];
                let same = value.same(expected);
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
