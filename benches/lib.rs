//! Developers' criterion sweeps over the kernels. Numbers that are quoted come from the paired
//! stopwatch (`tilewise report`), not from here.

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
