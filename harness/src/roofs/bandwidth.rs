//! Memory at full speed: whole registers, read, copied or written, again and again.

use super::{Memory, Pattern};
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};
use tilewise::buffer::{Buffer, LINE, OutOfMemory};
use tilewise::cache::CacheSizes;
use tilewise::isa::MissingIsa;
use tilewise::vector::{Real, Region, Visitor, Vocabulary, dispatch_floats, store, stream};
use tilewise::{Isa, Team};

/// Bytes a member touches in one call at least: with L1 at some 400 GB/s about 100 us, long
/// against entering a team (0.2 us).
const CALL: usize = 32 << 20;

/// The most memory a probe takes, for machines with hundreds of megabytes of cache.
const MOST: usize = 1 << 30;

/// Bytes all of `threads` touch together to stay in (or, for main memory, to leave) a cache.
///
/// Half of a private cache each, so that nothing else needs to leave it; a quarter of the shared
/// one, for others use it too, but at least twice the private caches before it; four times the
/// shared one for main memory, as STREAM asks.
pub fn working_set(memory: Memory, threads: usize, caches: &CacheSizes) -> usize {
    let bytes = match memory {
        Memory::L1 => caches.l1d / 2 * threads,
        Memory::L2 => caches.l2 / 2 * threads,
        Memory::L3 => (caches.l3 / 4).max(2 * caches.l2 * threads),
        Memory::Dram => 4 * caches.l3,
    };
    bytes.min(MOST)
}

/// Memory for probes; those of one level share it.
#[derive(Debug)]
pub struct Arena {
    numbers: Arc<Mutex<Buffer<f32>>>,
    len: usize,
}

impl Arena {
    /// Allocates and touches `bytes`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub fn new(bytes: usize) -> Result<Self, OutOfMemory> {
        let len = bytes / size_of::<f32>();
        Ok(Arena { numbers: Arc::new(Mutex::new(Buffer::zeroed(len)?)), len })
    }

    pub(super) fn share(&self) -> Self {
        Arena { numbers: Arc::clone(&self.numbers), len: self.len }
    }

    pub(super) fn bytes(&self) -> usize {
        self.len * size_of::<f32>()
    }

    /// Numbers of each of `threads` members: whole lines, the same for source and target.
    fn share_of(&self, threads: usize) -> usize {
        let step = 2 * LINE / size_of::<f32>();
        self.len / threads / step * step
    }

    /// Times a member goes through its share in a call.
    fn passes(&self, threads: usize) -> usize {
        CALL.div_ceil((self.share_of(threads) * size_of::<f32>()).max(1))
    }

    /// Bytes moved in one call.
    pub(super) fn work(&self, _pattern: Pattern, threads: usize) -> f64 {
        // A copy reads one half and writes the other: all of the share either way.
        let share = self.share_of(threads) * size_of::<f32>();
        (threads * self.passes(threads) * share) as f64
    }

    /// Runs once on every member of the team.
    pub(super) fn run(
        &self,
        pattern: Pattern,
        isa: Isa,
        team: &dyn Team,
    ) -> Result<(), MissingIsa> {
        let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
        let (share, passes) = (self.share_of(team.size()), self.passes(team.size()));
        // Each member's own memory; locked once a call by the only one who wants it.
        let shares: Vec<Mutex<&mut [f32]>> =
            numbers.chunks_exact_mut(share.max(1)).take(team.size()).map(Mutex::new).collect();
        dispatch_floats(isa, Move { pattern, passes, team, shares: &shares })
    }
}

struct Move<'a> {
    pattern: Pattern,
    passes: usize,
    team: &'a dyn Team,
    shares: &'a [Mutex<&'a mut [f32]>],
}

impl Visitor for Move<'_> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.team.run(&|member| {
            let Some(share) = self.shares.get(member.index()) else { return };
            let mut share = share.lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..self.passes {
                // The compiler must believe that somebody reads and changes the memory between
                // two passes.
                let numbers = black_box(&mut **share);
                // Where the halves begin does not matter: offsets of a line to a megabyte change
                // no pattern by more than main memory's own spread.
                let (from, to) = numbers.split_at_mut(numbers.len() / 2);
                match self.pattern {
                    Pattern::Read => read(token, numbers),
                    Pattern::Copy => copy::<T, false>(token, from, to),
                    Pattern::StreamingCopy => copy::<T, true>(token, from, to),
                    Pattern::StreamingFill => fill(token, numbers),
                }
            }
        });
    }
}

/// Adds everything up, in eight registers so that loads and not sums set the pace.
fn read<T: Vocabulary>(token: T, numbers: &[f32]) {
    const SUMS: usize = 8;
    let simd = token.floats();
    token.run(
        #[inline(always)]
        || {
            let mut sums = [f32::splat(simd, 0.0); SUMS];
            let (groups, rest) = f32::registers::<T::Floats>(numbers).as_chunks::<SUMS>();
            for group in groups {
                for (sum, &register) in sums.iter_mut().zip(group) {
                    *sum = f32::plus(simd, *sum, register);
                }
            }
            for (sum, &register) in sums.iter_mut().zip(rest) {
                *sum = f32::plus(simd, *sum, register);
            }
            black_box(sums);
        },
    );
}

/// Copies, with `PAST_CACHES` by stores that go past the caches.
fn copy<T: Vocabulary, const PAST_CACHES: bool>(token: T, from: &[f32], to: &mut [f32]) {
    let simd = token.floats();
    token.run(
        #[inline(always)]
        || {
            let from = f32::registers::<T::Floats>(from);
            if PAST_CACHES {
                stream(
                    simd,
                    to,
                    #[inline(always)]
                    |to| {
                        write::<T, true>(
                            to,
                            from.len(),
                            #[inline(always)]
                            |index| from[index],
                        )
                    },
                );
            } else {
                store(
                    simd,
                    to,
                    #[inline(always)]
                    |to| {
                        write::<T, false>(
                            to,
                            from.len(),
                            #[inline(always)]
                            |index| from[index],
                        )
                    },
                );
            }
        },
    );
}

/// Writes the same number everywhere, past the caches.
fn fill<T: Vocabulary>(token: T, to: &mut [f32]) {
    let simd = token.floats();
    token.run(
        #[inline(always)]
        || {
            let registers = f32::registers::<T::Floats>(to).len();
            let value = f32::splat(simd, 1.0);
            stream(
                simd,
                to,
                #[inline(always)]
                |to| {
                    write::<T, true>(
                        to,
                        registers,
                        #[inline(always)]
                        |_| value,
                    )
                },
            );
        },
    );
}

#[inline(always)]
fn write<T: Vocabulary, const PAST_CACHES: bool>(
    mut to: Region<'_, T::Floats, f32, PAST_CACHES>,
    registers: usize,
    value: impl Fn(usize) -> <T::Floats as pulp::Simd>::f32s,
) {
    let mut row = to.rows::<1>(0, 0, registers);
    for index in 0..registers {
        row.put(0, index, value(index));
    }
}
