//! What a forward pass must give: the states of the reference, and how near the fast ones must be.

use super::Precision;
use crate::workload::{Check, digest};

/// What states in INT8 may differ by, as a share of what they are.
///
/// A token's difference is the root of the mean square over its numbers, each divided by the root of
/// the mean square of that number over all tokens, or by the median of those if that is more: so the
/// few that are far larger than the rest do not hide the others, and those that happen to be small in
/// a few tokens are not asked for more than the others.
///
/// MiniLM's sizes with weights from a seed come to 3 %; numbers that have nothing to do with each other
/// to more than 100 %.
const SHARE: f64 = 0.25;

/// The states of the reference.
#[derive(Clone, Debug)]
pub struct Expected {
    states: Vec<f32>,
    largest: f64,
    /// What each number of a token is divided by.
    sizes: Vec<f64>,
}

impl Expected {
    /// Of tokens of `columns` numbers each.
    ///
    /// # Panics
    /// Without columns.
    pub fn new(exact: &[f64], columns: usize) -> Expected {
        let rows = (exact.len() / columns).max(1) as f64;
        let mut squares = vec![0.0; columns];
        for row in exact.chunks_exact(columns) {
            squares.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
        }
        let sizes: Vec<f64> = squares.iter().map(|sum| (sum / rows).sqrt()).collect();
        let mut sorted = sizes.clone();
        sorted.sort_by(f64::total_cmp);
        let ordinary = sorted[columns / 2].max(f64::MIN_POSITIVE);
        Expected {
            states: exact.iter().map(|&x| x as f32).collect(),
            largest: exact.iter().fold(0.0, |most, x| most.max(x.abs())),
            sizes: sizes.into_iter().map(|size| size.max(ordinary)).collect(),
        }
    }

    /// Holds states against it. `reference` says what it is.
    ///
    /// Floats are compared number by number. Of bytes, every token must be near.
    pub fn check(&self, reference: &str, precision: Precision<'_>, states: &[f32]) -> Check {
        match precision {
            // A hundred thousandth of the largest number covers 24 layers of sums in 32 bits.
            Precision::Fp32 => {
                let tolerance = 1e-4f64.max(1e-5 * self.largest);
                Check::compare(reference, states, &self.states, tolerance)
            }
            Precision::Int8 | Precision::Int8Static(_) => Check {
                reference: format!("{reference}, token by token, each number by its usual size"),
                compared: states.len() as u64,
                max_error: self.share(states),
                tolerance: SHARE,
                output_digest: digest(states),
            },
        }
    }

    /// The greatest share a token differs by.
    fn share(&self, states: &[f32]) -> f64 {
        let columns = self.sizes.len();
        if states.len() != self.states.len() {
            return f64::MAX;
        }
        let rows = states.chunks_exact(columns).zip(self.states.chunks_exact(columns));
        let shares = rows.map(|(row, expected)| {
            let shares = row.iter().zip(expected).zip(&self.sizes);
            let squares = shares.map(|((a, b), size)| (f64::from(a - b) / size).powi(2));
            (squares.sum::<f64>() / columns as f64).sqrt()
        });
        // A NaN is no small error: it must not be lost in a maximum (and JSON has no infinity).
        shares.fold(0.0, |most, share| if share.is_finite() { most.max(share) } else { f64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tokens; the last number is far larger than the others.
    const EXACT: [f64; 8] = [1.0, -1.0, 0.5, 300.0, -1.0, 1.0, -0.5, 280.0];

    fn checked(change: impl Fn(usize, f64) -> f64) -> Check {
        let states: Vec<f32> =
            EXACT.iter().enumerate().map(|(index, &x)| change(index, x) as f32).collect();
        Expected::new(&EXACT, 4).check("r", Precision::Int8, &states)
    }

    #[test]
    fn a_number_that_stands_out_does_not_hide_the_others() {
        assert!(checked(|_, x| 1.02 * x).passed());
        // All but the largest are garbage; by the largest number that is under one hundredth.
        let garbage = checked(|index, x| if index % 4 == 3 { x } else { -x });
        assert!(!garbage.passed() && garbage.max_error > 1.0, "{garbage:?}");
        // One token alone is wrong.
        assert!(!checked(|index, x| if index < 3 { -x } else { x }).passed());
        assert!(!checked(|index, x| if index == 7 { 0.4 * x } else { x }).passed());
    }

    #[test]
    fn what_is_no_number_or_not_there_is_wrong() {
        assert!(!checked(|index, x| if index == 2 { f64::NAN } else { x }).passed());
        let expected = Expected::new(&EXACT, 4);
        assert!(!expected.check("r", Precision::Int8, &[1.0; 4]).passed());
        assert!(!expected.check("r", Precision::Fp32, &[1.0; 8]).passed());
        let nothing = Expected::new(&[0.0; 4], 4);
        assert!(nothing.check("r", Precision::Int8, &[0.0; 4]).passed());
        assert!(!nothing.check("r", Precision::Int8, &[0.0, 0.0, 1.0, 0.0]).passed());
    }
}
