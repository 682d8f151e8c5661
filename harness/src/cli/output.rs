//! What commands put out: results on standard output, remarks on standard error, pictures in
//! files. A reader who has seen enough is no failure; a full disk is.

use super::failure::Failure;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use tilewise_harness::report::files::{self, Claim, FileError};

/// Prints a result and ends the line.
pub(super) fn print(text: impl Display) -> Result<(), Failure> {
    print_one(text).map(|_| ())
}

/// Prints one result of many and says whether anybody still reads: who makes one after the other need
/// not go on otherwise.
pub(super) fn print_one(text: impl Display) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    let result = writeln!(out, "{text}").and_then(|()| out.flush());
    let is_read = result.is_ok();
    written(result).map(|()| is_read)
}

/// What writing to standard output came to.
pub(super) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::failed(format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// A remark, on standard error.
pub(super) fn remark(text: impl Display) {
    // Nobody is left to tell if even this cannot be printed.
    let _ = writeln!(io::stderr(), "tilewise: {text}");
}

/// Claims the file a flag asks for. One format is all that is written, so another ending than its
/// own would lie.
pub(super) fn claim(
    flag: &str,
    file: Option<&Path>,
    ending: &str,
) -> Result<Option<Claim>, Failure> {
    let Some(file) = file else { return Ok(None) };
    if !file.extension().is_some_and(|given| given.eq_ignore_ascii_case(ending)) {
        let file = file.display();
        return Err(Failure::usage(format!(
            "{flag} {file}: expected a file that ends in .{ending}"
        )));
    }
    match Claim::file(file) {
        Err(error @ FileError::Twice { .. }) => Err(Failure::usage(format!("{flag}: {error}"))),
        claim => claim.map(Some).map_err(Failure::failed),
    }
}

/// Refuses to write over what is read.
pub(super) fn spare(
    flag: &str,
    file: Option<&Path>,
    inputs: &[Option<&Path>],
) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let place = files::place(file);
    let meant = |input: &Path| input.canonicalize().is_ok_and(|input| input == place);
    let same = |input: &&&Path| files::place(input) == place || meant(input);
    match inputs.iter().flatten().find(same) {
        None => Ok(()),
        Some(input) => Err(Failure::usage(format!(
            "{flag} {}: is read as {}; give another file",
            file.display(),
            input.display()
        ))),
    }
}
