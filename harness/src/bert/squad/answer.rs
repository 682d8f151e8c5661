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
    /// Whether in any window starts and ends of the best lie in the paragraph.
    is_inside: bool,
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

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Not all windows of its paragraph were run.
    #[error("not all of it was read")]
    Unread,
    /// Nothing of the paragraph is among the best.
    #[error(
        "the {candidates} best starts, or the {candidates} best ends, all lie in the question or in \
         special tokens; ask what the text answers"
    )]
    Outside {
        /// Starts and ends looked at in a window.
        candidates: usize,
    },
    /// No start goes with an end.
    #[error(
        "of the {candidates} best starts and ends in a window none make an answer of 1 to {longest} \
         pieces; ask what a few words of the text answer"
    )]
    Apart {
        /// Starts and ends looked at in a window.
        candidates: usize,
        /// Most pieces of an answer.
        longest: usize,
    },
}

/// What the published scripts use: 20 starts and ends, answers of up to 30 pieces.
impl Default for Best {
    fn default() -> Self {
        Best { candidates: 20, longest: 30, is_inside: false, found: None }
    }
}

impl Best {
    /// Looks at the scores of a window's tokens, of which it is number `index` of `windows`.
    ///
    /// With windows by [`Stride::Step`], a piece counts only where it has most context, as in
    /// BERT's own script; with [`Stride::Overlap`] everywhere, as in Hugging Face's. At a score that is
    /// no finite number no answer begins or ends.
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
        let mut firsts = self.highest(&starts[..tokens]);
        let mut lasts = self.highest(&ends[..tokens]);
        for best in [&mut firsts, &mut lasts] {
            best.retain(|token| inside.contains(token));
        }
        self.is_inside |= !firsts.is_empty() && !lasts.is_empty();
        for &first in &firsts {
            if !allowed(first) {
                continue;
            }
            for &last in &lasts {
                let score = starts[first] + ends[last];
                let better = self.found.as_ref().is_none_or(|found| score > found.score);
                let possible = last >= first && last - first < self.longest && score.is_finite();
                if possible && better {
                    self.found = Some(Span { score, pieces: (piece(first), piece(last)) });
                }
            }
        }
    }

    /// The tokens of the highest scores, highest first, of equals the first. A NaN would be above all.
    fn highest(&self, scores: &[f32]) -> Vec<usize> {
        let tokens = 0..scores.len();
        let mut tokens: Vec<usize> = tokens.filter(|&token| scores[token].is_finite()).collect();
        tokens.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        tokens.truncate(self.candidates);
        tokens
    }

    /// The answer, given where each piece stands in the paragraph; nothing if no pair of a start
    /// and an end was possible.
    pub fn answer(&self, spans: &[Range<usize>]) -> Option<Answer> {
        let found = self.found.as_ref()?;
        let (first, last) = found.pieces;
        let start = spans[first].start;
        // No tokenizer should give places that go back, but a file may make it.
        Some(Answer { span: start..spans[last].end.max(start), score: found.score })
    }

    /// Why there is no answer, where all windows were looked at.
    pub fn unanswered(&self) -> Unanswered {
        let (candidates, longest) = (self.candidates, self.longest);
        match self.is_inside {
            false => Unanswered::Outside { candidates },
            true => Unanswered::Apart { candidates, longest },
        }
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
        assert_eq!(best.unanswered(), Unanswered::Apart { candidates: 4, longest: 30 });
        // Those of the question are the three best.
        let mut best = Best { candidates: 3, ..Best::default() };
        best.look(&windows, 0, Stride::Overlap(0), [&starts, &ends]);
        assert_eq!(best.answer(&[0..1, 1..2]), None);
        assert_eq!(best.unanswered(), Unanswered::Outside { candidates: 3 });
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

    #[test]
    fn scores_that_are_no_numbers_win_nothing() {
        let windows = [window(0..4)];
        let spans: Vec<Range<usize>> = (0..4).map(|i| i..i + 1).collect();
        let answer = |starts: [f32; 8], ends: [f32; 8]| {
            let mut best = Best::default();
            best.look(&windows, 0, Stride::Overlap(0), [&starts, &ends]);
            best.answer(&spans)
        };
        for wrong in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut starts = [0.0; 8];
            (starts[3], starts[4]) = (wrong, 1.0);
            let second = Some(Answer { span: 1..2, score: 1.0 });
            assert_eq!(answer(starts, [0.0; 8]), second, "{wrong}");
            assert_eq!(answer([wrong; 8], [0.0; 8]), None, "{wrong}");
            assert_eq!(answer([0.0; 8], [wrong; 8]), None, "{wrong}");
        }
        // Nor do numbers whose sum is none.
        assert_eq!(answer([f32::MAX; 8], [f32::MAX; 8]), None);
    }

    /// As the published scripts have it.
    #[test]
    fn answers_have_thirty_pieces_at_most() {
        let windows = [window(0..40)];
        let spans: Vec<Range<usize>> = (0..40).map(|i| i..i + 1).collect();
        let found = |further: usize| {
            let (mut starts, mut ends) = ([0.0; 44], [0.0; 44]);
            (starts[3], ends[3 + further]) = (5.0, 5.0);
            let mut best = Best::default();
            best.look(&windows, 0, Stride::Overlap(0), [&starts, &ends]);
            best.answer(&spans).unwrap()
        };
        assert_eq!(found(29), Answer { span: 0..30, score: 10.0 });
        // Of a piece more, either the start or the end can be had.
        assert_eq!(found(30).score, 5.0);
    }

    /// The best 20 starts stand behind the best 20 ends; the 21st would go together.
    #[test]
    fn the_best_twenty_starts_and_ends_are_looked_at() {
        let windows = [window(0..40)];
        let scores = |sign: f32| -> Vec<f32> {
            let inside = |token: usize| (3..43).contains(&token);
            let score = |token| if inside(token) { sign * token as f32 } else { -1000.0 };
            (0..44).map(score).collect()
        };
        let is_found = |mut best: Best| {
            best.look(&windows, 0, Stride::Overlap(0), [&scores(1.0), &scores(-1.0)]);
            best.found.is_some()
        };
        assert!(!is_found(Best::default()));
        assert!(is_found(Best { candidates: 21, ..Best::default() }));
    }

    /// The last piece of a window has more context in the next one.
    #[test]
    fn a_start_counts_where_its_stride_says() {
        let windows = [window(0..10), window(4..14)];
        let spans: Vec<Range<usize>> = (0..14).map(|i| i..i + 1).collect();
        let (mut starts, mut ends) = ([0.0; 14], [0.0; 14]);
        (starts[12], ends[12]) = (5.0, 5.0);
        let score = |stride| {
            let mut best = Best::default();
            best.look(&windows, 0, stride, [&starts, &ends]);
            best.answer(&spans).unwrap().score
        };
        assert_eq!(score(Stride::Overlap(6)), 10.0);
        assert_eq!(score(Stride::Step(4)), 5.0);
    }
}
