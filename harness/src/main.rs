//! The `tilewise` command, thin.

fn main() {}
