//! Which points stay in their file.

use super::open;
use crate::cli::args::{Cli, Command, KmeansArgs};
use crate::cli::array;
use crate::cli::points::Number;
use crate::cli::setup::Setup;
use clap::Parser;
use std::fs;
use tilewise_tuner::machine::Reading;

fn args(flags: &str) -> KmeansArgs {
    let line = format!("tilewise kmeans --threads 1 --wisdom off {flags}");
    let cli = Cli::try_parse_from(line.split_whitespace()).expect("flags");
    let Command::Kmeans(args) = cli.command else { panic!("{line} is another command") };
    args
}

/// Whether they do where so much memory is free.
fn stay<T: Number>(flags: &str, available: Reading<u64>) -> bool {
    let args = args(flags);
    let mut setup = Setup::new(&args.common, false).expect("a setup");
    setup.machine.memory_available = available;
    open::<T>(&args, &setup).expect("points").is_some()
}

#[test]
fn points_of_more_than_a_quarter_of_free_memory_stay_in_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("points.npy");
    let array = array::of_reals::<f32>(&[100, 3], (0..300).map(f64::from));
    fs::write(&file, &array).expect("written");
    let flags = format!("--data {}", file.display());
    // As f32 the file is the larger, by its head; as f64 its numbers are, once they are in memory.
    let (single, double) = (array.len() as u64, 300 * size_of::<f64>() as u64);
    assert!(single < double);
    assert!(!stay::<f32>(&flags, Reading::Known(4 * single)));
    assert!(stay::<f32>(&flags, Reading::Known(4 * single - 1)));
    assert!(!stay::<f64>(&flags, Reading::Known(4 * double)));
    assert!(stay::<f64>(&flags, Reading::Known(4 * double - 1)));
    // Who cannot know how much is free does as told.
    assert!(!stay::<f32>(&flags, Reading::unreadable("nobody says")));
    assert!(stay::<f32>(&format!("{flags} --chunk 7"), Reading::unreadable("nobody says")));
    assert!(stay::<f32>(&format!("{flags} --chunk 7"), Reading::Known(u64::MAX)));
}
