//! Teams: every member once, all at the same time, panics reported, regions nested.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilewise::{Member, RayonTeam, Solo, SpinTeam, Team};

/// Runs a check on each kind of team, of several sizes.
fn each_team(check: impl Fn(&dyn Team, &str)) {
    check(&Solo, "solo");
    for size in 1..=5 {
        check(&SpinTeam::new(size).unwrap(), &format!("spin {size}"));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(size).build().unwrap();
        check(&RayonTeam::new(&pool), &format!("rayon {size}"));
    }
}

#[test]
fn every_member_runs_once() {
    each_team(|team, name| {
        for _ in 0..50 {
            let seen = Mutex::new(Vec::new());
            team.run(&|member: Member<'_>| {
                assert_eq!(member.count(), team.size(), "{name}");
                seen.lock().unwrap().push(member.index());
            });
            let mut seen = seen.into_inner().unwrap();
            seen.sort_unstable();
            assert_eq!(seen, (0..team.size()).collect::<Vec<_>>(), "{name}");
        }
    });
}

#[test]
fn a_barrier_separates_what_was_written_from_what_is_read() {
    each_team(|team, name| {
        let cells: Vec<AtomicUsize> = (0..team.size()).map(|_| AtomicUsize::new(0)).collect();
        team.run(&|member| {
            for round in 1..=200 {
                cells[member.index()].store(round, Ordering::Relaxed);
                member.barrier();
                for cell in &cells {
                    assert_eq!(cell.load(Ordering::Relaxed), round, "{name}");
                }
                member.barrier();
            }
        });
    });
}

#[test]
fn shares_cover_the_work_without_overlap() {
    each_team(|team, name| {
        for items in [0, 1, 2, 7, 64, 1000] {
            let taken = Mutex::new(BTreeSet::new());
            team.run(&|member| {
                for item in member.share(items) {
                    assert!(taken.lock().unwrap().insert(item), "{name}: {item} twice");
                }
            });
            assert_eq!(taken.into_inner().unwrap().len(), items, "{name}");
        }
    });
}

/// A member that panics must not leave the others waiting at a barrier, and the team must go on.
#[test]
fn a_panic_reaches_the_caller_and_the_team_survives() {
    each_team(|team, name| {
        for culprit in 0..team.size() {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                team.run(&|member| {
                    assert!(member.index() != culprit, "on purpose");
                    member.barrier();
                });
            }));
            let Err(panic) = outcome else { panic!("{name}: {culprit} panicked unnoticed") };
            if !name.starts_with("rayon") {
                assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"), "{name}");
            }
            let count = AtomicUsize::new(0);
            team.run(&|_| _ = count.fetch_add(1, Ordering::Relaxed));
            assert_eq!(count.into_inner(), team.size(), "{name} after a panic");
        }
    });
}

#[test]
fn a_region_inside_a_region_does_not_hang() {
    let team = SpinTeam::new(3).unwrap();
    let count = AtomicUsize::new(0);
    team.run(&|_| {
        team.run(&|inner| {
            inner.barrier();
            count.fetch_add(inner.share(10).len(), Ordering::Relaxed);
        })
    });
    assert_eq!(count.into_inner(), 3 * 10, "each member does the inner work alone");
}

#[test]
fn several_callers_share_a_team_in_turn() {
    let team = SpinTeam::new(2).unwrap();
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    team.run(&|member| {
                        member.barrier();
                        count.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
        }
    });
    assert_eq!(count.into_inner(), 4 * 100 * 2);
}

/// Workers park after a while without work; the next region must wake them.
#[test]
fn a_parked_team_wakes() {
    let team = SpinTeam::new(3).unwrap();
    for pause in [0, 1, 20] {
        std::thread::sleep(std::time::Duration::from_millis(pause));
        let count = AtomicUsize::new(0);
        team.run(&|_| _ = count.fetch_add(1, Ordering::Relaxed));
        assert_eq!(count.into_inner(), 3);
    }
}

#[test]
fn a_team_of_nobody_is_an_error() {
    let message = SpinTeam::new(0).unwrap_err().to_string();
    assert!(message.contains('0') && message.contains('1'), "{message}");
}

/// Two members that were put on one core do not stay there: the caller would wait for its worker,
/// and the worker spin for the next region, in turns.
#[cfg(target_os = "linux")]
#[test]
fn members_on_one_core_part() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
    let all = sched_getaffinity(None).unwrap();
    let Some(core) =
        (0..CpuSet::MAX_CPU).find(|&core| all.is_set(core)).filter(|_| all.count() > 1)
    else {
        println!("SKIPPED: one core alone");
        return;
    };
    let mut one = CpuSet::new();
    one.set(core);
    let team = SpinTeam::new(2).unwrap();
    let cores = [(); 2].map(|()| AtomicUsize::new(0));
    team.run(&|_| sched_setaffinity(None, &one).unwrap());
    team.run(&|_| sched_setaffinity(None, &all).unwrap());
    let apart = (0..20).any(|_| {
        team.run(&|member| cores[member.index()].store(sched_getcpu(), Ordering::Relaxed));
        cores[0].load(Ordering::Relaxed) != cores[1].load(Ordering::Relaxed)
    });
    assert!(apart, "both are still on core {core}");
}
