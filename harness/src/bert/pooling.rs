//! One vector for a sentence, of the vectors of its tokens.

use super::config::json;
use super::{Error, changes, modules};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// How token vectors become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean, special tokens included.
    Mean,
    /// That of the first token.
    Cls,
}

impl Pooling {
    /// What the pooling module of a model's folder says; without one, the mean.
    ///
    /// # Errors
    /// Those of [`find`](Pooling::find).
    pub fn read(folder: &Path) -> Result<Pooling, Error> {
        Ok(Pooling::find(folder)?.unwrap_or(Pooling::Mean))
    }

    /// What the pooling module of a model's folder says; nothing without one. Where modules.json lists
    /// none, it is looked for in 1_Pooling.
    ///
    /// # Errors
    /// [`Error::Read`] for a module that is listed and not there; [`Error::Malformed`];
    /// [`Error::Config`] for another way, several, or a folder that wants something else done to
    /// sentences, by another module or before the tokenizer: lower case, a prompt.
    pub fn find(folder: &Path) -> Result<Option<Pooling>, Error> {
        let list = modules::read(folder)?;
        let known = ["Transformer", "Pooling", "Normalize"];
        if let Some(other) = list.iter().find(|module| !known.contains(&module.name())) {
            return Err(Error::Config {
                path: folder.join("modules.json"),
                name: "type",
                given: other.class.clone(),
                expected: "Transformer, Pooling and Normalize".into(),
            });
        }
        changes::check(folder, &modules::place(folder, &list))?;
        let listed = list.iter().find(|module| module.name() == "Pooling");
        let place = listed.map_or("1_Pooling", |module| &module.path);
        let path = folder.join(place).join("config.json");
        match json::<Map<String, Value>>(&path)? {
            Some(entries) => Pooling::of(&entries, path).map(Some),
            None if listed.is_some() => {
                Err(Error::absent(&path, "what pooling it is, for modules.json lists it"))
            }
            None => Ok(None),
        }
    }

    /// The way whose entry `pooling_mode_...` is true, or, as newer files have it, that of
    /// `pooling_mode`.
    fn of(entries: &Map<String, Value>, path: PathBuf) -> Result<Pooling, Error> {
        let on: Vec<&str> = entries
            .iter()
            .filter_map(|(name, value)| match (name.strip_prefix("pooling_mode")?, value) {
                ("", Value::String(mode)) => Some(mode.as_str()),
                (mode, Value::Bool(true)) => mode.strip_prefix('_'),
                (_, Value::Bool(false)) => None,
                // What is neither yes nor no is refused by its name.
                _ => Some(name.as_str()),
            })
            .collect();
        match on[..] {
            ["mean_tokens" | "mean"] => Ok(Pooling::Mean),
            ["cls_token" | "cls"] => Ok(Pooling::Cls),
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
    /// Sums run over the tokens in order, so that they do not depend on what else is in a batch. NaN is
    /// among the numbers where sums are past the largest float.
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
        // What is divided by an infinity looks like a vector without length.
        let length = if length.is_finite() { length } else { f32::NAN };
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
        Pooling::Mean.pool(&[f32::MAX, 1.0, f32::MAX, 1.0], &mut sentence);
        assert!(sentence.iter().any(|number| number.is_nan()), "{sentence:?}");
        Pooling::Cls.pool(&[f32::MAX; 2], &mut sentence);
        assert!(sentence.iter().all(|number| number.is_nan()), "{sentence:?}");
    }
}
