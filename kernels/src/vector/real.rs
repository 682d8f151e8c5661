//! `f32` and `f64` as one: register operations named by the number they work on, so that a
//! float kernel is written once for both.
//!
//! Additions, subtractions and products, each rounded on its own, and products added in one
//! rounding where that is asked for by name: what is computed with these has the same bits on every
//! instruction set.

use super::FloatExtra;
use bytemuck::Pod;
use core::fmt::{Debug, Display};
use core::ops::{Add, Mul, Sub};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A kind of number the float kernels compute with: `f32` or `f64`.
#[allow(unsafe_code, reason = "a contract handed on from `FloatExtra`")]
pub trait Real:
    sealed::Sealed
    + Pod
    + Debug
    + Display
    + Default
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Into<f64>
    + Send
    + Sync
{
    /// Its name: `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// A register full of them.
    type Register<S: FloatExtra>: Pod;

    /// A truth value for each number in a register.
    type Mask<S: FloatExtra>: Copy;

    /// The nearest number.
    fn from_f64(value: f64) -> Self;

    /// How many stand in a register.
    #[inline(always)]
    fn lanes<S: FloatExtra>() -> usize {
        size_of::<Self::Register<S>>() / size_of::<Self>()
    }

    /// The same number in every lane.
    fn splat<S: FloatExtra>(simd: S, value: Self) -> Self::Register<S>;

    /// The whole registers in `numbers`, wherever in memory they begin; what is left over at the
    /// end is not among them.
    fn registers<S: FloatExtra>(numbers: &[Self]) -> &[Self::Register<S>];

    /// Like [`Real::registers`], for writing.
    fn registers_mut<S: FloatExtra>(numbers: &mut [Self]) -> &mut [Self::Register<S>];

    /// `a + b`.
    fn plus<S: FloatExtra>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
    ) -> Self::Register<S>;

    /// `a - b`.
    fn minus<S: FloatExtra>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
    ) -> Self::Register<S>;

    /// `a * b`.
    fn times<S: FloatExtra>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
    ) -> Self::Register<S>;

    /// `a * b + c`, rounded once.
    fn fused<S: FloatExtra>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;

    /// Lane `i` goes to lane `i + by`, the last `by` lanes to the first ones; `by` is less than
    /// the lanes there are.
    fn rotate_up<S: FloatExtra>(simd: S, a: Self::Register<S>, by: usize) -> Self::Register<S>;

    /// [`FloatExtra::join_f32s`] or its like.
    fn join<S: FloatExtra>(
        simd: S,
        low: Self::Register<S>,
        high: Self::Register<S>,
        from: usize,
    ) -> Self::Register<S>;

    /// True in the lanes `start <= lane < end`.
    fn lanes_between<S: FloatExtra>(simd: S, start: usize, end: usize) -> Self::Mask<S>;

    /// `yes` where the mask is true, `no` elsewhere.
    fn select<S: FloatExtra>(
        simd: S,
        mask: Self::Mask<S>,
        yes: Self::Register<S>,
        no: Self::Register<S>,
    ) -> Self::Register<S>;

    /// [`FloatExtra::stream_f32s`] or its like.
    ///
    /// # Safety
    /// As there.
    unsafe fn stream<S: FloatExtra>(simd: S, to: &mut Self::Register<S>, value: Self::Register<S>);
}

/// Implements [`Real`] for one number by the names pulp gives its operations.
macro_rules! real {
    ($real:ident, $registers:ident, $mask:ident, $index:ident, $number:literal,
     $splat:ident, $as_simd:ident, $as_mut_simd:ident, $add:ident, $sub:ident, $mul:ident, $mul_add:ident,
     $rotate_right:ident, $join:ident, $between:ident, $select:ident, $stream:ident) => {
        #[allow(unsafe_code, reason = "a contract handed on from `FloatExtra`")]
        impl Real for $real {
            const NAME: &'static str = $number;
            type Register<S: FloatExtra> = S::$registers;
            type Mask<S: FloatExtra> = S::$mask;

            #[inline(always)]
            fn from_f64(value: f64) -> Self {
                value as $real
            }

            #[inline(always)]
            fn splat<S: FloatExtra>(simd: S, value: Self) -> S::$registers {
                simd.$splat(value)
            }

            #[inline(always)]
            fn registers<S: FloatExtra>(numbers: &[Self]) -> &[S::$registers] {
                S::$as_simd(numbers).0
            }

            #[inline(always)]
            fn registers_mut<S: FloatExtra>(numbers: &mut [Self]) -> &mut [S::$registers] {
                S::$as_mut_simd(numbers).0
            }

            #[inline(always)]
            fn plus<S: FloatExtra>(simd: S, a: S::$registers, b: S::$registers) -> S::$registers {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn minus<S: FloatExtra>(simd: S, a: S::$registers, b: S::$registers) -> S::$registers {
                simd.$sub(a, b)
            }

            #[inline(always)]
            fn times<S: FloatExtra>(simd: S, a: S::$registers, b: S::$registers) -> S::$registers {
                simd.$mul(a, b)
            }

            #[inline(always)]
            fn fused<S: FloatExtra>(
                simd: S,
                a: S::$registers,
                b: S::$registers,
                c: S::$registers,
            ) -> S::$registers {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn rotate_up<S: FloatExtra>(simd: S, a: S::$registers, by: usize) -> S::$registers {
                simd.$rotate_right(a, by)
            }

            #[inline(always)]
            fn join<S: FloatExtra>(
                simd: S,
                low: S::$registers,
                high: S::$registers,
                from: usize,
            ) -> S::$registers {
                simd.$join(low, high, from)
            }

            #[inline(always)]
            fn lanes_between<S: FloatExtra>(simd: S, start: usize, end: usize) -> S::$mask {
                // pulp 0.22.3 indexes past its table for an empty range at the last lane.
                let (start, end) = if start < end { (start, end) } else { (0, 0) };
                simd.$between(start as $index, end as $index).mask()
            }

            #[inline(always)]
            fn select<S: FloatExtra>(
                simd: S,
                mask: S::$mask,
                yes: S::$registers,
                no: S::$registers,
            ) -> S::$registers {
                // pulp inlines the integer select always, the float one only perhaps.
                bytemuck::cast(simd.$select(mask, bytemuck::cast(yes), bytemuck::cast(no)))
            }

            #[inline(always)]
            unsafe fn stream<S: FloatExtra>(simd: S, to: &mut S::$registers, value: S::$registers) {
                // SAFETY: the contract is the same.
                unsafe { simd.$stream(to, value) }
            }
        }
    };
}

real!(
    f32,
    f32s,
    m32s,
    u32,
    "f32",
    splat_f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    mul_add_f32s,
    rotate_right_f32s,
    join_f32s,
    mask_between_m32s,
    select_u32s,
    stream_f32s
);
real!(
    f64,
    f64s,
    m64s,
    u64,
    "f64",
    splat_f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    mul_add_f64s,
    rotate_right_f64s,
    join_f64s,
    mask_between_m64s,
    select_u64s,
    stream_f64s
);
