//! A tiny model's folder, whole or spoilt in one place.

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(crate) const HIDDEN: usize = 32;
pub(crate) const WORDS: [&str; 12] =
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "sat", "##s", "on", "mat", "a", "?"];

pub(crate) struct Folder(TempDir);

impl Folder {
    /// A model of two layers with everything in order.
    pub(crate) fn whole() -> Folder {
        let folder = Folder(tempfile::tempdir().expect("a temporary folder"));
        folder.write("config.json", config().to_string());
        folder.write("tokenizer.json", tokenizer().to_string());
        folder.tensors(|tensors| tensors);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        fs::write(path, text).expect("a file can be written");
    }

    /// Moves the model into a folder of its own, which modules.json names.
    pub(crate) fn nest(&self) {
        let inside = self.path().join("0_Transformer");
        fs::create_dir(&inside).expect("a folder can be made");
        for name in ["config.json", "model.safetensors", "tokenizer.json"] {
            fs::rename(self.path().join(name), inside.join(name)).expect("a file can be moved");
        }
        let module =
            json!({ "path": "0_Transformer", "type": "sentence_transformers.models.Transformer" });
        self.write("modules.json", json!([module]).to_string());
    }

    /// Changes an entry of config.json.
    pub(crate) fn configure(&self, name: &str, value: Value) {
        let mut config = config();
        config[name] = value;
        self.write("config.json", config.to_string());
    }

    /// Makes the rows of some words all of the largest number there is, of which layer norms make NaN.
    pub(crate) fn spoil(&self, words: impl IntoIterator<Item = usize>) {
        self.tensors(|mut tensors| {
            let table = tensors.iter_mut().find(|t| t.name.ends_with("word_embeddings.weight"));
            let bytes = &mut table.expect("every model has it").bytes;
            let largest = f32::MAX.to_le_bytes().repeat(HIDDEN);
            for word in words {
                bytes[word * largest.len()..][..largest.len()].copy_from_slice(&largest);
            }
            tensors
        });
    }

    /// Writes the tokenizer `change` makes of the right one.
    pub(crate) fn tokenizer(&self, change: impl FnOnce(&mut Value)) {
        let mut right = tokenizer();
        change(&mut right);
        self.write("tokenizer.json", right.to_string());
    }

    /// Writes the tensors `change` makes of the right ones.
    pub(crate) fn tensors(&self, change: impl FnOnce(Tensors) -> Tensors) {
        let tensors = change(tensors());
        let views = tensors.iter().map(|Tensor { name, shape, bytes, dtype }| {
            (name, TensorView::new(*dtype, shape.clone(), bytes).expect("a sound tensor"))
        });
        let file = safetensors::serialize(views, None).expect("sound tensors");
        self.write("model.safetensors", file);
    }
}

pub(crate) type Tensors = Vec<Tensor>;

pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) dtype: Dtype,
}

fn config() -> Value {
    json!({
        "model_type": "bert",
        "hidden_size": HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 2 * HIDDEN,
        "vocab_size": WORDS.len(),
        "max_position_embeddings": 24,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-12,
    })
}

fn tokenizer() -> Value {
    let special = |id: usize| {
        json!({
            "id": id, "content": WORDS[id], "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": true
        })
    };
    let vocabulary: serde_json::Map<String, Value> =
        WORDS.iter().enumerate().map(|(id, word)| (word.to_string(), id.into())).collect();
    json!({
        "version": "1.0",
        "truncation": {
            "direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 0
        },
        "padding": {
            "strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"
        },
        "added_tokens": [special(0), special(1), special(2), special(3)],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]
        },
        "decoder": null,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": vocabulary
        }
    })
}

/// Names and shapes as BERT has them, under old and new names, with and without the prefix.
fn tensors() -> Tensors {
    let (hidden, wide) = (HIDDEN, 2 * HIDDEN);
    let mut named: Vec<(String, Vec<usize>)> = vec![
        ("bert.embeddings.word_embeddings.weight".into(), vec![WORDS.len(), hidden]),
        ("embeddings.position_embeddings.weight".into(), vec![24, hidden]),
        ("embeddings.token_type_embeddings.weight".into(), vec![2, hidden]),
        ("bert.embeddings.LayerNorm.gamma".into(), vec![hidden]),
        ("bert.embeddings.LayerNorm.beta".into(), vec![hidden]),
        ("qa_outputs.weight".into(), vec![2, hidden]),
        ("qa_outputs.bias".into(), vec![2]),
    ];
    for layer in 0..2 {
        for (part, outputs, inputs) in [
            ("attention.self.query", hidden, hidden),
            ("attention.self.key", hidden, hidden),
            ("attention.self.value", hidden, hidden),
            ("attention.output.dense", hidden, hidden),
            ("intermediate.dense", wide, hidden),
            ("output.dense", hidden, wide),
        ] {
            let stem = format!("bert.encoder.layer.{layer}.{part}");
            named.push((format!("{stem}.weight"), vec![outputs, inputs]));
            named.push((format!("{stem}.bias"), vec![outputs]));
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            named.push((format!("encoder.layer.{layer}.{part}.weight"), vec![hidden]));
            named.push((format!("encoder.layer.{layer}.{part}.bias"), vec![hidden]));
        }
    }
    named.into_iter().map(|(name, shape)| Tensor::new(name, shape)).collect()
}

impl Tensor {
    fn new(name: String, shape: Vec<usize>) -> Tensor {
        let len: usize = shape.iter().product();
        let spread = |i: usize| ((i * 7919 + name.len() * 31) % 1009) as f32 / 1009.0 - 0.5;
        let bytes = (0..len).flat_map(|i| spread(i).to_le_bytes()).collect();
        Tensor { name, shape, bytes, dtype: Dtype::F32 }
    }
}
