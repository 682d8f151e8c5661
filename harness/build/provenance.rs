//! Hands the crate what `src/provenance.rs` tells: compiler, flags, target, profile, and the
//! commit the sources are from.
//!
//! Whether the sources differ from the commit is asked about what goes into the program (the
//! three crates and the workspace's manifest and lock file), so results, notes and tests may
//! change freely.

use std::env;
use std::path::Path;
use std::process::Command;

/// What the program is made from, seen from the root of the workspace.
const SOURCES: [&str; 5] = ["Cargo.toml", "Cargo.lock", "kernels", "tuner", "harness"];

/// Sets the variables.
pub(crate) fn embed() {
    let get = |name: &str| env::var(name).unwrap_or_default();
    let compiler = say(Command::new(get("RUSTC")).arg("-V"));
    set("RUSTC", &compiler.unwrap_or_else(|why| format!("unknown because {why}")));
    set("TARGET", &get("TARGET"));
    set("PROFILE", &get("PROFILE"));
    set("OPT_LEVEL", &get("OPT_LEVEL"));
    // Cargo separates flags with a unit separator.
    set("RUSTFLAGS", &get("CARGO_ENCODED_RUSTFLAGS").replace('\x1f', " "));
    match commit() {
        Ok((commit, state)) => {
            set("COMMIT", &commit);
            set("STATE", state);
        }
        Err(why) => {
            set("COMMIT", &format!("unknown because {why}"));
            set("STATE", "unknown");
        }
    }
}

fn set(name: &str, value: &str) {
    println!("cargo::rustc-env=TILEWISE_BUILD_{name}={}", value.replace('\n', " "));
}

/// The commit and whether the sources are as it has them.
fn commit() -> Result<(String, &'static str), String> {
    // A copy of the crate may lie inside some other repository: it must know this file.
    git(&["ls-files", "--error-unmatch", "Cargo.toml"])
        .map_err(|why| format!("the sources are not in a repository ({why})"))?;
    let root = git(&["rev-parse", "--show-toplevel"])?;
    for path in SOURCES {
        watch(&Path::new(&root).join(path));
    }
    // HEAD changes with the branch, the branch's file with each commit.
    let branch = git(&["rev-parse", "--symbolic-full-name", "HEAD"])?;
    for name in ["HEAD", &branch] {
        watch(Path::new(&git(&["rev-parse", "--git-path", name])?));
    }
    let in_root = ["-C", &root, "--no-optional-locks", "status", "--porcelain", "--"];
    let changes = git(&[&in_root[..], &SOURCES[..]].concat())?;
    let state = if changes.is_empty() { "clean" } else { "dirty" };
    Ok((git(&["rev-parse", "HEAD"])?, state))
}

/// Runs this script again when `path` changes; a path that is not there would run it each time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

fn git(arguments: &[&str]) -> Result<String, String> {
    say(Command::new("git").args(arguments))
}

/// What a command prints, or why it does not.
fn say(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let message = String::from_utf8_lossy(&output.stderr);
        Err(message.lines().next().unwrap_or("it failed silently").to_owned())
    }
}
