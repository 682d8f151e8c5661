//! The command run, and what it says held against what it must.

use assert_cmd::Command;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(crate) fn tilewise(arguments: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tilewise"));
    command.args(arguments.split_whitespace());
    command
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a command that must succeed and print one line of JSON.
pub(crate) fn json(arguments: &str, schema: &str) -> Value {
    let output = tilewise(arguments).output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {said}");
    assert_eq!(text.trim_end().lines().count(), 1, "{arguments}: {text}");
    let value = serde_json::from_str(&text).expect("JSON");
    assert_schema(schema, &value);
    value
}

/// Runs a command that must fail with `status` and one line that holds every one of `words`.
pub(crate) fn refused(arguments: &str, status: i32, words: &[&str]) {
    let output = tilewise(arguments).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{arguments}: {said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{arguments}: {said}");
    assert!(output.stdout.is_empty(), "{arguments}: results on a failure");
    for word in words {
        assert!(said.contains(word), "{arguments}: {said:?} does not say {word:?}");
    }
    assert!(!said.contains("panicked"), "{arguments}: {said}");
}

/// Holds JSON against `harness/schema/<name>.json`.
pub(crate) fn assert_schema(name: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(format!("{name}.json"));
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("a schema")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a sound schema");
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}
