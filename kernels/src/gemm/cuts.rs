//! How the loops of the driver are cut: evenly, whatever the size.

use super::table::{RUN, Tile};
use crate::team::share;
use core::ops::Range;

/// How the loops are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cuts {
    /// The register tile.
    pub(crate) tile: Tile,
    /// Rows in a block.
    pub(crate) rows: usize,
    /// Steps in a block.
    pub(crate) steps: usize,
    /// Panels in a block, if a tile has no more.
    pub(crate) panels: usize,
}

impl Cuts {
    /// Panels of sums that wait: between two cuts of `steps` of depth those of a block, else those
    /// of tiles that are finished together.
    pub(crate) fn sums(&self, steps: usize) -> usize {
        match self.steps >= steps {
            true => RUN * self.tile.sums(),
            false => self.rows * self.panels.max(self.tile.panels),
        }
    }
}

/// Cuts `range` into as few even pieces as fit in `most`.
#[inline(always)]
pub(super) fn cut(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let pieces = range.len().div_ceil(most);
    (0..pieces).map(move |index| {
        let piece = share(range.len(), pieces, index);
        range.start + piece.start..range.start + piece.end
    })
}

/// Cuts `range` as [`cut`] does into pieces of `most`, and takes as many of them together as fit in
/// `wide`, one at least.
#[inline(always)]
pub(super) fn cut_in(
    range: Range<usize>,
    most: usize,
    wide: usize,
) -> impl Iterator<Item = Range<usize>> {
    let pieces = range.len().div_ceil(most);
    cut(0..pieces, (wide / most).max(1)).map(move |some| {
        let at = |piece: usize| range.start + share(range.len(), pieces, piece).start;
        at(some.start)..if some.end == pieces { range.end } else { at(some.end) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn cuts_are_even_and_complete() {
        for items in 0..40 {
            for most in 1..10 {
                let pieces: Vec<_> = cut(3..3 + items, most).collect();
                assert!(pieces.iter().all(|piece| (1..=most).contains(&piece.len())));
                assert_eq!(pieces.len(), items.div_ceil(most));
                assert_eq!(
                    pieces.into_iter().flatten().collect::<Vec<_>>(),
                    (3..3 + items).collect::<Vec<_>>()
                );
            }
        }
    }

    #[test]
    fn pieces_taken_together_are_those_of_one_cut() {
        for items in 0..60 {
            for (most, wide) in [(1, 1), (4, 3), (4, 8), (4, 11), (3, 100), (2, 7)] {
                let strips: Vec<_> = cut_in(5..5 + items, most, wide).collect();
                assert!(strips.iter().all(|strip| (1..=wide.max(most)).contains(&strip.len())));
                let numbers: Vec<_> = strips.into_iter().flatten().collect();
                assert_eq!(numbers, (5..5 + items).collect::<Vec<_>>(), "{items}, {most}, {wide}");
            }
        }
    }
}
