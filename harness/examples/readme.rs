//! Fills the marked blocks of README.md from the newest report in `results/`, from the newest record of
//! accuracy, and of every kernel beside rivals that the text asks for from the record of most cells, of
//! equals the newest: a look at a few shapes does not take the others off the page. (A record of shapes
//! that are no longer measured has to be deleted, or it stays there.)
//!
//!     cargo run -p tilewise-harness --example readme              writes README.md
//!     cargo run -p tilewise-harness --example readme -- --check   fails if README.md is not as
//!                                                                 the records it names have it
//!
//! The blocks are described in `harness/src/report/readme.rs`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use tilewise_harness::peers::record::Record;
use tilewise_harness::report::accuracy::Accuracy;
use tilewise_harness::report::{Report, readme};

fn main() -> ExitCode {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("readme: unknown argument {other:?}; expected --check or nothing");
            return ExitCode::from(2);
        }
    };
    match run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("readme: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme)?;
    // Records made since, on whatever machine, do not make the page wrong.
    let path = if check { named(&text, "-report") } else { chosen(&root, "-report", None) }?;
    let find = |kind: &str| match check {
        true => named(&text, kind),
        false => chosen(&root, kind, Path::new(&path).parent()),
    };
    let report = root.join(&path).join("report.json");
    let report = fs::read(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    let report: Report = serde_json::from_slice(&report)?;
    let rivals = readme::rivals_wanted(&text).map(|kernel| {
        let path = find(&format!("-{kernel}-rivals"))?;
        let record = Record::read(&root.join(&path).join("peers.jsonl"))?;
        Ok::<_, Box<dyn Error>>((kernel.to_owned(), (record, path)))
    });
    let rivals = rivals.collect::<Result<_, _>>()?;
    let accuracy = match readme::accuracy_is_wanted(&text) {
        true => {
            let path = find("-accuracy")?;
            Some((Accuracy::read(&root.join(&path).join("accuracy.json"))?, path))
        }
        false => None,
    };
    let sources = readme::Sources { report, path: path.clone(), rivals, accuracy };
    let filled = readme::fill(&text, &sources)?;
    match (filled == text, check) {
        (true, _) => println!("README.md is as {path} and its other records have it"),
        (false, true) => {
            return Err(format!(
                "README.md is not as {path} and its other records have it; run this without --check"
            )
            .into());
        }
        (false, false) => {
            fs::write(&readme, filled)?;
            println!("README.md filled from {path}");
        }
    }
    Ok(())
}

/// The record the text was filled from: the first `results/<cpu>/<time><kind>` in it.
fn named(text: &str, kind: &str) -> Result<String, Box<dyn Error>> {
    let path = text.match_indices("results/").find_map(|(start, _)| {
        let path = &text[start..];
        let end = path.find(|c: char| c.is_whitespace() || "()[]`\"".contains(c))?;
        let end = path[..end].find(kind)? + kind.len();
        // The text also explains what the names are made of.
        (!path[..end].contains('<')).then(|| path[..end].to_owned())
    });
    path.ok_or_else(|| {
        format!("README.md names no results/<cpu>/<time>{kind}; run this without --check").into()
    })
}

/// How many cells a record has, 0 if it is not one beside rivals; `None` for one of a run that somebody
/// ended, which no page should quote.
fn cells(folder: &Path) -> Result<Option<usize>, Box<dyn Error>> {
    let file = folder.join("peers.jsonl");
    if !file.is_file() {
        return Ok(Some(0));
    }
    let record = Record::read(&file)?;
    Ok((!record.run.interrupted).then_some(record.cells.len()))
}

/// The one of `results/<cpu>/<time><kind>` to quote: one of this CPU's, if there are some, for numbers of
/// one page should be of one machine; of them the fullest, of equals the last.
fn chosen(root: &Path, kind: &str, cpu: Option<&Path>) -> Result<String, Box<dyn Error>> {
    let mut found = Vec::new();
    for machine in fs::read_dir(root.join("results"))?.flatten() {
        for run in fs::read_dir(machine.path()).into_iter().flatten().flatten() {
            let (cpu, run) = (machine.file_name(), run.file_name());
            if run.to_string_lossy().ends_with(kind)
                && let Some(cells) = cells(&machine.path().join(&run))?
            {
                found.push(((cells, run.clone()), Path::new("results").join(cpu).join(run)));
            }
        }
    }
    let own = |path: &Path| cpu.is_some() && path.parent() == cpu;
    let last = found
        .into_iter()
        .max_by_key(|(rank, path)| (own(path), rank.clone()))
        .map(|(_, path)| path.to_string_lossy().into_owned());
    last.ok_or_else(|| format!("there is no results/<cpu>/<time>{kind}; make one first").into())
}
