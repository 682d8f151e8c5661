//! How a record stands in a file: a line of JSON with its own checksum.
//!
//! ```text
//! {"schema":3,"sum":"<16 digits>","key":"<16 digits>","record":{...}}
//!                                ^ the sum is over all from here to the end
//! ```
//!
//! The head has fixed places, so that a file of a thousand records is read in a fraction of a
//! millisecond: the sum says that a line is as it was written, the key what it is about, and the
//! record itself is not looked into until somebody asks for it.

use super::Record;
use serde::Deserialize;
use std::ops::Range;
use std::sync::OnceLock;
use twox_hash::XxHash3_64;

/// The version of the line's format this code reads and writes.
pub const SCHEMA: u64 = 3;

/// No line of ours is longer.
const LONGEST: usize = 1 << 16;

const HEAD: &str = r#"{"schema":3,"sum":""#;
const KEY: &str = r#"","key":""#;
const RECORD: &str = r#"","record":"#;
const DIGITS: usize = 16;

/// Where the sum, the key and the record stand.
const SUM_AT: Range<usize> = HEAD.len()..HEAD.len() + DIGITS;
const KEY_AT: Range<usize> = SUM_AT.end + KEY.len()..SUM_AT.end + KEY.len() + DIGITS;
const RECORD_AT: usize = KEY_AT.end + RECORD.len();

/// A record as it was written, read when first asked for.
#[derive(Clone, Debug)]
pub(super) struct Written {
    text: Box<str>,
    record: OnceLock<Result<Box<Record>, String>>,
}

/// What a line turned out to be.
#[derive(Debug)]
pub(super) enum Line<'a> {
    Empty,
    /// A record, and the number of what it is about.
    Record(u64, Written),
    /// A line of another version, and which.
    Foreign(&'a str, u64),
    Bad(String),
}

impl Line<'_> {
    pub(super) fn read(bytes: &[u8]) -> Line<'_> {
        if bytes.len() > LONGEST {
            return Line::Bad(format!("{} bytes, more than {LONGEST}", bytes.len()));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Line::of(text.trim()),
            Err(error) => Line::Bad(error.to_string()),
        }
    }

    fn of(text: &str) -> Line<'_> {
        #[derive(Deserialize)]
        struct Header {
            schema: u64,
        }
        if text.is_empty() {
            return Line::Empty;
        }
        if let Some((key, record)) = split(text) {
            return Line::Record(key, Written::new(record.into()));
        }
        match serde_json::from_str::<Header>(text) {
            Ok(Header { schema }) if schema != SCHEMA => Line::Foreign(text, schema),
            Ok(_) => Line::Bad("its checksum does not fit: it was cut or changed".into()),
            Err(error) => Line::Bad(error.to_string()),
        }
    }
}

/// The key and the text of the record, if the line is as we write them and its sum is right.
fn split(line: &str) -> Option<(u64, &str)> {
    let places = [(0..SUM_AT.start, HEAD), (SUM_AT.end..KEY_AT.start, KEY)];
    let places = places.into_iter().chain([(KEY_AT.end..RECORD_AT, RECORD)]);
    for (place, text) in places {
        if line.get(place)? != text {
            return None;
        }
    }
    let sum = number(line.get(SUM_AT)?)?;
    let record = line.get(RECORD_AT..)?.strip_suffix('}')?;
    let right = XxHash3_64::oneshot(&line.as_bytes()[SUM_AT.end..]) == sum;
    right.then_some((number(line.get(KEY_AT)?)?, record))
}

/// Sixteen lower-case hexadecimal digits: one way to write a number, and no sign.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().try_fold(0, |number: u64, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(value))
    })
}

impl Written {
    fn new(text: Box<str>) -> Written {
        Written { text, record: OnceLock::new() }
    }

    /// A record, written, and the number of what it is about.
    pub(super) fn of(record: Record) -> (u64, Written) {
        let written = Written::new(record.text().into());
        let key = record.key();
        written.record.get_or_init(|| Ok(Box::new(record)));
        (key, written)
    }

    /// The record; why there is none, if what was written under `key` is not true.
    pub(super) fn record(&self, key: u64) -> Result<&Record, &str> {
        let read = || {
            let record = Record::read(&self.text)?;
            let right = record.key() == key;
            right.then(|| Box::new(record)).ok_or_else(|| "its key is that of another".to_owned())
        };
        self.record.get_or_init(read).as_deref().map_err(String::as_str)
    }

    /// The line that holds it, without its end.
    pub(super) fn line(&self, key: u64) -> String {
        let tail = format!("{KEY}{key:016x}{RECORD}{}}}", self.text);
        let sum = XxHash3_64::oneshot(tail.as_bytes());
        format!("{HEAD}{sum:016x}{tail}")
    }

    /// As it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds against another about the same.
    pub(super) fn outranks(&self, other: &Written, key: u64) -> bool {
        let rank = |written: &Written| written.record(key).ok().map(Record::rank);
        (rank(self), &self.text) > (rank(other), &other.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sixteen_plain_digits() {
        assert_eq!(number("00000000000000ff"), Some(255));
        assert_eq!(number("ffffffffffffffff"), Some(u64::MAX));
        for wrong in ["+0000000000000ff", "00000000000000FF", "              ff"] {
            assert_eq!(number(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_head_says_the_schema() {
        assert!(HEAD.contains(&format!("\"schema\":{SCHEMA},")));
    }
}
