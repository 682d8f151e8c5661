//! Stencils of one's own: every shape and radius gives the bits of the plain loop in every scheme,
//! and what a formula may not do is refused by name.

#[path = "stencil/cut.rs"]
mod cut;
#[path = "stencil/fields.rs"]
mod fields;
#[path = "stencil/gives.rs"]
mod gives;
#[path = "stencil/refused_formulas.rs"]
mod refused_formulas;

use cut::{cut, schemes};
use fields::noise;
use gives::{Number, gives, state};
use tilewise::stencil::reference::State;
use tilewise::stencil::{
    self, Block, Boundary, Error, Extent, Form, Formula, GrayScott, Grid, Near, PairedStar, Plan,
    Shape, Star, Varied,
};
use tilewise::vector::{FloatExtra, Real};
use tilewise::{Isa, SpinTeam, Team};

/// Another boundary along each axis.
const MIXED: [Boundary; 3] = [Boundary::Mirror, Boundary::Fixed, Boundary::Periodic];

/// Each boundary along all axes.
fn alike() -> [[Boundary; 3]; 3] {
    Boundary::ALL.map(|boundary| [boundary; 3])
}

/// Every scheme of a formula with every boundary on every instruction set, with tiles that cut
/// what can be cut.
fn check<T: Number, F: Formula<T>>(formula: F, extent: Extent, team: &dyn Team) {
    check_between(formula, &alike(), extent, team);
    check_between(formula, &[MIXED], extent, team);
}

/// Whether stores go past the caches, and how many bytes ahead memory is asked for. Estimates for grids
/// as small as these want neither, so both are asked for as well; of the instruction sets on the
/// widest one and on AVX2 alone, which have all the code there is for it.
fn stores(isa: Isa) -> &'static [(bool, usize)] {
    const BOTH: &[(bool, usize)] = &[(false, 0), (true, 4096)];
    if isa == Isa::best() || isa == Isa::Avx2 { BOTH } else { &BOTH[..1] }
}

/// The same with some boundaries, which may allow shorter axes.
fn check_between<T: Number, F: Formula<T>>(
    formula: F,
    boundaries: &[[Boundary; 3]],
    extent: Extent,
    team: &dyn Team,
) {
    let (form, steps) = (Form::of::<T, F>(), 5);
    let start = state::<T>(form, extent, 1);
    for &boundary in boundaries {
        let mut expected = start.clone();
        expected.run_formula(formula, boundary, extent, steps);
        for scheme in schemes(form) {
            let ways =
                Isa::available().flat_map(|isa| stores(isa).iter().map(move |of| (isa, *of)));
            for (isa, (streaming, prefetch)) in ways {
                let mut recipe = cut::<T>(form, extent, isa, scheme, team);
                (recipe.streaming, recipe.prefetch) = (streaming, prefetch);
                let plan = Plan::of(formula, boundary, extent, isa, recipe).unwrap();
                if let Err(wrong) = gives(&plan, (&start, steps), &expected.now, team) {
                    panic!("{}, {boundary:?}, {recipe}: {wrong}", form.name);
                }
            }
        }
    }
}

fn team() -> SpinTeam {
    SpinTeam::new(2.min(std::thread::available_parallelism().unwrap().get())).unwrap()
}

/// Weights whose sizes sum to 1 at most, so that nothing grows much.
fn arms<const D: usize, const R: usize>() -> [[f64; R]; D] {
    let weight = |axis: usize, k: usize| noise(2, [axis, k, 0]) / (2 * D * R) as f64;
    std::array::from_fn(|axis| std::array::from_fn(|k| weight(axis, k)))
}

fn paired<const D: usize, const R: usize>(extent: Extent) {
    let star = PairedStar { centre: 0.4, arms: arms::<D, R>() };
    check::<f64, _>(star, extent, &team());
    // Axes that end sooner than it looks.
    for [x, y, z] in [[R - 1, R - 2, 1], [1, R - 1, 2], [2, 1, R - 1]] {
        let short = Extent::space(x, y.min(extent.y), z.min(extent.z));
        check_between::<f64, _>(star, &[[Boundary::Periodic; 3]], short, &team());
    }
}

fn star<const D: usize, const R: usize>(extent: Extent) {
    let arms = arms::<D, R>().map(|arm| arm.map(|weight| [weight as f32, -0.5 * weight as f32]));
    check::<f32, _>(Star { centre: 0.4, arms }, extent, &team());
}

#[test]
fn stars_of_every_radius_give_the_bits_of_the_plain_loop() {
    star::<1, 1>(Extent::line(67));
    paired::<1, 8>(Extent::line(40));
    star::<2, 3>(Extent::plane(35, 23));
    paired::<2, 7>(Extent::plane(33, 31));
    star::<3, 2>(Extent::space(37, 13, 11));
    paired::<3, 4>(Extent::space(33, 17, 15));
    paired::<3, 5>(Extent::space(33, 17, 19));
    star::<3, 6>(Extent::space(19, 23, 17));
    paired::<3, 8>(Extent::space(35, 21, 24));
}

#[test]
fn blocks_of_every_radius_give_the_bits_of_the_plain_loop() {
    fn random<T: Number, const D: usize, const W: usize>() -> Block<T, D, W> {
        let count = W.pow(D as u32) as f64;
        let weight = |off: [isize; 3]| noise(3, off.map(|along| (along + 8) as usize)) / count;
        Block::new(|at| T::from_f64(weight(at)))
    }
    fn block<T: Number, const D: usize, const W: usize>(extent: Extent) {
        check::<T, _>(random::<T, D, W>(), extent, &team());
    }
    block::<f64, 1, 5>(Extent::line(70));
    block::<f32, 2, 5>(Extent::plane(35, 19));
    block::<f64, 2, 11>(Extent::plane(33, 27));
    block::<f32, 1, 13>(Extent::line(61));
    block::<f32, 2, 15>(Extent::plane(37, 31));
    block::<f64, 2, 17>(Extent::plane(37, 25));
    block::<f32, 3, 3>(Extent::space(34, 13, 11));
    block::<f64, 3, 7>(Extent::space(35, 15, 13));
    block::<f32, 3, 9>(Extent::space(37, 12, 11));
    far(random::<f64, 3, 17>());
}

/// Every scheme of a formula of radius 8 in space, on as few points as it can do with.
fn far<T: Number, F: Formula<T>>(formula: F) {
    let team = team();
    let [fixed, mirror, periodic] = alike();
    check_between::<T, _>(formula, &[fixed], Extent::space(27, 18, 17), &team);
    check_between::<T, _>(formula, &[mirror], Extent::space(27, 9, 8), &team);
    check_between::<T, _>(formula, &[periodic], Extent::space(27, 4, 3), &team);
    check_between::<T, _>(formula, &[MIXED], Extent::space(27, 18, 3), &team);
}

/// As much as a formula may look at: four fields with momentum, as far as can be and to all corners,
/// and media.
#[derive(Clone, Copy, Debug)]
struct Everything;

impl<T: Real> Formula<T> for Everything {
    const SHAPE: Shape = Shape::Box;
    const DIMENSIONS: usize = 3;
    const RADIUS: usize = 8;
    const FIELDS: usize = 4;
    const LEVELS: usize = 2;
    const MEDIA: usize = 64;

    #[inline(always)]
    fn update<S: FloatExtra>(
        &self,
        simd: S,
        field: usize,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let corners = [[-8, -8, -8], [8, -8, 8], [-8, 8, 8], [8, 8, -8]];
        let mut sum = T::times(simd, near.medium(63 - field), near.before(field));
        for (other, corner) in corners.into_iter().enumerate() {
            let value = T::times(simd, near.medium(other), near.at(other, corner));
            sum = T::plus(simd, sum, value);
        }
        T::times(simd, T::splat(simd, T::from_f64(0.2)), sum)
    }
}

#[test]
fn the_largest_formula_gives_the_bits_of_the_plain_loop() {
    far::<f64, _>(Everything);
}

/// A weighted sum of the six neighbours and the point, each weight a field.
#[derive(Clone, Copy, Debug)]
struct SevenCoefficients;

impl<T: Real> Formula<T> for SevenCoefficients {
    const SHAPE: Shape = Shape::Star;
    const DIMENSIONS: usize = 3;
    const RADIUS: usize = 1;
    const MEDIA: usize = 7;

    #[inline(always)]
    fn update<S: FloatExtra>(&self, simd: S, _: usize, near: impl Near<T, S>) -> T::Register<S> {
        let mut sum = T::times(simd, near.medium(6), near.at(0, [0; 3]));
        for index in 0..6 {
            let mut off = [0; 3];
            off[index / 2] = 2 * (index as isize % 2) - 1;
            sum = T::plus(simd, sum, T::times(simd, near.medium(index), near.at(0, off)));
        }
        sum
    }
}

/// Two fields with momentum that a third medium couples.
#[derive(Clone, Copy, Debug)]
struct Coupled;

impl<T: Real> Formula<T> for Coupled {
    const SHAPE: Shape = Shape::Box;
    const DIMENSIONS: usize = 2;
    const RADIUS: usize = 1;
    const FIELDS: usize = 2;
    const LEVELS: usize = 2;
    const MEDIA: usize = 1;

    #[inline(always)]
    fn update<S: FloatExtra>(
        &self,
        simd: S,
        field: usize,
        near: impl Near<T, S>,
    ) -> T::Register<S> {
        let half = T::splat(simd, T::from_f64(0.5));
        let across = T::plus(simd, near.at(1 - field, [-1, 1, 0]), near.at(field, [1, 1, 0]));
        let pushed = T::times(simd, near.medium(0), T::minus(simd, across, near.before(field)));
        T::times(simd, half, T::plus(simd, near.at(field, [0; 3]), pushed))
    }
}

#[test]
fn media_and_several_fields_give_the_bits_of_the_plain_loop() {
    let team = team();
    check::<f64, _>(SevenCoefficients, Extent::space(35, 13, 11), &team);
    check::<f32, _>(Coupled, Extent::plane(37, 23), &team);
    check::<f32, _>(GrayScott::new([0.16, 0.08], 0.035, 0.06), Extent::plane(37, 23), &team);
    check::<f64, _>(GrayScott::new([0.16, 0.08], 0.035, 0.06), Extent::plane(37, 23), &team);
    let varied = Varied(PairedStar { centre: -1.0, arms: [[0.25], [0.25]] });
    check::<f64, _>(varied, Extent::plane(35, 29), &team);
    check::<f32, _>(
        Varied(Varied(Block::<f32, 3, 3>::new(|_| 0.02))),
        Extent::space(20, 9, 8),
        &team,
    );
}

#[test]
fn media_that_were_not_set_are_1_whoever_asked_for_them_before() {
    let star = PairedStar { centre: -1.0, arms: [[0.25], [0.25]] };
    let extent = Extent::plane(21, 9);
    let once = Form::of::<f64, Varied<PairedStar<f64, 2, 1>>>();
    let twice = Form::of::<f64, Varied<Varied<PairedStar<f64, 2, 1>>>>();
    assert_eq!([once.media, twice.media], [1, 2]);
    let boundary = [Boundary::Mirror; 3];
    let mut expected = State { media: Vec::new(), ..state::<f64>(once, extent, 3) };
    let mut grid = Grid::from_slice(extent, &expected.now).unwrap();
    let mut found = expected.now.clone();
    let mut same = |grid: &Grid<f64>, expected: &State<f64>| {
        grid.copy_to_slice(&mut found).unwrap();
        assert_eq!(found, expected.now);
    };
    // Fewer after more and more after fewer, with any number of them there from before.
    for _ in 0..2 {
        stencil::run(Varied(star), boundary, &mut grid, 2).unwrap();
        expected.run_formula(Varied(star), boundary, extent, 2);
        same(&grid, &expected);
        stencil::run(Varied(Varied(star)), boundary, &mut grid, 2).unwrap();
        expected.run_formula(Varied(Varied(star)), boundary, extent, 2);
        same(&grid, &expected);
    }
    // Those that were set are no others, until they are given up.
    grid.set_media(&vec![0.5; extent.points().unwrap()]).unwrap();
    let refused = stencil::run(Varied(Varied(star)), boundary, &mut grid, 2).unwrap_err();
    assert!(matches!(refused, Error::Media { expected: 2, given: 1 }), "{refused}");
    same(&grid, &expected);
    grid.set_media(&[]).unwrap();
    stencil::run(Varied(Varied(star)), boundary, &mut grid, 2).unwrap();
    expected.run_formula(Varied(Varied(star)), boundary, extent, 2);
    same(&grid, &expected);
}
