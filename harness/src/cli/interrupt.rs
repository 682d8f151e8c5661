//! Ctrl-C, and being asked to end or losing the terminal: nothing half-written stays behind, and
//! the status is the shell's for an interruption.

use tilewise_harness::report::files;

/// What a shell says of a program that was interrupted: 128 and the signal's number.
const STATUS: i32 = 130;

/// Ends the process on an interruption, once files under way are whole or gone.
pub(super) fn handle() {
    let end = || {
        files::abandon();
        std::process::exit(STATUS);
    };
    // Without a handler the system's own ends the process: only temporary files would stay.
    let _ = ctrlc::set_handler(end);
}
