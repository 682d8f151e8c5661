//! A model from a seed, written as a folder in Hugging Face's layout: what others are to run when
//! they are compared with us, or measured beside us.

use super::{Activation, Config, Error, Source, Synthetic};
use safetensors::tensor::{Dtype, View};
use serde_json::json;
use std::borrow::Cow;
use std::path::Path;

impl Synthetic {
    /// Writes config.json and model.safetensors of an encoder of these sizes. Its tensors are
    /// those that the encoder itself is given, one after the other.
    ///
    /// # Errors
    /// [`Error::Read`] with what the system says, when a file cannot be written.
    pub fn export(&self, config: &Config, folder: &Path) -> Result<(), Error> {
        let path = folder.join("config.json");
        std::fs::write(&path, entries(config)).map_err(|error| Error::read(&path, error))?;
        let tensors = shapes(config).into_iter().map(|(name, shape)| {
            let tensor = Drawn { source: *self, name: name.clone(), shape };
            (name, tensor)
        });
        let path = folder.join("model.safetensors");
        safetensors::serialize_to_file(tensors, None, &path)
            .map_err(|error| Error::read(&path, std::io::Error::other(error)))
    }
}

/// config.json.
fn entries(config: &Config) -> String {
    let activation = match config.activation {
        Activation::Gelu => "gelu",
        Activation::GeluTanh => "gelu_new",
        Activation::Relu => "relu",
    };
    let entries = json!({
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": config.hidden,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "intermediate_size": config.intermediate,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.positions,
        "type_vocab_size": config.types,
        "hidden_act": activation,
        "layer_norm_eps": f64::from(config.epsilon),
        "position_embedding_type": "absolute",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    });
    format!("{entries:#}\n")
}

/// The names and shapes of all tensors of an encoder.
fn shapes(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (hidden, wide) = (config.hidden, config.intermediate);
    let mut shapes = Vec::new();
    for (table, rows) in [
        ("word_embeddings", config.vocabulary),
        ("position_embeddings", config.positions),
        ("token_type_embeddings", config.types),
    ] {
        shapes.push((format!("embeddings.{table}.weight"), vec![rows, hidden]));
    }
    let mut norm = |stem: &str| {
        for part in ["weight", "bias"] {
            shapes.push((format!("{stem}.LayerNorm.{part}"), vec![hidden]));
        }
    };
    norm("embeddings");
    for layer in 0..config.layers {
        norm(&format!("encoder.layer.{layer}.attention.output"));
        norm(&format!("encoder.layer.{layer}.output"));
    }
    for layer in 0..config.layers {
        for (part, outputs, inputs) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
        ] {
            let stem = format!("encoder.layer.{layer}.{part}");
            shapes.push((format!("{stem}.weight"), vec![outputs, inputs]));
            shapes.push((format!("{stem}.bias"), vec![outputs]));
        }
    }
    shapes
}

/// A tensor that is made when it is written: all of a large model at once would fill the memory.
struct Drawn {
    source: Synthetic,
    name: String,
    shape: Vec<usize>,
}

impl View for Drawn {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.source.tensor(&self.name, &self.shape);
        let values = values.expect("a seed has every tensor");
        values.into_iter().flat_map(f32::to_le_bytes).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * size_of::<f32>()
    }
}
