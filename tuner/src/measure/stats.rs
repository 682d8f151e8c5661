//! Medians and their exact intervals.
//!
//! The number of samples that fall below the true median is binomial with probability one half,
//! whatever the distribution. So the k-th smallest and the k-th largest of n samples enclose the
//! median with a probability that depends on n and k alone: no normality, no variance, no
//! trimming. Six samples are the fewest for which the smallest and the largest do so in 95 %.

use serde::{Deserialize, Serialize};

/// The probability with which every interval in this project encloses the truth at least.
pub const CONFIDENCE: f64 = 0.95;

/// The fewest samples for which there is an interval at [`CONFIDENCE`].
pub const MIN_ROUNDS: usize = 6;

/// A median with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The middle sample, or the mean of the middle two.
    pub median: f64,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
    /// Samples it rests on, one a round.
    pub rounds: usize,
}

impl Estimate {
    /// Median and interval of `samples`; `None` when there are too few for this confidence.
    ///
    /// ```
    /// use tilewise_tuner::measure::{Estimate, stats::CONFIDENCE};
    /// let estimate = Estimate::of(&[5., 1., 4., 2., 6., 3.], CONFIDENCE).unwrap();
    /// assert_eq!((estimate.lo, estimate.median, estimate.hi), (1., 3.5, 6.));
    /// assert_eq!(Estimate::of(&[1., 2., 3., 4., 5.], CONFIDENCE), None);
    /// ```
    pub fn of(samples: &[f64], confidence: f64) -> Option<Estimate> {
        let rounds = samples.len();
        let rank = rank(rounds, confidence)?;
        let mut sorted = samples.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (lo, hi) = (sorted[rank - 1], sorted[rounds - rank]);
        Some(Estimate { median: middle(&sorted)?, lo, hi, rounds })
    }

    /// Median and interval of quotients, taken among their logarithms, so that turning every
    /// quotient over turns the result over.
    pub fn of_ratios(ratios: &[f64], confidence: f64) -> Option<Estimate> {
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let e = Estimate::of(&logs, confidence)?;
        Some(Estimate { median: e.median.exp(), lo: e.lo.exp(), hi: e.hi.exp(), ..e })
    }
}

/// The middle of `samples`, or the mean of the middle two; `None` for none at all.
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    middle(&sorted)
}

/// The mean of factors: that of their logarithms. `None` of none.
///
/// ```
/// use tilewise_tuner::measure::stats;
/// assert_eq!(stats::geometric_mean(&[0.5, 2.0]), Some(1.0));
/// ```
pub fn geometric_mean(factors: &[f64]) -> Option<f64> {
    let logs: f64 = factors.iter().map(|factor| factor.ln()).sum();
    (!factors.is_empty()).then(|| (logs / factors.len() as f64).exp())
}

fn middle(sorted: &[f64]) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    Some((sorted[last / 2] + sorted[last.div_ceil(2)]) / 2.0)
}

/// The largest k for which the k-th smallest and the k-th largest of `n` samples enclose the
/// median with at least probability `confidence`; `None` when not even the extremes do.
pub fn rank(n: usize, confidence: f64) -> Option<usize> {
    let outside = (1.0 - confidence) / 2.0;
    // P(fewer than k of n below the median), summed term by term; in logarithms, because 2^-n
    // leaves the range of f64 at n = 1075.
    let mut log_term = n as f64 * 0.5f64.ln();
    let mut below = 0.0;
    let mut k = 0;
    while k <= n / 2 {
        below += log_term.exp();
        if below > outside {
            break;
        }
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
        k += 1;
    }
    (k > 0).then_some(k)
}

/// How strongly `slower` rounds out of `slower + others` speak against the claim that a round is
/// slower at most half the time: an e-value, which under that claim reaches `1 / a` with
/// probability `a` at most, *whenever* one looks and however often (Ville's inequality). So a race
/// may be looked at after every round.
///
/// It is the mean of the likelihood ratios of all chances from a half to one against a half.
pub fn evidence_of_slower(slower: usize, others: usize) -> f64 {
    let rounds = slower + others;
    // 2^(n+1) s! f! / (n+1)! times the chance that of n + 1 fair coins s at most are heads.
    let mut log_term = 0.0f64;
    let mut at_most = 0.0;
    let mut log_choices = 0.0;
    for heads in 0..=slower {
        at_most += log_term.exp();
        if heads == slower {
            log_choices = log_term;
        }
        log_term += ((rounds + 1 - heads) as f64 / (heads + 1) as f64).ln();
    }
    // The powers of two cancel. s! f! / (n+1)! is 1 / ((n+1 choose s) (f+1)).
    at_most / (log_choices.exp() * (others + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_binomial_tables() {
        let table = [
            (6, 1),
            (8, 1),
            (9, 2),
            (11, 2),
            (12, 3),
            (14, 3),
            (15, 4),
            (17, 5),
            (20, 6),
            (25, 8),
            (30, 10),
            (52, 19),
            (100, 40),
            (200, 86),
        ];
        for (n, k) in table {
            assert_eq!(rank(n, CONFIDENCE), Some(k), "n = {n}");
        }
        assert_eq!(rank(MIN_ROUNDS - 1, CONFIDENCE), None);
        assert_eq!(rank(0, CONFIDENCE), None);
        assert_eq!(rank(7, 0.99), None);
        assert_eq!(rank(8, 0.99), Some(1));
    }

    /// Against the definition, in whole numbers: twice the tail of Pascal's triangle.
    #[test]
    fn ranks_are_the_largest_that_keep_the_promise() {
        for n in 6..=60usize {
            let mut binomials = vec![1u128];
            for i in 0..n {
                binomials.push(binomials[i] * (n - i) as u128 / (i + 1) as u128);
            }
            let coverage = |k: usize| {
                let below: u128 = binomials[..k].iter().sum();
                1.0 - 2.0 * below as f64 / (1u128 << n) as f64
            };
            let k = rank(n, CONFIDENCE).expect("an interval");
            assert!(coverage(k) >= CONFIDENCE && coverage(k + 1) < CONFIDENCE, "n = {n}, k = {k}");
        }
        assert!(
            rank(5000, CONFIDENCE).is_some_and(|k| (2420..2440).contains(&k)),
            "2500 - 0.98 sqrt n"
        );
    }

    #[test]
    fn turning_quotients_over_turns_the_estimate_over() {
        let ratios = [1.1, 0.9, 2.0, 1.3, 1.7, 0.4, 1.2];
        let over: Vec<f64> = ratios.iter().map(|ratio| 1.0 / ratio).collect();
        let one = Estimate::of_ratios(&ratios, CONFIDENCE).expect("seven");
        let other = Estimate::of_ratios(&over, CONFIDENCE).expect("seven");
        for (a, b) in [(one.median, other.median), (one.lo, other.hi), (one.hi, other.lo)] {
            assert!((a * b - 1.0).abs() < 1e-12, "{a} {b}");
        }
    }

    #[test]
    fn evidence_is_the_integral_it_stands_for() {
        for (slower, others) in [(0, 0), (6, 0), (0, 6), (10, 3), (3, 10), (30, 30)] {
            let steps = 100_000;
            let at = |i: usize| 0.5 + (i as f64 + 0.5) / steps as f64 / 2.0;
            let ratio = |p: f64| (2.0 * p).powi(slower) * (2.0 * (1.0 - p)).powi(others);
            let mean = (0..steps).map(|i| ratio(at(i))).sum::<f64>() / steps as f64;
            let found = evidence_of_slower(slower as usize, others as usize);
            assert!((found / mean - 1.0).abs() < 1e-3, "{slower} {others}: {found} {mean}");
        }
    }

    /// By all paths of fair coins: how many ever reach what has one chance in twenty.
    #[test]
    fn peeking_after_every_round_keeps_the_promise() {
        const ROUNDS: usize = 60;
        let mut paths = vec![1.0];
        let mut reached = 0.0;
        for round in 1..=ROUNDS {
            let mut next = vec![0.0; round + 1];
            for (slower, share) in paths.iter().enumerate() {
                next[slower] += share / 2.0;
                next[slower + 1] += share / 2.0;
            }
            for (slower, share) in next.iter_mut().enumerate() {
                if evidence_of_slower(slower, round - slower) >= 20.0 {
                    reached += std::mem::take(share);
                }
            }
            paths = next;
        }
        assert!(reached > 0.005 && reached < 0.05, "{reached}");
    }
}
