//! Folders that are read, and all the ways they are refused.

use crate::folder::{Folder, HIDDEN};
use safetensors::tensor::Dtype;
use serde_json::{Value, json};
use std::fs;
use tilewise_harness::bert::{
    Batch, Checkpoint, Config, Encoder, Error, Pooling, Precision, Source, Synthetic, Text,
    reference, sequences, squad, transformer,
};

pub(crate) fn says<T>(result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("not refused: {words:?}") };
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

#[test]
fn tensors_are_found_under_all_their_names() {
    let folder = Folder::whole();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    for name in ["embeddings.LayerNorm.weight", "embeddings.LayerNorm.bias"] {
        assert_eq!(checkpoint.tensor(name, &[HIDDEN]).unwrap().len(), HIDDEN);
    }
    assert!(checkpoint.has("encoder.layer.1.output.dense.bias"));
    assert!(!checkpoint.has("pooler.dense.weight"));
}

#[test]
fn halves_are_read_as_numbers() {
    let folder = Folder::whole();
    folder.tensors(|mut tensors| {
        let tensor = tensors.iter_mut().find(|t| t.name == "qa_outputs.bias").unwrap();
        // 1.5 and -0.25.
        (tensor.dtype, tensor.bytes) = (Dtype::F16, vec![0x00, 0x3e, 0x00, 0xb4]);
        tensors
    });
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.tensor("qa_outputs.bias", &[2]).unwrap(), [1.5, -0.25]);
}

#[test]
fn spoilt_checkpoints_are_refused() {
    let folder = Folder::whole();
    let file = folder.path().join("model.safetensors");
    let whole = fs::read(&file).unwrap();
    for end in [0, 7, 8, 100, whole.len() - 1] {
        folder.write("model.safetensors", &whole[..end]);
        says(Checkpoint::open(folder.path()), &["model.safetensors"]);
    }
    // A header that claims to be longer than the file, and one that claims other places.
    let mut lying = whole.clone();
    lying[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    folder.write("model.safetensors", &lying);
    says(Checkpoint::open(folder.path()), &["model.safetensors", "safetensors"]);
    let header = br#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}"#;
    let lying = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 8]].concat();
    folder.write("model.safetensors", &lying);
    says(Checkpoint::open(folder.path()), &["model.safetensors"]);
    fs::remove_file(&file).unwrap();
    says(
        Checkpoint::open(folder.path()),
        &["model.safetensors", "no such file", "a model's folder"],
    );
    for (other, words) in
        [("model.safetensors.index.json", "max_shard_size"), ("pytorch_model.bin", "makes it")]
    {
        folder.write(other, "");
        says(Checkpoint::open(folder.path()), &["no such file", other, "save_pretrained", words]);
    }
    fs::create_dir(&file).unwrap();
    says(Checkpoint::open(folder.path()), &["model.safetensors", "folder"]);
}

#[test]
fn wrong_tensors_are_named() {
    let folder = Folder::whole();
    folder.tensors(|mut tensors| {
        let bias = tensors.iter_mut().find(|t| t.name == "qa_outputs.bias").unwrap();
        (bias.dtype, bias.bytes) = (Dtype::I32, vec![0; 8]);
        let weight = tensors.iter_mut().find(|t| t.name == "qa_outputs.weight").unwrap();
        weight.bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes());
        tensors
    });
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    says(checkpoint.tensor("qa_outputs.bias", &[2]), &["qa_outputs.bias", "I32", "F32 or F16"]);
    says(checkpoint.tensor("qa_outputs.weight", &[2, HIDDEN]), &["qa_outputs.weight", "place 1"]);
    says(checkpoint.tensor("qa_outputs.weight", &[2, 8]), &["[2, 32]", "[2, 8]"]);
    says(checkpoint.tensor("pooler.dense.bias", &[8]), &["pooler.dense.bias", "no tensor"]);
}

#[test]
fn configurations_are_read_or_refused() {
    let folder = Folder::whole();
    assert_eq!(Config::read(folder.path()).unwrap().head(), HIDDEN / 2);
    for (name, value, words) in [
        ("model_type", json!("roberta"), ["roberta", "expected bert"]),
        ("hidden_act", json!("swish"), ["swish", "gelu_new"]),
        ("num_attention_heads", json!(5), ["num_attention_heads is 5", "divisor"]),
        ("hidden_size", json!(0), ["hidden_size is 0", "1 to"]),
        ("vocab_size", json!(u64::MAX), ["vocab_size", "1048576"]),
        ("position_embedding_type", json!("relative_key"), ["relative_key", "absolute"]),
        ("layer_norm_eps", json!(-1.0), ["layer_norm_eps is -1", "0 to 1"]),
        ("is_decoder", json!(true), ["is_decoder", "false"]),
        ("hidden_size", json!("big"), ["config.json: hidden_size", "invalid type"]),
        ("hidden_act", json!(null), ["config.json: hidden_act", "null"]),
        ("is_decoder", json!("no"), ["config.json: is_decoder", "boolean"]),
    ] {
        folder.configure(name, value);
        says(Config::read(folder.path()), &words);
    }
    folder.write("config.json", "{");
    says(Config::read(folder.path()), &["config.json", "line 1"]);
    folder.write("config.json", "{}");
    says(Config::read(folder.path()), &["hidden_size"]);
    fs::remove_file(folder.path().join("config.json")).unwrap();
    says(Config::read(folder.path()), &["config.json", "no such file", "a model's folder"]);
}

/// What does not say its type is told by its classes.
#[test]
fn other_models_are_refused_by_their_classes() {
    let folder = Folder::whole();
    let with = |class: &str| {
        folder.configure("architectures", json!([class]));
        let path = folder.path().join("config.json");
        let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        config.as_object_mut().unwrap().remove("model_type");
        folder.write("config.json", config.to_string());
        Config::read(folder.path())
    };
    assert_eq!(with("BertForQuestionAnswering").unwrap().layers, 2);
    says(with("RobertaForQuestionAnswering"), &["architectures is RobertaFor", "BertModel"]);
}

/// Sizes are public: what no file has may be asked for all the same.
#[test]
fn sizes_that_are_none_are_refused() {
    let encoder = |change: fn(&mut Config)| {
        let mut config = Config::minilm();
        config.layers = 1;
        change(&mut config);
        assert!(config.head() <= config.hidden);
        let _ = sequences(&config, (1, 3), 1);
        Encoder::new(&config, &Synthetic { seed: 1 }, Precision::Int8)
    };
    says(encoder(|config| config.heads = 0), &["num_attention_heads is 0", "1 to"]);
    says(encoder(|config| config.heads = 7), &["num_attention_heads is 7", "divisor"]);
    says(encoder(|config| config.vocabulary = 0), &["vocab_size is 0"]);
    says(encoder(|config| config.hidden = 0), &["hidden_size is 0"]);
    let mut config = Config::minilm();
    config.heads = 0;
    let nothing = reference::encode(&config, &Synthetic { seed: 1 }, &Batch::default());
    says(nothing, &["num_attention_heads is 0"]);
}

#[test]
fn pooling_follows_its_file() {
    let folder = Folder::whole();
    assert_eq!(Pooling::read(folder.path()).unwrap(), Pooling::Mean);
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    assert_eq!(Pooling::read(folder.path()).unwrap(), Pooling::Cls);
    let cls =
        r#"{"pooling_mode": "cls", "include_prompt": true, "pooling_mode_mean_tokens": false}"#;
    folder.write("1_Pooling/config.json", cls);
    assert_eq!(Pooling::read(folder.path()).unwrap(), Pooling::Cls);
    for mode in ["max_tokens", "lasttoken", "weightedmean_tokens", "another_day"] {
        let entries =
            format!("{{\"pooling_mode_{mode}\": true, \"pooling_mode_mean_tokens\": true}}");
        folder.write("1_Pooling/config.json", entries);
        says(Pooling::read(folder.path()), &[mode, "mean_tokens", "mean or cls"]);
    }
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": "yes"}"#);
    says(Pooling::read(folder.path()), &["pooling_mode_mean_tokens", "mean or cls"]);
}

/// What sentence-transformers would make of texts first is made of none here.
#[test]
fn folders_that_want_texts_changed_are_refused() {
    let folder = Folder::whole();
    let read = |file: &str, entries: Value| {
        folder.write(file, entries.to_string());
        Pooling::read(folder.path())
    };
    let lowers = |lowers: bool| {
        folder.tokenizer(|tokenizer| tokenizer["normalizer"]["lowercase"] = lowers.into());
    };
    let (case, prompt) = ("sentence_bert_config.json", "config_sentence_transformers.json");
    // The tokenizer lower-cases anyway.
    assert!(read(case, json!({ "do_lower_case": true })).is_ok());
    lowers(false);
    let refused = read(case, json!({ "do_lower_case": true }));
    says(refused, &[case, "do_lower_case is true; expected false", "lower-case them yourself"]);
    for other in [json!({ "do_lower_case": false }), json!({ "max_seq_length": 16 })] {
        assert!(read(case, other).is_ok());
    }
    let prompts = json!({ "query": "query: ", "document": "" });
    let by_default =
        |name: Value| read(prompt, json!({ "prompts": prompts, "default_prompt_name": name }));
    for name in [Value::Null, json!("document")] {
        assert!(by_default(name).is_ok());
    }
    let words = ["default_prompt_name is \"query\"; expected null", "put \"query: \" before each"];
    says(by_default(json!("query")), &[prompt, words[0], words[1]]);
}

#[test]
fn modules_are_followed_or_refused_by_name() {
    let folder = Folder::whole();
    let list = |modules: &[(&str, &str)]| {
        let modules: Vec<Value> = modules
            .iter()
            .map(|(name, path)| {
                json!({ "path": path, "type": format!("sentence_transformers.models.{name}") })
            })
            .collect();
        folder.write("modules.json", json!(modules).to_string());
        Pooling::read(folder.path())
    };
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_mean_tokens": true}"#);
    folder.write("9_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    let usual = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")];
    assert_eq!(list(&usual).unwrap(), Pooling::Mean);
    assert_eq!(list(&[("Transformer", ""), ("Pooling", "9_Pooling")]).unwrap(), Pooling::Cls);
    let dense = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")];
    says(list(&dense), &["modules.json", "models.Dense", "Normalize"]);
    // What is listed must be there: the mean would be another model.
    let absent = list(&[("Transformer", ""), ("Pooling", "7_Pooling")]);
    says(absent, &["7_Pooling", "no such file", "modules.json lists it"]);
}

/// The folder of a sentence encoder of old holds the model in another.
#[test]
fn models_are_found_where_modules_say() {
    let folder = Folder::whole();
    assert_eq!(transformer(folder.path()).unwrap(), folder.path());
    folder.nest();
    let place = transformer(folder.path()).unwrap();
    assert_eq!(place, folder.path().join("0_Transformer"));
    assert_eq!(Config::read(&place).unwrap().hidden, HIDDEN);
    assert!(Checkpoint::open(&place).is_ok() && Text::open(&place).is_ok());
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    assert_eq!(Pooling::read(folder.path()).unwrap(), Pooling::Cls);
    folder.write("modules.json", "{}");
    says(transformer(folder.path()), &["modules.json", "invalid type"]);
    let file = folder.path().join("modules.json");
    says(transformer(&file), &["modules.json: it is a file; expected a model's folder"]);
}

/// Version 2 has questions without answers, which a model that must answer can only fail.
#[test]
fn questions_without_answers_are_refused_by_id() {
    let folder = Folder::whole();
    let file = |answers: Value| {
        let asked = |id: &str, answers| json!({ "id": id, "question": "who?", "answers": answers });
        let asked = [asked("one", json!([{ "text": "cat" }])), asked("two", answers)];
        let paragraph = json!({ "context": "the cat", "qas": asked });
        folder.write("q.json", json!({ "data": [{ "paragraphs": [paragraph] }] }).to_string());
        squad::read(&folder.path().join("q.json"))
    };
    assert_eq!(file(json!([{ "text": "the cat" }])).unwrap().len(), 2);
    says(file(json!([])), &["q.json", "\"two\"", "v1.1"]);
    let absent = squad::read(&folder.path().join("absent.json"));
    says(absent, &["absent.json", "no such file", "SQuAD"]);
}

#[test]
fn tokenizers_are_read_or_refused() {
    let folder = Folder::whole();
    assert!(Text::open(folder.path()).is_ok());
    folder.write("tokenizer.json", "{}");
    says(Text::open(folder.path()), &["tokenizer.json"]);
    fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    says(Text::open(folder.path()), &["tokenizer.json", "no such file", "a model's folder"]);
    folder.write("vocab.txt", "");
    says(Text::open(folder.path()), &["no such file", "vocab.txt", "save_pretrained"]);
}

#[test]
fn batches_a_model_cannot_read_are_refused() {
    let config = Config::minilm();
    let checked = |ids: &[u32]| {
        let mut batch = Batch::default();
        batch.push(&[101, 102]);
        batch.push(ids);
        batch.check(&config)
    };
    assert!(checked(&[0, 30521]).is_ok());
    says(checked(&[30522]), &["30522", "vocabulary"]);
    says(checked(&[]), &["0 tokens", "1 to 512"]);
    says(checked(&[7; 513]), &["513 tokens", "1 to 512"]);
    let (mut pair, mut one) = (Batch::default(), config.clone());
    pair.push_pair(&[101, 102], &[102]);
    assert!(pair.check(&config).is_ok());
    one.types = 1;
    says(pair.check(&one), &["segment number 1", "below 1"]);
}

/// Same seed, same weights; and a few channels that stand out.
#[test]
fn synthetic_weights_have_outliers() {
    let (one, two) = (Synthetic { seed: 1 }, Synthetic { seed: 2 });
    let norm = |source: Synthetic| source.tensor("embeddings.LayerNorm.weight", &[768]).unwrap();
    assert_eq!(norm(one), norm(one));
    assert_ne!(norm(one), norm(two));
    let far = norm(one).into_iter().filter(|weight| *weight > 5.0).count();
    assert!((3..=8).contains(&far), "{far}");
    let wide = one.tensor("encoder.layer.0.intermediate.dense.weight", &[3072, 768]).unwrap();
    let far = wide.chunks(768).filter(|row| row.iter().any(|weight| weight.abs() > 0.1)).count();
    assert!((15..=30).contains(&far), "{far}");
}
