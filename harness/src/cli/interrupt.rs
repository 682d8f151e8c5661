//! Ctrl-C, and being asked to end or losing the terminal: nothing half-written stays behind, and
//! the status is the shell's for an interruption. Whoever has part of a result to show may
//! [watch](watch) for the first one; the second ends the process all the same.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tilewise_harness::report::files;

/// The status of a command that was interrupted.
pub(super) const STATUS: u8 = files::INTERRUPTED;

/// Whether somebody looks at `CAUGHT` now and then.
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Whether there was an interruption.
static CAUGHT: AtomicBool = AtomicBool::new(false);

/// Ends the process on an interruption, once files under way are whole or gone.
pub(super) fn handle() {
    let end = || {
        if WATCHED.load(Relaxed) && !CAUGHT.swap(true, Relaxed) {
            return;
        }
        files::abandon();
        std::process::exit(STATUS.into());
    };
    // Without a handler the system's own ends the process: only temporary files would stay.
    let _ = ctrlc::set_handler(end);
}

/// From now on the first interruption only makes the function that is given back say so.
pub(super) fn watch() -> impl Fn() -> bool {
    WATCHED.store(true, Relaxed);
    || CAUGHT.load(Relaxed)
}
