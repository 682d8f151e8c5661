//! The register vocabularies: the handful of operations that differ from one CPU to the next.
//!
//! Every algorithm in this crate is written once, over [`ByteDot`] for bytes and over
//! [`pulp::Simd`] with [`FloatExtra`] for floats. One small file per instruction set implements
//! them; all intrinsics live in those files. [`dispatch`] turns an [`Isa`] into the token that
//! carries the operations, [`dispatch_floats`] into the one that is enough for floats.
//!
//! # Bytes
//!
//! Weights stand in panels of 16 columns. One *step* of a panel is 4 depths of its 16 columns,
//! 64 bytes, the four depths of a column side by side:
//!
//! ```text
//! byte      0   1   2   3    4   5   6   7         60   61   62   63
//! column    0   0   0   0    1   1   1   1    ...  15   15   15   15
//! depth     0   1   2   3    0   1   2   3          0    1    2    3
//! ```
//!
//! One such step is one 512-bit register, two 256-bit registers, or a row of an AMX tile.
//!
//! Instruction sets without a dot product of bytes (AVX2, AVX-512 BW) have several ways to multiply
//! them, and say which suits what in [`ByteDot::choose`]: a chain through 16-bit pairs that is
//! exact only where no pair of weights can saturate (`Pairs`), and products of *words*
//! ([`WordDot`]), bytes widened to 16 bits, the rows' beforehand and the panels' beforehand or in
//! registers, which are always exact:
//!
//! ```text
//! word      0   1    2   3         30   31
//! column    0   0    1   1    ...  15   15        a word step: 2 depths, 64 bytes
//! ```

use crate::isa::{Isa, MissingIsa, Token};
use bytemuck::Pod;

#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod avx2;
#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod avx512;
#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod avx512_vnni;
#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod avx_vnni;
#[cfg(all(target_arch = "aarch64", not(tilewise_portable)))]
mod neon;
#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
mod pairs;
mod real;
mod scalar;
mod stream;
mod strip;
mod target;

#[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
pub(crate) use pairs::Pairs;
pub use real::Real;
pub use stream::{Region, Rows, store, stream};
pub use strip::{Row, Spot, Spots, Strip, Window, Windows, along};
pub use target::{Sink, Sinks, Target, TargetRows};

/// Columns in a panel of packed weights.
pub const PANEL: usize = 16;

/// Depths in a step.
pub const GROUP: usize = 4;

/// Four depths of the sixteen columns of a panel.
pub type Step = [[i8; GROUP]; PANEL];

/// Two depths of the sixteen columns of a panel, as words.
pub type WordStep = [[i16; 2]; PANEL];

/// Sixteen values from `start`, zeros where there are no more.
#[inline(always)]
pub(crate) fn window<T: Copy + Default>(values: &[T], start: usize) -> [T; PANEL] {
    let rest = &values[start..];
    let mut copy;
    // Where they are is chosen first, and read once. Each read where it is, whole ones were put where
    // the others are copied to, in memory, and what reads them from there has to wait.
    let values = match rest.first_chunk() {
        Some(full) => full,
        None => {
            copy = [T::default(); PANEL];
            copy[..rest.len()].copy_from_slice(rest);
            &copy
        }
    };
    *values
}

/// The integer vocabulary: sums of products of unsigned by signed bytes, sixteen columns at a
/// time, exact and wrapping.
///
/// `Acc` and `Rhs` cover the whole panel in as many registers as it takes, so that a tile body
/// never asks how wide a register is.
pub trait ByteDot: Token {
    /// Four depths of one row of the left operand, in every column's place.
    type Lhs: Copy;
    /// One step of a panel.
    type Rhs: Copy;
    /// Sixteen wrapping 32-bit sums.
    type Acc: Copy;

    /// No tile of more rows than this, of those its instruction set has, keeps all sums in
    /// registers; recipes with more are followed with as many.
    const MOST_ROWS: usize = usize::MAX;

    /// Sums of nothing.
    fn zero(self) -> Self::Acc;

    /// Sums to go on with.
    fn resume(self, sums: &[i32; PANEL]) -> Self::Acc;

    /// Loads one step of a panel.
    fn load(self, step: &Step) -> Self::Rhs;

    /// Puts four depths of a row beside every column.
    fn broadcast(self, group: [u8; GROUP]) -> Self::Lhs;

    /// `acc[c] + lhs[0] * rhs[c][0] + ... + lhs[3] * rhs[c][3]`, wrapping, for every column `c`.
    fn dot(self, acc: Self::Acc, lhs: Self::Lhs, rhs: Self::Rhs) -> Self::Acc;

    /// [`ByteDot::dot`] of a step that is also still where it was loaded from: products that would
    /// rather read it there once more than keep it in registers do not use `rhs`.
    #[inline(always)]
    fn dot_at(self, acc: Self::Acc, lhs: Self::Lhs, rhs: Self::Rhs, _step: &Step) -> Self::Acc {
        self.dot(acc, lhs, rhs)
    }

    /// Writes the sums out.
    fn store(self, acc: Self::Acc, out: &mut [i32; PANEL]);

    /// Whether [`ByteDot::choose`] looks at the weights. If not, it is asked once for all, and may
    /// call nothing but [`Choice::bytes`]: there is no room for words then.
    const CHOOSES: bool = false;

    /// Lets `choice` multiply in the vocabulary that is fastest for such operands: this one,
    /// where there is one dot product of bytes for all.
    #[inline(always)]
    fn choose<C: Choice>(self, _operands: Operands, choice: C) -> C::Output
    where
        Self: Vocabulary,
    {
        choice.bytes(self)
    }
}

/// What [`ByteDot::choose`] may know of a product.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Operands {
    /// Rows of the left operand.
    pub rows: usize,
    /// Whether every sum of two neighbouring products (depths 0 and 1, 2 and 3 of a step) fits 16
    /// bits, whatever the left operand.
    pub pairs_fit: bool,
}

impl Operands {
    /// So many rows, by weights of which nothing is known or whose pairs all fit.
    pub fn new(rows: usize, pairs_fit: bool) -> Self {
        Operands { rows, pairs_fit }
    }
}

/// Something to be done in the vocabulary that [`ByteDot::choose`] finds.
pub trait Choice {
    /// What it gives back.
    type Output;

    /// Called with a token that multiplies bytes.
    fn bytes<T: Vocabulary>(self, token: T) -> Self::Output;

    /// Called with a token that is faster with words.
    fn words<T: Vocabulary + WordDot>(self, token: T) -> Self::Output;

    /// Called with a token that multiplies bytes, but would rather have those of the left operand as
    /// words.
    fn word_rows<T: Vocabulary + WordDot>(self, token: T) -> Self::Output
    where
        Self: Sized,
    {
        self.bytes(token)
    }
}

/// Products of words, for instruction sets that multiply bytes by widening them: two depths a
/// step, exact and wrapping. Beginning, going on with and writing sums is as for bytes.
pub trait WordDot: ByteDot {
    /// Two depths of one row of the left operand, in every column's place.
    type LhsWords: Copy;
    /// One word step of a panel.
    type RhsWords: Copy;

    /// Loads one word step of a panel.
    fn load_words(self, step: &WordStep) -> Self::RhsWords;

    /// Puts two depths of a row beside every column.
    fn broadcast_words(self, group: [i16; 2]) -> Self::LhsWords;

    /// [`ByteDot::broadcast`] of bytes that are words already: those of depths 0 and 2, then those of
    /// 1 and 3.
    #[inline(always)]
    fn broadcast_pairs(self, [even, odd]: &[[i16; 2]; 2]) -> Self::Lhs {
        self.broadcast([even[0], odd[0], even[1], odd[1]].map(|word| word as u8))
    }

    /// `acc[c] + lhs[0] * rhs[c][0] + lhs[1] * rhs[c][1]`, wrapping, for every column `c`.
    fn dot_words(self, acc: Self::Acc, lhs: Self::LhsWords, rhs: Self::RhsWords) -> Self::Acc;
}

/// What [`pulp::Simd`] lacks and the kernels need.
///
/// Streaming stores are raw here and have a contract; [`stream`] is the safe way to use them.
#[allow(unsafe_code, reason = "a contract the callers must keep; `stream` keeps it")]
pub trait FloatExtra: pulp::Simd {
    /// As many registers as a panel of [`PANEL`] floats takes.
    type Panel: Pod + AsRef<[Self::f32s]> + AsMut<[Self::f32s]>;

    /// Whether there are stores that go past the caches. Where not, streaming is storing.
    const STREAMS: bool;

    /// Writes `value` past the caches.
    ///
    /// # Safety
    /// `to` is aligned to the size of a register, and this thread calls
    /// [`FloatExtra::stream_fence`] before anything else may look at `to`: another thread, or a
    /// lock or flag that lets another thread look.
    unsafe fn stream_f32s(self, to: &mut Self::f32s, value: Self::f32s);

    /// Like [`FloatExtra::stream_f32s`].
    ///
    /// # Safety
    /// As there.
    unsafe fn stream_f64s(self, to: &mut Self::f64s, value: Self::f64s);

    /// Makes streamed writes of this thread visible before any later write of it.
    fn stream_fence(self);

    /// Whether a loop [`along`] rows hides its counter, and where they begin, from the compiler.
    const HIDES: bool = false;

    /// Whether [`FloatExtra::join_f32s`] is cheaper than reading what stands across two lines.
    const JOINS: bool = false;

    /// As many lanes as a register has of `low` and `high` behind it, from lane `from` on: 0 (all
    /// of `low`) to the number of lanes (all of `high`).
    ///
    /// # Panics
    /// When `from` is more.
    #[inline(always)]
    fn join_f32s(self, low: Self::f32s, high: Self::f32s, from: usize) -> Self::f32s {
        let both = [low, high];
        Self::as_simd_f32s(&bytemuck::cast_slice(&both)[from..]).0[0]
    }

    /// Like [`FloatExtra::join_f32s`].
    #[inline(always)]
    fn join_f64s(self, low: Self::f64s, high: Self::f64s, from: usize) -> Self::f64s {
        let both = [low, high];
        Self::as_simd_f64s(&bytemuck::cast_slice(&both)[from..]).0[0]
    }

    /// Turns a square: row `i`, column `j` of what comes out is row `j`, column `i` of `square`.
    #[inline(always)]
    fn turn(self, square: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        let mut turned = square;
        for i in 0..8 {
            for j in 0..8 {
                turned[i][j] = square[j][i];
            }
        }
        turned
    }

    /// One bit for each lane of a mask, the first lane's the lowest.
    #[inline(always)]
    fn bits(self, mask: Self::m32s) -> u32 {
        let ones = self.select_u32s(mask, self.splat_u32s(1), self.splat_u32s(0));
        let lanes: &[u32] = bytemuck::cast_slice(core::slice::from_ref(&ones));
        lanes.iter().rev().fold(0, |bits, lane| bits << 1 | lane)
    }

    /// Asks for the line at `address` to be brought near, if there is one there. A hint: any
    /// address will do.
    fn prefetch<T>(self, address: *const T);

    /// [`FloatExtra::prefetch`], but no nearer than the second-level cache where the CPU can be
    /// told so.
    #[inline(always)]
    fn prefetch_second<T>(self, address: *const T) {
        self.prefetch(address);
    }
}

/// A token with both vocabularies: what an algorithm is generic over.
pub trait Vocabulary: ByteDot<Floats: FloatExtra> {}

impl<T: ByteDot<Floats: FloatExtra>> Vocabulary for T {}

/// Something to be done with whatever token [`dispatch`] or [`dispatch_floats`] finds.
pub trait Visitor {
    /// What the visit gives back.
    type Output;

    /// Called with the token of the chosen instruction set.
    fn visit<T: Vocabulary>(self, token: T) -> Self::Output;
}

/// Calls `visitor` with the token of `isa`.
///
/// # Errors
/// [`MissingIsa`] when this CPU lacks it.
pub fn dispatch<V: Visitor>(isa: Isa, visitor: V) -> Result<V::Output, MissingIsa> {
    match isa {
        #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
        Isa::AvxVnni => visit::<crate::isa::AvxVnni, V>(visitor),
        #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
        Isa::Avx512Vnni => visit::<crate::isa::Avx512Vnni, V>(visitor),
        other => dispatch_floats(other, visitor),
    }
}

/// Like [`dispatch`], for what multiplies no bytes: calls `visitor` with the token of
/// [`Isa::floats`], so that nothing is compiled twice to the same instructions.
///
/// # Errors
/// [`MissingIsa`] when this CPU lacks `isa` itself.
pub fn dispatch_floats<V: Visitor>(isa: Isa, visitor: V) -> Result<V::Output, MissingIsa> {
    if !isa.is_available() {
        return Err(MissingIsa(isa));
    }
    match isa.floats() {
        Isa::Scalar => visit::<crate::isa::Scalar, V>(visitor),
        #[cfg(all(target_arch = "aarch64", not(tilewise_portable)))]
        Isa::Neon => visit::<crate::isa::Neon, V>(visitor),
        #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
        Isa::Avx2 => visit::<crate::isa::Avx2, V>(visitor),
        #[cfg(all(target_arch = "x86_64", not(tilewise_portable)))]
        Isa::Avx512 => visit::<crate::isa::Avx512, V>(visitor),
        #[allow(unreachable_patterns, reason = "which names have code depends on the target")]
        other => Err(MissingIsa(other)),
    }
}

fn visit<T: Vocabulary, V: Visitor>(visitor: V) -> Result<V::Output, MissingIsa> {
    T::detect().map(|token| visitor.visit(token)).ok_or(MissingIsa(T::ISA))
}
