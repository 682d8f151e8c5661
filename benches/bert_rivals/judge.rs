//! Whether hidden states are right.

use tilewise_harness::peers::entrant::Numbers;
use tilewise_harness::workload::Check;

/// Our own states in f32, which tests hold against those of Hugging Face's transformers.
#[derive(Debug)]
pub(crate) struct Judge {
    expected: Vec<f32>,
}

/// What a different order of sums may do to numbers of which the largest are near 50.
const ROUNDING: f64 = 2e-3;

/// Above this, states no longer tell one token from another. Accuracy itself is measured on real
/// models and data; here the relative error of each is recorded beside its time.
const QUANTISATION: f64 = 0.5;

impl Judge {
    pub(crate) fn new(expected: Vec<f32>) -> Judge {
        Judge { expected }
    }

    /// In f32 the largest difference counts; in INT8 the length of all differences together over
    /// the length of all states.
    pub(crate) fn judge(&self, numbers: &Numbers, is_int8: bool) -> Check {
        let Numbers::F32(states) = numbers else {
            return Check::compare("f32 states", &[f32::NAN], &[0.0], 0.0);
        };
        let check = Check::compare("tilewise in f32", states, &self.expected, ROUNDING);
        if !is_int8 {
            return check;
        }
        let relative = match states.len() == self.expected.len() {
            true => relative_error(states, &self.expected),
            false => f64::MAX,
        };
        Check {
            reference: "tilewise in f32, relative error of all states together".into(),
            max_error: if relative.is_finite() { relative } else { f64::MAX },
            tolerance: QUANTISATION,
            ..check
        }
    }
}

fn relative_error(states: &[f32], expected: &[f32]) -> f64 {
    let square = |value: f32| f64::from(value).powi(2);
    let apart: f64 = states.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let length: f64 = expected.iter().map(|&value| square(value)).sum();
    (apart / length).sqrt()
}
