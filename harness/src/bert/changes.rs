//! What the files of a sentence encoder may want done to every text before the tokenizer. Here texts
//! go to it as they are, so what would make them others is refused.

use super::Error;
use super::config::json;
use serde_json::Value;
use std::path::Path;

/// Whether the texts of a model's folder are read as they are. `place` is where its tokenizer.json is.
///
/// # Errors
/// [`Error::Config`] for texts that should be lower-cased or have a prompt before them;
/// [`Error::Read`], [`Error::Malformed`].
pub(super) fn check(folder: &Path, place: &Path) -> Result<(), Error> {
    check_case(place)?;
    check_prompt(folder)
}

/// Where the tokenizer lower-cases texts itself, it makes no difference that they are before.
fn check_case(place: &Path) -> Result<(), Error> {
    let path = place.join("sentence_bert_config.json");
    let config: Value = json(&path)?.unwrap_or_default();
    let given = &config["do_lower_case"];
    if matches!(given, Value::Null | Value::Bool(false)) {
        return Ok(());
    }
    let tokenizer: Value = json(&place.join("tokenizer.json"))?.unwrap_or_default();
    if lowers(&tokenizer["normalizer"]) {
        return Ok(());
    }
    let expected = "false, for texts are not lower-cased before the tokenizer, and tokenizer.json \
                    does not do it either; lower-case them yourself, then set it to false";
    Err(Error::Config {
        path,
        name: "do_lower_case",
        given: given.to_string(),
        expected: expected.into(),
    })
}

/// Whether a normalizer, or one of several behind each other, lower-cases.
fn lowers(normalizer: &Value) -> bool {
    let parts = normalizer["normalizers"].as_array();
    normalizer["lowercase"] == Value::Bool(true)
        || normalizer["type"].as_str() == Some("Lowercase")
        || parts.is_some_and(|parts| parts.iter().any(lowers))
}

/// Prompts that are there to be asked for by name are nobody's default.
fn check_prompt(folder: &Path) -> Result<(), Error> {
    let path = folder.join("config_sentence_transformers.json");
    let config: Value = json(&path)?.unwrap_or_default();
    let name = config["default_prompt_name"].as_str();
    match name.and_then(|name| config["prompts"][name].as_str()) {
        None | Some("") => Ok(()),
        Some(prompt) => Err(Error::Config {
            path,
            name: "default_prompt_name",
            given: config["default_prompt_name"].to_string(),
            expected: format!(
                "null, for no prompt is put before texts; put {prompt:?} before each of them \
                 yourself, then set it to null"
            ),
        }),
    }
}
