//! AVX-VNNI: the byte dot product on 256-bit registers, two to a panel.
//!
//! | instruction | what for | per 32 products |
//! |---|---|---|
//! | `vpdpbusd ymm` (VEX) | four products a lane added to 32 bits, wrapping | 1 |
#![allow(unsafe_code, reason = "intrinsics; the token proves AVX2 and AVX-VNNI")]

use super::avx2::{load_pair, store_pair};
use super::{ByteDot, GROUP, PANEL, Step};
use crate::isa::AvxVnni;
use core::arch::x86_64::*;

impl ByteDot for AvxVnni {
    type Lhs = __m256i;
    type Rhs = [__m256i; 2];
    type Acc = [__m256i; 2];

    #[inline(always)]
    fn zero(self) -> Self::Acc {
        // SAFETY: the token proves AVX2.
        unsafe { [_mm256_setzero_si256(); 2] }
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> Self::Acc {
        load_pair(bytemuck::cast_ref(sums))
    }

    #[inline(always)]
    fn load(self, step: &Step) -> Self::Rhs {
        load_pair(bytemuck::cast_ref(step))
    }

    #[inline(always)]
    fn broadcast(self, group: [u8; GROUP]) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_set1_epi32(i32::from_ne_bytes(group)) }
    }

    #[inline(always)]
    fn dot(self, acc: Self::Acc, lhs: __m256i, rhs: Self::Rhs) -> Self::Acc {
        // SAFETY: the token proves AVX-VNNI.
        let half = |acc, rhs| unsafe { _mm256_dpbusd_avx_epi32(acc, lhs, rhs) };
        [half(acc[0], rhs[0]), half(acc[1], rhs[1])]
    }

    #[inline(always)]
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]) {
        store_pair(acc, out);
    }
}
