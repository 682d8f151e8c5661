//! Windows over a paragraph, each `[CLS] question [SEP] pieces [SEP]`.

use crate::bert::{Batch, Error, Pieces, Text};
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

/// How a paragraph is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windowing {
    /// Tokens of a window, special ones included.
    pub window: usize,
    /// How far windows are apart.
    pub stride: Stride,
    /// Tokens a question is cut to.
    pub question: usize,
}

/// What the scripts of both use.
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
    /// [`Error::EmptyText`], [`Error::Tokenizer`], [`Error::NoRoom`].
    pub fn cut(&self, text: &Text, question: &str, context: &Pieces) -> Result<Vec<Window>, Error> {
        let question = text.pieces(question.trim_start())?.ids;
        let first = text.around(&question[..question.len().min(self.question)]);
        let ranges = self.ranges(first.len(), context.ids.len());
        let ranges = ranges.ok_or(Error::NoRoom { window: self.window, question: first.len() })?;
        let window = |pieces: Range<usize>| Window {
            first: first.clone(),
            second: text.ended(&context.ids[pieces.clone()]),
            pieces,
        };
        Ok(ranges.into_iter().map(window).collect())
    }

    /// The pieces of each window beside a first segment of `first` tokens; nothing when windows
    /// would not go on.
    fn ranges(&self, first: usize, pieces: usize) -> Option<Vec<Range<usize>>> {
        let room = self.window.checked_sub(first + 1).filter(|room| *room > 0)?;
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
                return Some(ranges);
            }
            // A step past the end of the window would leave pieces out.
            start += Some(step).filter(|step| (1..=room).contains(step))?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_strides_cover_all_pieces() {
        let windowing = |stride| Windowing { window: 20, stride, question: 64 };
        let step = windowing(Stride::Step(4)).ranges(9, 22).unwrap();
        assert_eq!(step, [0..10, 4..14, 8..18, 12..22]);
        let overlap = windowing(Stride::Overlap(4)).ranges(9, 22).unwrap();
        assert_eq!(overlap, [0..10, 6..16, 12..22]);
        assert_eq!(overlap, windowing(Stride::Step(6)).ranges(9, 22).unwrap());
        let one = windowing(Stride::Step(4)).ranges(9, 10).unwrap();
        assert_eq!((one.len(), &one[0]), (1, &(0..10)));
    }

    #[test]
    fn windows_that_lead_nowhere_are_refused() {
        let windowing = |stride| Windowing { window: 20, stride, question: 64 };
        assert_eq!(windowing(Stride::Step(0)).ranges(9, 22), None);
        assert_eq!(windowing(Stride::Step(11)).ranges(9, 22), None);
        assert_eq!(windowing(Stride::Overlap(10)).ranges(9, 22), None);
        assert_eq!(windowing(Stride::Step(4)).ranges(19, 22), None);
    }
}
