//! AVX2 without a byte dot product: bytes are widened to 16 bits in registers, so that nothing
//! saturates (the shorter `vpmaddubsw` chain would, above 128 * 255).
//!
//! | instruction | what for | per 32 products |
//! |---|---|---|
//! | `vpsllw`, `vpsraw` | sign-extend the even bytes; `vpsraw` alone the odd ones | shared by the rows of a tile |
//! | `vpmaddwd` | two products each, summed in 32 bits | 2 |
//! | `vpaddd` | into the accumulator, wrapping | 2 |
#![allow(unsafe_code, reason = "intrinsics; the token proves AVX2")]

use super::{ByteDot, FloatExtra, GROUP, PANEL, Step};
use crate::isa::Avx2;
use core::arch::x86_64::*;
use pulp::x86::V3;

/// The even and the odd bytes of each 32-bit group, as 16-bit lanes.
#[derive(Clone, Copy, Debug)]
pub struct Widened {
    even: __m256i,
    odd: __m256i,
}

impl ByteDot for Avx2 {
    type Lhs = Widened;
    type Rhs = [Widened; 2];
    type Acc = [__m256i; 2];

    #[inline(always)]
    fn zero(self) -> Self::Acc {
        // SAFETY: the token proves AVX2.
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> Self::Acc {
        load_pair(sums)
    }

    #[inline(always)]
    fn load(self, step: &Step) -> Self::Rhs {
        let [low, high]: &[[u8; 32]; 2] = bytemuck::cast_ref(step);
        [widen(self, low), widen(self, high)]
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> Widened {
        // SAFETY: the token proves AVX2.
        unsafe {
            let bytes = _mm256_set1_epi32(i32::from_ne_bytes(group));
            Widened {
                even: _mm256_and_si256(bytes, _mm256_set1_epi16(0xff)),
                odd: _mm256_srli_epi16(bytes, 8),
            }
        }
    }

    #[inline(always)]
    fn dot(self, acc: Self::Acc, lhs: Widened, rhs: Self::Rhs) -> Self::Acc {
        // SAFETY: the token proves AVX2. A product pair is at most 2 * 255 * 128, far from 2^31.
        let half = |acc, rhs: Widened| unsafe {
            let even = _mm256_madd_epi16(lhs.even, rhs.even);
            let odd = _mm256_madd_epi16(lhs.odd, rhs.odd);
            _mm256_add_epi32(acc, _mm256_add_epi32(even, odd))
        };
        [half(acc[0], rhs[0]), half(acc[1], rhs[1])]
    }

    #[inline(always)]
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]) {
        store_pair(acc, out);
    }
}

/// Reads sixteen sums into two registers; AVX-VNNI does the same.
#[inline(always)]
pub(super) fn load_pair(sums: &[i32; PANEL]) -> [__m256i; 2] {
    let halves: &[[i32; PANEL / 2]; 2] = bytemuck::cast_ref(sums);
    // SAFETY: only called under a token of AVX2 or more; each half is 32 readable bytes.
    halves.each_ref().map(|half| unsafe { _mm256_loadu_si256(half.as_ptr().cast()) })
}

/// Widens half a step. Not a closure in `array::map`, which the compiler may leave a call: then
/// every sum is spilled around it, at every step.
#[inline(always)]
fn widen(_: Avx2, half: &[u8; 32]) -> Widened {
    // SAFETY: the token proves AVX2; `half` is 32 readable bytes.
    unsafe {
        let bytes = _mm256_loadu_si256(half.as_ptr().cast());
        Widened {
            even: _mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8),
            odd: _mm256_srai_epi16(bytes, 8),
        }
    }
}

/// Writes sixteen sums from two registers; AVX-VNNI does the same.
#[inline(always)]
pub(super) fn store_pair(acc: [__m256i; 2], out: &mut [i32; PANEL]) {
    let (low, high) = out.split_at_mut(PANEL / 2);
    // SAFETY: AVX is there, for registers of it are; each half is 32 writable bytes.
    unsafe {
        _mm256_storeu_si256(low.as_mut_ptr().cast(), acc[0]);
        _mm256_storeu_si256(high.as_mut_ptr().cast(), acc[1]);
    }
}

impl FloatExtra for V3 {
    type Panel = [Self::f32s; 2];
    const STREAMS: bool = true;

    #[inline(always)]
    unsafe fn stream_f32s(self, to: &mut Self::f32s, value: Self::f32s) {
        let to: *mut Self::f32s = to;
        // SAFETY: the token proves AVX; `to` is writable and aligned by contract.
        unsafe { _mm256_stream_ps(to.cast(), bytemuck::cast(value)) }
    }

    #[inline(always)]
    unsafe fn stream_f64s(self, to: &mut Self::f64s, value: Self::f64s) {
        let to: *mut Self::f64s = to;
        // SAFETY: the token proves AVX; `to` is writable and aligned by contract.
        unsafe { _mm256_stream_pd(to.cast(), bytemuck::cast(value)) }
    }

    #[inline(always)]
    fn stream_fence(self) {
        // SAFETY: the token proves SSE.
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn opaque(self, mut number: usize) -> usize {
        // SAFETY: no instruction at all.
        unsafe {
            core::arch::asm!(
                "/* {0} */",
                inout(reg) number,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        number
    }

    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        // SAFETY: the token proves SSE; a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }
}
