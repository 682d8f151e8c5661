//! Arithmetic at full speed: independent sums, enough of them to hide an instruction's latency
//! and few enough to stay in registers.

use super::Quantity;
use std::hint::black_box;
use tilewise::isa::MissingIsa;
use tilewise::vector::{
    ByteDot, Choice, GROUP, Operands, PANEL, Visitor, Vocabulary, WordDot, dispatch,
    dispatch_floats,
};
use tilewise::{Isa, Team};

/// Rounds of all sums in a call: 20 to 200 us, long against entering a team (0.2 us).
const STEPS: usize = 1 << 15;

/// Sums of sixteen columns: 24 fill 24 of 32 512-bit registers (the GEMM tile's number); with
/// 256-bit registers a sum takes two of the 16; without VNNI some are needed for products.
const fn byte_sums(isa: Isa) -> usize {
    match isa {
        Isa::Avx512Vnni => 24,
        Isa::Avx512 => 12,
        Isa::AvxVnni => 6,
        Isa::Avx2 => 5,
        _ => 4,
    }
}

/// Registers of f32 sums: 2 FMA a cycle of 4 to 5 cycles' latency need 10.
const fn float_sums(isa: Isa) -> usize {
    match isa {
        Isa::Avx512 | Isa::Avx512Vnni => 24,
        _ => 12,
    }
}

/// Operations of one call on one thread.
pub(super) fn work(quantity: Quantity, isa: Isa) -> f64 {
    let per_step = match quantity {
        Quantity::Int8Compute => byte_sums(isa) * PANEL * GROUP * 2,
        _ => float_sums(isa) * isa.lanes() * 2,
    };
    (STEPS * per_step) as f64
}

/// One call on every member.
pub(super) fn run(quantity: Quantity, isa: Isa, team: &dyn Team) -> Result<(), MissingIsa> {
    match quantity {
        Quantity::Int8Compute => dispatch(isa, Bytes(team)),
        _ => dispatch_floats(isa, Floats(team)),
    }
}

struct Bytes<'a>(&'a dyn Team);

impl Visitor for Bytes<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.0.run(&|_| token.choose(Operands::new(1, true), Dots));
    }
}

/// The fastest way of an instruction set to multiply bytes, that for weights which allow it.
struct Dots;

impl Choice for Dots {
    type Output = ();

    fn bytes<T: Vocabulary>(self, token: T) {
        match byte_sums(T::ISA) {
            24 => dots::<T, 24, 1>(token),
            12 => dots::<T, 12, 12>(token),
            6 => dots::<T, 6, 6>(token),
            5 => dots::<T, 5, 5>(token),
            _ => dots::<T, 4, 4>(token),
        }
    }

    fn words<T: Vocabulary + WordDot>(self, token: T) {
        self.bytes(token);
    }
}

/// `N` sums of byte products, `STEPS` times, with `LHS` left operands that the compiler must
/// believe to change with every step. One is enough where products and sum are one instruction;
/// where they are several, sums of the same operands would share their products.
fn dots<T: ByteDot, const N: usize, const LHS: usize>(token: T) {
    token.run(
        #[inline(always)]
        || {
            let rhs = token.load(black_box(&[[1; GROUP]; PANEL]));
            let lhs = [token.broadcast(black_box([1; GROUP])); LHS];
            let mut sums = [token.zero(); N];
            for _ in 0..STEPS {
                let lhs = black_box(&lhs);
                for (index, sum) in sums.iter_mut().enumerate() {
                    *sum = token.dot(*sum, lhs[index % LHS], rhs);
                }
            }
            for sum in sums {
                let mut out = [0; PANEL];
                token.store(sum, &mut out);
                black_box(out);
            }
        },
    );
}

struct Floats<'a>(&'a dyn Team);

impl Visitor for Floats<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.0.run(&|_| match float_sums(T::ISA) {
            24 => multiply_adds::<T, 24>(token),
            _ => multiply_adds::<T, 12>(token),
        });
    }
}

/// `N` registers of fused multiply-adds, `STEPS` times.
fn multiply_adds<T: Vocabulary, const N: usize>(token: T) {
    use pulp::Simd;
    let simd = token.floats();
    token.run(
        #[inline(always)]
        || {
            // Sums that grow by a quarter a step stay far from overflow and from denormals.
            let (a, b) = (simd.splat_f32s(black_box(0.5)), simd.splat_f32s(black_box(0.5)));
            let mut sums = [simd.splat_f32s(1.0); N];
            for _ in 0..STEPS {
                for sum in &mut sums {
                    *sum = simd.mul_add_f32s(a, b, *sum);
                }
            }
            for sum in sums {
                black_box(sum);
            }
        },
    );
}
