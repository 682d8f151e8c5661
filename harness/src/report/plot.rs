//! The plots of the report, each from the same cells as the tables beside it.

mod ladder;
mod place;
mod roofline;
mod scaling;

pub(super) use ladder::ladder;
pub(super) use roofline::roofline;
pub(super) use scaling::scaling;
