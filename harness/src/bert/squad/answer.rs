//! From start and end scores to an answer.

use super::{Stride, Window};
use std::ops::Range;

/// The best span so far, over the windows of one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// Starts and ends looked at in a window, the best ones.
    candidates: usize,
    /// Most pieces of an answer.
    longest: usize,
    found: Option<Span>,
}

#[derive(Clone, Debug, PartialEq)]
struct Span {
    score: f32,
    /// From the first to the last piece, the last one included.
    pieces: (usize, usize),
}

/// An answer and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Bytes of the paragraph.
    pub span: Range<usize>,
    /// The sum of the scores of its start and end.
    pub score: f32,
}

/// What the published scripts use: 20 starts and ends, answers of up to 30 pieces.
impl Default for Best {
    fn default() -> Self {
        Best { candidates: 20, longest: 30, found: None }
    }
}

impl Best {
    /// Looks at the scores of a window's tokens, of which it is number `index` of `windows`.
    ///
    /// With windows by [`Stride::Step`], a piece counts only where it has most context, as in
    /// BERT's own script; with [`Stride::Overlap`] everywhere, as in Hugging Face's.
    ///
    /// # Panics
    /// When there are fewer scores than tokens.
    pub fn look(
        &mut self,
        windows: &[Window],
        index: usize,
        stride: Stride,
        [starts, ends]: [&[f32]; 2],
    ) {
        let window = &windows[index];
        let inside = window.start()..window.start() + window.pieces.len();
        let piece = |token: usize| token - window.start() + window.pieces.start;
        let allowed = |token: usize| {
            matches!(stride, Stride::Overlap(_)) || has_most_context(windows, index, piece(token))
        };
        let tokens = window.tokens();
        let firsts = self.highest(&starts[..tokens]);
        let lasts = self.highest(&ends[..tokens]);
        for &first in firsts.iter().filter(|token| inside.contains(token)) {
            if !allowed(first) {
                continue;
            }
            for &last in lasts.iter().filter(|token| inside.contains(token)) {
                let score = starts[first] + ends[last];
                let better = self.found.as_ref().is_none_or(|found| score > found.score);
                if last >= first && last - first < self.longest && better {
                    self.found = Some(Span { score, pieces: (piece(first), piece(last)) });
                }
            }
        }
    }

    /// The tokens of the highest scores, highest first, of equals the first.
    fn highest(&self, scores: &[f32]) -> Vec<usize> {
        let mut tokens: Vec<usize> = (0..scores.len()).collect();
        tokens.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        tokens.truncate(self.candidates);
        tokens
    }

    /// The answer, given where each piece stands in the paragraph; nothing if no pair of a start
    /// and an end was possible.
    pub fn answer(&self, spans: &[Range<usize>]) -> Option<Answer> {
        let found = self.found.as_ref()?;
        let (first, last) = found.pieces;
        Some(Answer { span: spans[first].start..spans[last].end, score: found.score })
    }
}

/// Whether a piece has, of all windows that hold it, most context in this one: the smaller of the
/// pieces before and behind it in the window, and a little for a long window.
fn has_most_context(windows: &[Window], index: usize, piece: usize) -> bool {
    let context = |window: &Window| {
        let Range { start, end } = window.pieces;
        (start..end)
            .contains(&piece)
            .then(|| (piece - start).min(end - 1 - piece) as f64 + 0.01 * (end - start) as f64)
    };
    let here = context(&windows[index]);
    let most = windows.iter().filter_map(context).fold(f64::MIN, f64::max);
    // Of equals the first window counts.
    let first = windows.iter().position(|window| context(window) == Some(most));
    here.is_some() && first == Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(pieces: Range<usize>) -> Window {
        Window { first: vec![1, 2, 3], second: vec![4; pieces.len() + 1], pieces }
    }

    #[test]
    fn the_best_pair_over_all_windows_wins() {
        let windows = [window(0..4), window(2..6)];
        let spans: Vec<Range<usize>> = (0..6).map(|i| 2 * i..2 * i + 1).collect();
        let mut best = Best::default();
        let overlap = Stride::Overlap(2);
        // The question's tokens score highest and do not count.
        let [starts, ends] =
            [[9.0, 9.0, 9.0, 1.0, 0.0, 0.0, 2.0, 9.0], [9.0, 9.0, 9.0, 0.0, 3.0, 0.0, 1.0, 9.0]];
        best.look(&windows, 0, overlap, [&starts, &ends]);
        assert_eq!(best.answer(&spans), Some(Answer { span: 0..3, score: 4.0 }));
        best.look(&windows, 1, overlap, [&[0.0; 8], &[0.0; 8]]);
        assert_eq!(best.answer(&spans).unwrap().score, 4.0);
        best.look(&windows, 1, overlap, [&[5.0; 8], &[0.0; 8]]);
        assert_eq!(best.answer(&spans).unwrap().span, 4..5);
    }

    #[test]
    fn an_end_before_its_start_is_no_answer() {
        let windows = [window(0..2)];
        let mut best = Best { candidates: 4, ..Best::default() };
        let [starts, ends] = [[9.0, 9.0, 9.0, 0.0, 5.0, 0.0], [9.0, 9.0, 9.0, 5.0, 0.0, 0.0]];
        best.look(&windows, 0, Stride::Overlap(0), [&starts, &ends]);
        assert_eq!(best.answer(&[0..1, 1..2]), None);
    }

    #[test]
    fn a_piece_counts_once_where_windows_step() {
        let windows = [window(0..10), window(4..14), window(8..18)];
        for piece in 0..18 {
            let counts = (0..3).filter(|&index| has_most_context(&windows, index, piece)).count();
            assert_eq!(counts, 1, "piece {piece}");
        }
        assert!(has_most_context(&windows, 1, 9) && !has_most_context(&windows, 0, 9));
    }
}
