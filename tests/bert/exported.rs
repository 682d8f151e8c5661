//! A model from a seed, written as a folder, is the model itself.

use tilewise_harness::bert::{Checkpoint, Config, Source, Synthetic};

#[test]
fn an_exported_model_reads_back_as_it_was() {
    let mut config = Config::minilm();
    (config.layers, config.vocabulary) = (2, 100);
    let (source, folder) = (Synthetic { seed: 5 }, tempfile::tempdir().unwrap());
    source.export(&config, folder.path()).unwrap();
    assert_eq!(Config::read(folder.path()).unwrap(), config);
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let (hidden, wide) = (config.hidden, config.intermediate);
    for (name, shape) in [
        ("embeddings.word_embeddings.weight", &[100, hidden][..]),
        ("embeddings.position_embeddings.weight", &[512, hidden]),
        ("embeddings.token_type_embeddings.weight", &[2, hidden]),
        ("embeddings.LayerNorm.weight", &[hidden]),
        ("encoder.layer.1.attention.self.key.weight", &[hidden, hidden]),
        ("encoder.layer.1.attention.output.LayerNorm.bias", &[hidden]),
        ("encoder.layer.0.intermediate.dense.weight", &[wide, hidden]),
        ("encoder.layer.0.output.dense.weight", &[hidden, wide]),
        ("encoder.layer.1.output.LayerNorm.weight", &[hidden]),
    ] {
        let read = checkpoint.tensor(name, shape).unwrap();
        assert_eq!(read, source.tensor(name, shape).unwrap(), "{name}");
    }
    assert!(!checkpoint.has("encoder.layer.2.output.dense.weight"));
    let nowhere = folder.path().join("absent");
    let error = source.export(&config, &nowhere).unwrap_err().to_string();
    assert!(error.contains("absent") && error.contains("config.json"), "{error}");
}
