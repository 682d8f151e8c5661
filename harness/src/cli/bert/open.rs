//! A model's folder, opened: what the commands need of it, and what the user should know.

use super::args::{BenchArgs, ShapeArg, WindowFlags};
use super::progress::Progress;
use super::{Context, ranges};
use crate::cli::failure::Failure;
use crate::cli::output;
use std::fmt::Display;
use std::path::Path;
use tilewise_harness::bert::squad::Windowing;
use tilewise_harness::bert::{
    Checkpoint, Config, Encoder, Error, Limit, Pooling, Precision, Source, Synthetic, Text,
    transformer,
};

/// A model and where it is from.
pub(super) struct Opened {
    pub(super) config: Config,
    pub(super) source: Box<dyn Source>,
    /// For people: a folder, or what was made.
    pub(super) name: String,
}

/// A model with its tokenizer.
pub(super) struct Reader {
    pub(super) model: Opened,
    pub(super) text: Text,
    pub(super) limit: usize,
    remark: Option<String>,
}

impl Opened {
    /// A folder's.
    pub(super) fn folder(folder: &Path) -> Result<Opened, Failure> {
        let place = transformer(folder).map_err(Failure::failed)?;
        let config = Config::read(&place).map_err(Failure::failed)?;
        let source = Checkpoint::open(&place).map_err(Failure::failed)?;
        Ok(Opened { config, source: Box::new(source), name: folder.display().to_string() })
    }

    /// What a benchmark asks for.
    pub(super) fn bench(args: &BenchArgs, seed: u64) -> Result<Opened, Failure> {
        if let Some(folder) = &args.model {
            return Opened::folder(folder);
        }
        let (config, name) = match args.shape {
            ShapeArg::Base => (Config::base(), "base"),
            ShapeArg::Large => (Config::large(), "large"),
            ShapeArg::Minilm => (Config::minilm(), "minilm"),
        };
        let name = format!("{name}, random weights");
        Ok(Opened { config, source: Box::new(Synthetic { seed }), name })
    }

    /// Its encoder in a precision.
    pub(super) fn encoder(
        &self,
        context: Context<'_>,
        precision: Precision<'_>,
    ) -> Result<Encoder, Failure> {
        let isa = context.setup.setting().isa;
        let progress = Progress::new(self.config.tensors(), "tensors packed");
        let source = Counted { source: &*self.source, progress };
        Encoder::on(isa, &self.config, &source, precision).map_err(ranges::failure)
    }

    /// Whose fault an error of a pass is: [`failure`], and the model is named where it is the model's.
    pub(super) fn failure(&self, error: Error) -> Failure {
        match is_of_model(&error) {
            true => Failure::failed(format!("{}: {error}", self.name)),
            false => failure(error),
        }
    }
}

/// Tensors that are counted as they are asked for.
struct Counted<'a> {
    source: &'a dyn Source,
    progress: Progress,
}

impl Source for Counted<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Error> {
        self.progress.step();
        self.source.tensor(name, shape)
    }

    fn has(&self, name: &str) -> bool {
        self.source.has(name)
    }
}

impl Reader {
    /// A folder's.
    pub(super) fn open(folder: &Path) -> Result<Reader, Failure> {
        let model = Opened::folder(folder)?;
        let place = transformer(folder).map_err(Failure::failed)?;
        let text = Text::open(&place).map_err(Failure::failed)?;
        let limit = Limit::read(&place, &model.config).map_err(Failure::failed)?;
        Ok(Reader { model, text, limit: limit.tokens, remark: limit.remark })
    }

    /// Tells what the folder's files disagree about and what follows from it; once, when all that is
    /// asked for is in order.
    fn tell(&self, consequence: impl Display) {
        if let Some(remark) = &self.remark {
            output::remark(format_args!("{remark}; {consequence}"));
        }
    }

    /// The same where sentences are made of the model in a folder; and what is done where it does not
    /// say how.
    pub(super) fn tell_of_sentences(&self, folder: &Path) -> Result<(), Failure> {
        self.tell("texts are cut there");
        if Pooling::find(folder).map_err(Failure::failed)?.is_none() {
            let folder = folder.display();
            output::remark(format_args!(
                "{folder}: no pooling file (1_Pooling/config.json) is there; the vector of a \
                 sentence is the mean of those of its tokens"
            ));
        }
        Ok(())
    }

    /// The same where paragraphs are read in windows.
    pub(super) fn tell_of_windows(&self, windowing: &Windowing) {
        self.tell(format_args!("paragraphs are read in windows of {}", windowing.window));
    }

    /// How paragraphs are cut: into windows no longer than the model reads.
    pub(super) fn windowing(&self, flags: &WindowFlags) -> Result<Windowing, Failure> {
        let (usual, most) = (Windowing::default(), self.limit);
        let window = flags.window.unwrap_or(usual.window.min(most));
        if window > most {
            return Err(Failure::usage(format!(
                "--window {window}: expected at most {most}, the limit of the model"
            )));
        }
        Ok(Windowing { window, stride: flags.stride.unwrap_or(usual.stride), ..usual })
    }
}

/// Whose fault an error is: what the flags ask for, or the model and data.
pub(super) fn failure(error: Error) -> Failure {
    if is_of_flags(&error) { Failure::usage(error) } else { Failure::failed(error) }
}

/// The same for what came of a file of examples.
pub(super) fn failure_in(data: &Path, error: Error) -> Failure {
    match is_of_flags(&error) {
        true => Failure::usage(error),
        false => Failure::failed(format!("{}: {error}", data.display())),
    }
}

fn is_of_model(error: &Error) -> bool {
    match error {
        Error::Overflow { .. } => true,
        Error::Example { reason, .. } => is_of_model(reason),
        _ => false,
    }
}

fn is_of_flags(error: &Error) -> bool {
    match error {
        Error::Length { .. } | Error::NoRoom { .. } | Error::Stride { .. } => true,
        Error::Example { reason, .. } => is_of_flags(reason),
        _ => false,
    }
}
