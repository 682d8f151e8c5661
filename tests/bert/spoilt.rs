//! Files that lie, are cut short, or have a byte of another value: refused by name, or read as far as
//! they are sound, and never a panic.

use crate::folder::Folder;
use crate::read::says;
use std::fs;
use tilewise_harness::bert::{Checkpoint, Config, Limit, Pooling, Source, Text, squad, sts};

/// Two tensors, of 16 bytes and of 4.
const HEADER: &str = r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"F16","shape":[2],"data_offsets":[16,20]}}"#;

/// A checkpoint with this header and so many bytes of data.
fn file(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0u8; data][..]].concat()
}

/// Tensors that follow each other without a gap, to the end of what 64 bits can count.
fn beyond_all_numbers() -> String {
    let most = u64::MAX / 8;
    let tensor = |index: u64| {
        let (from, to) = (index * most, (index + 1) * most);
        format!(r#""{index}":{{"dtype":"U8","shape":[{most}],"data_offsets":[{from},{to}]}}"#)
    };
    format!("{{{}}}", (0..8).map(tensor).collect::<Vec<_>>().join(","))
}

#[test]
fn headers_that_lie_are_refused() {
    let folder = Folder::whole();
    let open = |bytes: &[u8]| {
        folder.write("model.safetensors", bytes);
        Checkpoint::open(folder.path())
    };
    assert!(open(&file(HEADER, 20)).is_ok());
    let with = |from: &str, to: &str| {
        assert!(HEADER.contains(from), "{from}");
        HEADER.replace(from, to)
    };
    for (header, data) in [
        // More data than there is, less, places past the file, and past all numbers.
        (with("[2],\"data_offsets\":[16,20]", "[4],\"data_offsets\":[16,24]"), 20),
        (HEADER.into(), 21),
        (with("[16,20]", "[16,9999]"), 20),
        (beyond_all_numbers(), 0),
        // Places that go backwards, are shared, or leave some out.
        (with("[0,16]", "[16,0]"), 20),
        (with("[16,20]", "[12,16]"), 20),
        (with("[16,20]", "[20,24]"), 24),
        (with("[0,16]", "[-1,16]"), 20),
        // Shapes of other numbers than there is room for.
        (with("[2,2]", "[2,3]"), 20),
        (with("[2,2]", "[4294967296,4294967296,2]"), 20),
        (with("[2,2]", "[]"), 20),
        // Types there are not, and no list of tensors at all.
        (with("F16", "F17"), 20),
        ("[]".into(), 0),
        (HEADER[..HEADER.len() - 1].into(), 20),
    ] {
        says(open(&file(&header, data)), &["model.safetensors: not a safetensors file"]);
    }
    for length in [HEADER.len() - 1, HEADER.len() + 1, HEADER.len() + 21] {
        let mut lying = file(HEADER, 20);
        lying[..8].copy_from_slice(&(length as u64).to_le_bytes());
        says(open(&lying), &["model.safetensors: not a safetensors file"]);
    }
    let mut lying = file(HEADER, 20);
    lying[8 + 2] = 0xff;
    says(open(&lying), &["model.safetensors", "UTF-8"]);
}

#[test]
fn no_byte_of_another_value_makes_a_panic() {
    let folder = Folder::whole();
    let whole = file(HEADER, 20);
    for place in 0..whole.len() {
        for change in [0x01, 0x02, 0x10, 0x80, 0xff] {
            let mut spoilt = whole.clone();
            spoilt[place] ^= change;
            folder.write("model.safetensors", &spoilt);
            match Checkpoint::open(folder.path()).and_then(|file| file.tensor("a", &[2, 2])) {
                Ok(values) => assert!(values.len() == 4 && values.iter().all(|x| x.is_finite())),
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("model.safetensors"), "byte {place}: {text}");
                }
            }
        }
        folder.write("model.safetensors", &whole[..place]);
        says(Checkpoint::open(folder.path()), &["model.safetensors"]);
    }
}

#[test]
fn files_cut_short_are_refused_by_name() {
    let folder = Folder::whole();
    let config = Config::read(folder.path()).unwrap();
    folder.write("sentence_bert_config.json", r#"{"max_seq_length": 16}"#);
    folder.write("tokenizer_config.json", r#"{"model_max_length": 16}"#);
    folder.write("1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    folder.write("modules.json", r#"[{"path": "", "type": "models.Transformer"}]"#);
    folder.write("config_sentence_transformers.json", r#"{"default_prompt_name": null}"#);
    let read = |name: &str| match name {
        "config.json" => Config::read(folder.path()).map(|_| ()),
        "tokenizer.json" => Text::open(folder.path()).map(|_| ()),
        "1_Pooling/config.json" | "modules.json" | "config_sentence_transformers.json" => {
            Pooling::read(folder.path()).map(|_| ())
        }
        _ => Limit::read(folder.path(), &config).map(|_| ()),
    };
    for name in [
        "config.json",
        "tokenizer.json",
        "1_Pooling/config.json",
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "tokenizer_config.json",
    ] {
        read(name).unwrap();
        let whole = fs::read(folder.path().join(name)).unwrap();
        for end in [0, 1, whole.len() / 2, whole.len() - 1] {
            folder.write(name, &whole[..end]);
            says(read(name), &[name, "EOF", "line 1"]);
        }
        folder.write(name, &whole);
    }
}

#[test]
fn data_that_is_none_is_refused() {
    let folder = Folder::whole();
    let path = folder.path().join("data");
    let pairs = |data: &[u8]| {
        folder.write("data", data);
        sts::read(&path)
    };
    assert_eq!(pairs(b"g\tf\ty\t1\t4.5\ta\tb\r\n\ng\tf\ty\t1\t0\tc\td").unwrap().len(), 2);
    says(pairs(b""), &["data: no pairs"]);
    says(pairs(b"\n\n"), &["data: no pairs"]);
    says(pairs(b"g\tf\ty\t1\t4.5\ta\tb\n\nh\te\n"), &["data, line 3", "2 fields", "7 or more"]);
    says(pairs(b"g\tf\ty\t1\t4.5\ta\tb\ng\tf\ty\t1\t4\t\xff\tb\n"), &["data, line 2", "UTF-8"]);
    let questions = |data: &[u8]| {
        folder.write("data", data);
        squad::read(&path)
    };
    says(questions(br#"{"data": []}"#), &["data: no questions", "v1.1"]);
    says(questions(br#"{"data": [{"title": "t"}]}"#), &["data: missing field `paragraphs`"]);
    says(questions(br#"{"data": [{"paragraphs": ["#), &["data: EOF", "line 1"]);
    says(
        questions(b"{\"data\": [{\"paragraphs\": [{\"context\": \"\xff\"}]}]}"),
        &["data:", "line 1"],
    );
    fs::remove_file(&path).unwrap();
    says(sts::read(&path), &["data:", "o such file"]);
    says(squad::read(&path), &["data:", "no such file"]);
}
