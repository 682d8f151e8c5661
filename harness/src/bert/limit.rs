//! How many tokens a model reads at once, by files that may disagree.

use super::config::json;
use super::{Config, Error, Text};
use serde_json::Value;
use std::path::Path;

/// Special tokens and a piece of text.
const FEWEST: usize = Text::AROUND + 1;

/// How many tokens a model reads at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most, special tokens included.
    pub tokens: usize,
    /// That the model's files disagree and which of them is followed, if they do.
    pub remark: Option<String>,
}

impl Limit {
    /// Reads what the files of a model's folder say. The limit its authors document counts: that
    /// of sentence_bert_config.json, else that of tokenizer_config.json, never more than there are
    /// positions. What tokenizer.json cuts at was left there by whoever saved it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for files that are no JSON, [`Error::Config`] for a limit that is no number
    /// of tokens, or too few for special ones and a piece of text.
    pub fn read(folder: &Path, config: &Config) -> Result<Limit, Error> {
        let entry = |file, pointer| Said::read(folder, file, pointer);
        let sentence = entry("sentence_bert_config.json", "/max_seq_length")?;
        let baked = entry("tokenizer.json", "/truncation/max_length")?;
        let documented = entry("tokenizer_config.json", "/model_max_length")?
            // Python's tokenizers write 10^30 for "no limit".
            .filter(|said| said.tokens < 1 << 30);
        let positions = Said { file: "config.json", tokens: config.positions };
        let followed = sentence.as_ref().or(documented.as_ref()).unwrap_or(&positions);
        let followed = if positions.tokens < followed.tokens { &positions } else { followed };
        if followed.tokens < FEWEST {
            return Err(Error::Config {
                path: folder.join(followed.file),
                name: "the limit",
                given: followed.tokens.to_string(),
                expected: format!("{FEWEST} tokens or more: two special ones and a piece of text"),
            });
        }
        let tokens = followed.tokens;
        let said: Vec<_> =
            [sentence, baked, documented, Some(positions)].into_iter().flatten().collect();
        let remark = said.iter().any(|other| other.tokens != tokens).then(|| {
            let said: Vec<_> =
                said.iter().map(|said| format!("{} {}", said.file, said.tokens)).collect();
            format!("limits disagree ({}); {tokens} tokens are the limit", said.join(", "))
        });
        Ok(Limit { tokens, remark })
    }
}

/// A limit and the file that says so.
struct Said {
    file: &'static str,
    tokens: usize,
}

impl Said {
    /// Nothing where a file is not there or says nothing.
    fn read(
        folder: &Path,
        file: &'static str,
        pointer: &'static str,
    ) -> Result<Option<Said>, Error> {
        let path = folder.join(file);
        let value: Option<Value> = json(&path)?;
        let Some(value) = value.as_ref().and_then(|value| value.pointer(pointer)) else {
            return Ok(None);
        };
        let tokens = match (value.as_u64(), value.as_f64()) {
            (Some(tokens), _) => usize::try_from(tokens).unwrap_or(usize::MAX),
            // Numbers past 64 bits.
            (None, Some(tokens)) if tokens >= u64::MAX as f64 => usize::MAX,
            _ if value.is_null() => return Ok(None),
            _ => {
                return Err(Error::Config {
                    path,
                    name: pointer.trim_start_matches('/'),
                    given: value.to_string(),
                    expected: "a whole number of tokens".into(),
                });
            }
        };
        Ok(Some(Said { file, tokens }))
    }
}
