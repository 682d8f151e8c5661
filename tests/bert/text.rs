//! Text to tokens and windows, by the tiny tokenizer and, where they are, by real ones.

use crate::folder::Folder;
use crate::models::shared;
use tilewise_harness::bert::squad::{self, Stride, Windowing};
use tilewise_harness::bert::{Config, Error, Limit, Text, sts};

#[test]
fn text_is_cut_at_the_limit_and_says_so() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let whole = text.encode("The cats sat?", 24).unwrap();
    assert_eq!((whole.ids, whole.dropped), (vec![2, 4, 5, 7, 6, 11, 3], 0));
    let cut = text.encode("The cats sat?", 5).unwrap();
    assert_eq!((cut.ids, cut.dropped), (vec![2, 4, 5, 7, 3], 2));
    for empty in ["", "  \n"] {
        assert!(matches!(text.encode(empty, 24), Err(Error::EmptyText)));
    }
    assert_eq!(text.encode("zebra", 24).unwrap().ids, [2, 1, 3]);
}

#[test]
fn pieces_know_their_bytes() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let context = "Ça: the CATS";
    let pieces = text.pieces(context).unwrap();
    let words: Vec<&str> = pieces.spans.iter().map(|span| &context[span.clone()]).collect();
    assert_eq!(words, ["Ça", ":", "the", "CAT", "S"]);
}

#[test]
fn limits_that_disagree_are_told() {
    let folder = Folder::whole();
    let config = Config::read(folder.path()).unwrap();
    let limit = Limit::read(folder.path(), &config).unwrap();
    assert_eq!(limit.tokens, 24);
    assert!(limit.remark.unwrap().contains("tokenizer.json 5"));
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": 16}"#);
    let limit = Limit::read(folder.path(), &config).unwrap();
    assert_eq!(limit.tokens, 16);
    let remark = limit.remark.unwrap();
    for part in ["sentence_bert_config.json 16", "config.json 24", "cut at 16"] {
        assert!(remark.contains(part), "{remark}");
    }
}

#[test]
fn windows_hold_the_question_and_all_pieces() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let context = text.pieces(&"the cat sat on a mat ".repeat(4)).unwrap();
    let windowing = Windowing { window: 16, stride: Stride::Overlap(4), question: 2 };
    let windows = windowing.cut(&text, " The cat sat?", &context).unwrap();
    assert!(windows.iter().all(|window| window.first == [2, 4, 5, 3] && window.tokens() <= 16));
    assert_eq!(windows[0].pieces, 0..11);
    assert_eq!(windows[1].pieces, 7..18);
    assert_eq!(windows.last().unwrap().pieces.end, 24);
    let narrow = Windowing { window: 5, ..windowing };
    assert!(matches!(narrow.cut(&text, "the cat", &context), Err(Error::NoRoom { .. })));
}

/// As many windows as Hugging Face's script makes of the same file.
#[test]
fn real_questions_are_cut_as_others_cut_them() {
    let (Some(model), Some(data)) =
        (shared("models/minilm-qa"), shared("data/squad-dev-part.json"))
    else {
        return;
    };
    let text = Text::open(&model).unwrap();
    let questions = squad::read(&data).unwrap();
    assert_eq!(questions.len(), 1313);
    let windows = |question: &squad::Question| {
        let context = text.pieces(&question.context).unwrap();
        Windowing::default().cut(&text, &question.text, &context).unwrap().len()
    };
    assert_eq!(questions.iter().map(windows).sum::<usize>(), 1341);
}

#[test]
fn real_pairs_are_read() {
    let Some(data) = shared("data/sts-dev.csv") else { return };
    let pairs = sts::read(&data).unwrap();
    assert_eq!(pairs.len(), 1500);
    assert_eq!(pairs[2].sentences[1], "The man is feeding a mouse to the snake.");
}
