//! The report: what was measured, under which rules, and three ways to read it.
//!
//! [`model`] is the record (`report.json`), [`rules`] says what may not be printed, [`html`] and
//! [`markdown`] draw it, [`files`] puts it on disk whole or not at all. Nothing here measures.

pub mod accuracy;
pub mod files;
pub mod html;
pub mod markdown;
pub mod model;
pub mod readme;
pub mod recorded;
pub mod rules;
pub mod run;
pub mod space;

pub(crate) mod number;
mod plot;
mod svg;
mod view;

#[cfg(test)]
mod sample;

pub use model::Report;
pub use number::{digits, time as time_with_interval};
pub(crate) use view::Table;
pub use view::{flatten, summary};
