//! From text to token numbers.

mod template;

use super::Error;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

impl Pieces {
    /// Whether each of them is a part of the text they were made of: the tokenizer of a spoilt file may
    /// place them anywhere.
    ///
    /// # Errors
    /// [`Error::Tokenizer`].
    pub fn check(&self, text: &str) -> Result<(), Error> {
        match self.spans.iter().find(|span| text.get(span.start..span.end).is_none()) {
            Some(Range { start, end }) => Err(Error::Tokenizer(format!(
                "the tokenizer finds a piece at bytes {start} to {end}; expected whole characters of \
                 the text"
            ))),
            None => Ok(()),
        }
    }
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
        let bytes =
            std::fs::read(&path).map_err(|error| Error::of_model(&path, &["vocab.txt"], error))?;
        let value: serde_json::Value =
            serde_json::from_slice(&bytes).map_err(|error| Error::malformed(&path, error))?;
        template::check(&value).map_err(|reason| Error::malformed(&path, reason))?;
        let loaded = caught(|| load(&bytes));
        let (tokenizer, around) = loaded.map_err(|reason| Error::malformed(&path, reason))?;
        match around[..] {
            [start, end] => Ok(Text { tokenizer, start, end }),
            _ => {
                let reason = format!(
                    "puts {} special tokens around a text; expected 2, as BERT's does",
                    around.len()
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
        let encode = || self.tokenizer.encode(text, false).map_err(|error| error.to_string());
        let encoding = caught(encode).map_err(Error::Tokenizer)?;
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

/// A tokenizer and what it puts around a text; a word is tried too.
fn load(bytes: &[u8]) -> Result<(Tokenizer, Vec<u32>), String> {
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
    tokenizer.with_padding(None);
    tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
    let around = tokenizer.encode("", true).map_err(|error| error.to_string())?;
    tokenizer.encode("word", true).map_err(|error| error.to_string())?;
    Ok((tokenizer, around.get_ids().to_vec()))
}

/// Some files and texts the tokenizer does not refuse, but panics at. Afterwards it is as before: a text
/// changes nothing of it but what it remembers of earlier ones, and that is added whole.
fn caught<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("the tokenizer cannot use it: {}", words.unwrap_or("it gives no reason")))
    })
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn panics_are_reasons() {
        assert_eq!(caught(|| Ok(3)), Ok(3));
        assert_eq!(caught::<()>(|| Err("no".into())), Err("no".into()));
        let number = 7;
        for reason in [caught::<()>(|| panic!("why")), caught(|| panic!("why {number}"))] {
            assert!(
                reason.is_err_and(|reason| reason.ends_with("why") || reason.ends_with("why 7"))
            );
        }
    }
}
