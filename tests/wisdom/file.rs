//! Wisdom in files: what saving keeps, who may write at once, and whose files stay as they are.

use crate::support::{bytes, record, wisdom};
use std::fs;
use std::path::Path;
use std::process::Command;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::wisdom::{Error, Wisdom};

#[test]
fn what_is_saved_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/wisdom.jsonl");
    let some = wisdom([record(&Machine::read(), 12, 4, 9), record(&Machine::read(), 6, 3, 9)]);
    some.save(&path).unwrap();
    let loaded = Wisdom::load(&path).unwrap();
    assert_eq!((loaded.bad_lines(), &loaded), (&[][..], &some));
}

#[test]
fn bad_lines_are_named_and_the_others_hold() {
    let good = String::from_utf8(bytes([record(&Machine::read(), 12, 4, 9)])).unwrap();
    let good = good.trim();
    let newer = good.replacen("\"schema\":3", "\"schema\":4", 1);
    let older = r#"{"schema":1,"machine":{},"kernel":"gemm"}"#;
    let changed = good.replacen("\"rounds\":9", "\"rounds\":8", 1);
    let spaced = good.replacen(",\"key\"", ", \"key\"", 1);
    let lines = [good, "", "not JSON", &newer, older, &changed, &spaced, "{\"a\":1}", "[[[[[["];
    let mut bytes = lines.join("\n").into_bytes();
    bytes.extend(b"\n\xff\xfe\n");
    let wisdom = Wisdom::parse(&bytes);
    assert_eq!(wisdom.records().len(), 1);
    let bad: Vec<usize> = wisdom.bad_lines().iter().map(|bad| bad.line).collect();
    assert_eq!(bad, [3, 4, 5, 6, 7, 8, 9, 10]);
    let why: Vec<String> = wisdom.bad_lines().iter().map(ToString::to_string).collect();
    assert!(why[1].ends_with("line 4: schema 4, this version reads 3"), "{why:?}");
    assert!(why[3].contains("checksum") && why[4].contains("checksum"), "{why:?}");
    let path = Path::new("/somewhere/wisdom.jsonl");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(path.file_name().unwrap());
    fs::write(&file, "nonsense").unwrap();
    let said = Wisdom::load(&file).unwrap().bad_lines()[0].to_string();
    assert!(said.starts_with(&*file.to_string_lossy()), "{said}");
}

/// Sixteen processes' worth of writers at once: threads hold locks of their own, too.
#[test]
fn of_sixteen_writers_none_loses_a_record() {
    const WRITERS: usize = 16;
    const EACH: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let machine = Machine::read();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, machine) = (&path, &machine);
            scope.spawn(move || {
                for at in 0..EACH {
                    let n = 1 + writer * EACH + at;
                    wisdom([record(machine, n, 1, 9)]).save(path).unwrap();
                }
            });
        }
    });
    let all = Wisdom::load(&path).unwrap();
    assert_eq!((all.records().len(), all.bad_lines()), (WRITERS * EACH, &[][..]));
}

/// Under this name a writer of the test below finds its file.
const FILE: &str = "TILEWISE_TEST_WISDOM_FILE";

/// Not a test of its own: what the processes of the next one do, which are this program again.
#[test]
fn write_until_killed() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let machine = Machine::read();
    for n in 1.. {
        wisdom([record(&machine, n, 1, 9)]).save(Path::new(&path)).unwrap();
    }
}

#[test]
fn writers_killed_at_any_moment_leave_a_whole_file_and_a_free_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let machine = Machine::read();
    for pause in [5, 23, 41, 64] {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "file::write_until_killed"])
            .env(FILE, &path)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        writer.kill().unwrap();
        writer.wait().unwrap();
        let held = Wisdom::load(&path).unwrap();
        assert_eq!(held.bad_lines(), []);
        // All that was saved is there: the records are those of 1 up to some number.
        let count = held.records().len();
        wisdom([record(&machine, count + 1, 1, 9)]).save(&path).unwrap();
        assert_eq!(Wisdom::load(&path).unwrap().records().len(), count + 1);
    }
}

#[test]
fn a_file_somebody_holds_for_long_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let busy = Error::Busy { path: path.clone() }.to_string();
    assert!(busy.contains("wisdom.jsonl") && busy.contains("try again"), "{busy}");
}

#[test]
fn what_is_measured_anew_takes_the_place_of_whatever_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let machine = Machine::read();
    let held = |rounds| {
        let all = Wisdom::load(&path).unwrap();
        let [only] = all.records()[..] else { panic!("{:?}", all.records()) };
        assert_eq!(only.evidence.rounds, rounds);
        only.clone()
    };
    assert_eq!(Wisdom::default().renew(&path, record(&machine, 12, 4, 99)).unwrap().revision, 0);
    let first = held(99);
    // With less evidence than the one that is there, and with a tile that is illegal.
    assert_eq!(Wisdom::default().renew(&path, record(&machine, 12, 5, 9)).unwrap().revision, 1);
    assert_eq!(Wisdom::default().renew(&path, record(&machine, 12, 3, 7)).unwrap(), held(7));
    // The old one does not come back.
    wisdom([first]).save(&path).unwrap();
    assert_eq!(held(7).revision, 2);
    // Nothing could follow the last of all revisions: who claims it is not believed.
    let mut last = record(&machine, 12, 4, 9);
    last.revision = u32::MAX;
    fs::write(&path, bytes([last])).unwrap();
    let renewed = Wisdom::default().renew(&path, record(&machine, 12, 2, 8)).unwrap();
    assert_eq!((renewed.revision, held(8).recipe["size"].as_u64()), (0, Some(2)));
}

#[test]
fn what_is_measured_anew_follows_what_other_layers_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let machine = Machine::read();
    let mut old = record(&machine, 12, 4, 99);
    old.revision = 3;
    let mut known = wisdom([old.clone()]);
    assert_eq!(known.renew(&path, record(&machine, 12, 2, 9)).unwrap().revision, 4);
    // One that another layer has replaced since counts as well.
    known.overlay(Wisdom::load(&path).unwrap());
    fs::remove_file(&path).unwrap();
    let anew = known.renew(&path, record(&machine, 12, 3, 8)).unwrap();
    assert_eq!(anew.revision, 5);
    wisdom([old]).save(&path).unwrap();
    assert_eq!(Wisdom::load(&path).unwrap().records(), [&anew], "the old one came back");
}

#[test]
fn saving_keeps_lines_it_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let newer = r#"{"schema":7,"anything":["else"]}"#;
    let torn = b"{\"schema\":3,\"torn\xff";
    fs::write(&path, [newer.as_bytes(), b"\n", torn].concat()).unwrap();
    wisdom([record(&Machine::read(), 12, 4, 9)]).save(&path).unwrap();
    let once = fs::read(&path).unwrap();
    let lines: Vec<&[u8]> = once.split(|&byte| byte == b'\n').collect();
    assert_eq!(lines[1..], [newer.as_bytes(), torn, b""]);
    assert_eq!(Wisdom::load(&path).unwrap().bad_lines().len(), 2);
    wisdom([record(&Machine::read(), 12, 4, 9)]).save(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), once, "saved again");
}

#[cfg(unix)]
#[test]
fn links_and_permissions_stay_as_they_are() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file.jsonl"), folder.path().join("link.jsonl"));
    wisdom([record(&Machine::read(), 12, 4, 9)]).save(&file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&file, &link).unwrap();
    wisdom([record(&Machine::read(), 6, 3, 9)]).save(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Wisdom::load(&file).unwrap().records().len(), 2);
    // Also one to where nothing is yet.
    fs::remove_file(&file).unwrap();
    wisdom([record(&Machine::read(), 6, 3, 9)]).save(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Wisdom::load(&file).unwrap().records().len(), 1);
    // What nobody may write is not replaced either.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let refused = wisdom([record(&Machine::read(), 12, 4, 9)]).save(&link);
    assert!(matches!(refused, Err(Error::Write { .. })), "{refused:?}");
    assert_eq!(Wisdom::load(&file).unwrap().records().len(), 1);
}

#[test]
fn one_line_that_was_cut_is_no_reason_to_give_up_and_a_thousand_others_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    let one = wisdom([record(&Machine::read(), 12, 4, 9)]);
    one.save(&path).unwrap();
    let line = fs::read(&path).unwrap();
    fs::write(&path, &line[..line.len() / 2]).unwrap();
    one.save(&path).unwrap();
    assert_eq!(Wisdom::load(&path).unwrap().records().len(), 1);
    fs::write(&path, "x\n".repeat(3_000_000)).unwrap();
    let all = Wisdom::load(&path).unwrap();
    let last = all.bad_lines().last().unwrap().to_string();
    assert!(all.bad_lines().len() == 1000 && last.contains("2999000 more lines"), "{last}");
    assert!(matches!(one.save(&path), Err(Error::SomethingElse { .. })));
    // Another version's lines are kept, all of them, and a thousand are named.
    let newer = |n: usize| format!("{{\"schema\":9,\"n\":{n}}}\n");
    fs::write(&path, (0..5000).map(newer).collect::<String>()).unwrap();
    let all = Wisdom::load(&path).unwrap();
    let last = all.bad_lines().last().unwrap().to_string();
    assert!(all.bad_lines().len() == 1000 && last.contains("4000 more lines"), "{last}");
    one.save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 5001);
}

#[test]
fn a_file_that_is_something_else_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    for contents in [&b"\xff\xd8\xff\xe0 a picture"[..], b"{\"a\": 1}\n", b"some text\n\n"] {
        fs::write(&path, contents).unwrap();
        let refused = wisdom([record(&Machine::read(), 12, 4, 9)]).save(&path);
        assert!(matches!(refused, Err(Error::SomethingElse { .. })), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
    fs::write(&path, "\n \n").unwrap();
    wisdom([record(&Machine::read(), 12, 4, 9)]).save(&path).unwrap();
}

#[test]
fn no_file_is_no_wisdom_and_what_is_no_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Wisdom::load(&folder.path().join("none")).unwrap(), Wisdom::default());
    assert!(matches!(Wisdom::load(folder.path()), Err(Error::NoFile { .. })));
    // Whoever opens a pipe waits for another.
    let pipe = folder.path().join("pipe");
    if Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        assert!(matches!(Wisdom::load(&pipe), Err(Error::NoFile { .. })));
        let one = wisdom([record(&Machine::read(), 12, 4, 9)]);
        assert!(matches!(one.save(&pipe), Err(Error::NoFile { .. })));
    }
}

/// What makes saving fail half way: the folder cannot be written, or the target is a folder.
#[test]
fn an_interrupted_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wisdom.jsonl");
    wisdom([record(&Machine::read(), 12, 4, 9)]).save(&path).unwrap();
    let before = fs::read(&path).unwrap();

    // Killed between writing beside and renaming: the old file is whole, the rest is ignored and
    // taken away by the next writer; files of others are not.
    let torn = folder.path().join(".wisdom.jsonl.4711-0.new");
    let other = folder.path().join(".other.jsonl.4711-0.new");
    let longer = folder.path().join(".wisdom.jsonl.old.4711-0.new");
    for file in [&torn, &other, &longer] {
        fs::write(file, &before[..before.len() / 2]).unwrap();
    }
    assert_eq!(Wisdom::load(&path).unwrap().records().len(), 1);
    wisdom([record(&Machine::read(), 12, 4, 9)]).save(&path).unwrap();
    assert!(!torn.exists() && other.exists() && longer.exists());

    let blocked = folder.path().join("file/wisdom.jsonl");
    fs::write(folder.path().join("file"), "in the way").unwrap();
    let refused = wisdom([record(&Machine::read(), 6, 2, 9)]).save(&blocked).unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("file/wisdom.jsonl") && !said.contains(".new"), "{said}");
    assert_eq!(fs::read(&path).unwrap(), before);
}
