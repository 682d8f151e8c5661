//! The search: by a clock that tests turn it must find what was planted, believe nothing that is
//! not there and reject what is wrong; and every candidate it proposes for the real kernels must
//! give the default's result.

#[path = "tune/fake.rs"]
mod fake;
#[path = "tune/replay.rs"]
mod replay;
#[path = "tune/resume.rs"]
mod resume;
#[path = "tune/traps.rs"]
mod traps;

use fake::{Fake, plain_with};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;
use tilewise::stencil::{Extent, Kind, Recipe, Scheme};
use tilewise::{Isa, gemm, kmeans};
use tilewise_tuner::machine::Machine;
use tilewise_tuner::measure::Clock;
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::search::{Progress, Search, Stage, Stopped, Strategy};
use tilewise_tuner::space::{Field, Tunable};
use tilewise_tuner::wisdom::{Source, Verdict, Wisdom};

#[test]
fn the_fastest_is_found_and_stored_with_its_evidence() {
    let fake = Fake::new(plain_with(&[0.97, 0.8, 0.9]), 1);
    let found = fake.search(10.0, |s| s.strategy(Strategy::Exhaustive)).unwrap();
    assert_eq!((found.record.recipe.clone(), found.record.threads), (41.into(), 1));
    let evidence = &found.record.evidence;
    assert_eq!(evidence.verdict, Verdict::Faster);
    assert!(evidence.lo <= 1.25 && 1.25 <= evidence.hi && evidence.lo > 1.2, "{evidence:?}");
    assert_eq!((evidence.tried, evidence.candidates), (43, 43));
    assert_eq!((found.ranking.len(), found.ranking[0].recipe.as_str()), (43, "41"));
    assert_eq!((found.stopped, found.rejected.len()), (Stopped::Exhausted, 0));

    let mut wisdom = Wisdom::default();
    wisdom.add(found.record);
    let machine = Machine::read();
    let chosen = wisdom.choose(&fake, &Setting::best(&machine));
    assert_eq!((chosen.recipe, chosen.source), (41, Source::Tuned));
}

#[test]
fn small_gains_are_found_in_most_searches() {
    let found = (0..20).filter(|&seed| {
        let found = Fake::new(plain_with(&[0.97]), seed).tune(10.0).unwrap();
        found.record.recipe == 40 && found.record.evidence.verdict == Verdict::Faster
    });
    assert!(found.count() >= 18);
}

#[test]
fn where_all_are_alike_the_default_is_stored() {
    let faster = (0..100).filter(|&seed| {
        let found = Fake::new(vec![1e-4; 30], 100 + seed).tune(5.0).unwrap();
        let evidence = &found.record.evidence;
        if evidence.verdict == Verdict::NotSeparable {
            assert_eq!(found.record.recipe, 0);
            assert!(evidence.lo <= 1.0, "{evidence:?}");
        }
        evidence.verdict == Verdict::Faster
    });
    // Of a 95 % interval, 2.5 % lie above: of a hundred 2.5, three standard errors more are 8.
    assert!(faster.count() <= 7);
}

#[test]
fn a_default_that_is_best_is_stored_with_the_interval_of_the_next() {
    let found = Fake::new(plain_with(&[]), 2).tune(5.0).unwrap();
    let evidence = &found.record.evidence;
    assert_eq!((&found.record.recipe, evidence.verdict), (&0.into(), Verdict::NotSeparable));
    assert!(evidence.ratio < 1.0 && evidence.rounds >= 6, "{evidence:?}");

    let alone = Fake::new(vec![1e-4], 3).tune(1.0).unwrap();
    let evidence = &alone.record.evidence;
    assert_eq!((evidence.ratio, evidence.rounds, evidence.tried), (1.0, 0, 1));
}

#[test]
fn the_budget_ends_the_search() {
    // A call takes half a second: three seconds are enough for a few candidates.
    let fake = Fake::new(vec![0.5; 50], 5);
    let found = fake.tune(3.0).unwrap();
    let evidence = &found.record.evidence;
    assert_eq!(found.stopped, Stopped::Budget);
    assert!((2..5).contains(&evidence.tried) && evidence.candidates == 50, "{evidence:?}");
    assert!(fake.now() < 15.0, "one heat and one confirmation: {}", fake.now());

    // However little there is, the default is compared with something.
    let evidence = Fake::new(vec![0.5; 50], 5).tune(1e-3).unwrap().record.evidence;
    assert_eq!((evidence.tried, evidence.rounds), (2, 7));

    let fake = Fake::new(vec![1e-4; 2000], 6);
    assert_eq!(fake.tune(2.0).unwrap().stopped, Stopped::Budget);
    assert!(fake.now() < 2.2, "{}", fake.now());
}

#[test]
fn progress_is_told() {
    let fake = Fake::new(plain_with(&[0.5]), 7);
    let machine = Machine::read();
    let told = RefCell::new(Vec::<Progress>::new());
    let search = Search::within(Duration::from_secs(5)).clock(&fake);
    let search = search.progress(|progress| told.borrow_mut().push(progress.clone()));
    search.tune(&fake, &Setting::best(&machine)).unwrap();
    let told = told.into_inner();
    let stages = [Stage::Screening, Stage::Race, Stage::Confirmation];
    assert!(stages.iter().all(|stage| told.iter().any(|progress| progress.stage == *stage)));
    let last = told.last().unwrap();
    assert_eq!((last.tried, last.candidates, last.best.0.as_str()), (41, 41, "40"));
    assert!(told.is_sorted_by_key(|progress| progress.spent_s));
}

/// Every candidate on every instruction set: legal, within the threads, distinct, and right.
fn assert_candidates_are_right<P: Tunable>(problem: &P, machine: &Machine) {
    for isa in Isa::available() {
        for threads in [1, 3] {
            let setting = Setting { machine, isa, threads };
            let candidates = problem.candidates(&setting);
            let bench = problem.workbench(&setting).unwrap();
            for (index, recipe) in candidates.iter().enumerate() {
                let context = format!("{} on {isa}: {recipe}", P::KERNEL);
                assert!(!candidates[..index].contains(recipe), "{context} comes twice");
                assert!(P::threads(recipe) <= threads, "{context}");
                assert_eq!(problem.check(isa, recipe), Ok(()), "{context}");
                assert_eq!(bench.verify(recipe), Ok(()), "{context}");
                bench.call(recipe).unwrap()();
            }
            assert!(candidates[0] == problem.estimate(&setting), "the default comes first");
        }
    }
}

#[test]
fn gemm_candidates_are_right() {
    let machine = Machine::read();
    for (m, n, k) in [(37, 83, 301), (1, 70, 33), (65, 1, 5)] {
        assert_candidates_are_right(&gemm::Shape { m, n, k }, &machine);
    }
    let setting = Setting { threads: 2, ..Setting::best(&machine) };
    let candidates = gemm::Shape { m: 128, n: 768, k: 768 }.candidates(&setting);
    assert!(candidates.len() >= 24, "dozens, not {}", candidates.len());
}

#[test]
fn kmeans_candidates_are_right() {
    let machine = Machine::read();
    for (n, d, k) in [(1013, 3, 64), (1, 1, 1), (300, 37, 7)] {
        assert_candidates_are_right(&kmeans::Shape { n, d, k }, &machine);
    }
}

#[test]
fn stencil_candidates_are_right() {
    let machine = Machine::read();
    assert_candidates_are_right(&Field::<f32>::new(Kind::Heat5, Extent::plane(67, 29)), &machine);
    assert_candidates_are_right(
        &Field::<f64>::new(Kind::Heat7, Extent::space(19, 23, 11)),
        &machine,
    );
    let setting = Setting { threads: 2, ..Setting::best(&machine) };
    // Every kind, step by step and fused: the default is verified before anything else.
    for kind in Kind::ALL {
        let extent = match kind.form().dimensions {
            1 => Extent::line(200),
            2 => Extent::plane(60, 50),
            _ => Extent::space(30, 28, 26),
        };
        for steps in [1, 4] {
            let field = Field::<f32>::new(kind, extent).with_steps(steps);
            let setting = Setting::best(&machine);
            let bench = field.workbench(&setting).unwrap();
            bench.verify(&field.estimate(&setting)).unwrap();
        }
    }
    let cube = Field::<f32>::new(Kind::Heat7, Extent::space(512, 512, 512));
    assert!(cube.candidates(&setting).len() >= 24);
}

#[test]
fn no_sweep_of_a_stencil_is_tried_twice() {
    let machine = Machine::read();
    for isa in Isa::available() {
        let setting = Setting { machine: &machine, isa, threads: 2 };
        for kind in Kind::ALL {
            let extent = match kind.form().dimensions {
                1 => Extent::line(2000),
                2 => Extent::plane(600, 500),
                _ => Extent::space(300, 280, 260),
            };
            for steps in [1, 16] {
                let field = Field::<f32>::new(kind, extent).with_steps(steps);
                // What was found on another grid is no other sweep for it.
                let mut hint = field.estimate(&setting);
                (hint.tile_points, hint.depth) = (77, 1);
                let space = field.space(&setting, &[hint]).unwrap();
                let points = space.points();
                for (index, recipe) in points.iter().enumerate() {
                    let context = format!("{kind} on {isa}, {steps} steps: {recipe}");
                    assert_eq!(recipe.canonical(kind, extent, isa), *recipe, "{context}");
                    assert!(!points[..index].contains(recipe), "{context} comes twice");
                    assert!(recipe.tile_rows <= extent.y, "{context}");
                }
                let depths = |depth| points.iter().any(|recipe| recipe.depth == depth);
                let fused = steps > 1 && points[0].scheme.fuses();
                assert!(!fused || [1, 2, 12, 24].into_iter().all(depths), "{kind} on {isa}");
                // A radius on either side is rim.
                let inner = extent.y - 2 * kind.radius().min(extent.y / 2);
                let fits = |rows: usize| (1..=inner).contains(&rows);
                assert!(points.iter().all(|recipe| fits(recipe.tile_rows)), "{kind} on {isa}");
            }
        }
    }
}

#[test]
fn every_choice_there_is_for_a_stencil_is_in_its_space() {
    let machine = Machine::read();
    let setting = Setting { threads: 2, ..Setting::best(&machine) };
    for kind in [Kind::Heat5, Kind::Heat7, Kind::Wave7] {
        let extent = match kind.form().dimensions {
            2 => Extent::plane(600, 500),
            _ => Extent::space(300, 280, 260),
        };
        let field = Field::<f32>::new(kind, extent).with_steps(16);
        let space = field.space(&setting, &[]).unwrap();
        let some = |test: &dyn Fn(&Recipe) -> bool| space.points().iter().any(test);
        for scheme in Scheme::ALL {
            let mut recipe = field.estimate(&setting);
            recipe.scheme = scheme;
            let legal = field.check(setting.isa, &recipe).is_ok();
            // Whole planes are tiles of all rows.
            let rows = extent.y - 2 * kind.radius();
            let there = match scheme {
                Scheme::Plain => some(&|r| r.scheme == Scheme::Spatial && r.tile_rows == rows),
                _ => some(&|r| r.scheme == scheme),
            };
            assert_eq!(there, legal, "{kind}, {scheme}");
        }
        // Waves are stepped in place, in whole rows; nor do all instruction sets have such stores.
        let heat = kind.form().levels == 1;
        let streams = heat && cfg!(target_arch = "x86_64") && setting.isa != Isa::Scalar;
        assert!(some(&|recipe| !recipe.streaming), "{kind}: ordinary stores");
        assert_eq!(some(&|recipe| recipe.streaming), streams, "{kind}: stores past the caches");
        let widths: BTreeSet<usize> = space.points().iter().map(|r| r.tile_points).collect();
        assert_eq!(widths.len() > 1, heat, "{kind}: {widths:?}");
    }
}

#[test]
fn what_cannot_be_set_up_is_an_error() {
    let machine = Machine::read();
    let tune = |extent| {
        let flat = Field::<f32>::new(Kind::Heat7, extent);
        let search = Search::within(Duration::from_millis(1));
        search.tune(&flat, &Setting::best(&machine)).unwrap_err().to_string()
    };
    assert!(tune(Extent::space(16, 16, 1)).contains("cannot set up the stencil"));
    assert!(tune(Extent::space(usize::MAX, 16, 16)).contains("cannot set up the stencil"));
    for (n, d, k) in [(10, 2, 0), (usize::MAX / 16, 3, 4), (usize::MAX, usize::MAX, 4)] {
        let shape = kmeans::Shape { n, d, k };
        let search = Search::within(Duration::ZERO);
        let refused = search.tune(&shape, &Setting::best(&machine)).unwrap_err().to_string();
        assert!(refused.contains("cannot set up the kmeans"), "{refused}");
    }
    for (m, n, k) in
        [(usize::MAX / 16, 1, 1), (usize::MAX, 2, usize::MAX), (1, usize::MAX >> 24, 1 << 10)]
    {
        let shape = gemm::Shape { m, n, k };
        let search = Search::within(Duration::ZERO);
        let refused = search.tune(&shape, &Setting::best(&machine)).unwrap_err().to_string();
        assert!(refused.contains("cannot set up the gemm"), "{refused}");
    }
}
