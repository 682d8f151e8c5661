//! What a model's own files say is followed: the names and numbers of its tensors, the form of its
//! activation, what is added in its layer norms, and how long a text may be.

use crate::folder::{Folder, Tensor};
use crate::forward::far_apart;
use crate::models;
use safetensors::tensor::Dtype;
use serde_json::json;
use tilewise::Solo;
use tilewise_harness::bert::{
    Activation, Batch, Checkpoint, Config, Encoder, Limit, Precision, Room, reference,
};

fn batch() -> Batch {
    let mut batch = Batch::default();
    batch.push_pair(&[2, 4, 5, 3], &[6, 7, 8, 3]);
    batch.push(&[2, 11, 3]);
    batch
}

fn states(encoder: &Encoder) -> Vec<f32> {
    encoder.encode(&batch(), &mut Room::default(), &Solo).unwrap().data().to_vec()
}

/// Those of the model of a folder.
fn states_of(folder: &Folder) -> Vec<f32> {
    states(&models::load(folder.path(), Precision::Fp32).0)
}

/// As new and old checkpoints of encoders and of task models have them, and beside them what old ones
/// keep of positions.
#[test]
fn a_model_is_the_same_under_all_names() {
    let folder = Folder::whole();
    let expected = states_of(&folder);
    for prefix in ["", "bert."] {
        for [weight, bias] in [["weight", "bias"], ["gamma", "beta"]] {
            folder.tensors(|mut tensors| {
                for Tensor { name, .. } in &mut tensors {
                    let bare = name.trim_start_matches("bert.");
                    let new =
                        bare.replace("Norm.gamma", "Norm.weight").replace("Norm.beta", "Norm.bias");
                    let named = new.replace("Norm.weight", &format!("Norm.{weight}"));
                    let named = named.replace("Norm.bias", &format!("Norm.{bias}"));
                    *name = format!("{prefix}{named}");
                }
                tensors.push(Tensor {
                    name: format!("{prefix}embeddings.position_ids"),
                    shape: vec![1, 24],
                    bytes: vec![0; 24 * size_of::<i64>()],
                    dtype: Dtype::I64,
                });
                tensors
            });
            assert!(states_of(&folder) == expected, "{prefix:?}, {weight}");
        }
    }
}

/// The numbers of a tensor, each the nearest 1024th: 16 bits hold those exactly.
fn rounded(bytes: &[u8]) -> Vec<f32> {
    let numbers = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes));
    numbers.map(|number| (number * 1024.0).round() / 1024.0).collect()
}

/// Such a number below 1 in 16 bits.
fn half(number: f32) -> [u8; 2] {
    let bits = number.to_bits();
    let (sign, exponent, fraction) = (bits >> 31, (bits >> 23) & 0xff, (bits >> 13) & 0x3ff);
    let size = if number == 0.0 { 0 } else { ((exponent - 112) << 10) | fraction };
    (((sign << 15) | size) as u16).to_le_bytes()
}

#[test]
fn a_model_of_halves_is_that_of_its_numbers() {
    let folder = Folder::whole();
    folder.tensors(|mut tensors| {
        for Tensor { bytes, .. } in &mut tensors {
            *bytes = rounded(bytes).into_iter().flat_map(f32::to_le_bytes).collect();
        }
        tensors
    });
    let expected = states_of(&folder);
    folder.tensors(|mut tensors| {
        for Tensor { bytes, dtype, .. } in &mut tensors {
            *bytes = rounded(bytes).into_iter().flat_map(half).collect();
            *dtype = Dtype::F16;
        }
        tensors
    });
    assert!(states_of(&folder) == expected);
}

#[test]
fn the_activation_is_that_of_the_file() {
    let folder = Folder::whole();
    // Both forms of GELU are nearly the same but some way from zero.
    folder.tensors(|mut tensors| {
        for Tensor { bytes, .. } in
            tensors.iter_mut().filter(|tensor| tensor.name.ends_with("intermediate.dense.weight"))
        {
            let numbers = rounded(bytes).into_iter();
            *bytes = numbers.flat_map(|number| (4.0 * number).to_le_bytes()).collect();
        }
        tensors
    });
    let source = Checkpoint::open(folder.path()).unwrap();
    let forms = [Activation::Gelu, Activation::GeluTanh, Activation::Relu];
    let exact = forms.map(|activation| {
        let mut config = Config::read(folder.path()).unwrap();
        config.activation = activation;
        reference::encode(&config, &source, &batch()).unwrap()
    });
    for (name, form) in [("gelu", 0), ("gelu_new", 1), ("gelu_pytorch_tanh", 1), ("relu", 2)] {
        folder.configure("hidden_act", name.into());
        let config = Config::read(folder.path()).unwrap();
        assert_eq!(config.activation, forms[form], "{name}");
        let states = states(&models::encoder(&config, &source, Precision::Fp32));
        let gaps = exact.each_ref().map(|exact| far_apart(&states, exact));
        for other in (0..forms.len()).filter(|&other| other != form) {
            assert!(8.0 * gaps[form] < gaps[other], "{name}: {gaps:?} from {forms:?}");
        }
    }
}

#[test]
fn what_layer_norms_add_is_that_of_the_file() {
    let folder = Folder::whole();
    let source = Checkpoint::open(folder.path()).unwrap();
    let usual = Config::read(folder.path()).unwrap();
    folder.configure("layer_norm_eps", json!(0.25));
    let config = Config::read(folder.path()).unwrap();
    assert_eq!((usual.epsilon, config.epsilon), (1e-12, 0.25));
    let states = states(&models::encoder(&config, &source, Precision::Fp32));
    let gap = |config| far_apart(&states, &reference::encode(config, &source, &batch()).unwrap());
    assert!(gap(&config) < 1e-4 && gap(&usual) > 1e-3, "{}, {}", gap(&config), gap(&usual));
}

/// What sentences are cut at by sentence_bert_config.json, else by tokenizer_config.json.
#[test]
fn the_limit_is_the_documented_one() {
    let folder = Folder::whole();
    let config = Config::read(folder.path()).unwrap();
    let limit = |sentences: &str, tokenizer: &str| {
        folder.write("sentence_bert_config.json", sentences);
        folder.write("tokenizer_config.json", tokenizer);
        Limit::read(folder.path(), &config).unwrap()
    };
    let (sixteen, twelve) = (r#"{"max_seq_length": 16}"#, r#"{"model_max_length": 12}"#);
    assert_eq!(limit(sixteen, twelve).tokens, 16);
    let other = limit("{}", twelve);
    assert_eq!(other.tokens, 12);
    let remark = other.remark.unwrap();
    for part in ["tokenizer.json 5", "tokenizer_config.json 12", "config.json 24", "12 tokens are"]
    {
        assert!(remark.contains(part), "{remark}");
    }
    // There are no more positions.
    assert_eq!(limit(r#"{"max_seq_length": 500}"#, "{}").tokens, 24);
    assert_eq!(limit("{}", r#"{"model_max_length": 500}"#).tokens, 24);
    folder.tokenizer(|tokenizer| tokenizer["truncation"]["max_length"] = 24.into());
    let agreed = limit(r#"{"max_seq_length": 24}"#, r#"{"model_max_length": 24}"#);
    assert_eq!(agreed, Limit { tokens: 24, remark: None });
}
