//! The stages of an [`Output`] that a quantised network needs.

use super::layer::{Activation, Known};
use super::output::{Output, Place};
use super::{Error, Shape};
use crate::matrix::Matrix;
use crate::rows::{gelu, gelu_tanh, nearest};
use crate::vector::{PANEL, window};
use core::ops::RangeInclusive;

/// One scale for all, or one for each row or column.
///
/// They are taken as they are: one that is NaN or infinite makes such numbers, of its row or column
/// alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scales<'a> {
    /// The same for all.
    All(f32),
    /// One for each.
    Each(&'a [f32]),
}

impl Scales<'_> {
    /// Whether they are right for `expected` rows or columns, which want `each`.
    pub(super) fn check(
        &self,
        what: &'static str,
        each: &'static str,
        expected: usize,
    ) -> Result<(), Error> {
        match self {
            Scales::All(_) => Ok(()),
            Scales::Each(scales) => same_length(what, each, scales.len(), expected),
        }
    }

    /// That of a row.
    #[inline(always)]
    pub(super) fn at(&self, index: usize) -> f32 {
        match self {
            Scales::All(scale) => *scale,
            Scales::Each(scales) => scales[index],
        }
    }
}

pub(super) fn same_length(
    what: &'static str,
    each: &'static str,
    given: usize,
    expected: usize,
) -> Result<(), Error> {
    if given == expected { Ok(()) } else { Err(Error::Length { what, given, expected, each }) }
}

/// What a stage with a value for each column wants.
pub(super) const EACH_COLUMN: &str = "one for each column";

/// Makes real numbers of sums: `f32(sum) * (scale of the row * scale of the column)`.
///
/// The row's scale is that of the left operand ([`Lhs`](super::Lhs)).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dequantise<'a> {
    /// The scales of the weights.
    pub scales: Scales<'a>,
}

impl Output for Dequantise<'_> {
    type Element = f32;
    type Columns = [f32; PANEL];

    fn check(&self, shape: Shape) -> Result<(), Error> {
        let each = "one for each column, or Scales::All for all of them";
        self.scales.check("scales of the columns", each, shape.n)
    }

    #[inline(always)]
    fn columns(&self, first: usize) -> [f32; PANEL] {
        match self.scales {
            Scales::All(scale) => [scale; PANEL],
            Scales::Each(scales) => window(scales, first),
        }
    }

    fn known<'a>(&'a self, before: Known<'a, i32>) -> Option<Known<'a, f32>> {
        Some(before.dequantised(*self))
    }

    #[inline(always)]
    fn convert(&self, scales: &[f32; PANEL], place: Place, sums: [i32; PANEL]) -> [f32; PANEL] {
        let mut values = [0.0; PANEL];
        for c in 0..PANEL {
            values[c] = sums[c] as f32 * (place.scale * scales[c]);
        }
        values
    }
}

/// Adds one value to each column: `i32` to sums (wrapping like them), `f32` to real numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bias<'a, T>(pub &'a [T]);

impl Output for Bias<'_, i32> {
    type Element = i32;
    type Columns = [i32; PANEL];

    fn check(&self, shape: Shape) -> Result<(), Error> {
        same_length("biases", EACH_COLUMN, self.0.len(), shape.n)
    }

    #[inline(always)]
    fn columns(&self, first: usize) -> [i32; PANEL] {
        window(self.0, first)
    }

    #[inline(always)]
    fn convert(&self, bias: &[i32; PANEL], _: Place, mut sums: [i32; PANEL]) -> [i32; PANEL] {
        for c in 0..PANEL {
            sums[c] = sums[c].wrapping_add(bias[c]);
        }
        sums
    }
}

impl Output<f32> for Bias<'_, f32> {
    type Element = f32;
    type Columns = [f32; PANEL];

    fn check(&self, shape: Shape) -> Result<(), Error> {
        same_length("biases", EACH_COLUMN, self.0.len(), shape.n)
    }

    #[inline(always)]
    fn columns(&self, first: usize) -> [f32; PANEL] {
        window(self.0, first)
    }

    fn known<'a>(&'a self, before: Known<'a, f32>) -> Option<Known<'a, f32>> {
        before.biased(*self)
    }

    #[inline(always)]
    fn convert(&self, bias: &[f32; PANEL], _: Place, mut values: [f32; PANEL]) -> [f32; PANEL] {
        for c in 0..PANEL {
            values[c] += bias[c];
        }
        values
    }
}

/// Adds a matrix of the product's shape, a residual: `i32` to sums (wrapping like them), `f32` to real
/// numbers.
#[derive(Clone, Copy, Debug)]
pub struct Add<'a, T = f32>(pub Matrix<'a, T>);

impl<T> Add<'_, T> {
    fn same_shape(&self, shape: Shape) -> Result<(), Error> {
        let (given, expected) = ([self.0.rows(), self.0.cols()], [shape.m, shape.n]);
        if given == expected { Ok(()) } else { Err(Error::Residual { given, expected }) }
    }
}

impl Output for Add<'_, i32> {
    type Element = i32;
    type Columns = ();

    fn check(&self, shape: Shape) -> Result<(), Error> {
        self.same_shape(shape)
    }

    #[inline(always)]
    fn columns(&self, _first: usize) {}

    #[inline(always)]
    fn convert(&self, (): &(), place: Place, mut sums: [i32; PANEL]) -> [i32; PANEL] {
        let residual = window(self.0.row(place.row), place.column);
        for c in 0..PANEL {
            sums[c] = sums[c].wrapping_add(residual[c]);
        }
        sums
    }
}

impl Output<f32> for Add<'_, f32> {
    type Element = f32;
    type Columns = ();

    fn check(&self, shape: Shape) -> Result<(), Error> {
        self.same_shape(shape)
    }

    #[inline(always)]
    fn columns(&self, _first: usize) {}

    #[inline(always)]
    fn convert(&self, (): &(), place: Place, mut values: [f32; PANEL]) -> [f32; PANEL] {
        let residual = window(self.0.row(place.row), place.column);
        for c in 0..PANEL {
            values[c] += residual[c];
        }
        values
    }
}

/// Stages that look at one number at a time and keep nothing.
macro_rules! pointwise {
    ($($(#[$doc:meta])* $name:ident: $function:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name;

        impl Output<f32> for $name {
            type Element = f32;
            type Columns = ();

            fn check(&self, _shape: Shape) -> Result<(), Error> {
                Ok(())
            }

            #[inline(always)]
            fn columns(&self, _first: usize) {}

            fn known<'a>(&'a self, before: Known<'a, f32>) -> Option<Known<'a, f32>> {
                before.activated(Activation::$name)
            }

            #[inline(always)]
            fn convert(&self, (): &(), _: Place, mut values: [f32; PANEL]) -> [f32; PANEL] {
                for c in 0..PANEL {
                    values[c] = $function(values[c]);
                }
                values
            }
        }
    )*};
}

pointwise! {
    /// `x` where it is above zero, else zero. NaN stays NaN.
    Relu: |x: f32| if x <= 0.0 { 0.0 } else { x };

    /// GELU by the error function: `x * (1 + erf(x / sqrt 2)) / 2`, to within 1e-6. NaN stays NaN.
    ///
    /// Computed so, every operation rounded by itself:
    ///
    /// ```text
    /// a  the lesser of |x| and 5.3
    /// t  ((((r5 a + r4) a + r3) a + r2) a + r1) a + r0, squared four times
    /// y  max(x, 0) - t a
    /// r  0.9576057, -0.04777997, -0.01776691, -0.0013964656, 0.000692321, -4.5531808e-05
    /// ```
    Gelu: gelu;

    /// GELU by the hyperbolic tangent, `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`, to
    /// within 1e-6. NaN stays NaN.
    ///
    /// Computed as [`Gelu`] is, with 5.2 for 5.3 and `r0` to `r8`: 0.95760345, -0.04775306,
    /// -0.017877031, -0.0011277597, 0.00043357056, 0.00018192457, -0.000122003694, 2.5565103e-05,
    /// -1.8368269e-06.
    GeluTanh: gelu_tanh;
}

/// `low` for what is below it, `high` for what is above it. NaN stays NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// The least value, no greater than `high`; infinite for none.
    pub low: f32,
    /// The greatest value; infinite for none.
    pub high: f32,
}

impl Output<f32> for Clamp {
    type Element = f32;
    type Columns = ();

    fn check(&self, _shape: Shape) -> Result<(), Error> {
        let &Clamp { low, high } = self;
        if low <= high { Ok(()) } else { Err(Error::Clamp { low, high }) }
    }

    #[inline(always)]
    fn columns(&self, _first: usize) {}

    #[inline(always)]
    fn convert(&self, (): &(), _: Place, mut values: [f32; PANEL]) -> [f32; PANEL] {
        for c in 0..PANEL {
            let value = if values[c] < self.low { self.low } else { values[c] };
            values[c] = if value > self.high { self.high } else { value };
        }
        values
    }
}

/// Makes bytes of real numbers: `round(x * (1 / scale)) + zero_point`, saturated.
///
/// The product is rounded to the nearest whole number, ties to even, then the zero point is
/// added; what leaves the range of the byte becomes its end. NaN becomes the lowest byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Requantise<B> {
    /// What one step of a byte is worth: a normal number above zero.
    pub scale: f32,
    /// The byte that means zero.
    pub zero_point: B,
}

/// `u8` or `i8`.
pub trait Byte: sealed::Sealed + Copy + Into<i32> + Send + Sync {
    /// From the lowest to the highest.
    const RANGE: RangeInclusive<i32>;

    /// The byte of a number in the range.
    fn new(value: i32) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u8 {}
    impl Sealed for i8 {}
}

impl Byte for u8 {
    const RANGE: RangeInclusive<i32> = 0..=255;

    #[inline(always)]
    fn new(value: i32) -> u8 {
        value as u8
    }
}

impl Byte for i8 {
    const RANGE: RangeInclusive<i32> = -128..=127;

    #[inline(always)]
    fn new(value: i32) -> i8 {
        value as i8
    }
}

impl<B: Byte> Output<f32> for Requantise<B> {
    type Element = B;
    /// What values are multiplied with, for a division each would cost more than all the rest,
    /// and the zero point.
    type Columns = (f32, B);

    fn check(&self, _shape: Shape) -> Result<(), Error> {
        if self.scale.is_normal() && self.scale > 0.0 {
            return Ok(());
        }
        Err(Error::OutputScale { given: self.scale })
    }

    #[inline(always)]
    fn columns(&self, _first: usize) -> (f32, B) {
        (1.0 / self.scale, self.zero_point)
    }

    #[inline(always)]
    fn convert(
        &self,
        &(inverse, zero_point): &(f32, B),
        _: Place,
        values: [f32; PANEL],
    ) -> [B; PANEL] {
        let zero = zero_point.into();
        let (low, high) = (B::RANGE.start() - zero, B::RANGE.end() - zero);
        let mut bytes = [zero_point; PANEL];
        for c in 0..PANEL {
            bytes[c] = B::new(nearest(values[c] * inverse, low..=high) + zero);
        }
        bytes
    }
}
