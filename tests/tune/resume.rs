//! Searches that are killed: at any moment at most one evaluation is lost, and a candidate that
//! kills every search is found out and left alone.

use crate::fake::{Fake, Fault, plain_with};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tilewise_tuner::search::{Progress, Strategy};

/// Under these names the searches below find what they are to do.
const FILE: &str = "TILEWISE_TEST_JOURNAL";
const FAULT: &str = "TILEWISE_TEST_FAULT";

/// What a candidate of the searches below may take, a thousand times what they do.
const PATIENCE: Duration = Duration::from_secs(4);

/// How a search ends that has lost its patience with recipe 40.
const GAVE_UP: i32 = 42;

/// Not a test of its own: what the processes of the others do, which are this program again.
#[test]
fn search_until_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let fake = Fake::new(plain_with(&[0.1, 0.8]), 1);
    let fake = match std::env::var(FAULT).as_deref() {
        Ok("hangs") => fake.with(40, Fault::Hangs),
        Ok("crashes") => fake.with(40, Fault::Crashes),
        _ => fake.with(40, Fault::Wrong),
    };
    let slowly = |_: &Progress| std::thread::sleep(Duration::from_millis(2));
    let found = fake
        .search(10.0, |search| {
            let search = search.strategy(Strategy::Exhaustive).journal(&path).progress(slowly);
            search.patience(PATIENCE, |recipe| {
                std::process::exit(if recipe == "40" { GAVE_UP } else { 1 });
            })
        })
        .unwrap();
    found.settled();
    let result = serde_json::json!({
        "recipe": found.record.recipe,
        "rejected": found.rejected,
        "resumed": found.resumed,
        "tried": found.record.evidence.tried,
    });
    fs::write(Path::new(&path).with_extension("result"), result.to_string()).unwrap();
}

fn start(path: &Path, fault: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "resume::search_until_killed"])
        .env(FILE, path)
        .env(FAULT, fault)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Lets a search run for so long at most, and says how it ended.
fn run(path: &Path, fault: &str, most: Duration) -> Option<i32> {
    let mut child = start(path, fault);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if start.elapsed() > most {
            child.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// By the journal: how often a candidate was begun and ended, and how many have ended since they
/// were last begun. One that could win is run anew by each search, so it ends more than once.
fn counted(path: &Path) -> (usize, usize, usize) {
    let (mut begun, mut ended, mut known) = (0, 0, BTreeSet::new());
    let text = fs::read(path).unwrap_or_default();
    // The last line may be cut.
    for line in text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        let line: serde_json::Value = serde_json::from_slice(line).unwrap();
        if let Some(recipe) = line.get("begun") {
            begun += 1;
            known.remove(&recipe.to_string());
        }
        if let Some(recipe) = line.get("ended") {
            ended += 1;
            known.insert(recipe.to_string());
        }
    }
    (begun, ended, known.len())
}

#[test]
fn a_killed_search_loses_one_evaluation_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let result = path.with_extension("result");
    let (mut kills, mut done, mut left) = (0, 0, 0);
    while !result.exists() {
        run(&path, "", Duration::from_millis(20 + 15 * kills));
        if result.exists() {
            break;
        }
        if !path.exists() {
            done = 0; // Killed between the end of the search and what comes after it.
        }
        let (begun, ended, known) = counted(&path);
        // Each kill may cost the one that was under way.
        assert!(begun <= ended + 1 + kills as usize, "{begun} {ended} after {kills} kills");
        assert!(ended >= done, "what was known is known");
        (done, left, kills) = (ended, known, kills + 1);
        assert!(kills < 500, "it gets nowhere");
    }
    let found: serde_json::Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
    // One that was under way at two kills is suspected, though it did nothing.
    let rejected = found["rejected"].as_array().unwrap();
    let suspected = rejected.iter().any(|of| of[0] == "41");
    assert!(found["recipe"] == 41 || suspected, "{found}");
    assert!(rejected.iter().any(|of| of[0] == "40"), "{found}");
    assert!(found["resumed"].as_u64().unwrap() >= left as u64, "{found} {left}");
    assert!(!path.exists(), "nothing is left to resume");
}

#[test]
fn what_hangs_or_crashes_every_search_is_rejected() {
    for fault in ["hangs", "crashes"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let result = path.with_extension("result");
        // It is noticed without anybody's help.
        let ends = [(); 3].map(|()| run(&path, fault, Duration::from_secs(60)));
        let early = if fault == "hangs" { Some(GAVE_UP) } else { None };
        assert_eq!(ends, [early, early, Some(0)], "{fault}");
        let found: serde_json::Value = serde_json::from_slice(&fs::read(&result).unwrap()).unwrap();
        assert_eq!(found["recipe"], 41, "{fault}: {found}");
        let why = found["rejected"][0][1].as_str().unwrap();
        assert_eq!(why, "2 searches ended while it was tried", "{fault}");
    }
}

#[test]
fn two_searches_at_once_do_not_write_into_one_journal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let search = |progress: &mut dyn FnMut()| {
        let fake = Fake::new(plain_with(&[0.8]), 1);
        let of = |_: &Progress| progress();
        fake.search(10.0, |s| s.strategy(Strategy::Exhaustive).journal(&path).progress(of)).unwrap()
    };
    let mut inner = None;
    let outer = search(&mut || {
        inner.get_or_insert_with(|| {
            let before = fs::read(&path).unwrap();
            let found = search(&mut || ());
            assert_eq!(fs::read(&path).unwrap(), before);
            found.settled();
            found.shared
        });
    });
    assert_eq!((outer.shared, inner), (false, Some(true)));
    assert!(path.exists(), "kept until the result is");
    outer.settled();
    assert!(!path.exists());
}

/// The kernel may have changed since it was verified.
#[test]
fn what_is_taken_over_is_verified_before_it_can_win() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let tune = |fake: &Fake| {
        fake.search(10.0, |s| s.strategy(Strategy::Exhaustive).journal(&path)).unwrap()
    };
    let found = tune(&Fake::new(plain_with(&[0.97, 0.8, 0.9]), 1));
    assert_eq!((&found.record.recipe, found.resumed), (&41.into(), 0));
    let found = tune(&Fake::new(plain_with(&[0.97, 0.8, 0.9]), 1).with(41, Fault::Wrong));
    assert!(found.resumed > 0);
    assert_eq!((&found.record.recipe, found.rejected.len()), (&42.into(), 1));
    assert_eq!(found.rejected[0].0, "41");
}

#[test]
fn another_search_and_damage_are_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let tune = |contents: &[u8]| {
        fs::write(&path, contents).unwrap();
        let fake = Fake::new(plain_with(&[0.8]), 1);
        let found = fake.search(10.0, |s| s.strategy(Strategy::Exhaustive).journal(&path)).unwrap();
        assert_eq!((&found.record.recipe, found.resumed), (&40.into(), 0));
    };
    tune(b"{\"search\":{\"kernel\":\"gemm\"}}\n{\"ended\":3,\"ratio\":99.0,\"spent_s\":1.0}\n");
    tune(b"\xff\xfe nonsense");
    let refused =
        Fake::new(vec![1e-4; 3], 1).search(1.0, |s| s.journal(folder.path())).unwrap_err();
    assert!(refused.to_string().contains("progress"), "{refused}");
}
