//! Nested data as a list of names and values.

use serde_json::Value;

/// Every leaf of `value` under its path: `caches.l2`, `1048576`.
pub fn flatten(path: &str, value: &Value) -> Vec<(String, String)> {
    let join = |key: &str| {
        if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
    };
    match value {
        Value::Object(map) => {
            map.iter().flat_map(|(key, value)| flatten(&join(key), value)).collect()
        }
        Value::Array(items) if items.iter().all(|item| !item.is_object()) => {
            let items: Vec<_> = items.iter().map(text).collect();
            vec![(path.to_owned(), items.join(", "))]
        }
        Value::Array(items) => {
            let entries = items.iter().enumerate();
            entries.flat_map(|(i, value)| flatten(&join(&i.to_string()), value)).collect()
        }
        Value::Null => Vec::new(),
        leaf => vec![(path.to_owned(), text(leaf))],
    }
}

/// The source commit the program was built from, and whether its sources were as committed.
pub(super) fn commit(build: &Value) -> String {
    let field = |name: &str| build.get(name).map(text).unwrap_or_else(|| "unknown".into());
    let (commit, state) = (field("commit"), field("state"));
    // Twelve digits tell commits apart; a reason for there being none is told whole.
    let is_hash = commit.chars().all(|digit| digit.is_ascii_hexdigit());
    let commit = if is_hash { commit.chars().take(12).collect() } else { commit };
    format!("{commit} ({state})")
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
