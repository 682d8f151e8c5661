//! Aligned storage that is asked for politely: an oversize request is an error, not an abort.

use aligned_vec::{AVec, RuntimeAlign};
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
    /// Allocates and zeroes.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the system does not have that much.
    pub fn zeroed(len: usize) -> Result<Self, OutOfMemory> {
        let bytes = len.saturating_mul(size_of::<T>());
        let align = if bytes >= 2 * LARGE_PAGE { LARGE_PAGE } else { LINE };
        let mut storage = AVec::new(align);
        storage.try_reserve_exact(len).map_err(|_| OutOfMemory { bytes })?;
        storage.resize(len, T::zeroed());
        Ok(Buffer(storage))
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

/// The system could not give this much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not allocate {bytes} bytes; use a smaller problem or a machine with more memory")]
pub struct OutOfMemory {
    /// How much was asked for.
    pub bytes: usize,
}
