//! Wisdom files: what they keep, what they survive, and what they never make a kernel do.

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use tilewise::Isa;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::problem::{Problem, Setting, Shape, shape};
use tilewise_tuner::wisdom::{Error, Evidence, Record, Source, Verdict, Wisdom};

/// A problem whose recipe is a number that must divide its size.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    n: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Tile {
    size: usize,
    threads: usize,
}

impl std::fmt::Display for Tile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tile {}, threads {}", self.size, self.threads)
    }
}

impl Problem for Tiles {
    type Recipe = Tile;
    const KERNEL: &'static str = "tiles";

    fn shape(&self) -> Shape {
        shape([("n", self.n.into())])
    }

    fn dtype(&self) -> &'static str {
        "f32"
    }

    fn estimate(&self, setting: &Setting<'_>) -> Tile {
        Tile { size: 1, threads: setting.threads }
    }

    fn check(&self, _: Isa, recipe: &Tile) -> Result<(), String> {
        let legal = recipe.size > 0 && self.n.is_multiple_of(recipe.size);
        legal.then_some(()).ok_or_else(|| format!("tile size {} does not divide", recipe.size))
    }

    fn threads(recipe: &Tile) -> usize {
        recipe.threads
    }
}

fn evidence(second: i64) -> Evidence {
    Evidence {
        verdict: Verdict::Faster,
        ratio: 1.25,
        lo: 1.2,
        hi: 1.3,
        rounds: 30,
        tried: 7,
        candidates: 9,
        seconds: 1.5,
        date: jiff::Timestamp::from_second(second).unwrap(),
        version: "0.1.0".into(),
    }
}

fn record(machine: &Machine, n: usize, size: usize, second: i64) -> Record {
    let setting = Setting { threads: 2, ..Setting::best(machine) };
    Record::new(&Tiles { n }, &setting, &Tile { size, threads: 2 }, evidence(second))
}

fn wisdom(records: impl IntoIterator<Item = Record>) -> Wisdom {
    let mut wisdom = Wisdom::default();
    records.into_iter().for_each(|record| wisdom.add(record));
    wisdom
}

/// Another CPU than this one.
fn elsewhere() -> Machine {
    let mut machine = Machine::read();
    machine.caches.l2 += 1 << 20;
    machine
}

#[test]
fn what_is_saved_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/wisdom.jsonl");
    let machine = Machine::read();
    wisdom([record(&machine, 12, 4, 1)]).save(&path).unwrap();
    let loaded = Wisdom::load(&path).unwrap();
    assert!(loaded.bad_lines().is_empty());

    let setting = Setting { threads: 2, ..Setting::best(&machine) };
    let chosen = loaded.choose(&Tiles { n: 12 }, &setting);
    assert_eq!(chosen.recipe, Tile { size: 4, threads: 2 });
    assert_eq!((chosen.source, chosen.verdict), (Source::Tuned, Some(Verdict::Faster)));
    assert_eq!(chosen.refused, None);

    // Another shape, another thread count, another instruction set: the estimate.
    let others = [
        loaded.choose(&Tiles { n: 13 }, &setting),
        loaded.choose(&Tiles { n: 12 }, &Setting { threads: 3, ..setting }),
        loaded.choose(&Tiles { n: 12 }, &Setting { isa: Isa::Neon, ..setting }),
    ];
    for chosen in others {
        assert_eq!((chosen.recipe.size, chosen.source), (1, Source::Estimated));
        assert_eq!((chosen.verdict, chosen.refused), (None, None));
    }
}

#[test]
fn records_of_other_machines_are_kept_and_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let (here, there) = (Machine::read(), elsewhere());
    wisdom([record(&there, 12, 4, 1)]).save(&path).unwrap();
    wisdom([record(&here, 6, 3, 1)]).save(&path).unwrap();
    let both = Wisdom::load(&path).unwrap();
    assert_eq!((both.records().len(), both.foreign(&here), both.foreign(&there)), (2, 1, 1));
    let setting = Setting { threads: 2, ..Setting::best(&here) };
    assert_eq!(both.choose(&Tiles { n: 12 }, &setting).source, Source::Estimated);
    let setting = Setting { threads: 2, ..Setting::best(&there) };
    assert_eq!(both.choose(&Tiles { n: 12 }, &setting).source, Source::Tuned);
}

#[test]
fn a_forged_recipe_is_refused_with_the_kernels_reason() {
    let machine = Machine::read();
    let setting = Setting { threads: 2, ..Setting::best(&machine) };
    let choose = |recipe: serde_json::Value| {
        let forged = Record { recipe, ..record(&machine, 12, 4, 1) };
        let chosen = wisdom([forged]).choose(&Tiles { n: 12 }, &setting);
        assert_eq!((chosen.recipe.size, chosen.source), (1, Source::Estimated));
        chosen.refused.unwrap()
    };
    assert_eq!(choose(serde_json::json!({"size": 5, "threads": 2})), "tile size 5 does not divide");
    assert_eq!(choose(serde_json::json!({"size": 0, "threads": 2})), "tile size 0 does not divide");
    assert!(choose(serde_json::json!({"size": 4, "threads": 99})).contains("99 threads"));
    assert!(choose(serde_json::json!({"size": -4, "threads": 2})).contains("cannot be read"));
    assert!(choose(serde_json::json!("tile")).contains("cannot be read"));
}

#[test]
fn bad_lines_are_named_and_the_others_hold() {
    let machine = Machine::read();
    let good = record(&machine, 12, 4, 1).line();
    let newer = good.replacen("\"schema\":1", "\"schema\":2,\"more\":true", 1);
    let unlikely = good.replacen("\"lo\":1.2", "\"lo\":1.4", 1);
    let unknown = good.replacen("\"rounds\":30", "\"rounds\":30,\"cousins\":1", 1);
    let lines = [&good, "", "not JSON", &newer, &unlikely, &unknown, "{\"a\":1}", "[[[[[["];
    let mut bytes = lines.join("\n").into_bytes();
    bytes.extend(b"\n\xff\xfe\n");
    let wisdom = Wisdom::parse(&bytes);
    assert_eq!(wisdom.records().len(), 1);
    let bad: Vec<usize> = wisdom.bad_lines().iter().map(|bad| bad.line).collect();
    assert_eq!(bad, [3, 4, 5, 6, 7, 8, 9]);
    let why: Vec<String> = wisdom.bad_lines().iter().map(ToString::to_string).collect();
    assert_eq!(why[1], "line 4: schema 2, this version reads 1");
    assert!(why[2].contains("outside of its interval") && why[3].contains("cousins"), "{why:?}");
}

#[test]
fn saving_keeps_lines_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let newer = r#"{"schema":7,"anything":["else"]}"#;
    let torn = b"{\"schema\":1,\"torn\xff";
    fs::write(&path, [newer.as_bytes(), b"\n", torn].concat()).unwrap();
    wisdom([record(&Machine::read(), 12, 4, 1)]).save(&path).unwrap();
    let once = fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = once.split(|&byte| byte == b'\n').collect();
    assert_eq!(lines[1..], [newer.as_bytes(), torn, b""]);
    assert_eq!(Wisdom::load(&path).unwrap().bad_lines().len(), 2);
    wisdom([record(&Machine::read(), 12, 4, 1)]).save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), once, "saved again");
}

#[test]
fn a_file_that_is_something_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    for contents in [&b"\xff\xd8\xff\xe0 a picture"[..], b"{\"a\": 1}\n", b"some text\n\n"] {
        fs::write(&path, contents).unwrap();
        let refused = wisdom([record(&Machine::read(), 12, 4, 1)]).save(&path);
        assert!(matches!(refused, Err(Error::SomethingElse { .. })), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
    fs::write(&path, "\n \n").unwrap();
    wisdom([record(&Machine::read(), 12, 4, 1)]).save(&path).unwrap();
}

#[test]
fn no_file_is_no_wisdom_and_a_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Wisdom::load(&folder.path().join("none")).unwrap(), Wisdom::default());
    assert!(matches!(Wisdom::load(folder.path()), Err(Error::Read { .. })));
}

/// What makes saving fail half way: the folder cannot be written, or the target is a folder.
#[test]
fn an_interrupted_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    wisdom([record(&Machine::read(), 12, 4, 1)]).save(&path).unwrap();
    let before = fs::read(&path).unwrap();

    // Killed between writing beside and renaming: the old file is whole, the rest is ignored.
    fs::write(folder.path().join(".tmpabcdef"), &before[..before.len() / 2]).unwrap();
    assert_eq!(Wisdom::load(&path).unwrap().records().len(), 1);

    let blocked = folder.path().join("file/wisdom.jsonl");
    fs::write(folder.path().join("file"), "in the way").unwrap();
    let refused = wisdom([record(&Machine::read(), 6, 2, 1)]).save(&blocked).unwrap_err();
    assert!(refused.to_string().contains("wisdom.jsonl"), "{refused}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(leftovers(folder.path()), 1, "only the one this test made");
}

fn leftovers(folder: &Path) -> usize {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".tmp")).count()
}

#[test]
fn the_later_record_stays() {
    let machine = Machine::read();
    let (old, new) = (record(&machine, 12, 2, 1), record(&machine, 12, 3, 2));
    for order in [[&old, &new], [&new, &old]] {
        let wisdom = wisdom(order.map(Clone::clone));
        assert_eq!(wisdom.records().collect::<Vec<_>>(), [&new]);
    }
}

/// A few records about few subjects, so that they collide.
fn some_wisdom() -> impl Strategy<Value = Vec<(bool, usize, usize, i64)>> {
    proptest::collection::vec((any::<bool>(), 1..4usize, 1..4usize, 0..3i64), 0..8)
}

proptest! {
    #[test]
    fn merging_is_the_same_in_any_order_and_however_often(
        a in some_wisdom(), b in some_wisdom(), c in some_wisdom(),
    ) {
        let machines = [Machine::read(), elsewhere()];
        let make = |some: &[(bool, usize, usize, i64)]| wisdom(some.iter().map(
            |&(there, n, size, date)| record(&machines[usize::from(there)], n, size, date),
        ));
        let merge = |mut one: Wisdom, other: &Wisdom| { one.merge(other.clone()); one };
        let (a, b, c) = (make(&a), make(&b), make(&c));
        let all = merge(merge(a.clone(), &b), &c);
        prop_assert_eq!(&all, &merge(a.clone(), &merge(b.clone(), &c)));
        prop_assert_eq!(&all, &merge(merge(c.clone(), &b), &a));
        prop_assert_eq!(&all, &merge(all.clone(), &b));
    }

    #[test]
    fn no_damage_makes_loading_panic_or_invents_a_record(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8u32), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let machine = Machine::read();
        let lines: Vec<String> =
            (1..4).map(|n| record(&machine, 12 * n, n, 5).line() + "\n").collect();
        let mut bytes = lines.concat().into_bytes();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        let wisdom = Wisdom::parse(&bytes);
        prop_assert!(wisdom.records().len() <= bytes.split(|&byte| byte == b'\n').count());
        // Whatever it now says, what is chosen can be followed.
        for n in [12, 24, 36] {
            let setting = Setting { threads: 2, ..Setting::best(&machine) };
            let chosen = wisdom.choose(&Tiles { n }, &setting);
            let checked = Tiles { n }.check(setting.isa, &chosen.recipe);
            prop_assert_eq!(checked, Ok(()));
        }
    }
}
