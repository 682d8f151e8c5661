//! Developers' criterion sweeps over the kernels. Numbers that are quoted come from the paired
//! stopwatch (`tilewise report`), not from here.

use std::sync::OnceLock;
use tilewise::Isa;
use tilewise_tuner::Wisdom;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::problem::{Problem, Setting};

/// Whether this is a real measurement. Under `cargo test` each benchmark runs once, and should
/// then be tiny: cargo passes `--bench` only to `cargo bench`.
pub fn measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// Team sizes to sweep: powers of two up to the cores this process may use, and those.
pub fn thread_counts() -> Vec<usize> {
    let most = std::thread::available_parallelism().map_or(1, usize::from);
    let mut counts: Vec<usize> =
        std::iter::successors(Some(1), |n| Some(n * 2)).take_while(|&n| n < most).collect();
    counts.push(most);
    counts
}

/// The recipe for a problem: what wisdom says for this machine, else the estimate. Says which on
/// standard error, because a number means little without.
pub fn recipe<P: Problem>(problem: &P, isa: Isa, threads: usize) -> P::Recipe {
    static HERE: OnceLock<(Machine, Wisdom)> = OnceLock::new();
    let (machine, wisdom) = HERE.get_or_init(|| {
        let wisdom = Wisdom::load_default().unwrap_or_else(|error| {
            eprintln!("{error}; recipes are estimated");
            Wisdom::default()
        });
        (Machine::read(), wisdom)
    });
    let chosen = wisdom.choose(problem, &Setting { machine, isa, threads });
    if measuring() {
        let shape = problem.shape();
        eprintln!(
            "{}, {shape}, {isa}, {threads} thread(s): {} recipe {}",
            P::KERNEL,
            chosen.source,
            chosen.recipe
        );
    }
    if let Some(reason) = &chosen.refused {
        eprintln!("  its record is not used: {reason}");
    }
    chosen.recipe
}
