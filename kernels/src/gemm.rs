//! INT8 matrix multiplication: bytes or floats in, 32-bit sums, real numbers or bytes out, the same
//! bits on every CPU.
//!
//! The story from the outside in:
//!
//! 1. Weights are [packed](PackedWeights) once, in a layout that depends on nothing else.
//! 2. A [`Recipe`] says how the work is cut: estimated, tuned or written by hand.
//! 3. A [`Plan`] checks recipe, shape and instruction set once, and is shared freely.
//! 4. [`Plan::run`] gives each member of a team its [part](Split) of the product, once floats on the
//!    left are bytes (`quantise`). In a part, blocks that fit the caches are cut into register
//!    tiles (`drive`), a tile multiplies rows by panels (`tile`), and a finished one goes through
//!    the stages of an [`Output`] while it is in registers, if they are those of a layer (`layer`), or
//!    else in the first-level cache (`epilogue`).
//!
//! [`Linear`] is the short way through all four, [`Plan::run_batch`] the way for many products of
//! one shape.
//!
//! # Exactness
//!
//! Sums are exact: an instruction that can saturate is used only with weights that cannot make it,
//! and the result equals three loops ([`mod@reference`]) bit for bit on every instruction set, with
//! every recipe, team and thread count; so do the numbers made of them, but that the bits of a NaN
//! are the CPU's. Sums are kept in 32 bits and wrap. They cannot wrap up to a depth of
//! [`EXACT_DEPTH`], whatever the bytes; beyond it, they are right modulo 2^32. Intermediate sums
//! may wrap earlier without harm: only the final value matters.
//!
//! # Zero sizes
//!
//! As in the BLAS: with no rows or no columns nothing is written; with no depth all sums are
//! zero, so that a bias alone remains.

mod ahead;
mod backend;
mod batch;
mod call;
mod cuts;
pub(crate) mod drive;
pub(crate) mod epilogue;
mod error;
mod float;
mod layer;
mod lhs;
mod linear;
mod operand;
mod output;
mod pack;
mod quantise;
mod recipe;
pub mod reference;
mod scratch;
mod stages;
mod table;
mod tile;
mod words;
mod zeros;

pub use backend::Backend;
pub use batch::Item;
pub use error::Error;
pub use float::{FloatPlan, PackedFloats};
#[doc(hidden)]
pub use layer::Known;
pub use lhs::Lhs;
pub use linear::Linear;
pub use output::{Output, Place, Store, Then};
pub use pack::{Fit, LoadError, PackedWeights};
pub use recipe::{Recipe, Split};
pub use scratch::Scratch;
pub use stages::{Add, Bias, Byte, Clamp, Dequantise, Gelu, GeluTanh, Relu, Requantise, Scales};
pub use table::{Tile, tiles};

use crate::isa::{Isa, MissingIsa};
use crate::matrix::MatrixMut;
use crate::team::Team;
use crate::vector::{Visitor, Vocabulary, dispatch, dispatch_floats};
use call::Call;
use core::fmt;
use drive::Cuts;
use epilogue::Write;
use scratch::Line;

/// The depth up to which no sum can wrap: each product `(a - za) * (b - zb)` is at most
/// 255 * 255 in size, without zero points of the weights 255 * 128 (for which the depth would be
/// 65793).
pub const EXACT_DEPTH: usize = i32::MAX as usize / (255 * 255);

/// The sizes of a product: `m` rows by `n` columns over a depth of `k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Shape {
    /// Rows of the left operand and of the product; the most of any call of a plan.
    pub m: usize,
    /// Columns of the weights and of the product.
    pub n: usize,
    /// Columns of the left operand, rows of the weights.
    pub k: usize,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m {}, n {}, k {}", self.m, self.n, self.k)
    }
}

impl Shape {
    /// Whether memory has addresses for all operands and for a line of scratch for each element.
    fn check_size(self) -> Result<(), Error> {
        let Shape { m, n, k } = self;
        let addressable = |a: usize, b: usize| {
            a.checked_mul(b).and_then(|len| len.checked_mul(size_of::<Line>())).is_some()
        };
        match addressable(m, n) && addressable(m, k) && addressable(n, k) {
            true => Ok(()),
            false => Err(Error::Oversized { shape: self }),
        }
    }

    /// Whether the rows and columns of both operands are those of a call of a plan.
    fn check_operands(self, lhs: [usize; 2], weights: [usize; 2]) -> Result<(), Error> {
        let Shape { m, n, k } = self;
        if lhs[0] > m || lhs[1] != k {
            return Err(self.mismatch("the left operand", lhs));
        }
        match weights == [k, n] {
            true => Ok(()),
            false => Err(self.mismatch("the matrix of weights", weights)),
        }
    }

    /// Whether an output of those rows and columns takes a product of so many rows.
    fn check_output(self, expected: usize, out: [usize; 2]) -> Result<(), Error> {
        let [given, columns] = out;
        if columns != self.n {
            return Err(self.mismatch("the output", out));
        }
        if given == expected { Ok(()) } else { Err(Error::OutputRows { given, expected }) }
    }

    fn mismatch(self, what: &'static str, [rows, columns]: [usize; 2]) -> Error {
        Error::Mismatch { what, rows, columns, expected: self }
    }
}

/// A checked way to multiply: immutable, shareable, for any number of rows up to its shape's.
///
/// ```
/// use tilewise::{Isa, Matrix, MatrixMut, Solo, cache::CacheSizes};
/// use tilewise::gemm::{Lhs, PackedWeights, Plan, Recipe, Shape, Store};
///
/// let shape = Shape { m: 2, n: 2, k: 3 };
/// let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
/// let plan = Plan::new(shape, Isa::best(), recipe)?;
/// let weights = PackedWeights::pack(Matrix::new(&[1, 2, 3, 4, 5, 6], 3, 2)?)?;
/// let mut scratch = plan.scratch(1)?;
///
/// let mut out = [0; 4];
/// let lhs = Lhs::u8(Matrix::new(&[1, 0, 0, 1, 1, 1], 2, 3)?, 0);
/// plan.run(lhs, &weights, &Store, MatrixMut::new(&mut out, 2, 2)?, &mut scratch, &Solo)?;
/// assert_eq!(out, [1, 2, 9, 12]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    shape: Shape,
    isa: Isa,
    recipe: Recipe,
    cuts: Cuts,
    /// Whether there must be room for words.
    chooses: bool,
}

impl Plan {
    /// Checks that `isa` is there and that `recipe` can be followed.
    ///
    /// # Errors
    /// [`Error::Isa`], [`Error::Oversized`], or [`Error::Tile`] and [`Error::ZeroInRecipe`] for
    /// the recipe.
    pub fn new(shape: Shape, isa: Isa, recipe: Recipe) -> Result<Self, Error> {
        if !isa.is_available() {
            return Err(Error::Isa(MissingIsa(isa)));
        }
        shape.check_size()?;
        let (cuts, chooses) = (recipe.check(shape, isa)?, dispatch(isa, Chooses)?);
        Ok(Plan { shape, isa, recipe, cuts, chooses })
    }

    /// The largest product it makes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The instruction set it uses.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How it cuts the work.
    pub fn recipe(&self) -> Recipe {
        self.recipe
    }

    /// Multiplies `lhs` by `weights` and writes what `output` makes of the sums to `out`.
    ///
    /// `lhs` may have fewer rows than the plan's shape; `out` has as many as `lhs`. Allocates
    /// nothing, unless the team does for itself.
    ///
    /// # Errors
    /// [`Error::Mismatch`], [`Error::OutputRows`], [`Error::Length`] when the operands do not fit
    /// the plan or each other, [`Error::Scratch`] when `scratch` is of a smaller plan, or for bytes
    /// alone and `lhs` of floats, and what [`Output::check`] says: of the stages here
    /// [`Error::Length`], [`Error::Residual`], [`Error::Clamp`] and [`Error::OutputScale`]. Nothing
    /// is written then.
    pub fn run<O: Output>(
        &self,
        lhs: Lhs<'_>,
        weights: &PackedWeights,
        output: &O,
        out: MatrixMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.check_output(lhs.rows(), output, [out.rows(), out.cols()])?;
        let call = self.call(lhs, weights, scratch)?;
        Ok(dispatch_floats(self.isa, Finish::<O, false> { call, output, out, team })??)
    }

    /// As [`run`](Plan::run), to an output that is stored column by column: `out` is its transpose,
    /// row `j` of it is column `j` of the product.
    ///
    /// ```
    /// # use tilewise::{Isa, Matrix, MatrixMut, Solo, cache::CacheSizes};
    /// # use tilewise::gemm::{Lhs, PackedWeights, Plan, Recipe, Shape, Store};
    /// # let shape = Shape { m: 2, n: 3, k: 1 };
    /// # let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
    /// # let plan = Plan::new(shape, Isa::best(), recipe)?;
    /// let weights = PackedWeights::pack(Matrix::new(&[1, 2, 3], 1, 3)?)?;
    /// let lhs = Lhs::u8(Matrix::new(&[1, 10], 2, 1)?, 0);
    /// let mut out = [0; 6]; // two rows and three columns, column by column
    /// let columns = MatrixMut::new(&mut out, 3, 2)?;
    /// plan.run_transposed(lhs, &weights, &Store, columns, &mut plan.scratch(1)?, &Solo)?;
    /// assert_eq!(out, [1, 10, 2, 20, 3, 30]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`run`](Plan::run); [`Error::Mismatch`] and [`Error::OutputRows`] speak of the rows
    /// and columns of the product.
    pub fn run_transposed<O: Output>(
        &self,
        lhs: Lhs<'_>,
        weights: &PackedWeights,
        output: &O,
        out: MatrixMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.check_output(lhs.rows(), output, [out.cols(), out.rows()])?;
        let call = self.call(lhs, weights, scratch)?;
        Ok(dispatch_floats(self.isa, Finish::<O, true> { call, output, out, team })??)
    }

    /// Checks the operands and hands out the scratch.
    fn call<'a>(
        &'a self,
        lhs: Lhs<'a>,
        weights: &'a PackedWeights,
        scratch: &'a mut Scratch,
    ) -> Result<Call<'a>, Error> {
        self.check(&lhs, weights)?;
        let floats = lhs.is_floats();
        let lines = self.shared_lines(floats).saturating_add(self.lines().all());
        scratch.check(lines, || self.bytes_of_call(1, floats))?;
        Ok(Call::new(self, lhs, weights, &mut scratch.lines))
    }

    fn check(&self, lhs: &Lhs<'_>, weights: &PackedWeights) -> Result<(), Error> {
        self.shape.check_operands([lhs.rows(), lhs.depth()], [weights.k(), weights.n()])?;
        lhs.check()
    }

    fn check_output<O: Output>(
        &self,
        rows: usize,
        output: &O,
        out: [usize; 2],
    ) -> Result<(), Error> {
        self.shape.check_output(rows, out)?;
        output.check(Shape { m: rows, ..self.shape })
    }
}

/// A call and what becomes of its sums.
struct Finish<'a, O: Output, const TRANSPOSED: bool> {
    call: Call<'a>,
    output: &'a O,
    out: MatrixMut<'a, O::Element>,
    team: &'a dyn Team,
}

impl<O: Output, const TRANSPOSED: bool> Visitor for Finish<'_, O, TRANSPOSED> {
    type Output = Result<(), MissingIsa>;

    fn visit<T: Vocabulary>(self, token: T) -> Result<(), MissingIsa> {
        let (columns, stride) = (self.call.plan.shape.n, self.out.stride());
        let out = self.out.into_disjoint();
        let write = Write::new(token, self.output, &out).at(0, columns, stride);
        self.call.run_to::<_, _, TRANSPOSED>(write, self.team)
    }
}

/// Asks a token whether it multiplies some weights otherwise than others.
struct Chooses;

impl Visitor for Chooses {
    type Output = bool;

    fn visit<T: Vocabulary>(self, _: T) -> bool {
        T::CHOOSES
    }
}
