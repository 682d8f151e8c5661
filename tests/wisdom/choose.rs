//! Which record is used, and what is said of those that are not.

use crate::support::{Tile, Tiles, bytes, elsewhere, record, two, wisdom};
use tilewise::stencil::Extent;
use tilewise::{Isa, gemm, kmeans};
use tilewise_tuner::machine::{Identity, Machine};
use tilewise_tuner::problem::{Problem, Setting, Size, shape};
use tilewise_tuner::space::Field;
use tilewise_tuner::wisdom::{Record, Source, Verdict, Wisdom};

#[test]
fn what_is_recorded_is_chosen() {
    let machine = Machine::read();
    let wisdom = wisdom([record(&machine, 12, 4, 9)]);
    let setting = two(&machine);
    let chosen = wisdom.choose(&Tiles { n: 12 }, &setting);
    assert_eq!(chosen.recipe, Tile { size: 4, threads: 2 });
    assert_eq!((chosen.source, chosen.verdict), (Source::Tuned, Some(Verdict::Faster)));
    assert_eq!((chosen.near, chosen.refused), (None, None));

    // Another shape, another thread count, another instruction set: the estimate.
    let others = [
        wisdom.choose(&Tiles { n: 25 }, &setting),
        wisdom.choose(&Tiles { n: 12 }, &Setting { threads: 3, ..setting }),
        wisdom.choose(&Tiles { n: 12 }, &Setting { isa: Isa::Neon, ..setting }),
    ];
    for chosen in others {
        assert_eq!((chosen.recipe.size, chosen.source), (1, Source::Estimated));
        assert_eq!((chosen.verdict, chosen.refused), (None, None));
    }
}

#[test]
fn a_default_that_was_not_beaten_holds_as_long_as_it_is_the_default() {
    let machine = Machine::read();
    let chosen = |size| {
        let mut stored = record(&machine, 12, size, 9);
        stored.evidence.verdict = Verdict::NotSeparable;
        stored.default = stored.recipe.clone();
        wisdom([stored]).choose(&Tiles { n: 12 }, &two(&machine))
    };
    assert_eq!((chosen(1).source, chosen(1).verdict), (Source::Tuned, Some(Verdict::NotSeparable)));
    let old = chosen(4);
    assert!(old.recipe.size == 1 && old.source == Source::Estimated, "{old:?}");
    assert!(old.refused.is_some_and(|why| why.contains("no longer the default")));
}

#[test]
fn evidence_that_contradicts_itself_is_of_no_record() {
    let machine = Machine::read();
    let changes: [(Change, &str); 9] = [
        (|r| r.evidence.lo = 0.99, "faster, by 9 rounds"),
        (|r| r.evidence.rounds = 0, "faster, by 0 rounds"),
        (|r| r.evidence.hi = 1.21, "outside of its interval"),
        (|r| r.evidence.marked = 10, "10 of 9 rounds"),
        (|r| r.evidence.tried = 10, "10 of 9 candidates"),
        (|r| r.evidence.seconds = -1.0, "-1 seconds"),
        (|r| r.recipe = r.default.clone(), "faster than the default"),
        (|r| r.evidence.verdict = Verdict::NotSeparable, "yet another recipe"),
        (|r| r.revision = u32::MAX, "nobody measures so often"),
    ];
    for (change, why) in changes {
        let mut forged = record(&machine, 12, 4, 9);
        change(&mut forged);
        let wisdom = Wisdom::parse(&bytes([forged]));
        let chosen = wisdom.choose(&Tiles { n: 12 }, &two(&machine));
        assert_eq!((chosen.recipe.size, chosen.source), (1, Source::Estimated), "{why}");
        assert!(chosen.refused.is_some_and(|said| said.contains(why)), "{why}");
        assert_eq!(wisdom.forged().count(), 1, "{why}");
    }
}

#[test]
fn what_was_faster_than_a_former_default_is_not_used() {
    let machine = Machine::read();
    let mut former = record(&machine, 12, 4, 9);
    former.default["size"] = 2.into();
    let known = wisdom([former.clone()]);
    let explained = known.explain(&Tiles { n: 12 }, &two(&machine));
    assert_eq!((explained.chosen.recipe.size, explained.chosen.source), (1, Source::Estimated));
    let why = explained.chosen.refused.unwrap();
    assert!(why.contains("no longer the default"), "{why}");
    assert_eq!(explained.considered[0].against, [why], "both say the same");
    former.threads = 1;
    let chosen = wisdom([former]).choose(&Tiles { n: 12 }, &two(&machine));
    assert!(chosen.refused.is_some_and(|why| why.contains("use 1 threads, and its recipe uses 2")));
}

/// Makes a record that does not fit.
type Change = fn(&mut Record);

#[test]
fn circumstances_and_versions_must_be_the_same() {
    let machine = Machine::read();
    let chosen = |change: Change| {
        let mut other = record(&machine, 12, 4, 9);
        change(&mut other);
        wisdom([other]).explain(&Tiles { n: 12 }, &two(&machine))
    };
    let changes: [(Change, &str); 6] = [
        (|r| r.surface = 2, "version 2 of the kernel, which is at 3"),
        (|r| r.context.cores += 1, "cores"),
        (|r| r.context.quota = Some(1.5), "quota: 1.5 there, none here"),
        (|r| r.context.team = tilewise_tuner::machine::TeamKind::Rayon, "team: rayon there"),
        (|r| r.identity.features.push("avx9".into()), "features"),
        (|r| r.dtype = "f64".into(), "f64, not f32"),
    ];
    for (change, why) in changes {
        let explanation = chosen(change);
        assert_eq!(explanation.chosen.source, Source::Estimated, "{why}");
        let against = explanation.considered[0].against.join("; ");
        assert!(against.contains(why), "{why}: {against}");
    }
    let used = chosen(|_| ());
    assert_eq!((used.chosen.source, used.considered[0].against.len()), (Source::Tuned, 0));
}

#[test]
fn records_of_other_machines_are_kept_and_only_candidates() {
    let (here, there) = (Machine::read(), elsewhere());
    let both = wisdom([record(&there, 12, 4, 9), record(&here, 60, 3, 9)]);
    assert_eq!((both.records().len(), both.foreign(&here), both.foreign(&there)), (2, 1, 1));
    assert_eq!(both.choose(&Tiles { n: 12 }, &two(&here)).source, Source::Estimated);
    assert_eq!(both.choose(&Tiles { n: 12 }, &two(&there)).source, Source::Tuned);
    let sizes: Vec<usize> =
        both.hints(&Tiles { n: 12 }, &two(&here)).iter().map(|t| t.size).collect();
    assert_eq!(sizes, [4, 3], "that of the same shape first");
    let sizes: Vec<usize> =
        both.hints(&Tiles { n: 9 }, &two(&here)).iter().map(|t| t.size).collect();
    assert_eq!(sizes, [3], "4 does not divide");
}

#[test]
fn an_untuned_shape_takes_over_what_was_changed_nearby_and_no_further() {
    let machine = Machine::read();
    let wisdom = wisdom([record(&machine, 12, 4, 9), record(&machine, 100, 5, 9)]);
    let choose = |n| wisdom.choose(&Tiles { n }, &two(&machine));
    let near = choose(16);
    assert_eq!((near.recipe.size, near.source), (4, Source::Near));
    assert_eq!(near.near, Some(shape([("n", 12.into())])));
    assert_eq!(choose(80).recipe.size, 5);
    assert_eq!(choose(24).source, Source::Estimated, "twice the size is out of reach");
    assert_eq!(choose(13).source, Source::Estimated, "4 does not divide");
    let explanation = wisdom.explain(&Tiles { n: 16 }, &two(&machine));
    let unused: Vec<_> = explanation.considered.iter().map(|c| c.against.join("")).collect();
    assert_eq!(unused, ["", "shape n 100: a factor of 6.25 away, recipes reach 1.65"]);
}

#[test]
fn a_forged_recipe_is_refused_with_the_kernels_reason() {
    let machine = Machine::read();
    let choose = |recipe: serde_json::Value| {
        let forged = Record { recipe, ..record(&machine, 12, 4, 9) };
        let wisdom = wisdom([forged]);
        let chosen = wisdom.choose(&Tiles { n: 12 }, &two(&machine));
        assert_eq!((chosen.recipe.size, chosen.source), (1, Source::Estimated));
        let explained = wisdom.explain(&Tiles { n: 12 }, &two(&machine));
        assert_eq!(explained.considered[0].against, [chosen.refused.clone().unwrap()]);
        chosen.refused.unwrap()
    };
    assert_eq!(choose(serde_json::json!({"size": 5, "threads": 2})), "tile size 5 does not divide");
    assert_eq!(choose(serde_json::json!({"size": 0, "threads": 2})), "tile size 0 does not divide");
    assert!(choose(serde_json::json!({"size": 4, "threads": 99})).contains("99 threads"));
    assert!(choose(serde_json::json!({"size": -4, "threads": 2})).contains("cannot be read"));
    assert!(choose(serde_json::json!("tile")).contains("cannot be read"));
}

/// The same with a kernel: tiles that are not there, blocks of nothing, too many parts.
#[test]
fn forged_products_fall_back_to_the_estimate() {
    let machine = Machine::read();
    let shape = gemm::Shape { m: 64, n: 64, k: 64 };
    let setting = Setting::best(&machine);
    let estimate = Wisdom::default().gemm(shape, &machine).recipe;
    for (field, value) in [
        ("tile", serde_json::json!({"rows": 99, "panels": 99})),
        ("mc", 0.into()),
        ("kc", serde_json::json!(u64::MAX)),
        ("split", serde_json::json!({"rows": usize::MAX, "columns": 2})),
    ] {
        let mut forged = Record::new(&shape, &setting, &estimate, crate::support::evidence(9));
        forged.recipe[field] = value;
        let chosen = wisdom([forged]).gemm(shape, &machine);
        // A depth beyond the product's is legal: it means all of it.
        let legal = field == "kc";
        assert_eq!(chosen.refused.is_none(), legal, "{field}: {chosen:?}");
        assert!(legal || chosen.recipe == estimate, "{field}");
    }
}

#[test]
fn the_upper_layer_holds_whatever_the_evidence() {
    let machine = Machine::read();
    let mut layers = wisdom([record(&machine, 12, 4, 60), record(&machine, 60, 5, 9)]);
    layers.overlay(wisdom([record(&machine, 12, 3, 6)]));
    let choose = |n| layers.choose(&Tiles { n }, &two(&machine)).recipe.size;
    assert_eq!((choose(12), choose(60)), (3, 5));
    let explanation = layers.explain(&Tiles { n: 12 }, &two(&machine));
    let said: Vec<_> = explanation.considered.iter().map(|c| c.against.join("; ")).collect();
    assert!(said[0].is_empty() && said[1].contains("another file"), "{said:?}");
}

/// Every record that is shipped can be read, and is of the kernels as they are.
#[test]
fn what_is_shipped_can_be_used() {
    let shipped = Wisdom::shipped();
    assert_eq!(shipped.bad_lines(), []);
    assert_eq!(shipped.forged().map(|(_, why)| why).collect::<Vec<_>>(), [""; 0]);
}

/// A record that compares with a former default is of no use to anybody.
#[test]
fn what_is_shipped_was_compared_with_todays_defaults() {
    let mut machine = Machine::read();
    let stale: Vec<String> = Wisdom::shipped()
        .records()
        .into_iter()
        .filter(|record| {
            let Identity { isa, l1d, l2, l3, .. } = record.identity;
            (machine.caches.l1d, machine.caches.l2, machine.caches.l3) = (l1d, l2, l3);
            let setting = Setting { machine: &machine, isa, threads: record.context.threads };
            default_of(record, &setting) != record.default
        })
        .map(|record| format!("{}: {}, {}", record.identity.cpu, record.kernel, record.shape))
        .collect();
    assert_eq!(stale, [""; 0]);
}

fn default_of(record: &Record, setting: &Setting<'_>) -> serde_json::Value {
    let size = |name: &str| record.shape.iter().find(|(known, _)| *known == name).map(|(_, s)| s);
    let number = |name: &str| match size(name) {
        Some(Size::Number(number)) => *number,
        other => panic!("{name}: {other:?} in {record:?}"),
    };
    fn of<P: Problem>(problem: P, setting: &Setting<'_>) -> serde_json::Value {
        serde_json::to_value(problem.estimate(setting)).unwrap()
    }
    match &*record.kernel {
        "gemm" => of(gemm::Shape { m: number("m"), n: number("n"), k: number("k") }, setting),
        "kmeans" => of(kmeans::Shape { n: number("n"), d: number("d"), k: number("k") }, setting),
        _ => {
            let Some(Size::Name(kind)) = size("kind") else { panic!("{record:?}") };
            let extent = Extent { x: number("x"), y: number("y"), z: number("z") };
            let (kind, steps) =
                (kind.parse().unwrap(), if size("steps").is_some() { 2 } else { 1 });
            match &*record.dtype {
                "f32" => of(Field::<f32>::new(kind, extent).with_steps(steps), setting),
                _ => of(Field::<f64>::new(kind, extent).with_steps(steps), setting),
            }
        }
    }
}
