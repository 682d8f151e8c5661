//! Aligned storage that is asked for politely: an oversize request is an error, not an abort.

use crate::team::Team;
use aligned_vec::{AVec, RuntimeAlign};
use alloc::vec::Vec;
use bytemuck::Zeroable;
use core::ops::{Deref, DerefMut};

/// One cache line, and one AVX-512 register.
pub const LINE: usize = 64;

/// A large page on x86-64: buffers of several of them start on one, so that the kernel can back
/// them with large pages and a sweep misses the TLB less.
const LARGE_PAGE: usize = 2 << 20;

/// Zeroed storage for `len` values, aligned to a cache line (to a large page from 4 MiB on).
///
/// ```
/// let buffer = tilewise::buffer::Buffer::<f32>::zeroed(1000)?;
/// assert_eq!(buffer.as_ptr() as usize % 64, 0);
/// assert!(tilewise::buffer::Buffer::<f64>::zeroed(usize::MAX / 2).is_err());
/// # Ok::<(), tilewise::buffer::OutOfMemory>(())
/// ```
#[derive(Clone, Debug)]
pub struct Buffer<T>(AVec<T, RuntimeAlign>);

impl<T: Zeroable + Copy> Buffer<T> {
    /// The fewest values that the system may back with large pages.
    pub const LARGE: usize = 2 * LARGE_PAGE / size_of::<T>();

    /// Allocates and zeroes.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the system does not have that much.
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        let mut storage = Self::reserved(len)?;
        storage.resize(len, T::zeroed());
        Ok(Buffer(storage))
    }

    /// Allocates and zeroes, each member of a team an even share of it, one after the other: where
    /// memory belongs to some cores more than to others, a page belongs to those who touch it first.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the system does not have that much.
    ///
    /// # Panics
    /// When not all members of the team come.
    pub fn zeroed_by(len: usize, team: &dyn Team) -> Result<Self, OutOfMemory>
    where
        T: Send + Sync,
    {
        let mut storage = Self::reserved(len)?;
        zeroes::fill(&mut storage, len, team);
        Ok(Buffer(storage))
    }

    /// Nothing yet, with room for `len` values.
    fn reserved(len: usize) -> Result<AVec<T, RuntimeAlign>, OutOfMemory> {
        let bytes = len.saturating_mul(size_of::<T>());
        let align = if len >= Self::LARGE { LARGE_PAGE } else { LINE };
        let mut storage: AVec<T, RuntimeAlign> = AVec::new(align);
        storage.try_reserve_exact(len).map_err(|_| OutOfMemory { bytes })?;
        pages::ask_for_large(storage.as_ptr().addr(), bytes);
        Ok(storage)
    }
}

/// Zeros that become somebody else's: a page of them costs nothing before it is touched.
pub(crate) fn zeros<T: Zeroable>(len: usize) -> Result<Vec<T>, OutOfMemory> {
    let bytes = len.saturating_mul(size_of::<T>());
    bytemuck::allocation::try_zeroed_vec(len).map_err(|()| OutOfMemory { bytes })
}

/// A vector of what `values` gives.
pub(crate) fn vector<T>(values: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>, OutOfMemory> {
    let mut vector = room(values.len())?;
    vector.extend(values);
    Ok(vector)
}

/// An empty vector with room for `len` values.
pub(crate) fn room<T>(len: usize) -> Result<Vec<T>, OutOfMemory> {
    let mut vector = Vec::new();
    let bytes = len.saturating_mul(size_of::<T>());
    vector.try_reserve_exact(len).map_err(|_| OutOfMemory { bytes })?;
    Ok(vector)
}

/// Zeroes by several threads.
#[allow(unsafe_code, reason = "aligned storage: memory that nobody has touched yet")]
mod zeroes {
    use crate::matrix::Disjoint;
    use crate::team::Team;
    use aligned_vec::{AVec, RuntimeAlign};
    use bytemuck::Zeroable;
    use core::mem::MaybeUninit;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// Fills an empty vector that has room for `len` values.
    pub(super) fn fill<T: Zeroable + Copy + Send + Sync>(
        storage: &mut AVec<T, RuntimeAlign>,
        len: usize,
        team: &dyn Team,
    ) {
        assert!(storage.is_empty() && storage.capacity() >= len, "room for {len} values");
        let first = storage.as_mut_ptr().cast::<MaybeUninit<T>>();
        // SAFETY: room for `len` values by the assertion, which may hold anything, and is borrowed.
        let room = Disjoint::new(unsafe { core::slice::from_raw_parts_mut(first, len) });
        let filled = AtomicUsize::new(0);
        team.run(&|member| {
            // SAFETY: members' shares do not overlap.
            let share = unsafe { room.part(member.share(len)) };
            share.fill(MaybeUninit::zeroed());
            filled.fetch_add(share.len(), Ordering::Relaxed);
        });
        // No team promises that every member comes.
        assert_eq!(filled.into_inner(), len, "values zeroed by a team");
        // SAFETY: as many different ones are filled, and zeros are values of `T`.
        unsafe { storage.set_len(len) };
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> AsRef<[T]> for Buffer<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// Large pages, where they must be asked for.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "aligned storage: the system call that asks for large pages")]
mod pages {
    use super::LARGE_PAGE;

    /// Most Linux systems give large pages only to those who ask. A sweep of two fields of 512 MiB
    /// with streaming stores gains 13 % from them, a copy 12 % (one core of a virtual Zen 5).
    pub(super) fn ask_for_large(address: usize, bytes: usize) {
        let whole = bytes / LARGE_PAGE * LARGE_PAGE;
        if whole > 0 && address.is_multiple_of(LARGE_PAGE) {
            // SAFETY: the range lies in an allocation of ours; the advice changes how it is
            // backed, never what it holds. Refused advice costs only speed.
            unsafe {
                libc::madvise(
                    core::ptr::without_provenance_mut(address),
                    whole,
                    libc::MADV_HUGEPAGE,
                );
            }
        }
    }
}

/// Elsewhere the system decides.
#[cfg(not(target_os = "linux"))]
mod pages {
    pub(super) fn ask_for_large(_address: usize, _bytes: usize) {}
}

/// The system could not give this much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not allocate {bytes} bytes; use a smaller problem or a machine with more memory")]
pub struct OutOfMemory {
    /// How much was asked for.
    pub bytes: usize,
}
