//! Ctrl-C, and being asked to end or losing the terminal: nothing half-written stays behind, and
//! the status is the shell's for Ctrl-C, whichever of them it was. Whoever has part of a result to show may
//! [`watch`] for the first one; the second ends the process all the same.

use crate::report::files;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The status of a command that was interrupted, as shells have it: 128 and the number of SIGINT.
pub const STATUS: u8 = 130;

/// What is said at the first one, where somebody looks at `CAUGHT` now and then.
static WATCHED: OnceLock<&str> = OnceLock::new();

/// What is said when the process ends so.
static PARTING: Mutex<Option<&str>> = Mutex::new(None);

/// Whether there was an interruption.
static CAUGHT: AtomicBool = AtomicBool::new(false);

/// Ends the process on an interruption, once files under way are whole or gone.
pub fn handle() {
    let end = || {
        if let Some(coming) = WATCHED.get()
            && !CAUGHT.swap(true, Relaxed)
        {
            // The terminal may be what was lost.
            let _ = writeln!(io::stderr(), "interrupted: {coming}; again to end at once");
            return;
        }
        files::abandon();
        let parting = *PARTING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(parting) = parting {
            let _ = writeln!(io::stderr(), "interrupted: {parting}");
        }
        std::process::exit(STATUS.into());
    };
    // Without a handler the system's own ends the process: only temporary files would stay.
    let _ = ctrlc::set_handler(end);
}

/// What to say from now on when an interruption ends the process: what is left of its work.
pub fn part_with(parting: &'static str) {
    *PARTING.lock().unwrap_or_else(PoisonError::into_inner) = Some(parting);
}

/// From now on the first interruption only makes [`caught`] say so. `coming` is what will be done.
pub fn watch(coming: &'static str) {
    // The first who watches is the only one.
    let _ = WATCHED.set(coming);
}

/// Whether there was an interruption while somebody watched.
pub fn caught() -> bool {
    CAUGHT.load(Relaxed)
}
