//! What fields start from: a seed, or points of the user's.

use super::Field;
use tilewise::stencil::{Extent, Form};

/// Where the start of a field is from.
#[derive(Clone, Debug)]
pub enum Source<T> {
    /// Random values in 0..1 over a smooth hill, at rest.
    Seed(u64),
    /// These points, in row-major order, field after field. For a kind that keeps two steps as many
    /// may follow: the fields as they were one step before. Without them it starts at rest.
    Points(Vec<T>),
}

impl<T: Field> Source<T> {
    /// The fields as they are, in row-major order.
    pub(super) fn now(&self, form: Form, extent: Extent) -> Vec<T> {
        let seed = match self {
            Source::Seed(seed) => *seed,
            Source::Points(points) => {
                let one = extent.points().unwrap_or(usize::MAX).saturating_mul(form.fields);
                let now = if self.before(form, one).is_some() { one } else { points.len() };
                return points[..now].to_vec();
            }
        };
        let Extent { x, y, z } = extent;
        let fields = form.fields;
        let mut points = Vec::with_capacity(fields * x * y * z);
        for field in 0..fields as u64 {
            // The second of two substances is the rarer one.
            let share = if field > 0 { 0.25 } else { 1.0 };
            let value = |at| T::from_f64(share * start(seed + field, extent, at));
            for k in 0..z {
                for j in 0..y {
                    points.extend((0..x).map(|i| value([i, j, k])));
                }
            }
        }
        points
    }

    /// The fields as they were one step before, `one` points of all fields together, if they are given.
    pub(super) fn before(&self, form: Form, one: usize) -> Option<&[T]> {
        match self {
            Source::Points(points)
                if form.levels > 1 && Some(points.len()) == one.checked_mul(2) =>
            {
                Some(&points[one..])
            }
            _ => None,
        }
    }
}

/// The start value of a point: a hill in the middle, roughened by the seed.
fn start(seed: u64, extent: Extent, [x, y, z]: [usize; 3]) -> f64 {
    let index = (z * extent.y + y) * extent.x + x;
    // One round of splitmix64: neighbours are unrelated.
    let mut bits = (index as u64 ^ seed.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let rough = (bits >> 40) as f64 / (1u64 << 24) as f64;
    let middle = |at: usize, points: usize| {
        let share = (at as f64 + 0.5) / points as f64 - 0.5;
        1.0 - 4.0 * share * share
    };
    let hill = middle(x, extent.x) * middle(y, extent.y) * middle(z, extent.z);
    0.75 * hill + 0.25 * rough
}
