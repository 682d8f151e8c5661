//! Points from files: `.npy` arrays and `.csv` tables.

use super::array;
use super::failure::Failure;
use std::path::Path;
use tilewise::points::Element;

/// Rows of points, one after the other.
pub(super) struct Rows<T> {
    pub(super) values: Vec<T>,
    pub(super) columns: usize,
}

impl<T> Rows<T> {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// An element that files can hold.
pub(super) trait Number: Element {
    /// A number as this element, or what is wrong with it.
    fn of(number: f64) -> Result<Self, String>;

    /// A channel of a pixel: of floats a share of white, as the articles have it.
    fn of_byte(byte: u8) -> Self;
}

impl Number for f32 {
    fn of(number: f64) -> Result<f32, String> {
        let single = f64::of(number)? as f32;
        if single.is_finite() {
            return Ok(single);
        }
        Err(format!("is {number:e}; expected at most {:e}, the largest f32", f32::MAX))
    }

    fn of_byte(byte: u8) -> f32 {
        f32::from(byte) / 255.0
    }
}

impl Number for f64 {
    fn of(number: f64) -> Result<f64, String> {
        if number.is_finite() {
            return Ok(number);
        }
        Err(format!("is {number}; expected a finite number"))
    }

    fn of_byte(byte: u8) -> f64 {
        f64::from(byte) / 255.0
    }
}

impl Number for u8 {
    fn of(number: f64) -> Result<u8, String> {
        let byte = number as u8;
        if f64::from(byte) == number {
            return Ok(byte);
        }
        Err(format!("is {number}; expected a whole number from 0 to 255 for u8"))
    }

    fn of_byte(byte: u8) -> u8 {
        byte
    }
}

/// Whether a file's name ends so, in letters of either case.
fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|given| given.eq_ignore_ascii_case(ending))
}

/// Whether a file's ending says that it is an array.
pub(super) fn is_npy(path: &Path) -> bool {
    ends_in(path, "npy")
}

/// Whether a file's ending is one that [`read`] knows.
pub(super) fn may_be(path: &Path) -> bool {
    is_npy(path) || ends_in(path, "csv")
}

/// Reads a file by its ending.
pub(super) fn read<T: Number>(path: &Path) -> Result<Rows<T>, Failure> {
    let wrong = |reason: String| Failure::failed(format!("{}: {reason}", path.display()));
    let read = || std::fs::read(path).map_err(|error| error.to_string());
    let rows = match () {
        () if is_npy(path) => read().and_then(|bytes| array::read(&bytes)),
        () if ends_in(path, "csv") => read().and_then(|bytes| csv(&bytes)),
        () => Err("expected a file that ends in .npy or .csv".into()),
    };
    let rows = rows.map_err(wrong)?;
    if rows.values.is_empty() {
        return Err(wrong("there are no numbers in it".into()));
    }
    Ok(rows)
}

/// Numbers, one point a line; a first line without any number is a heading.
fn csv<T: Number>(bytes: &[u8]) -> Result<Rows<T>, String> {
    let mut table = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mut rows = Rows { values: Vec::new(), columns: 0 };
    let mut first = true;
    for record in table.records() {
        let record = record.map_err(|error| format!("is no .csv table: {error}"))?;
        if record.len() == 1 && record[0].is_empty() {
            continue; // nothing but spaces
        }
        let heading = first && record.iter().all(|field| field.parse::<f64>().is_err());
        first = false;
        if heading {
            continue;
        }
        let line = || line_of(bytes, &record);
        if rows.columns == 0 {
            rows.columns = record.len();
        }
        if record.len() != rows.columns {
            let (line, given, expected) = (line(), record.len(), rows.columns);
            return Err(format!(
                "line {line} has {given} values; the lines before have {expected}"
            ));
        }
        for (column, field) in (1..).zip(&record) {
            let number = field.parse::<f64>();
            let number = number.map_err(|_| format!("is {field:?}; expected a number"));
            let value = number.and_then(T::of);
            rows.values.push(
                value.map_err(|reason| format!("line {}, column {column} {reason}", line()))?,
            );
        }
    }
    Ok(rows)
}

/// The line of the file a record is on, from 1. The reader's own count stands before the blank
/// lines it skips.
fn line_of(bytes: &[u8], record: &csv::StringRecord) -> usize {
    let start = record.position().map_or(0, |position| position.byte() as usize);
    let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
    let start = start + bytes[start..].iter().take_while(blank).count();
    1 + bytes[..start].iter().filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_and_without_heading_are_read() {
        let rows = csv::<f32>(b"x, y\n1, 2\n3.5,-4e2\n").expect("a table");
        assert_eq!((rows.values, rows.columns), (vec![1.0, 2.0, 3.5, -400.0], 2));
    }

    #[test]
    fn wrong_tables_name_the_place() {
        let wrong = |text: &str| csv::<f32>(text.as_bytes()).err().expect("an error");
        assert!(wrong("1,2\n3,x\n").contains("line 2, column 2"));
        assert!(wrong("1,2\n3\n").contains("line 2 has 1 values"));
        assert!(wrong("1,x\n3,4\n").contains("line 1, column 2"), "no heading");
        assert!(wrong("x,y\n\n  \r\n\n1,2\n\n3,nan\n").contains("line 7, column 2 is NaN"));
        assert!(wrong("\r\n1\r\n1e39\r\n").contains("line 3, column 1 is 1e39; expected at most"));
    }

    #[test]
    fn numbers_must_fit_what_is_asked_for() {
        assert_eq!(csv::<u8>(b"0,255\n").expect("bytes").values, [0, 255]);
        let wrong = csv::<u8>(b"0,255\n3,1.5\n").err().expect("an error");
        assert!(wrong.contains("line 2, column 2 is 1.5; expected a whole number"), "{wrong}");
        assert_eq!(csv::<f64>(b"1e39\n").expect("an f64").values, [1e39]);
    }
}
