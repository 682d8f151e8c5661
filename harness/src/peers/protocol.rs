//! What is said between the runner and a worker: one line of JSON each way, as
//! `benches/peers/README.md` describes for those who write workers.
//!
//! ```text
//! > {"kernel": "gemm", "rival": "onednn", "shape": {..}, "seed": 1, "threads": 2, ...}
//! < {"ready": {"title": "..", "version": "..", "dtype": "..", "timed": "..", "digest": ".."}}
//! > {"go": 12}
//! < {"done": {"seconds": 0.0021, "digest": ".."}}
//! < {"error": "what is wrong and what to do about it"}          in place of either answer
//! ```

use crate::workload::{Cache, Number};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use tilewise_tuner::measure::Lost;

/// What a worker is to prepare for. It runs the work once and leaves the result in `output`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Request<'a> {
    /// `gemm`, `linear`, ...
    pub kernel: &'a str,
    /// Which of the worker's rivals.
    pub rival: &'a str,
    /// Sizes, as the kernel names them.
    pub shape: &'a Value,
    /// What inputs are made from, by [`random`](crate::workload::random).
    pub seed: u64,
    /// Threads it may use.
    pub threads: usize,
    /// Whether inputs are in the caches when the clock starts.
    pub cache: Cache,
    /// How many sets of weights take turns, one a call: enough of them to come from memory each
    /// time, or 1 for caches that are hot.
    pub copies: usize,
    /// The file for the result's little-endian bytes.
    pub output: &'a Path,
    /// A file of the inputs, where they do not come from the seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a Path>,
}

/// A batch of so many calls.
#[derive(Debug, Serialize)]
pub(super) struct Go {
    pub(super) go: usize,
}

/// Any answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The work is prepared and its first result written.
    Ready(Ready),
    /// A batch was run.
    Done(Done),
    /// It cannot be done.
    Error(String),
}

/// What a worker says of itself once it is ready.
#[derive(Clone, Debug, Deserialize)]
pub struct Ready {
    /// What runs, in a few words.
    pub title: String,
    /// The version of what runs.
    pub version: String,
    /// Inputs, accumulator and output.
    pub dtype: String,
    /// What is inside its clock.
    pub timed: String,
    /// [`digest`] of the result.
    pub digest: String,
}

/// A batch as the worker saw it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Done {
    /// Seconds of all calls together.
    pub(super) seconds: f64,
    /// [`digest`] of the result when it was looked at last: after these calls, or where looking takes
    /// longer than they do, after some before.
    pub(super) digest: String,
    /// What its threads lost to others while the clock ran, if it says so.
    #[serde(default)]
    pub(super) lost: Lost,
}

/// CRC-32 of a result's bytes in eight hexadecimal digits: what the standard libraries of many
/// languages have, and enough to see that a result changed.
pub fn digest(bytes: &[u8]) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    format!("{:08x}", crc.sum())
}

/// The numbers in a result file's bytes; `None` if they do not end with a whole one.
pub fn numbers<T: FromBytes>(bytes: &[u8]) -> Option<Vec<T>> {
    let parts = bytes.chunks_exact(size_of::<T>());
    parts.remainder().is_empty().then(|| parts.map(T::from_bytes).collect())
}

/// A number that a result file may hold.
pub trait FromBytes: Number {
    /// From exactly as many little-endian bytes as it has.
    fn from_bytes(bytes: &[u8]) -> Self;
}

macro_rules! from_bytes {
    ($($type:ty),*) => {$(
        impl FromBytes for $type {
            fn from_bytes(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as it has"))
            }
        }
    )*};
}

from_bytes!(i32, u32, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_and_numbers_are_those_of_other_languages() {
        // The check value of CRC-32 in every catalogue.
        assert_eq!(digest(b"123456789"), "cbf43926");
        assert_eq!(numbers::<i32>(&[1, 0, 0, 0, 255, 255, 255, 255]), Some(vec![1, -1]));
        assert_eq!(numbers::<f64>(&[0; 9]), None);
    }

    #[test]
    fn answers_are_read_or_refused() {
        let read = |line: &str| serde_json::from_str::<Answer>(line);
        assert!(matches!(
            read(r#"{"done": {"seconds": 0.5, "digest": "00"}}"#),
            Ok(Answer::Done(done)) if done.seconds == 0.5 && done.lost == Lost::default()
        ));
        assert!(matches!(
            read(r#"{"done": {"seconds": 0.5, "digest": "00", "lost": {"waited_ns": 7}}}"#),
            Ok(Answer::Done(done)) if done.lost == Lost { preemptions: None, waited_ns: Some(7) }
        ));
        assert!(matches!(read(r#"{"error": "no"}"#), Ok(Answer::Error(text)) if text == "no"));
        for wrong in ["", "{}", "done", r#"{"done": {}}"#, r#"{"done": {"seconds": null}}"#] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
