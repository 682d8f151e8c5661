//! Compute kernels written by hand for vector registers: exact to the bit on every CPU, tiled,
//! threaded by a team the caller owns, with no I/O, no environment and no global state but what the
//! CPU says of itself.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod attention;
pub mod buffer;
pub mod cache;
pub mod gemm;
pub mod isa;
pub mod kmeans;
pub mod matrix;
pub mod points;
mod product;
pub mod rows;
pub mod stencil;
pub mod team;
pub mod vector;

pub use isa::Isa;
pub use matrix::{Matrix, MatrixMut};
#[cfg(feature = "rayon")]
pub use team::RayonTeam;
#[cfg(feature = "std")]
pub use team::SpinTeam;
pub use team::{Member, Solo, Team};
