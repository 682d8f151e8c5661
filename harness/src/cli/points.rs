//! Points from files: `.npy` arrays and `.csv` tables.

use super::failure::Failure;
use npyz::{DType, NpyFile, NpyHeader};
use std::io;
use std::path::Path;

/// Rows of points, one after the other.
pub(super) struct Rows {
    pub(super) values: Vec<f32>,
    pub(super) columns: usize,
}

impl Rows {
    /// How many rows.
    pub(super) fn len(&self) -> usize {
        self.values.len() / self.columns
    }
}

/// Reads a file by its ending.
pub(super) fn read(path: &Path) -> Result<Rows, Failure> {
    let wrong = |reason: String| Failure::failed(format!("{}: {reason}", path.display()));
    let read = || std::fs::read(path).map_err(|error| error.to_string());
    let rows = match path.extension().and_then(|ending| ending.to_str()) {
        Some("npy") => read().and_then(|bytes| npy(&bytes)),
        Some("csv") => read().and_then(|bytes| csv(&bytes)),
        _ => Err("expected a file that ends in .npy or .csv".into()),
    };
    let rows = rows.map_err(wrong)?;
    if rows.values.is_empty() {
        return Err(wrong("there are no points in it".into()));
    }
    Ok(rows)
}

fn npy(bytes: &[u8]) -> Result<Rows, String> {
    if sizes_overflow(bytes) {
        return Err("has a shape of more numbers than this machine can count".into());
    }
    let mut data = bytes;
    let header = NpyHeader::from_reader(&mut data);
    let header = header.map_err(|error| format!("no .npy array: {error}"))?;
    let &[rows, columns] = header.shape() else {
        let dimensions = header.shape().len();
        return Err(format!("has {dimensions} dimensions; expected 2, points by features"));
    };
    if header.order() != npyz::Order::C {
        return Err("is in Fortran order; expected C order, a point after the other".into());
    }
    let DType::Plain(element) = header.dtype() else {
        return Err("has records; expected f32 or f64 numbers".into());
    };
    let element = element.to_string();
    let size = match &element[1..] {
        "f4" => 4,
        "f8" => 8,
        _ => return Err(format!("has elements of type {element}; expected f32 or f64")),
    };
    let expected = u128::from(rows) * u128::from(columns) * size;
    if data.len() as u128 != expected {
        return Err(format!(
            "is damaged, cut short or too long: {} bytes of numbers; {rows} x {columns} of \
             {element} are {expected}",
            data.len()
        ));
    }
    let values = singles(NpyFile::with_header(header, data), size == 4, columns)?;
    Ok(Rows { values, columns: columns as usize })
}

/// All numbers of an array of f32, or of f64.
fn singles(file: NpyFile<&[u8]>, f32s: bool, columns: u64) -> Result<Vec<f32>, String> {
    let wrong_type = |error: npyz::DTypeError| error.to_string();
    let numbers: Box<dyn Iterator<Item = io::Result<f64>> + '_> = if f32s {
        let numbers = file.data::<f32>().map_err(wrong_type)?;
        Box::new(numbers.map(|number| number.map(f64::from)))
    } else {
        Box::new(file.data::<f64>().map_err(wrong_type)?)
    };
    let value = |(at, number): (u64, io::Result<f64>)| {
        let value = number.map_err(|error| error.to_string()).and_then(single);
        let (row, column) = (at / columns + 1, at % columns + 1);
        value.map_err(|reason| format!("row {row}, column {column} {reason}"))
    };
    (0..).zip(numbers).map(value).collect()
}

/// Whether the product of a .npy header's sizes overflows, which its reader does not ask.
fn sizes_overflow(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"'shape':";
    let Some(start) = bytes.windows(KEY.len()).position(|part| part == KEY) else { return false };
    let sizes = bytes[start + KEY.len()..].split(|&byte| byte == b')').next().unwrap_or(&[]);
    let sizes = String::from_utf8_lossy(sizes);
    let mut sizes = sizes.split([' ', '(', ',']).filter_map(|size| size.parse::<u64>().ok());
    sizes.try_fold(1u64, |product, size| product.checked_mul(size.max(1))).is_none()
}

/// A number as f32, or what is wrong with it.
fn single(number: f64) -> Result<f32, String> {
    let single = number as f32;
    if single.is_finite() {
        return Ok(single);
    }
    Err(if number.is_finite() {
        format!("is {number:e}; expected at most {:e}, the largest f32", f32::MAX)
    } else {
        format!("is {number}; expected a finite number")
    })
}

/// Numbers, one point a line; a first line without any number is a heading.
fn csv(bytes: &[u8]) -> Result<Rows, String> {
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
            let value = number.and_then(single);
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
        let rows = csv(b"x, y\n1, 2\n3.5,-4e2\n").expect("a table");
        assert_eq!((rows.values, rows.columns), (vec![1.0, 2.0, 3.5, -400.0], 2));
    }

    #[test]
    fn wrong_tables_name_the_place() {
        let wrong = |text: &str| csv(text.as_bytes()).err().expect("an error");
        assert!(wrong("1,2\n3,x\n").contains("line 2, column 2"));
        assert!(wrong("1,2\n3\n").contains("line 2 has 1 values"));
        assert!(wrong("1,x\n3,4\n").contains("line 1, column 2"), "no heading");
        assert!(wrong("x,y\n\n  \r\n\n1,2\n\n3,nan\n").contains("line 7, column 2 is NaN"));
        assert!(wrong("\r\n1\r\n1e39\r\n").contains("line 3, column 1 is 1e39; expected at most"));
    }

    #[test]
    fn wrong_arrays_are_refused() {
        assert!(npy(b"no array").is_err());
        let array = |shape: &str, numbers: &[f64]| {
            let header = format!("{{'descr':'<f8','fortran_order':False,'shape':({shape})}}\n");
            let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
            bytes.extend((header.len() as u16).to_le_bytes());
            bytes.extend(header.bytes().chain(numbers.iter().flat_map(|x| x.to_le_bytes())));
            npy(&bytes).map(|rows| rows.values)
        };
        let wrong = |shape: &str, numbers: &[f64]| array(shape, numbers).expect_err(shape);
        assert_eq!(array("1, 2", &[1.0, 2.0]), Ok(vec![1.0, 2.0]));
        assert!(wrong("4294967296, 4294967296", &[]).contains("can count"));
        assert!(wrong("0, 4294967296, 4294967296", &[]).contains("can count"));
        assert!(wrong("4294967296, 2147483648", &[1.0]).contains("cut short"));
        assert!(wrong("1, 2", &[1.0, 2.0, 3.0]).contains("too long: 24 bytes"));
        assert!(wrong("2, 2", &[1.0, 2.0, 3.0, 1e39]).contains("row 2, column 2 is 1e39"));
    }
}
