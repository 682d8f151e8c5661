//! What a record is about, as one number: found in a table without taking memory.

use crate::machine::{Context, Identity};
use crate::problem::{Shape, Size};
use twox_hash::XxHash3_64;

/// Pieces that are hashed together: as long as the usual key, so that one call hashes it.
const PIECE: usize = 128;

/// Folds fields into a number: xxh3 over their bytes, each with its length, so that no two lists
/// of fields look alike. The same on every machine and in every version: it stands in files.
pub(super) struct Fold {
    state: u64,
    bytes: [u8; PIECE],
    len: usize,
}

/// The number of a machine and its circumstances.
pub(super) fn site(identity: &Identity, context: &Context) -> u64 {
    let text = serde_json::to_string(&(identity, context)).expect("plain data");
    XxHash3_64::oneshot(text.as_bytes())
}

impl Fold {
    pub(super) fn new(state: u64) -> Fold {
        Fold { state, bytes: [0; PIECE], len: 0 }
    }

    /// The kernel, its version and its types.
    #[inline(always)]
    pub(super) fn kernel(self, kernel: &str, surface: u32, dtype: &str) -> Fold {
        self.text(kernel).number(surface.into()).text(dtype)
    }

    #[inline(always)]
    pub(super) fn shape(self, shape: &Shape) -> Fold {
        shape.iter().fold(self, |fold, (name, size)| match size {
            Size::Number(number) => fold.text(name).number(*number as u64),
            Size::Name(kind) => fold.text(name).text(kind),
        })
    }

    pub(super) fn finish(mut self) -> u64 {
        self.flush();
        self.state
    }

    #[inline(always)]
    fn text(self, text: &str) -> Fold {
        self.number(text.len() as u64).push(text.as_bytes())
    }

    #[inline(always)]
    fn number(self, number: u64) -> Fold {
        self.push(&number.to_le_bytes())
    }

    #[inline(always)]
    fn push(mut self, mut bytes: &[u8]) -> Fold {
        while bytes.len() > PIECE - self.len {
            let (now, later) = bytes.split_at(PIECE - self.len);
            self.bytes[self.len..].copy_from_slice(now);
            self.len = PIECE;
            self.flush();
            bytes = later;
        }
        self.bytes[self.len..][..bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }

    fn flush(&mut self) {
        self.state = XxHash3_64::oneshot_with_seed(self.state, &self.bytes[..self.len]);
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::shape;

    #[test]
    fn fields_that_run_together_are_told_apart() {
        let of = |kernel: &str, dtype: &str| Fold::new(1).kernel(kernel, 1, dtype).finish();
        assert_ne!(of("gemmf", "32"), of("gemm", "f32"));
        assert_ne!(Fold::new(2).kernel("gemm", 1, "f32").finish(), of("gemm", "f32"));
        let long = "a".repeat(3 * PIECE);
        assert_ne!(of(&long, "f32"), of(&long[1..], "f32"));
        let sized = |n: usize| Fold::new(1).shape(&shape([("n", n.into())])).finish();
        assert_ne!(sized(1), sized(256));
    }

    /// Files hold these numbers: they must never come out differently.
    #[test]
    fn numbers_stay_what_they_are() {
        let sizes = shape([("m", 128.into()), ("kind", "heat7".into())]);
        let found = Fold::new(7).kernel("gemm", 1, "u8i8").shape(&sizes).finish();
        assert_eq!(found, 0x1ACF_5F1F_A5E2_DB28);
    }
}
