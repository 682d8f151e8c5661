//! Caches that hold nothing of a workload: swept ahead of a call, outside its clock.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilewise::Team;
use tilewise::buffer::{Buffer, OutOfMemory};
use tilewise::cache::CacheSizes;

/// Memory of twice the last cache, all of which every member of a team reads.
///
/// Each has a second-level cache of its own, and perhaps not the same last one, where its part of a
/// workload would stay otherwise. Nothing is written: lines that were would have to go back to memory
/// while the call is timed. Members begin at different places.
#[derive(Debug)]
pub struct Sweep {
    numbers: Buffer<u64>,
    /// Numbers that members have read.
    read: AtomicUsize,
}

impl Sweep {
    /// For caches of these sizes.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(caches: &CacheSizes) -> Result<Sweep, OutOfMemory> {
        let mut numbers = Buffer::zeroed(caches.l3.saturating_mul(2).div_ceil(size_of::<u64>()))?;
        // Pages nobody has written to may all be the same one.
        numbers.fill(1);
        Ok(Sweep { numbers, read: AtomicUsize::new(0) })
    }

    /// Sweeps the caches of every member, and leaves all of them awake: a sweep takes milliseconds,
    /// and who has waited for the slowest has gone to sleep. Waking is not part of what is timed.
    pub fn run(&self, team: &dyn Team) {
        team.run(&|member| {
            let (behind, ahead) = self.numbers.split_at(member.share(self.numbers.len()).start);
            let sum = |numbers: &[u64]| numbers.iter().sum::<u64>();
            let read = black_box(sum(ahead)) + black_box(sum(behind));
            // They are all 1.
            self.read.fetch_add(read as usize, Ordering::Relaxed);
        });
        team.run(&|_| ());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilewise::{Solo, SpinTeam};

    #[test]
    fn every_member_reads_all_of_it() {
        let caches = CacheSizes { l3: 100_000, ..CacheSizes::ASSUMED };
        let team = SpinTeam::new(3).expect("threads");
        let mut sweep = Sweep::new(&caches).expect("memory");
        sweep.run(&team);
        sweep.run(&team);
        sweep.run(&Solo);
        let bytes = size_of_val(&sweep.numbers[..]);
        assert!(bytes >= 2 * caches.l3, "{bytes} bytes");
        assert_eq!(*sweep.read.get_mut(), (2 * 3 + 1) * sweep.numbers.len());
    }
}
