//! What recordings of whole search spaces show: how flat they are, and how near searches come to
//! the best that is known to be there.

mod choices;
mod transfer;

use super::Table;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;
use tilewise::{gemm, kmeans};
use tilewise_tuner::machine::Machine;
use tilewise_tuner::measure::stats;
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::recording::{Damaged, Recording, Replay};
use tilewise_tuner::search::{Search, Strategy};
use tilewise_tuner::space::Field;
use tilewise_tuner::wisdom::Verdict;

/// Replays of each search, and of searches among equals, in each space.
const RUNS: u64 = 24;
const EQUALS: u64 = 12;

/// A recording and where it lies.
pub type Named = (String, Recording);

/// What is found out about one space.
struct Findings {
    title: String,
    points: usize,
    /// Seconds a call of each takes.
    truth: Vec<f64>,
    noise: f64,
    /// Shares of the points within 1, 5 and 10 % of the best.
    flat: [f64; 3],
    default: f64,
    model: f64,
    /// Regrets of searches of 2 s and 10 s.
    short: Vec<f64>,
    long: Vec<f64>,
    /// What the longer searches picked.
    picks: Vec<usize>,
    /// Points tried until one was within 5 % of the best: the tuner's, random, hill climbing.
    tries: [Vec<f64>; 3],
    /// Picks of the repeats that are within 1 % of each other.
    tied: f64,
    /// Searches among equals that found something.
    misled: usize,
}

/// The page about all of `recordings`.
///
/// # Errors
/// [`Damaged`].
pub fn page(recordings: &[Named]) -> Result<String, Damaged> {
    // Each on a thread of its own: time is the replay's, so none is in another's way.
    let found: Vec<Findings> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            recordings.iter().map(|named| scope.spawn(move || findings(named))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| thread.join().expect("no panics");
        threads.into_iter().map(join).collect::<Result<_, Damaged>>()
    })?;
    let mut text = format!("{INTRODUCTION}{}\n", versions(recordings));
    flatness(&mut text, &found);
    regret(&mut text, &found);
    tries(&mut text, &found);
    text += &choices::section(recordings, &found);
    text += &transfer::section(recordings, &found)?;
    bars(&mut text, recordings, &found);
    Ok(text)
}

const INTRODUCTION: &str = "# What recorded search spaces show

Written by `cargo run --release -p tilewise-harness --example spaces` from the recordings beside it;
not edited by hand. A recording (`tilewise wisdom export`) holds raw samples of every candidate, in
interleaved rounds. Searches are replayed on it with its noise and its drift, so what they should
have found is known. *Regret* is how much longer than the best point's the time of a pick is. The
best is the one with the least median, so it is a little flattered and regrets are a little too
large, by about the noise named for each space. A recording is of one session: a shared machine may
be in another state an hour later (what its cores share with whom), and a gain that is seen here need
not be seen then. `tilewise wisdom check` measures stored records again.

";

/// When which version of what was recorded.
fn versions(recordings: &[Named]) -> String {
    let all = || recordings.iter().map(|(_, recording)| recording);
    let kinds: BTreeSet<_> = all().map(|r| (r.kernel.as_str(), r.surface)).collect();
    let kinds: Vec<String> =
        kinds.into_iter().map(|(kernel, surface)| format!("{kernel} {surface}")).collect();
    let days: BTreeSet<String> = all().map(|r| r.date.strftime("%F").to_string()).collect();
    let days: Vec<&str> = days.iter().map(String::as_str).collect();
    let (kinds, days) = (kinds.join(", "), days.join(", "));
    format!("Recorded on {days}; versions of the kernels and what can be tuned of them: {kinds}.\n")
}

fn findings((title, recording): &Named) -> Result<Findings, Damaged> {
    let base = Replay::new(recording, 0)?;
    let points = base.len();
    let within = |share: f64| {
        (0..points).filter(|&point| base.regret(point) <= share).count() as f64 / points as f64
    };
    let seeds = (0..=recording.seeds).map(|point| base.regret(point));
    let replay = |seed: u64| base.clone().seeded(seed);
    let runs = |seconds: u64| -> (Vec<usize>, Vec<f64>) {
        let pick = |seed| search(&replay(seed), seconds, Strategy::Seeded).pick;
        (0..RUNS).map(pick).map(|pick| (pick, base.regret(pick))).unzip()
    };
    let tries = |strategy: fn(u64) -> Strategy| -> Vec<f64> {
        // Long enough for every point, so that the order alone decides.
        (0..RUNS).map(|seed| search(&replay(seed), 600, strategy(seed)).tries).collect()
    };
    let misled = |seed: &u64| search(&replay(1000 + seed).all_alike(), 2, Strategy::Seeded).faster;
    let misled = (0..EQUALS).filter(misled).count();
    let (_, short) = runs(2);
    let (picks, long) = runs(10);
    let least = long.iter().take(10).copied().fold(f64::INFINITY, f64::min);
    let tied = long.iter().take(10).filter(|regret| **regret <= least + 0.01).count();
    Ok(Findings {
        title: title.clone(),
        points,
        noise: recording.noise(),
        flat: [0.01, 0.05, 0.10].map(within),
        default: base.regret(0),
        model: seeds.fold(f64::INFINITY, f64::min),
        short,
        long,
        picks,
        tries: [tries(|_| Strategy::Seeded), tries(Strategy::Random), tries(Strategy::Climb)],
        tied: tied as f64 / 10.0,
        misled,
        truth: (0..points).map(|point| base.truth(point)).collect(),
    })
}

/// What a replayed search came to.
struct Run {
    pick: usize,
    tries: f64,
    faster: bool,
}

fn search(replay: &Replay, seconds: u64, strategy: Strategy) -> Run {
    let machine = Machine::read();
    let search = Search::within(Duration::from_secs(seconds)).clock(replay).strategy(strategy);
    let found = search.tune(replay, &Setting::best(&machine)).expect("a replay runs everything");
    let point = |value: &serde_json::Value| value.as_u64().unwrap_or(0) as usize;
    let good = found.ranking.iter().filter(|timed| replay.regret(point(&timed.fields)) <= 0.05);
    // The default is the first that is tried.
    let first = good.map(|timed| timed.turn + 1).min().unwrap_or(replay.len());
    Run {
        pick: point(&found.record.recipe),
        tries: first as f64,
        faster: found.record.evidence.verdict == Verdict::Faster,
    }
}

fn flatness(text: &mut String, found: &[Findings]) {
    text.push_str("## How flat the spaces are\n\n");
    let rows = found.iter().map(|f| {
        let [one, five, ten] = f.flat.map(percent);
        vec![f.title.clone(), f.points.to_string(), percent(f.noise), one, five, ten]
    });
    let head = ["space", "points", "noise", "within 1 %", "within 5 %", "within 10 %"];
    *text += &Table::new(&head, rows.collect()).markdown();
}

fn regret(text: &mut String, found: &[Findings]) {
    text.push_str("\n## Regret\n\nMedian, 90th percentile and worst of the replays.\n\n");
    let rows = found.iter().map(|f| {
        let [default, model] = [f.default, f.model].map(percent);
        vec![f.title.clone(), default, model, spread(&f.short), spread(&f.long), percent(f.tied)]
    });
    let head =
        ["space", "the default", "best seed", "tuner, 2 s", "tuner, 10 s", "same or tied in ten"];
    *text += &Table::new(&head, rows.collect()).markdown();
    let near: Vec<&str> =
        found.iter().filter(|f| f.default <= 0.03).map(|f| f.title.as_str()).collect();
    if !near.is_empty() {
        let (count, all) = (near.len(), found.len());
        let _ = write!(
            text,
            "\nIn {count} of {all} spaces the default is within 3 % of the best already: {}.\n",
            near.join("; ")
        );
    }
}

fn tries(text: &mut String, found: &[Findings]) {
    text.push_str(
        "\n## Points tried until one is within 5 % of the best\n\nMedian, 90th percentile, worst; \
         the default counts as the first.\n\n",
    );
    let count = |tries: &[f64]| {
        let [middle, most, worst] = quantiles(tries);
        format!("{middle:.0}, {most:.0}, {worst:.0}")
    };
    let rows = found.iter().map(|f| {
        let [own, random, climb] = &f.tries;
        vec![f.title.clone(), count(own), count(random), count(climb)]
    });
    let head = ["space", "the tuner", "random search", "hill climbing"];
    *text += &Table::new(&head, rows.collect()).markdown();
}

/// What was asked for, and what is so.
fn bars(text: &mut String, recordings: &[Named], found: &[Findings]) {
    let all = |of: fn(&Findings) -> &[f64]| -> Vec<f64> {
        found.iter().flat_map(|f| of(f).iter().copied()).collect()
    };
    let [middle, most, _] = quantiles(&all(|f| &f.long));
    let [short, short_most, _] = quantiles(&all(|f| &f.short));
    let [tries, tries_most, _] = quantiles(&all(|f| &f.tries[0]));
    let worst_model = found.iter().map(|f| f.model).fold(0.0, f64::max);
    let misled: usize = found.iter().map(|f| f.misled).sum();
    // What the model alone gives is the default; seeds are tried beside it.
    let speeds: Vec<f64> = found.iter().map(|f| 1.0 / (1.0 + f.default)).collect();
    let mean = stats::geometric_mean(&speeds).unwrap_or(0.0);
    let worst_default = speeds.iter().copied().fold(1.0, f64::min);
    let far: Vec<f64> = found
        .iter()
        .filter(|f| f.default > 0.05)
        .flat_map(|f| f.tries[0].iter().copied())
        .collect();
    let [far_middle, far_most, _] = quantiles(&far);
    let tied = found.iter().map(|f| f.tied).sum::<f64>() / found.len().max(1) as f64;
    let least_tied = found.iter().map(|f| f.tied).fold(1.0, f64::min);
    let rows = [
        ["regret at 10 s, median".into(), "1 %".into(), percent(middle)],
        ["regret at 10 s, 90th percentile".into(), "3 %".into(), percent(most)],
        ["regret at 2 s, median and 90th percentile".into(), "5 %".into(), {
            format!("{}, {}", percent(short), percent(short_most))
        }],
        ["points tried to within 5 %, median".into(), "16".into(), format!("{tries:.0}")],
        ["points tried to within 5 %, 90th percentile".into(), "40".into(), {
            format!("{tries_most:.0}")
        }],
        [
            "... where the default is not within 5 %, median and 90th percentile".into(),
            "".into(),
            { format!("{far_middle:.0}, {far_most:.0}") },
        ],
        ["speed of the default, of the best, mean and worst space".into(), "90 %".into(), {
            format!("{}, {}", percent(mean), percent(worst_default))
        }],
        ["same or tied winner in ten replays, all spaces and the least".into(), "".into(), {
            format!("{}, {}", percent(tied), percent(least_tied))
        }],
        ["gain on shapes never tuned".into(), "no loss over 1 %".into(), NOT_CARRIED.into()],
        ["speed of the best of default and seeds, worst space".into(), "90 %".into(), {
            percent(1.0 / (1.0 + worst_model))
        }],
        ["A/A: searches among equals that found something".into(), "5 %".into(), {
            percent(misled as f64 / (EQUALS as usize * found.len().max(1)) as f64)
        }],
    ];
    text.push_str("\n## Asked and found, all spaces and replays together\n\n");
    let (first, rest) = rows.split_at(2);
    let rows =
        first.iter().cloned().chain(by_kernel(recordings, found)).chain(rest.iter().cloned());
    let rows = rows.map(|row: [String; 3]| row.to_vec());
    *text += &Table::new(&["", "asked", "found"], rows.collect()).markdown();
}

/// The regret of the searches of each kernel.
fn by_kernel(recordings: &[Named], found: &[Findings]) -> Vec<[String; 3]> {
    let mut kernels = BTreeMap::<&str, Vec<f64>>::new();
    for ((_, recording), findings) in recordings.iter().zip(found) {
        kernels.entry(&recording.kernel).or_default().extend(&findings.long);
    }
    let row = |(kernel, long): (&str, Vec<f64>)| {
        let [middle, most, _] = quantiles(&long);
        let name = format!("... of {kernel} alone, median and 90th percentile");
        [name, "1 %, 3 %".into(), format!("{}, {}", percent(middle), percent(most))]
    };
    kernels.into_iter().map(row).collect()
}

/// What is gained on shapes that were never tuned.
const NOT_CARRIED: &str = {
    let reaches =
        [<gemm::Shape as Problem>::REACH, <kmeans::Shape as Problem>::REACH, Field::<f32>::REACH];
    // Else the gain is to be measured.
    assert!(reaches[0] == 0.0 && reaches[1] == 0.0 && reaches[2] == 0.0);
    "none: they have the default, for no recipe is carried over"
};

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn spread(regrets: &[f64]) -> String {
    quantiles(regrets).map(percent).join(", ")
}

/// Median, 90th percentile, most.
fn quantiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = |share: f64| sorted.get((share * last as f64).ceil() as usize).copied();
    let middle = stats::median(values);
    [middle, at(0.9), at(1.0)].map(|value| value.unwrap_or(0.0))
}
