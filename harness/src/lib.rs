//! Whole workloads on the kernels, and the honest reports about them.

pub mod baseline;
pub mod picture;
pub mod provenance;
