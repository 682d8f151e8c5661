//! What the tuner needs to know of a kernel: nothing but this.
//!
//! A *problem* is a kernel with a shape; it implements [`Problem`]. Wisdom stores recipes for
//! problems, the search finds them, and neither knows what a tile is.

mod shape;

pub use shape::{Shape, Size, shape};

use crate::machine::{Context, Identity, Machine};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use tilewise::Isa;
use tilewise::cache::CacheSizes;

/// A kernel with a shape, for which there is a best recipe on each machine.
pub trait Problem {
    /// What there is to decide: plain data that never changes a result.
    type Recipe: Copy + PartialEq + Display + Serialize + DeserializeOwned;

    /// The kernel's name in wisdom and in reports.
    const KERNEL: &'static str;

    /// The version of the kernel and of what can be decided about it: raised when a recipe comes
    /// to mean something else, or when the code it steers changes so much that old measurements
    /// say nothing of it. Wisdom of another version is not used.
    const SURFACE: u32;

    /// How far a measured recipe reaches: the largest [distance](Shape::distance) from which it
    /// is taken over for a shape nobody has tuned. Measured, so 0 until somebody has.
    const REACH: f64 = 0.0;

    /// The sizes that make one problem another, by name.
    fn shape(&self) -> Shape;

    /// The element types, such as `f32` or `u8i8`.
    fn dtype(&self) -> &'static str;

    /// The recipe used where nothing has been measured.
    fn estimate(&self, setting: &Setting<'_>) -> Self::Recipe;

    /// Why `recipe` cannot be followed, if it cannot: the kernel's own check.
    ///
    /// # Errors
    /// The kernel's message.
    fn check(&self, isa: Isa, recipe: &Self::Recipe) -> Result<(), String>;

    /// How many threads `recipe` uses at most.
    fn threads(recipe: &Self::Recipe) -> usize;
}

/// Where a recipe is to be used: on what machine, with which instruction set, by how many threads
/// at most.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// The instruction set.
    pub isa: Isa,
    /// The most threads that may be used.
    pub threads: usize,
}

impl<'a> Setting<'a> {
    /// The machine's best instruction set and all the threads we are allowed.
    pub fn best(machine: &'a Machine) -> Self {
        Setting { machine, isa: machine.best_isa, threads: machine.cores.allowed }
    }

    /// The machine's cache sizes.
    pub fn caches(&self) -> &CacheSizes {
        &self.machine.caches
    }

    /// What of the machine decides whether a recipe found elsewhere holds here.
    pub fn identity(&self) -> Identity {
        self.machine.identity(self.isa)
    }

    /// What of the circumstances does.
    pub fn context(&self) -> Context {
        self.machine.context(self.threads)
    }
}
