//! What holds for models of real widths, whose products are cut into tiles and blocks: a sequence's
//! output has the same bits alone or in any batch, on any team. And folders that lack something are
//! refused.

use crate::folder::Folder;
use crate::forward;
use tilewise::{Isa, Solo, SpinTeam, Team};
use tilewise_harness::bert::{
    Batch, Checkpoint, Config, Encoder, Error, Precision, Ranges, Room, Source, Synthetic,
};

/// Two layers of MiniLM's width, with channels that stand out.
fn small() -> Config {
    let mut config = Config::minilm();
    (config.layers, config.vocabulary) = (2, 500);
    config
}

/// Lengths around the tiles of products: one row, a few, more than a tile, and many.
const LENGTHS: [usize; 9] = [1, 2, 5, 7, 16, 33, 64, 130, 3];

fn sequence(index: usize) -> Vec<u32> {
    (0..LENGTHS[index]).map(|place| ((place * 37 + index * 101 + 11) % 500) as u32).collect()
}

fn ranges(config: &Config, source: &dyn Source) -> Ranges {
    let encoder = Encoder::new(config, source, Precision::Fp32).unwrap();
    let mut batch = Batch::default();
    (0..LENGTHS.len()).for_each(|index| batch.push(&sequence(index)));
    encoder.calibrate([&batch], &mut Room::default(), &Solo).unwrap()
}

fn each_precision(test: impl Fn(&Encoder, &str)) {
    let (config, source) = (small(), Synthetic { seed: 3 });
    let ranges = ranges(&config, &source);
    for precision in [Precision::Fp32, Precision::Int8, Precision::Int8Static(&ranges)] {
        test(&Encoder::new(&config, &source, precision).unwrap(), precision.name());
    }
}

fn bits(encoder: &Encoder, batch: &Batch, team: &dyn Team) -> Vec<u32> {
    let mut room = Room::default();
    let states = encoder.encode(batch, &mut room, team).unwrap();
    states.data().iter().map(|value| value.to_bits()).collect()
}

#[test]
fn a_sequence_is_the_same_alone_and_in_any_batch() {
    each_precision(|encoder, precision| {
        let hidden = encoder.config().hidden;
        let alone = |index| {
            let mut batch = Batch::default();
            batch.push(&sequence(index));
            bits(encoder, &batch, &Solo)
        };
        let alone: Vec<Vec<u32>> = (0..LENGTHS.len()).map(alone).collect();
        for order in [[0, 1, 2, 3, 4, 5, 6, 7, 8], [8, 7, 6, 5, 4, 3, 2, 1, 0], [4; 9], [7; 9]] {
            let mut batch = Batch::default();
            order.iter().for_each(|&index| batch.push(&sequence(index)));
            let states = bits(encoder, &batch, &Solo);
            for (place, &index) in order.iter().enumerate() {
                let tokens = batch.sequence(place);
                let ours = &states[tokens.start * hidden..tokens.end * hidden];
                assert!(ours == alone[index], "{precision}: sequence {index} at {place}");
            }
        }
    });
}

#[test]
fn any_team_gives_the_same_bits() {
    let (two, three) = (SpinTeam::new(2).unwrap(), SpinTeam::new(3).unwrap());
    each_precision(|encoder, precision| {
        for indices in [&[0][..], &[3], &[7], &[0, 1, 2, 3, 4, 5, 6, 7, 8]] {
            let mut batch = Batch::default();
            indices.iter().for_each(|&index| batch.push(&sequence(index)));
            let solo = bits(encoder, &batch, &Solo);
            for team in [&two, &three] {
                let same = bits(encoder, &batch, team) == solo;
                assert!(same, "{precision}, {} members, {indices:?}", team.size());
            }
        }
    });
}

/// On those that are not the best, too; a narrower model will do.
#[test]
fn every_instruction_set_gives_a_sequence_its_bits_in_any_company() {
    let (config, source) = (forward::config(), Synthetic { seed: 3 });
    let (together, team) = (forward::batch(&[33, 1, 80, 7]), SpinTeam::new(3).unwrap());
    for isa in Isa::available() {
        for precision in [Precision::Fp32, Precision::Int8] {
            let encoder = Encoder::on(isa, &config, &source, precision).unwrap();
            let states = bits(&encoder, &together, &team);
            for place in 0..together.len() {
                let tokens = together.sequence(place);
                let (ids, types) =
                    (&together.ids()[tokens.clone()], &together.types()[tokens.clone()]);
                let (first, second) = ids.split_at(types.partition_point(|&segment| segment == 0));
                let mut alone = Batch::default();
                alone.push_pair(first, second);
                let ours = &states[tokens.start * config.hidden..tokens.end * config.hidden];
                let same = ours == bits(&encoder, &alone, &Solo);
                assert!(same, "{isa}, {}: sequence {place}", precision.name());
            }
        }
    }
}

#[test]
fn int8_is_near_f32_in_spite_of_channels_that_stand_out() {
    let (config, source) = (small(), Synthetic { seed: 3 });
    let mut batch = Batch::default();
    (0..LENGTHS.len()).for_each(|index| batch.push(&sequence(index)));
    let states = |precision| {
        let encoder = Encoder::new(&config, &source, precision).unwrap();
        encoder.encode(&batch, &mut Room::default(), &Solo).unwrap().data().to_vec()
    };
    let (float, int8) = (states(Precision::Fp32), states(Precision::Int8));
    assert!(float.iter().all(|value| value.is_finite()));
    let square = |value: f32| f64::from(value) * f64::from(value);
    let apart: f64 = float.iter().zip(&int8).map(|(a, b)| square(a - b)).sum();
    let length: f64 = float.iter().map(|&value| square(value)).sum();
    let relative = (apart / length).sqrt();
    assert!((1e-6..0.1).contains(&relative), "{relative:e}");
}

fn refused<T>(result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("not refused: {words:?}") };
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

#[test]
fn models_that_lack_a_tensor_or_have_another_are_refused() {
    let load = |folder: &Folder| {
        let config = Config::read(folder.path())?;
        Encoder::new(&config, &Checkpoint::open(folder.path())?, Precision::Int8)
    };
    let folder = Folder::whole();
    load(&folder).expect("everything in order");
    for name in ["attention.self.key.bias", "LayerNorm.gamma", "word_embeddings.weight"] {
        folder.tensors(|mut tensors| {
            tensors.retain(|tensor| !tensor.name.ends_with(name));
            tensors
        });
        refused(load(&folder), &["model.safetensors", "no tensor"]);
    }
    folder.tensors(|tensors| tensors);
    for (entry, value) in [("hidden_size", 64), ("intermediate_size", 32), ("vocab_size", 13)] {
        folder.configure(entry, value.into());
        refused(load(&folder), &["model.safetensors", "expected"]);
    }
    folder.configure("num_hidden_layers", 3.into());
    refused(load(&folder), &["encoder.layer.2."]);
}
