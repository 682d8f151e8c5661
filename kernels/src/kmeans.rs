//! K-Means: for each point the nearest centre, exactly, and the centres that fit points best.
//!
//! # What is right
//!
//! [`reference`](mod@reference) defines it: the label of a point is the index of the centre
//! whose squared distance, summed feature by feature in `f64`, is least, the lowest index among
//! equals. Everything here gives that label, on every instruction set, with every recipe and any
//! number of threads.
//!
//! Points are `f32`, `f64` or `u8`, in blocks, in rows, or read part by part where there are more
//! than memory holds ([`Source`]); centres are `f32` or `f64`. All
//! are widened exactly, so any pairing is right: `f64` and `u8` points are labelled at the speed of
//! `f32`, and precisely.
//!
//! # How it is fast
//!
//! A pass in `f32` finds the least two scores of every point, and a proven bound on its rounding
//! says whether their order can be trusted (`centres.rs`). Where it cannot, the
//! definition decides (`exact.rs`). Centres that are too far from a whole block of points are not
//! scored at all (`prune.rs`). No distances are stored, and row-major input is turned into blocks a
//! few cache lines at a time (`source.rs`).
//!
//! Against many centres points and centres are rounded to bytes first (`lattice.rs`), whose products
//! take a quarter of the time (`bytes.rs`): how far rounding moved them is measured, so it is known
//! which few centres may be the nearest, and those are compared as above.
//!
//! Where a point costs much and many labels stay, a fit keeps for each point how far centres may move
//! before its label can change (`kept.rs`), and looks again at those only whose label may have.
//!
//! Sums are whole numbers (`fixed.rs`), of a unit for each feature, the same in any order. So an
//! iteration moves only the points whose label has changed (`update.rs`), and a fit of few features
//! goes through a sorted copy in which near points stand together and equal ones are one
//! (`sorted.rs`). Seeding (`seed.rs`, `search.rs`) asks for few distances in `f64`: of many features
//! sums in `f32` rule most of them out (`screen.rs`), of few they say which candidate is the best
//! (`rough.rs`), both with a proven bound. None of it changes a bit of what comes out.
//!
//! A [`Recipe`] says how, a [`Plan`] checks it once and labels points, a [`Scratch`] is what it
//! works in.
//!
//! ```
//! use tilewise::cache::CacheSizes;
//! use tilewise::kmeans::{Plan, Recipe, Shape};
//! use tilewise::{Isa, Matrix, Solo};
//!
//! let rows = [0.0, 0.1, 5.0, 5.1, 0.2, 0.0, 5.2, 4.9];
//! let centres = [5.0, 5.0, 0.0, 0.0];
//! let shape = Shape { n: 4, d: 2, k: 2 };
//! let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
//! let plan = Plan::new(shape, Isa::best(), recipe)?;
//!
//! let mut labels = [0; 4];
//! let (rows, centres) = (Matrix::new(&rows, 4, 2)?, Matrix::new(&centres, 2, 2)?);
//! plan.assign(rows, centres, &mut labels, None, &mut plan.scratch(1)?, &Solo)?;
//! assert_eq!(labels, [1, 0, 1, 0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod assign;
mod bytes;
mod cells;
mod centres;
mod chunks;
mod curve;
mod draws;
mod engine;
mod error;
mod exact;
mod few;
mod fit;
mod fixed;
mod found;
mod held;
mod kept;
mod lanes;
mod lattice;
mod leaves;
mod lloyd;
mod look;
mod model;
mod on_lattice;
mod plan;
mod prune;
mod recipe;
pub mod reference;
mod relabel;
mod relocate;
mod rough;
mod screen;
mod search;
mod seed;
mod shares;
mod sorted;
mod source;
mod space;
mod spread;
mod table;
mod task;
mod tile;
mod turn;
mod update;
mod with;

pub use chunks::{Chunks, ReadError, Reader, Reason};
pub use draws::{Draws, Seeded};
pub use error::Error;
pub use fit::KMeans;
pub use found::Fit;
pub use model::Centres;
pub use plan::{Plan, Scratch, Shape};
pub use recipe::{Form, Recipe, Tile};
pub use source::Source;
pub use table::tiles;
pub use with::{Progress, With};
