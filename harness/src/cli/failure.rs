//! How a command ends when it cannot do what it was asked: one line, and a status that says whose
//! fault it was.

use super::output;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use tilewise_harness::interrupt;

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// Help or the version was asked for.
    Shown(clap::Error),
    /// The command was used wrongly; status 2.
    Usage(String),
    /// The command failed; status 1.
    Failed(String),
    /// The command was interrupted and this is what is left; status 130.
    Interrupted(&'static str),
}

impl Failure {
    /// A wrong value of a flag.
    pub(super) fn usage(message: impl Display) -> Failure {
        Failure::Usage(message.to_string())
    }

    /// Something that could not be done.
    pub(super) fn failed(message: impl Display) -> Failure {
        Failure::Failed(message.to_string())
    }

    /// Prints it and gives the exit status.
    pub(super) fn report(self) -> ExitCode {
        match self {
            Failure::Shown(text) => {
                let printed = text.print().and_then(|()| io::stdout().flush());
                output::written(printed).map_or_else(Failure::report, |()| ExitCode::SUCCESS)
            }
            Failure::Usage(message) => {
                output::remark(one_line(&message) + " (see tilewise --help)");
                ExitCode::from(2)
            }
            Failure::Failed(message) => {
                output::remark(one_line(&message));
                ExitCode::FAILURE
            }
            Failure::Interrupted(left) => {
                output::remark(format_args!("interrupted; {left}"));
                ExitCode::from(interrupt::STATUS)
            }
        }
    }
}

impl From<clap::Error> for Failure {
    fn from(error: clap::Error) -> Failure {
        use clap::error::ErrorKind::{
            DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
        };
        match error.kind() {
            DisplayHelp | DisplayVersion => Failure::Shown(error),
            DisplayHelpOnMissingArgumentOrSubcommand => {
                Failure::usage(format!("nothing to do was named; expected {}", commands(&error)))
            }
            _ => {
                // Clap's first paragraph says what is wrong; usage and hints follow.
                let text = error.to_string();
                let message = text.split("\n\n").next().unwrap_or(&text);
                let message = message.trim_start_matches("error: ");
                Failure::usage(message.replace(NO_NUMBER, "expected a whole number, 0 or more"))
            }
        }
    }
}

/// What the standard library says of a text that is no whole number.
const NO_NUMBER: &str = "invalid digit found in string";

/// The commands there are, from the help that was to be shown.
fn commands(help: &clap::Error) -> String {
    let text = help.to_string();
    let lines = text.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let names = lines.map_while(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").collect::<Vec<_>>().join(", ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
