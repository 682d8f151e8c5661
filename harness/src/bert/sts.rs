//! Sentence pairs with the similarity people gave them: the STS benchmark's files.

use super::Error;
use std::path::Path;

/// Two sentences and how similar they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// 0 (unrelated) to 5 (the same).
    pub score: f64,
    /// The sentences.
    pub sentences: [String; 2],
}

/// Fields before the score: genre, file, year, number.
const BEFORE: usize = 4;

/// Reads pairs, one a line: fields between tabs without quoting, the score the fifth, the
/// sentences the sixth and seventh.
///
/// # Errors
/// [`Error::Read`], [`Error::Line`], [`Error::Malformed`] for a file without pairs.
pub fn read(path: &Path) -> Result<Vec<Pair>, Error> {
    let bytes = std::fs::read(path).map_err(|error| Error::read(path, error))?;
    let mut pairs = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            pairs.push(pair(line).map_err(|reason| Error::Line {
                path: path.into(),
                line: index + 1,
                reason,
            })?);
        }
    }
    if pairs.is_empty() {
        return Err(Error::malformed(path, "no pairs; expected one a line"));
    }
    Ok(pairs)
}

fn pair(line: &[u8]) -> Result<Pair, String> {
    let line = std::str::from_utf8(line).map_err(|error| format!("not UTF-8: {error}"))?;
    let fields: Vec<&str> = line.split('\t').collect();
    let [score, first, second, ..] = fields.get(BEFORE..).unwrap_or(&[]) else {
        return Err(format!(
            "{} fields between tabs; expected 7 or more: four, the score, two sentences",
            fields.len()
        ));
    };
    let value: f64 = score.trim().parse().map_err(|_| format!("{score:?} is no score"))?;
    if !(0.0..=5.0).contains(&value) {
        return Err(format!("the score is {value}; expected 0 to 5"));
    }
    Ok(Pair { score: value, sentences: [first, second].map(|&sentence| sentence.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::pair;

    #[test]
    fn lines_are_read_or_refused() {
        let read = pair(b"g\tf\t2012\t0001\t4.75\tA \"man\" runs.\tA man is running.").unwrap();
        assert_eq!((read.score, read.sentences[0].as_str()), (4.75, "A \"man\" runs."));
        for (wrong, word) in [
            (&b"a\tb\tc"[..], "3 fields"),
            (b"a\tb\tc\td\tx\ts\tt", "no score"),
            (b"a\tb\tc\td\t5.1\ts\tt", "0 to 5"),
            (b"a\tb\tc\td\tNaN\ts\tt", "0 to 5"),
            (b"a\tb\tc\td\t1\ts\xff\tt", "UTF-8"),
        ] {
            assert!(pair(wrong).unwrap_err().contains(word), "{word}");
        }
    }
}
