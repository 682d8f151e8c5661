//! Points and centres that are hard in several ways, of every type.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Error, Form, Plan, Recipe, Shape, tiles};
use tilewise::points::Element;
use tilewise::vector::Real;
use tilewise::{Isa, Matrix};

/// What the values look like; each kind is hard in its own way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Nothing special.
    Uniform,
    /// Small integers: exact ties, duplicate points, duplicate centres.
    Grid,
    /// A large common offset, where `f32` sums cancel.
    Offset,
    /// Points half way between two centres but for the last bits.
    Bisector,
    /// Squares that leave the range of `f32`, upwards or downwards.
    Extreme,
    /// Features that differ in size by up to 10^60.
    Uneven,
}

impl Kind {
    pub(crate) const ALL: [Kind; 6] =
        [Kind::Uniform, Kind::Grid, Kind::Offset, Kind::Bisector, Kind::Extreme, Kind::Uneven];
}

/// An element that can be made from any number.
pub(crate) trait Sample: Element {
    fn of(value: f64) -> Self;

    /// The nearest number there is.
    fn exactly(value: f64) -> Self;
}

impl Sample for f32 {
    fn of(value: f64) -> f32 {
        value as f32
    }

    fn exactly(value: f64) -> f32 {
        value as f32
    }
}

impl Sample for f64 {
    fn of(value: f64) -> f64 {
        value
    }

    fn exactly(value: f64) -> f64 {
        value
    }
}

/// Wraps round, so that every kind gives all sorts of bytes.
impl Sample for u8 {
    fn of(value: f64) -> u8 {
        (value * 8.0).rem_euclid(256.0) as u8
    }

    fn exactly(value: f64) -> u8 {
        value as u8
    }
}

/// A problem of any type: sizes, and where its values come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// Elements between rows.
    pub(crate) pad: usize,
    pub(crate) seed: u64,
}

/// Row-major points and centres.
#[derive(Clone, Debug)]
pub(crate) struct Problem<T, C> {
    pub(crate) shape: Shape,
    pub(crate) stride: usize,
    pub(crate) points: Vec<T>,
    pub(crate) centres: Vec<C>,
    pub(crate) weights: Vec<f64>,
}

impl Case {
    pub(crate) fn of<T: Sample, C: Real>(self) -> Problem<T, C> {
        let Case { kind, shape: Shape { n, d, k }, pad, seed } = self;
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let scale = 10f64.powi(rng.random_range(-38..39));
        let offset = rng.random_range(-1e6..1e6);
        let mut value = |feature: usize| {
            let unit = rng.random_range(-1.0..1.0f64);
            match kind {
                Kind::Uniform | Kind::Bisector => unit,
                Kind::Grid => (unit * 3.0).round(),
                Kind::Offset => offset + unit,
                Kind::Extreme => unit * scale,
                Kind::Uneven => unit * 10f64.powi((feature * 23 % 61) as i32 - 30),
            }
        };
        // Centres are among what points can be, too: where the points are bytes, near those.
        let centre = |value: f64| if T::NAME == "u8" { T::of(value).into() } else { value };
        let centres: Vec<C> = (0..k * d).map(|i| C::from_f64(centre(value(i % d)))).collect();
        let stride = d + pad;
        let mut points: Vec<T> = (0..n * stride).map(|i| T::of(value(i % stride))).collect();
        if let Kind::Bisector = kind {
            for point in points.chunks_mut(stride.max(1)) {
                let [a, b] = [(); 2].map(|()| rng.random_range(0..k) * d);
                for f in 0..d {
                    let nudge = 1.0 + f64::from(rng.random_range(-2..3)) * f64::from(f32::EPSILON);
                    let middle: f64 = (centres[a + f].into() + centres[b + f].into()) / 2.0;
                    point[f] =
                        if T::NAME == "u8" { T::of(middle / 8.0) } else { T::of(middle * nudge) };
                }
            }
        }
        // One in four weighs nothing.
        let weights = (0..n).map(|_| f64::from(rng.random_range(-2..7).max(0)) / 3.0).collect();
        Problem { shape: self.shape, stride, points, centres, weights }
    }
}

impl<T: Sample, C: Real> Problem<T, C> {
    pub(crate) fn rows(&self) -> Matrix<'_, T> {
        Matrix::with_stride(&self.points, self.shape.n, self.shape.d, self.stride).unwrap()
    }

    pub(crate) fn centres(&self) -> Matrix<'_, C> {
        Matrix::new(&self.centres, self.shape.k, self.shape.d).unwrap()
    }
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let n = prop_oneof![0..70usize, Just(127), Just(128), 129..700usize];
    let d = prop_oneof![1..9usize, 9..200usize, Just(17), Just(61), Just(200)];
    let k =
        prop_oneof![1..20usize, 20..300usize, Just(31), Just(64), Just(67), Just(131), Just(300)];
    (prop::sample::select(&Kind::ALL[..]), n, d, k, 0..3usize, any::<u64>()).prop_map(
        |(kind, n, d, k, pad, seed)| {
            // The definition takes its time.
            let n = n.min(2_000_000 / (d * k));
            Case { kind, shape: Shape { n, d, k }, pad, seed }
        },
    )
}

/// Every recipe the table offers for `isa`.
pub(crate) fn recipes(shape: Shape, isa: Isa) -> Vec<Recipe> {
    let estimate = Recipe::estimate(shape, isa, &CacheSizes::ASSUMED, 1);
    let mut recipes = Vec::new();
    for form in Form::ALL {
        for tile in tiles(form, isa) {
            let mut recipe = estimate;
            (recipe.form, recipe.tile) = (form, *tile);
            let choices = if form == Form::Lanes { &[false, true][..] } else { &[false] };
            for &bounds in choices {
                recipe.bounds = bounds;
                recipe.threads = recipes.len() % 5 + 1;
                // Not all features fit into bytes, nor all centres into a table.
                match Plan::new(shape, isa, recipe) {
                    Err(Error::TooLarge { .. }) => {}
                    plan => recipes.push(plan.unwrap().recipe()),
                }
            }
        }
    }
    recipes
}

/// The plan a user gets.
pub(crate) fn plan(shape: Shape) -> Plan {
    let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
    Plan::new(shape, Isa::best(), recipe).unwrap()
}
