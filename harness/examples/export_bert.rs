//! Writes a model from a seed as a folder that others can load.
//!
//!     cargo run --release -p tilewise-harness --example export_bert -- minilm|base|large FOLDER

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use tilewise_harness::bert::{Config, Synthetic};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (config, folder) = match arguments[..] {
        ["minilm", folder] => (Config::minilm(), folder),
        ["base", folder] => (Config::base(), folder),
        ["large", folder] => (Config::large(), folder),
        _ => {
            eprintln!("export_bert: expected minilm, base or large, and a folder");
            return ExitCode::from(2);
        }
    };
    match export(&config, Path::new(folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("export_bert: {error}");
            ExitCode::FAILURE
        }
    }
}

fn export(config: &Config, folder: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    Synthetic { seed: 1 }.export(config, folder)?;
    Ok(())
}
