//! Windows over a paragraph, each `[CLS] question [SEP] pieces [SEP]`.

use crate::bert::{Batch, Error, Pieces, Text};
use std::fmt::{self, Display, Formatter};
use std::ops::Range;

/// How far windows are apart. "Stride" is said of both, and 128 of one is not 128 of the other:
/// on the whole development set, 10,833 windows against 10,784.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    /// Pieces from the start of a window to the start of the next, as in BERT's own script and in
    /// MLPerf.
    Step(usize),
    /// Pieces two neighbours share, as in Hugging Face's scripts.
    Overlap(usize),
}

/// What windows do, as in "windows overlap by 128 tokens".
impl Display for Stride {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stride::Overlap(tokens) => write!(formatter, "overlap by {tokens} tokens"),
            Stride::Step(tokens) => write!(formatter, "begin every {tokens} tokens"),
        }
    }
}

/// How a paragraph is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windowing {
    /// Tokens of a window, special ones included.
    pub window: usize,
    /// How far windows are apart.
    pub stride: Stride,
    /// Pieces a question is cut to with [`Stride::Step`], as BERT's own script does. Hugging Face's
    /// cut the paragraph alone, so with [`Stride::Overlap`] a question stays whole as long as windows
    /// go on beside it, and is cut to so many only where they would not.
    pub question: usize,
}

/// Windows of 384 tokens, neighbours sharing 128, as Hugging Face's scripts have them; 64 pieces of a
/// question are what BERT's own keeps.
impl Default for Windowing {
    fn default() -> Self {
        Windowing { window: 384, stride: Stride::Overlap(128), question: 64 }
    }
}

/// One window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first segment: the question and special tokens around it.
    pub first: Vec<u32>,
    /// The second one: pieces of the paragraph and a special token.
    pub second: Vec<u32>,
    /// Which pieces of the paragraph these are.
    pub pieces: Range<usize>,
}

/// What becomes of a question and its paragraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// In the order of the paragraph; all of it is in one or another.
    pub windows: Vec<Window>,
    /// Pieces of the question that were cut off.
    pub dropped: usize,
}

impl Window {
    /// The token of the window that is the first piece of its paragraph.
    pub fn start(&self) -> usize {
        self.first.len()
    }

    /// Tokens in all.
    pub fn tokens(&self) -> usize {
        self.first.len() + self.second.len()
    }

    /// Adds it to a batch.
    pub fn push(&self, batch: &mut Batch) {
        batch.push_pair(&self.first, &self.second);
    }
}

impl Windowing {
    /// The windows of a question and the pieces of its paragraph. White space before the question
    /// is not part of it.
    ///
    /// # Errors
    /// [`Error::EmptyText`], [`Error::Tokenizer`], [`Error::NoRoom`], [`Error::Stride`].
    pub fn cut(&self, text: &Text, question: &str, context: &Pieces) -> Result<Cut, Error> {
        let whole = text.pieces(question.trim_start())?.ids;
        let pieces = context.ids.len();
        let cut = whole.len().min(self.question);
        let (kept, ranges) = match (self.stride, self.ranges(whole.len(), pieces)) {
            (Stride::Overlap(_), Ok(ranges)) => (whole.len(), ranges),
            _ => (cut, self.ranges(cut, pieces)?),
        };
        let first = text.around(&whole[..kept]);
        let window = |pieces: Range<usize>| Window {
            first: first.clone(),
            second: text.ended(&context.ids[pieces.clone()]),
            pieces,
        };
        let windows = ranges.into_iter().map(window).collect();
        Ok(Cut { windows, dropped: whole.len() - kept })
    }

    /// The pieces of each window beside a question of so many.
    fn ranges(&self, question: usize, pieces: usize) -> Result<Vec<Range<usize>>, Error> {
        let taken = question + Text::AROUND + 1;
        let Some(room) = self.window.checked_sub(taken).filter(|room| *room > 0) else {
            return Err(Error::NoRoom { window: self.window, question });
        };
        let step = match self.stride {
            Stride::Step(step) => step,
            Stride::Overlap(shared) => room.saturating_sub(shared),
        };
        let mut ranges = Vec::new();
        let mut start = 0;
        loop {
            let end = (start + room).min(pieces);
            ranges.push(start..end);
            if end == pieces {
                return Ok(ranges);
            }
            // A step past the end of the window would leave pieces out.
            if !(1..=room).contains(&step) {
                return Err(Error::Stride { given: self.stride, room });
            }
            start += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_strides_cover_all_pieces() {
        let windowing = |stride| Windowing { window: 20, stride, question: 64 };
        let step = windowing(Stride::Step(4)).ranges(7, 22).unwrap();
        assert_eq!(step, [0..10, 4..14, 8..18, 12..22]);
        let overlap = windowing(Stride::Overlap(4)).ranges(7, 22).unwrap();
        assert_eq!(overlap, [0..10, 6..16, 12..22]);
        assert_eq!(overlap, windowing(Stride::Step(6)).ranges(7, 22).unwrap());
        let one = windowing(Stride::Step(4)).ranges(7, 10).unwrap();
        assert_eq!((one.len(), &one[0]), (1, &(0..10)));
    }

    #[test]
    fn windows_that_lead_nowhere_are_refused() {
        let refused = |stride, question, words: [&str; 2]| {
            let windowing = Windowing { window: 20, stride, question: 64 };
            let text = windowing.ranges(question, 22).unwrap_err().to_string();
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        };
        refused(Stride::Step(0), 7, ["every 0 pieces", "1 to 10"]);
        refused(Stride::Step(11), 7, ["every 11 pieces", "1 to 10"]);
        refused(Stride::Overlap(10), 7, ["overlap by 10", "fewer than 10"]);
        refused(Stride::Step(4), 17, ["question of 17", "3 special"]);
    }
}
