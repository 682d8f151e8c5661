//! What a tokenizer puts around texts, as tokenizer.json has it: a list of pieces for one text and one
//! for two, which name special tokens that are listed beside them. The tokenizer itself believes that
//! all of them are there.

use serde_json::Value;

/// Whether every special token that is named is listed, with its number, and every text there is.
pub(super) fn check(tokenizer: &Value) -> Result<(), String> {
    each(&tokenizer["post_processor"])
}

/// A post-processor, or several behind each other.
fn each(processor: &Value) -> Result<(), String> {
    let mut parts = processor["processors"].as_array().into_iter().flatten();
    parts.try_for_each(each)?;
    for (list, texts) in [("single", &["A"][..]), ("pair", &["A", "B"])] {
        for piece in processor[list].as_array().into_iter().flatten() {
            piece_of(list, texts, piece, &processor["special_tokens"])?;
        }
    }
    Ok(())
}

fn piece_of(list: &str, texts: &[&str], piece: &Value, listed: &Value) -> Result<(), String> {
    if let Some(name) = piece["SpecialToken"]["id"].as_str()
        && listed.get(name).is_none()
    {
        return Err(format!(
            "post_processor.{list} names the special token {name:?}; expected it in \
             post_processor.special_tokens"
        ));
    }
    match piece["Sequence"]["id"].as_str() {
        Some(text) if !texts.contains(&text) => Err(format!(
            "post_processor.{list} names the text {text:?}; expected {}",
            texts.join(" or ")
        )),
        _ => Ok(()),
    }
}
