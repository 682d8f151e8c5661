//! Work in even shares, evened out on the way: who is done with a share helps with another's.
//!
//! A core that somebody else uses too, or a slower one, does not hold up the others. Whoever may
//! process a piece, so this is for work whose result does not depend on that.

use crate::Member;
use crate::buffer::{OutOfMemory, vector};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Pieces of a share: two cores, one of which runs at two thirds, end within a hundredth of each
/// other.
const PIECES: usize = 24;

/// Items in as many shares as there are members.
#[derive(Debug)]
pub(super) struct Shares {
    items: usize,
    /// Least items of a piece.
    least: usize,
    /// How many pieces of each share have been taken.
    taken: Vec<AtomicUsize>,
}

impl Clone for Shares {
    /// Nothing yet, for as many members.
    fn clone(&self) -> Self {
        let taken = self.taken.iter().map(|_| AtomicUsize::new(0)).collect();
        Shares { items: 0, least: 1, taken }
    }
}

impl Shares {
    /// Nothing yet, for so many members.
    pub(super) fn new(members: usize) -> Result<Self, OutOfMemory> {
        let taken = vector((0..members).map(|_| AtomicUsize::new(0)))?;
        Ok(Shares { items: 0, least: 1, taken })
    }

    /// So many items, none of them taken, in pieces of at least `least`.
    pub(super) fn fill(&mut self, items: usize, least: usize) {
        (self.items, self.least) = (items, least);
        self.taken.iter_mut().for_each(|taken| *taken.get_mut() = 0);
    }

    /// Visits pieces of the member's own share, then of the next ones'. No two visits, whoever
    /// makes them, have an item in common. An error ends the member's visits.
    pub(super) fn each<E>(
        &self,
        member: Member<'_>,
        mut visit: impl FnMut(Range<usize>) -> Result<(), E>,
    ) -> Result<(), E> {
        let members = self.taken.len();
        for other in 0..members {
            let owner = (member.index() + other) % members;
            let share = self.items * owner / members..self.items * (owner + 1) / members;
            let each = share.len().div_ceil(PIECES).max(self.least);
            loop {
                let start = share.start + self.taken[owner].fetch_add(1, Relaxed) * each;
                if start >= share.end {
                    break;
                }
                visit(start..share.end.min(start + each))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpinTeam;
    use crate::Team;
    use core::convert::Infallible;

    #[test]
    fn every_item_is_visited_once_whoever_comes() {
        for (items, members, team) in
            [(0, 1, 1), (1, 3, 3), (7, 2, 1), (1000, 3, 2), (99_999, 2, 3)]
        {
            let mut shares = Shares::new(members).unwrap();
            let team = SpinTeam::new(team).unwrap();
            for round in 0..3 {
                shares.fill(items, 8);
                let seen: Vec<_> = (0..items).map(|_| AtomicUsize::new(0)).collect();
                team.run(&|member| {
                    let visited: Result<(), Infallible> = shares.each(member, |piece| {
                        seen[piece].iter().for_each(|item| _ = item.fetch_add(1, Relaxed));
                        Ok(())
                    });
                    assert_eq!(visited, Ok(()), "{round}");
                });
                assert!(seen.iter().all(|item| item.load(Relaxed) == 1), "{items} {members}");
            }
        }
    }

    #[test]
    fn an_error_ends_the_visits() {
        let mut shares = Shares::new(1).unwrap();
        shares.fill(100, 1);
        let team = SpinTeam::new(1).unwrap();
        let visits = AtomicUsize::new(0);
        team.run(&|member| {
            let stopped = shares.each(member, |piece| {
                visits.fetch_add(1, Relaxed);
                if piece.contains(&50) { Err("here") } else { Ok(()) }
            });
            assert_eq!(stopped, Err("here"));
        });
        assert_eq!(visits.into_inner(), 50 / 100usize.div_ceil(PIECES) + 1);
    }
}
