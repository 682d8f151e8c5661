//! The shorter way to multiply bytes where there is no dot product of them.
//!
//! `vpmaddubsw` adds two products in 16 bits and saturates above 32767: 255 * 128 fits, 255 * 129
//! does not. Weights are looked at when they are packed; those in which no pair can saturate are
//! multiplied with this token instead of that of the instruction set, to the same bits.

use crate::isa::{Isa, Token};

/// The token of an instruction set, for weights whose pairs fit 16 bits ([`super::Operands`]).
/// With others, sums come out wrong: nobody outside this crate may have one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs<T>(pub(super) T);

impl<T: Token> Token for Pairs<T> {
    const ISA: Isa = T::ISA;
    type Floats = T::Floats;

    fn detect() -> Option<Self> {
        T::detect().map(Pairs)
    }

    #[inline(always)]
    fn floats(self) -> T::Floats {
        self.0.floats()
    }

    #[inline(always)]
    fn run<R>(self, work: impl FnOnce() -> R) -> R {
        self.0.run(work)
    }
}
