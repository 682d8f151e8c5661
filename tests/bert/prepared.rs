//! Data as it is run: every sequence in one batch, those of like length together where that is asked
//! for, and judged alike in any order.

use crate::folder::{Folder, WORDS};
use crate::models;
use tilewise::Solo;
use tilewise_harness::bert::evaluation::{Head, Judgement, Prepared, Ran};
use tilewise_harness::bert::squad::{Question, Stride, Windowing};
use tilewise_harness::bert::{AnswerHead, Pooling, Precision, Room, Text, sts};

/// Pairs of so many words each; every sentence has two special tokens more, as far as the limit goes.
fn prepared(folder: &Folder, limit: usize) -> Prepared {
    let text = Text::open(folder.path()).unwrap();
    let pair = |(index, words): (usize, [usize; 2])| sts::Pair {
        score: index as f64,
        sentences: words.map(|words| WORDS[11 - index].to_owned() + &" cat".repeat(words - 1)),
    };
    let words = [[3, 1], [7, 2], [1, 5], [4, 4]];
    let pairs: Vec<_> = words.into_iter().enumerate().map(pair).collect();
    Prepared::pairs(&pairs, &text, limit).unwrap()
}

#[test]
fn batches_hold_every_sequence_once() {
    let folder = Folder::whole();
    let prepared = prepared(&folder, 24);
    assert_eq!(prepared.lengths().collect::<Vec<_>>(), [5, 3, 9, 4, 3, 7, 6, 6]);
    let arrival = prepared.batches(3, false);
    assert_eq!(arrival, [&[0, 1, 2][..], &[3, 4, 5], &[6, 7]]);
    // The longest first, of equals as they came.
    let sorted = prepared.batches(3, true);
    assert_eq!(sorted, [&[2, 5, 6][..], &[7, 0, 3], &[1, 4]]);
    let batch = prepared.batch(&sorted[0]);
    assert_eq!(batch.offsets(), [0, 9, 16, 22]);
    let tokens = |batches: Vec<Vec<usize>>| -> usize {
        batches.iter().map(|indices| prepared.batch(indices).tokens()).sum()
    };
    assert_eq!([tokens(arrival), tokens(sorted)], [prepared.tokens(); 2]);
}

#[test]
fn pairs_are_judged_alike_in_any_order_and_as_far_as_they_are_there() {
    let folder = Folder::whole();
    let prepared = prepared(&folder, 24);
    let (encoder, _) = models::load(folder.path(), Precision::Int8);
    let head = Head::Sentence(Pooling::Mean);
    let judged = |size, sorted, batches| -> Judgement {
        let (mut room, mut outputs) = (Room::default(), prepared.outputs());
        for indices in prepared.batches(size, sorted).iter().take(batches) {
            let batch = prepared.batch(indices);
            head.run((&encoder, &mut room, &Solo), (&batch, indices), &mut outputs).unwrap();
        }
        prepared.judge(&outputs)
    };
    let whole = judged(3, true, usize::MAX);
    assert_eq!(whole.count, 4);
    assert!(whole.metrics.iter().all(|(_, value)| value.is_finite()), "{whole:?}");
    assert_eq!(judged(1, false, usize::MAX), whole);
    // Three sentences, and five: of the second pair and of the third one is missing.
    assert_eq!(judged(3, false, 1).count, 1);
    assert_eq!(judged(5, false, 1).count, 2);
    // The longest two are of two pairs.
    assert_eq!(judged(2, true, 1).count, 0);
}

/// Of sentences that were cut each counts that was run, of questions each of which any window was.
#[test]
fn what_was_run_is_counted() {
    let folder = Folder::whole();
    let (encoder, checkpoint) = models::load(folder.path(), Precision::Fp32);
    let ran = |prepared: &Prepared, head: &Head, indices: &[usize]| -> Ran {
        let (mut room, mut outputs) = (Room::default(), prepared.outputs());
        let batch = prepared.batch(indices);
        head.run((&encoder, &mut room, &Solo), (&batch, indices), &mut outputs).unwrap();
        prepared.ran(&outputs)
    };
    let counted = |lengths: &[usize], truncated: usize, dropped: usize| Ran {
        lengths: lengths.to_vec(),
        truncated,
        dropped,
    };
    let (pairs, head) = (prepared(&folder, 6), Head::Sentence(Pooling::Mean));
    assert_eq!((pairs.truncated, pairs.dropped), (2, 4));
    assert_eq!(ran(&pairs, &head, &[0, 1, 2]), counted(&[5, 3, 6], 1, 3));
    let all: Vec<usize> = (0..8).collect();
    assert_eq!(ran(&pairs, &head, &all), counted(&[5, 3, 6, 4, 3, 6, 6, 6], 2, 4));

    let text = Text::open(folder.path()).unwrap();
    let question = |id: &str, text: &str| Question {
        id: id.into(),
        text: text.into(),
        context: "the cat sat on the mat".into(),
        answers: vec!["the cat".into()],
    };
    let asked = [question("short", "cat?"), question("long", "the cat sat on the mat?")];
    let windowing = Windowing { window: 10, stride: Stride::Step(4), question: 3 };
    let questions = Prepared::questions(asked, &text, windowing).unwrap();
    assert_eq!((questions.truncated, questions.dropped), (1, 4));
    let head = Head::Answer(AnswerHead::read(encoder.config(), &checkpoint).unwrap());
    assert_eq!(ran(&questions, &head, &[0, 1]), counted(&[10, 7], 0, 0));
    assert_eq!(ran(&questions, &head, &[3]), counted(&[8], 1, 4));
    assert_eq!(ran(&questions, &head, &[0, 1, 2, 3]), counted(&[10, 7, 10, 8], 1, 4));
}
