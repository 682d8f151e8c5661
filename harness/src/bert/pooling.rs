//! One vector for a sentence, of the vectors of its tokens.

use super::Error;
use super::config::json;
use serde::Deserialize;
use std::path::Path;

/// How token vectors become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean, special tokens included.
    Mean,
    /// That of the first token.
    Cls,
}

#[derive(Deserialize)]
struct Entries {
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default)]
    pooling_mode_max_tokens: bool,
    #[serde(default)]
    pooling_mode_mean_sqrt_len_tokens: bool,
}

impl Pooling {
    /// What 1_Pooling/config.json of a model's folder says; without it, the mean.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Config`] for another way, or several.
    pub fn read(folder: &Path) -> Result<Pooling, Error> {
        let path = folder.join("1_Pooling").join("config.json");
        let Some(entries) = json::<Entries>(&path)? else { return Ok(Pooling::Mean) };
        let modes = [
            ("cls", entries.pooling_mode_cls_token),
            ("mean", entries.pooling_mode_mean_tokens),
            ("max", entries.pooling_mode_max_tokens),
            ("mean over sqrt of length", entries.pooling_mode_mean_sqrt_len_tokens),
        ];
        let on: Vec<&str> = modes.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        match on[..] {
            ["mean"] => Ok(Pooling::Mean),
            ["cls"] => Ok(Pooling::Cls),
            _ => Err(Error::Config {
                path,
                name: "pooling_mode",
                given: if on.is_empty() { "none".into() } else { on.join(" and ") },
                expected: "mean or cls".into(),
            }),
        }
    }

    /// The vector of a sentence, of length 1. `states` are its tokens' vectors, one row each;
    /// `sentence` is as long as a row.
    ///
    /// Sums run over the tokens in order, so that they do not depend on what else is in a batch.
    ///
    /// # Panics
    /// When `states` is no whole number of rows, or none.
    pub fn pool(self, states: &[f32], sentence: &mut [f32]) {
        let rows = states.len() / sentence.len();
        assert!(rows > 0 && states.len().is_multiple_of(sentence.len()), "whole rows");
        sentence.copy_from_slice(&states[..sentence.len()]);
        if self == Pooling::Mean {
            for row in states.chunks_exact(sentence.len()).skip(1) {
                sentence.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
            sentence.iter_mut().for_each(|sum| *sum /= rows as f32);
        }
        let squares: f64 = sentence.iter().map(|&value| f64::from(value).powi(2)).sum();
        let length = (squares.sqrt() as f32).max(1e-12);
        sentence.iter_mut().for_each(|value| *value /= length);
    }
}

#[cfg(test)]
mod tests {
    use super::Pooling;

    #[test]
    fn sentences_have_length_one() {
        let states = [3.0, 0.0, 3.0, 8.0];
        let mut sentence = [0.0; 2];
        Pooling::Mean.pool(&states, &mut sentence);
        assert_eq!(sentence, [0.6, 0.8]);
        Pooling::Cls.pool(&states, &mut sentence);
        assert_eq!(sentence, [1.0, 0.0]);
        Pooling::Mean.pool(&[0.0; 4], &mut sentence);
        assert_eq!(sentence, [0.0, 0.0]);
    }
}
