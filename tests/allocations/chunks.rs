//! How much memory a fit takes of points that are read part by part: what [`Chunks`] says for each of
//! them, and a part for each member of the team; and labels of such points: the parts alone. Whoever copies all points takes more than that, for
//! here even those of bytes are larger than what may be kept of them.

use crate::most_held;
use tilewise::cache::CacheSizes;
use tilewise::kmeans::{Chunks, KMeans, Plan, Reader, Reason, Recipe, Shape, With};
use tilewise::points::Element;
use tilewise::{Isa, Matrix, Team};

/// Features: 16 bytes of a point, or 64, or 128.
const D: usize = 16;

const K: usize = 8;

/// Points, and so few of them that what does not grow with their number is seen.
const MANY: usize = 1 << 17;
const FEW: usize = 1 << 15;

/// Points that are read at a time: a block, and as many as still are a small part of them.
const PARTS: [usize; 2] = [64, 1024];

/// Bytes for each point that one start keeps, and several.
const KEPT: usize = 12;
const KEPT_OF_SEVERAL: usize = 16;

/// Bytes more while seeds are chosen: of `f32` and bytes, of `f64`, of random points; and for weights.
const SEEDS: usize = 14;
const SEEDS_F64: usize = 22;
const SEEDS_RANDOM: usize = 16;
const SEEDS_WEIGHTED: usize = 8;

/// What else may differ: sums of more leaves, and what the test's own runner asks for meanwhile.
pub(crate) const PAGE: usize = 4096;

/// So many points that are nowhere: each value is the hash of its place.
struct Nowhere(usize);

impl<T: Element + From<u8>> Reader<T> for Nowhere {
    fn n(&self) -> usize {
        self.0
    }

    fn d(&self) -> usize {
        D
    }

    fn read(&self, first: usize, rows: &mut [T]) -> Result<(), Reason> {
        for (place, x) in (first * D..).zip(rows) {
            *x = T::from(((place as u32).wrapping_mul(0x9E37_79B1) >> 24) as u8);
        }
        Ok(())
    }
}

/// Fits of every kind of start, and of every type of points.
pub(crate) fn check_fits(team: &dyn Team) {
    let plus_plus = KMeans::new(K).max_iter(2);
    let random = plus_plus.clone().random();
    let centres: Vec<f64> = (0..K * D).map(|i| (i * 89 % 256) as f64).collect();
    let given = plus_plus.clone().centres(Matrix::new(&centres, K, D).unwrap());
    check::<f32>("given centres", &given, (false, KEPT), team);
    check::<f64>("given centres", &given, (true, KEPT), team);
    check::<u8>("given centres", &given, (false, KEPT), team);
    check::<f32>("k-means++", &plus_plus, (false, KEPT + SEEDS), team);
    check::<f64>("k-means++", &plus_plus, (false, KEPT + SEEDS_F64), team);
    check::<u8>("k-means++", &plus_plus, (false, KEPT + SEEDS), team);
    let weighted = KEPT + SEEDS + SEEDS_WEIGHTED;
    check::<f32>("weighted k-means++", &plus_plus, (true, weighted), team);
    let twice = plus_plus.n_init(2);
    check::<f32>("k-means++ twice", &twice, (false, KEPT_OF_SEVERAL + SEEDS), team);
    let twice = random.n_init(2);
    check::<u8>("random points twice", &twice, (false, KEPT_OF_SEVERAL + SEEDS_RANDOM), team);
}

/// A fit of many points takes no more than one of few, `each` bytes for every point that is more, and
/// the parts.
fn check<T: Element + From<u8>>(
    what: &str,
    kmeans: &KMeans,
    (weighted, each): (bool, usize),
    team: &dyn Team,
) {
    let few = most_of_fit::<T>(kmeans, (FEW, PARTS[0], weighted), team);
    for part in PARTS {
        let many = most_of_fit::<T>(kmeans, (MANY, part, weighted), team);
        // Members do not always have their parts at the same time: those of the few may not be in it.
        let parts = team.size() * part * D * size_of::<T>();
        let most = few + (MANY - FEW) * each + parts + PAGE;
        let how = format!("{what}, {}, parts of {part}, a team of {}", T::NAME, team.size());
        assert!(many <= most, "{how}: {many} bytes; {most} are said to be the most");
    }
}

/// The most bytes that a fit holds at a time, of so many points, read so many at a time.
fn most_of_fit<T: Element + From<u8>>(
    kmeans: &KMeans,
    (n, part, weighted): (usize, usize, bool),
    team: &dyn Team,
) -> usize {
    let shape = Shape { n, d: D, k: K };
    // The recipe is that of many: what it takes is no matter of their number.
    let mut recipe =
        Recipe::estimate(Shape { n: MANY, ..shape }, Isa::best(), &CacheSizes::ASSUMED, 2);
    recipe.threads = 2;
    let plan = Plan::new(shape, Isa::best(), recipe).unwrap();
    let weights: Vec<f64> = (0..n).map(|point| (point % 5 + 1) as f64).collect();
    let reader = Nowhere(n);
    let chunks: Chunks<'_, T> = Chunks::new(&reader, part);
    most_held(|| {
        let mut with = With::new(&plan, team);
        if weighted {
            with = with.weights(&weights);
        }
        kmeans.fit_with(chunks, with).unwrap();
    })
}

/// Labels of points that are read take the parts, and nothing for each point but its label, for which
/// the caller has room.
pub(crate) fn check_labels(team: &dyn Team) {
    labels::<f32>(team);
    labels::<f64>(team);
    labels::<u8>(team);
}

fn labels<T: Element + From<u8>>(team: &dyn Team) {
    let shape = Shape { n: MANY, d: D, k: K };
    let mut recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::ASSUMED, 2);
    recipe.threads = 2;
    let plan = Plan::new(shape, Isa::best(), recipe).unwrap();
    let centres: Vec<f64> = (0..K * D).map(|i| (i * 89 % 256) as f64).collect();
    let centres = Matrix::new(&centres, K, D).unwrap();
    let (mut labels, mut scratch) = (vec![0; MANY], plan.scratch(2).unwrap());
    let reader = Nowhere(MANY);
    for part in PARTS {
        let chunks: Chunks<'_, T> = Chunks::new(&reader, part);
        let held = most_held(|| {
            plan.assign(chunks, centres, &mut labels, None, &mut scratch, team).unwrap();
        });
        let most = team.size() * part * D * size_of::<T>() + PAGE;
        let how = format!("labels, {}, parts of {part}, a team of {}", T::NAME, team.size());
        assert!(held <= most, "{how}: {held} bytes; the parts are {most}");
    }
}
