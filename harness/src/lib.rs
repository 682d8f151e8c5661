//! Whole workloads on the kernels, and the honest reports about them.
//!
//! A workload ([`gemm`], [`kmeans`], [`stencil`]) makes its inputs from a seed, offers every way to do its
//! work ([`workload::Candidate`]: the plain [`baseline`] and our kernels) and checks each against
//! the reference. The feature `bert` adds language models, the feature `cli` adds
//! [`report`](mod@report) and the command `tilewise`.

pub mod baseline;
#[cfg(feature = "bert")]
pub mod bert;
pub mod gemm;
#[cfg(feature = "cli")]
pub mod interrupt;
pub mod kmeans;
#[cfg(feature = "cli")]
pub mod peers;
pub mod picture;
pub mod provenance;
#[cfg(feature = "cli")]
pub mod report;
pub mod roofs;
pub mod stencil;
pub mod workload;
