//! Text to tokens and windows, by the tiny tokenizer and, where they are, by real ones.

use crate::folder::{Folder, WORDS};
use crate::models::shared;
use serde_json::{Map, Value, json};
use tilewise_harness::bert::evaluation::Prepared;
use tilewise_harness::bert::squad::{self, Cut, Stride, Windowing};
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

/// Those of a spoilt file may stand anywhere.
#[test]
fn pieces_are_whole_characters_of_their_text() {
    let folder = Folder::whole();
    let context = "Ça: the CATS";
    let mut pieces = Text::open(folder.path()).unwrap().pieces(context).unwrap();
    assert!(pieces.check(context).is_ok());
    for (from, to) in [(0, 1), (1, 2), (5, 99), (4, 3)] {
        pieces.spans[1] = from..to;
        let error = pieces.check(context).unwrap_err().to_string();
        assert!(error.contains(&format!("bytes {from} to {to}")), "{error}");
    }
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
    for part in ["sentence_bert_config.json 16", "config.json 24", "16 tokens are the limit"] {
        assert!(remark.contains(part), "{remark}");
    }
}

#[test]
fn limits_that_are_none_are_refused() {
    let folder = Folder::whole();
    let config = Config::read(folder.path()).unwrap();
    for (file, name, given) in [
        ("sentence_bert_config.json", "max_seq_length", "-5"),
        ("sentence_bert_config.json", "max_seq_length", "\"abc\""),
        ("sentence_bert_config.json", "max_seq_length", "16.5"),
        ("tokenizer_config.json", "model_max_length", "[512]"),
        ("sentence_bert_config.json", "limit", "2"),
    ] {
        let entry = if name == "limit" { "max_seq_length" } else { name };
        folder.write(file, format!("{{\"{entry}\": {given}}}"));
        let error = Limit::read(folder.path(), &config).unwrap_err().to_string();
        assert!([file, name, given].iter().all(|word| error.contains(word)), "{error}");
        folder.write(file, "{}");
    }
    // What Python writes where there is none.
    folder
        .write("tokenizer_config.json", r#"{"model_max_length": 1000000000000000019884624838656}"#);
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": null}"#);
    assert_eq!(Limit::read(folder.path(), &config).unwrap().tokens, 24);
}

#[test]
fn windows_hold_the_question_and_all_pieces() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let context = text.pieces(&"the cat sat on a mat ".repeat(4)).unwrap();
    let windowing = Windowing { window: 16, stride: Stride::Step(7), question: 2 };
    let Cut { windows, dropped } = windowing.cut(&text, " The cat sat?", &context).unwrap();
    assert!(windows.iter().all(|window| window.first == [2, 4, 5, 3] && window.tokens() <= 16));
    assert_eq!(windows[0].pieces, 0..11);
    assert_eq!(windows[1].pieces, 7..18);
    assert_eq!(windows.last().unwrap().pieces.end, 24);
    assert_eq!(dropped, 2);
    let narrow = Windowing { window: 5, ..windowing };
    let refused = narrow.cut(&text, "the cat", &context);
    assert!(matches!(refused, Err(Error::NoRoom { window: 5, question: 2 })));
    let wide = Windowing { stride: Stride::Step(12), ..windowing };
    let refused = wide.cut(&text, "the cat", &context);
    let given = Stride::Step(12);
    assert!(matches!(refused, Err(Error::Stride { given: g, room: 11 }) if g == given));
}

/// Where windows overlap the paragraph alone is cut, unless windows would not go on beside a long
/// question.
#[test]
fn questions_stay_whole_where_there_is_room() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let context = text.pieces(&"the cat sat on a mat ".repeat(4)).unwrap();
    let cut = |overlap| {
        let windowing = Windowing { window: 16, stride: Stride::Overlap(overlap), question: 2 };
        windowing.cut(&text, "The cat sat?", &context).unwrap()
    };
    // Beside 4 pieces and 3 special tokens there are 9.
    let whole = cut(8);
    assert_eq!((whole.dropped, &whole.windows[0].first[..]), (0, &[2, 4, 5, 6, 11, 3][..]));
    assert_eq!((whole.windows[0].pieces.clone(), whole.windows[1].pieces.clone()), (0..9, 1..10));
    let short = cut(9);
    assert_eq!((short.dropped, &short.windows[0].first[..]), (2, &[2, 4, 5, 3][..]));
}

#[test]
fn what_was_cut_from_questions_is_counted() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let question = |id: &str, text: &str| squad::Question {
        id: id.into(),
        text: text.into(),
        context: "the cat sat on the mat".into(),
        answers: vec!["the cat".into()],
    };
    let asked = || vec![question("short", "cat?"), question("long", "the cat sat on the mat?")];
    let prepared = |stride| {
        let windowing = Windowing { window: 24, stride, question: 3 };
        Prepared::questions(asked(), &text, windowing).unwrap()
    };
    let (step, overlap) = (prepared(Stride::Step(4)), prepared(Stride::Overlap(4)));
    assert_eq!((step.truncated, step.dropped), (1, 4));
    assert_eq!((overlap.truncated, overlap.dropped), (0, 0));
}

/// A text that cannot be read is named as people find it.
#[test]
fn examples_that_cannot_be_read_are_named() {
    let folder = Folder::whole();
    let text = Text::open(folder.path()).unwrap();
    let pair = |first: &str, second: &str| sts::Pair {
        score: 1.0,
        sentences: [first.into(), second.into()],
    };
    let pairs = [pair("the cat", "a cat"), pair("the mat", "  ")];
    let error = Prepared::pairs(&pairs, &text, 24).unwrap_err().to_string();
    assert!(error.contains("pair 2") && error.contains("empty"), "{error}");
    let asked = |context: &str, asked: &str| {
        let question = squad::Question {
            id: "q7".into(),
            text: asked.into(),
            context: context.into(),
            answers: Vec::new(),
        };
        Prepared::questions(vec![question], &text, Windowing::default()).unwrap_err().to_string()
    };
    let error = asked("", "who?");
    assert!(
        error.contains("the paragraph of question \"q7\"") && error.contains("empty"),
        "{error}"
    );
    let error = asked("the cat", " ");
    assert!(error.starts_with("question \"q7\"") && error.contains("empty"), "{error}");

    let mut config = Config::read(folder.path()).unwrap();
    let prepared = Prepared::pairs(&pairs[..1], &text, 24).unwrap();
    assert!(prepared.check(&config).is_ok());
    // "a" is token 10.
    config.vocabulary = 10;
    let error = prepared.check(&config).unwrap_err().to_string();
    assert!(error.contains("pair 1") && error.contains("token number 10"), "{error}");
}

/// Some texts the tokenizer of a spoilt file panics at, though it takes others.
#[test]
fn texts_the_tokenizer_panics_at_are_refused() {
    let folder = Folder::whole();
    // A table of characters in base64: its length, then 128 empty places, too few for what is not ASCII.
    let table = format!("AAIA{}", "AAAA".repeat(171));
    folder.tokenizer(|tokenizer| {
        tokenizer["normalizer"] = json!({ "type": "Precompiled", "precompiled_charsmap": table });
    });
    let text = Text::open(folder.path()).unwrap();
    assert_eq!(text.pieces("the cat").unwrap().ids, [4, 5]);
    for spoilt in ["\u{e7}a", "the caf\u{e9}"] {
        let error = text.pieces(spoilt).unwrap_err();
        assert!(matches!(error, Error::Tokenizer(_)), "{error}");
        assert!(error.to_string().contains("the tokenizer cannot use it"), "{error}");
    }
    assert_eq!(text.pieces("the cat").unwrap().ids, [4, 5], "it goes on");
}

/// As tokenizer.json has it in published models, or nearly.
#[test]
fn templates_of_special_tokens_are_checked() {
    let folder = Folder::whole();
    let template = |text: &str, listed: &[&str]| {
        let token = |name: &str| {
            let id = WORDS.iter().position(|word| *word == name).unwrap();
            (name.to_owned(), json!({ "id": name, "ids": [id], "tokens": [name] }))
        };
        let piece = |name: &str| json!({ "SpecialToken": { "id": name, "type_id": 0 } });
        let single =
            [piece("[CLS]"), json!({ "Sequence": { "id": text, "type_id": 0 } }), piece("[SEP]")];
        let pair = [
            piece("[CLS]"),
            json!({ "Sequence": { "id": "A", "type_id": 0 } }),
            json!({ "Sequence": { "id": "B", "type_id": 1 } }),
        ];
        let listed: Map<String, Value> = listed.iter().map(|name| token(name)).collect();
        json!({
            "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": listed,
        })
    };
    let open = |processor: Value| {
        folder.tokenizer(|tokenizer| tokenizer["post_processor"] = processor);
        Text::open(folder.path()).map(|text| text.encode("the cat", 24).unwrap().ids)
    };
    let right = template("A", &["[CLS]", "[SEP]"]);
    assert_eq!(open(right.clone()).unwrap(), [2, 4, 5, 3]);
    let behind = |processor: Value| json!({ "type": "Sequence", "processors": [processor] });
    assert_eq!(open(behind(right)).unwrap(), [2, 4, 5, 3]);
    let wrong = template("A", &["[CLS]"]);
    for processor in [wrong.clone(), behind(wrong)] {
        let error = open(processor).unwrap_err().to_string();
        for word in ["tokenizer.json", "\"[SEP]\"", "special_tokens"] {
            assert!(error.contains(word), "{error}");
        }
    }
    let error = open(template("B", &["[CLS]", "[SEP]"])).unwrap_err().to_string();
    assert!(error.contains("tokenizer.json") && error.contains("\"B\""), "{error}");
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
        let cut = Windowing::default().cut(&text, &question.text, &context).unwrap();
        assert_eq!(cut.dropped, 0);
        cut.windows.len()
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
