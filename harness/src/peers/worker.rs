//! A rival in a process of its own: started, asked, stopped while others run, and ended.
//!
//! A worker is believed in nothing that can be checked: its result is read back from a file and
//! held against our reference, its seconds may not exceed those that passed here, and its result must
//! still be the checked one after batches, whenever it was looked at. Whatever it does wrong ends it, with one line
//! that says what was expected; it can never make the runner wait for ever. Its own count of what it
//! lost to others is taken where it is smaller than ours: so it could hide that a round was disturbed.

use super::entrant::Batch;
use super::pipe::Pipe;
use super::protocol::{Answer, Done, Go, Ready, Request, digest};
use super::signal;
use serde::Serialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tilewise_tuner::measure::Lost;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct Launch {
    /// Its name in messages.
    pub name: String,
    /// The program: an interpreter, mostly.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// How long it may take.
    pub patience: Patience,
}

/// How long a worker may take for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// To start, make its inputs and run once: a large model is quantised in minutes.
    pub prepare: Duration,
    /// For a batch: scikit-learn chooses 1024 centres among 100,000 x 128 in more than a minute.
    pub batch: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { prepare: Duration::from_secs(600), batch: Duration::from_secs(240) }
    }
}

/// A worker that failed, and how.
#[derive(Debug, thiserror::Error)]
#[error("worker {worker}: {problem}")]
pub struct Error {
    /// Its name.
    pub worker: String,
    /// What was wrong.
    #[source]
    pub problem: Problem,
}

/// What can be wrong with a worker.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It could not be started.
    #[error(
        "{program:?} cannot be started: {source}; expected a program that can be run, such as the \
         python of the environment that benches/peers/README.md makes"
    )]
    Start {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It could not be stopped or continued.
    #[error("it cannot be stopped while others run: {source}; leave it out on this system")]
    Signal {
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// It did not answer in time.
    #[error("no answer to {step} within {seconds} s, so it was ended; try smaller shapes")]
    Late {
        /// What was asked.
        step: &'static str,
        /// How long it had.
        seconds: f64,
    },
    /// It ended early.
    #[error(
        "it ended instead of answering {step} ({status}); its last words: {last_words:?}; install \
         what benches/peers/requirements.txt names, or run it by hand to see more"
    )]
    Ended {
        /// What was asked.
        step: &'static str,
        /// How it ended.
        status: String,
        /// The end of its standard error.
        last_words: String,
    },
    /// It answered something else than the protocol has.
    #[error(
        "it answered {step} with {line:?}; expected a line of JSON as in benches/peers/README.md"
    )]
    Garbage {
        /// What was asked.
        step: &'static str,
        /// What it said, cut short.
        line: String,
    },
    /// It says that it cannot do it.
    #[error("{reason}")]
    Refused {
        /// In its own words.
        reason: String,
    },
    /// What it says cannot be true.
    #[error("{what}; it is left out, because its times cannot be believed")]
    Lied {
        /// What it said, and what is so.
        what: String,
    },
}

/// A running worker; it is ended when dropped.
#[derive(Debug)]
pub struct Worker {
    name: String,
    patience: Patience,
    child: Child,
    pipe: Pipe,
    /// [`digest`] of the result that was checked.
    expected: String,
}

impl Worker {
    /// Starts a worker; it is not heard before it is asked.
    ///
    /// # Errors
    /// [`Problem::Start`].
    pub fn start(launch: &Launch) -> Result<Worker, Error> {
        let program = launch.program.clone();
        let start = |source| Error {
            worker: launch.name.clone(),
            problem: Problem::Start { program, source },
        };
        let child = Command::new(&launch.program)
            .args(&launch.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.map_err(start)?;
        Ok(Worker {
            name: launch.name.clone(),
            patience: launch.patience,
            pipe: Pipe::of(&mut child),
            child,
            expected: String::new(),
        })
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Has it prepare for `request`, and stops it. Its first result is in the output file.
    ///
    /// # Errors
    /// [`Error`], after which the worker has ended.
    pub fn prepare(&mut self, request: &Request<'_>) -> Result<Ready, Error> {
        const STEP: &str = "a request";
        let answer = match self.ask(request, STEP, self.patience.prepare)? {
            Answer::Ready(ready) => ready,
            Answer::Error(reason) => return Err(self.end(Problem::Refused { reason })),
            other => return Err(self.end(garbage(STEP, &format!("{other:?}")))),
        };
        let written = self.written(request.output)?;
        if written != answer.digest {
            let what = format!(
                "its result has the digest {}, but what it wrote to the output file has {written}",
                answer.digest
            );
            return Err(self.end(Problem::Lied { what }));
        }
        self.expected.clone_from(&answer.digest);
        Ok(answer)
    }

    /// Has it make so many calls, and stops it. Returns the seconds they took by its own clock, and
    /// what it lost meanwhile: by its own count, which leaves out that it has to be woken here, and
    /// no more than is seen from outside. (That it lost more than it says cannot be told from being
    /// woken; what it could hide so is that a round was disturbed, not how long it took.)
    ///
    /// # Errors
    /// [`Error`], after which the worker has ended.
    pub fn batch(&mut self, calls: usize) -> Result<Batch, Error> {
        const STEP: &str = "a batch";
        // It stands still before and after.
        let before = Lost::by(self.id());
        let start = Instant::now();
        let Done { seconds, digest, lost } =
            match self.ask(&Go { go: calls }, STEP, self.patience.batch)? {
                Answer::Done(done) => done,
                Answer::Error(reason) => return Err(self.end(Problem::Refused { reason })),
                other => return Err(self.end(garbage(STEP, &format!("{other:?}")))),
            };
        let passed = start.elapsed().as_secs_f64();
        let lost = Lost::by(self.id()).since(&before).at_most(&lost);
        if !(seconds > 0.0 && seconds <= passed) {
            let what = format!("it says {calls} calls took {seconds} s, but {passed} s passed");
            return Err(self.end(Problem::Lied { what }));
        }
        if digest != self.expected {
            let what = format!(
                "after a batch its result has the digest {digest}; the checked one was {}",
                self.expected
            );
            return Err(self.end(Problem::Lied { what }));
        }
        Ok(Batch { seconds, lost })
    }

    /// Continues it, says a line, waits for the answer, and stops it.
    fn ask(
        &mut self,
        line: &impl Serialize,
        step: &'static str,
        patience: Duration,
    ) -> Result<Answer, Error> {
        let line = serde_json::to_string(line).expect("it is plain data");
        signal::resume(&self.child).map_err(|source| self.end(Problem::Signal { source }))?;
        self.pipe.say(&line);
        let heard = self.pipe.hear(patience);
        let line = match heard {
            Ok(line) => line,
            Err(super::pipe::Silence::Late) => {
                let seconds = patience.as_secs_f64();
                return Err(self.end(Problem::Late { step, seconds }));
            }
            Err(super::pipe::Silence::Ended) => return Err(self.ended(step)),
        };
        signal::stop(&self.child).map_err(|source| self.end(Problem::Signal { source }))?;
        serde_json::from_str(&line).map_err(|_| self.end(garbage(step, &line)))
    }

    fn written(&mut self, output: &Path) -> Result<String, Error> {
        std::fs::read(output).map(|bytes| digest(&bytes)).map_err(|error| {
            let what =
                format!("it said that its result is written, but it cannot be read: {error}");
            self.end(Problem::Lied { what })
        })
    }

    /// It closed its end: says how, and what it said last.
    fn ended(&mut self, step: &'static str) -> Error {
        // It is on its way out; a status that does not come within moments will not come.
        let deadline = Instant::now() + Duration::from_secs(1);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.to_string(),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                _ => break "still running, without standard output".into(),
            }
        };
        self.kill();
        let last_words = self.pipe.last_words();
        self.end(Problem::Ended { step, status, last_words })
    }

    fn end(&mut self, problem: Problem) -> Error {
        self.kill();
        Error { worker: self.name.clone(), problem }
    }

    fn kill(&mut self) {
        // It may have ended by itself; that is all that was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn garbage(step: &'static str, line: &str) -> Problem {
    /// Enough to see what it was.
    const SHOWN: usize = 120;
    Problem::Garbage { step, line: line.chars().take(SHOWN).collect() }
}
