//! Ranges of inputs kept in a file: the same encoder comes of them, and of another model's none.

use crate::folder::Folder;
use tilewise::Solo;
use tilewise_harness::bert::{
    Batch, Config, Encoder, Error, Precision, Ranges, Room, Source, Synthetic,
};

/// Two layers of MiniLM's width, with channels that stand out.
fn small() -> Config {
    let mut config = Config::minilm();
    (config.layers, config.vocabulary) = (2, 100);
    config
}

fn batch() -> Batch {
    let mut batch = Batch::default();
    for length in [3, 40, 17] {
        batch.push(&(0..length).map(|place| (place * 37 + 11) % 100).collect::<Vec<_>>());
    }
    batch
}

fn found(seed: u64) -> Ranges {
    let encoder = Encoder::new(&small(), &Synthetic { seed }, Precision::Fp32).unwrap();
    encoder.calibrate([&batch()], &mut Room::default(), &Solo).unwrap()
}

fn bits(ranges: &Ranges) -> Vec<u32> {
    let precision = Precision::Int8Static(ranges);
    let encoder = Encoder::new(&small(), &Synthetic { seed: 3 }, precision).unwrap();
    let mut room = Room::default();
    let states = encoder.encode(&batch(), &mut room, &Solo).unwrap();
    states.data().iter().map(|state| state.to_bits()).collect()
}

#[test]
fn ranges_of_a_file_give_the_same_bits() {
    let (folder, found) = (Folder::whole(), found(3));
    folder.write("ranges.json", serde_json::to_string(&found).unwrap());
    let read = Ranges::read(&folder.path().join("ranges.json")).unwrap();
    assert_eq!(read, found);
    assert!(bits(&read) == bits(&found), "another encoder");
}

/// As in published calibrations of trained models, and not as in weights that are merely random, of
/// which hardly an input passes 5.
#[test]
fn random_weights_make_inputs_that_stand_out() {
    let ranges = serde_json::to_value(found(3)).unwrap();
    let layers = ranges["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    for layer in layers {
        let end = |linear: &str, end: usize| layer[linear][end].as_f64().unwrap();
        for linear in ["query-key-value", "feed-forward-up"] {
            assert!(end(linear, 1) - end(linear, 0) > 30.0, "{linear}: {layer}");
        }
        // Behind GELU nothing is far below zero.
        let down = "feed-forward-down";
        assert!(end(down, 1) > 8.0 && end(down, 0) > -0.2, "{layer}");
    }
}

#[test]
fn ranges_of_another_model_are_refused() {
    let given = |config: &Config, seed| {
        let source = Synthetic { seed };
        Encoder::new(config, &source, Precision::Int8Static(&found(3))).err()
    };
    assert!(given(&small(), 3).is_none());
    let other = given(&small(), 4).expect("other weights");
    assert!(
        matches!(&other, Error::OtherModel { given, expected } if given != expected),
        "{other}"
    );
    let mut longer = small();
    longer.layers = 3;
    let other = given(&longer, 3).expect("more layers");
    assert!(matches!(other, Error::Ranges { given: 8, expected: 12 }), "{other}");
}

/// A model with the weights of a layer doubled, and no bias: as fine-tunes that leave biases alone.
struct Doubled(&'static str);

impl Source for Doubled {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let mut values = Synthetic { seed: 3 }.tensor(name, shape)?;
        if name == self.0 {
            values.iter_mut().for_each(|value| *value *= 2.0);
        }
        Ok(values)
    }

    fn has(&self, _name: &str) -> bool {
        true
    }
}

#[test]
fn other_weights_make_another_model() {
    let found = found(3);
    let given = |name| Encoder::new(&small(), &Doubled(name), Precision::Int8Static(&found)).err();
    assert!(given("no layer").is_none());
    for name in [
        "encoder.layer.0.attention.self.key.weight",
        "encoder.layer.0.attention.output.dense.weight",
        "encoder.layer.1.intermediate.dense.weight",
        "encoder.layer.1.output.dense.weight",
    ] {
        let other = given(name).expect("other weights");
        assert!(matches!(&other, Error::OtherModel { .. }), "{name}: {other}");
    }
}

#[test]
fn files_without_ranges_are_refused() {
    let folder = Folder::whole();
    let path = folder.path().join("ranges.json");
    let refused = |text: &str, word: &str| {
        folder.write("ranges.json", text);
        let error = Ranges::read(&path).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
        let said = error.to_string();
        assert!(said.contains("ranges.json") && said.contains(word), "{said}");
    };
    let whole = serde_json::to_string(&found(3)).unwrap();
    for end in [0, 1, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..end], "EOF");
    }
    let layer = r#""query-key-value":[-1,1],"attention-output":[-1,1],"feed-forward-up":[-1,1]"#;
    let file = |down: &str| {
        let layer = format!("{{{layer},\"feed-forward-down\":{down}}}");
        format!("{{\"schema\":1,\"model\":\"m\",\"layers\":[{layer}]}}")
    };
    folder.write("ranges.json", file("[-1,1]"));
    assert!(Ranges::read(&path).is_ok());
    refused(&file("[1,2]"), "feed-forward-down of layer 0 is [1.0, 2.0]; expected");
    refused(&file("[NaN,1]"), "line 1");
    refused(&file("[null,1]"), "null");
    refused(&file("[1]"), "length 1");
    refused(&file("[-1,1],\"pooler\":[-1,1]"), "pooler");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Ranges::read(&path), Err(Error::Read { .. })));
}
