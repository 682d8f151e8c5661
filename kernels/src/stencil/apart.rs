//! Buffers that do not begin at the same place of a page.
//!
//! Buffers of one size are aligned alike, so the same point of two of them stands at addresses whose
//! last twelve bits agree: in the same set of the first-level cache, and for a core that compares only
//! those, a store to one is what a load from the other may have to wait for. With lines between, on one
//! Zen 3 core (`f32`), the Laplacian of order 8 makes 1.05 to 1.1 of the speed (512x20x16 from cache,
//! 500x333x64 from memory), the wave of order 8 1.03 to 1.1 from cache and 1.0 to 1.05 from memory,
//! `heat5`, `heat7` and stencils of order 4 the same; 3 to 40 lines hardly differ.

use crate::buffer::{Buffer, LINE, OutOfMemory};
use crate::vector::Real;
use core::ops::{Deref, DerefMut};

/// Lines before the fields' second buffer.
pub(super) const BACK: usize = 7;

/// Lines before the media.
pub(super) const MEDIA: usize = 14;

/// Numbers some lines into a buffer.
#[derive(Clone, Debug)]
pub(super) struct Apart<T> {
    buffer: Buffer<T>,
    from: usize,
}

impl<T: Real> Apart<T> {
    /// `len` numbers in a buffer from `zeroed`, `lines` lines after it begins.
    pub(super) fn new(
        len: usize,
        lines: usize,
        zeroed: impl Fn(usize) -> Result<Buffer<T>, OutOfMemory>,
    ) -> Result<Self, OutOfMemory> {
        let from = lines * LINE / size_of::<T>();
        Ok(Apart { buffer: zeroed(len.saturating_add(from))?, from })
    }
}

impl<T> Deref for Apart<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.from..]
    }
}

impl<T> DerefMut for Apart<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.from..]
    }
}
