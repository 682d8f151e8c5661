//! Sequences behind each other, without padding: a batch costs its real tokens.

use super::{Config, Error};
use std::ops::Range;

/// Token sequences, packed.
///
/// ```
/// let mut batch = tilewise_harness::bert::Batch::default();
/// batch.push(&[101, 7592, 102]);
/// batch.push_pair(&[101, 2040, 102], &[1045, 102]);
/// assert_eq!((batch.len(), batch.tokens()), (2, 8));
/// assert_eq!(batch.sequence(1), 3..8);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    ids: Vec<u32>,
    types: Vec<u32>,
    /// Where each sequence begins, and where the last one ends.
    offsets: Vec<usize>,
}

impl Default for Batch {
    fn default() -> Self {
        Batch { ids: Vec::new(), types: Vec::new(), offsets: vec![0] }
    }
}

impl Batch {
    /// Adds a sequence of one segment, special tokens included.
    pub fn push(&mut self, ids: &[u32]) {
        self.push_pair(ids, &[]);
    }

    /// Adds a sequence of two segments, numbered 0 and 1.
    pub fn push_pair(&mut self, first: &[u32], second: &[u32]) {
        self.ids.extend(first);
        self.ids.extend(second);
        self.types.resize(self.types.len() + first.len(), 0);
        self.types.resize(self.ids.len(), 1);
        self.offsets.push(self.ids.len());
    }

    /// Takes all sequences out again.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.types.clear();
        self.offsets.truncate(1);
    }

    /// Sequences.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of all of them.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// The token numbers, sequence after sequence.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// The segment of each token.
    pub fn types(&self) -> &[u32] {
        &self.types
    }

    /// Where each sequence begins, and where the last one ends.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The tokens of a sequence.
    pub fn sequence(&self, index: usize) -> Range<usize> {
        self.offsets[index]..self.offsets[index + 1]
    }

    /// Whether a model can read it.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::TokenId`], [`Error::SegmentId`].
    pub fn check(&self, config: &Config) -> Result<(), Error> {
        let most = config.positions;
        for pair in self.offsets.windows(2) {
            let given = pair[1] - pair[0];
            if !(1..=most).contains(&given) {
                return Err(Error::Length { given, most });
            }
        }
        let unknown = |numbers: &[u32], known: usize| {
            numbers.iter().copied().find(|&number| number as usize >= known)
        };
        if let Some(given) = unknown(&self.ids, config.vocabulary) {
            return Err(Error::TokenId { given, vocabulary: config.vocabulary });
        }
        match unknown(&self.types, config.types) {
            Some(given) => Err(Error::SegmentId { given, types: config.types }),
            None => Ok(()),
        }
    }
}
