//! How good a real model is on real data: in f32 as good as transformers found it, in INT8 nearly.
//!
//! With `cargo test -p tilewise-harness --test bert accuracy -- --nocapture` the figures are shown.

use crate::models::{self, Record, records, shared};
use std::path::Path;
use tilewise::Solo;
use tilewise_harness::bert::evaluation::{Head, Judgement, Prepared};
use tilewise_harness::bert::squad::{self, Windowing};
use tilewise_harness::bert::{AnswerHead, Encoder, Limit, Pooling, Precision, Room, Text, sts};

/// Sequences that are run together.
const TOGETHER: usize = 32;

fn judge(encoder: &Encoder, head: &Head, prepared: &Prepared) -> Judgement {
    let (mut room, mut outputs) = (Room::default(), prepared.outputs());
    for indices in prepared.batches(TOGETHER, true) {
        let batch = prepared.batch(&indices);
        head.run((encoder, &mut room, &Solo), (&batch, &indices), &mut outputs).unwrap();
    }
    let judgement = prepared.judge(&outputs);
    assert_eq!(judgement.count, prepared.count());
    judgement
}

/// A metric by its name.
fn metric(judgement: &Judgement, name: &str) -> f64 {
    let found = judgement.metrics.iter().find(|(given, _)| *given == name);
    found.expect("the metric of the task").1
}

/// Whether they are the same to three decimals; in percent, to five.
fn same(ours: f64, theirs: f64) -> bool {
    (ours - theirs).abs() < 5e-4
}

fn similarity(folder: &Path, pairs: &[sts::Pair], precision: Precision<'_>) -> Judgement {
    let (encoder, _) = models::load(folder, precision);
    let (text, pooling) = (Text::open(folder).unwrap(), Pooling::read(folder).unwrap());
    let limit = Limit::read(folder, encoder.config()).unwrap().tokens;
    let prepared = Prepared::pairs(pairs, &text, limit).unwrap();
    let tokens = records().iter().find_map(|record| match record {
        Record::Sts { tokens, .. } => Some(*tokens),
        _ => None,
    });
    assert_eq!(Some(prepared.tokens()), tokens);
    judge(&encoder, &Head::Sentence(pooling), &prepared)
}

#[test]
fn similarities_are_as_good_as_with_transformers() {
    let (Some(folder), Some(data)) = (models::minilm(), shared("data/sts-dev.csv")) else { return };
    let pairs = sts::read(&data).unwrap();
    let recorded = records().iter().find_map(|record| match record {
        Record::Sts { count, spearman, pearson, .. } => Some((*count, *spearman, *pearson)),
        _ => None,
    });
    let (count, spearman, pearson) = recorded.unwrap();
    assert_eq!(pairs.len(), count);
    let float = similarity(&folder, &pairs, Precision::Fp32);
    assert!(same(metric(&float, "spearman"), spearman), "{float:?}, not {spearman}");
    assert!(same(metric(&float, "pearson"), pearson), "{float:?}, not {pearson}");
    let int8 = similarity(&folder, &pairs, Precision::Int8);
    let change = metric(&int8, "spearman") / metric(&float, "spearman") - 1.0;
    println!("{float:?} in f32, {int8:?} in INT8");
    assert!(change.abs() <= 0.005, "INT8 changes Spearman by {:.3} %", 100.0 * change);
}

/// Nothing where the model or the data is not there.
fn answers(precision: Precision<'_>) -> Option<(Judgement, usize)> {
    let (folder, data) = (shared("models/minilm-qa")?, shared("data/squad-dev-part.json")?);
    let (encoder, checkpoint) = models::load(&folder, precision);
    let head = AnswerHead::read(encoder.config(), &checkpoint).unwrap();
    let text = Text::open(&folder).unwrap();
    let questions = squad::read(&data).unwrap();
    let prepared = Prepared::questions(questions, &text, Windowing::default()).unwrap();
    Some((judge(&encoder, &Head::Answer(head), &prepared), prepared.sequences()))
}

/// Questions, windows, exact match and F1 as transformers had them.
fn recorded() -> (usize, usize, f64, f64) {
    let recorded = records().iter().find_map(|record| match *record {
        Record::Squad { count, windows, exact, f1 } => Some((count, windows, exact, f1)),
        _ => None,
    });
    recorded.expect("it was recorded")
}

#[test]
fn answers_are_as_good_as_with_transformers() {
    let Some((ours, windows)) = answers(Precision::Fp32) else { return };
    let (count, theirs, exact, f1) = recorded();
    println!("{ours:?} in f32");
    assert_eq!((ours.count, windows), (count, theirs));
    assert!(same(metric(&ours, "exact_match"), exact), "{ours:?}, not {exact}");
    assert!(same(metric(&ours, "f1"), f1), "{ours:?}, not {f1}");
}

#[test]
fn answers_in_int8_are_nearly_as_good() {
    let Some((ours, _)) = answers(Precision::Int8) else { return };
    println!("{ours:?} in INT8");
    let change = metric(&ours, "f1") / recorded().3 - 1.0;
    assert!(change.abs() <= 0.01, "INT8 changes F1 by {:.3} %", 100.0 * change);
}
