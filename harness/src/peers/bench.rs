//! What every bench beside rivals does: reads its options, asks for cells one after the other,
//! prints a line for each, and writes the record.

use super::contest::{Contest, Error};
use super::entrant::{Element, Entrant, Remote};
use super::options::Options;
use super::protocol::Request;
use super::record::{Absent, Cell, Record, Run, SCHEMA};
use super::table;
use super::worker::{Launch, Patience};
use crate::interrupt;
use crate::provenance::Provenance;
use crate::report::files::{self, Claim};
use crate::report::model::RawSession;
use crate::workload::Cache;
use clap::Parser;
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tilewise_tuner::machine::Machine;
use tilewise_tuner::measure::Stopwatch;
use tilewise_tuner::problem::Setting;
use tilewise_tuner::wisdom::Wisdom;

/// A bench under way.
#[derive(Debug)]
pub struct Bench {
    /// What it was told.
    pub options: Options,
    /// The machine.
    pub machine: Machine,
    /// Recipes that were measured before.
    pub wisdom: Wisdom,
    /// Whether it ends before its time.
    interrupted: bool,
    cells: Vec<Cell>,
    sessions: Vec<RawSession>,
}

/// A worker that is wanted in a cell.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The script in `benches/peers`.
    pub script: &'a str,
    /// Which of its rivals.
    pub rival: &'a str,
    /// The kernel.
    pub kernel: &'a str,
    /// Its sizes.
    pub shape: &'a Value,
    /// Threads.
    pub threads: usize,
    /// Hot or cold.
    pub cache: Cache,
    /// Sets of weights that take turns.
    pub copies: usize,
    /// What its result is made of.
    pub element: Element,
    /// A file of its inputs, where they do not come from the seed.
    pub input: Option<&'a Path>,
}

/// The whole of a bench: `measure` asks for its cells. `name` names the folder of results.
pub fn main(name: &str, measure: impl FnOnce(&mut Bench) -> Result<(), String>) -> ExitCode {
    match run(name, measure) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => {
            let _ = writeln!(io::stderr(), "{name}: interrupted; the cells until then are kept");
            ExitCode::from(interrupt::STATUS)
        }
        Err(reason) => {
            files::abandon();
            eprintln!("{name}: {reason}");
            if interrupt::caught() { interrupt::STATUS.into() } else { ExitCode::FAILURE }
        }
    }
}

/// Returns whether it was interrupted after some cells; then those are written.
fn run(name: &str, measure: impl FnOnce(&mut Bench) -> Result<(), String>) -> Result<bool, String> {
    let options = Options::parse();
    let machine = Machine::read();
    options.threads(machine.cores.allowed)?;
    let wisdom = match &options.wisdom {
        Some(file) if !file.exists() => {
            return Err(format!("--wisdom {}: there is no such file", file.display()));
        }
        Some(file) => Wisdom::load(file).map_err(|error| error.to_string())?,
        None => Wisdom::default(),
    };
    if options.python.is_none() {
        eprintln!("{name}: no --python, so rivals in other languages do not take part");
    }
    let time = jiff::Timestamp::now();
    let folder = options.out.clone().unwrap_or_else(|| {
        let folder = format!("{}-{name}", time.strftime("%Y%m%dT%H%M%SZ"));
        root().join("results").join(machine.slug()).join(folder)
    });
    let names = ["peers.jsonl", "peers.md", "samples.json.gz"];
    interrupt::handle();
    let claims = Claim::folder(&folder, &names).map_err(|error| error.to_string())?;
    interrupt::watch("the cells until now will be written");
    let start = Instant::now();
    let mut bench = Bench::new(options, machine, wisdom);
    let outcome = measure(&mut bench);
    let interrupted = bench.interrupted;
    if !interrupted || bench.cells.is_empty() {
        outcome?;
    }
    if bench.cells.is_empty() {
        return Err(
            "nothing was measured: no cell is as the options ask, or memory is too small for \
                    those that are; --help and benches/peers/README.md name what there is"
                .into(),
        );
    }
    let (record, sessions) = bench.finish(name, time, start.elapsed().as_secs_f64());
    let raw = serde_json::to_vec(&sessions).map_err(|error| error.to_string())?;
    let contents = [
        record.lines().into_bytes(),
        table::page(&record).into_bytes(),
        files::compress(&raw).map_err(|error| error.to_string())?,
    ];
    files::publish(claims.into_iter().zip(contents).collect())
        .map_err(|error| error.to_string())?;
    say(folder.join("peers.md").display());
    Ok(interrupted)
}

/// A line for whoever watches; the record does not depend on anybody reading it.
fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

impl Bench {
    fn new(options: Options, machine: Machine, wisdom: Wisdom) -> Self {
        let (cells, sessions) = (Vec::new(), Vec::new());
        Bench { options, machine, wisdom, interrupted: false, cells, sessions }
    }

    /// Numbers of threads to measure with.
    pub fn threads(&self) -> Vec<usize> {
        // They were checked at the start.
        self.options.threads(self.machine.cores.allowed).unwrap_or_default()
    }

    /// The machine, the best instruction set and so many threads.
    pub fn setting(&self, threads: usize) -> Setting<'_> {
        Setting { machine: &self.machine, isa: self.machine.best_isa, threads }
    }

    /// How a cell is timed. Rivals in other processes find cold caches after their rest, and for
    /// all to be treated alike, everybody makes an untimed call first.
    pub fn watch(&self) -> Stopwatch {
        let mut watch = Stopwatch::within(Duration::from_secs_f64(self.options.seconds()));
        watch.warm_single = true;
        if !self.options.quick {
            // Six rounds have an interval from the least to the greatest: legal, not pretty.
            watch.min_rounds = 12;
        }
        watch
    }

    /// Starts a worker, or notes why it does not take part.
    pub fn worker(
        &self,
        wanted: &Wanted<'_>,
        entrants: &mut Vec<Box<dyn Entrant + '_>>,
        absent: &mut Vec<Absent>,
    ) {
        if interrupt::caught() || !self.options.wants_rival(wanted.rival) {
            return;
        }
        let started = match &self.options.python {
            Some(python) => self.remote(wanted, python),
            None => Err("no --python was given; see benches/peers/README.md".into()),
        };
        match started {
            Ok(remote) => entrants.push(Box::new(remote)),
            Err(reason) => absent.push(Absent { name: wanted.rival.into(), reason }),
        }
    }

    fn remote(&self, wanted: &Wanted<'_>, python: &Path) -> Result<Remote, String> {
        let script = root().join("benches/peers").join(wanted.script);
        let launch = Launch {
            name: wanted.rival.into(),
            program: python.into(),
            // No files of compiled Python beside the scripts.
            arguments: vec!["-B".into(), script.into()],
            patience: Patience::default(),
        };
        let request = Request {
            kernel: wanted.kernel,
            rival: wanted.rival,
            shape: wanted.shape,
            seed: self.options.seed,
            threads: wanted.threads,
            cache: wanted.cache,
            copies: wanted.copies,
            output: Path::new(""),
            input: wanted.input,
        };
        Remote::start(&launch, request, wanted.element)
    }

    /// Measures a cell and prints its line.
    ///
    /// # Errors
    /// [`Error`].
    pub fn measure<'e>(
        &mut self,
        contest: Contest<'_>,
        entrants: Vec<Box<dyn Entrant + 'e>>,
        absent: Vec<Absent>,
    ) -> Result<(), Error> {
        let measured = contest.measure(entrants, absent);
        self.interrupted = matches!(measured, Err(Error::Interrupted { .. }));
        let (cell, session) = measured?;
        say(table::line(&cell));
        self.cells.push(cell);
        self.sessions.push(session);
        Ok(())
    }

    fn finish(self, name: &str, time: jiff::Timestamp, seconds: f64) -> (Record, Vec<RawSession>) {
        let Bench { options, machine, interrupted, cells, sessions, .. } = self;
        let plain = |value: Result<Value, _>| value.unwrap_or(Value::Null);
        let run = Run {
            schema: SCHEMA,
            command: command(name, &options),
            started: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            seconds,
            interrupted,
            seed: options.seed,
            cpu: machine.cpu.known().map_or_else(|| machine.slug(), |cpu| cpu.brand.clone()),
            slug: machine.slug(),
            threads_allowed: machine.cores.allowed,
            machine: plain(serde_json::to_value(&machine)),
            build: plain(serde_json::to_value(Provenance::read())),
        };
        (Record { run, cells }, sessions)
    }
}

/// The root of the sources, where the workers are: benches run from there.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// What measures the same again; files by no name of this machine.
fn command(name: &str, options: &Options) -> String {
    // Whoever adds an option has to say here what becomes of it.
    let Options {
        python,
        shapes,
        stencils,
        rivals,
        kernels,
        threads,
        cache,
        quick,
        seconds,
        image,
        wisdom,
        seed,
        out: _,
        bench: _,
    } = options;
    let bench = name.replace('-', "_");
    let mut command =
        format!("cargo bench -p tilewise-benches --features rivals --bench {bench} --");
    let mut add = |part: String| command += &format!(" {part}");
    if python.is_some() {
        add("--python PYTHON".into());
    }
    if *quick {
        add("--quick".into());
    }
    for sizes in shapes {
        let sizes: Vec<String> = sizes.0.iter().map(ToString::to_string).collect();
        add(format!("--shape {}", sizes.join(",")));
    }
    stencils.iter().for_each(|stencil| add(format!("--stencil {stencil}")));
    rivals.iter().for_each(|rival| add(format!("--rival {rival}")));
    kernels.iter().for_each(|kernel| add(format!("--kernel {kernel}")));
    threads.iter().for_each(|threads| add(format!("--threads {threads}")));
    if let Some(cache) = cache {
        add(format!("--cache {cache:?}").to_lowercase());
    }
    if image.is_some() {
        add("--image FILE".into());
    }
    seconds.iter().for_each(|seconds| add(format!("--seconds {seconds}")));
    if wisdom.is_some() {
        add("--wisdom FILE".into());
    }
    add(format!("--seed {seed}"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_in_a_record_asks_for_the_same_cells() {
        let given = "--shape 512,512,512 --stencil wave25-f64 --rival halide --kernel stencil-run \
                     --threads 2 --cache hot --seconds 0.3 --seed 7";
        let options = Options::parse_from(["bench"].into_iter().chain(given.split_whitespace()));
        assert!(command("stencil-rivals", &options).ends_with(given));
    }
}
