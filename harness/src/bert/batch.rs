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

/// Some sequences of a batch, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// The first token's place in the batch.
    pub(super) first: usize,
    /// Where, counted from there, each sequence begins, and where the last one ends.
    pub(super) offsets: Vec<usize>,
}

impl Group {
    /// Tokens of all of them.
    pub(super) fn tokens(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// Tokens of the longest.
    pub(super) fn longest(&self) -> usize {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0)
    }
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

    /// Its sequences in about as few groups as have `most` tokens each (one or more), as even as whole
    /// sequences allow: a group may have more by half a sequence, and one that is longer is alone.
    pub(super) fn groups(&self, most: usize) -> Vec<Group> {
        let (mut groups, mut offsets) = (Vec::new(), &self.offsets[..]);
        while let [first, _, ..] = *offsets {
            let left = self.tokens() - first;
            let share = left / left.div_ceil(most).max(1);
            // Up to where it is nearer to its share than with one more.
            let further = offsets[1..].windows(2);
            let fit = further.take_while(|pair| pair[0] + pair[1] <= 2 * (first + share)).count();
            let own = offsets[..fit + 2].iter().map(|offset| offset - first);
            groups.push(Group { first, offsets: own.collect() });
            offsets = &offsets[fit + 1..];
        }
        groups
    }

    /// What is wrong where something else than a finite number comes of a token.
    pub(super) fn overflow(&self, token: usize) -> Error {
        let begun = self.offsets.partition_point(|&offset| offset <= token);
        Error::Overflow { sequence: begun.saturating_sub(1) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(lengths: &[usize], most: usize) -> Vec<usize> {
        let mut batch = Batch::default();
        for &length in lengths {
            batch.push(&vec![0; length]);
        }
        let groups = batch.groups(most);
        let mut first = 0;
        for group in &groups {
            assert_eq!((group.first, group.offsets[0]), (first, 0));
            first += group.tokens();
        }
        let longest = groups.iter().map(Group::longest).max().unwrap_or(0);
        assert_eq!((first, longest), (batch.tokens(), lengths.iter().copied().max().unwrap_or(0)));
        groups.iter().map(Group::tokens).collect()
    }

    #[test]
    fn tokens_are_found_in_their_sequences() {
        let mut batch = Batch::default();
        batch.push(&[1, 2]);
        batch.push_pair(&[3], &[4, 5]);
        let sequences = [0, 1, 2, 4].map(|token| match batch.overflow(token) {
            Error::Overflow { sequence } => sequence,
            other => panic!("{other}"),
        });
        assert_eq!(sequences, [0, 0, 1, 1]);
    }

    #[test]
    fn groups_are_few_whole_and_even() {
        assert_eq!(tokens(&[], 100), [0; 0]);
        assert_eq!(tokens(&[5; 3], usize::MAX), [15]);
        assert_eq!(tokens(&[128; 8], 160), [128, 128, 128, 128, 128, 128, 128, 128]);
        assert_eq!(tokens(&[128; 3], 256), [256, 128]);
        assert_eq!(tokens(&[14; 32], 160), [154, 154, 140]);
        assert_eq!(tokens(&[500, 1, 1, 1], 100), [500, 3]);
        assert_eq!(tokens(&[1, 1, 500, 1], 100), [2, 500, 1]);
    }
}
