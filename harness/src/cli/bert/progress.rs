//! A bar for what takes long, which shows itself on a terminal only.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `most` batches of something.
pub(super) fn bar(most: usize, of: &'static str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} {pos} of {len} batches of {msg}, {eta} left")
            .expect("the template is fine");
    ProgressBar::new(most as u64).with_style(style).with_message(of)
}
