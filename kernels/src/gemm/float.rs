//! Multiplication of floats: the driver, the tiles and the stages of INT8, on another product.
//!
//! Sums run over the depth in order, so their bits depend on the instruction set alone: neither on
//! the recipe nor on the team, nor on what other rows there are. Where the CPU has a fused
//! multiply-add it is used; [`Isa::Scalar`] rounds product and sum by themselves.
//!
//! The tiles are those of bytes. Taller ones of two panels (12x32, 14x32) stayed within 3 % of 8x48
//! on one core at the shapes of BERT, above and below it, and cutting the depth to 384 lost 1 to
//! 17 % in all but one case.

use super::drive::{Cuts, Destination, Epilogue, Multiply, Panels, Part, Room, TileSums};
use super::epilogue::{Places, Sink, Write};
use super::table::{RUN_ROWS, registers_of_panel};
use super::{Error, Line, Output, Recipe, Scratch, Shape, Split};
use crate::buffer::Buffer;
use crate::isa::{Isa, MissingIsa};
use crate::matrix::{Disjoint, Matrix, MatrixMut, RowsMut};
use crate::product::Floats;
use crate::team::{Member, Team, share};
use crate::vector::{PANEL, Visitor, Vocabulary, dispatch_floats};
use alloc::sync::Arc;
use core::ops::Range;

/// Float weights in panels of 16 columns, packed once for every instruction set and recipe. A
/// clone shares them.
#[derive(Clone, Debug)]
pub struct PackedFloats {
    steps: Arc<Buffer<[f32; PANEL]>>,
    k: usize,
    n: usize,
}

impl PackedFloats {
    /// Packs a matrix of `k` rows (depths) and `n` columns.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn pack(weights: Matrix<'_, f32>) -> Result<Self, Error> {
        let (k, n) = (weights.rows(), weights.cols());
        Self::fill(k, n, |panel, depth, step| {
            let columns = &weights.row(depth)[panel * PANEL..];
            let width = columns.len().min(PANEL);
            step[..width].copy_from_slice(&columns[..width]);
        })
    }

    /// Packs weights stored column by column: a matrix of `n` rows of `k` depths, as PyTorch
    /// stores those of a linear layer.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn pack_transposed(weights: Matrix<'_, f32>) -> Result<Self, Error> {
        let (k, n) = (weights.cols(), weights.rows());
        Self::fill(k, n, |panel, depth, step| {
            for (to, column) in step.iter_mut().zip(panel * PANEL..n) {
                *to = weights.row(column)[depth];
            }
        })
    }

    fn fill(
        k: usize,
        n: usize,
        read: impl Fn(usize, usize, &mut [f32; PANEL]),
    ) -> Result<Self, Error> {
        let mut steps = Buffer::zeroed(n.div_ceil(PANEL).saturating_mul(k))?;
        for (panel, steps) in steps.chunks_exact_mut(k.max(1)).enumerate() {
            for (depth, step) in steps.iter_mut().enumerate() {
                read(panel, depth, step);
            }
        }
        Ok(PackedFloats { steps: Arc::new(steps), k, n })
    }

    /// Rows of the weights, the depth of the product.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns of the weights and of the product.
    pub fn n(&self) -> usize {
        self.n
    }
}

/// A checked way to multiply floats: immutable, shareable, for any number of rows up to its
/// shape's.
///
/// ```
/// use tilewise::{Isa, Matrix, MatrixMut, Solo, cache::CacheSizes};
/// use tilewise::gemm::{Bias, FloatPlan, PackedFloats, Shape};
///
/// let shape = Shape { m: 2, n: 2, k: 3 };
/// let recipe = FloatPlan::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
/// let plan = FloatPlan::new(shape, Isa::best(), recipe)?;
/// let weights = PackedFloats::pack(Matrix::new(&[1., 2., 3., 4., 5., 6.], 3, 2)?)?;
/// let mut scratch = plan.scratch(1)?;
///
/// let mut out = [0.0; 4];
/// let lhs = Matrix::new(&[1., 0., 0., 1., 1., 1.], 2, 3)?;
/// let out_rows = MatrixMut::new(&mut out, 2, 2)?;
/// plan.run(lhs, &weights, &Bias(&[0.5, 0.0]), out_rows, &mut scratch, &Solo)?;
/// assert_eq!(out, [1.5, 2.0, 9.5, 12.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloatPlan {
    shape: Shape,
    isa: Isa,
    recipe: Recipe,
    cuts: Cuts,
}

impl FloatPlan {
    /// Rows of a block, at least, even if they do not stay in the second-level cache: with fewer
    /// all weights are fetched again and again from farther away. On one and two Zen 3 cores, where
    /// that cache has room for 8 to 42 rows, 128 make 1.57 and 1.23 of the speed at 384x4096x1024
    /// (rows, depth, columns), 1.11 and 1.04 at 384x1024x4096, 1.14 and 1.07 at 128x768x3072, 1.11
    /// and 1.02 at 128x3072x768; 64, 192 and 384 rows are within 7 % of 128.
    const ROWS: usize = 128;

    /// What cache sizes suggest.
    pub fn estimate(
        shape: Shape,
        isa: Isa,
        caches: &crate::cache::CacheSizes,
        threads: usize,
    ) -> Recipe {
        // A depth of one float takes as much room as one of four bytes.
        let bytes = Shape { k: shape.k.saturating_mul(size_of::<f32>()), ..shape };
        let estimate = Recipe::estimate(bytes, isa, caches, threads);
        let mc = estimate.mc.max(Self::ROWS).min(shape.m.max(1));
        // One tile wide where the rows of a block fill the second level: panels of floats are long for
        // their products, and read again from there for every few rows they make 0.96 to 1.0 of the
        // speed (128x3072x768, 384x1024x4096; rows, depth, columns; one Zen 3 core). Where the rows take
        // three quarters of it or less, panels take three eighths, for then the output is written along
        // its rows: 128x384x1536 makes 1.06 of the speed, 256x384x1152 1.04, 1024x384x1536 1.06,
        // 128x768x768 and 128x768x3072 1.02 (same core). Tiles of AVX-512 have up to four panels;
        // more were not tried there, nor with plain arrays.
        let block = mc.saturating_mul(bytes.k);
        let roomy = registers_of_panel(isa) > 1 && block <= caches.l2 / 4 * 3;
        let wide = estimate.tile.panels * PANEL;
        let nc = if roomy { estimate.nc } else { wide.min(shape.n.max(1)) };
        Recipe { mc, kc: shape.k.max(1), nc, ..estimate }
    }

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
        let steps = recipe.kc.min(shape.k.max(1));
        let cuts = Cuts { steps, ..recipe.check(shape, isa)? };
        Ok(FloatPlan { shape, isa, recipe, cuts })
    }

    /// Bytes of scratch for a team of `threads`.
    pub fn scratch_bytes(&self, threads: usize) -> usize {
        let members = threads.clamp(1, self.recipe.split.within(self.shape).parts());
        self.lines().saturating_mul(members).saturating_mul(size_of::<Line>())
    }

    /// Scratch for a team of `threads`; a larger team leaves the rest of its members idle.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn scratch(&self, threads: usize) -> Result<Scratch, Error> {
        Scratch::of_bytes(self.scratch_bytes(threads))
    }

    /// Lines of one member: sums that wait.
    fn lines(&self) -> usize {
        self.cuts.sums(self.shape.k)
    }

    /// Multiplies `lhs` by `weights` and writes what `output` makes of the sums to `out`.
    ///
    /// `lhs` may have fewer rows than the plan's shape; `out` has as many as `lhs`.
    ///
    /// # Errors
    /// As [`Plan::run`](super::Plan::run). Nothing is written then.
    pub fn run<O: Output<f32>>(
        &self,
        lhs: Matrix<'_, f32>,
        weights: &PackedFloats,
        output: &O,
        out: MatrixMut<'_, O::Element>,
        scratch: &mut Scratch,
        team: &dyn Team,
    ) -> Result<(), Error> {
        self.shape.check_operands([lhs.rows(), lhs.cols()], [weights.k, weights.n])?;
        self.shape.check_output(lhs.rows(), [out.rows(), out.cols()])?;
        output.check(Shape { m: lhs.rows(), ..self.shape })?;
        let lines = self.lines();
        scratch.check(lines, || self.scratch_bytes(1))?;
        let split = self.recipe.split.within(Shape { m: lhs.rows(), ..self.shape });
        let members = (scratch.lines.len() / lines).min(split.parts());
        let scratch = Disjoint::new(&mut scratch.lines);
        let call = Call { plan: self, lhs, weights, split, members, scratch };
        Ok(dispatch_floats(self.isa, Finish { call, output, out, team })??)
    }
}

/// A checked call, all but what becomes of the sums.
struct Call<'a> {
    plan: &'a FloatPlan,
    lhs: Matrix<'a, f32>,
    weights: &'a PackedFloats,
    split: Split,
    members: usize,
    scratch: Disjoint<'a, Line>,
}

/// A call and what becomes of its sums.
struct Finish<'a, O: Output<f32>> {
    call: Call<'a>,
    output: &'a O,
    out: MatrixMut<'a, O::Element>,
    team: &'a dyn Team,
}

impl<O: Output<f32>> Visitor for Finish<'_, O> {
    type Output = Result<(), MissingIsa>;

    fn visit<T: Vocabulary>(self, token: T) -> Result<(), MissingIsa> {
        let (columns, stride) = (self.out.cols(), self.out.stride());
        let out = self.out.into_disjoint();
        let write = Write::new(token, self.output, &out).at(0, columns, stride);
        self.call.run(&write, self.team)
    }
}

/// A call and where its tiles go.
struct OnTeam<'a> {
    call: &'a Call<'a>,
    sink: &'a dyn Sink<f32>,
    team: &'a dyn Team,
}

impl Visitor for OnTeam<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        // Without columns there is nothing to write, but there may be rows beyond number.
        if self.call.weights.n > 0 {
            self.team.run(&|member| self.call.member(token, member, self.sink));
        }
    }
}

impl Call<'_> {
    /// Generic over nothing, so that the tiles are compiled with this crate.
    #[inline(never)]
    fn run(&self, sink: &dyn Sink<f32>, team: &dyn Team) -> Result<(), MissingIsa> {
        dispatch_floats(self.plan.isa, OnTeam { call: self, sink, team })
    }

    fn member<T: Vocabulary>(&self, token: T, member: Member<'_>, sink: &dyn Sink<f32>) {
        let split = self.split;
        let members = self.members.min(member.count());
        if member.index() >= members {
            return;
        }
        let sums: &mut [[f32; PANEL]] = bytemuck::cast_slice_mut(self.room(member.index()));
        let rhs = Panels { data: &self.weights.steps[..], steps: self.weights.k };
        let multiply =
            Multiply { product: Floats(token), lhs: &self.lhs, rhs, cuts: self.plan.cuts };
        for index in member.share_among(members, split.parts()) {
            let (row, column) = (index / split.columns, index % split.columns);
            let rows = share(self.lhs.rows(), split.rows, row);
            let panels = share(self.weights.n.div_ceil(PANEL), split.columns, column);
            let room = Room { groups: &mut [], sums: &mut *sums, steps: &mut [] };
            // Sums that are floats are never dequantised, so no layer is known.
            let places = sink.places().map(|(places, _)| places);
            let mut finished = Finished { sink, places };
            multiply.run(Part { rows, panels }, room, &mut finished);
        }
    }

    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint output views")]
    fn room(&self, member: usize) -> &mut [Line] {
        let each = self.plan.lines();
        // SAFETY: each member asks once, for its own lines.
        unsafe { self.scratch.part(member * each..(member + 1) * each) }
    }
}

/// Hands sums on as they are.
struct Finished<'a> {
    sink: &'a dyn Sink<f32>,
    /// Where they go, if nothing is made of them.
    places: Option<Places<'a, f32>>,
}

impl<T: Vocabulary> Epilogue<Floats<T>> for Finished<'_> {
    type Last = ();

    #[inline(always)]
    fn destination(&self) -> Option<Destination> {
        self.sink.destination()
    }

    #[inline(always)]
    fn place(&self, rows: Range<usize>, panels: Range<usize>) -> Option<RowsMut<'_, f32>> {
        self.places.as_ref()?.tile(rows, panels)
    }

    #[inline(always)]
    fn finish(&mut self, tile: TileSums<'_, f32>) {
        self.sink.write(&tile, &[1.0; RUN_ROWS]);
    }
}
