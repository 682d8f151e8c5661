//! Stencils for developers: steps over grids in memory and in each cache, instruction sets,
//! threads, by the recipe that is known for many steps in a call; and recipes of single steps.
//!
//! `cargo bench -p tilewise-benches --bench stencil -- memory` times one grid; throughput is in
//! updates a second. `cargo test` runs everything once on small grids.

use criterion::{BenchmarkId, Criterion, Throughput};
use tilewise::cache::CacheSizes;
use tilewise::stencil::{Extent, Grid, Kind, Plan, Recipe, SideBySide, Stencil};
use tilewise::vector::Real;
use tilewise::{Isa, Solo, SpinTeam, Team};
use tilewise_benches::recipe;
use tilewise_tuner::space::Field;

/// Grids by where their two fields of `f32` live.
const GRIDS: [(&str, Kind, Extent); 5] = [
    ("memory", Kind::Heat7, Extent::space(512, 512, 512)),
    ("l3", Kind::Heat7, Extent::space(128, 128, 128)),
    ("l2", Kind::Heat7, Extent::space(40, 40, 40)),
    ("plane-l3", Kind::Heat5, Extent::plane(2048, 2048)),
    ("awkward", Kind::Heat7, Extent::space(500, 333, 257)),
];

/// Steps in a call: enough for every depth, as when recipes are tuned ...
const STEPS: usize = 16;
/// ... and of single ones as many as bring a field back to the buffer it started in.
const SINGLE: usize = 2;

/// A grid and what it takes to step it.
struct Case<T> {
    stencil: Stencil,
    extent: Extent,
    grid: Grid<T>,
}

impl<T: Real> Case<T> {
    fn new(kind: Kind, extent: Extent) -> Self {
        // Under `cargo test` each benchmark runs once; an edge of each tile will do.
        let timed = std::env::args().any(|argument| argument == "--bench");
        let few = |points: usize| if timed { points } else { points.min(20) };
        let extent = Extent { x: few(extent.x), y: few(extent.y), z: few(extent.z) };
        let value = |[x, y, z]: [usize; 3]| T::from_f64(((7 * x + 3 * y + 5 * z) % 17) as f64);
        let grid = Grid::from_fn(extent, value).expect("memory for a grid");
        let stencil = Stencil::new(kind, kind.stability_limit() / 2.0);
        Case { stencil, extent, grid }
    }

    /// By the recipe that is known to be best, if one is.
    fn chosen(&self, isa: Isa, threads: usize) -> Plan<T> {
        let field = Field::<T>::new(self.stencil.kind, self.extent).with_steps(STEPS);
        let recipe = recipe(&field, isa, threads);
        Plan::new(self.stencil, self.extent, isa, recipe).expect("a checked recipe")
    }

    fn plan(&self, isa: Isa, change: impl FnOnce(&mut Recipe)) -> Plan<T> {
        let (kind, caches) = (self.stencil.kind, CacheSizes::detect());
        let mut recipe = Recipe::estimate::<T>(kind, self.extent, isa, &caches, 64);
        change(&mut recipe);
        Plan::new(self.stencil, self.extent, isa, recipe).expect("an offered recipe")
    }

    /// Times calls of so many steps.
    fn time(
        &mut self,
        criterion: &mut Criterion,
        id: BenchmarkId,
        (plan, steps): (&Plan<T>, usize),
        team: &dyn Team,
    ) {
        let mut group = criterion.benchmark_group("stencil");
        group.sample_size(10).throughput(Throughput::Elements(
            (steps * self.extent.inner_points(self.stencil.kind)) as u64,
        ));
        group.bench_function(id, |bencher| {
            bencher.iter(|| plan.run(&mut self.grid, steps, team).expect("the plan's own grid"));
        });
        group.finish();
    }
}

fn sweep<T: Real>(criterion: &mut Criterion, team: &SpinTeam) {
    for (name, kind, extent) in GRIDS {
        let mut case = Case::<T>::new(kind, extent);
        for isa in Isa::available() {
            for (threads, team) in [(1, &Solo as &dyn Team), (team.size(), team)] {
                let plan = case.chosen(isa, threads);
                let id = BenchmarkId::new(name, format!("{}/{isa}/threads {threads}", T::NAME));
                case.time(criterion, id, (&plan, STEPS), team);
            }
        }
    }
}

fn recipes(criterion: &mut Criterion, team: &SpinTeam) {
    let (name, kind, extent) = GRIDS[0];
    let mut case = Case::<f32>::new(kind, extent);
    let mut time = |change: &dyn Fn(&mut Recipe)| {
        let plan = case.plan(Isa::best(), change);
        case.time(criterion, BenchmarkId::new(name, plan.recipe()), (&plan, SINGLE), team);
    };
    for tile_rows in [8, 32, 128, extent.y] {
        time(&|recipe| recipe.tile_rows = tile_rows);
    }
    for &side_by_side in SideBySide::choices(kind) {
        for prefetch in [0, 4 << 10, 8 << 10, 16 << 10] {
            time(&|recipe| (recipe.side_by_side, recipe.prefetch) = (side_by_side, prefetch));
        }
    }
    time(&|recipe| recipe.streaming = !recipe.streaming);
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let team = SpinTeam::all_cores().expect("threads");
    sweep::<f32>(&mut criterion, &team);
    sweep::<f64>(&mut criterion, &team);
    recipes(&mut criterion, &team);
    criterion.final_summary();
}
