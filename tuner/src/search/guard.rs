//! Keeps a search alive when a candidate panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `run` returns; a panic becomes an error with its message. A workbench is used again after
/// one: all it lends to a call is given back on the way out, and outputs are overwritten by the
/// next.
pub(super) fn caught<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("it panicked: {}", text.unwrap_or("without a message")))
    })
}
