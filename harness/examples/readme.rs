//! Fills the marked blocks of README.md from the newest report in `results/`.
//!
//!     cargo run -p tilewise-harness --example readme              writes README.md
//!     cargo run -p tilewise-harness --example readme -- --check   fails if README.md is not as
//!                                                                 the report it names has it
//!
//! The blocks are described in `harness/src/report/readme.rs`.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
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
    // Reports made since, on whatever machine, do not make the page wrong.
    let path = if check { named(&text)? } else { newest(&root.join("results"))? };
    let report = root.join(&path).join("report.json");
    let report = fs::read(&report).map_err(|error| format!("{}: {error}", report.display()))?;
    let report: Report = serde_json::from_slice(&report)?;
    let filled = readme::fill(&text, &report, &path)?;
    match (filled == text, check) {
        (true, _) => println!("README.md is as {path} has it"),
        (false, true) => {
            return Err(
                format!("README.md is not as {path} has it; run this without --check").into()
            );
        }
        (false, false) => {
            fs::write(&readme, filled)?;
            println!("README.md filled from {path}");
        }
    }
    Ok(())
}

/// The report the text was filled from: the first `results/<cpu>/<time>-report` in it.
fn named(text: &str) -> Result<String, Box<dyn Error>> {
    const KIND: &str = "-report";
    let path = text.match_indices("results/").find_map(|(start, _)| {
        let path = &text[start..];
        let end = path.find(|c: char| c.is_whitespace() || "()[]`\"".contains(c))?;
        let end = path[..end].find(KIND)? + KIND.len();
        // The text also explains what the names are made of.
        (!path[..end].contains('<')).then(|| path[..end].to_owned())
    });
    path.ok_or_else(|| "README.md names no report; run this without --check".into())
}

/// The last of `results/<cpu>/<time>-report`: their names begin with the time.
fn newest(results: &Path) -> Result<String, Box<dyn Error>> {
    let mut reports = Vec::new();
    for machine in fs::read_dir(results)?.flatten() {
        for run in fs::read_dir(machine.path()).into_iter().flatten().flatten() {
            if run.path().join("report.json").is_file() {
                let (cpu, run) = (machine.file_name(), run.file_name());
                reports.push((run.clone(), Path::new("results").join(cpu).join(run)));
            }
        }
    }
    let last = reports.into_iter().max().map(|(_, path)| path.to_string_lossy().into_owned());
    last.ok_or_else(|| "no report in results/; make one with `tilewise report`".into())
}
