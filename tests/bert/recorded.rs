//! Hidden states, sentences and scores beside those of Hugging Face's transformers.

use crate::models::{self, Hidden, Record, Sequence, records, shared};
use tilewise::Solo;
use tilewise_harness::bert::squad::{Best, Stride, Windowing};
use tilewise_harness::bert::{
    AnswerHead, Batch, Config, Encoder, Limit, Pooling, Precision, Room, Synthetic, Text,
};

/// What is promised of hidden states.
const CLOSE: f64 = 1e-4;

/// Up to this size. Channels that stand out reach 300 in models from a seed, where neighbouring
/// numbers of f32 are 3e-5 apart and transformers itself is 4e-4 from f64: there the same share of
/// a number's size is promised.
const ORDINARY: f64 = 32.0;

fn hidden(model: &str) -> &'static Hidden {
    let found = records().iter().find_map(|record| match record {
        Record::Hidden(hidden) if hidden.model == model => Some(hidden),
        _ => None,
    });
    found.expect("it was recorded")
}

/// The largest difference of two series, as if none of theirs stood out.
fn apart(ours: &[f32], theirs: &[f32]) -> f64 {
    assert_eq!(ours.len(), theirs.len(), "numbers");
    let share = |number: &f32| (f64::from(number.abs()) / ORDINARY).max(1.0);
    let apart = ours.iter().zip(theirs).map(|(a, b)| f64::from((a - b).abs()) / share(b));
    // A NaN must not be lost in a maximum.
    apart.fold(0.0, |most: f64, apart| if apart.is_nan() { f64::INFINITY } else { most.max(apart) })
}

fn push(batch: &mut Batch, Sequence { ids, types, .. }: &Sequence) {
    let first = types.iter().take_while(|&&kind| kind == 0).count();
    batch.push_pair(&ids[..first], &ids[first..]);
}

/// Holds all sequences of a record, in one batch, against it.
fn compare(encoder: &Encoder, record: &Hidden) {
    assert_eq!(encoder.config().layers, record.layers);
    let mut batch = Batch::default();
    record.sequences.iter().for_each(|sequence| push(&mut batch, sequence));
    let mut room = Room::default();
    let states = encoder.encode(&batch, &mut room, &Solo).unwrap();
    let mut most = 0.0f64;
    for (index, sequence) in record.sequences.iter().enumerate() {
        let tokens = batch.sequence(index);
        for (&row, theirs) in sequence.rows.iter().zip(&sequence.states) {
            most = most.max(apart(states.row(tokens.start + row), theirs));
        }
        assert_eq!(sequence.columns.len(), tokens.len());
        for (token, theirs) in tokens.zip(&sequence.columns) {
            let row = states.row(token);
            let ours: Vec<f32> = record.columns.iter().map(|&column| row[column]).collect();
            most = most.max(apart(&ours, theirs));
        }
    }
    let Hidden { model, gap, .. } = record;
    println!("{model}: {most:.1e} from transformers, which is {gap:.1e} from f64");
    // Theirs are as far from the truth as they are; ours must be close to it.
    assert!(most <= CLOSE + gap, "{model}: {most:e} from transformers, which is {gap:e} from f64");
}

#[test]
fn states_of_a_sentence_encoder_are_those_of_transformers() {
    let Some(folder) = models::minilm() else { return };
    compare(&models::load(&folder, Precision::Fp32).0, hidden("minilm"));
}

#[test]
fn states_of_a_question_model_are_those_of_transformers() {
    let Some(folder) = shared("models/minilm-qa") else { return };
    compare(&models::load(&folder, Precision::Fp32).0, hidden("minilm-qa"));
}

/// All twelve layers, with channels that stand out.
#[test]
fn states_of_base_are_those_of_transformers() {
    let source = Synthetic { seed: 1 };
    compare(&models::encoder(&Config::base(), &source, Precision::Fp32), hidden("base"));
}

/// All 24 layers.
#[test]
fn states_of_large_are_those_of_transformers() {
    let source = Synthetic { seed: 1 };
    compare(&models::encoder(&Config::large(), &source, Precision::Fp32), hidden("large"));
}

#[test]
fn sentences_are_those_of_transformers() {
    let Some(folder) = models::minilm() else { return };
    let (encoder, _) = models::load(&folder, Precision::Fp32);
    let text = Text::open(&folder).unwrap();
    let pooling = Pooling::read(&folder).unwrap();
    let limit = Limit::read(&folder, encoder.config()).unwrap().tokens;
    let recorded = records().iter().find_map(|record| match record {
        Record::Sentences { limit, sentences } => Some((*limit, sentences)),
        _ => None,
    });
    let (theirs, sentences) = recorded.unwrap();
    assert_eq!(limit, theirs);
    let mut batch = Batch::default();
    for sentence in sentences {
        let encoded = text.encode(&sentence.text, limit).unwrap();
        assert_eq!(encoded.ids, sentence.ids, "{:?}", sentence.text);
        assert_eq!(encoded.dropped, sentence.dropped, "{:?}", sentence.text);
        batch.push(&encoded.ids);
    }
    let ours = encoder.embed(&batch, pooling, &mut Room::default(), &Solo).unwrap();
    for (sentence, ours) in sentences.iter().zip(ours.chunks(encoder.config().hidden)) {
        let most = apart(ours, &sentence.embedding);
        assert!(most <= 1e-5, "{:?}: {most:e}", sentence.text);
    }
}

#[test]
fn a_question_is_answered_as_transformers_answers_it() {
    let Some(folder) = shared("models/minilm-qa") else { return };
    let (encoder, checkpoint) = models::load(&folder, Precision::Fp32);
    let head = AnswerHead::read(encoder.config(), &checkpoint).unwrap();
    let text = Text::open(&folder).unwrap();
    let recorded = records().iter().find_map(|record| match record {
        Record::Question(question) => Some(question),
        _ => None,
    });
    let recorded = recorded.unwrap();
    let context = text.pieces(&recorded.context).unwrap();
    let cut = Windowing::default().cut(&text, &recorded.question, &context).unwrap();
    let windows = cut.windows;
    assert_eq!(windows.len(), 1);
    let mut batch = Batch::default();
    windows[0].push(&mut batch);
    assert_eq!(batch.ids(), recorded.ids);
    let mut room = Room::default();
    let [starts, ends] = head.scores(encoder.encode(&batch, &mut room, &Solo).unwrap());
    assert!(apart(&starts, &recorded.starts) <= CLOSE && apart(&ends, &recorded.ends) <= CLOSE);
    let mut best = Best::default();
    best.look(&windows, 0, Stride::Overlap(128), [&starts, &ends]);
    let answer = best.answer(&context.spans).unwrap();
    assert_eq!(recorded.context[answer.span], recorded.answer);
}
