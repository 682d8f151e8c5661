//! INT8 GEMM over shapes, instruction sets and threads, weights packed and hot; and the layer made
//! of it, from floats to floats.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tilewise::gemm::{
    Bias, Dequantise, Fit, Gelu, Lhs, Linear, Output, PackedWeights, Plan, Scales, Shape, Store,
};
use tilewise::{Isa, Matrix, MatrixMut, SpinTeam};
use tilewise_benches::{measuring, recipe, thread_counts};

/// Layers of BERT-base and BERT-large, one token, and cubes; as `[m, k, n]`.
const SHAPES: [[usize; 3]; 8] = [
    [1, 768, 768],
    [8, 1024, 4096],
    [128, 768, 768],
    [128, 768, 3072],
    [128, 3072, 768],
    [384, 1024, 4096],
    [512, 512, 512],
    [1024, 1024, 1024],
];

fn shapes() -> Vec<Shape> {
    let shapes: &[[usize; 3]] = if measuring() { &SHAPES } else { &[[5, 7, 19]] };
    shapes.iter().map(|&[m, k, n]| Shape { m, k, n }).collect()
}

/// Bytes without a pattern the hardware could exploit.
fn bytes(len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 23) as u8).collect()
}

/// Measures one shape on one instruction set with one team size.
fn measure<O: Output>(
    criterion: &mut Criterion,
    group: &str,
    (shape, isa, threads): (Shape, Isa, usize),
    output: &O,
    zero: O::Element,
) {
    let Shape { m, n, k } = shape;
    let (lhs, weights) = (bytes(m * k), bytes(k * n));
    let weights: Vec<i8> = weights.into_iter().map(u8::cast_signed).collect();
    let weights = PackedWeights::pack(Matrix::new(&weights, k, n).unwrap()).unwrap();
    let plan = Plan::new(shape, isa, recipe(&shape, isa, threads)).unwrap();
    let (mut scratch, team) = (plan.scratch(threads).unwrap(), SpinTeam::new(threads).unwrap());
    let mut out = vec![zero; m * n];

    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
    let id = BenchmarkId::new(format!("{isa}/{threads} threads"), format!("{m}x{k}x{n}"));
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            let lhs = Lhs::u8(Matrix::new(&lhs, m, k).unwrap(), 128);
            let out = MatrixMut::new(&mut out, m, n).unwrap();
            plan.run(lhs, &weights, output, out, &mut scratch, &team).unwrap();
        });
    });
}

fn sums(criterion: &mut Criterion) {
    for shape in shapes() {
        for isa in Isa::available() {
            for threads in thread_counts() {
                measure(criterion, "gemm/i32", (shape, isa, threads), &Store, 0);
            }
        }
    }
}

fn dequantised(criterion: &mut Criterion) {
    for shape in shapes() {
        let columns = vec![0.5; shape.n];
        let scales = Scales::Each(&columns);
        let output = Dequantise { scales }.then(Bias(&columns));
        for threads in thread_counts() {
            measure(criterion, "gemm/f32", (shape, Isa::best(), threads), &output, 0.0);
        }
    }
}

/// Rows of floats in, floats with a bias and a GELU out, in one call.
fn linear(criterion: &mut Criterion) {
    if measuring() {
        eprintln!("gemm/linear: estimated recipes, for a layer knows nothing of wisdom");
    }
    for Shape { m, n, k } in shapes() {
        let floats = |len| bytes(len).into_iter().map(|byte| f32::from(byte) / 99.0 - 1.0);
        let (x, weights): (Vec<f32>, Vec<f32>) = (floats(m * k).collect(), floats(k * n).collect());
        let weights = PackedWeights::quantise(Matrix::new(&weights, k, n).unwrap(), Fit::Pairs);
        let (weights, scales) = weights.unwrap();
        let layer = Linear::new(weights, &scales, Some(&scales)).unwrap();
        let mut y = vec![0.0; m * n];
        let mut group = criterion.benchmark_group("gemm/linear");
        group.throughput(Throughput::Elements(2 * (m * n * k) as u64));
        for threads in thread_counts() {
            let team = SpinTeam::new(threads).unwrap();
            let mut scratch = layer.scratch(m, threads).unwrap();
            let id = BenchmarkId::new(format!("{threads} threads"), format!("{m}x{k}x{n}"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| {
                    let x = Matrix::new(&x, m, k).unwrap();
                    let y = MatrixMut::new(&mut y, m, n).unwrap();
                    layer.run_then(x, Gelu, y, &mut scratch, &team).unwrap();
                });
            });
        }
    }
}

criterion_group!(benches, sums, dequantised, linear);
criterion_main!(benches);
