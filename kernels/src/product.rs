//! What one depth step of a register tile does: the seam between the matrix driver and the
//! numbers it multiplies.
//!
//! A tile multiplies rows of a left operand by panels of a right one. The left operand is read as
//! rows of *groups* (what one depth step takes of a row), the right one as panels of
//! [`PANEL`] columns of *steps* (what one depth step takes of a panel):
//!
//! | | group | step | sum | one step multiplies |
//! |---|---|---|---|---|
//! | [`Bytes`] | `[u8; 4]` | `[[i8; 4]; 16]` | `i32`, wrapping | 4 depths |
//! | [`Words`] | `[i16; 2]` | `[[i16; 2]; 16]` | `i32`, wrapping | 2 depths |
//! | [`WordRows`] | `[[i16; 2]; 2]` | `[[i8; 4]; 16]` | `i32`, wrapping | 4 depths |
//! | [`Floats`] | `f32` | `[f32; 16]` | `f32` | 1 depth |
//!
//! The driver, the tile body and the epilogues know this trait and nothing of bytes or floats;
//! this file knows nothing of blocking.
//!
//! Sums of bytes are exact, so every instruction set gives the same bits. Sums of floats run
//! over the depth in order whatever the recipe, so their bits depend on the instruction set only:
//! where the CPU has a fused multiply-add it is used, on plain arrays a multiplication and an
//! addition stand in for it, because a fused one is a library call there.

use crate::isa::Token;
use crate::vector::{FloatExtra, GROUP, PANEL, Step, Vocabulary, WordDot, WordStep};
use bytemuck::Pod;
use core::fmt::Debug;
use pulp::Simd;

/// How a tile multiplies and sums.
pub(crate) trait Product: Copy + Debug + Send + Sync + 'static {
    /// The proof of the instructions used.
    type Token: Token;
    /// One depth step of a row of the left operand, in memory.
    type Group: Pod + Send + Sync;
    /// One depth step of a panel of the right operand, in memory.
    type Step: Pod + Send + Sync;
    /// One sum, in memory.
    type Sum: Sum;
    /// A group in registers, beside every column.
    type Lhs: Copy;
    /// A step in registers.
    type Rhs: Copy;
    /// The sums of one row and one panel, in registers.
    type Acc: Copy;

    /// No tile of more rows than this has all its sums in registers.
    const MOST_ROWS: usize = usize::MAX;
    /// Steps that a tile takes between two looks at its counter: one or two. Tiles of some sizes take
    /// one all the same.
    const TOGETHER: usize = 1;
    /// Whether there is anything to be had by [`Product::prefetch`]. If so, tiles take one step at a
    /// time whatever [`Product::TOGETHER`] says.
    const ASKS: bool = true;

    /// The proof of the instructions used.
    fn token(self) -> Self::Token;

    /// Sums of nothing.
    fn zero(self) -> Self::Acc;

    /// Sums to go on with.
    fn resume(self, sums: &[Self::Sum; PANEL]) -> Self::Acc;

    /// Loads one step of a panel.
    fn load(self, step: &Self::Step) -> Self::Rhs;

    /// Puts one group of a row beside every column. By reference: a group that is taken apart again
    /// would else be read as one number and taken apart by shifts.
    fn broadcast(self, group: &Self::Group) -> Self::Lhs;

    /// `acc + lhs * rhs`, column by column.
    fn step(self, acc: Self::Acc, lhs: Self::Lhs, rhs: Self::Rhs) -> Self::Acc;

    /// [`Product::step`] by a step that is also still where it was loaded from.
    #[inline(always)]
    fn step_at(
        self,
        acc: Self::Acc,
        lhs: Self::Lhs,
        rhs: Self::Rhs,
        _step: &Self::Step,
    ) -> Self::Acc {
        self.step(acc, lhs, rhs)
    }

    /// Writes the sums out.
    fn store(self, acc: Self::Acc, sums: &mut [Self::Sum; PANEL]);

    /// Asks for the line at `address` to be brought near, if there is one there. A hint: any
    /// address will do.
    fn prefetch(self, address: *const Self::Step);

    /// [`Product::prefetch`], but no nearer than the second-level cache where the CPU can be told so.
    fn prefetch_second(self, address: *const Self::Step);
}

/// A sum, in memory.
pub(crate) trait Sum: Pod + Debug + Send + Sync {
    /// `sums - row * columns`, column by column.
    fn less(sums: [Self; PANEL], row: Self, columns: [Self; PANEL]) -> [Self; PANEL];
}

impl Sum for i32 {
    #[inline(always)]
    fn less(mut sums: [i32; PANEL], row: i32, columns: [i32; PANEL]) -> [i32; PANEL] {
        for c in 0..PANEL {
            sums[c] = sums[c].wrapping_sub(columns[c].wrapping_mul(row));
        }
        sums
    }
}

impl Sum for f32 {
    #[inline(always)]
    fn less(mut sums: [f32; PANEL], row: f32, columns: [f32; PANEL]) -> [f32; PANEL] {
        for c in 0..PANEL {
            sums[c] -= columns[c] * row;
        }
        sums
    }
}

/// Unsigned by signed bytes, summed in wrapping 32 bits. `F`: the form in which it reads its rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<T, F = AsTheyAre>(pub T, pub F);

/// [`Bytes`] whose rows are words: for so few of them that a panel is not worth making anew.
pub(crate) type WordRows<T> = Bytes<T, AsWords>;

/// The form in which a product reads rows of bytes.
pub(crate) trait RowForm<T: Vocabulary>: Copy + Debug + Send + Sync + 'static {
    /// [`Product::Group`].
    type Group: Pod + Send + Sync;

    /// [`Product::broadcast`].
    fn broadcast(simd: T, group: &Self::Group) -> T::Lhs;
}

/// Bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsTheyAre;

impl<T: Vocabulary> RowForm<T> for AsTheyAre {
    type Group = [u8; GROUP];

    #[inline(always)]
    fn broadcast(simd: T, group: &[u8; GROUP]) -> T::Lhs {
        simd.broadcast(*group)
    }
}

/// Widened to words: the even bytes of a group, then the odd ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsWords;

impl<T: Vocabulary + WordDot> RowForm<T> for AsWords {
    type Group = [[i16; 2]; 2];

    #[inline(always)]
    fn broadcast(simd: T, group: &[[i16; 2]; 2]) -> T::Lhs {
        simd.broadcast_pairs(group)
    }
}

impl<T: Vocabulary, F: RowForm<T>> Product for Bytes<T, F> {
    type Token = T;
    type Group = F::Group;
    type Step = Step;
    type Sum = i32;
    type Lhs = T::Lhs;
    type Rhs = T::Rhs;
    type Acc = T::Acc;

    const MOST_ROWS: usize = T::MOST_ROWS;

    #[inline(always)]
    fn token(self) -> T {
        self.0
    }

    #[inline(always)]
    fn zero(self) -> T::Acc {
        self.0.zero()
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> T::Acc {
        self.0.resume(sums)
    }

    #[inline(always)]
    fn load(self, step: &Step) -> T::Rhs {
        self.0.load(step)
    }

    #[inline(always)]
    fn broadcast(self, group: &F::Group) -> T::Lhs {
        F::broadcast(self.0, group)
    }

    #[inline(always)]
    fn step(self, acc: T::Acc, lhs: T::Lhs, rhs: T::Rhs) -> T::Acc {
        self.0.dot(acc, lhs, rhs)
    }

    #[inline(always)]
    fn step_at(self, acc: T::Acc, lhs: T::Lhs, rhs: T::Rhs, step: &Step) -> T::Acc {
        self.0.dot_at(acc, lhs, rhs, step)
    }

    #[inline(always)]
    fn store(self, acc: T::Acc, sums: &mut [i32; PANEL]) {
        self.0.store(acc, sums);
    }

    #[inline(always)]
    fn prefetch(self, address: *const Step) {
        self.0.floats().prefetch(address);
    }

    #[inline(always)]
    fn prefetch_second(self, address: *const Step) {
        self.0.floats().prefetch_second(address);
    }
}

/// Bytes widened to words, summed in wrapping 32 bits: what [`Bytes`] multiplies, in another form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words<T>(pub T);

impl<T: Vocabulary + WordDot> Product for Words<T> {
    type Token = T;
    type Group = [i16; 2];
    type Step = WordStep;
    type Sum = i32;
    type Lhs = T::LhsWords;
    type Rhs = T::RhsWords;
    type Acc = T::Acc;

    /// A word step of 6x16 is 32 instructions, as many as Zen 3 starts in the 6 cycles that its
    /// multiplications take: counting at every step is two too many. 128 x 768 x 768 took 0.95 of
    /// the time where another thread had half of the core, as much where none did. With four steps
    /// together the compiler spills.
    const TOGETHER: usize = 2;
    /// Word steps were made just before they are read.
    const ASKS: bool = false;

    #[inline(always)]
    fn token(self) -> T {
        self.0
    }

    #[inline(always)]
    fn zero(self) -> T::Acc {
        self.0.zero()
    }

    #[inline(always)]
    fn resume(self, sums: &[i32; PANEL]) -> T::Acc {
        self.0.resume(sums)
    }

    #[inline(always)]
    fn load(self, step: &WordStep) -> T::RhsWords {
        self.0.load_words(step)
    }

    #[inline(always)]
    fn broadcast(self, group: &[i16; 2]) -> T::LhsWords {
        self.0.broadcast_words(*group)
    }

    #[inline(always)]
    fn step(self, acc: T::Acc, lhs: T::LhsWords, rhs: T::RhsWords) -> T::Acc {
        self.0.dot_words(acc, lhs, rhs)
    }

    #[inline(always)]
    fn store(self, acc: T::Acc, sums: &mut [i32; PANEL]) {
        self.0.store(acc, sums);
    }

    #[inline(always)]
    fn prefetch(self, _address: *const WordStep) {}

    #[inline(always)]
    fn prefetch_second(self, _address: *const WordStep) {}
}

/// Floats of 32 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Floats<T>(pub T);

/// The registers that hold one panel of floats.
type Panel<T> = <<T as Token>::Floats as FloatExtra>::Panel;

impl<T: Token<Floats: FloatExtra>> Product for Floats<T> {
    type Token = T;
    type Group = f32;
    type Step = [f32; PANEL];
    type Sum = f32;
    type Lhs = <T::Floats as Simd>::f32s;
    type Rhs = Panel<T>;
    type Acc = Panel<T>;

    #[inline(always)]
    fn token(self) -> T {
        self.0
    }

    #[inline(always)]
    fn zero(self) -> Panel<T> {
        bytemuck::Zeroable::zeroed()
    }

    #[inline(always)]
    fn resume(self, sums: &[f32; PANEL]) -> Panel<T> {
        bytemuck::cast(*sums)
    }

    #[inline(always)]
    fn load(self, step: &[f32; PANEL]) -> Panel<T> {
        bytemuck::cast(*step)
    }

    #[inline(always)]
    fn broadcast(self, group: &f32) -> Self::Lhs {
        self.0.floats().splat_f32s(*group)
    }

    #[inline(always)]
    fn step(self, mut acc: Panel<T>, lhs: Self::Lhs, rhs: Panel<T>) -> Panel<T> {
        let simd = self.0.floats();
        for (sum, &rhs) in acc.as_mut().iter_mut().zip(rhs.as_ref()) {
            *sum = if T::Floats::IS_SCALAR {
                simd.add_f32s(*sum, simd.mul_f32s(lhs, rhs))
            } else {
                simd.mul_add_f32s(lhs, rhs, *sum)
            };
        }
        acc
    }

    #[inline(always)]
    fn store(self, acc: Panel<T>, sums: &mut [f32; PANEL]) {
        *sums = bytemuck::cast(acc);
    }

    #[inline(always)]
    fn prefetch(self, address: *const [f32; PANEL]) {
        self.0.floats().prefetch(address);
    }

    /// The first level all the same: only bytes are multiplied faster than memory brings them.
    #[inline(always)]
    fn prefetch_second(self, address: *const [f32; PANEL]) {
        self.prefetch(address);
    }
}
