//! What a model is, as its config.json says or as one of the published sizes.

use super::Error;
use super::error::MODEL;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The sizes of a model and the forms of its functions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// Numbers that stand for a token between layers.
    pub hidden: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads of a layer; they share the hidden numbers out evenly.
    pub heads: usize,
    /// Numbers that stand for a token inside the feed-forward part of a layer.
    pub intermediate: usize,
    /// Tokens there are.
    pub vocabulary: usize,
    /// Tokens in the longest sequence.
    pub positions: usize,
    /// Kinds of segments.
    pub types: usize,
    /// What the feed-forward part applies between its two layers.
    pub activation: Activation,
    /// What is added to the variance in layer norms.
    pub epsilon: f32,
}

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the error function.
    Gelu,
    /// GELU by the hyperbolic tangent.
    GeluTanh,
    /// What is above zero.
    Relu,
}

/// The entries of config.json that decide anything.
struct Entries {
    model_type: Option<String>,
    architectures: Option<Vec<String>>,
    /// In the order of [`SIZES`].
    sizes: [usize; SIZES.len()],
    hidden_act: String,
    layer_norm_eps: f64,
    position_embedding_type: String,
    is_decoder: bool,
}

/// The names of those that are sizes.
const SIZES: [&str; 7] = [
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
    "max_position_embeddings",
    "type_vocab_size",
];

/// No published model comes near; a lying file does.
const MOST: usize = 1 << 20;

impl Config {
    /// BERT base, uncased: 12 layers of 768.
    pub fn base() -> Config {
        Config::sized(768, 12, 12)
    }

    /// BERT large, uncased: 24 layers of 1024.
    pub fn large() -> Config {
        Config::sized(1024, 24, 16)
    }

    /// MiniLM-L6: 6 layers of 384.
    pub fn minilm() -> Config {
        Config::sized(384, 6, 12)
    }

    /// Numbers in all tensors, about.
    pub fn weights(&self) -> usize {
        let layer = 4 * self.hidden + 2 * self.intermediate;
        let tables = self.vocabulary + self.positions + self.types;
        self.hidden.saturating_mul(self.layers.saturating_mul(layer).saturating_add(tables))
    }

    /// Tensors of an encoder: three tables and their norm, of two; in each layer six linear layers and
    /// two norms, of two each.
    pub fn tensors(&self) -> usize {
        self.layers.saturating_mul(16).saturating_add(5)
    }

    fn sized(hidden: usize, layers: usize, heads: usize) -> Config {
        Config {
            hidden,
            layers,
            heads,
            intermediate: 4 * hidden,
            vocabulary: 30522,
            positions: 512,
            types: 2,
            activation: Activation::Gelu,
            epsilon: 1e-12,
        }
    }

    /// Reads config.json of a model's folder.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Malformed`], [`Error::Config`] for what is not understood.
    pub fn read(folder: &Path) -> Result<Config, Error> {
        let path = folder.join("config.json");
        let map = json(&path)?.ok_or_else(|| Error::absent(&path, MODEL))?;
        let entries = Entries::read(&Object { map, path: &path })?;
        entries.check(&path)?;
        let config = entries.config(&path)?;
        config.check().map_err(|error| match error {
            Error::Size { name, given, expected } => {
                Error::Config { path, name, given: given.to_string(), expected }
            }
            other => other,
        })?;
        Ok(config)
    }

    /// Whether its sizes are those of a model.
    ///
    /// # Errors
    /// [`Error::Size`], with the name the size has in config.json.
    pub fn check(&self) -> Result<(), Error> {
        for (name, given) in SIZES.into_iter().zip(self.sizes()) {
            if !(1..=MOST).contains(&given) {
                return Err(Error::Size { name, given, expected: "1 to 1048576".into() });
            }
        }
        if !self.hidden.is_multiple_of(self.heads) {
            let expected = format!("a divisor of hidden_size, {}", self.hidden);
            return Err(Error::Size { name: "num_attention_heads", given: self.heads, expected });
        }
        Ok(())
    }

    /// In the order of [`SIZES`].
    fn sizes(&self) -> [usize; SIZES.len()] {
        [
            self.hidden,
            self.layers,
            self.heads,
            self.intermediate,
            self.vocabulary,
            self.positions,
            self.types,
        ]
    }

    /// Numbers of a head; 0 without heads.
    pub fn head(&self) -> usize {
        self.hidden.checked_div(self.heads).unwrap_or(0)
    }
}

impl Entries {
    fn read(file: &Object<'_>) -> Result<Entries, Error> {
        // BERT has two kinds of segments where nothing is said.
        let mut sizes = [2; SIZES.len()];
        for (name, size) in SIZES.into_iter().zip(&mut sizes) {
            match file.entry(name)? {
                Some(given) => *size = given,
                None if name == "type_vocab_size" => {}
                None => return Err(Error::malformed(file.path, format!("there is no {name}"))),
            }
        }
        let text = |name, usual: &str| -> Result<String, Error> {
            Ok(file.entry(name)?.unwrap_or_else(|| usual.to_owned()))
        };
        Ok(Entries {
            model_type: file.entry("model_type")?.flatten(),
            architectures: file.entry("architectures")?.flatten(),
            sizes,
            hidden_act: text("hidden_act", "gelu")?,
            layer_norm_eps: file.entry("layer_norm_eps")?.unwrap_or(1e-12),
            position_embedding_type: text("position_embedding_type", "absolute")?,
            is_decoder: file.entry("is_decoder")?.unwrap_or(false),
        })
    }

    /// Whether it is an encoder of BERT's kind. What has no type says by its classes what it is.
    fn check(&self, path: &Path) -> Result<(), Error> {
        match (&self.model_type, &self.architectures) {
            (Some(model), _) if model != "bert" => {
                return Err(wrong(path, "model_type", model, "bert"));
            }
            (None, Some(classes)) if !classes.iter().all(|class| class.starts_with("Bert")) => {
                let expected = "classes of BERT, as in BertModel, or a model_type";
                return Err(wrong(path, "architectures", &classes.join(", "), expected));
            }
            _ => {}
        }
        if self.is_decoder {
            return Err(wrong(path, "is_decoder", &true, "false"));
        }
        if self.position_embedding_type != "absolute" {
            let given = &self.position_embedding_type;
            return Err(wrong(path, "position_embedding_type", given, "absolute"));
        }
        if !(0.0..1.0).contains(&self.layer_norm_eps) {
            return Err(wrong(path, "layer_norm_eps", &self.layer_norm_eps, "0 to 1"));
        }
        Ok(())
    }

    fn config(&self, path: &Path) -> Result<Config, Error> {
        let [hidden, layers, heads, intermediate, vocabulary, positions, types] = self.sizes;
        let activation = Activation::named(&self.hidden_act).ok_or_else(|| {
            let expected = "gelu, gelu_new, gelu_pytorch_tanh or relu";
            wrong(path, "hidden_act", &self.hidden_act, expected)
        })?;
        let epsilon = self.layer_norm_eps as f32;
        Ok(Config {
            hidden,
            layers,
            heads,
            intermediate,
            vocabulary,
            positions,
            types,
            activation,
            epsilon,
        })
    }
}

/// An entry that is not understood.
fn wrong(path: &Path, name: &'static str, given: &dyn ToString, expected: &str) -> Error {
    Error::Config { path: path.into(), name, given: given.to_string(), expected: expected.into() }
}

impl Activation {
    fn named(name: &str) -> Option<Activation> {
        match name {
            "gelu" => Some(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Some(Activation::GeluTanh),
            "relu" => Some(Activation::Relu),
            _ => None,
        }
    }
}

/// An object of JSON whose entries are read one by one, so that a wrong one is named.
struct Object<'a> {
    map: Map<String, Value>,
    path: &'a Path,
}

impl Object<'_> {
    /// Nothing if it is not there.
    fn entry<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let read = self.map.get(name).map(T::deserialize).transpose();
        read.map_err(|error| Error::malformed(self.path, format!("{name}: {error}")))
    }
}

/// Reads a file of JSON; nothing if there is no such file.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::read(path, error)),
    };
    let value = serde_json::from_slice(&bytes).map_err(|error| Error::malformed(path, error))?;
    Ok(Some(value))
}
