//! The operations of a BERT's forward pass in 32-bit floats, and its linear layers in bytes, too.

use crate::abi::{Attend, Linear, LinearBytes, Norm, Quantise, STRIP, SliceMut};
use crate::rows as rows_of;

/// Partial sums of a long sum: floats may not be added in another order than is written, so a
/// vector's worth of sums must be written for the compiler to use one.
const SUMS: usize = 16;

/// Adding it rounds to an integer, which then stands in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// `sum + a * b`, in one rounding where the CPU can (see the source of K-Means).
#[inline(always)]
fn multiply_add(sum: f32, a: f32, b: f32) -> f32 {
    if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
        a.mul_add(b, sum)
    } else {
        sum + a * b
    }
}

#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; SUMS];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<SUMS>(), b.as_chunks::<SUMS>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *sum = multiply_add(*sum, a, b);
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(a, b)| a * b);
    sums.into_iter().chain(rest).sum()
}

/// The sum of what `term` makes of the values.
#[inline(always)]
fn sum(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0; SUMS];
    let (chunks, rest) = values.as_chunks::<SUMS>();
    for chunk in chunks {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += term(value);
        }
    }
    sums.into_iter().chain(rest.iter().map(|&value| term(value))).sum()
}

/// Weights as checkpoints have them: for each row, for each output, a dot product.
pub(crate) extern "C" fn linear_dots(linear: Linear<'_>) {
    let Linear { x, weights, bias, out, inputs } = linear;
    let (weights, bias) = (weights.get(), bias.get());
    for (x, out) in rows_of(x.get(), inputs).zip(out.get().chunks_exact_mut(bias.len().max(1))) {
        for ((out, weights), &bias) in out.iter_mut().zip(rows_of(weights, inputs)).zip(bias) {
            *out = bias + dot(x, weights);
        }
    }
}

/// Weights in strips of outputs, as many as registers hold sums: for each strip, for each row, for
/// each input, for each output of the strip.
pub(crate) extern "C" fn linear_strips(linear: Linear<'_>) {
    let Linear { x, weights, bias, out, inputs } = linear;
    let (x, bias, out) = (x.get(), bias.get(), out.get());
    let strips = weights.get().as_chunks::<STRIP>().0.chunks_exact(inputs.max(1));
    for (first, (weights, bias_of)) in (0..).step_by(STRIP).zip(strips.zip(bias.chunks(STRIP))) {
        for (x, out) in rows_of(x, inputs).zip(out.chunks_exact_mut(bias.len().max(1))) {
            let mut sums = [0.0; STRIP];
            for (&x, weights) in x.iter().zip(weights) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = multiply_add(*sum, x, weight);
                }
            }
            let out = out.get_mut(first..).unwrap_or_default();
            for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias_of) {
                *out = sum + bias;
            }
        }
    }
}

/// Rows as bytes, each over its own range, by the rule of `tilewise::gemm::Lhs::f32`: our kernels
/// multiply the same bytes.
pub(crate) extern "C" fn quantise(quantise: Quantise<'_>) {
    let Quantise { x, bytes, scales, zeros, inputs } = quantise;
    let rows = rows_of(x.get(), inputs).zip(bytes.get().chunks_exact_mut(inputs.max(1)));
    for ((x, bytes), (scale, zero)) in rows.zip(scales.get().iter_mut().zip(zeros.get())) {
        let (low, high) = range(x);
        let step = high / 255.0 - low / 255.0;
        let step = if step < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { step };
        let inverse = 1.0 / step;
        let middle = whole(-low * inverse).max(0).min(255);
        for (byte, &x) in bytes.iter_mut().zip(x) {
            *byte = whole(x * inverse).wrapping_add(middle).max(0).min(255) as u8;
        }
        (*scale, *zero) = (step, middle);
    }
}

/// The least and the greatest of the values and 0.
#[inline(always)]
fn range(values: &[f32]) -> (f32, f32) {
    let lesser = |a: f32, b: f32| if b < a { b } else { a };
    let greater = |a: f32, b: f32| if b > a { b } else { a };
    let (mut lows, mut highs) = ([0.0; SUMS], [0.0; SUMS]);
    let (chunks, rest) = values.as_chunks::<SUMS>();
    for chunk in chunks {
        for ((low, high), &x) in lows.iter_mut().zip(&mut highs).zip(chunk) {
            (*low, *high) = (lesser(*low, x), greater(*high, x));
        }
    }
    let low = lows.into_iter().chain(rest.iter().copied()).fold(0.0, lesser);
    (low, highs.into_iter().chain(rest.iter().copied()).fold(0.0, greater))
}

/// The nearest whole number, ties to even, of numbers far below 2^22 in size.
#[inline(always)]
fn whole(x: f32) -> i32 {
    (x + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i32
}

/// What a sum of a row's bytes times an output's weights means.
#[inline(always)]
fn real(sum: i32, (scale, zero): (f32, i32), (weight_scale, weight_sum): (f32, i32)) -> f32 {
    sum.wrapping_sub(zero.wrapping_mul(weight_sum)) as f32 * (scale * weight_scale)
}

/// Of bytes, in the order of [`linear_dots`].
pub(crate) extern "C" fn linear_dots_bytes(linear: LinearBytes<'_>) {
    let LinearBytes { x, scales, zeros, weights, bias, out, inputs, .. } = linear;
    let (weights, bias) = (weights.get(), bias.get());
    let (weight_scales, weight_sums) = (linear.weight_scales.get(), linear.weight_sums.get());
    let meanings = scales.get().iter().zip(zeros.get());
    let outs = out.get().chunks_exact_mut(bias.len().max(1));
    for ((x, (&scale, &zero)), out) in rows_of(x.get(), inputs).zip(meanings).zip(outs) {
        let columns = weight_scales.iter().zip(weight_sums).zip(bias);
        for ((out, weights), ((&weight_scale, &weight_sum), &bias)) in
            out.iter_mut().zip(rows_of(weights, inputs)).zip(columns)
        {
            let mut sum = 0i32;
            for (&x, &weight) in x.iter().zip(weights) {
                sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
            }
            *out = real(sum, (scale, zero), (weight_scale, weight_sum)) + bias;
        }
    }
}

/// Of bytes, in the order of [`linear_strips`].
pub(crate) extern "C" fn linear_strips_bytes(linear: LinearBytes<'_>) {
    let LinearBytes { x, scales, zeros, weights, bias, out, inputs, .. } = linear;
    let (x, scales, zeros) = (x.get(), scales.get(), zeros.get());
    let (bias, out) = (bias.get(), out.get());
    let (weight_scales, weight_sums) = (linear.weight_scales.get(), linear.weight_sums.get());
    let strips = weights.get().as_chunks::<STRIP>().0.chunks_exact(inputs.max(1));
    let columns = weight_scales.chunks(STRIP).zip(weight_sums.chunks(STRIP));
    let columns = columns.zip(bias.chunks(STRIP));
    for (first, (weights, ((weight_scales, weight_sums), bias_of))) in
        (0..).step_by(STRIP).zip(strips.zip(columns))
    {
        let outs = out.chunks_exact_mut(bias.len().max(1));
        let rows = rows_of(x, inputs).zip(scales.iter().zip(zeros)).zip(outs);
        for ((x, (&scale, &zero)), out) in rows {
            let mut sums = [0i32; STRIP];
            for (&x, weights) in x.iter().zip(weights) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum = sum.wrapping_add(i32::from(x) * i32::from(weight));
                }
            }
            let out = out.get_mut(first..).unwrap_or_default();
            let of_outputs = weight_scales.iter().zip(weight_sums).zip(bias_of);
            for ((out, sum), ((&weight_scale, &weight_sum), bias)) in
                out.iter_mut().zip(sums).zip(of_outputs)
            {
                *out = real(sum, (scale, zero), (weight_scale, weight_sum)) + bias;
            }
        }
    }
}

/// Attention within a sequence: for each query, for each head, the products with all keys, their
/// softmax, and the mean of the values by it.
pub(crate) extern "C" fn attend(attend: Attend<'_>) {
    let Attend { qkv, out, room, hidden, head } = attend;
    let (qkv, scores) = (qkv.get(), room.get());
    let (tokens, head) = (|| rows_of(qkv, 3 * hidden), head.max(1));
    let scale = 1.0 / (head as f32).sqrt();
    for (query, out) in tokens().zip(out.get().chunks_exact_mut(hidden.max(1))) {
        for (first, out) in (0..).step_by(head).zip(out.chunks_exact_mut(head)) {
            let query = columns(query, first, head);
            for (score, key) in scores.iter_mut().zip(tokens()) {
                *score = scale * dot(query, columns(key, hidden + first, head));
            }
            softmax(scores);
            out.fill(0.0);
            for (&share, value) in scores.iter().zip(tokens()) {
                let value = columns(value, 2 * hidden + first, head);
                for (out, &value) in out.iter_mut().zip(value) {
                    *out = multiply_add(*out, share, value);
                }
            }
        }
    }
}

#[inline(always)]
fn columns(row: &[f32], first: usize, len: usize) -> &[f32] {
    row.get(first..first + len).unwrap_or_default()
}

#[inline(always)]
fn softmax(scores: &mut [f32]) {
    let most = scores.iter().fold(f32::MIN, |most, &x| if x > most { x } else { most });
    scores.iter_mut().for_each(|x| *x = exp(*x - most));
    let total = sum(scores, |x| x);
    scores.iter_mut().for_each(|x| *x /= total);
}

/// Adds a residual, if there is one, and brings every row to mean 0 and variance 1, weighted.
pub(crate) extern "C" fn norm(norm: Norm<'_>) {
    let Norm { rows, residual, weights, bias, epsilon } = norm;
    let (rows, weights, bias) = (rows.get(), weights.get(), bias.get());
    rows.iter_mut().zip(residual.get()).for_each(|(x, residual)| *x += residual);
    for row in rows.chunks_exact_mut(weights.len().max(1)) {
        let count = row.len() as f32;
        let mean = sum(row, |x| x) / count;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / count;
        let scale = 1.0 / (variance + epsilon).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(weights).zip(bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

/// GELU by the error function.
pub(crate) extern "C" fn gelu(values: SliceMut<'_, f32>) {
    for x in values.get() {
        *x = 0.5 * *x * (1.0 + erf(*x * core::f32::consts::FRAC_1_SQRT_2));
    }
}

/// The error function, by formula 7.1.26 of Abramowitz and Stegun (to 1.5e-7, and the rounding of
/// 32 bits): the library's has branches and cannot be vectorised.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let terms = [1.061_405_4, -1.453_152, 1.421_413_8, -0.284_496_74, 0.254_829_6];
    let sum = terms.into_iter().fold(0.0, |sum, term| (sum + term) * t);
    (1.0 - sum * exp(-x * x)).copysign(x)
}

/// `e^x` for `x` up to 0, by a power of two and six terms of the series, without a branch.
#[inline(always)]
fn exp(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * core::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (x - whole * 0.693_359_4) - whole * -2.121_944_4e-4;
    let terms = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    let series = terms.into_iter().fold(0.0, |sum, term| (sum + term) * rest) + 1.0;
    series * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}
