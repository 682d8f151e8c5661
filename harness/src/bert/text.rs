//! From text to token numbers, and how many of them a model takes.

use super::config::json;
use super::{Config, Error};
use serde_json::Value;
use std::ops::Range;
use std::path::Path;
use tokenizers::Tokenizer;

/// A model's tokenizer, without the cutting and padding its file may ask for: those belong to
/// whoever runs the model.
#[derive(Clone, Debug)]
pub struct Text {
    tokenizer: Tokenizer,
    /// Before the first piece.
    start: u32,
    /// Behind the last piece.
    end: u32,
}

/// A text as a model reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Token numbers, special ones included.
    pub ids: Vec<u32>,
    /// Tokens that were cut off at the limit.
    pub dropped: usize,
}

/// A text in pieces, without special tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// Token numbers.
    pub ids: Vec<u32>,
    /// The bytes of the text each piece stands for.
    pub spans: Vec<Range<usize>>,
}

impl Text {
    /// Special tokens around a text.
    pub const AROUND: usize = 2;

    /// Reads tokenizer.json of a model's folder.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Malformed`].
    pub fn open(folder: &Path) -> Result<Text, Error> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|error| Error::read(&path, error))?;
        let mut tokenizer =
            Tokenizer::from_bytes(bytes).map_err(|error| Error::malformed(&path, error))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| Error::malformed(&path, error))?;
        let around = tokenizer.encode("", true).map_err(|error| Error::malformed(&path, error))?;
        match *around.get_ids() {
            [start, end] => Ok(Text { tokenizer, start, end }),
            ref other => {
                let reason = format!(
                    "puts {} special tokens around a text; expected 2, as BERT's does",
                    other.len()
                );
                Err(Error::malformed(&path, reason))
            }
        }
    }

    /// The token numbers of a text, cut on the right to `limit` tokens.
    ///
    /// # Errors
    /// [`Error::EmptyText`], [`Error::Tokenizer`].
    pub fn encode(&self, text: &str, limit: usize) -> Result<Encoded, Error> {
        let mut ids = self.around(&self.pieces(text)?.ids);
        let dropped = ids.len().saturating_sub(limit.max(Text::AROUND));
        ids.truncate(ids.len() - dropped);
        *ids.last_mut().expect("there are special tokens") = self.end;
        Ok(Encoded { ids, dropped })
    }

    /// The pieces of a text.
    ///
    /// # Errors
    /// [`Error::EmptyText`], [`Error::Tokenizer`].
    pub fn pieces(&self, text: &str) -> Result<Pieces, Error> {
        let encoding = self.tokenizer.encode(text, false);
        let encoding = encoding.map_err(|error| Error::Tokenizer(error.to_string()))?;
        if encoding.is_empty() {
            return Err(Error::EmptyText);
        }
        let spans = encoding.get_offsets().iter().map(|&(from, to)| from..to).collect();
        Ok(Pieces { ids: encoding.get_ids().to_vec(), spans })
    }

    /// The pieces of a first segment with special tokens around them.
    pub fn around(&self, pieces: &[u32]) -> Vec<u32> {
        let mut ids = Vec::with_capacity(pieces.len() + Text::AROUND);
        ids.push(self.start);
        ids.extend(pieces);
        ids.push(self.end);
        ids
    }

    /// The pieces of a second segment with the special token behind them.
    pub fn ended(&self, pieces: &[u32]) -> Vec<u32> {
        [pieces, &[self.end]].concat()
    }
}

/// How many tokens a model reads at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most, special tokens included.
    pub tokens: usize,
    /// What to tell the user, if the model's files disagree.
    pub remark: Option<String>,
}

impl Limit {
    /// Reads what the files of a model's folder say. The limit its authors document counts: that
    /// of sentence_bert_config.json, else that of tokenizer_config.json, never more than there are
    /// positions. What tokenizer.json cuts at was left there by whoever saved it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for files that are no JSON.
    pub fn read(folder: &Path, config: &Config) -> Result<Limit, Error> {
        let entry = |file: &str, pointer: &str| -> Result<Option<(String, usize)>, Error> {
            let value: Option<Value> = json(&folder.join(file))?;
            let found = value.as_ref().and_then(|value| value.pointer(pointer)?.as_u64());
            Ok(found.map(|tokens| (file.to_owned(), usize::try_from(tokens).unwrap_or(usize::MAX))))
        };
        let sentence = entry("sentence_bert_config.json", "/max_seq_length")?;
        let baked = entry("tokenizer.json", "/truncation/max_length")?;
        let documented = entry("tokenizer_config.json", "/model_max_length")?
            // Python's tokenizers write 10^30 for "no limit".
            .filter(|(_, tokens)| *tokens < 1 << 30);
        let positions = ("config.json".to_owned(), config.positions);
        let tokens = sentence.as_ref().or(documented.as_ref()).unwrap_or(&positions).1;
        let tokens = tokens.clamp(Text::AROUND + 1, config.positions.max(Text::AROUND + 1));
        let said: Vec<_> =
            [sentence, baked, documented, Some(positions)].into_iter().flatten().collect();
        let remark = said.iter().any(|(_, other)| *other != tokens).then(|| {
            let said: Vec<_> = said.iter().map(|(file, n)| format!("{file} {n}")).collect();
            format!("limits disagree ({}); texts are cut at {tokens} tokens", said.join(", "))
        });
        Ok(Limit { tokens, remark })
    }
}
