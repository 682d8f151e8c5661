//! What wisdom costs a program: reading a file of a thousand records as it starts, and asking for
//! a recipe before a call. Asked for: 1 ms and 100 ns.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use tilewise::gemm::Shape;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::search::Stopped;
use tilewise_tuner::wisdom::{Evidence, Record, Verdict, Wisdom};

const RECORDS: usize = 1000;

fn record(shape: Shape, setting: &Setting<'_>) -> Record {
    let evidence = Evidence {
        verdict: Verdict::Faster,
        ratio: 1.035_462_7,
        lo: 1.012_345_6,
        hi: 1.056_789_1,
        rounds: 42,
        marked: 0,
        tried: 96,
        candidates: 120,
        stopped: Stopped::Budget,
        seconds: 10.000_123_4,
        date: jiff::Timestamp::now(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    Record::new(&shape, setting, &shape.estimate(setting), evidence)
}

fn shape(index: usize) -> Shape {
    Shape { m: 1 + index, n: 768, k: 768 }
}

fn wisdom(criterion: &mut Criterion) {
    let machine = Machine::read();
    let setting = Setting::best(&machine);
    let mut wisdom = Wisdom::default();
    (0..RECORDS).for_each(|index| wisdom.add(record(shape(index), &setting)));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("wisdom.jsonl");
    wisdom.save(&file).expect("a file");
    let bytes = std::fs::metadata(&file).expect("it is there").len();
    eprintln!("{RECORDS} records, {bytes} bytes");

    let mut group = criterion.benchmark_group("wisdom");
    group.bench_function("load 1000 records", |bencher| {
        bencher.iter(|| Wisdom::load(&file).expect("it is there"));
    });
    let loaded = Wisdom::load(&file).expect("it is there");
    let here = loaded.at(&setting);
    let mut index = 0;
    let mut next = || {
        index = (index + 1) % RECORDS;
        shape(black_box(index))
    };
    group.bench_function("look up a record", |bencher| {
        bencher.iter(|| here.lookup(&next()).is_some_and(|found| found.is_ok()));
    });
    group.bench_function("choose and check a recipe", |bencher| {
        bencher.iter(|| here.choose(&next()));
    });
}

criterion_group!(benches, wisdom);
criterion_main!(benches);
