//! A linear layer for the plain code, of floats or of bytes: its weights in the layout of every order.
//! Rows become bytes by code of the build that multiplies them, inside the clock, as ours do.

use super::super::abi::{Linear, LinearBytes, Quantise, STRIP, Slice};
use super::super::builds::Build;
use super::{Affine, Order};
use crate::bert::Error;
use tilewise::Matrix;
use tilewise::gemm::{Fit, PackedWeights};

/// Weights, their bias, and how many inputs an output has.
#[derive(Debug)]
pub(super) struct Dense {
    weights: Weights,
    bias: Vec<f32>,
    inputs: usize,
}

#[derive(Debug)]
enum Weights {
    Floats(Layouts<f32>),
    /// Bytes, with the scale of each output and the sum of its bytes.
    Bytes(Layouts<i8>, Vec<f32>, Vec<i32>),
}

/// The same weights as stored, and in strips.
#[derive(Debug)]
struct Layouts<T> {
    stored: Vec<T>,
    strips: Vec<T>,
}

/// Room for the rows of a layer as bytes, and for what these mean.
#[derive(Debug, Default)]
pub(super) struct Rows {
    bytes: Vec<u8>,
    scales: Vec<f32>,
    zeros: Vec<i32>,
}

impl Dense {
    /// Makes one that multiplies floats.
    pub(super) fn floats(Affine { weights, bias }: Affine, inputs: usize) -> Result<Dense, Error> {
        Ok(Dense { weights: Weights::Floats(Layouts::new(weights, inputs)), bias, inputs })
    }

    /// Makes one that multiplies bytes: the weights are those our kernels have, by the rule and the
    /// scales of [`PackedWeights::quantise_transposed`].
    pub(super) fn bytes(Affine { weights, bias }: Affine, inputs: usize) -> Result<Dense, Error> {
        let matrix = Matrix::new(&weights, bias.len(), inputs).expect("tensors of that shape");
        let (_, scales) = PackedWeights::quantise_transposed(matrix, Fit::Pairs)?;
        let mut bytes = Vec::with_capacity(weights.len());
        for (row, &scale) in weights.chunks_exact(inputs).zip(&scales) {
            let inverse = 1.0 / scale;
            let steps = row.iter().map(|&weight| (weight * inverse).round_ties_even());
            bytes.extend(steps.map(|step| step.clamp(-127.0, 127.0) as i8));
        }
        let sum = |row: &[i8]| row.iter().map(|&byte| i32::from(byte)).sum::<i32>();
        let sums: Vec<i32> = bytes.chunks_exact(inputs).map(sum).collect();
        let weights = Weights::Bytes(Layouts::new(bytes, inputs), scales, sums);
        Ok(Dense { weights, bias, inputs })
    }

    /// Writes what a build's code makes of the rows of `x`. `rows` is for those that become bytes.
    pub(super) fn run(
        &self,
        (build, order): (&Build, Order),
        x: &[f32],
        out: &mut [f32],
        rows: &mut Rows,
    ) {
        let bias: Slice<'_, f32> = self.bias.as_slice().into();
        let inputs = self.inputs;
        let table = build.table();
        match &self.weights {
            Weights::Floats(layouts) => {
                let weights = layouts.of(order);
                let linear = Linear { x: x.into(), weights, bias, out: out.into(), inputs };
                (table.linear[order as usize])(linear);
            }
            Weights::Bytes(layouts, weight_scales, weight_sums) => {
                let (bytes, scales, zeros) = rows.of(x.len(), x.len() / inputs);
                (table.quantise)(Quantise {
                    x: x.into(),
                    bytes: (&mut *bytes).into(),
                    scales: (&mut *scales).into(),
                    zeros: (&mut *zeros).into(),
                    inputs,
                });
                (table.linear_bytes[order as usize])(LinearBytes {
                    x: (&*bytes).into(),
                    scales: (&*scales).into(),
                    zeros: (&*zeros).into(),
                    weights: layouts.of(order),
                    weight_scales: weight_scales.as_slice().into(),
                    weight_sums: weight_sums.as_slice().into(),
                    bias,
                    out: out.into(),
                    inputs,
                });
            }
        }
    }
}

impl<T: Copy + Default> Layouts<T> {
    fn new(stored: Vec<T>, inputs: usize) -> Layouts<T> {
        let outputs = stored.len() / inputs;
        let mut strips = vec![T::default(); outputs.next_multiple_of(STRIP) * inputs];
        for (output, row) in stored.chunks_exact(inputs).enumerate() {
            let strip = &mut strips[output / STRIP * STRIP * inputs..];
            for (input, &weight) in row.iter().enumerate() {
                strip[input * STRIP + output % STRIP] = weight;
            }
        }
        Layouts { stored, strips }
    }

    fn of(&self, order: Order) -> Slice<'_, T> {
        let weights = match order {
            Order::Dots => &self.stored,
            Order::Strips => &self.strips,
        };
        weights.as_slice().into()
    }
}

impl Rows {
    /// Room for so many bytes in so many rows. It only grows, for to clear it before every layer would
    /// take time that is not the layer's.
    fn of(&mut self, bytes: usize, rows: usize) -> (&mut [u8], &mut [f32], &mut [i32]) {
        if self.bytes.len() < bytes {
            self.bytes.resize(bytes, 0);
        }
        if self.scales.len() < rows {
            self.scales.resize(rows, 0.0);
            self.zeros.resize(rows, 0);
        }
        (&mut self.bytes[..bytes], &mut self.scales[..rows], &mut self.zeros[..rows])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{Baseline, Vectorisation};
    use crate::workload::random;
    use tilewise::gemm::{Lhs, reference};

    /// A layer as our kernels define it: sums by their reference, then scales and a bias.
    fn expected(affine: &Affine, x: &[f32], inputs: usize) -> Vec<f32> {
        let (outputs, rows) = (affine.bias.len(), x.len() / inputs);
        let weights = Matrix::new(&affine.weights, outputs, inputs).unwrap();
        let (_, scales) = PackedWeights::quantise_transposed(weights, Fit::Pairs).unwrap();
        let byte = |depth: usize, output: usize| {
            let steps = affine.weights[output * inputs + depth] * (1.0 / scales[output]);
            steps.round_ties_even() as i8
        };
        let bytes: Vec<i8> =
            (0..inputs * outputs).map(|at| byte(at / outputs, at % outputs)).collect();
        let bytes = Matrix::new(&bytes, inputs, outputs).unwrap();
        let mut sums = vec![0; rows * outputs];
        let lhs = Lhs::f32(Matrix::new(x, rows, inputs).unwrap());
        reference::multiply(lhs, bytes, &[], &mut sums);
        let mut out = Vec::new();
        for (row, sums) in x.chunks_exact(inputs).zip(sums.chunks_exact(outputs)) {
            let (row_scale, _) = reference::quantise(row, &mut vec![0; inputs]);
            let columns = sums.iter().zip(&scales).zip(&affine.bias);
            out.extend(
                columns.map(|((&sum, &scale), bias)| {
                    reference::dequantise(sum, row_scale, scale) + bias
                }),
            );
        }
        out
    }

    #[test]
    fn a_layer_of_bytes_is_that_of_our_kernels_to_the_bit() {
        // Neither goes into strips or vectors evenly; the first row is all zeros.
        let (rows, inputs, outputs) = (5, 133, 70);
        let drawn = |stream, len: usize| -> Vec<f32> {
            random::floats(1, stream, len).into_iter().map(|value| 2.0 * value - 1.0).collect()
        };
        let affine = || Affine { weights: drawn(0, inputs * outputs), bias: drawn(1, outputs) };
        let mut x = drawn(2, rows * inputs);
        x[..inputs].fill(0.0);
        let expected = expected(&affine(), &x, inputs);
        let dense = Dense::bytes(affine(), inputs).unwrap();
        let mut room = Rows::default();
        for level in Baseline::levels() {
            for vectorisation in [Vectorisation::Off, Vectorisation::Auto] {
                let Some(build) = Baseline::at(level, vectorisation) else { continue };
                for order in Order::ALL {
                    let mut out = vec![f32::NAN; rows * outputs];
                    dense.run((build.0, order), &x, &mut out, &mut room);
                    assert_eq!(out, expected, "{build}, {order}");
                }
            }
        }
    }
}
