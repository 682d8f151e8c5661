//! The head that answers questions: how good a start and how good an end each token is.

use super::{Config, Error, Source};
use tilewise::Matrix;

/// Two rows of weights over the hidden states.
#[derive(Clone, Debug)]
pub struct AnswerHead {
    weights: [Vec<f32>; 2],
    bias: [f32; 2],
}

impl AnswerHead {
    /// Reads `qa_outputs`.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read(config: &Config, source: &dyn Source) -> Result<AnswerHead, Error> {
        let mut start = source.tensor("qa_outputs.weight", &[2, config.hidden])?;
        let bias = source.tensor("qa_outputs.bias", &[2])?;
        let end = start.split_off(config.hidden);
        Ok(AnswerHead { weights: [start, end], bias: [bias[0], bias[1]] })
    }

    /// The scores of all tokens as the start and as the end of an answer.
    ///
    /// # Panics
    /// When the states are of another model.
    pub fn scores(&self, states: Matrix<'_, f32>) -> [Vec<f32>; 2] {
        assert_eq!(states.cols(), self.weights[0].len(), "hidden numbers");
        [0, 1].map(|which| {
            let weights = &self.weights[which];
            let dot = |row: &[f32]| row.iter().zip(weights).map(|(x, w)| x * w).sum::<f32>();
            (0..states.rows()).map(|index| dot(states.row(index)) + self.bias[which]).collect()
        })
    }
}
