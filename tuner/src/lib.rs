//! The tuner: who this machine is, one stopwatch, the search, and the wisdom it leaves behind.

pub mod machine;
pub mod measure;
pub mod problem;
pub mod search;
pub mod space;
pub mod wisdom;
