//! Holds a report against its JSON Schema.
//!
//!     cargo run -p tilewise-harness --example check_report -- FOLDER/report.json

use serde_json::Value;
use std::error::Error;
use std::fs;
use std::process::ExitCode;

const SCHEMA: &str = include_str!("../schema/report.json");

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("check_report: expected the path of a report.json");
        return ExitCode::from(2);
    };
    match complaints(&path) {
        Ok(complaints) if complaints.is_empty() => {
            println!("{path} is as harness/schema/report.json says");
            ExitCode::SUCCESS
        }
        Ok(complaints) => {
            eprintln!("check_report: {path}:\n{}", complaints.join("\n"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("check_report: {path}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn complaints(path: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let schema: Value = serde_json::from_str(SCHEMA)?;
    let report: Value = serde_json::from_slice(&fs::read(path)?)?;
    let validator = jsonschema::validator_for(&schema)?;
    let complaint =
        |error: jsonschema::ValidationError<'_>| format!("  {}: {error}", error.instance_path());
    Ok(validator.iter_errors(&report).map(complaint).collect())
}
