//! Wisdom: what is kept, what it survives, and what it never makes a kernel do.

#[path = "wisdom/choose.rs"]
mod choose;
#[path = "wisdom/file.rs"]
mod file;
#[path = "wisdom/laws.rs"]
mod laws;
#[path = "wisdom/support.rs"]
mod support;
