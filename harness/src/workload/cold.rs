//! Caches that hold nothing of a workload: swept ahead of a call, outside its clock.

use std::hint::black_box;
use std::sync::{Mutex, PoisonError};
use tilewise::Team;
use tilewise::buffer::{Buffer, OutOfMemory};
use tilewise::cache::CacheSizes;

/// Memory of twice the last cache, and who writes all of it.
///
/// Every member of a team does: each has a second-level cache of its own, and perhaps not the same
/// last one, where its part of a workload would stay otherwise. They begin at different pieces and
/// go round, one at a time in each.
#[derive(Debug)]
pub struct Sweep {
    pieces: Vec<Mutex<Buffer<u64>>>,
}

impl Sweep {
    /// For a team of `members`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(caches: &CacheSizes, members: usize) -> Result<Sweep, OutOfMemory> {
        let words = (2 * caches.l3).div_ceil(members.max(1)).div_ceil(size_of::<u64>());
        let piece = |_| Buffer::zeroed(words).map(Mutex::new);
        Ok(Sweep { pieces: (0..members.max(1)).map(piece).collect::<Result<_, _>>()? })
    }

    /// Sweeps the caches of every member, and leaves all of them awake: a sweep takes milliseconds,
    /// and who has waited for the slowest has gone to sleep. Waking is not part of what is timed.
    pub fn run(&self, team: &dyn Team) {
        team.run(&|member| {
            for round in 0..self.pieces.len() {
                let piece = &self.pieces[(member.index() + round) % self.pieces.len()];
                let mut piece = piece.lock().unwrap_or_else(PoisonError::into_inner);
                piece.iter_mut().for_each(|word| *word = word.wrapping_add(1));
                black_box(&mut *piece);
            }
        });
        team.run(&|_| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilewise::{Solo, SpinTeam};

    #[test]
    fn every_member_writes_all_of_it() {
        let caches = CacheSizes { l3: 100_000, ..CacheSizes::ASSUMED };
        let team = SpinTeam::new(3).expect("threads");
        let sweep = Sweep::new(&caches, team.size()).expect("memory");
        sweep.run(&team);
        sweep.run(&team);
        sweep.run(&Solo);
        let mut bytes = 0;
        for piece in sweep.pieces {
            let piece = piece.into_inner().expect("nobody panicked");
            assert!(piece.iter().all(|&word| word == 2 * 3 + 1));
            bytes += size_of_val(&piece[..]);
        }
        assert!(bytes >= 2 * caches.l3, "{bytes} bytes");
    }
}
