//! Weights from a seed, so that a model can be measured without a download.
//!
//! Speed of INT8 does not depend on the numbers, but whether it may be used does. So activations
//! get what trained models have: a few channels far larger than the rest. In published
//! calibrations of fine-tuned base and large models the inputs of the feed-forward part reach 100
//! in single channels while most stay below 5, and those of its second layer reach 200.

use super::{Error, Source};
use crate::workload::random;
use twox_hash::XxHash3_64;

/// Tensors made from a seed and their names.
#[derive(Clone, Copy, Debug)]
pub struct Synthetic {
    /// Another seed, another model.
    pub seed: u64,
}

/// What BERT's weights are drawn with before training.
const DEVIATION: f32 = 0.02;

/// Every so manyth channel is far larger than its neighbours.
const OUTLIERS: usize = 149;

/// By so much.
const FAR: f32 = 12.0;

impl Source for Synthetic {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let len = shape.iter().product();
        let stream = XxHash3_64::oneshot(name.as_bytes());
        // Numbers from -1 to 1 whose deviation is 1 / sqrt 3.
        let mut values = random::floats(self.seed, stream, len);
        values.iter_mut().for_each(|value| *value = 2.0 * *value - 1.0);
        let norm = name.ends_with("LayerNorm.weight");
        let scale = if norm { 0.1 } else { DEVIATION * 3.0f32.sqrt() };
        values.iter_mut().for_each(|value| *value *= scale);
        if norm {
            values.iter_mut().for_each(|value| *value += 1.0);
            values.iter_mut().skip(7).step_by(OUTLIERS).for_each(|value| *value *= FAR);
        }
        if let ([_, inputs], true) = (shape, name.contains("intermediate.dense")) {
            let rows = values.chunks_exact_mut(*inputs).skip(11).step_by(OUTLIERS);
            rows.flatten().for_each(|value| *value *= FAR);
        }
        Ok(values)
    }

    fn has(&self, _name: &str) -> bool {
        true
    }
}
