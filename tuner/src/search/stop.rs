//! Whether it is worth going on: how likely some untried point is to be noticeably better.
//!
//! After Vuduc, Demmel and Bilmes, "Statistical models for empirical search-based performance
//! tuning" (2004): from points drawn blindly the distribution of all is estimated, and the search
//! ends when a better one is improbable. Theirs is the distribution as it was seen, which says
//! nothing beyond the best of the draws; here its upper half continues as an exponential does.
//! Noise of the draws widens that tail, so it errs towards going on.

use crate::measure::stats;

/// The gain that would be worth finding.
pub(super) const GAIN: f64 = 1.02;

/// The probability below which nobody waits for it.
const IMPROBABLE: f64 = 0.05;

/// Blind draws before anything is said.
const ENOUGH: usize = 16;

/// Whether any of `left` untried points is unlikely to be noticeably faster than `best`, judging by
/// the ratios of points that were drawn blindly.
pub(super) fn improbable(blind: &[f64], best: f64, left: usize) -> bool {
    blind.len() >= ENOUGH && expected_better(blind, best, left) < IMPROBABLE
}

/// How many of `left` points are expected to be faster than `best` by [`GAIN`]: never less than the
/// probability that one is.
fn expected_better(blind: &[f64], best: f64, left: usize) -> f64 {
    let logs: Vec<f64> = blind.iter().map(|ratio| ratio.ln()).collect();
    let Some(middle) = stats::median(&logs) else { return left as f64 };
    let beyond: Vec<f64> = logs.iter().map(|log| log - middle).filter(|&x| x > 0.0).collect();
    // With no spread among the draws there is none to continue.
    let mean = beyond.iter().sum::<f64>() / beyond.len().max(1) as f64;
    let share = beyond.len() as f64 / logs.len() as f64;
    let asked = (best * GAIN).ln() - middle;
    left as f64 * share * (-asked / mean.max(f64::MIN_POSITIVE)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exponential quantiles: the tail is then what is assumed.
    fn draws(count: usize, mean: f64) -> Vec<f64> {
        let at = |i: usize| (i as f64 + 0.5) / count as f64;
        (0..count).map(|i| (-mean * (1.0 - at(i)).ln()).exp()).collect()
    }

    #[test]
    fn the_expected_number_is_that_of_the_distribution() {
        for mean in [0.01, 0.1] {
            let blind = draws(1000, mean);
            let asked: f64 = 0.06;
            let right = 500.0 * (-asked / mean).exp();
            let found = expected_better(&blind, asked.exp() / GAIN, 500);
            assert!((found / right).ln().abs() < 0.1, "{found} {right}");
        }
    }

    #[test]
    fn few_draws_say_nothing_and_many_points_are_a_reason_to_go_on() {
        let blind = draws(16, 0.01);
        assert!(improbable(&blind, 1.06, 100));
        assert!(!improbable(&blind[..15], 1.06, 100));
        assert!(!improbable(&blind, 1.06, 100_000));
        assert!(!improbable(&draws(16, 0.1), 1.06, 100));
        assert!(improbable(&[1.0; 16], 1.0, 100), "all are alike");
    }
}
