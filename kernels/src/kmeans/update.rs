//! Sums of the points of each label, in an order that neither threads nor recipes change.
//!
//! Points are cut into leaves of [`leaf_points`] points. A leaf is summed in the order of its
//! points, in `f64`; leaves are added in a binary tree, neighbours first. Which member sums which
//! leaf decides nothing.

use crate::points::BLOCK;

/// Most leaves: bounds the storage for sums, and leaves work for as many members.
const LEAVES: usize = 64;

/// Least points of a leaf: some microseconds of work.
const LEAST: usize = 2048;

/// How many points of `n` are summed in one go for `k` labels; a multiple of [`BLOCK`].
///
/// At least four for each label, so that adding leaves together, which costs `k` points each,
/// stays small beside summing them.
pub fn leaf_points(n: usize, k: usize) -> usize {
    n.div_ceil(LEAVES).max(LEAST).max(k.saturating_mul(4)).next_multiple_of(BLOCK)
}
