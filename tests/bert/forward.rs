//! The forward pass: against plain loops in 64 bits, and the same bits in any company.

use crate::folder::Folder;
use tilewise::attention::Attention;
use tilewise::cache::CacheSizes;
use tilewise::{Isa, Matrix, MatrixMut, Solo, SpinTeam, Team};
use tilewise_harness::bert::evaluation::Head;
use tilewise_harness::bert::{
    Activation, AnswerHead, Batch, Checkpoint, Config, Encoder, Error, Expected, Operation,
    Pooling, Precision, Ranges, Room, Source, Synthetic, counts, reference,
};

/// A small model whose sizes go into no panel and no register evenly.
pub(crate) fn config() -> Config {
    let mut config = Config::minilm();
    (config.hidden, config.heads, config.intermediate) = (60, 3, 101);
    (config.layers, config.vocabulary, config.positions) = (3, 97, 80);
    config
}

/// Sequences of some lengths.
pub(crate) fn batch(lengths: &[usize]) -> Batch {
    let mut batch = Batch::default();
    let mut next = 5u32;
    let mut ids = |len: usize| -> Vec<u32> {
        (0..len)
            .map(|_| {
                next = (next * 37 + 11) % 97;
                next
            })
            .collect()
    };
    for &len in lengths {
        batch.push_pair(&ids(len - len / 3), &ids(len / 3));
    }
    batch
}

fn states(encoder: &Encoder, batch: &Batch, team: &dyn Team) -> Vec<f32> {
    encoder.encode(batch, &mut Room::default(), team).unwrap().data().to_vec()
}

pub(crate) fn far_apart(states: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(states.len(), exact.len());
    let gaps = states.iter().zip(exact).map(|(a, b)| (f64::from(*a) - b).abs());
    gaps.fold(0.0, |most, gap| if gap.is_nan() { f64::MAX } else { most.max(gap) })
}

#[test]
fn floats_are_close_to_the_reference_on_every_isa() {
    let batch = batch(&[1, 17, 80, 3, 49]);
    for activation in [Activation::Gelu, Activation::GeluTanh, Activation::Relu] {
        let config = {
            let mut c = config();
            c.activation = activation;
            c
        };
        let exact = reference::encode(&config, &Synthetic { seed: 7 }, &batch).unwrap();
        for isa in Isa::available() {
            let encoder = Encoder::on(isa, &config, &Synthetic { seed: 7 }, Precision::Fp32);
            let gap = far_apart(&states(&encoder.unwrap(), &batch, &Solo), &exact);
            assert!(gap < 1e-4, "{isa}, {activation:?}: {gap:e}");
        }
    }
}

/// Rows of 1024 floats are kept a line apart inside, and given out next to each other.
#[test]
fn rows_of_whole_pages_are_close_to_the_reference() {
    let (batch, source) = (batch(&[5, 1, 9]), Synthetic { seed: 3 });
    let mut config = config();
    (config.hidden, config.heads, config.intermediate, config.layers) = (1024, 16, 1024, 1);
    let exact = reference::encode(&config, &source, &batch).unwrap();
    let largest = exact.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    let mut room = Room::default();
    for (precision, most) in
        [(Precision::Fp32, 1e-4f64.max(1e-5 * largest)), (Precision::Int8, 0.25 * largest)]
    {
        let encoder = Encoder::new(&config, &source, precision).unwrap();
        // Twice: what stands in the room from another pass must not matter.
        encoder.encode(&batch, &mut room, &Solo).unwrap();
        let states = encoder.encode(&batch, &mut room, &Solo).unwrap();
        let gap = far_apart(states.data(), &exact);
        assert!(gap < most, "{}: {gap:e}", precision.name());
    }
}

#[test]
fn layers_of_a_folder_are_close_to_the_reference() {
    let folder = Folder::whole();
    let config = Config::read(folder.path()).unwrap();
    let source = Checkpoint::open(folder.path()).unwrap();
    let mut batch = Batch::default();
    batch.push_pair(&[2, 4, 5, 3], &[6, 7, 8, 3]);
    batch.push(&[2, 11, 3]);
    let exact = reference::encode(&config, &source, &batch).unwrap();
    let encoder = Encoder::new(&config, &source, Precision::Fp32).unwrap();
    assert!(far_apart(&states(&encoder, &batch, &Solo), &exact) < 1e-4);
}

/// Bytes are 1/255 of a range each: the states of a few layers stay within a fraction of their
/// size, and those of other weights do not.
#[test]
fn bytes_are_near_the_reference() {
    let (config, batch) = (config(), batch(&[40, 7]));
    let source = Synthetic { seed: 7 };
    let exact = reference::encode(&config, &source, &batch).unwrap();
    let size = (exact.iter().map(|x| x * x).sum::<f64>()).sqrt();
    let gap = |states: &[f32]| {
        let gaps = states.iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).powi(2));
        gaps.sum::<f64>().sqrt() / size
    };
    let floats = Encoder::new(&config, &source, Precision::Fp32).unwrap();
    let ranges = floats.calibrate([&batch], &mut Room::default(), &Solo).unwrap();
    for precision in [Precision::Int8, Precision::Int8Static(&ranges)] {
        let encoder = Encoder::new(&config, &source, precision).unwrap();
        let gap = gap(&states(&encoder, &batch, &Solo));
        assert!(gap < 0.1, "{}: {gap}", precision.name());
        assert!(gap > 0.0, "bytes are not floats");
    }
    let other = Encoder::new(&config, &Synthetic { seed: 8 }, Precision::Int8).unwrap();
    let (expected, other) = (Expected::new(&exact, config.hidden), states(&other, &batch, &Solo));
    assert!(gap(&other) > 0.5);
    // As commands and reports judge it.
    let encoder = Encoder::new(&config, &source, Precision::Int8).unwrap();
    let right = states(&encoder, &batch, &Solo);
    let check = |states: &[f32]| expected.check("loops", Precision::Int8, states);
    assert!(check(&right).passed(), "{:?}", check(&right));
    assert!(!check(&other).passed(), "{:?}", check(&other));
    // One token of another sequence, too.
    let mut swapped = right.clone();
    swapped.copy_within(..config.hidden, 5 * config.hidden);
    assert!(!check(&swapped).passed(), "{:?}", check(&swapped));
}

/// What is said to be of bytes is what is multiplied so.
#[test]
fn operations_are_counted_as_they_are_done() {
    let (config, source) = (config(), Synthetic { seed: 7 });
    let lengths = [23, 24, 80];
    let counted = |precision, head: &Head| {
        let encoder = Encoder::new(&config, &source, precision).unwrap();
        let counts = counts(&encoder, head, lengths);
        counts.into_iter().map(|c| (c.name, c.int8, c.fp32, c.sequences)).collect::<Vec<_>>()
    };
    let sentence = Head::Sentence(Pooling::Mean);
    let floats = counted(Precision::Fp32, &sentence);
    assert!(floats.contains(&("linear", 0, 12, 3)) && floats.contains(&("layer norm", 0, 7, 3)));
    assert!(floats.contains(&("attention product", 0, 6, 3)), "{floats:?}");
    let bytes = counted(Precision::Int8, &sentence);
    assert!(bytes.contains(&("linear", 12, 0, 3)), "{bytes:?}");
    assert!(bytes.contains(&("attention product", 6, 0, 2)), "{bytes:?}");
    assert!(bytes.contains(&("attention product, short sequences", 0, 6, 1)), "{bytes:?}");
    let answer = AnswerHead::read(&config, &source).unwrap();
    let answers = counted(Precision::Int8, &Head::Answer(answer));
    assert!(answers.contains(&("answer head", 0, 1, 3)), "{answers:?}");
    assert!(bytes.iter().all(|(name, ..)| *name != "answer head"));

    // The products of a sequence that is one token too short are those of floats.
    let attends = |tokens| {
        let mut batch = Batch::default();
        batch.push(&vec![5; tokens]);
        let attention = Attention::new(config.heads, config.head(), Isa::best()).unwrap();
        let qkv: Vec<f32> =
            (0..tokens * 3 * config.hidden).map(|i| ((i * 37) % 101) as f32 / 101.0).collect();
        let run = |attention: Attention| {
            let mut out = vec![0.0; tokens * config.hidden];
            let rows = MatrixMut::new(&mut out, tokens, config.hidden).unwrap();
            let qkv = Matrix::new(&qkv, tokens, 3 * config.hidden).unwrap();
            let mut scratch = attention.scratch(tokens, 1).unwrap();
            attention.run(qkv, batch.offsets(), rows, &mut scratch, &Solo).unwrap();
            out
        };
        run(attention) != run(attention.in_bytes())
    };
    let encoder = Encoder::new(&config, &source, Precision::Int8).unwrap();
    for tokens in [1, 23, 24, 80] {
        assert_eq!(encoder.attends_in_bytes(tokens), attends(tokens), "{tokens} tokens");
    }
}

/// A room is counted before it is made.
#[test]
fn the_room_of_a_batch_is_known() {
    let bytes = |tokens| Room::bytes(&Config::minilm(), tokens, 512);
    assert!(bytes(65536 * 512) > 65536 * 512 * 384 * 4);
    assert!(bytes(512) > 512 * 384 * 4 && bytes(512) < bytes(1024));
    assert_eq!(Room::bytes(&Config::large(), usize::MAX, 512), usize::MAX);
}

#[test]
fn a_sequence_has_the_same_bits_alone_and_in_any_batch_on_any_team() {
    let (config, source) = (config(), Synthetic { seed: 3 });
    let lengths = [33, 1, 80, 12, 50, 50];
    let together = batch(&lengths);
    let floats = Encoder::new(&config, &source, Precision::Fp32).unwrap();
    let ranges = floats.calibrate([&together], &mut Room::default(), &Solo).unwrap();
    for precision in [Precision::Fp32, Precision::Int8, Precision::Int8Static(&ranges)] {
        let encoder = Encoder::new(&config, &source, precision).unwrap();
        let expected = states(&encoder, &together, &Solo);
        for threads in 2..=4 {
            let team = SpinTeam::new(threads).unwrap();
            assert_eq!(states(&encoder, &together, &team), expected, "{threads} threads");
        }
        // One room for all: what is left of a longer batch must not be seen in a shorter one.
        let mut room = Room::default();
        for index in 0..together.len() {
            let tokens = together.sequence(index);
            let mut alone = Batch::default();
            let first = tokens.len() - tokens.len() / 3;
            let (ids, cut) = (&together.ids()[tokens.clone()], first);
            alone.push_pair(&ids[..cut], &ids[cut..]);
            let states = encoder.encode(&alone, &mut room, &Solo).unwrap();
            let same = &expected[tokens.start * config.hidden..tokens.end * config.hidden];
            assert_eq!(states.data(), same, "{}, sequence {index}", precision.name());
        }
    }
}

/// So many tokens that the states of all do not fit into the second-level cache.
#[test]
fn a_large_batch_has_the_bits_of_small_ones() {
    for precision in [Precision::Fp32, Precision::Int8] {
        a_large_batch_has_the_bits_of_small_ones_in(precision);
    }
}

fn a_large_batch_has_the_bits_of_small_ones_in(precision: Precision<'_>) {
    let encoder = Encoder::new(&config(), &Synthetic { seed: 3 }, precision).unwrap();
    // 394 tokens of more than 512 bytes of states each.
    let lengths = [33, 1, 80, 12, 50, 77, 80, 61];
    let lengths = lengths.repeat(2 + CacheSizes::detect().l2 / (394 * 512));
    let (mut one, together) = (Batch::default(), batch(&lengths));
    let mut room = Room::default();
    let states = states(&encoder, &together, &SpinTeam::new(2).unwrap());
    let mut alone = Vec::new();
    for index in 0..together.len() {
        let tokens = together.sequence(index);
        let (ids, types) = (&together.ids()[tokens.clone()], &together.types()[tokens]);
        let (first, second) = ids.split_at(types.iter().filter(|&&kind| kind == 0).count());
        one.clear();
        one.push_pair(first, second);
        alone.extend_from_slice(encoder.encode(&one, &mut room, &Solo).unwrap().data());
    }
    assert!(states == alone, "a sequence depends on the others");
}

/// Sums of bytes are exact, and what is made of them is computed alike everywhere; attention
/// fuses its products and sums where the CPU can.
#[test]
fn bytes_differ_between_isas_by_rounding_only() {
    let (config, batch) = (config(), batch(&[40]));
    let all: Vec<Vec<f32>> = Isa::available()
        .map(|isa| {
            let encoder = Encoder::on(isa, &config, &Synthetic { seed: 7 }, Precision::Int8);
            states(&encoder.unwrap(), &batch, &Solo)
        })
        .collect();
    for states in &all {
        let exact: Vec<f64> = all[0].iter().map(|&x| x.into()).collect();
        // A rounding may move a value to the next byte.
        assert!(far_apart(states, &exact) < 0.2);
    }
}

#[test]
fn sentences_are_pooled_from_their_own_tokens() {
    let (config, batch) = (config(), batch(&[5, 9]));
    let encoder = Encoder::new(&config, &Synthetic { seed: 1 }, Precision::Fp32).unwrap();
    let states = states(&encoder, &batch, &Solo);
    let sentences = encoder.embed(&batch, Pooling::Mean, &mut Room::default(), &Solo).unwrap();
    let mut second = vec![0.0; config.hidden];
    Pooling::Mean.pool(&states[5 * config.hidden..], &mut second);
    assert_eq!(sentences[config.hidden..], second);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let (config, source) = (config(), Synthetic { seed: 1 });
    let encoder = Encoder::new(&config, &source, Precision::Int8).unwrap();
    let mut room = Room::default();
    let mut run = |ids: &[u32]| {
        let mut batch = Batch::default();
        batch.push(ids);
        encoder.encode(&batch, &mut room, &Solo).map(|states| states.rows())
    };
    assert!(matches!(run(&[97]), Err(Error::TokenId { given: 97, vocabulary: 97 })));
    assert!(matches!(run(&[]), Err(Error::Length { given: 0, .. })));
    assert!(matches!(run(&[0; 81]), Err(Error::Length { given: 81, most: 80 })));
    assert_eq!(run(&[1, 2, 3]).unwrap(), 3);
    let empty = encoder.encode(&Batch::default(), &mut room, &Solo).unwrap().rows();
    assert_eq!(empty, 0);

    let mut shorter = config.clone();
    shorter.layers = 1;
    let few: Ranges = Encoder::new(&shorter, &source, Precision::Fp32)
        .unwrap()
        .calibrate([&batch(&[4])], &mut Room::default(), &Solo)
        .unwrap();
    let wrong = Encoder::new(&config, &source, Precision::Int8Static(&few));
    assert!(matches!(wrong, Err(Error::Ranges { given: 4, expected: 12 })));
}

#[test]
fn times_are_kept_for_every_operation() {
    let (config, source) = (config(), Synthetic { seed: 1 });
    let encoder = Encoder::new(&config, &source, Precision::Fp32).unwrap();
    let mut room = Room::default();
    encoder.encode(&batch(&[20]), &mut room, &Solo).unwrap();
    let times = room.take_times();
    assert!(Operation::ALL.iter().all(|&operation| !times.of(operation).is_zero()));
    assert!(room.times().total().is_zero());
}

/// A source that says what it was asked for.
#[test]
fn the_pooler_is_not_asked_for() {
    struct Listed(std::cell::RefCell<Vec<String>>);
    impl Source for Listed {
        fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
            self.0.borrow_mut().push(name.into());
            Synthetic { seed: 1 }.tensor(name, shape)
        }
        fn has(&self, _: &str) -> bool {
            true
        }
    }
    let listed = Listed(Default::default());
    Encoder::new(&config(), &listed, Precision::Fp32).unwrap();
    let names = listed.0.into_inner();
    // Three tables, a norm of two; in each layer six linear layers and two norms of two.
    assert_eq!(names.len(), 5 + 3 * 16);
    assert_eq!(names.len(), config().tensors());
    assert!(names.iter().all(|name| !name.contains("pooler")));
}
