//! Which labels are held against the definition: all of them, or, where those would take longer than
//! what is checked, some from all over. A kernel that is wrong is seldom wrong about a single point.

use crate::workload::{Check, digest};
use tilewise::Matrix;
use tilewise::kmeans::{Shape, reference};
use tilewise::points::Element;

/// Fewest points whose labels are checked, where there are so many and that is affordable.
const CHECKED: usize = 4096;

/// Fewest points whose labels are checked, whatever that takes: if one label in a hundred is wrong, so
/// many miss all of them less than one time in ten (0.99 to the power of 256 is 0.08).
const FEWEST: usize = 256;

/// Features of points times centres up to which all are checked, and more than which a sample does not
/// take if it can be helped. Reckoned, not measured: an addition waits some 4 cycles for the one before
/// it, so one core at 4 GHz takes about a second for so many.
const AFFORDABLE: usize = 1_000_000_000;

/// Points whose labels are checked, evenly spaced.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    n: usize,
    step: usize,
}

impl Sample {
    /// All points.
    pub fn all(shape: Shape) -> Sample {
        Sample { n: shape.n, step: 1 }
    }

    /// Some 4096 points, up to three times as many, or all if there are fewer. Where so many would take
    /// long there are fewer of them, but 256 at least.
    pub fn some(shape: Shape) -> Sample {
        // Odd: an even step would meet the same lanes of every block.
        let odd = |step: usize| step.saturating_sub(1) | 1;
        let affordable = sums(shape).div_ceil(AFFORDABLE) | 1;
        let step = odd(shape.n / CHECKED).max(affordable);
        Sample { n: shape.n, step: step.min(odd(shape.n / FEWEST)) }
    }

    /// All points as long as that takes no time to speak of, else some.
    pub fn affordable(shape: Shape) -> Sample {
        if sums(shape) <= AFFORDABLE { Sample::all(shape) } else { Sample::some(shape) }
    }

    /// Their numbers.
    pub fn points(self) -> impl Iterator<Item = usize> {
        (0..self.n).step_by(self.step)
    }

    /// Their labels by the definition; the cores share them.
    ///
    /// # Panics
    /// When there are fewer rows than points.
    pub fn labels<T: Element>(
        self,
        rows: Matrix<'_, T>,
        centres: Matrix<'_, T::Centre>,
    ) -> Vec<u32> {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let mut labels = vec![0; self.n.div_ceil(self.step)];
        let each = labels.len().div_ceil(cores).max(1);
        std::thread::scope(|scope| {
            for (part, labels) in labels.chunks_mut(each).enumerate() {
                scope.spawn(move || {
                    for (at, label) in (part * each..).zip(labels) {
                        *label = reference::nearest(rows.row(at * self.step), centres).0;
                    }
                });
            }
        });
        labels
    }

    /// Holds the labels of these points, among those of all, against what the definition gives them.
    ///
    /// # Panics
    /// When there are fewer labels than points.
    pub fn check(self, labels: &[u32], expected: &[u32]) -> Check {
        let reference = match self.step {
            1 => "nearest centre by f64 distances, first of equals",
            _ => "nearest centre by f64 distances, first of equals; of some points",
        };
        let found: Vec<u32> = self.points().map(|point| labels[point]).collect();
        Check { output_digest: digest(labels), ..Check::compare(reference, &found, expected, 0.0) }
    }
}

/// Features of all points times centres.
fn sums(Shape { n, d, k }: Shape) -> usize {
    n.saturating_mul(d).saturating_mul(k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_points_are_checked_as_takes_no_time() {
        let points = |n, d, k| {
            let points: Vec<usize> = Sample::affordable(Shape { n, d, k }).points().collect();
            (points.len(), points.last().copied())
        };
        assert_eq!(points(1, 1, 1), (1, Some(0)));
        assert_eq!(points(1_000_000, 10, 100), (1_000_000, Some(999_999)));
        assert_eq!(points(1_000_000, 10, 101), (4116, Some(999_945)));
        assert_eq!(points(12_287, 1000, 1000), (946, Some(12_285)));
        // Each point alone would take long.
        assert_eq!(points(12_288, usize::MAX, 2), (262, Some(12_267)));
        assert_eq!(points(511, usize::MAX, 2), (511, Some(510)));
    }

    #[test]
    fn labels_are_held_against_the_definition_where_it_was_asked() {
        let shape = Shape { n: 20_000, d: 1, k: 2 };
        let values: Vec<f32> = (0..shape.n).map(|i| (i * 7919 % 10_007) as f32).collect();
        let rows = Matrix::new(&values, shape.n, 1).expect("rows");
        let centres = Matrix::new(&[9000.0, 10.0], 2, 1).expect("centres");
        let right = reference::assign(rows, centres).0;
        for (sample, compared) in [(Sample::all(shape), 20_000), (Sample::some(shape), 6667)] {
            let expected = sample.labels(rows, centres);
            let check = sample.check(&right, &expected);
            assert!(check.passed() && check.compared == compared);
            assert_eq!(check.output_digest, digest(&right));
            let mut wrong = right.clone();
            wrong[4443] = 1 - wrong[4443];
            assert!(!sample.check(&wrong, &expected).passed());
        }
    }
}
