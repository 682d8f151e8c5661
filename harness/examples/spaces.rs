//! Writes `results/<cpu>/spaces/README.md` from the recordings of search spaces beside it.
//!
//!     cargo run --release -p tilewise-harness --example spaces              writes the pages
//!     cargo run --release -p tilewise-harness --example spaces -- --check   fails if one is not as
//!                                                                           its recordings have it

use flate2::read::GzDecoder;
use std::error::Error;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tilewise_harness::report::recorded::{self, Named};
use tilewise_tuner::recording::Recording;

/// No recording of ours is larger, unpacked.
const MOST_BYTES: u64 = 256 << 20;

fn main() -> ExitCode {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => {
            eprintln!("spaces: unknown argument {other:?}; expected --check or nothing");
            return ExitCode::from(2);
        }
    };
    match run(check) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("spaces: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<(), Box<dyn Error>> {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results");
    for machine in fs::read_dir(results)?.flatten() {
        let folder = machine.path().join("spaces");
        if folder.is_dir() {
            page(&folder, check)?;
        }
    }
    Ok(())
}

fn page(folder: &Path, check: bool) -> Result<(), Box<dyn Error>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "gz"));
    files.sort();
    let recordings: Vec<Named> = files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let text = recorded::page(&recordings)?;
    let page = folder.join("README.md");
    let same = fs::read_to_string(&page).is_ok_and(|found| found == text);
    if check && !same {
        let page = page.display();
        return Err(format!("{page} is not as its recordings have it; run without --check").into());
    }
    if !same {
        fs::write(&page, text)?;
    }
    println!("{}: {} recordings", page.display(), recordings.len());
    Ok(())
}

fn read(file: &Path) -> Result<Named, Box<dyn Error>> {
    let mut bytes = Vec::new();
    GzDecoder::new(File::open(file)?).take(MOST_BYTES).read_to_end(&mut bytes)?;
    let recording: Recording =
        serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", file.display()))?;
    let (kernel, shape, dtype) = (&recording.kernel, &recording.shape, &recording.dtype);
    let threads = recording.context.threads;
    let title = format!("{kernel}, {shape}, {dtype}, {threads} thread(s)");
    Ok((title.replace('|', "/"), recording))
}
