//! Results held against references.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// A result held against the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What it was held against.
    pub reference: String,
    /// How many values were.
    pub compared: u64,
    /// The largest difference.
    pub max_error: f64,
    /// The largest that is allowed; 0 where the result must be equal to the bit.
    pub tolerance: f64,
    /// xxh3 of the output's bytes.
    pub output_digest: String,
}

impl Check {
    /// Compares `output` with `expected`, value by value.
    pub fn compare<T: Number>(
        reference: &str,
        output: &[T],
        expected: &[T],
        tolerance: f64,
    ) -> Self {
        let error = |(a, b): (&T, &T)| if a.same(*b) { 0.0 } else { (a.real() - b.real()).abs() };
        let same_length = output.len() == expected.len();
        // A NaN is no small error: it must not be lost in a maximum (and JSON has no infinity).
        let max_error = output.iter().zip(expected).map(error).fold(0.0, |worst: f64, error| {
            if error.is_nan() { f64::MAX } else { worst.max(error) }
        });
        Check {
            reference: reference.into(),
            compared: output.len() as u64,
            max_error: if same_length { max_error } else { f64::MAX },
            tolerance,
            output_digest: digest(output),
        }
    }

    /// Whether the result was right.
    pub fn passed(&self) -> bool {
        self.compared > 0 && self.max_error <= self.tolerance
    }
}

/// xxh3 of the little-endian bytes of `values`, in hexadecimal.
pub fn digest<T: Number>(values: &[T]) -> String {
    let mut hasher = XxHash3_64::new();
    let mut bytes = Vec::with_capacity(1 << 16);
    for part in values.chunks(1 << 13) {
        bytes.clear();
        part.iter().for_each(|value| value.push_bytes(&mut bytes));
        std::hash::Hasher::write(&mut hasher, &bytes);
    }
    format!("{:016x}", std::hash::Hasher::finish(&hasher))
}

/// A number a result is made of.
pub trait Number: Copy {
    /// Equal to the bit, or equal as numbers.
    fn same(self, other: Self) -> bool;
    /// As a real number.
    fn real(self) -> f64;
    /// Appends its little-endian bytes.
    fn push_bytes(self, bytes: &mut Vec<u8>);
}

macro_rules! values {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn same(self, other: Self) -> bool {
                self == other || self.to_le_bytes() == other.to_le_bytes()
            }

            fn real(self) -> f64 {
                self as f64
            }

            fn push_bytes(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

values!(u8, i32, u32, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_fails_on_nan_length_and_difference_and_never_on_equal_bits() {
        let check = |a: &[f32], b: &[f32]| Check::compare("test", a, b, 0.5).passed();
        assert!(check(&[1.0, 2.0], &[1.4, 2.0]));
        assert!(check(&[f32::NAN], &[f32::NAN]));
        assert!(!check(&[1.0, 2.0], &[1.6, 2.0]));
        assert!(!check(&[f32::NAN, 1.0], &[1.0, 1.0]));
        assert!(!check(&[1.0], &[1.0, 1.0]));
        assert!(!check(&[], &[]), "nothing compared is nothing shown");
    }

    #[test]
    fn digests_tell_outputs_apart() {
        assert_eq!(digest(&[1i32, 2]), digest(&[1i32, 2]));
        assert_ne!(digest(&[1i32, 2]), digest(&[2i32, 1]));
        assert_ne!(digest(&[0.0f32]), digest(&[-0.0f32]));
    }
}
