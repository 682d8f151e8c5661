//! Points from files: `.npy` arrays and `.csv` tables.

use super::failure::Failure;
use npyz::{DType, NpyFile};
use std::fs::File;
use std::io::BufReader;
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
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let rows = match path.extension().and_then(|ending| ending.to_str()) {
        Some("npy") => npy(BufReader::new(file)),
        Some("csv") => csv(BufReader::new(file)),
        _ => Err("expected a file that ends in .npy or .csv".into()),
    };
    let rows = rows.map_err(wrong)?;
    if rows.values.is_empty() {
        return Err(wrong("there are no points in it".into()));
    }
    Ok(rows)
}

fn npy(reader: impl std::io::Read) -> Result<Rows, String> {
    let file = NpyFile::new(reader).map_err(|error| format!("no .npy array: {error}"))?;
    let shape: Vec<u64> = file.shape().to_vec();
    let &[_, columns] = shape.as_slice() else {
        return Err(format!("has {} dimensions; expected 2, points by features", shape.len()));
    };
    if file.order() != npyz::Order::C {
        return Err("is in Fortran order; expected C order, a point after the other".into());
    }
    let DType::Plain(element) = file.dtype() else {
        return Err("has records; expected f32 or f64 numbers".into());
    };
    let element = element.to_string();
    let cut = |error: std::io::Error| format!("is damaged or cut short: {error}");
    let values: Vec<f32> = match &element[1..] {
        "f4" => file.into_vec::<f32>().map_err(cut)?,
        "f8" => file.into_vec::<f64>().map_err(cut)?.into_iter().map(|x| x as f32).collect(),
        _ => return Err(format!("has elements of type {element}; expected f32 or f64")),
    };
    Ok(Rows { values, columns: columns as usize })
}

/// Numbers, one point a line; a first line that is no numbers is a heading.
fn csv(reader: impl std::io::Read) -> Result<Rows, String> {
    let mut table = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(reader);
    let mut rows = Rows { values: Vec::new(), columns: 0 };
    for (line, record) in table.records().enumerate() {
        let record = record.map_err(|error| format!("is no .csv table: {error}"))?;
        let numbers: Result<Vec<f32>, usize> = record
            .iter()
            .enumerate()
            .map(|(column, field)| field.parse().map_err(|_| column))
            .collect();
        match numbers {
            Ok(numbers) => {
                if rows.columns == 0 {
                    rows.columns = numbers.len();
                }
                if numbers.len() != rows.columns {
                    let (given, expected) = (numbers.len(), rows.columns);
                    return Err(format!(
                        "line {} has {given} values; the lines before have {expected}",
                        line + 1
                    ));
                }
                rows.values.extend(numbers);
            }
            Err(_) if line == 0 => {}
            Err(column) => {
                let field = &record[column];
                return Err(format!(
                    "line {}, column {} is {field:?}; expected a number",
                    line + 1,
                    column + 1
                ));
            }
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_with_and_without_heading_are_read() {
        let rows = csv("x, y\n1, 2\n3.5,-4e2\n".as_bytes()).expect("a table");
        assert_eq!((rows.values, rows.columns), (vec![1.0, 2.0, 3.5, -400.0], 2));
    }

    #[test]
    fn wrong_tables_name_the_place() {
        let wrong = |text: &str| csv(text.as_bytes()).err().expect("an error");
        assert!(wrong("1,2\n3,x\n").contains("line 2, column 2"));
        assert!(wrong("1,2\n3\n").contains("line 2 has 1 values"));
    }

    #[test]
    fn wrong_arrays_are_refused() {
        assert!(npy(&b"no array"[..]).is_err());
    }
}
