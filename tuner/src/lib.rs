//! The tuner: who this machine is, one stopwatch, the search, and the wisdom it leaves behind.
//!
//! ```text
//! search -> wisdom record -> Wisdom::choose -> a recipe -> the kernel's Plan::new -> run
//!                              else the kernel's own estimate ^
//! ```
//!
//! * [`machine`] reads what a number was measured on, and what wisdom is keyed by.
//! * [`measure`] is the stopwatch: everything quoted or compared comes from it.
//! * [`problem`] is all the tuner knows of a kernel, [`space`] what is worth trying for each.
//! * [`search`] finds the best recipe within a budget; [`wisdom`] keeps it with its evidence.
//! * [`notes`] is what an interrupted search leaves for the next.
//! * [`recording`] keeps a whole space's samples, to judge searches by without a quiet machine.
//!
//! The kernels know nothing of this crate: they are handed a recipe, and check it. A recipe never
//! changes a result, so neither can tuning.

pub mod machine;
pub mod measure;
pub mod notes;
pub mod problem;
pub mod recording;
pub mod search;
pub mod space;
pub mod wisdom;

pub use wisdom::Wisdom;
