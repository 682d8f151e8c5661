//! Rivals, run beside us and judged like us.
//!
//! Libraries in Rust run in this process; the others are [`Worker`]s, each a process of its own
//! that speaks the [`protocol`]. Both are [`entrant`]s: their results are held against our
//! reference, then they take their turns in the rounds of one paired session ([`contest`]). What
//! came out is a [`record`], and a [`table`] for people. A [`bench`](mod@bench) does this for all
//! its shapes.

pub mod bench;
pub mod contest;
pub mod entrant;
mod ledger;
pub mod options;
mod pipe;
pub mod protocol;
pub mod record;
mod signal;
pub mod table;
mod worker;

pub use worker::{Error, Launch, Patience, Problem, Worker};
