//! modules.json of a sentence encoder: the steps from texts to sentences, each with a folder of its own.

use super::Error;
use super::config::json;
use super::error::MODEL;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A step.
#[derive(Deserialize)]
pub(super) struct Module {
    #[serde(rename = "type")]
    pub(super) class: String,
    /// Its folder, inside that of the file.
    #[serde(default)]
    pub(super) path: String,
}

impl Module {
    /// Its class without the package: that has had several names.
    pub(super) fn name(&self) -> &str {
        self.class.rsplit('.').next().unwrap_or_default()
    }
}

/// The steps that are listed; none where there is no list.
pub(super) fn read(folder: &Path) -> Result<Vec<Module>, Error> {
    if folder.metadata().is_ok_and(|there| !there.is_dir()) {
        return Err(Error::malformed(folder, format!("it is a file; expected {MODEL}")));
    }
    Ok(json::<Vec<Module>>(&folder.join("modules.json"))?.unwrap_or_default())
}

/// Where, for a model's folder, config.json, model.safetensors and tokenizer.json are: in itself, or in
/// the one modules.json names, as with sentence encoders of old (`0_Transformer`).
/// [`Pooling`](super::Pooling) is read from the folder itself.
///
/// # Errors
/// [`Error::Read`], [`Error::Malformed`] for a folder or a modules.json that is none.
pub fn transformer(folder: &Path) -> Result<PathBuf, Error> {
    Ok(place(folder, &read(folder)?))
}

/// The same by the steps of the folder.
pub(super) fn place(folder: &Path, modules: &[Module]) -> PathBuf {
    let listed = modules.iter().find(|module| module.name() == "Transformer");
    match listed {
        Some(module) if !module.path.is_empty() => folder.join(&module.path),
        _ => folder.into(),
    }
}
