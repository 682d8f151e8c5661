//! Once plan, weights and scratch are there, a product allocates nothing: of any operands, with any
//! output, alone or in a team of threads of its own, on every instruction set. Nor do the steps of a
//! stencil on a grid that has reserved what they need, nor labels of points. A fit of points that are
//! read part by part allocates no more than it says.
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "allocations/chunks.rs"]
mod chunks;

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use tilewise::cache::CacheSizes;
use tilewise::gemm::{
    Add, Bias, Dequantise, FloatPlan, Gelu, Item, Lhs, Linear, Output, PackedFloats, PackedWeights,
    Plan, Recipe, Requantise, Scales, Shape, Store,
};
use tilewise::isa::{Scalar, Token};
use tilewise::kmeans;
use tilewise::matrix::StackMut;
use tilewise::points::Element;
use tilewise::stencil::{self, Extent, Grid, Kind, Scheme, Stencil};
use tilewise::{Isa, Matrix, MatrixMut, Solo, SpinTeam, Team};
use tilewise_tests::each_isa;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Requests for memory so far, of all threads.
static REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// Bytes that were asked for and not given back, of all threads, and the most of them at a time since
/// somebody began to watch.
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counting;

// SAFETY: it is the system's allocator; growing goes through `alloc`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTS.fetch_add(1, Ordering::Relaxed);
        let before = HELD.fetch_add(layout.size(), Ordering::Relaxed);
        MOST.fetch_max(before + layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, storage: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(storage, layout) }
    }
}

/// How often `work` asked for memory.
fn requests(work: impl FnOnce()) -> usize {
    let before = REQUESTS.load(Ordering::Relaxed);
    work();
    REQUESTS.load(Ordering::Relaxed) - before
}

/// The most bytes that `work` held at a time, beside those that were held before.
fn most_held(work: impl FnOnce()) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    work();
    MOST.load(Ordering::Relaxed) - before
}

/// So many rows that weights are widened beforehand where they are, for each of two members.
const SHAPE: Shape = Shape { m: 66, n: 70, k: 41 };

/// The operands of all products, each for rows and for columns.
struct Operands {
    bytes: Vec<u8>,
    floats: Vec<f32>,
    weights: [PackedWeights; 2],
    packed_floats: PackedFloats,
    bias: Vec<f32>,
}

impl Operands {
    fn new() -> Self {
        let Shape { m, n, k } = SHAPE;
        let bytes: Vec<u8> = (0..m * k).map(|i| (i * 89 % 256) as u8).collect();
        let floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) - 99.5).collect();
        // Pairs saturate in all panels but the first.
        let weight = |i: usize| (i * 7919 % 251) as u8 as i8 / if i % n < 16 { 4 } else { 1 };
        let weights: Vec<i8> = (0..k * n).map(weight).collect();
        let real: Vec<f32> = weights.iter().map(|&weight| f32::from(weight)).collect();
        let plain = PackedWeights::pack(Matrix::new(&weights, k, n).unwrap()).unwrap();
        let shifted = plain.clone().with_zero_points(&[3]).unwrap();
        let packed_floats = PackedFloats::pack(Matrix::new(&real, k, n).unwrap()).unwrap();
        let bias = (0..n).map(|column| column as f32).collect();
        Operands { bytes, floats, weights: [plain, shifted], packed_floats, bias }
    }

    /// The left operand of every kind, by rows and by columns.
    fn lhs(&self) -> [Lhs<'_>; 6] {
        let Shape { m, k, .. } = SHAPE;
        let signed: &[i8] = bytemuck::cast_slice(&self.bytes);
        let of = |rows, cols| {
            [
                Lhs::u8(Matrix::new(&self.bytes, rows, cols).unwrap(), 7),
                Lhs::i8(Matrix::new(signed, rows, cols).unwrap(), -7),
                Lhs::f32(Matrix::new(&self.floats, rows, cols).unwrap()),
            ]
        };
        let ([a, b, c], [d, e, f]) = (of(m, k), of(k, m));
        [a, b, c, d.transposed(), e.transposed(), f.transposed()]
    }
}

/// Asserts that `work` asks for no memory. Who does asks every time; what the test's own runner asks
/// for meanwhile is counted too, but not three times in a row.
fn none(what: &str, mut work: impl FnMut()) {
    let least = (0..3).map(|_| requests(&mut work)).min();
    assert_eq!(least, Some(0), "{what}");
}

/// Products of bytes by a plan: one, one by column, one through all stages, a batch.
fn check_plan(isa: Isa, operands: &Operands, weights: &PackedWeights, team: &dyn Team) {
    let Shape { m, n, .. } = SHAPE;
    let mut recipe = Recipe::estimate(SHAPE, isa, &CacheSizes::ASSUMED, 2);
    (recipe.mc, recipe.kc) = (7, 24);
    let plan = Plan::new(SHAPE, isa, recipe).unwrap();
    let (mut scratch, mut batch) = (plan.scratch(2).unwrap(), plan.batch_scratch(2).unwrap());
    let (mut sums, mut bytes) = (vec![0; 3 * m * n], vec![0u8; m * n]);
    let residual = vec![0.5; m * n];
    let dequantise = Dequantise { scales: Scales::All(0.01) };
    let requantise = Requantise { scale: 0.1, zero_point: 3u8 };
    let columns = dequantise.then(requantise);
    let layer = dequantise
        .then(Bias(&operands.bias))
        .then(Gelu)
        .then(Add(Matrix::new(&residual, m, n).unwrap()))
        .then(requantise);
    for lhs in operands.lhs() {
        none("sums", || {
            let out = MatrixMut::new(&mut sums[..m * n], m, n).unwrap();
            plan.run(lhs, weights, &Store, out, &mut scratch, team).unwrap();
        });
        none("bytes by column", || {
            let out = MatrixMut::new(&mut bytes, n, m).unwrap();
            plan.run_transposed(lhs, weights, &columns, out, &mut scratch, team).unwrap();
        });
        none("a layer's bytes", || {
            let out = MatrixMut::new(&mut bytes, m, n).unwrap();
            plan.run(lhs, weights, &layer, out, &mut scratch, team).unwrap();
        });
        let items = [Item { lhs, weights, output: Store }; 3];
        none("a batch", || {
            let out = StackMut::new(&mut sums, 3, [m, n]).unwrap();
            plan.run_batch(&items, out, &mut batch, team).unwrap();
        });
        if let (Isa::Scalar, Some(token)) = (isa, Scalar::detect()) {
            let backend = plan.on(token).unwrap();
            none("a back-end", || {
                let out = MatrixMut::new(&mut sums[..m * n], m, n).unwrap();
                backend.run(lhs, weights, &Store, out, &mut scratch, team).unwrap();
            });
        }
    }
}

/// The front door, and products of floats.
fn check_floats(isa: Isa, operands: &Operands, weights: &PackedWeights, team: &dyn Team) {
    let Shape { m, n, k } = SHAPE;
    let mut out = vec![0.0; m * n];
    let layer = Linear::new(weights.clone(), &[0.01], Some(&operands.bias)).unwrap();
    let layer = layer.on(isa).unwrap();
    let mut scratch = layer.scratch(m, 2).unwrap();
    for rows in [0, 1, 2, 5, m] {
        none("the front door", || {
            let x = Matrix::new(&operands.floats[..rows * k], rows, k).unwrap();
            let out = MatrixMut::new(&mut out[..rows * n], rows, n).unwrap();
            layer.run_then(x, Gelu, out, &mut scratch, team).unwrap();
        });
    }
    let recipe = FloatPlan::estimate(SHAPE, isa, &CacheSizes::ASSUMED, 2);
    let plan = FloatPlan::new(SHAPE, isa, recipe).unwrap();
    let mut scratch = plan.scratch(2).unwrap();
    none("floats", || {
        let x = Matrix::new(&operands.floats, m, k).unwrap();
        let out = MatrixMut::new(&mut out, m, n).unwrap();
        plan.run(x, &operands.packed_floats, &Store, out, &mut scratch, team).unwrap();
    });
}

/// Steps by every scheme, of a stencil with media that were not set where it has some.
fn check_steps(isa: Isa, team: &dyn Team) {
    let extent = Extent::space(21, 13, 12);
    for (kind, scheme) in [
        (Kind::Heat7, Scheme::Plain),
        (Kind::Heat7, Scheme::Spatial),
        (Kind::Heat7, Scheme::Overlapped),
        (Kind::Heat7, Scheme::Skewed),
        (Kind::Wave7, Scheme::Spatial),
        (Kind::Wave7, Scheme::Skewed),
    ] {
        let caches = CacheSizes::ASSUMED;
        let mut recipe = stencil::Recipe::estimate::<f32>(kind, extent, isa, &caches, 2);
        (recipe.scheme, recipe.depth, recipe.tile_rows) = (scheme, 3, 5);
        let plan = stencil::Plan::<f32>::new(Stencil::new(kind, 0.1), extent, isa, recipe).unwrap();
        let what = format!("{kind}, {scheme}");
        // What a grid asks for it asks for once: a new one each time.
        let mut grids = [(); 3].map(|()| Grid::zeroed(extent).unwrap());
        for grid in &mut grids {
            grid.reserve(&plan, team).unwrap();
        }
        let mut next = grids.iter_mut();
        none(&what, || {
            let grid = next.next().unwrap();
            // Fewer steps than are reserved for, and more.
            for steps in [2, 7] {
                plan.run(grid, steps, team).unwrap();
            }
        });
        if scheme == Scheme::Overlapped || kind == Kind::Wave7 {
            let mut grid = Grid::zeroed(extent).unwrap();
            assert!(requests(|| plan.run(&mut grid, 7, team).unwrap()) > 0, "{what}");
        }
    }
}

/// Labels by lanes and by a table over space as they are estimated, and by every kernel.
fn check_labels(isa: Isa, team: &dyn Team) {
    let recipe = |shape| kmeans::Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    for shape in [kmeans::Shape { n: 3000, d: 5, k: 20 }, kmeans::Shape { n: 140_000, d: 3, k: 64 }]
    {
        check_labels_by::<f32>((shape, isa, recipe(shape)), team);
    }
    let shape = kmeans::Shape { n: 3000, d: 4, k: 64 };
    for form in kmeans::Form::ALL {
        let mut recipe = recipe(shape);
        (recipe.form, recipe.tile, recipe.bounds) = (form, kmeans::tiles(form, isa)[0], false);
        check_labels_by::<f32>((shape, isa, recipe), team);
        check_labels_by::<f64>((shape, isa, recipe), team);
        check_labels_by::<u8>((shape, isa, recipe), team);
    }
}

/// Of rows with gaps: there is neither a copy of points nor a table of distances.
fn check_labels_by<T: Element + From<u8>>(
    (shape, isa, mut recipe): (kmeans::Shape, Isa, kmeans::Recipe),
    team: &dyn Team,
) {
    let kmeans::Shape { n, d, k } = shape;
    recipe.threads = 2;
    let plan = kmeans::Plan::new(shape, isa, recipe).unwrap();
    let rows: Vec<T> = (0..n * (d + 1)).map(|i| T::from((i * 89 % 251) as u8)).collect();
    let rows = Matrix::with_stride(&rows, n, d, d + 1).unwrap();
    let centres: Vec<f64> = (0..k * d).map(|i| (i * 97 % 256) as f64).collect();
    let centres = Matrix::new(&centres, k, d).unwrap();
    let (mut labels, mut scratch) = (vec![0; n], plan.scratch(2).unwrap());
    none(&format!("labels of {}, {recipe}", T::NAME), || {
        plan.assign(rows, centres, &mut labels, None, &mut scratch, team).unwrap();
    });
}

// One test alone: what runs beside it would be counted too.
#[test]
fn products_steps_and_labels_ask_for_no_memory_and_fits_for_what_they_say() {
    assert!(requests(|| drop(black_box(vec![1u8; 100]))) > 0, "requests are counted");
    // Three, one after the other, are held once.
    let most = most_held(|| (0..3).for_each(|_| drop(black_box(vec![1u8; 1 << 20]))));
    assert!(most.abs_diff(1 << 20) < chunks::PAGE, "bytes are counted: {most}");
    let (operands, pair) = (Operands::new(), SpinTeam::new(2).unwrap());
    // What a thread asks for as it begins is over when it has worked once.
    pair.run(&|_| ());
    for team in [&Solo as &dyn Team, &pair] {
        chunks::check_fits(team);
        chunks::check_labels(team);
    }
    each_isa(|isa| {
        for team in [&Solo as &dyn Team, &pair] {
            check_steps(isa, team);
            check_labels(isa, team);
            for weights in &operands.weights {
                check_plan(isa, &operands, weights, team);
                check_floats(isa, &operands, weights, team);
            }
        }
    });
}
