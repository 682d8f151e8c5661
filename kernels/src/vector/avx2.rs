//! AVX2 without a byte dot product. Three ways of GEMM, all exact ([`ByteDot::choose`]), and a fourth:
//!
//! | way | instructions for 32 products | share of the f32 FMA roof |
//! |---|---|---|
//! | [`Pairs`], if no pair saturates | `vpmaddubsw`, `vpmaddwd`, `vpaddd` | 2.00 |
//! | words, widened beforehand | 2 `vpmaddwd`, 2 `vpaddd` | 1.75 |
//! | words by bytes, widened in registers | the same; of four rows a quarter of a `vpmaddubsw` and of a shift | 1.59 |
//! | bytes by bytes (attention) | the same, and half a `vpand` and half a shift | 1.41 |
//!
//! (Tiles in the first-level cache, Zen 5, one core; the last two when the third took a shift more.)
//! Widening panels beforehand pays when many rows share them. Only the panels beforehand, rows in
//! registers, reached 1.51; the two products of a step in one sum before the accumulator 1.68;
//! splitting the activations into 7 bits and 1, so that no pair saturates, needs three
//! multiplications where words need two.
//!
//! What words can reach depends on how a CPU shares its units out between multiplications and
//! additions. On one Zen 3 core, as a share of the FMA roof, in loops of assembly that read the
//! first-level cache alone: `vpmaddwd` by itself 2.0; `vpmaddwd` and `vpaddd` by turns, from registers,
//! 1.48 to 1.6; with the reads of a tile of 4 rows 1.25 to 1.28, of 5 and 6 rows 1.31 to 1.34, the
//! same to 1 % in whatever order, up to five products ahead of their additions. `vpsignb`, which can
//! make one side unsigned so that no pair saturates, is as many instructions as words and reaches 1.3
//! to 1.34. Of those, 1024^3 as a whole reaches 1.24.
#![allow(unsafe_code, reason = "intrinsics; the token proves AVX2")]

use super::{ByteDot, Choice, FloatExtra, GROUP, Operands, PANEL, Pairs, Step, WordDot, WordStep};
use crate::buffer::LINE;
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

    /// 8 registers of sums, 4 of a step, 2 of a group, a product and one that widens.
    const MOST_ROWS: usize = 4;

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
            in_order(_mm256_add_epi32(in_order(_mm256_add_epi32(acc, even)), odd))
        };
        [half(acc[0], rhs[0]), half(acc[1], rhs[1])]
    }

    #[inline(always)]
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]) {
        store_pair(acc, out);
    }

    const CHOOSES: bool = true;

    #[inline(always)]
    fn choose<C: Choice>(self, operands: Operands, choice: C) -> C::Output {
        match operands {
            Operands { pairs_fit: true, .. } => choice.bytes(Pairs(self)),
            Operands { rows: ..WIDEN_FROM, .. } => choice.word_rows(self),
            _ => choice.words(self),
        }
    }
}

/// Rows from which it pays to widen weights beforehand. On one Zen 3 core widening them in registers
/// makes 0.98 to 1.0 of the speed from 24 to 1024 rows (weights of 768 x 768, 1024 x 1024); with 20
/// rows it does 1.1 times as much a second as the other way with 24. CPUs that have three units for
/// all of it should lose more by it with many rows (reckoned by instructions).
///
/// Widening rows beforehand against widening them in registers, same core: 8 x 768 x 768 (rows,
/// depth, columns) makes 1.08 of the speed, 16 x 4096 x 1024 1.12, from memory 8 x 4096 x 4096 1.07
/// and 4 x 4096 x 4096 1.26; one row the same. The words of a row must be read a pair at a time: read
/// as one number and taken apart by shifts, 8 and 16 rows make 0.77.
const WIDEN_FROM: usize = 25;

impl ByteDot for Pairs<Avx2> {
    type Lhs = __m256i;
    type Rhs = [__m256i; 2];
    type Acc = [__m256i; 2];

    #[inline(always)]
    fn zero(self) -> Self::Acc {
        self.0.zero()
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
        // SAFETY: the token proves AVX2.
        let half = |acc, rhs| unsafe {
            let pairs = _mm256_maddubs_epi16(lhs, rhs);
            in_order(_mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))))
        };
        [half(acc[0], rhs[0]), half(acc[1], rhs[1])]
    }

    #[inline(always)]
    fn dot_at(self, acc: Self::Acc, lhs: __m256i, _: Self::Rhs, step: &Step) -> Self::Acc {
        // SAFETY: the token proves AVX2.
        unsafe { [dot_half::<0>(acc[0], lhs, step), dot_half::<32>(acc[1], lhs, step)] }
    }

    #[inline(always)]
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]) {
        store_pair(acc, out);
    }
}

/// Adds the products of half a step, read from memory for every row.
///
/// So two registers are free for the sums of a sixth row; with the step in registers the compiler
/// spilled two of them and moved ten others about. Reading is part of the multiplication and no
/// instruction of its own: a step of 6 rows is 47 instructions, one of 5 rows was 42. Its 18 reads
/// are hidden by 24 multiplications; words have half of those and would wait. One core: 64^3 took
/// 0.96 of the time, 1024^3 0.99; on Zen 3 five rows with the step in registers make 0.98 to 1.01 of
/// the speed from 128 rows on, 0.95 at 96x64x256. As assembly, for the compiler would read once and
/// keep it.
#[inline]
#[target_feature(enable = "avx2")]
fn dot_half<const FROM: usize>(mut sum: __m256i, lhs: __m256i, step: &Step) -> __m256i {
    const { assert!(FROM + size_of::<__m256i>() <= size_of::<Step>()) }
    // SAFETY: the bytes read are part of the step; nothing is written.
    unsafe {
        core::arch::asm!(
            "vpmaddubsw {pairs}, {lhs}, ymmword ptr [{step} + {from}]",
            "vpmaddwd {pairs}, {pairs}, {ones}",
            "vpaddd {sum}, {sum}, {pairs}",
            pairs = out(ymm_reg) _,
            lhs = in(ymm_reg) lhs,
            step = in(reg) step.as_ptr(),
            from = const FROM,
            ones = in(ymm_reg) _mm256_set1_epi16(1),
            sum = inout(ymm_reg) sum,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    sum
}

impl WordDot for Avx2 {
    type LhsWords = __m256i;
    type RhsWords = [__m256i; 2];

    #[inline(always)]
    fn load_words(self, step: &WordStep) -> Self::RhsWords {
        load_pair(bytemuck::cast_ref(step))
    }

    #[inline(always)]
    fn broadcast_words(self, group: [i16; 2]) -> __m256i {
        // SAFETY: the token proves AVX2.
        unsafe { _mm256_set1_epi32(bytemuck::cast(group)) }
    }

    #[inline(always)]
    fn broadcast_pairs(self, [even, odd]: &[[i16; 2]; 2]) -> Widened {
        Widened { even: self.broadcast_words(*even), odd: self.broadcast_words(*odd) }
    }

    #[inline(always)]
    fn dot_words(self, acc: Self::Acc, lhs: __m256i, rhs: Self::RhsWords) -> Self::Acc {
        // SAFETY: the token proves AVX2.
        let half =
            |acc, rhs| unsafe { in_order(_mm256_add_epi32(acc, _mm256_madd_epi16(lhs, rhs))) };
        [half(acc[0], rhs[0]), half(acc[1], rhs[1])]
    }
}

/// Hides from the compiler how a sum came about. It may add integers in any order, and would add
/// the products of several steps to each other first: then they need registers too, and sums are
/// spilled.
#[inline]
#[target_feature(enable = "avx2")]
fn in_order(mut sum: __m256i) -> __m256i {
    // SAFETY: no instruction at all.
    unsafe {
        core::arch::asm!(
            "/* {0} */",
            inout(ymm_reg) sum,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// Reads a line into two registers; AVX-VNNI does the same. As bytes, which need no alignment.
#[inline(always)]
pub(super) fn load_pair(line: &[u8; LINE]) -> [__m256i; 2] {
    let halves: &[[u8; LINE / 2]; 2] = bytemuck::cast_ref(line);
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
            // Once the even byte and never the odd one: one instruction where shifts are two.
            even: _mm256_maddubs_epi16(_mm256_set1_epi16(1), bytes),
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

    const HIDES: bool = true;

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
    fn turn(self, square: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        let mut rows: [__m256; 8] = bytemuck::cast(square);
        // SAFETY: the token proves AVX.
        unsafe {
            // Pairs of neighbours, then fours, each in both halves of a register; then halves.
            for i in [0, 2, 4, 6] {
                let [a, b] = [rows[i], rows[i + 1]];
                (rows[i], rows[i + 1]) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            }
            for i in [0, 1, 4, 5] {
                let [a, b] = [rows[i], rows[i + 2]].map(|row| _mm256_castps_pd(row));
                (rows[i], rows[i + 2]) = (
                    _mm256_castpd_ps(_mm256_unpacklo_pd(a, b)),
                    _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)),
                );
            }
            for i in 0..4 {
                let [a, b] = [rows[i], rows[i + 4]];
                (rows[i], rows[i + 4]) =
                    (_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
            }
            // Now in the order 0 2 1 3, twice.
            rows.swap(1, 2);
            rows.swap(5, 6);
        }
        bytemuck::cast(rows)
    }

    #[inline(always)]
    fn bits(self, mask: Self::m32s) -> u32 {
        // SAFETY: the token proves AVX.
        unsafe { _mm256_movemask_ps(bytemuck::cast(mask)) as u32 }
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
