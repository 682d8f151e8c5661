//! How good real models are in each precision: `accuracy.json`, which the example `accuracy` writes,
//! and the table of it. The record's layout is that of `harness/schema/accuracy.json`, too.

use super::view::Table;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// Version of the record's layout; a reader should refuse one it does not know.
pub const SCHEMA: u32 = 1;

/// The record of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The command that measures the same again.
    pub command: String,
    /// When it began, in UTC.
    pub started: String,
    /// The CPU as it names itself.
    pub cpu: String,
    /// The instruction set: floats are rounded differently on each.
    pub isa: String,
    /// Compiler, flags, source commit.
    pub build: Value,
    /// Models, each on its data.
    pub models: Vec<Model>,
}

/// A model on a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// That of the data.
    pub data: String,
    /// Pairs or questions.
    pub count: usize,
    /// Sentences or windows.
    pub sequences: usize,
    /// Tokens of all of them.
    pub tokens: usize,
    /// What static ranges were found on.
    pub calibrated_on: String,
    /// Every precision, floats first.
    pub results: Vec<Scores>,
}

/// What a precision comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// `fp32`, `int8` or `int8-static`.
    pub precision: String,
    /// Names and values, the one that decides first.
    pub metrics: Vec<(String, f64)>,
}

impl Accuracy {
    /// Reads a file.
    ///
    /// # Errors
    /// Why it cannot be read, in words.
    pub fn read(file: &Path) -> Result<Accuracy, String> {
        let wrong = |reason: String| format!("{}: {reason}", file.display());
        let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let record: Accuracy =
            serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        match record.schema {
            SCHEMA => Ok(record),
            other => Err(wrong(format!("its schema is {other}; expected {SCHEMA}"))),
        }
    }

    /// A row for each metric; how much of it the others lose or gain, as a share of floats.
    pub fn markdown(&self) -> String {
        let head = ["model", "data", "metric", "FP32", "INT8", "INT8, ranges found beforehand"];
        let rows = self.models.iter().flat_map(Model::rows).collect();
        Table::new(&head, rows).markdown()
    }
}

impl Model {
    fn rows(&self) -> impl Iterator<Item = Vec<String>> {
        let names = self.results.first().into_iter().flat_map(|floats| &floats.metrics);
        names.enumerate().map(|(place, (name, floats))| {
            let data = format!("{} ({})", self.data, self.count);
            let mut row = vec![self.name.clone(), data, name.replace('_', " ")];
            row.extend(["fp32", "int8", "int8-static"].map(|precision| {
                let found = self.results.iter().find(|scores| scores.precision == precision);
                match found.and_then(|scores| scores.metrics.get(place)) {
                    Some((_, value)) if precision == "fp32" => format!("{value:.4}"),
                    Some((_, value)) => {
                        format!("{value:.4} ({:+.2} %)", 100.0 * (value / floats - 1.0))
                    }
                    None => String::new(),
                }
            }));
            row
        })
    }
}

/// A record as tests want it.
#[cfg(test)]
pub(super) fn sample() -> Accuracy {
    let scores = |precision: &str, value| Scores {
        precision: precision.into(),
        metrics: vec![("f1".into(), value), ("exact_match".into(), value / 2.0)],
    };
    Accuracy {
        schema: SCHEMA,
        command: "cargo run".into(),
        started: "2000-01-01T00:00:00Z".into(),
        cpu: "made up".into(),
        isa: "avx2".into(),
        build: Value::Null,
        models: vec![Model {
            name: "small".into(),
            data: "questions".into(),
            count: 7,
            sequences: 9,
            tokens: 90,
            calibrated_on: "the first of them".into(),
            results: vec![scores("fp32", 80.0), scores("int8", 79.6)],
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_every_precision_and_its_change() {
        let text = sample().markdown();
        let row = "| small | questions (7) | f1 | 80.0000 | 79.6000 (-0.50 %) |  |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| exact match | 40.0000 |"), "{text}");
    }

    #[test]
    fn records_are_read_or_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("accuracy.json");
        let write = |record: &Accuracy| {
            std::fs::write(&file, serde_json::to_vec(record).expect("JSON")).expect("a file");
            Accuracy::read(&file)
        };
        assert_eq!(write(&sample()), Ok(sample()));
        let refused = write(&Accuracy { schema: 9, ..sample() }).expect_err("another schema");
        assert!(refused.contains("accuracy.json") && refused.contains("schema is 9"), "{refused}");
        std::fs::write(&file, "{}").expect("a file");
        assert!(Accuracy::read(&file).expect_err("nothing in it").contains("accuracy.json"));
    }
}
