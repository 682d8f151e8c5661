//! What a feature of a point can be: `f32`, `f64`, or `u8` as in pictures.
//!
//! Kernels read features where they lie and widen them in registers; nothing is copied to an
//! array of another type first. A fit of few features may copy points all the same: few of them as
//! `f64` while centres are chosen, many of them as they are, in another order
//! ([`Source`](crate::kmeans::Source) says when).

use crate::vector::Real;
use bytemuck::Pod;
use core::fmt::{Debug, Display};

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u8 {}
}

/// A kind of number that features are: `f32`, `f64` or `u8`.
pub trait Element:
    sealed::Sealed + Pod + Debug + Display + Default + PartialEq + Into<f64> + Send + Sync
{
    /// Its name: `"f32"`, `"f64"` or `"u8"`.
    const NAME: &'static str;

    /// What the centres fitted to such points are: `f32` for `f32`, else `f64`, as in
    /// scikit-learn.
    type Centre: Real;

    /// A number to be taken from features: no narrower than they are.
    type Offset: Copy;

    /// The nearest such number.
    fn offset(value: f64) -> Self::Offset;

    /// An offset as `f64`, exactly.
    fn offset_f64(offset: Self::Offset) -> f64;

    /// `self - offset`, rounded to `f32`.
    fn less(self, offset: Self::Offset) -> f32;

    /// The member of a family that is for this element.
    fn pick<F: Family>(family: F) -> F::Of<Self>;
}

/// Something there is one of for each element, say code behind a pointer.
pub trait Family {
    /// The one for `T`.
    type Of<T: 'static>;

    /// The one for `f32`.
    fn f32(self) -> Self::Of<f32>;

    /// The one for `f64`.
    fn f64(self) -> Self::Of<f64>;

    /// The one for `u8`.
    fn u8(self) -> Self::Of<u8>;
}

/// Implements [`Element`] for numbers that all are offsets of their own kind.
macro_rules! element {
    ($element:ident, $name:literal, $centre:ident, $offset:ident) => {
        impl Element for $element {
            const NAME: &'static str = $name;
            type Centre = $centre;
            type Offset = $offset;

            #[inline(always)]
            fn offset(value: f64) -> $offset {
                value as $offset
            }

            #[inline(always)]
            fn offset_f64(offset: $offset) -> f64 {
                offset.into()
            }

            #[inline(always)]
            fn less(self, offset: $offset) -> f32 {
                ($offset::from(self) - offset) as f32
            }

            #[inline]
            fn pick<F: Family>(family: F) -> F::Of<Self> {
                family.$element()
            }
        }
    };
}

element!(f32, "f32", f32, f32);
element!(f64, "f64", f64, f64);
element!(u8, "u8", f64, f32);
