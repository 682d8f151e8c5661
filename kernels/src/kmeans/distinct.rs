//! Points that are equal, once each: pictures have few colours beside their pixels.
//!
//! Only for bytes that weigh 1 each. Their sums are whole numbers, exact in any order, so that
//! centres fitted to distinct points by weight are those fitted to all points, to the bit. What is
//! not exact in any order (seeding, the tolerance, the inertia), or counts points one by one (what
//! becomes of empty clusters), sees all points.

use super::source::Source;
use crate::Matrix;
use crate::points::Element;
use alloc::{vec, vec::Vec};

/// Most bytes of a point.
const BYTES: usize = 8;

/// Fewer points are fitted sooner than counted.
const LEAST: usize = 1 << 14;

/// Distinct points, in the order of their first.
#[derive(Debug)]
pub(super) struct Distinct<T> {
    d: usize,
    rows: Vec<T>,
    /// How many points each stands for.
    pub(super) weights: Vec<f64>,
    /// Which of them each point is.
    pub(super) of: Vec<u32>,
}

impl<T: Element> Distinct<T> {
    /// Nothing where points are not bytes, not in memory, weigh something, or are mostly different.
    pub(super) fn find(source: Source<'_, T>, weights: Option<&[f64]>) -> Option<Self> {
        let (n, d) = (source.n(), source.d());
        let suits = size_of::<T>() == 1 && d <= BYTES && (LEAST..1 << 31).contains(&n);
        let held = source.held()?;
        if !suits || weights.is_some() {
            return None;
        }
        let most = n / 2;
        // A table of open addresses, never more than half full.
        let bits = (2 * most).next_power_of_two().trailing_zeros();
        let mut table: Vec<(u64, u32)> = Vec::new();
        table.try_reserve_exact(1 << bits).ok()?;
        table.resize(1 << bits, (0, u32::MAX));
        let mut found = Distinct { d, rows: Vec::new(), weights: Vec::new(), of: Vec::new() };
        found.of.try_reserve_exact(n).ok()?;
        let mut space = vec![T::default(); d];
        for point in 0..n {
            let features = held.point(point, &mut space);
            let mut key = [0; BYTES];
            key[..d].copy_from_slice(bytemuck::cast_slice(features));
            let key = u64::from_le_bytes(key);
            let mut at = (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize;
            while table[at].1 != u32::MAX && table[at].0 != key {
                at = (at + 1) % table.len();
            }
            if table[at].1 == u32::MAX {
                if found.weights.len() == most {
                    return None;
                }
                table[at] = (key, found.weights.len() as u32);
                found.rows.extend_from_slice(features);
                found.weights.push(0.0);
            }
            let index = table[at].1;
            found.weights[index as usize] += 1.0;
            found.of.push(index);
        }
        Some(found)
    }

    /// As points to be fitted.
    pub(super) fn source(&self) -> Source<'_, T> {
        let rows = Matrix::new(&self.rows, self.weights.len(), self.d);
        Source::Rows(rows.expect("d features for each"))
    }
}
