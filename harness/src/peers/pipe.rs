//! Lines to and from a worker, without ever waiting longer than told.
//!
//! Reading blocks, so each of its outputs is read by a thread of its own. They end with the
//! worker, which closes its outputs.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Answers are shorter by far; whoever says more in one line is not answering.
const LONGEST: u64 = 16 << 10;

/// How much is kept of what a worker said last on standard error.
const LAST_WORDS: usize = 400;

/// Both directions.
#[derive(Debug)]
pub(super) struct Pipe {
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    words: Arc<Mutex<String>>,
    /// Closed once everything on standard error was read.
    words_end: Receiver<()>,
}

/// Why there is no line.
#[derive(Debug)]
pub(super) enum Silence {
    /// None came in time.
    Late,
    /// None will come.
    Ended,
}

impl Pipe {
    /// Of a child that was started with all three of its streams piped.
    pub(super) fn of(child: &mut Child) -> Pipe {
        let (send, lines) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                let mut output = BufReader::new(output);
                while let Some(line) = line(&mut output) {
                    if send.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let words = Arc::new(Mutex::new(String::new()));
        let (last, words_end) = channel();
        if let Some(errors) = child.stderr.take() {
            let words = Arc::clone(&words);
            std::thread::spawn(move || {
                keep_end(errors, &words);
                drop(last);
            });
        }
        Pipe { input: child.stdin.take(), lines, words, words_end }
    }

    /// Says a line. Whether it was heard shows in the answer.
    pub(super) fn say(&mut self, line: &str) {
        if let Some(input) = &mut self.input {
            let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        }
    }

    /// The next line.
    pub(super) fn hear(&self, patience: Duration) -> Result<String, Silence> {
        self.lines.recv_timeout(patience).map_err(|error| match error {
            RecvTimeoutError::Timeout => Silence::Late,
            RecvTimeoutError::Disconnected => Silence::Ended,
        })
    }

    /// The end of what was said on standard error by a child that has ended.
    pub(super) fn last_words(&self) -> String {
        // Whom the child started may go on holding its standard error; they are not waited for.
        let _ = self.words_end.recv_timeout(Duration::from_millis(500));
        self.words.lock().unwrap_or_else(PoisonError::into_inner).trim().to_owned()
    }
}

/// The next line without its end, cut where it is too long; `None` after the last.
fn line(output: &mut impl BufRead) -> Option<String> {
    let mut bytes = Vec::new();
    let read = output.by_ref().take(LONGEST).read_until(b'\n', &mut bytes).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

fn keep_end(mut errors: impl Read, words: &Mutex<String>) {
    let mut part = [0; 1024];
    while let Ok(read @ 1..) = errors.read(&mut part) {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.push_str(&String::from_utf8_lossy(&part[..read]));
        let surplus = words.chars().count().saturating_sub(LAST_WORDS);
        *words = words.chars().skip(surplus).collect();
    }
}
