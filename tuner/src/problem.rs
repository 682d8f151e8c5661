//! What the tuner needs to know of a kernel: nothing but this.
//!
//! A *problem* is a kernel with a shape; it implements [`Problem`]. Wisdom stores recipes for
//! problems, the search finds them, and neither knows what a tile is.

use crate::machine::{Key, Machine};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use tilewise::Isa;
use tilewise::cache::CacheSizes;

/// A kernel with a shape, for which there is a best recipe on each machine.
pub trait Problem {
    /// What there is to decide: plain data that never changes a result.
    type Recipe: Copy + PartialEq + Display + Serialize + DeserializeOwned;

    /// The kernel's name in wisdom and in reports.
    const KERNEL: &'static str;

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

    /// What of this decides whether a recipe found elsewhere holds here.
    pub fn key(&self) -> Key {
        self.machine.key(self.isa, self.threads)
    }
}

/// The sizes of a problem by name, in the order of their names.
pub type Shape = BTreeMap<String, Size>;

/// One entry of a shape: a number, or a name where a problem comes in kinds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// So many.
    Number(usize),
    /// This kind.
    Name(String),
}

impl From<usize> for Size {
    fn from(number: usize) -> Self {
        Size::Number(number)
    }
}

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Number(number) => number.fmt(f),
            Size::Name(name) => name.fmt(f),
        }
    }
}

/// Makes a shape of names and sizes.
pub fn shape<const N: usize>(sizes: [(&str, Size); N]) -> Shape {
    sizes.into_iter().map(|(name, size)| (name.to_owned(), size)).collect()
}
