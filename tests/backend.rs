//! A back-end of one's own, written outside the crate: a token, its register operations, and
//! nothing else. Driver, tiles, packing, epilogues and tables are the crate's; so an instruction
//! set is added by what stands here, its name and its lines in the tables.

use tilewise::cache::CacheSizes;
use tilewise::gemm::{
    Bias, Dequantise, Error, Gelu, Lhs, Output, PackedWeights, Plan, Recipe, Requantise, Scales,
    Shape, Store, reference, tiles,
};
use tilewise::isa::{Scalar, Token};
use tilewise::vector::{
    ByteDot, Choice, GROUP, Operands, PANEL, Step, Vocabulary, WordDot, WordStep,
};
use tilewise::{Isa, Matrix, MatrixMut};
use tilewise_tests::{guarded, teams};

/// Sums in 64 bits, kept in another order than memory's: nothing the driver could know of. With
/// `WORDS` it asks for both operands to be widened.
#[derive(Clone, Copy, Debug)]
struct Toy<const WORDS: bool>;

impl<const WORDS: bool> Token for Toy<WORDS> {
    /// Whose tiles it uses.
    const ISA: Isa = Isa::Scalar;
    type Floats = <Scalar as Token>::Floats;

    fn detect() -> Option<Self> {
        Some(Toy)
    }

    fn floats(self) -> Self::Floats {
        Scalar::detect().expect("every machine has plain arrays").floats()
    }

    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }
}

/// One sum, wherever it is kept.
#[derive(Clone, Copy)]
struct Reversed([i64; PANEL]);

impl<const WORDS: bool> ByteDot for Toy<WORDS> {
    type Lhs = [u8; GROUP];
    type Rhs = Step;
    type Acc = Reversed;

    fn zero(self) -> Reversed {
        Reversed([0; PANEL])
    }

    fn resume(self, sums: &[i32; PANEL]) -> Reversed {
        let mut reversed = sums.map(i64::from);
        reversed.reverse();
        Reversed(reversed)
    }

    fn load(self, step: &Step) -> Step {
        let mut step = *step;
        step.reverse();
        step
    }

    fn broadcast(self, group: [u8; GROUP]) -> [u8; GROUP] {
        group
    }

    fn dot(self, mut acc: Reversed, lhs: [u8; GROUP], rhs: Step) -> Reversed {
        for (sum, column) in acc.0.iter_mut().zip(rhs) {
            *sum += lhs.iter().zip(column).map(|(&a, b)| i64::from(a) * i64::from(b)).sum::<i64>();
        }
        acc
    }

    fn store(self, mut acc: Reversed, out: &mut [i32; PANEL]) {
        acc.0.reverse();
        *out = acc.0.map(|sum| sum as i32);
    }

    const CHOOSES: bool = WORDS;

    fn choose<C: Choice>(self, operands: Operands, choice: C) -> C::Output {
        match operands {
            Operands { pairs_fit: false, rows: 8.., .. } if WORDS => choice.words(self),
            Operands { pairs_fit: false, .. } if WORDS => choice.word_rows(self),
            _ => choice.bytes(self),
        }
    }
}

impl<const WORDS: bool> WordDot for Toy<WORDS> {
    type LhsWords = [i16; 2];
    type RhsWords = WordStep;

    fn load_words(self, step: &WordStep) -> WordStep {
        let mut step = *step;
        step.reverse();
        step
    }

    fn broadcast_words(self, group: [i16; 2]) -> [i16; 2] {
        group
    }

    fn dot_words(self, mut acc: Reversed, lhs: [i16; 2], rhs: WordStep) -> Reversed {
        for (sum, column) in acc.0.iter_mut().zip(rhs) {
            *sum += lhs.iter().zip(column).map(|(&a, b)| i64::from(a) * i64::from(b)).sum::<i64>();
        }
        acc
    }
}

/// What the layer below must make of a product, by the reference.
fn made_of_floats(
    lhs: Lhs<'_>,
    weights: Matrix<'_, i8>,
    values: &[f32],
    (zeros, bias): (&[i8], &[f32]),
) -> Vec<u8> {
    let (k, n) = (weights.rows(), weights.cols());
    let mut sums = vec![0; lhs.rows() * n];
    reference::multiply(lhs, weights, zeros, &mut sums);
    let byte = |(at, &sum): (usize, &i32)| {
        let row = &values[at / n * k..][..k];
        let (scale, _) = reference::quantise(row, &mut vec![0; k]);
        let value = reference::dequantise(sum, scale, 0.001) + bias[at % n];
        reference::requantise(reference::gelu(value), 0.3, 9)
    };
    sums.iter().enumerate().map(byte).collect()
}

/// The product of one shape on a back-end, with blocks that cut every size.
fn check<T: Vocabulary>(token: T, shape: Shape, weights: &[i8]) {
    let Shape { m, n, k } = shape;
    let bytes: Vec<u8> = (0..m * k).map(|i| (i * 89 % 256) as u8).collect();
    let lhs = Lhs::i8(Matrix::new(bytemuck::cast_slice(&bytes), m, k).unwrap(), -3);
    let weights = Matrix::new(weights, k, n).unwrap();
    let zeros = vec![5; n];
    let mut expected = vec![0; m * n];
    reference::multiply(lhs, weights, &zeros, &mut expected);
    let values = guarded(&bytes.iter().map(|&byte| f32::from(byte) - 99.5).collect::<Vec<_>>());
    let floats = Lhs::f32(Matrix::new(&values, m, k).unwrap());
    let bias = guarded(&(0..n).map(|column| column as f32).collect::<Vec<_>>());
    let layer = Dequantise { scales: Scales::All(0.001) }
        .then(Bias(&bias))
        .then(Gelu)
        .then(Requantise { scale: 0.3, zero_point: 9 });
    let expected_bytes = made_of_floats(floats, weights, &values, (&zeros, &bias));
    let weights = PackedWeights::pack(weights).unwrap().with_zero_points(&[5]).unwrap();
    for &tile in tiles(T::ISA) {
        let mut recipe = Recipe::estimate(shape, T::ISA, &CacheSizes::ASSUMED, 2);
        (recipe.tile, recipe.mc, recipe.kc, recipe.nc) = (tile, 5, 11, 40);
        let backend = Plan::new(shape, T::ISA, recipe).unwrap().on(token).unwrap();
        for (name, team) in teams() {
            let mut out = guarded(&vec![0; m * n]);
            let view = MatrixMut::new(&mut out, m, n).unwrap();
            let mut scratch = backend.scratch(2).unwrap();
            backend.run(lhs, &weights, &Store, view, &mut scratch, *team).unwrap();
            assert_eq!(*out, expected, "{shape}, {tile}, {name}, {token:?}");

            // Floats in, all that a layer may make of sums, bytes out.
            let mut out = guarded(&vec![0u8; m * n]);
            let view = MatrixMut::new(&mut out, m, n).unwrap();
            backend.run(floats, &weights, &layer, view, &mut scratch, *team).unwrap();
            assert_eq!(*out, expected_bytes, "{shape}, {tile}, {name}, {token:?}, bytes");
        }
    }
}

#[test]
fn a_backend_outside_the_crate_equals_three_loops() {
    for (m, n, k) in [(1, 1, 1), (7, 50, 23), (13, 33, 64), (3, 16, 0), (0, 5, 5)] {
        let all: Vec<i8> = (0..k * n).map(|i| (i * 57 % 256) as u8 as i8).collect();
        // The first panel fits pairs, the others do not: both forms in one product.
        let some = all.iter().enumerate().map(|(i, &b)| if i % n.max(1) < 16 { b / 2 } else { b });
        for weights in [all.clone(), some.collect()] {
            check(Toy::<false>, Shape { m, n, k }, &weights);
            check(Toy::<true>, Shape { m, n, k }, &weights);
        }
    }
}

#[test]
fn a_token_goes_with_plans_of_its_name_only() {
    let shape = Shape { m: 1, n: 1, k: 1 };
    for isa in Isa::available().filter(|&isa| isa != Isa::Scalar) {
        let recipe = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
        let error = Plan::new(shape, isa, recipe).unwrap().on(Toy::<false>).unwrap_err();
        assert_eq!(error, Error::Token { token: Isa::Scalar, plan: isa });
    }
}
