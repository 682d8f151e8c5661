//! What is written for the sums of a product: stages that each turn sixteen values of a row into
//! sixteen others, joined with [`Output::then`] and compiled as one.

use super::layer::Known;
use super::{Error, Shape};
use crate::vector::PANEL;

/// Turns values into output elements, sixteen neighbours of one row at a time.
///
/// The first stage takes sums (`Output<i32>`, or short `Output`), each further one what the one
/// before it gives:
///
/// ```
/// use tilewise::gemm::{Bias, Dequantise, Gelu, Output, Requantise, Scales};
/// let bias = [0.5, -0.5];
/// let bytes = Dequantise { scales: Scales::All(0.25) }
///     .then(Bias(&bias))
///     .then(Gelu)
///     .then(Requantise { scale: 0.1, zero_point: 3u8 });
/// # fn writes<E>(_: &impl Output<Element = E>) -> usize { size_of::<E>() }
/// assert_eq!(writes(&bytes), 1);
/// ```
///
/// Floats are computed in 32 bits, in the order the stages and their descriptions give, each
/// operation rounded by itself; nothing is fused. So the bits are the same on every CPU, but for
/// those of a NaN: it is one on every CPU, its sign and payload are not defined.
///
/// Implement it for a stage of your own, with `#[inline(always)]` on [`Output::columns`] and
/// [`Output::convert`], which then are compiled for the instruction set in use; loops over the
/// sixteen values become operations on whole registers.
pub trait Output<In = i32>: Sync {
    /// What is written, or given to the next stage.
    type Element: Copy + Send + Sync;
    /// What sixteen columns need, read once for all rows of a tile.
    type Columns: Copy;

    /// Whether this goes with a product of that shape.
    ///
    /// # Errors
    /// An [`Error`] that says why not.
    fn check(&self, shape: Shape) -> Result<(), Error>;

    /// Reads what the columns from `first` on need; past the last column it does not matter.
    fn columns(&self, first: usize) -> Self::Columns;

    /// Converts the values of those columns in one row.
    fn convert(
        &self,
        columns: &Self::Columns,
        place: Place,
        values: [In; PANEL],
    ) -> [Self::Element; PANEL];

    /// What tiles know of this after `before`, if they can do it themselves; then they do it instead of
    /// [`Output::convert`].
    #[doc(hidden)]
    fn known<'a>(&'a self, _before: Known<'a, In>) -> Option<Known<'a, Self::Element>>
    where
        Self: Sized,
    {
        None
    }

    /// This, then `next`.
    fn then<O: Output<Self::Element>>(self, next: O) -> Then<Self, O>
    where
        Self: Sized,
    {
        Then(self, next)
    }
}

/// Where sixteen values stand.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Place {
    /// The row of the product.
    pub row: usize,
    /// The column of the first of them.
    pub column: usize,
    /// The scale of the row of the left operand.
    pub scale: f32,
}

/// Two stages, one after the other; made by [`Output::then`].
#[derive(Clone, Copy, Debug)]
pub struct Then<A, B>(A, B);

impl<In, A: Output<In>, B: Output<A::Element>> Output<In> for Then<A, B> {
    type Element = B::Element;
    type Columns = (A::Columns, B::Columns);

    fn check(&self, shape: Shape) -> Result<(), Error> {
        self.0.check(shape)?;
        self.1.check(shape)
    }

    #[inline(always)]
    fn columns(&self, first: usize) -> Self::Columns {
        (self.0.columns(first), self.1.columns(first))
    }

    fn known<'a>(&'a self, before: Known<'a, In>) -> Option<Known<'a, B::Element>> {
        self.1.known(self.0.known(before)?)
    }

    #[inline(always)]
    fn convert(
        &self,
        (a, b): &Self::Columns,
        place: Place,
        values: [In; PANEL],
    ) -> [B::Element; PANEL] {
        self.1.convert(b, place, self.0.convert(a, place, values))
    }
}

/// Writes the values as they are: the sums themselves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Store;

impl<In: Copy + Send + Sync> Output<In> for Store {
    type Element = In;
    type Columns = ();

    fn known<'a>(&'a self, before: Known<'a, In>) -> Option<Known<'a, In>> {
        Some(before)
    }

    fn check(&self, _shape: Shape) -> Result<(), Error> {
        Ok(())
    }

    #[inline(always)]
    fn columns(&self, _first: usize) {}

    #[inline(always)]
    fn convert(&self, (): &(), _place: Place, values: [In; PANEL]) -> [In; PANEL] {
        values
    }
}
