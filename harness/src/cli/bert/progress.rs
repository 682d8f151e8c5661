//! How far something has come that takes long: a bar that shows itself on a terminal only, and not
//! before somebody waits.

use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::time::Duration;

/// How long a bar waits before it shows itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// A bar, which is gone when this is dropped.
pub(super) struct Progress {
    bar: ProgressBar,
    done: Cell<u64>,
}

impl Progress {
    /// Nothing is done yet of so many. `what` says what they are, and what is done with them.
    pub(super) fn new(most: usize, what: &'static str) -> Progress {
        Progress::on(ProgressBar::new(most as u64), what)
    }

    fn on(bar: ProgressBar, what: &'static str) -> Progress {
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len} {msg}, {eta} left")
            .expect("the template is fine");
        Progress { bar: bar.with_style(style).with_message(what), done: Cell::new(0) }
    }

    /// One more is done.
    pub(super) fn step(&self) {
        self.done.set(self.done.get() + 1);
        if self.bar.elapsed() > PATIENCE {
            self.bar.set_position(self.done.get());
        }
    }

    /// The same things, each a step.
    pub(super) fn over<T: IntoIterator>(&self, things: T) -> impl Iterator<Item = T::Item> {
        things.into_iter().inspect(move |_| self.step())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::{ProgressDrawTarget, TermLike};
    use std::io;
    use std::sync::{Arc, Mutex};

    /// A terminal that keeps all that was ever written to it.
    #[derive(Clone, Debug, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn text(&self) -> String {
            self.0.lock().expect("nobody panics").clone()
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            100
        }

        fn move_cursor_up(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _lines: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _places: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _places: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(text)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.0.lock().expect("nobody panics").push_str(text);
            Ok(())
        }

        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written when the first three of eight things are done that began so long ago.
    fn written(ago: Duration) -> String {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let bar = ProgressBar::with_draw_target(Some(8), target).with_elapsed(ago);
        let progress = Progress::on(bar, "batches of windows");
        assert_eq!(progress.over([5, 6, 7]).collect::<Vec<_>>(), [5, 6, 7]);
        paper.text()
    }

    #[test]
    fn a_bar_shows_how_far_it_is_where_somebody_waits() {
        let text = written(2 * PATIENCE);
        assert!(text.contains("3 of 8 batches of windows"), "{text}");
        assert_eq!(written(Duration::ZERO), "");
    }
}
