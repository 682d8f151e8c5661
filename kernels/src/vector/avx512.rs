//! AVX-512 BW without VNNI: AVX2's ways to multiply bytes, on registers of 512 bits.
//!
//! | way | instructions for 64 products |
//! |---|---|
//! | [`Pairs`], if no pair saturates | `vpmaddubsw`, `vpmaddwd`, `vpaddd` |
//! | words, widened beforehand | 2 `vpmaddwd`, 2 `vpaddd` |
//! | bytes, widened in registers | the same, and `vpandd`, shifts |
#![allow(unsafe_code, reason = "intrinsics; the token proves AVX-512")]

use super::{ByteDot, Choice, GROUP, Operands, PANEL, Pairs, Step, WordDot, WordStep};
use crate::buffer::LINE;
use crate::isa::Avx512;
use core::arch::x86_64::*;

/// The even and the odd bytes of each 32-bit group, as 16-bit lanes.
#[derive(Clone, Copy, Debug)]
pub struct Widened {
    even: __m512i,
    odd: __m512i,
}

impl ByteDot for Avx512 {
    type Lhs = Widened;
    type Rhs = Widened;
    type Acc = __m512i;

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> __m512i {
        load(bytemuck::cast_ref(sums))
    }

    #[inline(always)]
    fn load(self, step: &Step) -> Widened {
        let bytes = load(bytemuck::cast_ref(step));
        // SAFETY: the token proves AVX-512 BW.
        unsafe {
            Widened {
                even: _mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8),
                odd: _mm512_srai_epi16(bytes, 8),
            }
        }
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> Widened {
        // SAFETY: the token proves AVX-512 BW.
        unsafe {
            let bytes = _mm512_set1_epi32(i32::from_ne_bytes(group));
            Widened {
                even: _mm512_and_si512(bytes, _mm512_set1_epi16(0xff)),
                odd: _mm512_srli_epi16(bytes, 8),
            }
        }
    }

    #[inline(always)]
    fn dot(self, acc: __m512i, lhs: Widened, rhs: Widened) -> __m512i {
        // SAFETY: the token proves AVX-512 BW. A product pair is at most 2 * 255 * 128.
        unsafe {
            let even = _mm512_madd_epi16(lhs.even, rhs.even);
            let odd = _mm512_madd_epi16(lhs.odd, rhs.odd);
            _mm512_add_epi32(acc, _mm512_add_epi32(even, odd))
        }
    }

    #[inline(always)]
    fn store(self, acc: __m512i, out: &mut [i32; PANEL]) {
        // SAFETY: the token proves AVX-512; `out` is 64 writable bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), acc) }
    }

    const CHOOSES: bool = true;

    #[inline(always)]
    fn choose<C: Choice>(self, operands: Operands, choice: C) -> C::Output {
        match operands {
            Operands { pairs_fit: true, .. } => choice.bytes(Pairs(self)),
            Operands { rows: ..WIDEN_FROM, .. } => choice.bytes(self),
            _ => choice.words(self),
        }
    }
}

/// Rows from which it should pay to widen weights beforehand. Not measured here: it is what AVX2's was
/// before its tiles of words became faster.
const WIDEN_FROM: usize = 25;

impl ByteDot for Pairs<Avx512> {
    type Lhs = __m512i;
    type Rhs = __m512i;
    type Acc = __m512i;

    #[inline(always)]
    fn zero(self) -> __m512i {
        self.0.zero()
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> __m512i {
        load(bytemuck::cast_ref(sums))
    }

    #[inline(always)]
    fn load(self, step: &Step) -> __m512i {
        load(bytemuck::cast_ref(step))
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_set1_epi32(i32::from_ne_bytes(group)) }
    }

    #[inline(always)]
    fn dot(self, acc: __m512i, lhs: __m512i, rhs: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512 BW.
        unsafe {
            let pairs = _mm512_maddubs_epi16(lhs, rhs);
            _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
        }
    }

    #[inline(always)]
    fn store(self, acc: __m512i, out: &mut [i32; PANEL]) {
        self.0.store(acc, out);
    }
}

impl WordDot for Avx512 {
    type LhsWords = __m512i;
    type RhsWords = __m512i;

    #[inline(always)]
    fn load_words(self, step: &WordStep) -> __m512i {
        load(bytemuck::cast_ref(step))
    }

    #[inline(always)]
    fn broadcast_words(self, group: [i16; 2]) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_set1_epi32(bytemuck::cast(group)) }
    }

    #[inline(always)]
    fn dot_words(self, acc: __m512i, lhs: __m512i, rhs: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512 BW.
        unsafe { _mm512_add_epi32(acc, _mm512_madd_epi16(lhs, rhs)) }
    }
}

/// Reads a register, as bytes, which need no alignment.
#[inline(always)]
fn load(line: &[u8; LINE]) -> __m512i {
    // SAFETY: only called under a token of AVX-512; a line is 64 readable bytes.
    unsafe { _mm512_loadu_si512(line.as_ptr().cast()) }
}
