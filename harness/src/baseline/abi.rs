//! What the harness and the plain source say to each other; this file is compiled into both.
//!
//! The plain source (`harness/baseline/`) is built several times by the build script, outside
//! cargo, so the two sides meet at the C calling convention: every build exports one [`Table`] of
//! functions. This file stands apart from the places `CONTRIBUTING.md` lists for unsafe code
//! because a slice cannot cross that border as a slice: [`Slice`] and [`SliceMut`] carry it over
//! as pointer and length. They can only be made from a slice and keep its borrow, which is all
//! that taking them apart again relies on. It knows nothing of instruction sets.
#![allow(unsafe_code, reason = "slices cross the C calling convention as pointer and length")]

use core::marker::PhantomData;

/// A borrowed slice on its way to another object file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Slice<'a, T> {
    start: *const T,
    len: usize,
    borrow: PhantomData<&'a [T]>,
}

impl<'a, T> From<&'a [T]> for Slice<'a, T> {
    fn from(slice: &'a [T]) -> Self {
        Slice { start: slice.as_ptr(), len: slice.len(), borrow: PhantomData }
    }
}

impl<'a, T> Slice<'a, T> {
    /// The slice it was made from.
    #[inline(always)]
    pub fn get(self) -> &'a [T] {
        // SAFETY: both fields come from a slice borrowed for `'a`.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}

/// A mutably borrowed slice on its way to another object file.
#[repr(C)]
#[derive(Debug)]
pub struct SliceMut<'a, T> {
    start: *mut T,
    len: usize,
    borrow: PhantomData<&'a mut [T]>,
}

impl<'a, T> From<&'a mut [T]> for SliceMut<'a, T> {
    fn from(slice: &'a mut [T]) -> Self {
        SliceMut { start: slice.as_mut_ptr(), len: slice.len(), borrow: PhantomData }
    }
}

impl<'a, T> SliceMut<'a, T> {
    /// The slice it was made from.
    #[inline(always)]
    pub fn get(self) -> &'a mut [T] {
        // SAFETY: both fields come from a slice mutably borrowed for `'a`; `self` is used up.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

/// `out = lhs * rhs`, sums wrapping.
#[repr(C)]
#[derive(Debug)]
pub struct Gemm<'a> {
    /// m x k, row-major.
    pub lhs: Slice<'a, u8>,
    /// k x n, or n x k for the order that wants columns; row-major.
    pub rhs: Slice<'a, i8>,
    /// m x n, row-major.
    pub out: SliceMut<'a, i32>,
    /// Columns of the result.
    pub n: usize,
    /// Depth.
    pub k: usize,
}

/// The nearest centre of every point.
#[repr(C)]
#[derive(Debug)]
pub struct Assign<'a> {
    /// Rows of `dims` features, or blocks of [`BLOCK`] points with the features apart.
    pub points: Slice<'a, f32>,
    /// Rows of `dims` features, or features of `centres` centres for the order that wants that.
    pub centres: Slice<'a, f32>,
    /// One a point.
    pub labels: SliceMut<'a, u32>,
    /// Room for a number a centre and for the features of [`FEW`] points, for the orders that
    /// keep them.
    pub room: SliceMut<'a, f32>,
    /// Features of a point.
    pub dims: usize,
}

/// Points in a block of the structure-of-arrays layout.
pub(super) const BLOCK: usize = 256;

/// Points whose features, sums and labels fit in the registers of a vector unit. On 273,280
/// pixels and 64 centres with AVX-512, one Zen 5 core: 16 points 0.90 ms, 32 0.82, 64 0.79,
/// 128 1.0; with AVX2 1.5, 1.8, 2.6, 2.9; with 64 dimensions 32 is best on both.
pub(super) const FEW: usize = 32;

/// One time step of the heat equation.
#[repr(C)]
#[derive(Debug)]
pub struct Sweep<'a, T> {
    /// The field before, with its rim.
    pub from: Slice<'a, T>,
    /// The field after; its rim is not touched.
    pub to: SliceMut<'a, T>,
    /// Points along x (adjacent in memory), y and z, rim included; z is 1 in two dimensions.
    pub extent: [usize; 3],
    /// Conductivity x time step / spacing^2.
    pub coefficient: T,
    /// Points per strip along the dimension that is cut, for the order that cuts one.
    pub strip: usize,
}

/// One time step of the heat equation in an array of structures.
#[repr(C)]
#[derive(Debug)]
pub struct Pairs<'a, T> {
    /// Two values a point, before and after by turns, with the rim.
    pub points: SliceMut<'a, T>,
    /// As in [`Sweep`].
    pub extent: [usize; 3],
    /// As in [`Sweep`].
    pub coefficient: T,
    /// Which of the two values is the one before: 0 or 1.
    pub from: usize,
}

/// `out = x * weights + bias`, in 32-bit floats.
#[repr(C)]
#[derive(Debug)]
pub struct Linear<'a> {
    /// Rows of `inputs` numbers.
    pub x: Slice<'a, f32>,
    /// A row of `inputs` numbers an output; or for the order that wants strips, `inputs` rows of
    /// [`STRIP`] outputs each, the last strip padded.
    pub weights: Slice<'a, f32>,
    /// A number an output.
    pub bias: Slice<'a, f32>,
    /// Rows of outputs.
    pub out: SliceMut<'a, f32>,
    /// Numbers in a row of `x`.
    pub inputs: usize,
}

/// Outputs in a strip: their sums fit in the registers of a vector unit, and are enough to wait for
/// none of them.
pub(super) const STRIP: usize = 64;

/// Rows of floats as bytes: `scale * (byte - zero)`, each row over its own range and 0.
#[repr(C)]
#[derive(Debug)]
pub struct Quantise<'a> {
    /// Rows of `inputs` numbers.
    pub x: Slice<'a, f32>,
    /// As many bytes.
    pub bytes: SliceMut<'a, u8>,
    /// A number a row.
    pub scales: SliceMut<'a, f32>,
    /// A number a row, a byte.
    pub zeros: SliceMut<'a, i32>,
    /// Numbers in a row.
    pub inputs: usize,
}

/// `out = x * weights + bias` for rows of bytes by weights of bytes, summed in 32 bits, wrapping.
#[repr(C)]
#[derive(Debug)]
pub struct LinearBytes<'a> {
    /// Rows of `inputs` bytes.
    pub x: Slice<'a, u8>,
    /// A number a row: what a step of its bytes is worth.
    pub scales: Slice<'a, f32>,
    /// A number a row: the byte that means zero.
    pub zeros: Slice<'a, i32>,
    /// As in [`Linear`]; zero means zero.
    pub weights: Slice<'a, i8>,
    /// A number an output: what a step of its weights is worth.
    pub weight_scales: Slice<'a, f32>,
    /// A number an output: the sum of its weights.
    pub weight_sums: Slice<'a, i32>,
    /// A number an output.
    pub bias: Slice<'a, f32>,
    /// Rows of outputs.
    pub out: SliceMut<'a, f32>,
    /// Bytes in a row of `x`.
    pub inputs: usize,
}

/// Attention within one sequence.
#[repr(C)]
#[derive(Debug)]
pub struct Attend<'a> {
    /// A row a token: queries, keys and values, `hidden` numbers each.
    pub qkv: Slice<'a, f32>,
    /// Rows of `hidden` numbers.
    pub out: SliceMut<'a, f32>,
    /// A number a token.
    pub room: SliceMut<'a, f32>,
    /// Numbers of all heads.
    pub hidden: usize,
    /// Numbers of a head.
    pub head: usize,
}

/// A layer norm, in place.
#[repr(C)]
#[derive(Debug)]
pub struct Norm<'a> {
    /// As long as `weights` each.
    pub rows: SliceMut<'a, f32>,
    /// Is added before; as long as all rows, or nothing.
    pub residual: Slice<'a, f32>,
    /// A number a column.
    pub weights: Slice<'a, f32>,
    /// A number a column.
    pub bias: Slice<'a, f32>,
    /// Is added to the variance.
    pub epsilon: f32,
}

/// Multiplies matrices.
pub(super) type GemmFn = extern "C" fn(Gemm<'_>);
/// Assigns points.
pub(super) type AssignFn = extern "C" fn(Assign<'_>);
/// Makes a time step.
pub(super) type SweepFn<T> = extern "C" fn(Sweep<'_, T>);
/// Makes a time step in an array of structures.
pub(super) type PairsFn<T> = extern "C" fn(Pairs<'_, T>);
/// Runs a linear layer.
pub(super) type LinearFn = extern "C" fn(Linear<'_>);
/// Runs a linear layer of bytes.
pub(super) type LinearBytesFn = extern "C" fn(LinearBytes<'_>);

/// What one build of the plain source exports. The orders of loops are told in `harness/baseline/`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// i-k-j.
    pub gemm_rows: GemmFn,
    /// i-j-k.
    pub gemm_dots: GemmFn,
    /// Rows of points, one after the other.
    pub assign_rows: AssignFn,
    /// Rows of points, all centres at once.
    pub assign_rows_lanes: AssignFn,
    /// Rows of points, turned to columns a few at a time.
    pub assign_rows_turned: AssignFn,
    /// Blocks, one centre after the other.
    pub assign_blocks: AssignFn,
    /// Blocks, a few points at a time.
    pub assign_blocks_lanes: AssignFn,
    /// 5 points, f32: whole rows, and strips of columns.
    pub heat5_f32: [SweepFn<f32>; 2],
    /// 5 points, f64.
    pub heat5_f64: [SweepFn<f64>; 2],
    /// 7 points, f32: whole planes, and strips of rows.
    pub heat7_f32: [SweepFn<f32>; 2],
    /// 7 points, f64.
    pub heat7_f64: [SweepFn<f64>; 2],
    /// 5 points, an array of structures.
    pub heat5_pairs_f32: PairsFn<f32>,
    /// 5 points, an array of structures, f64.
    pub heat5_pairs_f64: PairsFn<f64>,
    /// 7 points, an array of structures.
    pub heat7_pairs_f32: PairsFn<f32>,
    /// 7 points, an array of structures, f64.
    pub heat7_pairs_f64: PairsFn<f64>,
    /// Weights as stored, and in strips.
    pub linear: [LinearFn; 2],
    /// Rows as bytes.
    pub quantise: extern "C" fn(Quantise<'_>),
    /// The same as `linear`, of bytes.
    pub linear_bytes: [LinearBytesFn; 2],
    /// Attention.
    pub attend: extern "C" fn(Attend<'_>),
    /// Layer norm.
    pub norm: extern "C" fn(Norm<'_>),
    /// GELU by the error function, in place.
    pub gelu: extern "C" fn(SliceMut<'_, f32>),
}
