//! AVX-512 VNNI: the byte dot product on 512-bit registers, one to a panel.
//!
//! | instruction | what for | per 64 products |
//! |---|---|---|
//! | `vpdpbusd zmm` | four products a lane added to 32 bits, wrapping | 1 |
#![allow(unsafe_code, reason = "intrinsics; the token proves AVX-512 and its VNNI")]

use super::{ByteDot, FloatExtra, GROUP, PANEL, Step};
use crate::isa::Avx512Vnni;
use core::arch::x86_64::*;
use pulp::x86::V4;

impl ByteDot for Avx512Vnni {
    type Lhs = __m512i;
    type Rhs = __m512i;
    type Acc = __m512i;

    #[inline(always)]
    fn zero(self) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_setzero_si512() }
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> __m512i {
        // SAFETY: the token proves AVX-512; `sums` is 64 readable bytes.
        unsafe { _mm512_loadu_si512(sums.as_ptr().cast()) }
    }

    #[inline(always)]
    fn load(self, step: &Step) -> __m512i {
        // SAFETY: the token proves AVX-512; a step is 64 readable bytes.
        unsafe { _mm512_loadu_si512(step.as_ptr().cast()) }
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> __m512i {
        // SAFETY: the token proves AVX-512.
        unsafe { _mm512_set1_epi32(i32::from_ne_bytes(group)) }
    }

    #[inline(always)]
    fn dot(self, acc: __m512i, lhs: __m512i, rhs: __m512i) -> __m512i {
        // SAFETY: the token proves AVX-512 VNNI.
        unsafe { _mm512_dpbusd_epi32(acc, lhs, rhs) }
    }

    #[inline(always)]
    fn store(self, acc: __m512i, out: &mut [i32; PANEL]) {
        // SAFETY: the token proves AVX-512; `out` is 64 writable bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), acc) }
    }
}

/// `$align` with `$from`, known when it is compiled, as its constant.
macro_rules! joined {
    ($align:ident, $high:ident, $low:ident, $from:ident, $lanes:literal: $($lane:literal)*) => {
        match $from {
            0 => $low,
            $($lane => $align::<$lane>($high, $low),)*
            $lanes => $high,
            _ => panic!("lane {} of {} and as many", $from, $lanes),
        }
    };
}

impl FloatExtra for V4 {
    type Panel = [Self::f32s; 1];
    const STREAMS: bool = true;

    const HIDES: bool = true;
    /// Off its place every register of 64 bytes stands across two lines (measured on Zen 4).
    const JOINS: bool = true;

    #[inline(always)]
    fn join_f32s(self, low: Self::f32s, high: Self::f32s, from: usize) -> Self::f32s {
        let (low, high) = (bytemuck::cast(low), bytemuck::cast(high));
        // SAFETY: the token proves AVX-512.
        let joined = unsafe {
            joined!(_mm512_alignr_epi32, high, low, from, 16: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
        };
        bytemuck::cast(joined)
    }

    #[inline(always)]
    fn join_f64s(self, low: Self::f64s, high: Self::f64s, from: usize) -> Self::f64s {
        let (low, high) = (bytemuck::cast(low), bytemuck::cast(high));
        // SAFETY: the token proves AVX-512.
        let joined = unsafe { joined!(_mm512_alignr_epi64, high, low, from, 8: 1 2 3 4 5 6 7) };
        bytemuck::cast(joined)
    }

    #[inline(always)]
    fn turn(self, square: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        // As with AVX2, which this implies.
        (*self).turn(square)
    }

    #[inline(always)]
    unsafe fn stream_f32s(self, to: &mut Self::f32s, value: Self::f32s) {
        let to: *mut Self::f32s = to;
        // SAFETY: the token proves AVX-512; `to` is writable and aligned by contract.
        unsafe { _mm512_stream_ps(to.cast(), bytemuck::cast(value)) }
    }

    #[inline(always)]
    unsafe fn stream_f64s(self, to: &mut Self::f64s, value: Self::f64s) {
        let to: *mut Self::f64s = to;
        // SAFETY: the token proves AVX-512; `to` is writable and aligned by contract.
        unsafe { _mm512_stream_pd(to.cast(), bytemuck::cast(value)) }
    }

    #[inline(always)]
    fn stream_fence(self) {
        // SAFETY: the token proves SSE.
        unsafe { _mm_sfence() }
    }

    #[inline(always)]
    fn bits(self, mask: Self::m32s) -> u32 {
        mask.0.into()
    }

    #[inline(always)]
    fn prefetch<T>(self, address: *const T) {
        // SAFETY: the token proves SSE; a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
    }

    #[inline(always)]
    fn prefetch_second<T>(self, address: *const T) {
        // SAFETY: the token proves SSE; a prefetch never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(address.cast()) }
    }
}
