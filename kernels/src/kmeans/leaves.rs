//! Sums in `f64`, in an order that neither threads nor recipes change: points are cut into leaves,
//! which are added in a binary tree, neighbours first. Which member sums which leaf decides nothing.

use super::Error;
use super::held::Piece;
use super::source::{Source, attempt};
use crate::Team;
use crate::matrix::Disjoint;
use crate::points::{BLOCK, Element};
use alloc::{vec, vec::Vec};

/// Most leaves: bounds the storage for sums, and leaves work for as many members.
const LEAVES: usize = 64;

/// Least points of a leaf: some microseconds of work.
const LEAST: usize = 2048;

/// How many points of `n` are summed in one go for `k` labels; a multiple of [`BLOCK`].
pub(super) fn leaf_points(n: usize, k: usize) -> usize {
    n.div_ceil(LEAVES).max(LEAST).max(k.saturating_mul(4)).next_multiple_of(BLOCK)
}

/// What `sum` adds to `width` zeros for every leaf of points, piece by piece, added in the tree.
pub(super) fn over_leaves<T: Element>(
    source: Source<'_, T>,
    (k, width): (usize, usize),
    team: &dyn Team,
    sum: &(dyn Fn(&mut [f64], Piece<'_, T>) + Sync),
) -> Result<Vec<f64>, Error> {
    let each = leaf_points(source.n(), k) / BLOCK;
    let leaves = source.blocks().div_ceil(each).max(1);
    let mut sums = vec![0.0; leaves * width];
    let shared = Disjoint::new(&mut sums);
    attempt(team, &|member| {
        member.share(leaves).try_for_each(|leaf| {
            #[allow(unsafe_code, reason = "disjoint output views")]
            // SAFETY: every leaf is one member's.
            let out = unsafe { shared.part(leaf * width..(leaf + 1) * width) };
            source.each(leaf * each..source.blocks().min((leaf + 1) * each), |piece| {
                sum(out, piece);
                Ok(())
            })
        })
    })?;
    let mut apart = 1;
    while apart < leaves {
        for left in (0..leaves - apart).step_by(2 * apart) {
            for at in left * width..(left + 1) * width {
                sums[at] += sums[at + apart * width];
            }
        }
        apart *= 2;
    }
    sums.truncate(width);
    Ok(sums)
}
