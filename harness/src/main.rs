//! The `tilewise` command, thin.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
