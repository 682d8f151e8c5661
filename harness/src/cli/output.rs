//! What commands put out: results on standard output, remarks on standard error, pictures in
//! files. A reader who has seen enough is no failure; a full disk is.

use super::failure::Failure;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use tilewise_harness::report::files::Claim;

/// Prints a result and ends the line.
pub(super) fn print(text: impl Display) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
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

/// Claims the picture a flag asks for. PNG is all that is written, so another ending would lie.
pub(super) fn claim_png(flag: &str, file: Option<&Path>) -> Result<Option<Claim>, Failure> {
    let Some(file) = file else { return Ok(None) };
    if !file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        let file = file.display();
        return Err(Failure::usage(format!("{flag} {file}: expected a file that ends in .png")));
    }
    Claim::file(file).map(Some).map_err(Failure::failed)
}
