//! K-Means for developers: labelling over shapes, instruction sets, layouts and tiles, threads,
//! what a fit is made of, and what threads do to few points.
//!
//! `cargo bench -p tilewise-benches --bench kmeans -- pixels` times one shape. `cargo test` runs
//! everything once on few points.

use criterion::{BenchmarkId, Criterion, Throughput};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Centres, Form, KMeans, Plan, Recipe, Shape, With, tiles};
use tilewise::points::Points;
use tilewise::{Isa, Matrix, Solo, SpinTeam, Team};
use tilewise_benches::recipe;

/// Shapes people have: pixels, maps, and ever more features.
const SHAPES: [(&str, Shape); 5] = [
    ("pixels", Shape { n: 273_280, d: 3, k: 64 }),
    ("plane", Shape { n: 1_000_000, d: 2, k: 10 }),
    ("d16", Shape { n: 1_000_000, d: 16, k: 64 }),
    ("d8", Shape { n: 100_000, d: 8, k: 1000 }),
    ("d128", Shape { n: 20_000, d: 128, k: 1024 }),
];

/// Evenly spread points; the first `k` serve as centres.
struct Data {
    shape: Shape,
    rows: Vec<f32>,
}

impl Data {
    fn new(shape: Shape) -> Self {
        // Under `cargo test` each benchmark runs once; a few blocks will do.
        let timed = std::env::args().any(|argument| argument == "--bench");
        let n = if timed { shape.n } else { 130.max(shape.k) };
        let mut draws = Pcg64Mcg::seed_from_u64(1);
        let mut draw = || (draws.next_u32() >> 8) as f32 / (1 << 24) as f32;
        Data { shape: Shape { n, ..shape }, rows: (0..n * shape.d).map(|_| draw()).collect() }
    }

    fn rows(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.rows, self.shape.n, self.shape.d).expect("n rows")
    }

    fn centres(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.rows, self.shape.k, self.shape.d).expect("k rows")
    }

    fn points(&self) -> Points {
        Points::from_rows(self.rows()).expect("finite points")
    }

    /// By the recipe that is known to be best, if one is.
    fn chosen(&self, isa: Isa, threads: usize) -> Plan {
        Plan::new(self.shape, isa, recipe(&self.shape, isa, threads)).expect("a checked recipe")
    }

    fn plan(&self, isa: Isa, change: impl FnOnce(&mut Recipe)) -> Plan {
        let mut recipe = Recipe::estimate(self.shape, isa, &CacheSizes::detect(), 64);
        change(&mut recipe);
        Plan::new(self.shape, isa, recipe).expect("an offered recipe")
    }
}

/// Times labelling, from rows or from blocks.
fn label(criterion: &mut Criterion, id: BenchmarkId, data: &Data, plan: &Plan, team: &dyn Team) {
    let mut group = criterion.benchmark_group("label");
    group.throughput(Throughput::Elements((data.shape.n * data.shape.k) as u64));
    let mut scratch = plan.scratch(team.size()).expect("memory");
    let mut labels = vec![0; data.shape.n];
    group.bench_function(id, |bencher| {
        bencher.iter(|| {
            let (rows, centres) = (data.rows(), data.centres());
            plan.assign(rows, centres, &mut labels, None, &mut scratch, team).expect("labels");
        });
    });
    group.finish();
}

fn isas_and_threads(criterion: &mut Criterion) {
    let team = SpinTeam::all_cores().expect("threads");
    for (name, shape) in SHAPES {
        let data = Data::new(shape);
        for isa in Isa::available() {
            let plan = data.chosen(isa, 1);
            label(criterion, BenchmarkId::new(name, isa), &data, &plan, &Solo);
        }
        let plan = data.chosen(Isa::best(), team.size());
        let id = BenchmarkId::new(name, format!("{}, {} threads", Isa::best(), team.size()));
        label(criterion, id, &data, &plan, &team);
    }
}

fn forms_and_tiles(criterion: &mut Criterion) {
    for (name, shape) in SHAPES {
        let data = Data::new(shape);
        for form in Form::ALL {
            for tile in tiles(form, Isa::best()) {
                // A table over space is for few features.
                if form == Form::Cells && (shape.d > 4 || shape.k > 256) {
                    continue;
                }
                let plan = data.plan(Isa::best(), |recipe| {
                    (recipe.form, recipe.tile, recipe.threads) = (form, *tile, 1);
                    recipe.bounds &= form == Form::Lanes;
                });
                let id = BenchmarkId::new(name, format!("{form} {tile}"));
                label(criterion, id, &data, &plan, &Solo);
            }
        }
    }
}

fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("label blocks");
    for (name, shape) in SHAPES {
        let data = Data::new(shape);
        let (points, plan) = (data.points(), data.plan(Isa::best(), |recipe| recipe.threads = 1));
        let mut scratch = plan.scratch(1).expect("memory");
        let mut labels = vec![0; data.shape.n];
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let centres = data.centres();
                plan.assign(&points, centres, &mut labels, None, &mut scratch, &Solo)
                    .expect("labels");
            });
        });
    }
    group.finish();
}

fn fits(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fit");
    group.sample_size(10);
    for (name, shape) in SHAPES {
        let data = Data::new(shape);
        let points = data.points();
        let given = KMeans::new(shape.k).centres(data.centres()).tol(0.0);
        for iterations in [1, 5] {
            let kmeans = given.clone().max_iter(iterations);
            let id = BenchmarkId::new(name, format!("{iterations} iterations"));
            group
                .bench_function(id, |bencher| bencher.iter(|| kmeans.fit(&points).expect("a fit")));
        }
    }
    group.finish();
}

/// Labels and fits of few points, by calls that choose their threads themselves and by one thread: the
/// first must never take over 1.05 of the time of the second.
fn few_points(criterion: &mut Criterion) {
    for (d, k) in [(1, 2), (2, 10), (3, 64), (3, 256), (16, 64), (128, 10), (128, 256)] {
        let data = Data::new(Shape { n: 1000, d, k });
        let name = format!("{d} features, {k} clusters");
        let plan = data.plan(Isa::best(), |recipe| recipe.threads = 1);
        let kmeans = KMeans::new(k).seed(1);
        let centres = Centres::new(data.centres()).expect("centres");
        label(criterion, BenchmarkId::new("1000 points, one thread", &name), &data, &plan, &Solo);
        let mut group = criterion.benchmark_group("1000 points");
        group.bench_function(BenchmarkId::new("labels", &name), |bencher| {
            bencher.iter(|| centres.predict(data.rows()).expect("labels"));
        });
        group.bench_function(BenchmarkId::new("fit, one thread", &name), |bencher| {
            bencher.iter(|| kmeans.fit_with(data.rows(), With::new(&plan, &Solo)).expect("a fit"));
        });
        group.bench_function(BenchmarkId::new("fit", &name), |bencher| {
            bencher.iter(|| kmeans.fit(data.rows()).expect("a fit"));
        });
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    isas_and_threads(&mut criterion);
    forms_and_tiles(&mut criterion);
    blocks(&mut criterion);
    fits(&mut criterion);
    few_points(&mut criterion);
    criterion.final_summary();
}
