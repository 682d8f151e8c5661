//! How good answers are: correlation for sentence pairs, exact match and F1 for questions.

use std::collections::HashMap;

/// The correlation of two series, -1 to 1; NaN when one of them is constant or they are empty.
///
/// # Panics
/// When they are not equally long.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "pairs");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut squares_a, mut squares_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        both += a * b;
        squares_a += a * a;
        squares_b += b * b;
    }
    both / (squares_a * squares_b).sqrt()
}

/// The correlation of ranks, equal values sharing the mean of theirs.
///
/// ```
/// use tilewise_harness::bert::metrics::spearman;
/// assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0]), 1.0);
/// ```
///
/// # Panics
/// When they are not equally long.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (equal.len() + 1) as f64 / 2.0;
        equal.iter().for_each(|&index| ranks[index] = rank);
        first += equal.len();
    }
    ranks
}

/// An answer as SQuAD's official script compares it: in lower case, without ASCII punctuation,
/// without articles, words one space apart.
///
/// ```
/// use tilewise_harness::bert::metrics::normalise;
/// assert_eq!(normalise("The  \"Denver\" Broncos, a team!"), "denver broncos team");
/// ```
pub fn normalise(answer: &str) -> String {
    let plain: String =
        answer.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut kept = String::with_capacity(plain.len());
    let mut rest = plain.as_str();
    while let Some(first) = rest.chars().next() {
        let inside = in_word(first);
        let end = rest.find(|c| in_word(c) != inside).unwrap_or(rest.len());
        let (run, more) = rest.split_at(end);
        kept.push_str(if matches!(run, "a" | "an" | "the") { " " } else { run });
        rest = more;
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Exact match and F1 of an answer, each the best over all reference answers; 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Whether it is one of them.
    pub exact: f64,
    /// The harmonic mean of precision and recall over words.
    pub f1: f64,
}

impl Score {
    /// Compares an answer with the references.
    pub fn of<'a>(answer: &str, references: impl IntoIterator<Item = &'a str>) -> Score {
        let answer = normalise(answer);
        let mut best = Score::default();
        for reference in references {
            let reference = normalise(reference);
            best.exact = best.exact.max(f64::from(u8::from(answer == reference)));
            best.f1 = best.f1.max(f1(&answer, &reference));
        }
        best
    }
}

/// F1 over words, each counted as often as both have it.
fn f1(answer: &str, reference: &str) -> f64 {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    reference.split(' ').filter(|w| !w.is_empty()).for_each(|w| *counts.entry(w).or_default() += 1);
    let (mut same, mut given) = (0usize, 0usize);
    for word in answer.split(' ').filter(|word| !word.is_empty()) {
        given += 1;
        if let Some(left) = counts.get_mut(word).filter(|left| **left > 0) {
            *left -= 1;
            same += 1;
        }
    }
    if same == 0 {
        return 0.0;
    }
    let expected = reference.split(' ').count();
    2.0 * same as f64 / (given + expected) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_of_equals_are_shared() {
        assert_eq!(ranks(&[5.0, 1.0, 5.0, 0.0]), [3.5, 2.0, 3.5, 1.0]);
    }

    /// 0.8286: worked out by hand as 1 - 6 * 6 / (6 * 35).
    #[test]
    fn correlations_are_those_of_the_textbook() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [2.0, 1.0, 4.0, 3.0, 6.0, 5.0]);
        assert!((spearman(&a, &b) - (1.0 - 36.0 / 210.0)).abs() < 1e-12);
        assert!((pearson(&a, &b.map(|x| 3.0 * x - 7.0)) - spearman(&a, &b)).abs() < 1e-12);
        assert!(pearson(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }

    #[test]
    fn answers_are_compared_as_the_official_script_does() {
        assert_eq!(normalise("An apple\u{2013}the tree"), "apple\u{2013} tree");
        assert_eq!(normalise("theatre"), "theatre");
        let score = Score::of("the Denver Broncos", ["Broncos", "Denver broncos!"]);
        assert_eq!(score, Score { exact: 1.0, f1: 1.0 });
        let score = Score::of("Denver", ["Denver Broncos", "Carolina"]);
        assert_eq!(score, Score { exact: 0.0, f1: 2.0 / 3.0 });
        assert_eq!(Score::of("a", ["the"]), Score { exact: 1.0, f1: 0.0 });
        assert_eq!(Score::of("x x", ["x"]).f1, 2.0 / 3.0);
    }
}
