//! Memory for operands that ends, or begins, where a forbidden page does. Mapped once for all
//! cases: mapping takes longer than a small product.

use bytemuck::Pod;
use std::sync::Arc;
use tilewise_tests::{Guarded, guarded};

/// Bytes of each arena, enough for the largest operand of a case.
const BYTES: usize = 8 << 20;

/// What surrounds an output on the side that has no forbidden page.
pub(crate) const CANARY: u8 = 0xa5;

/// One arena for each operand.
pub(crate) struct Arenas {
    pub(crate) lhs: Arena,
    pub(crate) points: Arena,
    pub(crate) weights: Arena,
    pub(crate) zeros: Arena,
    pub(crate) out: Arena,
    pub(crate) row_scales: Arena,
    pub(crate) column_scales: Arena,
    pub(crate) bias: Arena,
    pub(crate) residual: Arena,
}

impl Arenas {
    pub(crate) fn new() -> Self {
        Arenas {
            lhs: Arena::new(),
            points: Arena::new(),
            weights: Arena::new(),
            zeros: Arena::new(),
            out: Arena::new(),
            row_scales: Arena::new(),
            column_scales: Arena::new(),
            bias: Arena::new(),
            residual: Arena::new(),
        }
    }
}

/// Guarded memory for values of any type, one slice at a time.
pub(crate) struct Arena(Guarded<u8>);

impl Arena {
    fn new() -> Self {
        Arena(guarded(&vec![CANARY; BYTES]))
    }

    /// Puts a copy of `values` at the end or at the front.
    pub(crate) fn put<T: Pod>(&mut self, values: &[T], at_end: bool) -> &mut [T] {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        let start = if at_end { self.0.len() - bytes.len() } else { 0 };
        let place = &mut self.0[start..start + bytes.len()];
        place.copy_from_slice(bytes);
        bytemuck::cast_slice_mut(place)
    }

    /// Whether the kilobyte beside the last `bytes` put there is untouched; wipes them.
    pub(crate) fn is_clean_beside(&mut self, bytes: usize, at_end: bool) -> bool {
        let len = self.0.len();
        let (beside, used) = if at_end {
            ((len - bytes).saturating_sub(1024)..len - bytes, len - bytes..len)
        } else {
            (bytes..len.min(bytes + 1024), 0..bytes)
        };
        self.0[used].fill(CANARY);
        self.0[beside].iter().all(|&byte| byte == CANARY)
    }
}

/// The bytes of packed weights, ending where a forbidden page begins.
pub(crate) struct Stored(Guarded<u8>);

impl Stored {
    pub(crate) fn share(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Stored(guarded(bytes)))
    }
}

impl AsRef<[u8]> for Stored {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
