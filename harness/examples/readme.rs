//! Fills the marked blocks of README.md from the newest report in `results/`.
//!
//!     cargo run -p tilewise-harness --example readme              writes README.md
//!     cargo run -p tilewise-harness --example readme -- --check   fails if that would change it
//!
//! The blocks are described in `harness/src/report/readme.rs`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
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
    let folder = newest(&root.join("results"))?;
    let report: Report = serde_json::from_slice(&fs::read(folder.join("report.json"))?)?;
    let path = folder.strip_prefix(&root)?.to_string_lossy().into_owned();
    let readme = root.join("README.md");
    let text = fs::read_to_string(&readme)?;
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

/// The last of `results/<cpu>/<time>-report`: their names begin with the time.
fn newest(results: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut reports = Vec::new();
    for machine in fs::read_dir(results)?.flatten() {
        for run in fs::read_dir(machine.path()).into_iter().flatten().flatten() {
            if run.path().join("report.json").is_file() {
                reports.push((run.file_name(), run.path()));
            }
        }
    }
    let last = reports.into_iter().max().map(|(_, path)| path);
    last.ok_or_else(|| "no report in results/; make one with `tilewise report`".into())
}
