//! What is worth trying, kernel by kernel: the candidates of a problem and the bench they are
//! tried on. A new kernel adds a file beside these and nothing else to the tuner; a new knob adds
//! an axis.
//!
//! Only knobs that cannot change a result are here: recipes, by the kernels' contract.

mod gemm;
mod kmeans;
mod points;
mod seeds;
mod stencil;

pub use points::{Knob, MOST_POINTS, Space, TooLarge};
pub use stencil::Field;

use crate::problem::{Problem, Setting};
use tilewise::Isa;

/// Whether a knob can change what a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numerics {
    /// To the last bit the same whatever its value: may be tuned.
    Preserving,
    /// Another value gives other bits: stays as the estimate has it.
    Changing,
}

/// A problem for which the search knows what to try and how.
pub trait Tunable: Problem {
    /// Legal recipes worth timing, without repeats: the estimate first, then those close to it.
    fn candidates(&self, setting: &Setting<'_>) -> Vec<Self::Recipe>;

    /// The recipe that stands for all which differ from `recipe` in nothing that is felt here: no two
    /// of them are tried. Estimates and candidates are such recipes already.
    fn canonical(&self, _isa: Isa, recipe: Self::Recipe) -> Self::Recipe {
        recipe
    }

    /// Fields of a recipe that could change a result, and so are never tuned. The kernels of this
    /// project promise that there are none.
    const CHANGING: &'static [&'static str] = &[];

    /// The candidates, ranked: the default, then those that `hints`, the model's other opinions
    /// and single turns of its knobs make promising, then the rest.
    ///
    /// # Errors
    /// [`TooLarge`].
    fn space(
        &self,
        setting: &Setting<'_>,
        hints: &[Self::Recipe],
    ) -> Result<Space<Self::Recipe>, TooLarge> {
        let (points, seeds) = seeds::ranked(self, setting, hints);
        Space::new(points, seeds, Self::CHANGING, |recipe| {
            serde_json::to_value(recipe).expect("a recipe is plain data")
        })
    }

    /// Makes input data and a team.
    ///
    /// # Errors
    /// What there was not enough of.
    fn workbench<'a>(
        &'a self,
        setting: &Setting<'a>,
    ) -> Result<Box<dyn Workbench<Self::Recipe> + 'a>, String>;
}

/// Input data for a problem, and a team to run recipes on it.
pub trait Workbench<R> {
    /// Runs `recipe` and compares its output with what it must be.
    ///
    /// # Errors
    /// What differs, or why the recipe cannot be run.
    fn verify(&self, recipe: &R) -> Result<(), String>;

    /// A call of `recipe`, to be timed.
    ///
    /// # Errors
    /// Why it cannot be run.
    fn call<'b>(&'b self, recipe: &R) -> Result<Box<dyn FnMut() + 'b>, String>;
}

/// What can go wrong in making a workbench: only its message matters.
type AnyError = Box<dyn std::error::Error>;

/// One thing to decide, and the values worth trying.
struct Axis<R, V> {
    values: Vec<V>,
    set: fn(&mut R, V),
}

/// An [`Axis`] of any values.
trait Turn<R> {
    /// `recipe` with each of the values.
    fn turns(&self, recipe: R) -> Vec<R>;
}

impl<R: Copy, V: Copy> Turn<R> for Axis<R, V> {
    fn turns(&self, recipe: R) -> Vec<R> {
        let turn = |&value: &V| {
            let mut turned = recipe;
            (self.set)(&mut turned, value);
            turned
        };
        self.values.iter().map(turn).collect()
    }
}

/// The legal ones of all recipes that differ from `start` on at most `changes` axes, those with
/// the fewest changes first.
fn around<R: Copy + PartialEq>(
    start: R,
    axes: &[&dyn Turn<R>],
    changes: usize,
    legal: impl Fn(&R) -> bool,
) -> Vec<R> {
    let mut found = vec![start];
    // Recipes with so many changes so far, and the first axis that may still be turned.
    let mut last = vec![(start, 0)];
    for _ in 0..changes {
        let mut next = Vec::new();
        for (recipe, first) in last {
            for (index, axis) in axes.iter().enumerate().skip(first) {
                for turned in axis.turns(recipe) {
                    if turned != recipe && !found.contains(&turned) {
                        found.push(turned);
                        next.push((turned, index + 1));
                    }
                }
            }
        }
        last = next;
    }
    found.retain(|recipe| *recipe == start || legal(recipe));
    found
}

/// Thread counts worth trying: powers of two, and all that are allowed.
fn thread_counts(allowed: usize) -> Vec<usize> {
    let mut counts: Vec<usize> =
        (0..usize::BITS).map(|power| 1 << power).take_while(|&count| count < allowed).collect();
    counts.push(allowed.max(1));
    counts
}

/// Those of `sizes` below `most`, and `most`.
fn up_to(most: usize, sizes: &[usize]) -> Vec<usize> {
    let most = most.max(1);
    sizes.iter().copied().filter(|&size| size < most).chain([most]).collect()
}

/// `len` values made by `value`; an error, not an abort, where there is no room for them.
fn filled<T>(len: Option<usize>, value: impl FnMut(usize) -> T) -> Result<Vec<T>, AnyError> {
    let len = len.ok_or("more elements than can be counted")?;
    let mut values = Vec::new();
    values
        .try_reserve_exact(len)
        .map_err(|_| tilewise::buffer::OutOfMemory { bytes: len.saturating_mul(size_of::<T>()) })?;
    values.extend((0..len).map(value));
    Ok(values)
}

/// The `index`-th number of a fixed random sequence (SplitMix64 of Steele, Lea and Flood, 2014):
/// inputs with no pattern a kernel or a branch predictor could like.
pub(crate) fn noise(index: usize) -> u64 {
    let z = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// [`noise`] as a number from 0 to 1.
fn uniform(index: usize) -> f32 {
    (noise(index) >> 40) as f32 / (1u64 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_come_before_what_is_further_away() {
        let x = Axis { values: vec![1, 2, 3], set: |r: &mut [i32; 2], v| r[0] = v };
        let y = Axis { values: vec![7, 8], set: |r: &mut [i32; 2], v| r[1] = v };
        let axes: [&dyn Turn<[i32; 2]>; 2] = [&x, &y];
        assert_eq!(around([1, 7], &axes, 0, |_| true), [[1, 7]]);
        assert_eq!(around([1, 7], &axes, 1, |_| true), [[1, 7], [2, 7], [3, 7], [1, 8]]);
        let all = [[1, 7], [2, 7], [3, 7], [1, 8], [2, 8], [3, 8]];
        assert_eq!(around([1, 7], &axes, 2, |_| true), all);
        assert_eq!(around([1, 7], &axes, 2, |r| r[0] != 2), [[1, 7], [3, 7], [1, 8], [3, 8]]);
    }

    #[test]
    fn thread_counts_are_powers_of_two_and_all() {
        assert_eq!(thread_counts(1), [1]);
        assert_eq!(thread_counts(2), [1, 2]);
        assert_eq!(thread_counts(6), [1, 2, 4, 6]);
        assert_eq!(thread_counts(0), [1]);
        assert_eq!(up_to(100, &[64, 128]), [64, 100]);
        assert_eq!(up_to(0, &[64]), [1]);
    }

    #[test]
    fn noise_is_even() {
        let mean = (0..10_000).map(uniform).sum::<f32>() / 10_000.0;
        assert!((0.49..0.51).contains(&mean), "{mean}");
    }
}
