//! What can be wrong with a model, its text or its data.

use super::squad::Stride;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why a model could not be loaded or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that cannot be read.
    #[error("{path}: {reason}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// A file that is not what its name says.
    #[error("{path}: {reason}", path = path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A value of a configuration that is not understood.
    #[error("{path}: {name} is {given}; expected {expected}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The entry.
        name: &'static str,
        /// What stands there.
        given: String,
        /// What could stand there.
        expected: String,
    },
    /// A size of a model that no model has.
    #[error("{name} is {given}; expected {expected}")]
    Size {
        /// Which, as config.json names it.
        name: &'static str,
        /// What was given.
        given: usize,
        /// What it could be.
        expected: String,
    },
    /// A tensor that is not there.
    #[error("{path} has no tensor {name:?}, with or without the prefix \"bert.\"", path = path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
    },
    /// A tensor of another shape than the configuration says.
    #[error("{path}: {name:?} is {given:?}; expected {expected:?} by config.json", path = path.display())]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
        /// Its shape.
        given: Vec<usize>,
        /// The shape it should have.
        expected: Vec<usize>,
    },
    /// A tensor of numbers that are not read.
    #[error("{path}: {name:?} holds {given}; expected F32 or F16", path = path.display())]
    TensorType {
        /// The file.
        path: PathBuf,
        /// Its name.
        name: String,
        /// What it holds.
        given: String,
    },
    /// A weight that is no finite number.
    #[error("{path}: {name:?} holds a NaN or an infinity at place {index}", path = path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Where in it.
        index: usize,
    },
    /// A line of a data file that cannot be understood.
    #[error("{path}, line {line}: {reason}", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Text without a single token.
    #[error("the text is empty; expected at least one word")]
    EmptyText,
    /// What is wrong with one example of a data set.
    #[error("{which}: {reason}")]
    Example {
        /// Which, as people find it: `pair 3`, or `question "56be4db0acb8001400a502ec"`.
        which: String,
        /// What is wrong with it.
        reason: Box<Error>,
    },
    /// A question that leaves no room for its context.
    #[error(
        "a window of {window} tokens leaves no room beside a question of {question} and 3 special \
         tokens; use a longer window"
    )]
    NoRoom {
        /// Tokens of a window.
        window: usize,
        /// Tokens of the question, without special ones.
        question: usize,
    },
    /// Windows that would not go on, or leave pieces out.
    #[error("{}", stride(*given, *room))]
    Stride {
        /// How far they should be apart.
        given: Stride,
        /// Pieces of the paragraph in a window.
        room: usize,
    },
    /// Text the tokenizer refuses, or panics at.
    #[error("a text that cannot be tokenised: {0}")]
    Tokenizer(String),
    /// A token number the model does not know.
    #[error("token number {given}; expected one below {vocabulary}, the model's vocabulary")]
    TokenId {
        /// What was given.
        given: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// A segment number the model does not know.
    #[error("segment number {given}; expected one below {types}")]
    SegmentId {
        /// What was given.
        given: u32,
        /// How many there are.
        types: usize,
    },
    /// A sequence that is longer than the model has positions for, or empty.
    #[error("a sequence of {given} tokens; expected 1 to {most}, the positions of the model")]
    Length {
        /// Its length.
        given: usize,
        /// The longest possible.
        most: usize,
    },
    /// What comes of a sequence is no finite number, though all weights are.
    #[error(
        "the model makes a NaN or an infinity of a text (number {sequence} of its batch, from 0): a \
         weight is wrong, or too large for 32-bit floats"
    )]
    Overflow {
        /// Its place in the batch.
        sequence: usize,
    },
    /// Ranges of a model with another number of layers.
    #[error("ranges of {given} linear layers; expected {expected}, those of this model")]
    Ranges {
        /// Of how many layers they are.
        given: usize,
        /// How many the model has.
        expected: usize,
    },
    /// Ranges of a model with other weights.
    #[error("ranges of the model {given}; expected those of {expected}, which is this one")]
    OtherModel {
        /// What tells theirs from others.
        given: String,
        /// What tells this one.
        expected: String,
    },
    /// Not enough memory.
    #[error(transparent)]
    Memory(#[from] tilewise::buffer::OutOfMemory),
    /// A product the kernels refuse.
    #[error(transparent)]
    Kernel(#[from] tilewise::gemm::Error),
    /// An operation on rows the kernels refuse.
    #[error(transparent)]
    Rows(#[from] tilewise::rows::Error),
}

fn stride(given: Stride, room: usize) -> String {
    match given {
        Stride::Step(step) => format!(
            "windows that begin every {step} pieces; expected 1 to {room}, for a window has {room} \
             pieces beside the question"
        ),
        Stride::Overlap(shared) => format!(
            "windows that overlap by {shared} pieces; expected fewer than {room}, for a window has \
             {room} pieces beside the question: overlap less, or use a longer window"
        ),
    }
}

/// What the files of a model are expected in.
pub(super) const MODEL: &str =
    "a model's folder, with config.json, model.safetensors and tokenizer.json";

impl Error {
    /// The same, said of an example where it is one sequence of a batch that is wrong: `name` knows
    /// whose it is by its place there.
    pub fn named(self, name: impl FnOnce(usize) -> Option<String>) -> Error {
        match self {
            Error::Overflow { sequence } => match name(sequence) {
                Some(which) => self.of(which),
                None => self,
            },
            other => other,
        }
    }

    /// A file of a model that cannot be read. One of `others` stands there in folders of old, or of a model
    /// in several files: transformers read it and write what is read here.
    pub(super) fn of_model(path: &Path, others: &[&str], reason: io::Error) -> Error {
        if reason.kind() != ErrorKind::NotFound {
            return Error::read(path, reason);
        }
        let there = others.iter().find(|other| path.with_file_name(other).exists());
        let Some(other) = there else {
            return Error::absent(path, MODEL);
        };
        let made = match other.ends_with(".index.json") {
            false => "of which save_pretrained of Hugging Face's transformers makes it",
            true => {
                "for the weights are in several files and must be saved as one: save_pretrained of \
                 Hugging Face's transformers does, with a max_shard_size above their size"
            }
        };
        Error::absent(path, &format!("{MODEL}; {other} is there, {made}"))
    }

    /// A file that is not there.
    pub(super) fn absent(path: &Path, expected: &str) -> Error {
        let reason = format!("there is no such file; expected {expected}");
        Error::read(path, io::Error::new(ErrorKind::NotFound, reason))
    }

    /// A file that cannot be read.
    pub(super) fn read(path: &Path, reason: io::Error) -> Error {
        Error::Read { path: path.into(), reason }
    }

    /// The same, said of one example of a data set.
    pub(super) fn of(self, which: String) -> Error {
        Error::Example { which, reason: Box::new(self) }
    }

    /// A file that is not what its name says.
    pub(super) fn malformed(path: &Path, reason: impl ToString) -> Error {
        Error::Malformed { path: path.into(), reason: reason.to_string() }
    }
}
