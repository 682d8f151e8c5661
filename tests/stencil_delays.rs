//! Whatever delays the members of a team, and wherever it does, they give the bits of the plain loop.
//!
//! Formulas of one's own fall asleep in the middle of tiles. Ready-made stencils cannot, nor can a team
//! that is not the crate's own get between a member and a barrier; so their members share one core,
//! where each goes as far as it may while the others stand still.

#[path = "stencil/cut.rs"]
mod cut;
#[path = "stencil/fields.rs"]
mod fields;
#[path = "stencil/gives.rs"]
mod gives;

use cut::{cut, schemes};
use fields::noise;
use gives::{gives, state};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tilewise::stencil::{
    Boundary, Extent, Form, Formula, Kind, Near, Plan, Shape, SideBySide, Stencil,
};
use tilewise::vector::{FloatExtra, Real};
use tilewise::{Isa, SpinTeam, Team};

/// Steps of a run: a pass of three at a time, and one of what is left.
const STEPS: usize = 5;

thread_local! {
    /// Where this thread is on its random way, which is nobody else's.
    static RANDOM: Cell<u64> = {
        static WAYS: AtomicU64 = AtomicU64::new(0);
        Cell::new(WAYS.fetch_add(1, Ordering::Relaxed) << 32)
    };
}

/// Sleeps now and then: once for some two thousand points, whatever is updated in one go.
fn drowse(points: usize) {
    let state = RANDOM.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    RANDOM.set(state);
    let drawn = (state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
    if drawn.is_multiple_of(1999 / points as u64) {
        thread::sleep(Duration::from_micros(drawn % 300));
    }
}

/// A formula whose members fall asleep now and then, wherever they are in a tile; a wave where it
/// keeps two steps. Each of several fields looks at another, too.
#[derive(Clone, Copy, Debug)]
struct Drowsy<const RADIUS: usize, const FIELDS: usize, const LEVELS: usize, const MEDIA: usize>;

impl<T: Real, const RADIUS: usize, const FIELDS: usize, const LEVELS: usize, const MEDIA: usize>
    Formula<T> for Drowsy<RADIUS, FIELDS, LEVELS, MEDIA>
{
    const SHAPE: Shape = Shape::Star;
    const DIMENSIONS: usize = 3;
    const RADIUS: usize = RADIUS;
    const FIELDS: usize = FIELDS;
    const LEVELS: usize = LEVELS;
    const MEDIA: usize = MEDIA;

    fn update<S: FloatExtra>(
        &self,
        simd: S,
        field: usize,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        drowse(size_of::<T::Register<S>>() / size_of::<T>());
        let (far, other) = (RADIUS as isize, FIELDS - 1 - field);
        let [left, right] = [-far, 1].map(|x| near.at(field, [x, 0, 0]));
        let [below, above] = [-far, far].map(|z| near.at(other, [0, 0, z]));
        let [front, behind] = [-1, far].map(|y| near.at(field, [0, y, 0]));
        let pairs = [(left, right), (below, above), (front, behind)];
        let sum =
            pairs.map(|(a, b)| T::plus(simd, a, b)).into_iter().reduce(|a, b| T::plus(simd, a, b));
        let eighth = T::splat(simd, T::from_f64(0.125));
        let mut new = T::times(simd, eighth, sum.unwrap());
        if MEDIA > 0 {
            new = T::times(simd, new, near.medium(0));
        }
        if LEVELS > 1 { T::minus(simd, new, near.before(field)) } else { new }
    }
}

/// The same on a plane or in space with all corners around a point.
#[derive(Clone, Copy, Debug)]
struct DrowsyBox<const DIMENSIONS: usize>;

impl<T: Real, const DIMENSIONS: usize> Formula<T> for DrowsyBox<DIMENSIONS> {
    const SHAPE: Shape = Shape::Box;
    const DIMENSIONS: usize = DIMENSIONS;
    const RADIUS: usize = 1;

    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        drowse(size_of::<T::Register<S>>() / size_of::<T>());
        let up = isize::from(DIMENSIONS > 2);
        let mut sum = near.at(0, [0; 3]);
        for (x, y) in [(-1, -1), (1, -1), (-1, 1), (1, 1)] {
            sum =
                T::plus(simd, sum, T::plus(simd, near.at(0, [x, y, -up]), near.at(0, [x, y, up])));
        }
        T::times(simd, T::splat(simd, T::from_f64(0.109)), sum)
    }
}

/// Every scheme of a formula with every boundary: without registers by ordinary stores, with the
/// widest past the caches.
fn check<F: Formula<f32>>(formula: F, extent: Extent, team: &dyn Team) {
    let form = Form::of::<f32, F>();
    let start = state::<f32>(form, extent, 1);
    for boundary in Boundary::ALL {
        let mut expected = start.clone();
        expected.run_formula(formula, [boundary; 3], extent, STEPS);
        for (isa, streaming) in [(Isa::Scalar, false), (Isa::best(), true)] {
            for scheme in schemes(form) {
                let mut recipe = cut::<f32>(form, extent, isa, scheme, team);
                recipe.streaming = streaming;
                let plan = Plan::of(formula, [boundary; 3], extent, isa, recipe).unwrap();
                if let Err(wrong) = gives(&plan, (&start, STEPS), &expected.now, team) {
                    panic!("{form:?}, {scheme}, {boundary}: {wrong}");
                }
            }
        }
    }
}

#[test]
fn delays_in_the_middle_of_tiles_change_nothing() {
    for members in [2, 3] {
        let team = SpinTeam::new(members).unwrap();
        check(Drowsy::<2, 1, 1, 0>, Extent::space(33, 13, 15), &team);
        // As many slices as let three levels lean where the last axis begins anew at its end.
        check(Drowsy::<4, 2, 1, 1>, Extent::space(27, 11, 25), &team);
        check(Drowsy::<4, 1, 2, 1>, Extent::space(27, 11, 25), &team);
        check(DrowsyBox::<2>, Extent::plane(67, 53), &team);
        check(DrowsyBox::<3>, Extent::space(33, 13, 15), &team);
    }
}

/// Says that work is done, also when it panics.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `work` in a thread that has one core, as have those that it starts. A member that waits
/// there lets another have the core, which then comes to the next barrier before anybody else moves;
/// somebody who wants the core for moments at random stops members in between, too.
fn on_one_core(work: impl FnOnce() + Send) {
    let pinned = || {
        stay_on_one_core();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| disturb(&done));
            let _done = Done(&done);
            work();
        });
    };
    thread::scope(|scope| _ = scope.spawn(pinned));
}

/// Where threads can be told to; elsewhere members have the cores that they get.
fn stay_on_one_core() {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        sched_setaffinity(None, &one).unwrap();
    }
}

/// Comes and goes, always at the same random intervals.
fn disturb(done: &AtomicBool) {
    let mut drawn = 0;
    let mut random = |most: f64| {
        drawn += 1;
        Duration::from_secs_f64(most * noise(3, [drawn, 0, 0]).abs())
    };
    while !done.load(Ordering::Relaxed) {
        thread::sleep(random(300e-6));
        let (begin, busy) = (Instant::now(), random(40e-6));
        while begin.elapsed() < busy {
            std::hint::spin_loop();
        }
    }
}

/// A ready-made stencil, the rows that it updates in one go, and a grid for it.
type Case = (Kind, SideBySide, Extent);

const CASES: [Case; 8] = [
    (Kind::Heat7, SideBySide::TwoPlanes, Extent::space(37, 11, 14)),
    (Kind::Heat7, SideBySide::TwoRows, Extent::space(37, 11, 13)),
    (Kind::Heat5, SideBySide::TwoRows, Extent::plane(37, 29)),
    (Kind::Heat9, SideBySide::TwoRows, Extent::plane(35, 28)),
    (Kind::GrayScott, SideBySide::One, Extent::plane(33, 26)),
    (Kind::Heat25, SideBySide::One, Extent::space(27, 13, 24)),
    (Kind::Wave7, SideBySide::One, Extent::space(35, 11, 13)),
    (Kind::Wave25, SideBySide::One, Extent::space(27, 13, 24)),
];

/// Every scheme of a case, with stores past the caches and without.
fn step((kind, side_by_side, extent): Case, boundary: [Boundary; 3], rows: usize, team: &dyn Team) {
    let (form, isa) = (kind.form(), Isa::best());
    let stencil = Stencil::new(kind, 0.7 * kind.stability_limit()).with_boundary(boundary);
    let start = state::<f32>(form, extent, 2);
    let mut expected = start.clone();
    expected.run(&stencil, extent, STEPS);
    for scheme in schemes(form) {
        for streaming in [false, true] {
            let mut recipe = cut::<f32>(form, extent, isa, scheme, team);
            (recipe.side_by_side, recipe.streaming) = (side_by_side, streaming);
            recipe.tile_rows = rows;
            let plan = Plan::<f32>::new(stencil, extent, isa, recipe).unwrap();
            if streaming && !plan.streams() {
                continue;
            }
            if let Err(wrong) = gives(&plan, (&start, STEPS), &expected.now, team) {
                panic!("{kind}, {side_by_side}, {recipe}, {boundary:?}: {wrong}");
            }
        }
    }
}

#[test]
fn members_that_share_a_core_change_nothing() {
    use Boundary::{Fixed, Mirror, Periodic};
    on_one_core(|| {
        for members in [2, 3] {
            let team = SpinTeam::new(members).unwrap();
            for case in CASES {
                // Rows of a plane are slices: 1 of them is a front of what is updated in one go.
                let plane = case.0.dimensions() == 2;
                let round =
                    if plane { [Mirror, Periodic, Fixed] } else { [Periodic, Mirror, Periodic] };
                step(case, [Fixed; 3], 5, &team);
                step(case, round, if plane { 1 } else { 3 }, &team);
            }
        }
    });
}
