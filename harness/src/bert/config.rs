//! What a model is, as its config.json says or as one of the published sizes.

use super::Error;
use serde::Deserialize;
use serde::de::DeserializeOwned;
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
#[derive(Deserialize)]
struct Entries {
    model_type: Option<String>,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "two")]
    type_vocab_size: usize,
    #[serde(default = "gelu")]
    hidden_act: String,
    #[serde(default = "small")]
    layer_norm_eps: f64,
    #[serde(default = "absolute")]
    position_embedding_type: String,
    #[serde(default)]
    is_decoder: bool,
}

fn two() -> usize {
    2
}

fn gelu() -> String {
    "gelu".into()
}

fn small() -> f64 {
    1e-12
}

fn absolute() -> String {
    "absolute".into()
}

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
        let entries = json(&path)?.ok_or_else(|| Error::read(&path, ErrorKind::NotFound.into()))?;
        Config::check(entries, &path)
    }

    fn check(entries: Entries, path: &Path) -> Result<Config, Error> {
        let wrong = |name, given: &dyn ToString, expected: &str| Error::Config {
            path: path.into(),
            name,
            given: given.to_string(),
            expected: expected.into(),
        };
        let model = entries.model_type.as_deref().unwrap_or("bert");
        if model != "bert" {
            return Err(wrong("model_type", &model, "bert"));
        }
        if entries.is_decoder {
            return Err(wrong("is_decoder", &true, "false"));
        }
        if entries.position_embedding_type != "absolute" {
            let given = &entries.position_embedding_type;
            return Err(wrong("position_embedding_type", given, "absolute"));
        }
        for (name, given) in entries.sizes() {
            if !(1..=MOST).contains(&given) {
                return Err(wrong(name, &given, "1 to 1048576"));
            }
        }
        if !entries.hidden_size.is_multiple_of(entries.num_attention_heads) {
            let expected = format!("a divisor of hidden_size, {}", entries.hidden_size);
            return Err(wrong("num_attention_heads", &entries.num_attention_heads, &expected));
        }
        if !(0.0..1.0).contains(&entries.layer_norm_eps) {
            return Err(wrong("layer_norm_eps", &entries.layer_norm_eps, "0 to 1"));
        }
        let activation = Activation::named(&entries.hidden_act).ok_or_else(|| {
            let expected = "gelu, gelu_new, gelu_pytorch_tanh or relu";
            wrong("hidden_act", &entries.hidden_act, expected)
        })?;
        Ok(Config {
            hidden: entries.hidden_size,
            layers: entries.num_hidden_layers,
            heads: entries.num_attention_heads,
            intermediate: entries.intermediate_size,
            vocabulary: entries.vocab_size,
            positions: entries.max_position_embeddings,
            types: entries.type_vocab_size,
            activation,
            epsilon: entries.layer_norm_eps as f32,
        })
    }

    /// Numbers of a head.
    pub fn head(&self) -> usize {
        self.hidden / self.heads
    }
}

impl Entries {
    fn sizes(&self) -> [(&'static str, usize); 7] {
        [
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ]
    }
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
