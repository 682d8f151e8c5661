//! Weights that are finite numbers, of which the model makes none: that is an error, and never a
//! sentence or an answer.

use crate::folder::{Folder, Tensor};
use crate::models;
use tilewise::{Solo, Team};
use tilewise_harness::bert::evaluation::{Head, Prepared};
use tilewise_harness::bert::squad::{Question, Unanswered, Windowing};
use tilewise_harness::bert::{AnswerHead, Batch, Error, Pooling, Precision, Room, Text, sts};

/// The number of "?", whose row is spoilt.
const SPOILT: u32 = 11;

fn batch(sequences: &[&[u32]]) -> Batch {
    let mut batch = Batch::default();
    sequences.iter().for_each(|ids| batch.push(ids));
    batch
}

/// Which sequence is wrong, if one is.
fn wrong<T>(result: Result<T, Error>) -> Option<usize> {
    match result {
        Ok(_) => None,
        Err(Error::Overflow { sequence }) => Some(sequence),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn states_that_are_no_numbers_are_refused_in_every_precision() {
    let folder = Folder::whole();
    folder.spoil([SPOILT as usize]);
    let (floats, source) = models::load(folder.path(), Precision::Fp32);
    let sound = batch(&[&[2, 4, 5, 3], &[2, 6, 3]]);
    let spoilt = batch(&[&[2, 4, 5, 3], &[2, 6, SPOILT, 3], &[2, 4, 3]]);
    let mut room = Room::default();
    let ranges = floats.calibrate([&sound], &mut room, &Solo).unwrap();
    assert_eq!(wrong(floats.calibrate([&sound, &spoilt], &mut room, &Solo)), Some(1));
    for precision in [Precision::Fp32, Precision::Int8, Precision::Int8Static(&ranges)] {
        let (name, encoder) =
            (precision.name(), models::encoder(floats.config(), &source, precision));
        assert_eq!(wrong(encoder.encode(&spoilt, &mut room, &Solo)), Some(1), "{name}");
        let sentences = encoder.embed(&spoilt, Pooling::Mean, &mut room, &Solo);
        assert_eq!(wrong(sentences), Some(1), "{name}");
        // Nothing of it is left where the next batch goes.
        let next = encoder.encode(&sound, &mut room, &Solo).unwrap().data().to_vec();
        let alone = encoder.encode(&sound, &mut Room::default(), &Solo).unwrap().data().to_vec();
        assert!(next == alone && next.iter().all(|number| number.is_finite()), "{name}");
    }
}

#[test]
fn the_example_that_comes_to_nothing_is_named() {
    let folder = Folder::whole();
    folder.spoil([SPOILT as usize]);
    let (encoder, _) = models::load(folder.path(), Precision::Int8);
    let text = Text::open(folder.path()).unwrap();
    let pair = |first: &str, second: &str| sts::Pair {
        score: 1.0,
        sentences: [first.into(), second.into()],
    };
    let pairs = [pair("the cat", "a cat"), pair("the mat", "a mat ?")];
    let prepared = Prepared::pairs(&pairs, &text, 24).unwrap();
    let (mut room, mut outputs, indices) = (Room::default(), prepared.outputs(), [1, 3, 0]);
    let batch = prepared.batch(&indices);
    let by = (&encoder, &mut room, &Solo as &dyn Team);
    let ran = Head::Sentence(Pooling::Cls).run(by, (&batch, &indices), &mut outputs);
    let error = ran.unwrap_err();
    assert!(matches!(error, Error::Overflow { sequence: 1 }), "{error}");
    let error = prepared.named(error, &indices).to_string();
    assert!(error.starts_with("pair 2: the model makes a NaN"), "{error}");
    assert!(matches!(prepared.named(Error::EmptyText, &indices), Error::EmptyText));
    assert_eq!(prepared.judge(&outputs).count, 0);
}

/// Writes the right tensors but for these, which are of one number each.
fn fill(folder: &Folder, numbers: &[(&str, f32)]) {
    folder.tensors(|mut tensors| {
        for Tensor { name, bytes, .. } in &mut tensors {
            if let Some((_, number)) = numbers.iter().find(|(ending, _)| name.ends_with(*ending)) {
                *bytes = number.to_le_bytes().repeat(bytes.len() / size_of::<f32>());
            }
        }
        tensors
    });
}

/// Of each token one state at least is past 1 in size, so that its product is past all numbers.
#[test]
fn scores_that_are_no_numbers_are_refused() {
    let folder = Folder::whole();
    let largest = ("qa_outputs.weight", f32::MAX);
    fill(&folder, &[("encoder.layer.1.output.LayerNorm.weight", 4.0), largest]);
    let (encoder, checkpoint) = models::load(folder.path(), Precision::Fp32);
    let head = Head::Answer(AnswerHead::read(encoder.config(), &checkpoint).unwrap());
    let question = Question {
        id: "q7".into(),
        text: "cat ?".into(),
        context: "the cat sat on the mat".into(),
        answers: vec!["the mat".into()],
    };
    let text = Text::open(folder.path()).unwrap();
    let windowing = Windowing { window: 24, ..Windowing::default() };
    let prepared = Prepared::questions([question], &text, windowing).unwrap();
    let (mut room, mut outputs) = (Room::default(), prepared.outputs());
    let batch = prepared.batch(&[0]);
    assert!(encoder.encode(&batch, &mut room, &Solo).is_ok());
    let error = head.run((&encoder, &mut room, &Solo), (&batch, &[0]), &mut outputs).unwrap_err();
    let error = prepared.named(error, &[0]).to_string();
    assert!(error.starts_with("question \"q7\": the model makes a NaN"), "{error}");
    assert_eq!(prepared.answers(&outputs), [Err(Unanswered::Unread)]);
}
